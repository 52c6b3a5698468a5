"""The report of a real screen that came as a table with structures and without images."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from screen import call, report
from screen.compose import settings_of
from screen.settings import CallVerb
from tests.browser import NARROW, WIDE, Browser
from tests.page_checks import faults, listed

pytestmark = [pytest.mark.real, pytest.mark.slow]


@dataclass(frozen=True)
class Reported:
    """A page, what it says in words, and the tables it is made from."""

    page: Path
    words: str
    compounds: pl.DataFrame


class _Words(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def words_of(page: Path) -> str:
    """The text of a page without scripts and styles."""
    return " ".join(" ".join(_Words(page.read_text("utf-8")).parts).split())


def write_library(source: Path, path: Path) -> Path:
    """The structures with each name once: one name has two of them."""
    records = gzip.decompress(source.read_bytes()).decode("utf-8", "replace")
    records = records.replace("\r\n", "\n")
    by_name = {
        found[1]: record
        for record in records.split("$$$$\n")
        if (found := re.search(r"<Name>[^\n]*\n([^\n]+)", record))
    }
    path.write_text("".join(f"{r}$$$$\n" for r in by_name.values()), "utf-8")
    return path


@pytest.fixture(scope="module")
def lopac(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """Line E31 as a table of scores, called as a screen for inducers, with its library."""
    folder, data = tmp_path_factory.mktemp("lopac"), shared_data / "lopac_screen"
    wells = pl.read_csv(data / "wells.csv.gz", infer_schema=False)
    wells = wells.with_columns(pl.col("Barcode").str.replace(r"\.", "-"))
    wells = wells.filter(pl.col("Barcode").str.starts_with("E31")).select(
        "Barcode", "Well Name", "chemical_name", "Annotation", "Conc LOG[M]"
    )
    wells.write_csv(folder / "map.csv")
    out = folder / "runs" / "lopac"
    call.run(
        CallVerb(
            table=str(data / "e31_senescence_scores.csv"),
            table_columns=["value:sen_score", "sd:std_sen_score"],
            map=[str(folder / "map.csv")],
            map_aliases=[
                *("Barcode:plate", "Well Name:well", "chemical_name:compound"),
                *("Annotation:role", "Conc LOG[M]:concentration_log10_m"),
                *("neg:vehicle", "pos:reference", "sample:treatment"),
            ],
            map_defaults=["state:unstressed", "batch:1", "replicate:1"],
            library=str(write_library(data / "lopac.sdf.gz", folder / "library.sdf")),
            library_columns=["compound:Name"],
            direction="higher",
            out=str(out),
        )
    )
    report.run(settings_of("report", ["run=lopac", f"runs={out.parent}"]))
    compounds = pl.read_parquet(out / "compounds.parquet")
    return Reported(out / "report.html", words_of(out / "report.html"), compounds)


def test_the_report_of_a_table_is_whole_without_images(lopac: Reported) -> None:
    n_hits = int(lopac.compounds["is_hit"].sum())
    with_structure = lopac.compounds.filter(pl.col("inchikey") != "").height
    assert n_hits > 0
    assert with_structure > 900
    assert f"{n_hits} hits" in lopac.words or f"{n_hits} of" in lopac.words
    assert "no cell pictures" in lopac.words
    assert "The run names no model" in lopac.words
    assert "{{" not in lopac.words
    assert " nan" not in lopac.words


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_report_of_a_table_opens_without_a_complaint(
    size: tuple[int, int], lopac: Reported, browser: Browser
) -> None:
    found = faults(browser, lopac.page, [size])
    assert browser.complaints() == []
    assert browser.requests() == [lopac.page.resolve().as_uri()]
    assert listed(found) == ""
