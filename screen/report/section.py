"""What a section of the page is made from, and what it gives to the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from plates.wells import PlateFormat
from screen.report.gallery import Galleries
from screen.report.tables import RunTables


@dataclass(frozen=True)
class Extras:
    """What a page can have beside the tables: structures, cell pictures, doubts of plates."""

    draw: Callable[[str], str] | None = None
    galleries: Galleries | None = None
    top: int = 40
    remarks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """All that sections are made from."""

    tables: RunTables
    plate_format: PlateFormat
    extras: Extras


@dataclass(frozen=True)
class Section:
    """One part of the page.

    ``key`` names its anchor and its files (KEY.html.j2, and KEY.css and KEY.js where it
    has them); ``word`` stands in the bar, ``title`` above it; ``context`` is what its
    template reads; each of ``islands`` becomes packed JSON that the page opens on demand.
    """

    key: str
    word: str
    title: str
    context: dict[str, Any]
    islands: dict[str, Any] = field(default_factory=dict)
