"""The quality of each plate with its intervals in words, and the axis of its control wells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from screen.plate_doubts import Doubt
from screen.report import wording
from screen.report.finds import reason_words
from screen.report.place_words import placing
from screen.report.tables import SCORED

_EFFECTS = {
    "edge": "Rim less inside",
    "row": "Between rows",
    "column": "Between columns",
    "gradient": "Slope over the plate",
}
PLACE_KINDS = ("edge effect", "row effect", "column effect", "gradient")
VERDICTS = {
    "pass": "Pass",
    "undecided": "Undecided",
    "fail": "Fail",
}


@dataclass(frozen=True)
class PlateQuality:
    """One row of the quality table, as text."""

    plate: str
    verdict: str
    verdict_word: str
    reason: str
    z_prime: str
    z_prime_interval: str
    robust_z_prime: str
    ssmd: str
    ssmd_interval: str
    n_controls: str
    medians: str
    cells: str
    wells: str
    scale: str
    normalizer: str
    doubts: tuple[str, ...]
    effects: tuple[tuple[str, str, str, bool], ...]
    replicates: str


def quality(
    row: dict[str, Any],
    doubts: Sequence[Doubt] = (),
) -> PlateQuality:
    """The quality of one plate from its row of the plate table and its doubts."""
    verdict = row["verdict"] if row["verdict"] in VERDICTS else "undecided"
    lost = [
        f"{n} {word}"
        for n, word in (
            (row["n_quarantined"], "quarantined"),
            (row["n_no_cells"], "without cells"),
        )
        if n
    ]
    return PlateQuality(
        wording.unit_name(row),
        verdict,
        VERDICTS[verdict],
        reason_words(row["reason"]) if row["reason"] else "",
        wording.number(row["z_prime"]),
        wording.interval(row["z_prime_low"], row["z_prime_high"]),
        wording.number(row["robust_z_prime"]),
        wording.number(row["ssmd"], 1),
        wording.interval(row["ssmd_low"], row["ssmd_high"], 1),
        f"{row['n_healthy'] or 0} / {row['n_senescent'] or 0}",
        f"{wording.number(row['healthy_median'])} / "
        f"{wording.number(row['senescent_median'])}",
        wording.number(row["vehicle_count_median"], 0),
        ", ".join([f"{row['n_scored'] or 0} of {row['n_wells'] or 0} scored", *lost]),
        wording.shown(row["scale"]),
        _normalizer(row),
        tuple(
            wording.sentence(d.words)
            for d in doubts
            if d.words != row["reason"] and d.kind not in PLACE_KINDS
        ),
        _effects(row, {d.kind for d in doubts}),
        _replicates(row),
    )


def _normalizer(row: dict[str, Any]) -> str:
    """By what rows, columns or a surface were taken away, and whether doses run along
    them; empty where neither is so."""
    names, alias = placing(row), row.get("dose_alias") or ""
    told = []
    if names:
        reason = row.get("normalizer_reason") or "as asked"
        told.append(f"Normalizer {' and '.join(names)}: {reason}")
    if alias:
        told.append(
            f"The dose follows the {alias}, so the residual lost part of its effect"
        )
    return wording.sentence(". ".join(told))


def _effects(
    row: dict[str, Any], kinds: set[str]
) -> tuple[tuple[str, str, str, bool], ...]:
    """Name, size, p and whether it is sure, of every effect of place that was tested."""
    return tuple(
        (
            meaning,
            wording.number(row[f"{name}_share"]),
            wording.probability(row[f"{name}_p"]),
            (name if name == "gradient" else f"{name} effect") in kinds,
        )
        for name, meaning in _EFFECTS.items()
        if row[f"{name}_p"] is not None
    )


def _replicates(row: dict[str, Any]) -> str:
    """How well the plate agrees with its replicates; empty without any."""
    found = row.get("replicate_concordance")
    if found is None:
        return ""
    n = wording.count(row["n_replicate_plates"], "replicate plate")
    return f"{wording.number(found)} with {n}"


@dataclass(frozen=True)
class Readout:
    """The quantity on the axis of every strip, with the ends all plates share."""

    column: str
    name: str
    ends: tuple[float, float]


def readout(hits: pl.DataFrame) -> Readout:
    """Rescue, on which Z′ is judged; the raw score where no well has a rescue."""
    scored = hits.filter(pl.col("status").is_in(SCORED))
    column = "rescue" if scored["rescue"].is_not_null().any() else "score"
    values = scored[column].drop_nulls()
    low, high = values.quantile(0.002, "linear"), values.quantile(0.998, "linear")
    if low is None or high is None or high <= low:
        return Readout(column, column, (0.0, 1.0))
    spread = (
        scored.filter(pl.col("role") == "vehicle")
        .group_by("state")
        .agg(
            (pl.col(column).mean() - 3 * pl.col(column).std()).alias("low"),
            (pl.col(column).mean() + 3 * pl.col(column).std()).alias("high"),
        )
    )
    low = min([low, *spread["low"].drop_nulls()])
    high = max([high, *spread["high"].drop_nulls()])
    margin = 0.04 * (high - low)
    name = (
        "rescue of the well" if column == "rescue" else "senescence score of the well"
    )
    return Readout(column, name, (low - margin, high + margin))
