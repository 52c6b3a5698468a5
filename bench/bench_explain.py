"""Time per crop of every explanation method, and with --checks what each is worth.

.venv/bin/python bench/bench_explain.py [--quick] [--network sesmo] [--checks]

Prints JSON lines: network, method, ms per crop (least and median of the repeats, batches
of 32), the same divided by a forward pass, seconds to compile, device. With --checks a
compact network is taught that a bright square in virtual cells decides, and each method
is held to it: rank correlation with shuffled weights, deletion, share in the square.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

import jax
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from kernels.explanation import as_scored, make_answer, output_of
from kernels.networks import NETWORKS, build
from kernels.networks.heads import BINARY
from screen.explain_settings import METHODS, ExplainVerb
from screen.explanation.looking import Looking, method_of
from screen.explanation.planted import plant, taught
from screen.explanation.sanity import cue_shares, deletion, randomisation
from screen.models import ModelSpec, NetworkSpec

BATCH = 32
N_CHANNELS = 2
REPEATS = 10
QUICK_REPEATS = 3


def timed(run: Callable[[], jax.Array], repeats: int) -> tuple[float, float, float]:
    """Seconds to compile (the first call), and least and median of the others."""
    begun = time.perf_counter()
    run().block_until_ready()
    first = time.perf_counter() - begun
    took = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run().block_until_ready()
        took.append(time.perf_counter() - begun)
    return first, min(took), median(took)


def rows(name: str, repeats: int) -> Iterator[dict[str, Any]]:
    """One row for the forward pass and each method of a network at its usual crop."""
    side = NETWORKS[name].crop_px
    graphdef, params = nnx.split(build(name, N_CHANNELS, side, key=jax.random.key(1)))
    look, output = as_scored(graphdef), output_of(BINARY)
    rng = np.random.default_rng(1)
    shape = (BATCH, side, side, N_CHANNELS)
    crops = jax.device_put(rng.normal(size=shape).astype(np.float32))
    runs: dict[str, Any] = {"forward": make_answer(look)}
    runs |= {m: method_of(ExplainVerb(method=m), look) for m in METHODS}
    forward = 0.0
    for method, explain in runs.items():
        first, least, middle = timed(partial(explain, params, crops, output), repeats)
        forward = forward or least
        yield {
            "network": name,
            "crop_px": side,
            "method": method,
            "ms_per_crop": round(1e3 * least / BATCH, 4),
            "ms_per_crop_median": round(1e3 * middle / BATCH, 4),
            "of_a_forward_pass": round(least / forward, 1),
            "compile_s": round(first, 2),
            "device": jax.devices()[0].device_kind,
        }


def virtual_cells(n: int, seed: int, side: int = 32) -> NDArray[np.float32]:
    """Round cells of several sizes in noise f32[n s s 2], nucleus and body."""
    rng = np.random.default_rng(seed)
    at = np.arange(side) - (side - 1) / 2
    far = np.hypot(at[:, None], at[None, :])[None]
    radius = rng.uniform(0.25, 0.4, (n, 1, 1)) * side
    nucleus = 1 / (1 + np.exp((far - radius / 2) / 0.7))
    crops = np.stack([nucleus, 0.8 / (1 + np.exp(far - radius))], -1)
    crops *= rng.uniform(0.7, 1.3, (n, 1, 1, 2))
    return np.asarray(crops + rng.normal(0, 0.1, crops.shape), np.float32)


def checks(n_crops: int) -> Iterator[dict[str, Any]]:
    """One row for each method: what its maps are worth on a taught network."""
    network = NetworkSpec("all", "", "", (), "well")
    spec = ModelSpec(
        "compact", 32, True, ("nucleus", "body"), 1.0, {}, {}, {}, 0.5, "", (network,), {}
    )  # fmt: skip
    module, accuracy = taught(spec, virtual_cells(n_crops, 1), 1)
    graphdef, params = nnx.split(module)
    tested, cue = plant(virtual_cells(64, 2), np.ones(64, np.int64), 2)
    look = as_scored(graphdef)
    for method in METHODS:
        explain = method_of(ExplainVerb(method=method), look)
        answer, output = make_answer(look), output_of(BINARY)
        own = Looking(explain, answer, {}, output, "", {"all": params}, look)
        maps = own.maps(params, tested, BATCH)
        speaking, absolute = cue_shares(maps, cue)
        given: dict[str, Any] = {"seed": 1, "size": BATCH}
        rho = randomisation(own, params, tested, **given)
        fall = deletion(own, params, tested, **given, steps=16, fill=0.0)
        yield {
            "method": method,
            "accuracy": accuracy,
            "rho": round(rho.value, 3),
            "rho_words": rho.words,
            "deletion": [round(v, 3) for v in (fall.value, fall.low, fall.high)],
            "cue_share": round(float(speaking.mean()), 3),
            "cue_share_absolute": round(float(absolute.mean()), 3),
        }


def main() -> None:
    """Print a line for each network and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="compact, few repeats")
    parser.add_argument("--network", action="append", choices=sorted(NETWORKS))
    parser.add_argument("--checks", action="store_true", help="what maps are worth")
    given = parser.parse_args()
    if given.checks:
        for row in checks(300 if given.quick else 800):
            print(json.dumps(row), flush=True)
        return
    names = given.network or (["compact"] if given.quick else ["compact", "sesmo"])
    for name in names:
        for row in rows(name, QUICK_REPEATS if given.quick else REPEATS):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
