"""The checks of pages tell every planted fault and are silent on a sound page."""

from pathlib import Path

import pytest

from tests.browser import Browser
from tests.page_checks import faults, faults_now, listed

SOUND = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>t</title>"
    "<meta name='viewport' content='width=device-width'></head><body><h1>A</h1>"
    "<h2>B</h2><p>words</p>{}</body></html>"
)
PLANTED = {
    "alt": "<img src='data:,'>",
    "name": "<button></button>",
    "headings": "<h4>deep</h4>",
    "id": "<p id='a'>1</p><p id='a'>2</p>",
    "contrast": "<p style='color:#777;background:#eee'>pale</p>",
    "sideways": "<div style='width:3000px'>wide</div>",
    "clipped": "<p style='width:40px;overflow:hidden;white-space:nowrap'>many long words</p>",
    "overlap": "<svg role='img' aria-label='s' width='90' height='40'>"
    "<text y='20'>one</text><text x='4' y='22'>two</text></svg>",
    "small": "<p style='font-size:7px'>tiny</p>",
}
FINE = (
    "<p style='color:#767676'>4.54 to 1</p>"
    "<p style='font-size:24px;color:#949494'>large: 3.03 to 1</p>",
    "<label>n <input></label><button aria-label='close'></button><a href='#x'>to</a>",
    "<div style='overflow-x:auto'><p style='width:3000px'>scrolls by itself</p></div>",
    "<p style='background:#123;color:#fff'>light on dark</p>",
    "<svg role='img' aria-label='s' width='90' height='40'><rect width='90' height='40'"
    " fill='#123'/><text x='4' y='20' fill='#fff'>dark</text></svg>",
    "<p style='display:none;color:#eee'>hidden</p><div role='dialog' hidden></div>",
    "<button>plate P01 <canvas></canvas></button>",
)


def told(browser: Browser, folder: Path, inside: str) -> set[str]:
    page = folder / "page.html"
    page.write_text(SOUND.format(inside), "utf-8")
    browser.resize((800, 600))
    browser.open(page)
    return {f.rule for f in faults_now(browser)}


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_fault_is_told(rule: str, browser: Browser, tmp_path: Path) -> None:
    assert told(browser, tmp_path, PLANTED[rule]) == {rule}


@pytest.mark.parametrize("inside", FINE)
def test_a_sound_page_is_not_blamed(
    inside: str, browser: Browser, tmp_path: Path
) -> None:
    assert told(browser, tmp_path, inside) == set()


def test_folded_parts_are_opened_and_warnings_listed_when_asked_for(
    browser: Browser, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    page.write_text(SOUND.format(f"<details>{PLANTED['small']}</details>"), "utf-8")
    found = faults(browser, page, ((800, 600),))
    assert listed(found) == ""
    assert "800 px, small: details > p: 7.0 px: tiny" in listed(found, warnings=True)
