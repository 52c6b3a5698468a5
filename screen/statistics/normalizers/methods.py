"""The registry of normalisers: what each does, what it needs, and what stands in for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from screen.statistics.normalizers import assumptions as need
from screen.statistics.normalizers import scales
from screen.statistics.normalizers.common_places import common_places, freed
from screen.statistics.normalizers.control_plate import control_plate_regression
from screen.statistics.normalizers.count_regression import count_regression
from screen.statistics.normalizers.facts import PlateFacts
from screen.statistics.normalizers.grid import PlateGrid
from screen.statistics.normalizers.polish import b_score
from screen.statistics.normalizers.surface import loess_score, surface_score
from screen.statistics.normalizers.well_correction import well_correction
from screen.statistics.robust import Floats

Apply = Callable[[Sequence[PlateGrid]], list[Floats]]


@dataclass(frozen=True)
class Method:
    """A normaliser: all plates of a line and time in, their scores out; the codes that
    refuse it on a plate, and the methods tried in its place, in order."""

    apply: Apply
    refusals: Callable[[PlateFacts], need.Codes]
    instead: tuple[str, ...]
    is_unit: bool = False  # a change of unit alone, plate by plate


def _each(score: Callable[[PlateGrid], Floats]) -> Apply:
    return lambda plates: [score(plate) for plate in plates]


def _places(plates: Sequence[PlateGrid]) -> list[Floats]:
    """The values of all plates less what their places read on every one."""
    found = common_places(plates)
    return [freed(plate, found).values for plate in plates]


_Z = ("null_z", "robust_z")

METHODS: dict[str, Method] = {
    "percent_of_control": Method(
        _each(scales.percent_of_control), need.no_centre, ("robust_z",), True
    ),
    "npi": Method(_each(scales.npi), need.no_window, ("robust_z",), True),
    "rescue": Method(_each(scales.rescue), need.no_window, ("robust_z",), True),
    "z": Method(_each(scales.z_score), need.no_spread, (), True),
    "robust_z": Method(_each(scales.robust_z_score), need.no_spread, (), True),
    "null_z": Method(_each(scales.null_z_score), need.no_spread, (), True),
    "b_score": Method(_each(b_score), need.no_polish, ("surface", *_Z)),
    "surface": Method(_each(surface_score), need.no_surface, _Z),
    "loess": Method(_each(loess_score), need.no_surface, _Z),
    "well_correction": Method(well_correction, need.no_places, ("surface", *_Z)),
    "places": Method(_places, need.no_common_places, _Z),
    "control_plate": Method(
        control_plate_regression, need.no_control_plate, ("surface", *_Z)
    ),
    "count_regression": Method(count_regression, need.no_count_slope, _Z),
}
