"""Normalisation against published scores and planted plates: when a B-score is refused, what stands in for it, what `auto` does.

Usage: python bench/statistics_normalise.py [--seed 0] [--quick]. Real plates are read from
../shared/data where it is; planted ones are 384-well plates of unit noise with 32 vehicle
wells and hits of -6 sd. Prints one JSON object, one key a bar.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from screen.statistics.normalizers import Normalized, PlateGrid, normalize
from screen.statistics.normalizers.hit_share import hit_share
from screen.statistics.robust import Floats
from tests.normalizer_data import (
    kcviab,
    planted_plate,
    qhts_plates,
    repurposing_plates,
)

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
SHARES = (0.05, 0.15, 0.2, 0.3)
LAYOUTS: dict[str, dict[str, Any]] = {
    "random": {},
    "random_scattered_vehicle": {"scattered": True},
    "random_line_effects_0.7sd": {"place_sd": 0.7},
    "random_line_effects_1.5sd": {"place_sd": 1.5},
    "row_dose": {"by_row": True},
}
Figures = dict[str, dict[str, Any]]


def _row(figure: float, n: int, bar: str, **more: Any) -> dict[str, Any]:
    return {"figure": figure, "n": n, "bar": bar} | more


def _one(name: str, plate: PlateGrid) -> Normalized:
    return normalize(name, [plate])[0]


def polished(table: Floats) -> Floats:
    """Residuals of a median polish in plain Python, over their MAD."""
    rest = table.tolist()
    for _ in range(2000):
        rest = [[x - statistics.median(row) for x in row] for row in rest]
        middles = [statistics.median(c) for c in zip(*rest, strict=True)]
        rest = [[x - m for x, m in zip(row, middles, strict=True)] for row in rest]
        if max(map(abs, middles)) < 1e-13:
            break
    flat = [x for row in rest for x in row]
    middle = statistics.median(flat)
    mad = 1.4826 * statistics.median(abs(x - middle) for x in flat)
    return np.asarray(np.array(rest) / mad, dtype=np.float64)


def _references(seed: int, n: int) -> Figures:
    apart = []
    for i in range(n):
        plate, _ = planted_plate(seed + i, 0.05, place_sd=1.0)
        done = _one("b_score", plate)
        if done.method == "b_score":
            gap = np.abs(done.values[:, 1:-1] - polished(plate.values[:, 1:-1]))
            apart.append(float(gap.max()))
    return {
        "b_score_max_difference_to_hand_polish": _row(max(apart), len(apart), "<= 1e-8")
    }


def _published() -> Figures:
    plates, expected = qhts_plates(DATA)
    found = normalize("z", plates)
    gaps = [np.abs(f.values - e) for f, e in zip(found, expected, strict=True)]
    ours, theirs = _kcviab_scores()
    top = [set(np.argsort(-s, kind="stable")[:100]) for s in (ours, theirs)]
    real = list(repurposing_plates(DATA))
    refused = [_one("b_score", grid) for _, grid in real]
    alias = [f.facts.alias.column for f in refused]
    return {
        "qhts_z_max_difference": _row(
            float(max(np.nanmax(g) for g in gaps)),
            int(sum(np.isfinite(g).sum() for g in gaps)),
            "<= 5e-11",
        ),
        "kcviab_pearson": _row(
            float(np.corrcoef(ours, theirs)[0, 1]), ours.size, ">= 0.98"
        ),
        "kcviab_top100_overlap": _row(len(top[0] & top[1]), 100, ">= 78"),
        "repurposing_b_score_refused": _row(
            sum(f.method != "b_score" for f in refused),
            len(refused),
            "136 of 136",
            dose_aliased=sum("DOSE_ALIASED" in f.reason for f in refused),
            least_share_of_dose_by_column=min(alias),
        ),
    }


def _kcviab_scores() -> tuple[Floats, Floats]:
    plates, published = kcviab(DATA)
    found = normalize("robust_z", [grid for _, _, grid in plates])
    replicates = defaultdict(list)
    for (plate, _, _), done in zip(plates, found, strict=True):
        replicates[plate].append(-done.values)
    means = {plate: np.mean(both, axis=0) for plate, both in replicates.items()}
    ours = [
        means[plate][ord(well[0]) - 65, int(well[1:]) - 1]
        for plate, well in published.select("Plate", "Well").iter_rows()
    ]
    return np.array(ours), published["Score"].to_numpy()


def _refusals(seed: int, n: int) -> Figures:
    """Share of plates on which a B-score is refused, by layout and true share of hits."""
    figures: Figures = {}
    for layout, words in LAYOUTS.items():
        for share in SHARES:
            done = [
                _one("b_score", planted_plate(seed + i, share, **words)[0])
                for i in range(n)
            ]
            rate = float(np.mean([d.method != "b_score" for d in done]))
            allowed = share < 0.15 and layout != "row_dose"
            figures[f"b_score_refused_{layout}_{share:.0%}"] = _row(
                rate, n, "<= 0.05" if allowed else ">= 0.95"
            )
    return figures


def _replacement(seed: int, n: int) -> Figures:
    figures: Figures = {}
    for layout in ("random", "random_scattered_vehicle", "row_dose"):
        kept, single = [], []
        for i in range(n):
            plate, hits = planted_plate(seed + i, 0.2, **LAYOUTS[layout])
            values = _one("b_score", plate).values[hits]
            kept.append(float(values.mean()))
            single.append(float((values <= -5).mean()))
        figures[f"replacement_keeps_hits_{layout}"] = _row(
            float(np.mean(np.array(kept) <= -5)),
            n,
            "share of plates whose -6 sd hits read <= -5, at 20 % hits: >= 0.95",
            mean=float(np.mean(kept)),
            worst_plate=max(kept),
            share_of_hits=float(np.mean(single)),
        )
    return figures


def _bounds(seed: int, n: int) -> Figures:
    figures: Figures = {}
    for tails in ("normal", "t5"):
        for share in (0.0, *SHARES):
            found = []
            for i in range(n):
                rng = np.random.default_rng((seed, i))
                x, v = (_noise(rng, size, tails) for size in (320, 32))
                x[: round(320 * share)] -= 6
                found.append(hit_share(x, v))
            figures[f"hit_share_bound_covers_{tails}_{share:.0%}"] = _row(
                float(np.mean([f.high >= share for f in found])),
                n,
                ">= 0.93",
                mean_estimate=float(np.mean([f.value for f in found])),
                mean_bound=float(np.mean([f.high for f in found])),
            )
    return figures


def _noise(rng: np.random.Generator, size: int, tails: str) -> Floats:
    if tails == "normal":
        return rng.normal(size=size)
    return np.asarray(rng.standard_t(5, size=size) / np.sqrt(5 / 3))


def _automatic(seed: int, n: int) -> Figures:
    """How often `auto` corrects plates without and with line effects, and what is left unexplained of the truth."""
    figures: Figures = {}
    for place_sd in (0.0, 0.3, 0.7, 1.0):
        changed: list[bool] = []
        left: list[float] = []
        plain: list[float] = []
        for i in range(n):
            words: dict[str, Any] = {"scattered": i % 2 == 0}
            plate, _ = planted_plate(seed + i, 0.05, place_sd=place_sd, **words)
            done, raw = _one("auto", plate), _one("null_z", plate)
            changed.append(done.method in ("b_score", "surface"))
            truth = planted_plate(seed + i, 0.05, **words)[0].values
            for values, into in ((done.values, left), (raw.values, plain)):
                pair = values[plate.treated], truth[plate.treated]
                into.append(1 - float(np.corrcoef(*pair)[0, 1]) ** 2)
        figures[f"auto_corrects_line_effects_{place_sd:g}sd"] = _row(
            float(np.mean(changed)),
            n,
            "<= 0.02 corrected" if place_sd == 0 else "unexplained <= untouched",
            unexplained=float(np.mean(left)),
            untouched=float(np.mean(plain)),
        )
    return figures


def figures(seed: int, quick: bool) -> Figures:
    """One entry a bar: its figure, the number of repeats, and the bar in words."""
    n = 40 if quick else 200
    found = _references(seed, 3 if quick else 20)
    if DATA.is_dir():
        found |= _published()
    found |= _refusals(seed, n) | _replacement(seed, n)
    return found | _bounds(seed, n) | _automatic(seed, n)


def main() -> None:
    """Print the figures as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    words = parser.parse_args()
    print(json.dumps(figures(words.seed, words.quick), indent=1))


if __name__ == "__main__":
    main()
