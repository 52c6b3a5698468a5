"""What stands against plates whose verdict may yet be good: mixed-up maps, lost controls, drift, effects of place."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from screen.codes import CODES
from screen.statistics.plate_effects import EFFECTS
from screen.statistics.rates import q_values

MOST_NAMED = 3
ALPHA = 0.05  # q over all plates and effects below which an effect of place is told
MIN_SHARE = 0.1  # of the window, where there is one


@dataclass(frozen=True)
class Doubt:
    """One thing that stands against one plate (of one line and time), with its figures."""

    plate: str
    line: str | None
    time_h: float | None
    kind: str
    words: str


def plate_doubts(
    plates: pl.DataFrame, min_share: float = MIN_SHARE
) -> tuple[Doubt, ...]:
    """Every doubt of every plate: the code that failed it, its flags, drift over plate
    order, and effects of place that are sure (Benjamini-Hochberg over all plates and
    effects) and, where plates have a window, at least `min_share` of it."""
    sure = _sure(plates)
    found = list[Doubt]()
    for i, row in enumerate(plates.to_dicts()):
        own = [*_coded(row), *_drifting(row), *_placed(row, sure[i], min_share)]
        at = (row["plate"], row["line"], row["time_h"])
        found += [Doubt(*at, kind, words) for kind, words in own]
    return tuple(found)


def _sure(plates: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """True [plate effect] where q is at most ALPHA."""
    p = plates.select(pl.col(f"{e}_p").cast(pl.Float64) for e in EFFECTS).to_numpy()
    known = np.isfinite(p)
    sure = np.zeros(p.shape, np.bool_)
    if known.any():
        sure[known] = q_values(p[known]) <= ALPHA
    return sure


def _coded(row: dict[str, Any]) -> Iterable[tuple[str, str]]:
    code = (row["reason"] or "").split(":")[0]
    if row["verdict"] == "fail" and code in CODES:
        yield code, row["reason"]
    elif row["verdict"] == "fail":
        yield "failed", row["reason"] or ""
    for flag in filter(None, (row["flags"] or "").split(";")):
        yield flag, flag


def _drifting(row: dict[str, Any]) -> Iterable[tuple[str, str]]:
    if row["drift"]:
        yield "drift", f"drift: {row['drift']}"


def _placed(
    row: dict[str, Any], sure: Iterable[bool], min_share: float
) -> Iterable[tuple[str, str]]:
    for name, is_sure in zip(EFFECTS, sure, strict=True):
        share = row[f"{name}_share"]
        if is_sure and (share is None or abs(share) >= min_share):
            size = "" if share is None else f" {share:.2f} of the window,"
            kind = name if name == "gradient" else f"{name} effect"
            yield kind, f"{kind}:{size} p {row[f'{name}_p']:.2g}"


def doubt_words(doubts: Iterable[Doubt]) -> list[str]:
    """One line for the person: each kind of doubt with the plates it is about."""
    plates = defaultdict[str, dict[str, None]](dict)
    for doubt in doubts:
        plates[doubt.kind][doubt.plate] = None
    told = [f"{kind} ({_named(list(names))})" for kind, names in plates.items()]
    return [f"plates in doubt: {', '.join(told)}"] if told else []


def _named(plates: list[str]) -> str:
    more = len(plates) - MOST_NAMED
    rest = f" and {more} more" if more > 0 else ""
    return ", ".join(plates[:MOST_NAMED]) + rest
