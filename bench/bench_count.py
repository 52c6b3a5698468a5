"""How well cells are counted: virtual fields whose cells are known, 0 to 400 a field.

Usage: python bench/bench_count.py [--quick] [--seeds 2] [--first 1]. Fields are cut out of larger
ones, so that cells lie across the rim as in a well; all healthy, mixed and all
senescent; cells from strictly apart to strewn by chance; with specks of debris and
without. Of both finders that count: nuclei (fluorescence) and phase. The last line is
one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment

from bench.machine import facts
from kernels.centres import FinderSpec, find_cells, make_finder
from kernels.intensity import IntensitySpec, to_float
from plates.synthetic.biology import Cells, Effect, PlateDrift, scatter
from plates.synthetic.layout import WellPlan
from plates.synthetic.scene import photograph
from plates.synthetic.screen import make_studio
from plates.synthetic.settings import SimulateSettings
from plates.wells import Well
from screen.compose import settings_of

SIDE, RIM, MATCH_UM = 540, 60, 10.0
COUNTS = (0, 5, 20, 50, 100, 150, 200, 250, 300, 350, 400)
RATES = (0.0, 0.5, 1.0)
SPACINGS = (0.0, 0.4, 0.72, 0.9)
USUAL_SPACING, USUAL_CELLS = 0.72, 200
BARS = {"fluorescence": 0.98, "phase": 0.95}
DRIFT = {n: PlateDrift(0.0, (0.0, 0.0), (1.0,) * n, ((0.2, -0.1),) * n) for n in (1, 2)}
PLAN = WellPlan(
    "P01", 0, Well(3, 5), "stressed", None, 0.0, False, False, False, False, 0.0, 0.0
)


@dataclass(frozen=True)
class Known:
    """One virtual field [c y x], what it was asked for, and its true centres [n 2]."""

    pixels: np.ndarray
    centres: np.ndarray
    rate: float
    spacing: float


def paint(
    style: str, n_cells: int, rate: float, spacing: float, seed: int, debris: float
) -> Known:
    """A field of about n_cells, cut out of a larger one of equal density."""
    side = SIDE + 2 * RIM
    settings = SimulateSettings(style=style, field_px=side, debris_per_field=debris)
    rng = np.random.default_rng([seed, n_cells, int(100 * rate), int(100 * spacing)])
    n = round(n_cells * (side / SIDE) ** 2)
    senescent = rng.random(n) < rate
    age = settings.separation * (senescent - 0.5) + rng.standard_normal(n)
    cells = Cells(senescent, np.zeros(n, bool), age.astype(np.float32), 0)
    places = scatter(n, side, spacing * SIDE / USUAL_CELLS**0.5, rng)
    studio, drift = make_studio(settings, seed), DRIFT[len(settings.channels)]
    shot = photograph(studio, PLAN, Effect(rate=rate), drift, cells, places, rng)
    pixels = np.ascontiguousarray(shot.pixels[:, RIM:-RIM, RIM:-RIM])
    inside = ((places >= RIM) & (places < RIM + SIDE)).all(1)
    return Known(pixels, places[inside] - RIM, rate, spacing)


def spec_of(style: str, pixel_um: float) -> FinderSpec:
    """The shipped finder of a style, as train would make it."""
    option = "nuclei" if style == "fluorescence" else "phase"
    f = settings_of("train", ["campaign=c", f"finder={option}"]).finder
    lengths = ("radius", "texture", "min_radius", "max_radius")
    sizes = {f"{k}_px": getattr(f, f"{k}_um") / pixel_um for k in lengths}
    return FinderSpec(
        kind="centres",
        channel=0,
        min_contrast=f.min_contrast,
        max_cells=f.max_cells,
        crop_px=32,
        polarity=f.polarity,
        min_share=f.min_share,
        **sizes,
    )


def finder_of(style: str, side: int, pixel_um: float) -> Callable[..., Any]:
    """The compiled finder of a style for fields of one size."""
    n = 2 if style == "fluorescence" else 1
    kind, scale = ("fluorescence", 1700.0) if n == 2 else ("transmitted", 0.15)
    intensity = IntensitySpec((kind,) * n, (scale,) * n)
    return make_finder(spec_of(style, pixel_um), intensity, (n, side, side), "uint16")


def counted(find: Callable[..., Any], known: Known) -> tuple[int, int, int]:
    """True cells, found cells, and found ones that lie on a true one of their own."""
    found = find(jax.device_put(known.pixels))
    places = np.asarray(found.centres)[np.asarray(found.valid)]
    if not len(places) or not len(known.centres):
        return len(known.centres), len(places), 0
    far = np.hypot(*(places[:, None] - known.centres[None]).transpose(2, 0, 1))
    reach = MATCH_UM / 1.3
    pairs = linear_sum_assignment(np.minimum(far, 2 * reach))
    return len(known.centres), len(places), int((far[pairs] <= reach).sum())


def judged(known: Sequence[Known], counts: np.ndarray) -> dict[str, Any]:
    """r, slope, errors, bias by state and precision of counts [n 3] (true, found, met)."""
    true, found, met = counts.T.astype(float)
    rates = np.array([k.rate for k in known])
    middle, many = (true >= 50) & (true <= 300), true >= 45
    error = np.abs(found - true)[middle] / true[middle]
    bias = {
        name: round(float(found[on].sum() / true[on].sum() - 1), 4)
        for name, rate in zip(("healthy", "mixed", "senescent"), RATES, strict=True)
        for on in [many & (rates == rate)]
    }
    slope, intercept = np.polyfit(true, found, 1)
    return {
        "n_fields": len(known),
        "r": round(float(np.corrcoef(true, found)[0, 1]), 5),
        "slope": round(float(slope), 4),
        "intercept": round(float(intercept), 2),
        "median_error_50_300": round(float(np.median(error)), 4),
        "largest_error_50_300": round(float(error.max()), 4),
        "bias": bias,
        "bias_difference": round(abs(bias["senescent"] - bias["healthy"]), 4),
        "precision": round(float(met.sum() / found.sum()), 4),
        "recall": round(float(met.sum() / true.sum()), 4),
        "empty_counts": found[true == 0].astype(int).tolist(),
    }


def crowding(style: str, find: Callable[..., Any], seed: int) -> dict[str, Any]:
    """Found over true by how far cells keep apart (0: strewn by chance), 200 a field."""
    told = {}
    for spacing in SPACINGS:
        sums = np.sum(
            [
                counted(find, paint(style, n, 0.5, spacing, seed, 2.0))
                for n in (100, 200)
            ],
            axis=0,
        )
        told[f"{spacing:g}"] = round(float(sums[1] / sums[0]), 4)
    return told


def speed(style: str) -> dict[str, float]:
    """Milliseconds at a field of 2160 x 2160: the search for cells, and the whole look
    (light, scale, focus, quality); the least of ten, wall and processor."""
    small = paint(style, 300, 0.5, USUAL_SPACING, 1, 2.0).pixels
    pixels = jax.device_put(np.repeat(np.repeat(small, 4, 1), 4, 2))
    find, spec = finder_of(style, 2160, 0.325), spec_of(style, 0.325)
    plane, threshold = to_float(pixels)[0], jnp.float32(80.0)
    search = jax.jit(partial(find_cells, spec=spec))
    return {
        **_timed("search", lambda: search(plane, threshold).valid),
        **_timed("whole_look", lambda: find(pixels).n_cells),
    }


def _timed(name: str, run: Callable[[], jax.Array]) -> dict[str, float]:
    run().block_until_ready()
    wall, processor = [], []
    for _ in range(10):
        start = time.perf_counter(), time.process_time()
        run().block_until_ready()
        wall.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    best = {f"{name}_wall_ms": min(wall), f"{name}_cpu_ms": min(processor)}
    return {k: round(1e3 * v, 2) for k, v in best.items()}


def measured(style: str, counts: Sequence[int], seeds: range) -> dict[str, Any]:
    """Every figure of one style, and whether it meets the bars."""
    find = finder_of(style, SIDE, 1.3)
    known = [
        paint(style, n, rate, USUAL_SPACING, seed, 2.0)
        for n in counts
        for rate in (RATES if n else RATES[:1])
        for seed in seeds
    ]
    told = judged(known, np.array([counted(find, k) for k in known]))
    empty = [paint(style, 0, 0.0, 0.0, 50 + seed, 0.0) for seed in range(5)]
    specks = [paint(style, 0, 0.0, 0.0, 70 + seed, 5.0) for seed in range(10)]
    told |= {
        "empty_clean": [counted(find, k)[1] for k in empty],
        "empty_with_specks": [counted(find, k)[1] for k in specks],
        "found_over_true_by_spacing": crowding(style, find, 3),
        "field_2160": speed(style),
    }
    return told | {"within_bars": within_bars(style, told)}


def within_bars(style: str, told: dict[str, Any]) -> bool:
    """r, slope, median error, bias between the states, empty wells."""
    return (
        told["r"] >= BARS[style]
        and 0.95 <= told["slope"] <= 1.05
        and told["median_error_50_300"] <= 0.05
        and told["bias_difference"] <= 0.03
        and not any(told["empty_clean"])
    )


def main() -> None:
    """Measure both styles and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer fields")
    parser.add_argument("--seeds", type=int, default=2, help="fields of each kind")
    parser.add_argument("--first", type=int, default=1, help="first seed")
    asked = parser.parse_args()
    counts = (0, 50, 200, 400) if asked.quick else COUNTS
    seeds = range(asked.first, asked.first + (1 if asked.quick else asked.seeds))
    told = {s: measured(s, counts, seeds) for s in BARS}
    which = {"quick": asked.quick, "seeds": list(seeds)}
    print(json.dumps({"bench": "count", **told, **which, **facts()}))


if __name__ == "__main__":
    main()
