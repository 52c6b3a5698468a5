"""The viewer in a real browser: its pixels are the store's, and it asks nobody else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from plates.campaign import Campaign
from plates.store import read_field
from plates.wells import Well
from screen.viewer import pixels
from screen.viewer.server import Viewer
from tests.browser import NARROW, WIDE, Browser
from tests.tiny_screen import make_screen
from tests.viewer_run import GONE, make_place, viewer_of

pytestmark = pytest.mark.slow

SHOWN = "return document.body.dataset.shown || ''"
# Pixels of the pane, and where its corner lies in the field.
CANVAS = """
const canvas = document.querySelector(".pixels");
const [left, top, scale] = canvas.dataset.corner.split(" ").map(Number);
const x = Math.round(-left * scale), y = Math.round(-top * scale);
const image = canvas.getContext("2d").getImageData(x, y, arguments[0], arguments[0]);
return { scale, data: [...image.data] };
"""


@pytest.fixture(scope="module")
def place(memory_root: Path) -> Path:
    return make_place(memory_root / "place")


@pytest.fixture(scope="module")
def viewer(place: Path) -> Iterator[Viewer]:
    with viewer_of(place) as serving:
        yield serving


@pytest.fixture
def page(browser: Browser, viewer: Viewer) -> Iterator[Browser]:
    """The browser at well B03; it must not have complained, nor asked another server."""
    browser.resize(WIDE)
    browser.open(viewer.address("/well?plate=P01&well=B03", viewer.door.token))
    wait(browser, SHOWN, "P01/B03/0")
    yield browser
    own = f"http://{viewer.door.hosts[0]}/"
    assert [u for u in browser.requests() if not u.startswith(own)] == []
    assert complaints(browser) == []


def complaints(browser: Browser) -> list[str]:
    """What the page complained of; that canvases are read is the tests' own doing."""
    return [c for c in browser.complaints() if "willReadFrequently" not in c]


def wait(browser: Browser, script: str, value: Any) -> None:
    """Until a script of the page returns the value."""
    found = None
    for _ in range(300):
        found = browser.js(script)
        if found == value:
            return
        time.sleep(0.05)
    raise AssertionError(f"{script} returned {found!r}, not {value!r}")


def press(browser: Browser, key: str) -> None:
    """A key, as the page hears it; drawn when this returns."""
    browser.js(
        "document.body.dispatchEvent(new KeyboardEvent('keydown',"
        " {key: arguments[0], bubbles: true}));"
        "return new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))",
        key,
    )


def slide(browser: Browser, name: str, value: float) -> None:
    """Move a slider; drawn when this returns."""
    browser.js(
        "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
        "s.dispatchEvent(new Event('input'));"
        "return new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))",
        name,
        value,
    )


def drawn(browser: Browser, side: int = 64) -> NDArray[np.uint8]:
    """The field's pixels [y x rgb] on the canvas, at 1:1."""
    found = browser.js(CANVAS, side)
    assert found["scale"] == 1
    return np.array(found["data"], np.uint8).reshape(side, side, 4)[..., :3]


def light(plane: NDArray[Any], low: float, high: float) -> NDArray[np.float64]:
    """The share of full light of each pixel."""
    return np.clip((plane.astype(float) - low) / (high - low), 0, 1)


def test_s13_pixels_on_the_canvas_are_those_of_the_store(
    page: Browser, place: Path
) -> None:
    plate = Campaign.open(place / "campaign").open_plate("P01")
    nucleus, body = read_field(plate, Well.parse("B03"), 0)
    press(page, "r")
    press(page, "2")
    slide(page, "high-0", 3000)
    slide(page, "low-0", 500)
    blue = np.array([0x40, 0xB8, 0xFF])
    one = light(nucleus, 500, 3000)[..., None] * blue
    assert np.abs(drawn(page) - one).max() <= 1

    slide(page, "high-0", 2000)
    other = light(nucleus, 500, 2000)[..., None] * blue
    assert np.abs(drawn(page) - other).max() <= 1

    press(page, "2")
    slide(page, "high-1", 2500)
    slide(page, "low-1", 100)
    grey = np.array([0xC7, 0xC7, 0xC7])
    both = 1 - (1 - other / 255) * (1 - light(body, 100, 2500)[..., None] * grey / 255)
    assert np.abs(drawn(page) - 255 * both).max() <= 1


