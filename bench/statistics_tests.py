"""How honest the tests of `call` are: well intervals, null calibration and false discoveries.

A part of bench_statistics.py. Virtual plates have known
spread, places and effects and go through the very functions that `call` uses; the real
vehicle wells are those of lopac_screen. One figure a bar.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from scipy import stats

from bench.real_vehicle_wells import DATA, e31_vehicle
from screen.statistics.average_precision import retrieval
from screen.statistics.rates import q_values
from screen.statistics.resampling import (
    bootstrap_null,
    bootstrap_p,
    permutation_p,
    vehicle_residuals,
)
from screen.statistics.robust import Floats
from screen.statistics.well_errors import (
    vehicle_spread,
    well_half_width,
    well_variance,
)
from tests.error_wells import Design, draw, judge

Figure = dict[str, Any]
REPLICATES = (2, 3, 4, 6, 8, 12, 16)
ALPHAS = (0.05, 0.001)


def left_out_coverage(wells: pl.DataFrame, level: float = 0.95) -> pl.DataFrame:
    """Per plate, the shares of vehicle wells whose interval, the well itself left out of every estimate, holds their plate's level.

    `naive` is the interval from the cells' sd alone. Columns plate, covered, naive.
    """
    plate = wells["plate"].rank("dense").to_numpy().astype(np.int64) - 1
    score, n = wells["score"].to_numpy(), wells["n_cells"].to_numpy()
    sampling = wells["score_sd"].to_numpy() ** 2 / n
    n_plates = int(plate.max()) + 1
    covered, naive = np.zeros(score.size), np.zeros(score.size)
    for i in range(score.size):
        rest = np.arange(score.size) != i
        spread = vehicle_spread(score[rest], plate[rest], n_plates, sampling[rest])
        assert spread is not None
        p, here = plate[i : i + 1], rest & (plate == plate[i])
        variance = well_variance(spread, p, sampling[i : i + 1])
        centre = spread.by_plate[p] / here.sum()
        half = well_half_width(variance, centre, spread.df_by_plate[p], level)
        away = abs(score[i] - score[here].mean())
        covered[i] = away <= half[0]
        naive[i] = away <= stats.norm.ppf((1 + level) / 2) * np.sqrt(sampling[i])
    table = wells.select("plate").with_columns(
        covered=pl.Series(covered), naive=pl.Series(naive)
    )
    return table.group_by("plate").mean().sort("plate")


def well_intervals() -> Figure:
    """Coverage of E31's DMSO wells, each left out against its plate."""
    wells = e31_vehicle()
    plates = left_out_coverage(wells)
    return {
        "figure": float(plates["covered"].mean()),  # type: ignore[arg-type]
        "worst_plate": float(plates["covered"].min()),  # type: ignore[arg-type]
        "naive": float(plates["naive"].mean()),  # type: ignore[arg-type]
        "n": wells.height,
        "bar": "0.93 to 0.97 overall, >= 0.90 on every plate; naive 0.71",
    }


def null_p(n: int, *, doses: int, screens: int, compounds: int, seed: int) -> Floats:
    """p of null compounds in `n` replicates on plates of their own, by the tests of `call`."""
    design = Design(n_compounds=compounds, n_replicates=n, n_doses=doses)
    found = [
        judge(draw(design, np.random.default_rng([seed, n, doses, s]))).units["p"]
        for s in range(screens)
    ]
    return np.asarray(pl.concat(found).to_numpy())


def _rates(p: Floats) -> dict[str, float]:
    return {f"at_{a:g}": float((p <= a).mean() / a) for a in ALPHAS}


