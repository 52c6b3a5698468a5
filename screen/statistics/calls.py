"""What is known of one compound, and what is decided from it."""

import math
from dataclasses import dataclass

from screen.statistics.decision import Verdict


@dataclass(frozen=True)
class Evidence:
    """One compound's numbers at its best dose, and over all doses where said; None is unknown."""

    on_rescue_scale: bool  # the effect is rescue, not a robust z
    n_used: int  # wells behind the effect at the best dose
    n_planned: int  # wells laid out for that dose
    dead: str  # "" | "dead" (with live neighbours) | "failed", over all doses
    artefact: str  # "" or what makes it one, at any dose
    failed_plates: bool  # every used well lies on a failed plate
    concentration_um: float | None
    effect: float | None
    low: float | None
    high: float | None
    p: float | None
    q: float | None
    q_count: float | None
    relative_count: float | None
    n_sen: float | None
    n_non: float | None
    off_axis_z: float | None  # farthest dose
    background_z: float | None
    verdict: Verdict | None
    off_axis_q: float | None = None  # over all doses, among all compounds
    light: str = ""  # "" or which channel is brighter than in both vehicles


@dataclass(frozen=True)
class Decision:
    """The class of a compound, whether it is a hit, and why."""

    name: str
    is_hit: bool
    reason: str
    # A hit that only the error rate among effects of the wanted kind can stop.
    candidate: bool = False


def is_below(value: float | None, limit: float) -> bool:
    """Whether a value is known and at most a limit."""
    return value is not None and not math.isnan(value) and value <= limit
