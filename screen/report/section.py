"""What a section of the page is made from, and what it gives to the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from plates.wells import PlateFormat
from screen.report.cell_histograms import CellHistograms
from screen.report.chemistry import Chemistry
from screen.report.gallery import Gallery
from screen.report.tables import RunTables


@dataclass(frozen=True)
class Extras:
    """What a page can have beside the tables: structures, cell pictures, doubts of plates.

    ``draw`` gives the ink of a SMILES as plain data, None where there is none;
    ``galleries`` are those of compounds by their key (compound_rows.keys_of);
    ``fingerprints`` those of SMILES (Morgan, 256 bytes); ``profiles`` has plate, well and
    the list ``profile``, the mean features of a well's cells; ``histograms`` see
    screen.report.cell_histograms; ``explained`` are single cells of the verb explain;
    ``top`` hits are cards; ``chemistry`` is what the structures say of the screen, and
    ``svg`` draws a SMILES for it, '' where there is no drawing.
    """

    draw: Callable[[str], Any] | None = None
    galleries: Mapping[str, Gallery] | None = None
    top: int = 12
    remarks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    fingerprints: Mapping[str, bytes] = field(default_factory=dict)
    profiles: pl.DataFrame | None = None
    histograms: CellHistograms | None = None
    explained: pl.DataFrame | None = None
    chemistry: Chemistry | None = None
    svg: Callable[[str], str] | None = None


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
