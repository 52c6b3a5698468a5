"""Dose response: seconds for 100,000 curves with intervals, doses beside scipy's, and how often intervals hold the truth.

Usage: python bench/bench_curves.py [--quick] [--seed N]. The last line is one JSON object.
Curves are drawn as `call` draws them: a four-parameter curve or none, a bell looked for,
profile limits. Times are of 10 doses once each, compile apart. Coverage is of 10 doses
twice, log10 EC50 uniform in the inner 60 % of the doses, noise of 10 % of the span,
slopes from 0.7 to 2; every curve counts, a refused or flat one as missed, an open limit
as wide as it says.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from scipy import optimize

from bench.machine import facts
from screen.curve_settings import CurveSettings
from screen.statistics.curve_bells import choose_curves
from screen.statistics.curve_choice import Chosen
from screen.statistics.curve_points import DoseSeries
from screen.statistics.potency import censored
from screen.statistics.robust import Floats

DOSES = np.linspace(-2.5, 2.0, 10)
SD = 0.1
BARS = {
    "seconds_per_100k": 20.0,
    "max_abs_dlog10_ec50": 1e-3,
    "coverage": [0.93, 0.97],
    "refused_share": 0.05,
}
N_SCIPY = 500


def drawn(n: int, copies: int, seed: int) -> tuple[Floats, DoseSeries]:
    """True log10 EC50, and series of 10 doses so many times each."""
    rng = np.random.default_rng(seed)
    x = np.tile(DOSES, copies)
    low, high = DOSES[0], DOSES[-1]
    true = low + (high - low) * rng.uniform(0.2, 0.8, n)
    slope = rng.uniform(0.7, 2.0, n)
    clean = 1.0 / (1.0 + 10.0 ** (slope[:, None] * (true[:, None] - x)))
    y = clean + rng.normal(0.0, SD, clean.shape)
    return true, DoseSeries(
        log_dose=np.tile(x, (n, 1)),
        response=y,
        weight=np.ones(y.shape),
        plate=np.zeros(y.shape, np.int32),
        extra_cost=np.zeros(n),
        extra_df=np.zeros(n),
    )


def speed(n: int, seed: int) -> dict[str, Any]:
    """Seconds of so many curves, as for 100,000, on the clock and of all processors; compile apart."""
    how = CurveSettings()
    _, series = drawn(n, 1, seed)
    begun = time.perf_counter()
    choose_curves(series.take(np.arange(min(n, 2048))), how)
    first = time.perf_counter() - begun
    clock, cpu = time.perf_counter(), time.process_time()
    choose_curves(series, how)
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    scale = 1e5 / n
    return {
        "seconds_per_100k": round(clock * scale, 2),
        "processor_seconds_per_100k": round(cpu * scale, 2),
        "compile_s": round(max(first - clock * min(n, 2048) / n, 0.0), 2),
        "n_timed": n,
    }


def coverage(n: int, seed: int) -> dict[str, Any]:
    """Share of intervals that hold the truth, among all curves, and the share refused."""
    true, series = drawn(n, 2, seed)
    chosen = choose_curves(series, CurveSettings())
    is_curve = ~np.isin(chosen.model, ["", "flat"])
    low, high = told_limits(series, chosen)
    held = is_curve & (low <= true) & (true <= high)
    is_open = is_curve & (np.isinf(low) | np.isinf(high))
    return {
        "coverage": round(float(held.mean()), 4),
        "coverage_se": round(float(np.sqrt(held.mean() * (1 - held.mean()) / n)), 4),
        "refused_share": round(float(1 - is_curve.mean()), 4),
        "open_share": round(float(is_open.mean()), 4),
        "truncated_share": round(float(chosen.is_cut.mean()), 4),
        "n": n,
    }


def told_limits(series: DoseSeries, chosen: Chosen) -> tuple[Floats, Floats]:
    """The limits as the table tells them: open where they lie outside the doses drawn."""
    kept = series.without(~chosen.kept)
    told = censored(chosen.log_ec50, chosen.low, chosen.high, kept.bottom(), kept.top())
    low = np.where(np.isnan(told.low), -np.inf, told.low)
    high = np.where(np.isnan(told.high), np.inf, told.high)
    # A limit beyond the far end of the doses says that no dose is held: that end itself.
    low = np.where(chosen.low > kept.top(), kept.top(), low)
    return low, np.where(chosen.high < kept.bottom(), kept.bottom(), high)


def four(x: Floats, m: float, log_slope: float, low: float, high: float) -> Floats:
    """The curve as curve_fit is given it."""
    return np.asarray(low + (high - low) / (1 + 10 ** (np.exp(log_slope) * (m - x))))


def beside_scipy(seed: int) -> dict[str, Any]:
    """The largest difference of log10 EC50 to curve_fit's, where both converge within the bounds."""
    true, series = drawn(N_SCIPY, 1, seed)
    chosen = choose_curves(series, CurveSettings(models=["logistic4"], alpha=1.0))
    low, high = DOSES[0] - 1.0, DOSES[-1] + 1.0
    bounds = (
        [low, np.log(0.3), -np.inf, -np.inf],
        [high, np.log(5.0), np.inf, np.inf],
    )
    away, n_failed = [], 0
    for i in range(N_SCIPY):
        y = series.response[i]
        start = (true[i], 0.0, y[0], y[-1])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optimize.OptimizeWarning)
                found, _ = optimize.curve_fit(
                    four, DOSES, y, p0=start, bounds=bounds, xtol=1e-12, ftol=1e-12,
                    gtol=1e-12, max_nfev=5000,
                )  # fmt: skip
        except RuntimeError:
            n_failed += 1
            continue
        away.append(abs(found[0] - chosen.log_ec50[i]))
    return {
        "max_abs_dlog10_ec50": float(f"{max(away):.2e}"),
        "n_compared": len(away),
        "n_scipy_failed": n_failed,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer curves")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    n = 10_000 if given.quick else 100_000
    told = speed(n, given.seed)
    told |= beside_scipy(given.seed + 1)
    told |= coverage(5_000 if given.quick else 40_000, given.seed + 2)
    print(json.dumps(told | {"bars": BARS} | facts()))


if __name__ == "__main__":
    main()