def test_cells_lie_where_the_run_found_them(page: Browser, place: Path) -> None:
    table = pl.read_parquet(place / "runs/tiny/cells/P01.parquet")
    cells = table.filter((pl.col("well") == "B03") & (pl.col("field") == 0))
    inked = """
    const marks = document.querySelector(".marks");
    const [left, top, scale] = document.querySelector(".pixels").dataset.corner.split(" ").map(Number);
    const at = (x, y) => marks.getContext("2d").getImageData(
      Math.round((x + 0.5 - left) * scale), Math.round((y + 0.5 - top) * scale), 1, 1).data[3];
    const ring = Math.max(3.5 / scale, 7);
    return arguments[0].map(([y, x]) => at(x + ring, y));
    """
    places = cells.filter(pl.col("x") < 55).select("y", "x").rows()
    assert len(places) > 3
    assert all(ink > 100 for ink in page.js(inked, [list(p) for p in places]))
    press(page, "c")
    assert set(page.js(inked, [list(p) for p in places])) == {0}


def test_pointing_at_a_cell_tells_its_score(page: Browser, place: Path) -> None:
    table = pl.read_parquet(place / "runs/tiny/cells/P01.parquet")
    cells = table.filter((pl.col("well") == "B03") & (pl.col("field") == 0))
    y, x, score = cells.select("y", "x", "probability").row(0)
    text = page.js(
        """
        const marks = document.querySelector(".marks"), box = marks.getBoundingClientRect();
        const [left, top, scale] = document.querySelector(".pixels").dataset.corner.split(" ").map(Number);
        const [y, x] = arguments;
        marks.dispatchEvent(new PointerEvent("pointermove", { bubbles: true,
          clientX: box.left + (x + 0.5 - left) * scale, clientY: box.top + (y + 0.5 - top) * scale }));
        return document.getElementById("tip").textContent;
        """,
        y,
        x,
    )
    assert f"score {score:.3f}" in text


def test_keys_and_wheel_move_and_zoom(page: Browser) -> None:
    corner = (
        "return document.querySelector('.pixels').dataset.corner.split(' ').map(Number)"
    )
    press(page, "r")
    left, top, scale = page.js(corner)
    assert scale == 1
    press(page, "ArrowRight")
    assert page.js(corner)[0] > left
    assert page.js(corner)[1] == top
    press(page, "+")
    assert page.js(corner)[2] == pytest.approx(1.5)
    page.js(
        "document.querySelector('.marks').dispatchEvent(new WheelEvent('wheel', {deltaY: -400, bubbles: true, cancelable: true, clientX: 300, clientY: 400}));"
        "return new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))"
    )
    assert page.js(corner)[2] > 1.5
    press(page, "]")
    wait(page, SHOWN, "P01/B03/1")
    press(page, "p")
    wait(page, SHOWN, "P01/A03/0")
    page.driver.back()
    wait(page, SHOWN, "P01/B03/1")


def test_two_fingers_zoom(page: Browser) -> None:
    scale = page.js(
        """
        const marks = document.querySelector(".marks");
        const send = (kind, id, x) => marks.dispatchEvent(new PointerEvent(kind,
          { bubbles: true, pointerId: id, pointerType: "touch", clientX: x, clientY: 400 }));
        marks.setPointerCapture = () => {};
        const before = Number(document.querySelector(".pixels").dataset.corner.split(" ")[2]);
        send("pointerdown", 1, 300); send("pointerdown", 2, 400);
        send("pointermove", 2, 500);
        send("pointerup", 1, 300); send("pointerup", 2, 500);
        return new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() =>
          r(Number(document.querySelector(".pixels").dataset.corner.split(" ")[2]) / before))));
        """
    )
    assert scale == pytest.approx(2, rel=1e-3)


