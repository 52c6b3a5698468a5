"""A report says what is stored, to the digit, and nothing that must stay secret."""

from __future__ import annotations

import math
import shutil
import sys
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from plates.wells import PlateFormat
from screen import report
from screen.compose import settings_of
from screen.provenance import record_outputs
from screen.report.page import Extras, render
from screen.report.tables import RunTables
from screen.report.wording import shown
from tests.browser import Browser
from tests.page_checks import faults, listed
from tests.page_text import everything, islands, strings
from tests.report_example import example_tables
from tests.report_run import MadeRun

pytestmark = pytest.mark.slow
CANARY = "canary7f3a91"
# What a name of a plate, a compound or a file can carry into a log or a page.
NAMES = (
    "two\nlines\rover",
    "\x1b[2J\x1b]0;title\x07",
    "safe\u202egpj.exe",
    "\u2066left\u2069\u200f",
    "nul\x00bell\x07\x7f\x9b31m",
    "para\u2029line\u2028soft\u00ad",
)


@dataclass(frozen=True)
class Reported:
    """A run's folder, its page and the islands of it."""

    folder: Path
    page: str
    islands: dict[str, Any]

    @property
    def path(self) -> Path:
        """The page's file."""
        return self.folder / "report.html"


def reported_copy(run: Path, place: Path) -> Reported:
    """The report of a copy of a run."""
    folder = Path(shutil.copytree(run, place / "runs" / "made", dirs_exist_ok=True))
    report.run(settings_of("report", ["run=made", f"runs={folder.parent}", "top=5"]))
    page = (folder / "report.html").read_text("utf-8")
    return Reported(folder, page, islands(page))


