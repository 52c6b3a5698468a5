"""The hits, the table and the compound pages in a real browser, by mouse and by keys."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from plates.structure_pool import sketches, structure_pool
from plates.wells import PlateFormat
from screen.report.cell_histograms import cell_histograms
from screen.report.page import Extras, render
from screen.report.tables import RunTables
from tests.browser import NARROW, WIDE, Browser
from tests.report_example import example_cutter, example_galleries, example_tables
from tests.report_library import library_tables

pytestmark = pytest.mark.slow
FORMULA = '=HYPERLINK("x")'
ROWS = "return [...document.querySelectorAll('#table tbody tr')].map(r => r.querySelector('th').firstChild.textContent)"
OPEN = "return !document.getElementById('compound-page').hidden && document.getElementById('compound-title').textContent"


@pytest.fixture(scope="module")
def library() -> RunTables:
    tables = library_tables(600)
    why = pl.when(pl.col("rank") == 3).then(pl.lit(FORMULA)).otherwise("why")
    return RunTables.complete(
        tables.hits, tables.plates, tables.compounds.with_columns(why=why),
        tables.call, tables.manifest, curves=tables.curves,
    )  # fmt: skip


@pytest.fixture(scope="module")
def large(library: RunTables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with structure_pool(1) as pool:
        drawn = sketches(pool, library.compounds["smiles"].head(30))
    extras = Extras(
        lambda smiles: drawn[smiles].ink if smiles in drawn else None,
        fingerprints={s: d.fingerprint for s, d in drawn.items()},
    )
    return written(library, extras, tmp_path_factory)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables = example_tables(2, 96)
    cells = {p: s.cells for p, s in example_cutter(tables).sources.items()}
    extras = Extras(
        galleries=example_galleries(tables, 8),
        histograms=cell_histograms(cells),
        explained=explained("C0001"),
    )
    return written(tables, extras, tmp_path_factory, PlateFormat.of(96))


def explained(compound: str) -> pl.DataFrame:
    """A cell of a compound and one of its control, red crops with blue maps."""
    pictures = {"crop": io.BytesIO(), "map": io.BytesIO()}
    Image.new("RGB", (8, 8), "red").save(pictures["crop"], "PNG")
    Image.new("RGB", (8, 8), "blue").save(pictures["map"], "PNG")
    shown = {k: v.getvalue() for k, v in pictures.items()}
    words = {"compound": compound, "method": "m", "output": "o", "answer": "+1.00"}
    sides = (("compound", compound), ("control", "vehicle"))
    return pl.DataFrame([{"of": of, "name": n} | words | shown for of, n in sides])


def written(
    tables: RunTables,
    extras: Extras,
    folder: pytest.TempPathFactory,
    plate: PlateFormat | None = None,
) -> Path:
    path = folder.mktemp("page") / "report.html"
    text = render("example", tables, plate or PlateFormat.of(384), extras)
    path.write_text(text, "utf-8")
    return path


def opened(browser: Browser, page: Path, address: str = "") -> Browser:
    browser.resize(WIDE)
    browser.open("about:blank")
    browser.open(page.resolve().as_uri() + address)
    wait = "return (async () => { await seno.data('compounds'); while (!document.querySelector('#table tbody tr')) await new Promise(r => setTimeout(r, 20)); return 1; })()"
    assert browser.js(wait) == 1
    return browser


def press(browser: Browser, selector: str) -> None:
    """Click where a person would, once the place has stopped moving."""
    element = browser.driver.find_element(By.CSS_SELECTOR, selector)
    place = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
    browser.js(place, element)
    element.click()


def typed(browser: Browser, name: str, text: str) -> None:
    box = browser.driver.find_element(By.ID, name)
    box.clear()
    box.send_keys(text)


def found(browser: Browser) -> str:
    return str(browser.js("return document.getElementById('found').textContent"))


def page_open(browser: Browser) -> Any:
    wait = "return (async () => { for (let i = 0; i < 100; i += 1) { if (document.getElementById('compound-title')) break; await new Promise(r => setTimeout(r, 20)); } await new Promise(r => setTimeout(r, 60)); })()"
    browser.js(wait)
    return browser.js(OPEN)


def test_heads_sort_and_say_so(
    browser: Browser, large: Path, library: RunTables
) -> None:
    opened(browser, large)
    button = browser.driver.find_element(By.CSS_SELECTOR, "[data-column=rescue]")
    button.send_keys(Keys.ENTER)
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    wanted = library.compounds.sort("rescue", descending=True)["name"].head(50)
    assert browser.js(ROWS) == wanted.to_list()
    held = "return [document.activeElement.dataset.column, document.activeElement.parentElement.getAttribute('aria-sort')]"
    assert browser.js(held) == ["rescue", "descending"]
    assert (
        browser.js("return document.querySelectorAll('[aria-sort=ascending]').length")
        == 0
    )


def test_filters_count_as_the_tables_do(
    browser: Browser, large: Path, library: RunTables
) -> None:
    opened(browser, large)
    frame = library.compounds
    press(browser, "#only")
    assert found(browser) == f"{frame['is_hit'].sum()} of 600 compounds"
    press(browser, "#only")
    typed(browser, "least", "0.3")
    n = frame.filter(pl.col("rescue") >= 0.3).height
    assert found(browser).startswith(f"{n} of")
    typed(browser, "most", "0.5")
    n = frame.filter((pl.col("rescue") >= 0.3) & (pl.col("q") <= 0.5)).height
    assert found(browser).startswith(f"{n} of")
    press(browser, "#clear-filter")
    browser.js("seno.filterBy('alerts', 'some')")
    n = frame.filter(pl.col("alerts") != "").height
    assert found(browser).startswith(f"{n} of")
    browser.js("seno.filterBy('scaffold', 'S2')")
    assert found(browser).startswith("120 of")
    browser.js("seno.filterBy('class', 'senolytic')")
    n = frame.filter(pl.col("class") == "senolytic").height
    assert found(browser).startswith(f"{n} of")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("library-599", ["library-599"]),
        ("KEY00000000041", ["library-42"]),
        ("c00007", ["library-7"]),
        ("hyperlink", ["library-3"]),
    ],
    ids=str,
)
def test_search_looks_at_names_ids_keys_and_reasons(
    browser: Browser, large: Path, text: str, names: list[str]
) -> None:
    opened(browser, large)
    typed(browser, "find", text)
    assert browser.js(ROWS) == names


def test_columns_are_chosen_and_saved_as_seen(
    browser: Browser, large: Path, library: RunTables
) -> None:
    opened(browser, large)
    press(browser, "#chooser summary")
    for name in ("alerts", "flags", "ec50", "mol_weight"):
        press(browser, f"#chooser [value={name}]")
    heads = browser.js(
        "return [...document.querySelectorAll('#table thead button')].map(b => b.dataset.column)"
    )
    assert "mol_weight" in heads
    assert "alerts" not in heads
    browser.driver.find_element(By.CSS_SELECTOR, "#chooser input").send_keys(
        Keys.ESCAPE
    )
    assert not browser.js("return document.getElementById('chooser').open")
    press(browser, "#only")
    saved = "const was = URL.createObjectURL; return new Promise((r) => { URL.createObjectURL = (b) => { b.text().then(r); return was(b); }; document.getElementById('export').click(); })"
    rows = list(csv.DictReader(io.StringIO(browser.js(saved))))
    hits = library.compounds.filter(pl.col("is_hit"))
    assert [r["name"] for r in rows] == hits["name"].to_list()
    wanted = hits["rescue_low"].to_list()
    assert [float(r["rescue_low"]) for r in rows] == pytest.approx(wanted, rel=1e-6)
    assert rows[2]["why"] == f"'{FORMULA}"
    assert set(rows[0]) >= {"compound", "mol_weight", "rescue_high"}
    assert not {"alerts", "ec50_um"} & set(rows[0])


def test_a_row_opens_by_click_and_closing_comes_back(
    browser: Browser, large: Path
) -> None:
    opened(browser, large)
    press(browser, "#table tbody tr:nth-child(4) td")
    assert page_open(browser) == "library-4"
    assert browser.js("return location.hash") == "#compound=4"
    assert browser.js("return document.getElementById('main').offsetParent") is None
    ActionChains(browser.driver).send_keys(Keys.ESCAPE).perform()
    assert browser.js(OPEN) is False
    assert browser.js("return location.hash") == "#compounds"
    assert browser.js("return document.activeElement.dataset.row") == "3"


def test_keys_alone_open_turn_and_close(browser: Browser, large: Path) -> None:
    opened(browser, large)
    typed(browser, "find", "judged senolytic")
    browser.js("document.querySelector('#table tbody tr').focus()")
    ActionChains(browser.driver).send_keys(Keys.ARROW_DOWN, Keys.ENTER).perform()
    assert page_open(browser) == "library-10"
    assert browser.js("return document.activeElement.id") == "compound-title"
    ActionChains(browser.driver).send_keys(Keys.ARROW_RIGHT).perform()
    assert page_open(browser) == "library-11"
    ActionChains(browser.driver).send_keys(
        Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT
    ).perform()
    # The first of the filtered rows: nothing lies before it.
    assert page_open(browser) == "library-9"
    browser.driver.back()
    assert page_open(browser) == "library-10"
    ActionChains(browser.driver).send_keys(Keys.ESCAPE).perform()
    assert browser.js(OPEN) is False


def test_an_address_opens_its_compound_and_a_wrong_one_says_so(
    browser: Browser, large: Path
) -> None:
    opened(browser, large, "#compound=234")
    assert page_open(browser) == "library-234"
    browser.js("location.hash = 'compound=99999'")
    browser.js("return new Promise(r => setTimeout(r, 150))")
    assert page_open(browser) == "No compound 99999"
    browser.js("document.documentElement.style.scrollBehavior = 'auto'")
    browser.js("location.hash = 'hits'")
    browser.js("return new Promise(r => setTimeout(r, 150))")
    assert browser.js(OPEN) is False
    # The section that the address names lies at the top, under the bar.
    place = "return document.getElementById('hits').getBoundingClientRect().top"
    assert 0 <= browser.js(place) < 120


def test_a_page_shows_the_numbers_of_its_wells(
    browser: Browser, large: Path, library: RunTables
) -> None:
    opened(browser, large, "#compound=2")
    assert page_open(browser) == "library-2"
    cells = browser.js(
        "return [...document.querySelectorAll('.well-table tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    )
    wells = library.hits.filter(pl.col("compound") == "C00002").sort("concentration_um")
    assert [c[2] for c in cells] == wells["well"].to_list()
    assert [c[5].replace("−", "-") for c in cells] == [
        f"{v:.2f}" for v in wells["rescue"]
    ]
    curve = browser.js(
        "return [document.querySelectorAll('#compound-page .dose-curve path.fit').length, document.querySelectorAll('#compound-page .fit-band').length]"
    )
    assert curve == [2, 2]
    assert browser.js("return document.querySelectorAll('#compound-page .ink').length")


def test_a_card_opens_its_page_with_cells(browser: Browser, small: Path) -> None:
    opened(browser, small)
    card = browser.driver.find_element(By.CSS_SELECTOR, ".hit-card")
    browser.js("arguments[0].scrollIntoView({behavior: 'instant'})", card)
    browser.js(
        "return (async () => { while (!document.querySelector('.hit-card img')) await new Promise(r => setTimeout(r, 20)); })()"
    )
    card.send_keys(Keys.ENTER)
    assert page_open(browser) == "example-1"
    browser.js(
        "return (async () => { while (document.querySelectorAll('.gallery img').length < 6) await new Promise(r => setTimeout(r, 20)); })()"
    )
    wide = browser.js(
        "return Promise.all([...document.querySelectorAll('.gallery img')].map(i => i.decode().then(() => i.naturalWidth)))"
    )
    assert wide == [6 * 84 + 5 * 3] * 6
    assert browser.complaints() == []
    assert browser.requests() == [small.resolve().as_uri()]


def test_a_well_of_a_page_leads_to_the_plate_maps(
    browser: Browser, small: Path
) -> None:
    opened(browser, small, "#compound=1")
    assert page_open(browser) == "example-1"
    press(browser, ".well-table a")
    browser.js("return new Promise(r => setTimeout(r, 200))")
    assert browser.js(OPEN) is False
    assert browser.js("return location.hash").startswith("#well=P01")
    assert browser.js("return document.getElementById('main').offsetHeight > 0")


def test_a_button_turns_cells_into_maps(browser: Browser, small: Path) -> None:
    opened(browser, small, "#compound=1")
    assert page_open(browser) == "example-1"
    wait = "return (async () => { while (!document.querySelector('.explained img')) await new Promise(r => setTimeout(r, 20)); })()"
    browser.js(wait)
    seen = "return [...document.querySelectorAll('.explained img')].map(i => i.src)"
    crops = browser.js(seen)
    press(browser, ".explained button")
    maps = browser.js(seen)
    assert len(crops) == len(maps) == 2
    assert not set(crops) & set(maps)
    pressed = "return document.querySelector('.explained button').ariaPressed"
    assert browser.js(pressed) == "true"
    press(browser, ".explained button")
    assert browser.js(seen) == crops


def test_an_open_page_is_printed_alone(browser: Browser, small: Path) -> None:
    opened(browser, small, "#compound=1")
    assert page_open(browser) == "example-1"
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    seen = "return ['main', 'compound-page'].map(i => document.getElementById(i).offsetHeight > 0)"
    assert browser.js(seen) == [False, True]
    browser.js("location.hash = ''")
    browser.js("return new Promise(r => setTimeout(r, 150))")
    assert browser.js(seen) == [True, False]
    assert browser.js("return document.querySelector('.hit-card').offsetHeight > 0")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_nothing_is_wider_than_a_telephone(browser: Browser, small: Path) -> None:
    opened(browser, small, "#compound=1")
    browser.resize(NARROW)
    assert page_open(browser) == "example-1"
    width = "return document.documentElement.scrollWidth"
    assert browser.js(width) <= NARROW[0]
    browser.js("location.hash = 'compounds'")
    browser.js("return new Promise(r => setTimeout(r, 100))")
    assert browser.js(width) <= NARROW[0]
    browser.resize(WIDE)
