"""Plate quality: cover of the intervals, bias of the estimates, mix-ups found, false alarms, and published screens.

python bench/statistics_quality.py [--quick] [--seed N]
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from bench.mixup_figures import mixup_figure, real_mixup_figure
from bench.mixup_plates import Kind
from bench.quality_references import (
    FOLDER,
    kcviab_controls,
    lopac_nuclei,
)
from plates.wells import PlateFormat
from screen.statistics.drift import drift_marks
from screen.statistics.plate_effects import EFFECTS, plate_effects
from screen.statistics.quality import bounds, ssmd_pivot, z_pivot
from screen.statistics.quality_formulas import (
    robust_z_prime,
    ssmd_umvue_rows,
    z_prime,
)
from screen.statistics.quality_pivots import moment_pivots, pooled_ssmd_pivot
from screen.statistics.robust import Floats

Figure = dict[str, Any]
SIZES = (4, 8, 16)
RATIOS = (1.0, 3.0)
TRUE_Z = 0.5
UMVUE_SIZES = ((4, 4), (8, 8), (16, 16), (16, 48), (16, 320))
MAPS_KIND = Kind()


def drawn(rng: np.random.Generator, law: str, shape: tuple[int, ...]) -> Floats:
    """Values of mean 0 and sd 1 under the normal or Student's law with 5 degrees of freedom."""
    if law == "normal":
        return rng.standard_normal(shape)
    return np.asarray(rng.standard_t(5, shape) / np.sqrt(5 / 3))