@pytest.fixture(scope="module")
def reported(made_run: MadeRun, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    return reported_copy(made_run.folder, tmp_path_factory.mktemp("reported"))


def shown_columns(island: dict[str, Any]) -> dict[str, list[Any]]:
    """Values of the compounds island by stored column, in the order of its rows."""
    if "values" in island:
        return dict(island["values"])
    names = ["rank", "", "class", "rescue", "rescue_low", "rescue_high", "q"]
    names += ["best_concentration_um", "relative_count", "n_sen_ratio", "n_non_ratio"]
    columns = zip(*island["compounds"], strict=True)
    found = dict(zip([*names, "n_wells"], map(list, columns), strict=False))
    return {name: values for name, values in found.items() if name}


def test_numbers_of_the_compounds_are_those_of_the_table(reported: Reported) -> None:
    stored = pl.read_parquet(reported.folder / "compounds.parquet")
    found = shown_columns(reported.islands["compounds"])
    numbers = {
        name: values
        for name, values in found.items()
        if name in stored.columns and stored[name].dtype.is_numeric()
    }
    assert {"rescue", "q", "n_wells", "relative_count"} <= set(numbers)
    for name, values in numbers.items():
        shown_ones = pl.Series(values, dtype=pl.Float64).fill_null(math.nan).to_list()
        wanted = stored[name].cast(pl.Float64).fill_null(math.nan).to_list()
        assert shown_ones == pytest.approx(wanted, rel=6e-4, nan_ok=True), name


def test_words_of_the_compounds_are_those_of_the_table(reported: Reported) -> None:
    stored = pl.read_parquet(reported.folder / "compounds.parquet")
    found = shown_columns(reported.islands["compounds"])
    words = [n for n in ("class", "smiles", "inchikey", "scaffold") if n in found]
    assert "class" in words
    for name in words:
        wanted = [None if v is None else shown(v, 2000) for v in stored[name]]
        assert found[name] == wanted, name


def test_the_quality_of_each_plate_is_that_of_the_table(
    reported: Reported, browser: Browser
) -> None:
    stored = pl.read_parquet(reported.folder / "plates.parquet")
    browser.open(reported.path)
    browser.js("document.getElementById('plates').scrollIntoView()")
    text = browser.js(
        "return new Promise((done) => setTimeout(() =>"
        " done(document.getElementById('plates').innerText), 800))"
    )
    for row in stored.iter_rows(named=True):
        assert row["plate"] in text
        for name in ("z_prime", "z_prime_low", "z_prime_high", "robust_z_prime"):
            assert f"{row[name]:.2f}".replace("-", "−") in text, name


def test_every_reader_can_use_a_page_made_by_the_verbs(
    reported: Reported, browser: Browser
) -> None:
    found = faults(browser, reported.path)
    assert browser.complaints() == []
    assert browser.requests() == [reported.path.resolve().as_uri()]
    assert listed(found) == ""


@dataclass
class _Inner:
    token: str = CANARY
    url: str = f"https://bob:{CANARY}@store.example/plate?X-Amz-Signature={CANARY}"


@dataclass
class _Settings:
    """Settings that carry secrets in every way a person may think of."""

    campaign: str = f"s3://bucket/screen?sig={CANARY}"
    api_key: str = CANARY
    storage: _Inner = field(default_factory=_Inner)
    words: tuple[str, ...] = (f"password={CANARY}", f"aws_secret_access_key: {CANARY}")


def test_s16_no_secret_reaches_a_file_of_the_report(
    made_run: MadeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SENOSCREEN_TOKEN"):
        monkeypatch.setenv(name, CANARY)
    folder = Path(shutil.copytree(made_run.folder, tmp_path / "runs" / "made"))
    words = ["senoscreen", "score", f"token={CANARY}", _Settings().storage.url]
    monkeypatch.setattr(sys, "argv", words)
    inputs = {"campaign": f"s3://bob:{CANARY}@bucket/screen?sig={CANARY}"}
    monkeypatch.setattr("screen.provenance._input", lambda path: {"path": str(path)})
    for verb in ("score", "call"):
        record_outputs(folder, verb, _Settings(), inputs=inputs)
    found = reported_copy(folder, tmp_path / "copy")
    assert "no cell pictures" in found.page
    leaks = [name for name, data in everything(tmp_path) if CANARY.encode() in data]
    assert leaks == []


def test_s16_a_manifest_of_old_that_holds_secrets_is_shown_without_them() -> None:
    plain = example_tables(1, 96)
    settings = {"storage": vars(_Inner()), "words": list(_Settings().words)}
    settings |= {"api_key": CANARY, "campaign": _Settings().campaign}
    manifest = {
        "verbs": {"score": {"settings": settings, "command": settings["words"]}}
    }
    call = plain.call | {"settings": {"options": settings}}
    told = replace(plain, manifest=manifest, call=call)
    page = render("old", told, PlateFormat.of(96), Extras())
    assert CANARY not in page
    assert not [t for i in islands(page).values() for t in strings(i) if CANARY in t]


def named(name: str) -> RunTables:
    """A run in which everything that can carry a name carries this one."""
    plain, text = example_tables(1, 96), pl.lit(name)
    hits = plain.hits.with_columns(
        plate=text + pl.col("plate"), compound=text + pl.col("compound"), batch=text
    )
    hits = hits.with_columns(line=text, flags=text, codes=text)
    plates = plain.plates.with_columns(
        plate=text + pl.col("plate"), reason=text, line=text, scale=text
    )
    compounds = plain.compounds.with_columns(
        *(text.alias(c) for c in ("why", "flags", "code", "smiles", "line", "alerts")),
        compound=text + pl.col("compound"),
        name=text + pl.col("compound"),
    )
    call = plain.call | {"notes": [name], "family": name, "settings": {name: name}}
    manifest = {"verbs": {name: {"settings": {name: name}}}, "name": name}
    return RunTables.complete(hits, plates, compounds, call, manifest)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_s17_no_control_or_direction_mark_of_a_name_reaches_the_page(name: str) -> None:
    page = render(name, named(name), PlateFormat.of(96), Extras(remarks=(name,)))
    texts = [page, *(t for i in islands(page).values() for t in strings(i))]
    marks = {c for t in texts for c in set(t)} - {"\n"}
    hidden = {c for c in marks if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")}
    assert hidden == set()
    in_data = [t for i in islands(page).values() for t in strings(i) if "\n" in t]
    assert in_data == []
