"""How large a share of a plate's samples may be active: what the null, learnt from the bulk and the vehicle, leaves unexplained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import beta, chi2

from screen.statistics.normalizers.spread import robust_spread
from screen.statistics.robust import Floats

LEVEL = 0.95
ROUNDS = 60
MOST_OFFSET = 1.5  # null samples lie within so many sd of the vehicle's median
WINSOR = 2.5
CORE = 2.0  # sd of the null within which no sample counts as a hit
MIN_WELLS = 8
WIDER = 1.5
SPREADS = np.exp(np.linspace(np.log(0.6), np.log(1.7), 45))
CENTRES = np.linspace(-0.8, 0.8, 33)
SHARES = np.linspace(0.0, 0.995, 200)


@dataclass(frozen=True)
class HitShare:
    """Estimated share of active samples with its one-sided upper bound, and the null's centre and sd; NaN where too few wells tell."""

    value: float
    high: float
    centre: float
    spread: float


UNKNOWN = HitShare(*(4 * [float("nan")]))


def hit_share(treated: Floats, vehicle: Floats, level: float = LEVEL) -> HitShare:
    """Share of `treated` values that are no vehicle, with its upper bound at `level`.

    Within 2 sd of the bulk every sample is taken as null, a normal whose mean, sd and
    share of all samples are those of greatest likelihood (the truncated fit of Efron,
    Annals of Statistics 35:1351, 2007); vehicle wells share its sd, but not quite its
    centre, as they often lie in columns of their own. The bound is where the profile
    likelihood of the share falls by half a chi-square quantile. Hits too weak to leave
    the bulk are seen only where the vehicle's spread tells: the samples beyond it are
    counted too, and the larger of the two shares and bounds is given. NaN below 8 samples or where nothing varies.
    """
    values = treated[np.isfinite(treated)]
    controls = vehicle[np.isfinite(vehicle)]
    start = robust_spread(controls if controls.size >= MIN_WELLS else values).value
    if values.size < MIN_WELLS or start <= 0 or np.ptp(values) <= 0:
        return UNKNOWN
    anchor, known = _anchor(controls)
    centre, spread = _bulk(values, start, anchor, known, controls.size)
    likelihood = _likelihood((values - centre) / spread, controls.size, known / spread)
    best = likelihood.max(axis=(1, 2))
    at = int(best.argmax())
    limit = best[at] - float(chi2.isf(2 * (1 - level), 1)) / 2
    inside = np.flatnonzero(best >= limit)
    where = np.unravel_index(int(likelihood[at].argmax()), likelihood[at].shape)
    beyond, beyond_high = _beyond(values, controls, level)
    return HitShare(
        value=max(float(SHARES[at]), beyond),
        high=max(float(SHARES[inside[-1]]), beyond_high),
        centre=centre + spread * float(CENTRES[where[0]]),
        spread=spread * float(SPREADS[where[1]]),
    )


def _anchor(controls: Floats) -> tuple[float, float]:
    """Median of the vehicle (NaN below 3 wells) and the root of its sum of squares, wells far out pulled in."""
    if controls.size < MIN_VEHICLE:
        return float("nan"), 0.0
    anchor = float(np.median(controls))
    reach = WINSOR * robust_spread(controls).value
    held = np.clip(controls - anchor, -reach, reach)
    return anchor, float(np.sqrt(held @ held))


def widest_spread(controls: Floats) -> float:
    """The widest null sd that the vehicle wells allow; infinite below 8 of them or where they tie."""
    if controls.size < MIN_WELLS:
        return float("inf")
    # A MAD of few wells varies twice as much as their sd, whose outliers are held.
    held = _anchor(controls)[1] / np.sqrt(controls.size - 1)
    own = max(robust_spread(controls).value, held)
    return float(own * (1 + WIDER / np.sqrt(controls.size))) if own > 0 else np.inf


def _beyond(x: Floats, controls: Floats, level: float) -> tuple[float, float]:
    """Share of samples beyond 2 of the widest sd the vehicle allows, with its upper bound (Clopper and Pearson 1934)."""
    widest = widest_spread(controls)
    if not np.isfinite(widest):
        return 0.0, 0.0
    n = int((np.abs(x - np.median(controls)) > CORE * widest).sum())
    high = float(beta.ppf(level, n + 1, x.size - n)) if n < x.size else 1.0
    chance = 2 * float(ndtr(-CORE))
    return max(0.0, n / x.size - chance), max(0.0, high - chance)


def _bulk(
    x: Floats, start: float, anchor: float, known: float, n_controls: int
) -> tuple[float, float]:
    """Centre and sd of the bulk: normal and, beyond 2 sd, even over the range, by rounds of weights."""
    width = max(float(np.ptp(x)), 6 * start)
    centre = anchor if np.isfinite(anchor) else float(np.median(x))
    spread, pi = start, 0.1
    for _ in range(ROUNDS):
        z = (x - centre) / spread
        null = (1 - pi) * np.exp(-(z**2) / 2) / (spread * np.sqrt(2 * np.pi))
        room = max(width - 2 * CORE * spread, width / 4)
        weight = null / (null + np.where(np.abs(z) > CORE, pi / room, 0.0) + 1e-300)
        inert = max(float(weight.sum()), 1e-9)
        old = spread
        centre = float(weight @ x) / inert
        if np.isfinite(anchor):
            reach = MOST_OFFSET * spread
            centre = float(np.clip(centre, anchor - reach, anchor + reach))
        squares = float(weight @ (x - centre) ** 2) + known**2
        spread = max(float(np.sqrt(squares / (inert + n_controls))), 1e-3 * start)
        pi = 1 - inert / x.size
        if abs(spread - old) < 1e-6 * start:
            break
    return centre, spread


def _likelihood(z: Floats, n_controls: int, known: float) -> Floats:
    """Log likelihood [share centre spread] of standardised samples of which those within CORE are null."""
    inner = z[np.abs(z) <= CORE]
    n, first, second = inner.size, float(inner.sum()), float(inner @ inner)
    m, s = CENTRES[:, None], SPREADS[None]
    held = ndtr((CORE - m) / s) - ndtr((-CORE - m) / s)
    squares = second - 2 * m * first + n * m**2
    bulk = -n * np.log(s) - squares / (2 * s**2)
    vehicle = -max(n_controls - 1, 0) * np.log(s) - known**2 / (2 * s**2)
    null = 1 - SHARES[:, None, None]
    # One array for all steps: new ones of this size take longer than what fills them.
    found = null * held
    np.log(np.subtract(1, found, out=found), out=found)
    found *= z.size - n
    found += n * np.log(null)
    found += bulk
    found += vehicle
    return np.asarray(found)


MIN_VEHICLE = 3
