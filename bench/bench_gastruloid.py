"""Whole fields of a real plate: held-out AUC of the quick network over random halves.

One 96-well plate of single gastruloids, brightfield and GFP. For each half of the
control and pre2i_cleaned wells a network learns from it and scores every other well,
beside mean GFP and the spread of brightfield in the same wells. Prints one JSON object
as its last line; --quick takes three halves. The same by the verbs, from the root of
the checkout (the data set ships no plate map; --map FILE writes one and stops):

  python bench/bench_gastruloid.py --map /tmp/gastruloid.csv
  senoscreen ingest source=../shared/data/gastruloid_plate/images \\
    'pattern=(?P<col>\\d\\d)(?P<row>[A-H])\\.tif' map=/tmp/gastruloid.csv \\
    'channels=[brightfield,GFP]' pixel_size_um=4.8 out=campaigns/gastruloid
  senoscreen train campaign=campaigns/gastruloid anchors=compound \\
    anchors.healthy.compound=control anchors.senescent.compound=pre2i_cleaned \\
    network=whole_field finder=whole_field augment=whole_field optimizer=few_wells \\
    'intensity.kinds=[transmitted,fluorescence]' \\
    epochs=100 batch=24 label_smoothing=0.1
  senoscreen run campaign=campaigns/gastruloid model=models/gastruloid \\
    anchors=compound anchors.healthy.compound=control \\
    anchors.senescent.compound=pre2i_cleaned decision.min_cells=1

The data set gives no pixel size; 4.8 um is a 10x field drawn on 270 pixels.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from bench.machine import ROOT, facts
from plates.campaign import Campaign
from plates.store import Plate, open_plate, read_field
from plates.wells import Well
from screen import ingest
from screen.compose import settings_of
from screen.fit_plans import fit_plan
from screen.fitting import fit, predict
from screen.folds import AnchorWell, anchor_wells, random_halves
from screen.lessons import Lessons, gather_lessons, lesson_scale
from screen.optics import finder_spec, kinds_of
from screen.settings import TrainVerb

DATA = ROOT.parent / "shared" / "data" / "gastruloid_plate"
PATTERN = r"(?P<col>\d\d)(?P<row>[A-H])\.tif"
HEALTHY, SENESCENT = "control", "pre2i_cleaned"
BAR = 0.92
ANCHORS = (
    "anchors=compound",
    f"anchors.healthy.compound={HEALTHY}",
    f"anchors.senescent.compound={SENESCENT}",
)
LEARNING = (
    *("network=whole_field", "finder=whole_field", "augment=whole_field"),
    *("optimizer=few_wells", "intensity.kinds=[transmitted,fluorescence]"),
    *("epochs=100", "batch=24", "label_smoothing=0.1"),
)
CONFOUNDED = (
    "every treatment fills three neighbouring columns, so column and treatment are"
    " confounded; position_null is what columns of one treatment tell apart"
)
HEADER = "plate,well,compound,concentration_um,role,state,replicate,batch"

Scores = NDArray[
    np.float64
]  # one a well, NaN where a network learnt from it or found nothing


def write_map(data: Path, path: Path) -> None:
    """The plate map that metadata.csv means: treatments without a dose are references."""
    with (data / "metadata.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [(r["colrow"], r["treatment"]) for r in csv.DictReader(file)]
    lines, seen = [HEADER], dict.fromkeys((name for _, name in rows), 0)
    for place, name in rows:
        seen[name] += 1
        well = f"{place[2]}{place[:2]}"
        lines.append(f"gastruloid,{well},{name},,reference,unstressed,{seen[name]},1")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def ingest_words(data: Path, plate_map: Path, out: Path) -> list[str]:
    """What the verb ingest is asked for."""
    return [
        *(f"source={data / 'images'}", f"pattern={PATTERN}", f"map={plate_map}"),
        *("channels=[brightfield,GFP]", "pixel_size_um=4.8", f"out={out}"),
        *("n_wells=96", "settle=0"),
    ]


def train_words(campaign: Path) -> list[str]:
    """What the verb train is asked for."""
    return [f"campaign={campaign}", *ANCHORS, *LEARNING]


@dataclass(frozen=True)
class Wells:
    """The 96 wells in plate order: names, treatments, windows, two plain measures."""

    names: tuple[str, ...]
    treatment: NDArray[np.str_]
    anchors: tuple[AnchorWell, ...]
    lessons: Lessons
    plain: dict[str, Scores]

    @property
    def empty(self) -> list[str]:
        """The wells in which no window holds anything."""
        filled = set(self.lessons.well.tolist())
        return [w for i, w in enumerate(self.names) if i not in filled]

    def rows(self, *, treatment: str, column: int = 0) -> NDArray[np.bool_]:
        """The wells of a treatment, or of one of its columns (one-based)."""
        columns = np.asarray([Well.parse(w).column + 1 for w in self.names])
        chosen = (columns == column) | (column == 0)
        return np.asarray((self.treatment == treatment) & chosen)


def read_wells(settings: TrainVerb) -> Wells:
    """Cut the windows of every well with the verb's finder and intensity scale."""
    campaign = Campaign.open(Path(settings.campaign))
    plates = {e.plate: open_plate(e.path) for e in campaign.plates}
    (plate,) = plates.values()
    anchors = anchor_wells(campaign.map, settings.anchors)
    compound = dict(campaign.map.frame.select("well", "compound").iter_rows())
    names = tuple(str(w) for w in plate.wells)
    lessons = gather_lessons(
        plates,
        [AnchorWell(plate.plate, w, int(compound[w] == SENESCENT)) for w in names],
        finder_spec(settings, plate),
        lesson_scale(plates, anchors, kinds_of(settings, plate)),
        window=False,  # a tile is the whole of what there is
        max_cells=settings.max_cells_per_well,
        seed=settings.seed,
        on_well=lambda _: None,
    )
    treatment = np.asarray([compound[w] for w in names])
    return Wells(names, treatment, anchors, lessons, _plain(plate, names))