def coverage(
    n: int, ratio: float, law: str, repeats: int, seed: int, draws: int
) -> tuple[float, float]:
    """Share of the 95 % intervals of Z' and of SSMD that hold the true value, at a true Z' of 0.5."""
    rng = np.random.default_rng((seed, n, int(ratio)))
    gap = 3 * (1 + ratio) / (1 - TRUE_Z)
    true_s = gap / np.hypot(1, ratio)
    held = np.zeros(2)
    step = 200
    for _ in range(0, repeats, step):
        positive = gap + ratio * drawn(rng, law, (step, n))
        pivots = moment_pivots(
            positive, drawn(rng, law, (step, n)), seed=0, draws=draws
        )
        for k, (values, true) in enumerate(
            ((z_pivot(pivots), TRUE_Z), (ssmd_pivot(pivots), true_s))
        ):
            low, high = bounds(values, 0.95)
            held[k] += ((low <= true) & (true <= high)).sum()
    z, s = held / (repeats // step * step)
    return float(z), float(s)


def coverage_figures(seed: int, quick: bool) -> dict[str, Figure]:
    """Cover of Z' and SSMD by wells, sd ratio and law."""
    repeats, draws = (2000, 1024) if quick else (20_000, 4096)
    found: dict[str, Figure] = {}
    bars = {
        "normal": "0.935 to 0.965 (0.94 to 0.98 at 4+4)",
        "t5": "at least 0.90",
    }
    for law, bar in bars.items():
        cells = {
            f"{n}+{n}, sd ratio {ratio:g}": coverage(
                n, ratio, law, repeats, seed, draws
            )
            for n in SIZES
            for ratio in RATIOS
        }
        for k, name in enumerate(("z_prime", "ssmd")):
            shares = {key: round(both[k], 4) for key, both in cells.items()}
            found[f"{name}_interval_cover_{law}"] = {
                "figure": [min(shares.values()), max(shares.values())],
                "cells": shares,
                "n": repeats,
                "bar": bar,
            }
    return found


def umvue_figure(seed: int, quick: bool) -> Figure:
    """Mean SSMD UMVUE over the true value of 3, and cover of its interval, for equal variances."""
    rng = np.random.default_rng((seed, 1))
    repeats = 40_000 if quick else 200_000
    ratios, cover = {}, {}
    for n_p, n_n in UMVUE_SIZES:
        total, held, n = 0.0, 0, 0
        step = 2000
        for i in range(0, repeats, step):
            p = 3 * np.sqrt(2) + rng.standard_normal((step, n_p))
            q = rng.standard_normal((step, n_n))
            total += float(ssmd_umvue_rows(p, q).sum())
            if i < 10_000:
                pivot = pooled_ssmd_pivot(p[:1000], q[:1000], seed=0, draws=1024)
                low, high = bounds(pivot, 0.95)
                held, n = held + int(((low <= 3) & (high >= 3)).sum()), n + 1000
        ratios[f"{n_p}+{n_n}"] = round(total / repeats / 3, 5)
        cover[f"{n_p}+{n_n}"] = round(held / n, 4)
    return {
        "figure": max(abs(v - 1) for v in ratios.values()),
        "mean_over_true": ratios,
        "interval_cover": cover,
        "n": repeats,
        "bar": "at most 0.01 from 4+4 to 16+320 wells",
    }


def robust_figure(seed: int, quick: bool) -> Figure:
    """Mean robust Z' less the true 0.5 under normal wells."""
    rng = np.random.default_rng((seed, 2))
    repeats = 1000 if quick else 5000
    biases = {}
    for n in (8, 9, 12, 16, 32, 48):
        values = [
            robust_z_prime(12 + rng.standard_normal(n), rng.standard_normal(n))
            for _ in range(repeats)
        ]
        known = [v for v in values if v is not None]
        biases[f"{n}+{n}"] = round(float(np.mean(known)) - 0.5, 4)
    return {
        "figure": max(abs(v) for v in biases.values()),
        "bias": biases,
        "n": repeats,
        "bar": "printed (uncorrected: 0.055 at 8+8)",
    }


def place_figure(seed: int, quick: bool) -> Figure:
    """How often effects of place are called at p <= 0.05 on plates without any, with values of 12 steps."""
    rng = np.random.default_rng((seed, 5))
    fmt = PlateFormat.of(384)
    row, column = (v.ravel().astype(np.int64) for v in np.mgrid[:16, :24])
    strata = np.where(column < 2, 0, 1).astype(np.intp)
    repeats = 100 if quick else 1000
    calls = dict.fromkeys(EFFECTS, 0)
    for i in range(repeats):
        values = np.round(2 * rng.standard_normal(384)).clip(-6, 6)
        found = plate_effects(values, row, column, strata, fmt, seed=(seed, i))
        for name, effect in found.items():
            calls[name] += effect.p <= 0.05
    shares = {name: n / repeats for name, n in calls.items()}
    return {
        "figure": max(shares.values()),
        "shares": shares,
        "n": repeats,
        "bar": "printed: about 0.05",
    }


def drift_figure(seed: int, quick: bool) -> Figure:
    """Campaigns of 24 even plates that some drift rule fires on, and of a drift of 3 sd, where it must."""
    rng = np.random.default_rng((seed, 6))
    repeats = 500 if quick else 4000
    trend = np.linspace(-1.5, 1.5, 24)
    even, moved = (
        np.mean([any(drift_marks(t + rng.standard_normal(24))) for _ in range(repeats)])
        for t in (np.zeros(24), trend)
    )
    return {
        "figure": float(even),
        "power_at_3_sd": float(moved),
        "n": repeats,
        "bar": "printed",
    }


def reference_figures() -> dict[str, Figure]:
    """Z' of two published screens."""
    nuclei = {k: z_prime(p, n) for k, (n, p) in lopac_nuclei().items()}
    found: dict[str, Figure] = {
        "lopac_nuclei_z_prime": {
            "figure": [min(nuclei.values()), max(nuclei.values())],
            "plates": {k: round(v, 3) for k, v in nuclei.items()},
            "n": len(nuclei),
            "bar": "0.45 to 0.67 within 0.01",
        }
    }
    controls = kcviab_controls().values()
    means = [z_prime(p, n) for n, p in controls]
    medians = [robust_z_prime(p, n) for n, p in controls]
    for name, values, bar in (
        ("kcviab_z_prime", means, "-0.04 and -0.03 within 0.01"),
        ("kcviab_robust_z_prime", medians, "0.76 and 0.81 within 0.01"),
    ):
        found[name] = {"figure": values, "n": 57, "bar": bar}
    return found


def figures(seed: int, quick: bool) -> dict[str, Figure]:
    """Every bar of plate quality with its figure and number of repeats."""
    n_mixups, n_clean = (40, 100) if quick else (400, 800)
    pairs = Kind(n_replicates=2)
    found = coverage_figures(seed, quick) | {
        "ssmd_umvue_bias": umvue_figure(seed, quick),
        "robust_z_prime_bias": robust_figure(seed, quick),
        "mixups": mixup_figure(MAPS_KIND, n_mixups, n_clean, seed),
        "mixups_24_controls": mixup_figure(
            Kind(n_controls=24), n_mixups, n_clean, seed
        ),
        "mixups_two_replicates": mixup_figure(pairs, n_mixups, n_clean, seed)
        | {"bar": "printed"},
        "place_effects_false_calls": place_figure(seed, quick),
        "drift_false_calls": drift_figure(seed, quick),
    }
    if FOLDER.is_dir():
        found |= reference_figures()
        found["mixups_real_plates"] = real_mixup_figure(seed, quick)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(json.dumps(figures(given.seed, given.quick), indent=1))
