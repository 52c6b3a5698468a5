"""What a field takes that is scored in windows, beside one that is scored whole.

Usage: python bench/bench_windows.py [--side 16000] [--beside 4000] [--whole] [--quick].
One channel of random cells is painted and kept in a plate of our own; a fresh process
scores each field from its store. A field of ``beside`` pixels a side is scored whole and
in windows, and both are compared; one of ``side`` in windows alone, unless --whole is
given, which takes 13 GB at 16,000. Bars: the same cells, to 1e-4 px; the large field in
windows takes no more than LIMIT_MB beyond what a process holds before it. The last line
is one JSON object.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from bench.machine import ROOT, facts, rounded
from plates import shard_parts
from plates.shard import decode_chunk
from plates.store import PlateSpec, open_plate, plate_writer
from plates.wells import PlateFormat, Well

A1 = Well.parse("A01")
CELLS_MPX, TILE = 300, 1000
LIMIT_MB = 600
FINDER = {
    "kind": "centres", "channel": 0, "radius_px": 8.0, "min_contrast": 5.0,
    "max_cells": 100_000, "crop_px": 32,
}  # fmt: skip


def picture() -> np.ndarray[Any, Any]:
    """A square [TILE TILE] of round cells on a noisy background, in counts."""
    rng = np.random.default_rng(1)
    image = rng.normal(400.0, 12.0, (TILE, TILE))
    y, x = np.mgrid[-30:30, -30:30]
    for cy, cx in rng.integers(30, TILE - 30, (CELLS_MPX, 2)):
        glow = rng.uniform(800, 3000) * np.exp(-(y**2 + x**2) / (2 * 6.0**2))
        image[cy - 30 : cy + 30, cx - 30 : cx + 30] += glow
    return np.asarray(np.rint(image), np.uint16)


def painted(folder: Path, side: int) -> Path:
    """A plate of one field of side x side pixels: the picture again and again, in
    another light each time, so that no two squares are equal."""
    path = folder / f"{side}.ome.zarr"
    shape = (1, side, side)
    spec = PlateSpec(
        "P1", PlateFormat.of(6), (A1,), 1, ("nucleus",), 0.65, shape, "uint16"
    )
    again = -(-side // TILE)
    field = np.tile(picture(), (again, again))[:side, :side]
    field += np.random.default_rng(2).integers(0, 40, (side, 1), np.uint16)
    with plate_writer(path, spec) as write:
        write(A1, 0, field[None])
    return path


def modelled(folder: Path) -> Path:
    """A model with random weights."""
    import jax

    from kernels.networks import build
    from screen.models import ModelSpec, NetworkSpec, network_weights, save_model

    light = {"kinds": ["fluorescence"], "scales": [1e3], "saturation_level": None}
    half = NetworkSpec("half0", "half0.safetensors", "", (("P0", "A01"),), "well")
    spec = ModelSpec(
        "compact", 32, True, ("nucleus",), 0.65, FINDER, light, {}, 0.5, "halves", (half,), {}
    )  # fmt: skip
    network = build("compact", 1, 32, key=jax.random.key(1))
    save_model(folder / "model", spec, {"half0": network_weights(network)})
    return folder / "model"


def scored(plate: Path, model: Path, max_field_mpx: float, out: Path) -> dict[str, Any]:
    """Score the plate's field in a process of its own."""
    words = [str(plate), str(model), str(max_field_mpx), str(out)]
    command = [sys.executable, __file__, "--child", *words]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def child(plate_path: str, model_path: str, max_mpx: str, out: str) -> None:
    """Score one field; print what it took, and keep its cells."""
    from screen.field_pixels import field_pixels
    from screen.large_fields import is_left_in_store
    from screen.memory_check import resident_peak, working_bytes
    from screen.models import load_model
    from screen.scoring import JaxScorer

    plate, max_px = open_plate(Path(plate_path)), float(max_mpx) * 1e6
    scorer = JaxScorer(load_model(Path(model_path)), 64, max_field_px=max_px)
    scorer.finder((1, 64, 64), "uint16")  # JAX and its libraries are there before
    before, n_px = resident_peak(), [0]

    def counted(data: bytes, layout: Any, target: Any) -> None:
        n_px[0] += target.size
        decode_chunk(data, layout, target)

    is_stored = is_left_in_store(plate, max_px, is_segmented=False)
    begun = _cpu()
    with mock.patch.object(shard_parts, "decode_chunk", counted):
        field = field_pixels(plate, A1, 0, scorer.channels, None, is_stored=is_stored)
        scores = scorer(field, ("half0",))
    taken = _cpu() - begun
    np.savez(out, y=scores.y, x=scores.x, p=scores.probability, profile=scores.profile)
    found = {
        "before_mb": before / 1e6,
        "peak_mb": resident_peak() / 1e6,
        "reckoned_mb": working_bytes(plate, max_px) / 1e6,
        "cpu_s": taken,
        "cells": len(scores.y),
        "decoded": n_px[0] / np.prod(plate.field_shape) if is_stored else 1.0,
    }
    print(json.dumps(found))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def apart(one: Path, other: Path) -> dict[str, float]:
    """How far the cells of two scorings lie apart; infinite where they are not as many."""
    a, b = np.load(one), np.load(other)
    if len(a["y"]) != len(b["y"]):
        return {"px": float("inf"), "probability": float("inf")}
    far = max(np.abs(a[k] - b[k]).max() for k in ("y", "x"))
    return {"px": float(far), "probability": float(np.abs(a["p"] - b["p"]).max())}


def main() -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=16_000)
    parser.add_argument("--beside", type=int, default=4000)
    parser.add_argument(
        "--whole", action="store_true", help="the large field whole too"
    )
    parser.add_argument("--quick", action="store_true", help="of 6000 and 3000 pixels")
    parser.add_argument("--child", nargs=4)
    asked = parser.parse_args()
    if asked.quick:
        asked.side, asked.beside = 6000, 3000
    if asked.child:
        child(*asked.child)
        return 0
    with tempfile.TemporaryDirectory(prefix="windows-") as name:
        folder = Path(name)
        model, found = modelled(folder), {}
        small = painted(folder, asked.beside)
        # Whole and in windows by turns: a change of the machine hits both.
        found["beside_whole"] = scored(small, model, 1000, folder / "whole.npz")
        found["beside_windows"] = scored(small, model, 4.2, folder / "cut.npz")
        far = apart(folder / "whole.npz", folder / "cut.npz")
        large = painted(folder, asked.side)
        found["windows"] = scored(large, model, 4.2, folder / "large.npz")
        if asked.whole:
            found["whole"] = scored(large, model, 1000, folder / "large-whole.npz")
            far = apart(folder / "large-whole.npz", folder / "large.npz")
    more = found["windows"]["peak_mb"] - found["windows"]["before_mb"]
    is_good = far["px"] <= 1e-4 and more <= LIMIT_MB
    sizes = {"side": asked.side, "beside": asked.beside, "cells_mpx": CELLS_MPX}
    told = {"is_good": is_good, "apart": far, **found, "config": sizes}
    print(json.dumps({"bench": "windows", **rounded(told)} | facts()))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
