"""The plates section in a real browser: what it says, marks, draws and prints."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from plates.wells import PlateFormat
from screen.report.page import Extras, render
from screen.report.tables import RunTables
from tests.browser import NARROW, WIDE, Browser
from tests.planted_run import BAD, COLUMNS, EDGE, planted
from tests.report_example import example_tables

pytestmark = pytest.mark.slow

FIRST_SCREEN = """
document.documentElement.style.scrollBehavior = "auto";
document.getElementById(arguments[0]).scrollIntoView();
return [...document.querySelectorAll(`#${arguments[0]} *`)].filter((n) => {
  const box = n.getBoundingClientRect();
  return !n.children.length || n.className === "told" ? box.height > 0 && box.top >= 0 && box.bottom <= innerHeight : false;
}).map((n) => n.textContent).join("\\n");
"""
READY = """
const wait = (done, left) => document.querySelector("#plate-view .map") || !left
  ? done(!!left) : setTimeout(() => wait(done, left - 1), 50);
return new Promise((done) => wait(done, 100));
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plates")


def written(folder: Path, name: str, tables: RunTables, n_wells: int) -> Path:
    path = folder / f"{name}.html"
    text = render(name, tables, PlateFormat.of(n_wells), Extras())
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(scope="module")
def bad_night(folder: Path) -> Path:
    return written(folder, "night-7", planted().tables, 384)


@pytest.fixture(scope="module")
def small(folder: Path) -> Path:
    """One 96-well plate with a reference, two of them by name."""
    tables = example_tables(1, 96)
    reference = pl.col("well").is_in(["A03", "A04"])
    hits = tables.hits.with_columns(
        role=pl.when(reference).then(pl.lit("reference")).otherwise("role"),
    )
    parts = (hits, tables.plates, tables.compounds, tables.call, tables.manifest)
    return written(folder, "small", RunTables.complete(*parts), 96)


def opened(browser: Browser, page: Path | str) -> Browser:
    browser.resize(WIDE)
    browser.open("about:blank")
    browser.open(page)
    assert browser.js(READY)
    return browser


def at(page: Path, address: str) -> str:
    return page.resolve().as_uri() + address


def chosen(browser: Browser) -> str:
    """The plate and the well that are shown."""
    return str(
        browser.js(
            "return document.querySelector('#plate-view h3').firstChild.textContent.trim()"
        )
    )


def test_every_planted_fault_is_told_in_the_first_screen_of_its_section(
    browser: Browser, bad_night: Path
) -> None:
    opened(browser, bad_night)
    plates = browser.js(FIRST_SCREEN, "plates")
    assert f"Plate {BAD} fails" in plates
    assert f"The score drifts along the columns of plate {COLUMNS}" in plates
    assert f"Edge wells of plate {EDGE} look older" in plates
    overview = browser.js(FIRST_SCREEN, "overview")
    assert "5 compounds are toxic" in overview
    assert "2 compounds look fluorescent (artefact)" in overview
    assert "Repeat plate" in overview
    assert browser.complaints() == []
    assert browser.requests() == [bad_night.resolve().as_uri()]


HOVER = """
const maps = [...document.querySelectorAll("#plate-view .map")];
const own = maps.map((m) => m.querySelector(`.w[data-i="${arguments[0]}"]`));
own[arguments[1]].dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
return [own.map((w) => w.classList.contains("at")), document.querySelectorAll("#plate-view .w.at").length,
  document.getElementById("tip").hidden ? "" : document.getElementById("tip").innerText];
"""


def test_a_well_is_marked_on_all_maps_and_read_in_words(
    browser: Browser, small: Path
) -> None:
    opened(browser, small)
    marked, n, tip = browser.js(HOVER, 2 * 12 + 10, 1)
    assert marked == [True] * 4
    assert n == 4
    assert tip.split("\n")[0] == "C11 · P01"
    assert "Normalised rescue: –" in tip
    assert "Quarantined" in tip
    assert "CHUNK_CORRUPT" in tip
    row = example_tables(1, 96).hits.filter(pl.col("well") == "B05").row(0, named=True)
    marked, n, tip = browser.js(HOVER, 1 * 12 + 4, 0)
    assert n == 4
    assert f"Senescence score: {row['score']:.2f}" in tip
    assert f"Cell number: {row['n_cells']}" in tip
    assert f"({row['compound']})" in tip


