"""The sections of the page in the order of reading."""

from __future__ import annotations

from collections.abc import Callable

from screen.report.section import Facts, Section
from screen.report.sections import (
    audits,
    chemistry,
    compounds,
    hits,
    images,
    method,
    overview,
    plates,
    training,
    wells,
)

SECTIONS: tuple[Callable[[Facts], Section], ...] = (
    overview.section,
    plates.section,
    hits.section,
    compounds.section,
    chemistry.section,
    audits.section,
    images.section,
    wells.section,
    training.section,
    method.section,
)
