"""Which wells are explained, and which control wells they are compared with."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from plates.campaign import Campaign
from plates.maps import PlateMap
from plates.problems import InputError, Problem
from plates.tables import nearest
from screen.errors import refusal
from screen.explain_settings import ExplainVerb
from screen.explanation.views import Place
from screen.folds import select
from screen.groups import AnchorSettings
from screen.ledger import read_parquet
from screen.paths import existing_run_dir

CONTROLS = "stressed controls"
MATCHED_ON = ("plate", "line", "time_h")


@dataclass(frozen=True)
class Subject:
    """What is explained: wells under one name, and the control wells matched to them,
    with ``matched`` saying how."""

    name: str
    wells: tuple[Place, ...]
    controls: tuple[Place, ...]
    control_name: str
    matched: str

    @property
    def places(self) -> tuple[Place, ...]:
        """All wells of both sides."""
        return (*self.wells, *self.controls)


def subjects_of(
    settings: ExplainVerb,
    campaign: Campaign,
    anchors: dict[str, Any],
    imaged: Collection[Place],
) -> tuple[tuple[Subject, ...], tuple[str, ...]]:
    """Both controls against each other, then each compound against stressed vehicle
    wells; and remarks. Raises InputError for unknown compounds and missing wells."""
    ends = {k: AnchorSettings(**anchors[k]) for k in ("senescent", "healthy")}
    stressed = _imaged(select(campaign.map, ends["senescent"]), imaged)
    healthy = _imaged(select(campaign.map, ends["healthy"]), imaged)
    if stressed.is_empty():
        raise InputError(_no_controls(campaign))
    asked, remarks = _asked(settings, campaign.map)
    chosen = []
    if not healthy.is_empty():
        chosen.append(_subject(settings, CONTROLS, stressed, healthy, "healthy"))
    problems: list[Problem] = []
    for name, dose in asked:
        wells = _imaged(_wells_of(campaign.map, name, dose), imaged)
        if wells.is_empty():
            problems.append(_missing(name, dose))
            continue
        title = name if dose is None else f"{name}, {dose:g} µM"
        chosen.append(_subject(settings, title, wells, stressed, "stressed vehicle"))
    if problems:
        raise InputError(problems)
    if not chosen:
        raise InputError(_no_controls(campaign))
    return tuple(chosen), remarks


def _subject(
    settings: ExplainVerb,
    name: str,
    wells: pl.DataFrame,
    controls: pl.DataFrame,
    kind: str,
) -> Subject:
    taken = _drawn(wells, settings, name)
    keys = taken.select(MATCHED_ON).unique()
    same = controls.join(keys, on=MATCHED_ON, how="semi", nulls_equal=True)
    parts = [
        _drawn(part, settings, kind)
        for _, part in same.group_by("plate", maintain_order=True)
    ]
    drawn = pl.concat(parts) if parts else same
    words = (
        f"{kind} wells of the same plate, line and time"
        f" (up to {settings.wells} a plate, drawn by seed)"
    )
    return Subject(name, _places(taken), _places(drawn), f"{kind} wells", words)


def _drawn(wells: pl.DataFrame, settings: ExplainVerb, name: str) -> pl.DataFrame:
    """Up to so many wells, drawn by seed and name, in the order of the map."""
    if wells.height <= settings.wells:
        return wells
    where = "/".join(sorted(set(wells["plate"])))
    own = zlib.crc32(f"{name}/{where}".encode())
    rng = np.random.default_rng([settings.seed, own])
    kept = np.sort(rng.choice(wells.height, settings.wells, replace=False))
    chosen: pl.DataFrame = wells[kept.tolist()]
    return chosen


def _places(wells: pl.DataFrame) -> tuple[Place, ...]:
    return tuple((p, w) for p, w in wells.select("plate", "well").iter_rows())


def _imaged(wells: pl.DataFrame, imaged: Collection[Place]) -> pl.DataFrame:
    kept = [place in imaged for place in _places(wells)]
    return wells.filter(pl.Series(kept, dtype=pl.Boolean))


def _asked(
    settings: ExplainVerb, map_: PlateMap
) -> tuple[list[tuple[str, float | None]], tuple[str, ...]]:
    """Compounds with their dose (None: every dose), and remarks."""
    best = _best_doses(settings)
    remarks: tuple[str, ...] = ()
    names = list(settings.compounds)
    if not names and settings.run:
        names = [name for name, (is_hit, _) in best.items() if is_hit][: settings.top]
        if not names:
            remarks = (f"Run {settings.run} has no hits: controls alone.",)
    _refuse_unknown(names, map_)
    given = settings.dose_um or None
    return [(n, given or best.get(n, (False, None))[1]) for n in names], remarks


def _best_doses(settings: ExplainVerb) -> dict[str, tuple[bool, float | None]]:
    """Of each compound of the run in its ranking: whether it is a hit, its best dose."""
    if not settings.run:
        return {}
    path = existing_run_dir(settings.runs, settings.run) / "compounds.parquet"
    if not path.is_file():
        why, remedy = "hits and best doses are read from it", "call the run first"
        raise refusal("INPUT_MISSING", path, "no table of compounds", why, remedy)
    table = pl.DataFrame(read_parquet(Path(path)))
    rows = table.select("compound", "is_hit", "best_concentration_um").iter_rows()
    found: dict[str, tuple[bool, float | None]] = {}
    for name, is_hit, dose in rows:
        found.setdefault(str(name), (bool(is_hit), dose))
    return found


def _refuse_unknown(names: list[str], map_: PlateMap) -> None:
    known = sorted(set(map_.frame["compound"]) - {""})
    problems = [
        Problem(
            "EXPLAIN_COMPOUND_UNKNOWN",
            map_.source,
            f"no compound {name!r}",
            "its wells are named by the plate map",
            f"did you mean {near}?" if (near := nearest(name, known)) else _some(known),
        )
        for name in names
        if name not in known
    ]
    if problems:
        raise InputError(problems)


def _some(known: list[str]) -> str:
    return f"name one of {len(known)}: {', '.join(known[:8])}"


def _wells_of(map_: PlateMap, name: str, dose: float | None) -> pl.DataFrame:
    wells = map_.frame.filter(
        pl.col("compound") == name,
        pl.col("role") != "no_cells",
        pl.col("excluded").is_null(),
    )
    if dose is None:
        return wells
    return wells.filter((pl.col("concentration_um") / dose - 1).abs() < 1e-6)


def _missing(name: str, dose: float | None) -> Problem:
    what = name if dose is None else f"{name} at {dose:g} uM"
    return Problem(
        "EXPLAIN_WELLS_MISSING",
        what,
        "no well of it is imaged",
        "maps are of cells",
        "name another compound or dose_um, or image its wells",
    )


def _no_controls(campaign: Campaign) -> Problem:
    return Problem(
        "PLATE_NO_CONTROLS",
        campaign.name,
        "no imaged stressed control well",
        "a compound is compared with the stressed vehicle of its plate",
        "mark such wells in the map, or name another model whose anchors fit",
    )