def test_lost_wells_are_hatched_and_controls_ringed(
    browser: Browser, small: Path
) -> None:
    opened(browser, small)
    count = "return [...document.querySelectorAll('#plate-view .map')].map((m) => m.querySelectorAll(arguments[0]).length)"
    # H08 has no cells (a count of 0 is a number), C11 is quarantined.
    assert browser.js(count, ".w.missing") == [2, 2, 2, 1]
    assert browser.js(count, ".ring.healthy") == [16] * 4
    assert browser.js(count, ".ring.reference") == [2] * 4
    names = browser.js(
        "return [...document.querySelectorAll('#plate-view .strips .name')].map((n) => n.textContent)"
    )
    assert names == [
        "Healthy vehicle",
        "Stressed vehicle",
        "example-1",
        "example-2",
        "Treated wells",
    ]


def test_colours_run_between_the_ends_of_the_scale(
    browser: Browser, small: Path
) -> None:
    opened(browser, small)
    hits = example_tables(1, 96).hits.filter(pl.col("score").is_not_null())
    places = hits.sort("score").select("row", "column").rows()
    fill = "return document.querySelector('#plate-view .map').querySelector(`.w[data-i='${arguments[0]}']`).getAttribute('fill')"
    ends = [browser.js(fill, r * 12 + c) for r, c in (places[0], places[-1])]
    assert ends == ["#440154", "#fde725"]


def test_arrow_keys_go_from_well_to_well(browser: Browser, small: Path) -> None:
    opened(browser, small)
    told = browser.js("""
      document.documentElement.style.scrollBehavior = "auto";
      const map = document.querySelector("#plate-view .map"), seen = [];
      map.scrollIntoView();
      map.focus();
      for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "Enter", "Escape"]) {
        map.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        seen.push(document.querySelectorAll("#plate-view .w.at").length && document.querySelector("#tip b").textContent);
      }
      return [seen, document.querySelector("#plate-view .well-panel b").textContent];
    """)
    assert told[0] == ["A01 · P01", "A02 · P01", "B02 · P01", "B02 · P01", 0]
    assert told[1] == "B02 on P01"


def panel(browser: Browser) -> Any:
    return browser.js(
        "return document.querySelector('#plate-view .well-panel').innerText"
    )


@pytest.mark.parametrize("as_new", [True, False], ids=["opened", "followed"])
def test_addresses_show_a_plate_and_a_well(
    browser: Browser, bad_night: Path, as_new: bool
) -> None:
    opened(browser, at(bad_night, "#well=P02/c05") if as_new else bad_night)
    if not as_new:
        browser.js("location.hash = '#well=P02/c05'")
    browser.js(
        "return new Promise((d) => setTimeout(d, 50)).then(() => seno.data('wells-0'))"
    )
    assert chosen(browser) == "P02"
    assert panel(browser).startswith("C05 on P02")
    assert "senoscreen view run=night-7" in panel(browser)
    link = browser.js(
        "return document.querySelector('.well-panel a').getAttribute('href')"
    )
    well = (pl.col("plate") == "P02") & (pl.col("well") == "C05")
    compound = planted().tables.hits.filter(well)["compound"][0]
    ranks = dict(planted().tables.compounds.select("compound", "rank").iter_rows())
    assert link == f"#compound={ranks[compound]}"
    browser.js("location.hash = '#plate=P01'")
    browser.js("return new Promise((d) => setTimeout(d, 50))")
    assert chosen(browser) == "P01"
    browser.js("location.hash = '#well=P09/A01'")
    browser.js("return new Promise((d) => setTimeout(d, 50))")
    assert chosen(browser) == "P01"
    assert browser.complaints() == []


def test_the_worst_plate_comes_first_and_a_click_takes_another(
    browser: Browser, bad_night: Path
) -> None:
    opened(browser, bad_night)
    failed = planted().tables.plates.filter(pl.col("verdict") == "fail")["plate"]
    assert chosen(browser) == failed[0]
    order = browser.js(
        "return [...document.querySelectorAll('#film button')].map((b) => b.textContent)"
    )
    assert order[: failed.len()] == failed.to_list()
    assert sorted(order) == ["P01", "P02", "P03", "P04"]
    link = "document.querySelector('#z-order a[href=\"#plate=P02\"]')"
    browser.js(
        f"{link}.dispatchEvent(new MouseEvent('click', {{ bubbles: true, cancelable: true }}));"
        "return new Promise((d) => setTimeout(d, 100))"
    )
    assert chosen(browser) == "P02"
    numbers = browser.js(
        "const d = document.getElementById('plate-numbers'); d.open = true;"
        "return new Promise((r) => setTimeout(r, 50)).then(() => d.querySelectorAll('tbody tr').length)"
    )
    assert numbers == 4


