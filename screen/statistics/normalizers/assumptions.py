"""What each method takes for granted, as reason codes where a plate does not grant it."""

from screen.statistics.normalizers.control_plate import MIN_FITTED
from screen.statistics.normalizers.count_regression import T_MIN
from screen.statistics.normalizers.facts import PlateFacts
from screen.statistics.normalizers.grid import MIN_VEHICLE
from screen.statistics.normalizers.well_correction import MIN_PLATES

HIT_SHARE_MAX = 0.15
MIN_SAMPLES = 24  # two-way effects of fewer samples are mostly their own noise
FIXED_MAX = 0.1
SURFACE_P_MAX = 1e-3
LEAST_BY_SURFACE = 0.25
SURE = 2.0  # errors that a divisor lies from 0

Codes = tuple[str, ...]


def _if(fails: bool, code: str) -> Codes:
    return (code,) if fails else ()


def no_vehicle(facts: PlateFacts) -> Codes:
    """Three vehicle wells at least."""
    return _if(facts.n_vehicle < MIN_VEHICLE, "NO_STRESSED_SCALE")


def no_spread(facts: PlateFacts) -> Codes:
    """Reference wells that vary."""
    return _if(facts.spread.value <= 0, "SPREAD_NONE")


def no_centre(facts: PlateFacts) -> Codes:
    """A vehicle median to divide by, clear of 0."""
    none = no_vehicle(facts)
    return none or _if(facts.centre <= SURE, "CONTROL_NEAR_ZERO")


def no_window(facts: PlateFacts) -> Codes:
    """Both ends of the scale, apart by more than their own errors."""
    ends = no_vehicle(facts) + _if(facts.n_positive < MIN_VEHICLE, "NO_HEALTHY_SCALE")
    return ends or _if(facts.window <= SURE, "SCALE_COLLAPSED")


def dose_aliased(facts: PlateFacts) -> Codes:
    """Doses that follow neither rows nor columns."""
    return _if(facts.alias.name != "", "DOSE_ALIASED")


def many_hits(facts: PlateFacts) -> Codes:
    """Samples that are nearly all inactive, by the upper bound; an unknown share is none."""
    return _if(not facts.hits.high <= HIT_SHARE_MAX, "HIT_SHARE_HIGH")


def no_polish(facts: PlateFacts) -> Codes:
    """Enough samples, nearly all inactive, their doses in no line's order."""
    few = _if(facts.n_treated < MIN_SAMPLES, "SAMPLES_FEW")
    return few or many_hits(facts) + dose_aliased(facts) + no_spread(facts)


def no_surface(facts: PlateFacts) -> Codes:
    """Vehicle wells scattered over the plate, twelve or more."""
    none = no_vehicle(facts)
    aligned = _if(facts.layout != "scattered", "CONTROLS_NOT_SCATTERED")
    return none or aligned + no_spread(facts)


def no_surface_effect(facts: PlateFacts) -> Codes:
    """A surface that the vehicle wells show: p <= 0.001 and a quarter of their variance.

    Without one, the six terms of a surface only add their own error to every well.
    """
    gain = facts.surface
    shown = gain.p <= SURFACE_P_MAX and gain.share >= LEAST_BY_SURFACE
    return _if(not shown, "PLACE_EFFECT_NONE")


def no_places(facts: PlateFacts) -> Codes:
    """Six plates whose places hold other treatments each time, doses in no line's order."""
    few = _if(facts.screen.n_plates < MIN_PLATES, "PLATES_FEW")
    fixed = _if(facts.screen.fixed_share > FIXED_MAX, "LAYOUT_FIXED")
    return few + fixed + dose_aliased(facts) + many_hits(facts) + no_spread(facts)


def no_common_places(facts: PlateFacts) -> Codes:
    """Six maps of samples in no line's order, and lines that read alike on all of them."""
    return facts.screen.places.codes


def no_control_plate(facts: PlateFacts) -> Codes:
    """A plate of vehicle wells, and wells on this plate that tell its measure of the bias."""
    none = _if(facts.screen.n_control_plates == 0, "CONTROL_PLATE_NONE")
    few = facts.n_vehicle < MIN_FITTED
    # Without vehicle wells the samples tell it, if few of them are active.
    return none or no_spread(facts) + (many_hits(facts) if few else ())


def no_count_slope(facts: PlateFacts) -> Codes:
    """A score that moves with the cell number of vehicle wells."""
    slope = facts.screen.count_slope.t
    return no_vehicle(facts) or _if(not abs(slope) >= T_MIN, "COUNT_UNRELATED") + (
        no_spread(facts)
    )
