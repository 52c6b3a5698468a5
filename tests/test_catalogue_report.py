"""Catalogue H01 to H07 of the report: its words, its place, odd names, runs of nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import polars as pl
import pytest

from screen.report.tables import RunTables
from tests.called_run import write_called
from tests.catalogue import Lab, make_lab, merged, run_verb, told
from tests.report_example import example_tables

NAMES = ("a/b", "../../up", "new\nline", "x" * 300, "C:\\con", ".", "\u202eabc", " ")


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A small screen that was scored and called, its results beside the run."""
    lab = make_lab(tmp_path_factory.mktemp("h"), n_fields=1)
    told(lab.ingest(), 0)
    assert lab.score().code in (0, 4)
    assert lab.call(f"out={lab.root / 'tables'}").code in (0, 4)
    return lab


def files_below(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


@pytest.mark.parametrize("verb", ["call", "report"])
@pytest.mark.parametrize(
    "place", ["screen", "screen/tables", "."], ids=["is", "in", "around"]
)
def test_H05_results_never_lie_in_what_they_are_made_from(
    verb: str, place: str, called: Lab
) -> None:
    out = called.root / place
    tables = called.root / "tables"
    if verb == "report":
        shutil.copytree(tables, out, dirs_exist_ok=True)
    before = files_below(called.root)
    ended = run_verb(verb, f"runs={called.runs}", "run=r", f"out={out}")
    told(ended, 3, "OUTPUT_IN_INPUT")
    assert files_below(called.root) == before


def test_H05_a_report_beside_its_campaign_is_made(called: Lab) -> None:
    out = called.root / "tables"
    ended = run_verb("report", f"runs={called.runs}", "run=r", f"out={out}")
    assert ended.code == 0
    assert (out / "hits.xlsx").is_file()


def named(tables: RunTables, names: tuple[str, ...]) -> RunTables:
    """The tables with as many plates, each of the made-up one's wells."""
    parts = [
        (
            tables.hits.with_columns(plate=pl.lit(n)),
            tables.plates.with_columns(plate=pl.lit(n)),
        )
        for n in names
    ]
    hits, plates = (pl.concat(frames) for frames in zip(*parts, strict=True))
    return replace(tables, hits=hits, plates=plates)


def test_H06_plates_of_any_name_are_shown_and_make_no_path(tmp_path: Path) -> None:
    runs = tmp_path / "deep" / "runs"
    folder = write_called(runs, named(example_tables(1, 96), NAMES))
    before = files_below(tmp_path)
    ended = run_verb("report", f"runs={runs}", "run=r", "top=2")
    assert ended.code == 0
    new = {Path(name) for name in files_below(tmp_path) - before}
    here = Path("deep/runs/r")
    assert {str(p.relative_to(here)) for p in new if ".hydra" not in p.parts} == {
        "report.html", "hits.xlsx", "hits.sdf", "cherry_picks.csv", "methods.txt",
    }  # fmt: skip
    page = unescape((folder / "report.html").read_text("utf-8"))
    assert "new\\u000aline" in page
    assert "x" * 159 + "…" in page
    assert "\u202e" not in page
    assert run_verb("verify", f"runs={runs}", "run=r").code == 0


@pytest.mark.parametrize("name", ["../r", "a/b", "..", "x" * 300, "a\nb", "-m"])
def test_H06_a_run_has_a_name_that_is_a_folder(name: str, tmp_path: Path) -> None:
    write_called(tmp_path / "runs", example_tables(1, 96))
    ended = run_verb("report", f"runs={tmp_path / 'runs'}", f"run={name}")
    assert ended.code in (2, 3)
    assert "Traceback" not in ended.text


def lost(tables: RunTables) -> RunTables:
    """The same screen with every well set aside."""
    numbers = [c for c, kind in tables.hits.schema.items() if kind == pl.Float64]
    hits = tables.hits.with_columns(pl.lit(None, pl.Float64).alias(c) for c in numbers)
    hits = hits.with_columns(
        status=pl.lit("QUARANTINED"), codes=pl.lit("IMG_BLANK"), n_cells=0
    )
    return replace(tables, hits=hits, compounds=tables.compounds.clear())


def empty(tables: RunTables) -> RunTables:
    """A run of no plate at all."""
    hits, plates, compounds = (
        frame.clear() for frame in (tables.hits, tables.plates, tables.compounds)
    )
    return replace(tables, hits=hits, plates=plates, compounds=compounds)


@pytest.mark.parametrize(
    ("change", "code", "said", "shown"),
    [
        (empty, 3, "the run holds no plate", "the run holds no plate"),
        (lost, 8, "no well could be scored", "no well could be scored"),
    ],
    ids=["no plate", "all set aside"],
)
def test_H07_a_report_of_nothing_is_made_and_says_so(
    change: object, code: int, said: str, shown: str, tmp_path: Path
) -> None:
    assert callable(change)
    folder = write_called(tmp_path, change(example_tables(1, 96)))
    ended = run_verb("report", f"runs={tmp_path}", "run=r")
    assert ended.code == code, ended.text
    assert said in ended.text
    assert "Traceback" not in ended.text
    page = (folder / "report.html").read_text("utf-8")
    assert shown in page
    assert page.rstrip().endswith("</html>")
    assert {"hits.xlsx", "methods.txt"} <= {p.name for p in folder.iterdir()}
    assert run_verb("verify", f"runs={tmp_path}", "run=r").code == 0


def test_H07_a_night_of_broken_fields_ends_with_its_report(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    told(lab.ingest(), 0)
    for entry in lab.campaign().plates:
        for shard in Path(entry.path).rglob("c/**/*"):
            if shard.is_file():
                shard.write_bytes(shard.read_bytes()[:-9] + b"\xff" * 9)
    words = [
        f"campaign={lab.out}",
        "model=none",
        f"runs={lab.runs}",
        "run=r",
        "cluster=inline",
    ]
    ended = run_verb("run", *merged(words))
    assert ended.code == 8, ended.text
    assert "no well could be scored" in ended.out
    assert set(lab.rows()["status"]) == {"QUARANTINED"}
    assert "no well could be scored" in (lab.runs / "r/report.html").read_text("utf-8")


def test_H01_every_wrong_word_is_told_at_once(tmp_path: Path) -> None:
    wrong = ("tpo=3", "top=many", "cells_per_compound=1000", "pick_layout=inside")
    ended = run_verb("report", "run=r", f"runs={tmp_path}", *wrong)
    told(
        ended,
        2,
        "CFG_KEY_UNKNOWN",
        "did you mean top?",
        "from 0 to 100",
        "inner or all",
    )
    assert len(ended.lines("CFG_")) == len(wrong)


@pytest.mark.parametrize("name", ["NO", "012"])
def test_H02_a_run_keeps_the_name_that_was_typed(name: str, tmp_path: Path) -> None:
    folder = write_called(tmp_path, example_tables(1, 96), name)
    assert run_verb("report", f"runs={tmp_path}", f"run={name}", "top=1").code == 0
    assert f"<h1>{name}</h1>" in (folder / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    "word", ["top=yes", "top=1.5", "pick_volume_nl=NO", "run=12:30"]
)
def test_H02_a_word_of_another_kind_is_refused(word: str, tmp_path: Path) -> None:
    words = merged(["run=r", f"runs={tmp_path}", word])
    assert run_verb("report", *words).code == 2


def test_H03_nothing_is_read_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENO_CANARY", "canary-value")
    ended = run_verb("report", "run=r", f"runs={tmp_path}", "out=${oc.env:SENO_CANARY}")
    told(ended, 2, "CFG_INTERPOLATION")
    assert "canary-value" not in ended.text