def null_calibration(seed: int, quick: bool, doses: int) -> Figure:
    """P(p <= alpha) / alpha of null compounds by replicate number; shared controls included."""
    by_n, sizes = {}, {}
    for n in (2, 4) if quick else REPLICATES:
        # Compounds of one screen share its spread: screens make the figure sure.
        screens = 30 if quick else max(6000 // n, 400)
        compounds = max(20_000 // screens + 1, 30)
        p = null_p(n, doses=doses, screens=screens, compounds=compounds, seed=seed)
        by_n[str(n)] = _rates(p)
        sizes[str(n)] = {"compounds": p.size, "plates": n * screens}
    worst = max(abs(r["at_0.05"] - 1) for r in by_n.values())
    return {
        "figure": worst,
        "by_replicates": by_n,
        "n": sizes,
        "bar": "P(p <= 0.05) within 10 % of 0.05; P(p <= 0.001) 0.5 to 1.3 times 0.001",
    }


def _raw_plates(
    n: int, rng: np.random.Generator, n_vehicle: int = 16, ties: bool = False
) -> list[tuple[Floats, Floats]]:
    drawn = [rng.standard_t(5, 1 + n_vehicle) + rng.normal() for _ in range(n)]
    drawn = [np.round(d) for d in drawn] if ties else drawn
    return [(d[:1], d[1:]) for d in drawn]


def permutation_size(seed: int, quick: bool) -> Figure:
    """P(p <= alpha) / alpha of the permutation test on heavy-tailed, tied wells; p and mid-p."""
    by_n: dict[str, Any] = {}
    count = 2000 if quick else 20_000
    for n in (2, 4) if quick else (2, 3, 4, 8, 16):
        rng = np.random.default_rng([seed, n, 7])
        found = [
            permutation_p(
                _raw_plates(n, rng, ties=i % 2 > 0), seed=(seed, i), draws=1999
            )
            for i in range(count)
        ]
        p, mid = (np.array([getattr(f, k) for f in found]) for k in ("p", "mid_p"))
        by_n[str(n)] = {"p": _rates(p), "mid_p": _rates(mid)}
    return {
        "figure": max(r["p"]["at_0.05"] for r in by_n.values()),
        "by_replicates": by_n,
        "n": count,
        "bar": "never above alpha beyond chance; mid-p reported",
    }


def _bootstrap_p(n: int, screens: int, seed: int, tails: float) -> Floats:
    """p of 100 null compounds a screen, the null drawn from the vehicle wells of its 8 plates or more."""
    rng, p = np.random.default_rng([seed, n, 8]), []
    for s in range(screens):
        vehicle = [rng.standard_t(tails, 32) for _ in range(max(n, 8))]
        wells = rng.standard_t(tails, (100, n))
        centre = np.array([np.median(v) for v in vehicle[:n]])
        null = bootstrap_null(
            vehicle_residuals(vehicle), [1] * n, [32] * n, seed=(seed, n, s), draws=5000
        )
        p.append(bootstrap_p((wells - centre).mean(axis=1), null))
    return np.concatenate(p)


def bootstrap_size(seed: int, quick: bool) -> Figure:
    """P(p <= alpha) / alpha of the vehicle bootstrap with shared controls: normal wells, and t5 beside them."""
    screens = 20 if quick else 200
    by_n, heavy = {}, {}
    for n in (2, 4) if quick else REPLICATES:
        by_n[str(n)] = _rates(_bootstrap_p(n, screens, seed, 1e9))
        heavy[str(n)] = _rates(_bootstrap_p(n, screens, seed, 5.0))
    return {
        "figure": max(abs(r["at_0.05"] - 1) for r in by_n.values()),
        "by_replicates": by_n,
        "heavy_tails": heavy,
        "n": 100 * screens,
        "bar": "P(p <= 0.05) within 10 % of 0.05 (0.5 to 1.3 times 0.001)",
    }


def map_size(seed: int, quick: bool) -> Figure:
    """P(p <= alpha) / alpha of mean average precision on null profiles of 2 to 16 replicates."""
    by_n = {}
    count = 150 if quick else 5000
    for n in (2, 4) if quick else (2, 3, 4, 8, 16):
        rng, p = np.random.default_rng([seed, n, 9]), []
        for i in range(count):
            profiles = rng.standard_normal((n + 32, 12))
            found = retrieval(profiles[:n], profiles[n:], seed=(seed, i), draws=499)
            p.append(found.p)
        values = np.array(p)
        by_n[str(n)] = {
            f"at_{a:g}": float((values <= a).mean() / a) for a in (0.5, 0.2, 0.05)
        }
    return {
        "figure": max(abs(r["at_0.05"] - 1) for r in by_n.values()),
        "by_replicates": by_n,
        "n": count,
        "bar": "flat: P(p <= 0.05) within chance of 0.05 for 2 to 16 replicates",
    }


def called_of_family(
    share: float, seed: tuple[int, ...], compounds: int = 250, maps: int = 4
) -> tuple[float, float, float]:
    """(false discovery proportion with wrong signs as false, power, power of BH on the oracle z) of one screen at FDR 0.05."""
    rng = np.random.default_rng(seed)
    n_hits, n, sd = max(round(share * compounds), 1), 2, 0.1
    se = sd / np.sqrt(n)
    sign = np.where(rng.random(n_hits) < 0.5, -1.0, 1.0)
    effects = sign * rng.uniform(3, 7, n_hits) * se
    design = Design(compounds, n, 1, maps, 32, sd_well=sd, effects=effects)
    drawn = draw(design, rng)
    found = judge(drawn)
    true = np.zeros(compounds)
    true[:n_hits] = np.sign(effects)
    true = np.tile(true, maps)
    called = q_values(found.units["p"].to_numpy()) <= 0.05
    right = called & (found.sign == true) & (true != 0)
    oracle = q_values(2 * stats.norm.sf(np.abs(drawn.oracle) / se)) <= 0.05
    best = oracle & (np.sign(drawn.oracle) == true) & (true != 0)
    false = (called & ~right).sum() / max(called.sum(), 1)
    n_true = n_hits * maps
    return float(false), right.sum() / n_true, best.sum() / n_true


def discoveries(seed: int, quick: bool) -> Figure:
    """Mean false discovery proportion and power at 1 to 40 % hits, of both signs."""
    by_share = {}
    for share in (0.01, 0.05, 0.1, 0.2, 0.4):
        # Few hits make a proportion that jumps from screen to screen.
        repeats = 30 if quick else 1500 if share < 0.05 else 500
        rows = np.array(
            [
                called_of_family(share, (seed, r, round(1000 * share)))
                for r in range(repeats)
            ]
        )
        false, power, oracle = rows.mean(axis=0)
        by_share[f"{share:g}"] = {
            "screens": repeats,
            "fdp": float(false),
            "se": float(rows[:, 0].std(ddof=1) / np.sqrt(repeats)),
            "power": float(power),
            "oracle_power": float(oracle),
        }
    return {
        "figure": max(r["fdp"] for r in by_share.values()),
        "least_relative_power": min(
            r["power"] / r["oracle_power"] for r in by_share.values()
        ),
        "by_share": by_share,
        "n": sum(r["screens"] for r in by_share.values()),
        "bar": "mean FDP <= 0.055 (se <= 0.004); power >= 0.9 of BH on the oracle z",
    }


def figures(seed: int, quick: bool) -> dict[str, Figure]:
    """Every bar with its figure; the real ones only where the data lie beside the checkout."""
    found: dict[str, Figure] = {}
    if DATA.is_dir():
        found["well_intervals"] = well_intervals()
    return found | {
        "null_one_dose": null_calibration(seed, quick, 1),
        "null_three_doses": null_calibration(seed, quick, 3),
        "permutation": permutation_size(seed, quick),
        "bootstrap": bootstrap_size(seed, quick),
        "average_precision": map_size(seed, quick),
        "discoveries": discoveries(seed, quick),
    }