def _plain(plate: Plate, names: Sequence[str]) -> dict[str, Scores]:
    """Mean GFP and minus the sd of brightfield: both rise towards pre2i_cleaned."""
    pixels = [read_field(plate, Well.parse(w), 0).astype(np.float64) for w in names]
    return {
        "mean_gfp": np.asarray([p[1].mean() for p in pixels]),
        "brightfield_sd": np.asarray([-p[0].std() for p in pixels]),
    }


def auc(high: Scores, low: Scores) -> float:
    """Share of pairs in which the first is higher, ties counting half; NaN left out."""
    a, b = high[np.isfinite(high)][:, None], low[np.isfinite(low)][None]
    return float(((a > b) + 0.5 * (a == b)).mean())


def score_half(
    wells: Wells, settings: TrainVerb, half: dict[tuple[str, str], int], number: int
) -> tuple[Scores, Scores, float]:
    """Scores of the wells that were not learnt from, plain and over the eight turns
    of each window, and the seconds of teaching."""
    lessons = wells.lessons
    learnt = {key for key, k in half.items() if k == 0}
    rows = lessons.rows_of(learnt)
    begun = time.perf_counter()
    plan = fit_plan(settings, number)
    module = fit(lessons.crops[rows], lessons.labels[rows], plan).module
    seconds = time.perf_counter() - begun
    told = []
    for d4 in (False, True):
        p = predict(module, lessons.crops, d4=d4)
        scores = np.full(len(wells.names), np.nan)
        for i, well in enumerate(lessons.wells):
            if well.key not in learnt and (lessons.well == i).any():
                scores[i] = p[lessons.well == i].mean()
        told.append(scores)
    return told[0], told[1], seconds


def _spread(values: Sequence[float]) -> dict[str, float]:
    v = np.asarray(values)
    numbers = {"mean": v.mean(), "sd": v.std(ddof=1) if len(v) > 1 else np.nan}
    numbers |= {"min": v.min(), "max": v.max()}
    return {k: round(float(x), 4) for k, x in numbers.items() if np.isfinite(x)}


