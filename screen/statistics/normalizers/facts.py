"""What is known of a plate before any method touches it: hit share, dose alias, control layout, spread, window."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screen.statistics.normalizers.common_places import CommonPlaces, common_places
from screen.statistics.normalizers.control_plate import is_control_plate
from screen.statistics.normalizers.count_regression import CountSlope, count_slope
from screen.statistics.normalizers.dose_alias import DoseAlias, dose_alias
from screen.statistics.normalizers.grid import PlateGrid, reference_wells
from screen.statistics.normalizers.hit_share import HitShare, hit_share
from screen.statistics.normalizers.layout import control_layout, fixed_share
from screen.statistics.normalizers.spread import Spread, robust_spread
from screen.statistics.normalizers.surface import SurfaceGain, surface_gain
from screen.statistics.normalizers.within_lines import without_lines
from screen.statistics.robust import Floats

MIN_POLISHED = 96
MEDIAN_ERROR = np.sqrt(np.pi / 2)  # of a median, in standard errors of a mean


@dataclass(frozen=True)
class ScreenFacts:
    """What all plates of a line and time say together."""

    n_plates: int
    n_control_plates: int
    fixed_share: float
    count_slope: CountSlope
    places: CommonPlaces


@dataclass(frozen=True)
class PlateFacts:
    """What one plate says, beside its screen."""

    hits: HitShare
    alias: DoseAlias
    layout: str
    spread: Spread  # of the wells z scores stand against
    n_treated: int
    n_vehicle: int
    n_positive: int
    centre: float  # vehicle median, in errors of itself from 0
    window: float  # vehicle less positive median, in errors of itself
    surface: SurfaceGain
    screen: ScreenFacts


def screen_facts(plates: Sequence[PlateGrid]) -> ScreenFacts:
    """The facts that need all plates of a line and time."""
    return ScreenFacts(
        n_plates=sum(bool(p.treated.any()) for p in plates),
        n_control_plates=sum(map(is_control_plate, plates)),
        fixed_share=fixed_share(plates),
        count_slope=count_slope(plates),
        places=common_places(plates),
    )


def plate_facts(plate: PlateGrid, screen: ScreenFacts) -> PlateFacts:
    """All that the methods' assumptions are judged by."""
    low, high = plate.values[plate.vehicle], plate.values[plate.positive]
    return PlateFacts(
        hits=plate_hit_share(plate),
        alias=dose_alias(plate),
        layout=control_layout(plate.vehicle),
        spread=robust_spread(plate.values[reference_wells(plate)]),
        n_treated=int(plate.treated.sum()),
        n_vehicle=low.size,
        n_positive=high.size,
        centre=_in_errors([low]),
        window=_in_errors([low, high]),
        surface=surface_gain(plate),
        screen=screen,
    )


def plate_hit_share(plate: PlateGrid) -> HitShare:
    """The share against the vehicle as measured or, where that is larger, within the plate freed of rows and columns.

    Hits that fill a line vanish with it and are seen only in the values as measured;
    where lines differ by much, hits vanish among them and are seen only without.
    """
    raw = hit_share(plate.values[plate.treated], plate.values[plate.vehicle])
    if plate.treated.sum() < MIN_POLISHED:
        return raw
    rest = without_lines(plate.values, plate.treated)[plate.treated]
    within = hit_share(rest, np.zeros(0))
    if not within.value > raw.value:
        return raw
    high = max(raw.high, within.high)
    return HitShare(within.value, high, raw.centre, raw.spread)


def _in_errors(groups: list[Floats]) -> float:
    """The first median, less the second's where there are two, over the error of the difference; 0 without wells."""
    if any(g.size == 0 for g in groups):
        return 0.0
    medians = [float(np.median(g)) for g in groups]
    error = MEDIAN_ERROR * np.sqrt(
        sum(robust_spread(g).value ** 2 / g.size for g in groups)
    )
    apart = abs(medians[0] - (medians[1] if len(medians) == 2 else 0.0))
    if error > 0:
        return float(apart / error)
    return float("inf") if apart > 0 else 0.0
