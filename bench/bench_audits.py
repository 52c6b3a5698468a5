"""How surely the audits catch a planted shortcut, and how seldom they cry without one.

Usage: python bench/bench_audits.py [--seeds 20] [--first 0] [--pixels SEED ...]. Virtual vehicle
wells drift with their row, column or rim by a share of the window, or with their cell
number; verdicts are counted over seeds for several layouts. With --pixels whole screens
are painted whose healthy control wells mostly lie in the upper rows, with and without light
that falls from the top row to the bottom one: the network can then take brightness for
youth, and the audit must say so. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from bench.machine import facts
from plates.store import PlateSpec, write_field
from plates.wells import Well
from screen import call, score, simulate, train
from screen.audits.density import density_audit
from screen.audits.shortcut import shortcut_audit
from screen.compose import settings_of
from screen.statistics.rules import CallRules
from tests.vehicle_wells import BY_PLACE, NARROW, Layout, called, none, with_cells

RULES = CallRules()
LAYOUTS = {
    "96 wells x 2": Layout(96, 2, NARROW),
    "96 wells x 4": Layout(96, 4, NARROW),
    "384 wells x 2": Layout(384, 2),
    "384 wells x 4": Layout(384, 4),
}
DRIFTS = {
    "none": none,
    **{f"row {share:.2f}": BY_PLACE["row"](share) for share in (0.2, 0.25, 0.3)},
    **{f"{place} 0.25": BY_PLACE[place](0.25) for place in ("column", "edge")},
}
SLOPES = (0.0, 0.3, 0.6, 1.2)
LIGHT_LOST = 0.5  # from the top row to the bottom one
SCREEN = (
    "simulate=tiny",
    "workers=1",  # what is patched holds in this process alone
    "simulate.n_plates=3",
    "simulate.cells_per_well=60",
    "simulate.field_px=256",
)
# Crops of one brightness are what keeps a network from this shortcut.
TAUGHT = ("epochs=4", "augment.gain=0", "augment.offset=0")


def places(seeds: range) -> dict[str, dict[str, dict[str, int]]]:
    """Verdicts of the shortcut audit by layout and planted drift."""
    return {
        name: {
            drift: _counted(
                shortcut_audit(called(layout, seed, planted), RULES)[0]["verdict"]
                for seed in seeds
            )
            for drift, planted in DRIFTS.items()
        }
        for name, layout in LAYOUTS.items()
    }


def densities(seeds: range) -> dict[str, dict[str, Any]]:
    """Verdicts of the density audit by slope, with and without eight titration wells a
    plate; how often hits would be flagged."""
    found: dict[str, dict[str, Any]] = {}
    for n_titration in (0, 8):
        layout = Layout(384, 2, n_titration=n_titration)
        for slope in SLOPES:
            rows = [
                density_audit(called(layout, seed, with_cells(slope)), RULES)[0]
                for seed in seeds
            ]
            found[f"slope {slope:g}, {n_titration} titration wells"] = {
                "verdicts": _counted(r["verdict"] for r in rows),
                "flagged": sum(r["confounded"] for r in rows),
            }
    return found


def _counted(verdicts: Any) -> dict[str, int]:
    return dict(sorted(Counter(verdicts).items()))


def careless(row: int, index: int) -> str:
    """A layout of a 96-well plate in which state and row run together: three control
    columns have their healthy wells above, one has them below."""
    return "unstressed" if (row < 4) == (index < 3) else "stressed"


def darkening(light_lost: float) -> Any:
    """A writer of fields whose light falls by a share from row A to row H."""

    def write(
        path: Path, spec: PlateSpec, well: Well, field: int, pixels: np.ndarray
    ) -> None:
        gain = 1 - light_lost * well.row / (spec.format.n_rows - 1)
        write_field(path, spec, well, field, (pixels * gain).astype(pixels.dtype))

    return write


def from_pixels(folder: Path, seed: int, light_lost: float) -> dict[str, Any]:
    """Paint, teach, score and call one screen; what the shortcut audit says of it."""
    campaign, model = folder / "campaign", folder / "model"
    words = {
        "simulate": [f"out={campaign}", f"seed={seed}", *SCREEN],
        "train": [f"campaign={campaign}", f"out={model}", f"seed={seed}", *TAUGHT],
        "score": [f"campaign={campaign}", f"model={model}", "cluster=inline"],
        "call": [],
    }
    for verb in ("score", "call"):
        words[verb] += ["run=r", f"runs={folder / 'runs'}"]
    start = time.perf_counter()
    with (
        patch("plates.synthetic.layout.control_state", careless),
        patch("plates.synthetic.screen.write_field", darkening(light_lost)),
    ):
        for verb, module in zip(words, (simulate, train, score, call), strict=True):
            module.run(settings_of(verb, words[verb]))
    told = json.loads((folder / "runs" / "r" / "call.json").read_text())["audits"]
    (line,) = told["shortcut"]["lines"]
    row = next(f for f in line["factors"] if f["factor"] == "row")
    return {
        "light_lost": light_lost,
        "seed": seed,
        "verdict": line["verdict"],
        "reason": line["reason"],
        "row": {k: row[k] for k in ("verdict", "drift", "p_family", "visible")},
        "density": told["density"]["verdict"],
        "network_is_better": {
            r["measure"]: r["network_is_better"]
            for unit in told["baselines"]
            for r in unit["against"]
        },
        "seconds": round(time.perf_counter() - start, 1),
    }


def main() -> None:
    """Count, paint if asked, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--pixels", type=int, nargs="*", default=[])
    options = parser.parse_args()
    screens = []
    for seed in options.pixels:
        for light_lost in (0.0, LIGHT_LOST):
            with tempfile.TemporaryDirectory() as folder:
                screens.append(from_pixels(Path(folder), seed, light_lost))
            print(json.dumps(screens[-1]), flush=True)
    first, n = options.first, options.seeds
    seeds = range(first, first + n)
    found = {"place": places(seeds), "density": densities(seeds), "pixels": screens}
    print(json.dumps(facts() | {"seeds": n, "first": first} | found))


if __name__ == "__main__":
    main()
