"""H08: a campaign of years gives a page that can be mailed, opened and read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plates.wells import PlateFormat
from screen.report.page import Extras, render
from tests.browser import Browser
from tests.report_large import large_tables

LIMIT = 20_000_000


@pytest.mark.slow
def test_h08_two_thousand_plates_stay_under_twenty_megabytes() -> None:
    tables = large_tables(2000, 6, 2000, 96)
    page = render("large", tables, PlateFormat.of(96), Extras())
    assert len(page.encode()) < LIMIT
    assert re.search(r"1[, \u202f]?000 of 2[, \u202f]?000 plates pass", page)


@pytest.mark.long
def test_h08_a_million_rows_open_without_a_complaint(
    browser: Browser, tmp_path: Path
) -> None:
    tables = large_tables(2000, 500, 20_000, 1536)
    assert tables.hits.height == 1_000_000
    page = tmp_path / "report.html"
    page.write_text(render("large", tables, PlateFormat.of(1536), Extras()), "utf-8")
    assert page.stat().st_size < LIMIT
    browser.open(page)
    browser.js("return seno.data('compounds')")
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]