def test_the_map_opens_another_well_and_a_vehicle_stands_beside_it(
    page: Browser,
) -> None:
    page.js(
        "document.querySelector('[data-well=A05]').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    wait(page, SHOWN, "P01/A05/0")
    assert page.js("return location.search") == "?plate=P01&well=A05"
    press(page, "v")
    wait(page, "return document.querySelectorAll('.pane').length", 2)
    wait(
        page,
        "return document.querySelectorAll('.pane figcaption')[1].textContent.includes('Vehicle, stressed')",
        True,
    )


def test_a_lost_field_is_told_and_the_others_are_shown(
    browser: Browser, viewer: Viewer
) -> None:
    well, field = GONE
    address = f"/well?plate=P01&well={well}&field={field + 1}"
    browser.open(viewer.address(address, viewer.door.token))
    wait(browser, SHOWN, f"P01/{well}/{field}")
    told = browser.js("return document.querySelector('.notice').innerText")
    assert "CHUNK_MISSING" in told
    assert "What helps" in told
    press(browser, "[")
    wait(browser, SHOWN, f"P01/{well}/0")
    assert browser.js("return document.querySelector('.notice').hidden") is True


def test_a_large_field_is_shown_reduced_and_sharpened_where_it_is_looked_at(
    page: Browser, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plate = Campaign.open(place / "campaign").open_plate("P01")
    nucleus, _ = read_field(plate, Well.parse("B04"), 0)
    real = pixels.factor_of
    # Whole fields of 64 pixels count as too large; parts of them do not.
    monkeypatch.setattr(
        pixels, "factor_of", lambda y, x, n: real(y, x, 2000 if y * x >= 4096 else n)
    )
    press(page, "2")
    slide(page, "high-0", 3000)
    slide(page, "low-0", 500)
    page.js(
        "document.querySelector('[data-well=B04]').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    wait(page, SHOWN, "P01/B04/0")
    caption = page.js("return document.querySelector('.pane figcaption').textContent")
    assert "means of 2 × 2 pixels" in caption
    for _ in range(8):
        press(page, "+")
    expected = light(nucleus, 500, 3000) * 255
    read = """
    const canvas = document.querySelector(".pixels");
    const [left, top, scale] = canvas.dataset.corner.split(" ").map(Number);
    return arguments[0].map(([y, x]) => canvas.getContext("2d").getImageData(
      Math.floor((x + 0.5 - left) * scale), Math.floor((y + 0.5 - top) * scale), 1, 1).data[2]);
    """
    places = [(y, x) for y in range(30, 35) for x in range(30, 35)]
    values = [round(expected[y, x]) for y, x in places]
    found: list[int] = []
    for _ in range(100):
        found = page.js(read, places)
        if np.abs(np.array(found) - values).max() <= 1:
            break
        time.sleep(0.05)
    assert np.abs(np.array(found) - values).max() <= 1


def test_the_report_leads_to_a_well_and_back(browser: Browser, viewer: Viewer) -> None:
    browser.open(viewer.address("/", viewer.door.token))
    link = "document.querySelector('main a[href^=\"/well?\"]')"
    browser.js("location.hash = 'well=P01/A03'")
    wait(browser, f"return ({link} || {{}}).search", "?plate=P01&well=A03")
    browser.js(f"{link}.click()")
    wait(browser, SHOWN, "P01/A03/0")
    browser.js("document.getElementById('home').click()")
    wait(browser, "return document.title.includes('screen report')", True)
    assert complaints(browser) == []


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_nothing_is_wider_than_the_window(page: Browser, size: tuple[int, int]) -> None:
    page.resize(size)
    assert page.js("return document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.js("return document.querySelector('.pixels').width") > 0


def test_s13_names_are_text_and_never_markup(
    browser: Browser, memory_path: Path
) -> None:
    name = "<img src=q onerror=document.body.remove()>&\"'"
    campaign = make_screen(memory_path / "campaign", (name,), 2)
    (memory_path / "runs" / "tiny").mkdir(parents=True)
    (memory_path / "runs" / "tiny" / "events.jsonl").touch()
    with viewer_of(memory_path, f"campaign={campaign.root}") as viewer:
        address = f"/well?{urlencode({'plate': name, 'well': 'A02'})}"
        browser.resize(NARROW)
        browser.open(viewer.address(address, viewer.door.token))
        wait(browser, SHOWN, f"{name}/A02/0")
        title = browser.js("return document.getElementById('title').textContent")
        wide = browser.js("return document.documentElement.scrollWidth - innerWidth")
    assert name in title
    assert wide <= 0
    assert browser.js("return document.images.length") == 0
    assert complaints(browser) == []