def test_replicates_are_drawn_when_they_come_near(
    browser: Browser, folder: Path
) -> None:
    tables = example_tables(2, 96)
    opened(browser, written(folder, "pairs", tables, 96))
    n = browser.js("""
      document.documentElement.style.scrollBehavior = "auto";
      document.getElementById("replicates").scrollIntoView();
      return new Promise((d) => setTimeout(d, 200)).then(() => document.querySelectorAll("#replicates .pair.own").length);
    """)
    read = tables.hits.filter(
        pl.col("rescue").is_not_null(), pl.col("role") == "treatment"
    )
    both = read.group_by("compound", "concentration_um").agg(pl.col("plate").n_unique())
    assert n == both.filter(pl.col("plate") == 2).height


def test_paper_holds_the_failing_plates_and_nothing_is_too_wide(
    browser: Browser, bad_night: Path
) -> None:
    opened(browser, bad_night)
    browser.js("""
      seno.printed = [];
      addEventListener("beforeprint", () => seno.printed.push(...[...document.querySelectorAll(".plate h3")].map((n) => n.firstChild.textContent.trim())));
      return seno.data("wells-0");
    """)
    found = browser.driver.execute_cdp_cmd("Page.printToPDF", {})
    assert base64.b64decode(found["data"]).startswith(b"%PDF")
    failed = planted().tables.plates.filter(pl.col("verdict") == "fail")["plate"]
    assert browser.js("return seno.printed") == failed.to_list()
    browser.resize((680, 960))
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        widths = browser.js(
            "return ['overview', 'plates', 'wells'].map((k) => document.getElementById(k).scrollWidth - document.getElementById(k).clientWidth)"
        )
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert widths == [0, 0, 0]


def test_nothing_is_wider_than_a_phone(browser: Browser, bad_night: Path) -> None:
    opened(browser, bad_night)
    browser.resize(NARROW)
    assert browser.js("return document.documentElement.scrollWidth") <= NARROW[0]


@pytest.fixture
def served(folder: Path, small: Path) -> Iterator[str]:
    """The small page as a server gives it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{small.name}"
        server.shutdown()


def test_a_served_page_leads_to_the_well(browser: Browser, served: str) -> None:
    opened(browser, served + "#well=P01/B05")
    links = browser.js(
        "return [...document.querySelectorAll('.well-panel a')].map((a) => a.getAttribute('href'))"
    )
    assert links[-1] == "/well?plate=P01&well=B05"
    assert "senoscreen view" not in panel(browser)


def test_a_map_is_saved_with_its_colours(browser: Browser, small: Path) -> None:
    opened(browser, small)
    text = browser.js("""
      let saved = null;
      URL.createObjectURL = (blob) => { saved = blob.text(); return "#saved"; };
      HTMLAnchorElement.prototype.click = () => {};
      document.querySelector("#plate-view .save").click();
      return saved;
    """)
    root = ElementTree.fromstring(text)
    fills = [e.get("fill") for e in root.iter() if e.get("data-i") is not None]
    assert len(fills) == 96
    assert "rgb(253, 231, 37)" in fills
    assert browser.complaints() == []


def test_flagged_fields_are_drawn_when_they_come_near(
    browser: Browser, folder: Path
) -> None:
    tables = example_tables(2, 96)
    fields = tables.hits.select("plate", "well", "row", "column").with_columns(
        field=pl.lit(0),
        flags=pl.when(pl.col("well") == "B03").then(pl.lit("DEBRIS")).otherwise(pl.lit("")),
        why=pl.lit("bright specks"),
        used=pl.lit(True),
    )  # fmt: skip
    parts = (tables.hits, tables.plates, tables.compounds, tables.call, tables.manifest)
    run = RunTables.complete(*parts, fields)
    opened(browser, written(folder, "fields", run, 96))
    drawn, tip = browser.js("""
      document.documentElement.style.scrollBehavior = "auto";
      document.getElementById("images").scrollIntoView();
      return new Promise((d) => setTimeout(d, 200)).then(() => {
        const maps = [...document.querySelectorAll("#images .fieldmap")];
        const bar = maps[0].querySelector("rect[fill='#009e73']").parentNode;
        bar.dispatchEvent(new PointerEvent("pointerenter"));
        return [maps.map((m) => m.querySelectorAll("rect[fill]").length), document.getElementById("tip").innerText];
      });
    """)
    assert drawn == [1, 1]
    assert tip.split("\n") == ["B03 · P01", "B03, field 0: bright specks"]
    quality = browser.js(
        "return [...document.querySelectorAll('#plate-view figcaption')].map((n) => n.firstChild.textContent)"
    )
    assert "Image quality" in quality
