"""What any page must be for all its readers, judged in the browser on what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.browser import NARROW, WIDE, Browser

_SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8")
WARNINGS = frozenset({"overlap", "small"})
_OPEN = "document.querySelectorAll('details').forEach((d) => { d.open = true; });"
# Drawings made when they come near the window are asked for by printing.
_DRAW = "dispatchEvent(new Event('beforeprint'));"
_SETTLE = "return new Promise((done) => setTimeout(done, 400));"


@dataclass(frozen=True)
class Fault:
    """A rule that the page breaks, where, and by what.

    Rules: ``lang``, ``title``, ``id``, ``alt``, ``name``, ``headings``, ``contrast``,
    ``sideways`` (the page scrolls to the side), ``clipped``; those of WARNINGS are
    ``overlap`` (words over words in a drawing) and ``small`` (letters under 8.5 px).
    """

    rule: str
    where: str
    what: str
    width: int

    @property
    def is_warning(self) -> bool:
        """Whether to be looked at by a person rather than be forbidden."""
        return self.rule in WARNINGS

    def __str__(self) -> str:
        return f"{self.width} px, {self.rule}: {self.where}: {self.what}"


def faults_now(browser: Browser) -> list[Fault]:
    """The faults of the page as it stands, each kind once for a kind of place."""
    width = int(browser.js("return innerWidth"))
    found = browser.js(_SCRIPT)
    return [Fault(rule, where, what, width) for rule, where, what in found]


def faults(
    browser: Browser,
    page: Path | str,
    sizes: Sequence[tuple[int, int]] = (WIDE, NARROW),
) -> list[Fault]:
    """The faults of a page at each size, with every folded part open and drawn.

    Leaves the browser on that page at the usual width.
    """
    found = []
    for size in sizes:
        browser.resize(size)
        browser.open(page)
        browser.js(_OPEN + _DRAW + _SETTLE)
        found += faults_now(browser)
    browser.resize(WIDE)
    return found


def listed(found: Sequence[Fault], *, warnings: bool = False) -> str:
    """Faults as lines of text, without the warnings unless asked for."""
    return "\n".join(str(f) for f in found if warnings or not f.is_warning)
