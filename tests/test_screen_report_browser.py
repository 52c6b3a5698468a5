"""The report in a real browser: it opens, says nothing, asks for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from plates.wells import PlateFormat
from screen.report.page import Extras, render
from tests.browser import Browser
from tests.page_checks import faults, listed
from tests.report_example import example_galleries, example_tables

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables = example_tables()
    extras = Extras(lambda smiles: "<svg></svg>", example_galleries(tables))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render("example", tables, PlateFormat.of(384), extras), "utf-8")
    return path


def test_opens_without_a_complaint_or_a_request(browser: Browser, page: Path) -> None:
    browser.open(page)
    n_rows = browser.js(
        "return seno.data('compounds').then(() => document.querySelectorAll('#table tbody tr').length)"
    )
    assert n_rows == 50
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]


def test_every_reader_can_use_the_page_wide_and_narrow(
    browser: Browser, page: Path
) -> None:
    assert listed(faults(browser, page)) == ""