def _mean(scores: Sequence[Scores]) -> Scores:
    """The mean of each well over the networks that may score it; NaN without any."""
    stack = np.stack(scores)
    seen = np.isfinite(stack)
    total, n = np.where(seen, stack, 0.0).sum(0), seen.sum(0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def position_null(wells: Wells, scores: Scores) -> dict[str, float]:
    """AUC between the outer columns of each treatment; 0.5 where position tells nothing."""
    pairs = {HEALTHY: (1, 3), "matrigel5": (4, 6), "pre2i": (7, 9), SENESCENT: (10, 12)}
    return {
        f"{name} {a} against {b}": round(
            auc(
                scores[wells.rows(treatment=name, column=a)],
                scores[wells.rows(treatment=name, column=b)],
            ),
            3,
        )
        for name, (a, b) in pairs.items()
    }


def measured(wells: Wells, settings: TrainVerb, n_halves: int) -> dict[str, Any]:
    """All figures of the bench."""
    high, low = wells.rows(treatment=SENESCENT), wells.rows(treatment=HEALTHY)
    aucs: dict[str, list[float]] = {
        k: [] for k in ("network", "network_d4", *wells.plain)
    }
    every: list[Scores] = []
    seconds = []
    for number in range(n_halves):
        rng = np.random.default_rng([settings.seed, number])
        half = random_halves(wells.anchors, rng)
        plain, turned, took = score_half(wells, settings, half, number)
        unseen = np.isfinite(plain)
        for name, scores in (
            *(("network", plain), ("network_d4", turned)),
            *wells.plain.items(),
        ):
            aucs[name].append(auc(scores[high & unseen], scores[low & unseen]))
        every.append(plain)
        seconds.append(round(took, 2))
        print(f"half {number}: {aucs['network'][-1]:.3f} in {took:.1f} s", flush=True)
    mean = _mean(every)
    names = (HEALTHY, "matrigel5", "pre2i", SENESCENT)
    means = {n: float(np.nanmean(mean[wells.rows(treatment=n)])) for n in names}
    return {
        "auc": {name: _spread(values) for name, values in aucs.items()},
        "within_bar": float(np.mean(aucs["network"])) >= BAR,
        "mean_score": {k: round(v, 4) for k, v in means.items()},
        "pre2i_nearer_pre2i_cleaned": _nearer(means, "pre2i", SENESCENT, HEALTHY),
        "matrigel5_nearer_control": _nearer(means, "matrigel5", HEALTHY, SENESCENT),
        "no_cells": wells.empty,
        "position_null": {
            name: position_null(wells, scores)
            for name, scores in (("network", mean), *wells.plain.items())
        },
        "seconds_per_half": _spread(seconds),
    }


def _nearer(means: dict[str, float], name: str, one: str, other: str) -> bool:
    return abs(means[name] - means[one]) < abs(means[name] - means[other])


def main() -> int:
    """Ingest the plate into a temporary folder, measure, print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three halves")
    parser.add_argument("--halves", type=int, default=20, help="random halves")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--map", type=Path, help="only write the plate map here")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        print(json.dumps({"bench": "gastruloid", "skipped": f"no {arguments.data}"}))
        return 0
    if arguments.map:
        write_map(arguments.data, arguments.map)
        return 0
    n_halves = 3 if arguments.quick else arguments.halves
    with tempfile.TemporaryDirectory() as name:
        plate_map, campaign = Path(name) / "map.csv", Path(name) / "gastruloid"
        write_map(arguments.data, plate_map)
        words = ingest_words(arguments.data, plate_map, campaign)
        ingest.run(settings_of("ingest", words))
        words = [*train_words(campaign), f"seed={arguments.seed}"]
        settings = settings_of("train", words)
        told = measured(read_wells(settings), settings, n_halves)
    print(CONFOUNDED)
    about = {"halves": n_halves, "seed": arguments.seed, "confounded": CONFOUNDED}
    print(json.dumps({"bench": "gastruloid", **told, **about, **facts()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
