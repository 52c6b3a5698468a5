"""Time per crop of every explanation method, as the verb runs it: batches of 32.

.venv/bin/python bench/bench_explain.py [--quick] [--network sesmo]

Prints JSON lines: network, method, ms per crop (least and median of the repeats), the
same divided by a forward pass, seconds to compile, device.
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

from kernels.explanation import as_scored, make_answer, output_of
from kernels.networks import NETWORKS, build
from kernels.networks.heads import BINARY
from screen.explain_settings import METHODS, ExplainVerb
from screen.explanation.looking import method_of

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


def main() -> None:
    """Print a line for each network and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="compact, few repeats")
    parser.add_argument("--network", action="append", choices=sorted(NETWORKS))
    given = parser.parse_args()
    names = given.network or (["compact"] if given.quick else ["compact", "sesmo"])
    for name in names:
        for row in rows(name, QUICK_REPEATS if given.quick else REPEATS):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
