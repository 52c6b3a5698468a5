"""How well the score parts the two vehicles, group by group of control wells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from screen.audits.separation import Pair, within_auc
from screen.report import wording

MOST_GROUPS = 30
LEVEL = 0.95
_KINDS = {"plate": "Plate", "batch": "Batch", "line": "Cell line", "time_h": "Time"}


@dataclass(frozen=True)
class GroupRow:
    """One group of vehicle wells as text, and the AUC by which it is ordered."""

    kind: str
    name: str
    n_wells: str
    auc: str
    interval: str
    count_auc: str


def group_rows(wells: pl.DataFrame) -> tuple[list[GroupRow], int]:
    """Rows by plate, and by batch, line and time where there are several; and how many
    plates there are.

    ``wells`` are kept control wells with rescue, relative_count and state_group. AUC is
    the chance that a healthy well lies above a stressed one of its plate. Of many plates
    those with the lowest are given.
    """
    rows: list[GroupRow] = []
    plates = 0
    for column, kind in _KINDS.items():
        parts = {
            key[0]: part
            for key, part in wells.group_by(column, maintain_order=True)
            if key[0] is not None and _pairs(part, "rescue")
        }
        if column == "plate":
            plates = len(parts)
        elif len(parts) < 2:
            continue
        order = sorted(parts, key=lambda k: (_auc(_pairs(parts[k], "rescue")), str(k)))
        rows += [_row(kind, k, parts[k]) for k in order[:MOST_GROUPS]]
    return rows, plates


def _row(kind: str, key: object, wells: pl.DataFrame) -> GroupRow:
    found = within_auc(_pairs(wells, "rescue"), LEVEL)
    counts = _auc(_pairs(wells, "relative_count"))
    healthy = wells.filter(pl.col("state_group") == "healthy").height
    return GroupRow(
        kind,
        wording.shown(f"{key:g} h" if isinstance(key, float) else key),
        f"{healthy} / {wells.height - healthy}",
        wording.number(found.value),
        wording.interval(found.low, found.high),
        # A count is read in the direction that suits it best.
        wording.number(max(counts, 1 - counts)),
    )


def _pairs(wells: pl.DataFrame, column: str) -> list[Pair]:
    """The plates of some wells that hold both kinds."""
    found = []
    for _, part in wells.group_by("plate", maintain_order=True):
        healthy, senescent = (
            part.filter(pl.col("state_group") == kind)[column].to_numpy()
            for kind in ("healthy", "senescent")
        )
        if healthy.size and senescent.size:
            found.append(Pair(healthy, senescent))
    return found


def _auc(pairs: Sequence[Pair]) -> float:
    wins = sum(float(p.wins.sum()) for p in pairs)
    return wins / sum(p.wins.size for p in pairs)


def confusion(wells: pl.DataFrame, threshold: float) -> list[tuple[str, int, int]]:
    """Vehicle wells of each state: how many lie up to the threshold, how many above."""
    found = []
    for name, kind in (
        ("Healthy vehicle", "healthy"),
        ("Stressed vehicle", "senescent"),
    ):
        own = wells.filter(pl.col("state_group") == kind)
        above = int(np.sum(own["score"].to_numpy() > threshold))
        found.append((name, own.height - above, above))
    return found
