"""A normaliser applied to plates: where its assumptions fail it is replaced or refused, and the reason told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screen.statistics.normalizers.assumptions import HIT_SHARE_MAX, no_surface_effect
from screen.statistics.normalizers.automatic import automatic
from screen.statistics.normalizers.common_places import freed
from screen.statistics.normalizers.facts import PlateFacts, plate_facts, screen_facts
from screen.statistics.normalizers.grid import PlateGrid
from screen.statistics.normalizers.methods import METHODS
from screen.statistics.robust import Floats

AUTO = "auto"
NAMES = (AUTO, *METHODS)


@dataclass(frozen=True)
class Normalized:
    """One plate's scores [row column] with the method that made them; all NaN, and no method, where every one is refused."""

    values: Floats
    asked: str
    method: str  # "" when refused
    reason: str
    facts: PlateFacts


def normalize(name: str, plates: Sequence[PlateGrid]) -> list[Normalized]:
    """Normalise the plates of one line and time by a method of the registry, or `auto`.

    Every plate is judged by itself: a method that its wells do not allow gives way to
    the next in its row, and the codes of what failed stand in the reason. Raises
    ValueError for a name that is not in the registry.
    """
    if name not in NAMES:
        raise ValueError(f"no normaliser {name}; there are {', '.join(NAMES)}")
    screen = screen_facts(plates)
    made: dict[str, list[Floats]] = {}
    if name == AUTO and screen.places.found:
        # What all plates share is known best, and goes first: a plate's own comes on top.
        plates = [freed(plate, screen.places) for plate in plates]
        made["places"] = [plate.values for plate in plates]
    facts = [plate_facts(plate, screen) for plate in plates]

    def scores(method: str, i: int) -> Floats:
        if method not in made:
            made[method] = METHODS[method].apply(plates)
        return made[method][i]

    found = []
    for i, (plate, known) in enumerate(zip(plates, facts, strict=True)):
        asked, why = automatic(plate, known) if name == AUTO else (name, "")
        reasons = [why] if why else []
        for method in (asked, *METHODS[asked].instead):
            codes = METHODS[method].refusals(known)
            if method == "surface" and method != asked:
                codes += no_surface_effect(known)
            if not codes:
                values = scores(method, i)
                if _numbers(plate, values):
                    break
                codes = ("SPREAD_NONE",)
            reasons.append(f"{method} refused: {told(codes, known)}")
        else:
            method, values = "", np.full(plate.values.shape, np.nan)
        reasons += _notes(plate, known)
        found.append(Normalized(values, name, method, "; ".join(reasons), known))
    return found


def _numbers(plate: PlateGrid, values: Floats) -> bool:
    """Whether every well with a value that the method may learn from has got a finite score."""
    learnt = plate.treated | plate.vehicle
    return bool(np.isfinite(values[learnt]).any() and not np.isinf(values).any())


def _notes(plate: PlateGrid, facts: PlateFacts) -> list[str]:
    if facts.spread.kind == "mean deviation":
        return ["MAD_COLLAPSED: over half the reference ties; mean deviation instead"]
    if not np.isfinite(plate.values).any():
        return ["VALUES_NONE: no well of the plate has a value"]
    return []


def told(codes: Sequence[str], facts: PlateFacts) -> str:
    """The codes with the numbers behind them."""
    return ", ".join(f"{code}{_detail(code, facts)}" for code in codes)


def _detail(code: str, facts: PlateFacts) -> str:
    hits, alias, screen = facts.hits, facts.alias, facts.screen
    if code == "HIT_SHARE_HIGH":
        if np.isnan(hits.high):
            return " (share of active samples unknown)"
        return (
            f" ({hits.value:.0%} of the samples active, at most {hits.high:.0%};"
            f" {HIT_SHARE_MAX:.0%} allowed)"
        )
    texts = {
        "DOSE_ALIASED": f"dose follows the {alias.name}",
        "CONTROLS_NOT_SCATTERED": f"{facts.n_vehicle} vehicle wells, layout {facts.layout}",
        "LAYOUT_FIXED": f"{screen.fixed_share:.0%} of the places keep their treatment",
        "PLATES_FEW": f"{screen.n_plates} plates",
        "MAPS_FEW": f"{screen.places.n_maps} different maps",
        "COUNT_UNRELATED": f"t {screen.count_slope.t:.1f}",
        "SCALE_COLLAPSED": f"window of {facts.window:.1f} errors",
        "CONTROL_NEAR_ZERO": f"{facts.centre:.1f} errors from 0",
        "SAMPLES_FEW": f"{facts.n_treated} samples",
    }
    return f" ({texts[code]})" if code in texts else ""
