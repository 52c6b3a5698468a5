"""Milliseconds per crop of every network, forward, beside the same network in PyTorch.

Usage: python bench/bench_forward.py [--quick] [--networks NAME ...]. The last line is
one JSON object. On a GPU the best minibatch of each is searched, and float32 means what
matrix units do with it by default (TF32); on a CPU the minibatch is that of the scorer.
PyTorch is an extra (pip install torch==2.13.0); without it its figures are null. So is
TensorFlow (pip install tensorflow-cpu==2.21.0), whose Keras runs `sesmo` alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Two engines share one GPU: neither may take all of its memory at the start.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import numpy as np

from bench.forward_work import (
    Call,
    Task,
    keras_forward,
    lap_of,
    matrix_rate,
    multiply_adds,
    our_forward,
    their_forward,
    times_of,
)
from bench.machine import facts
from kernels.networks import NETWORKS, build, n_parameters

MINIBATCH = 64
HEAVY_PX = 128
HEAVY_MINIBATCH = 4
MINIBATCHES = tuple(2**i for i in range(5, 15))
WORTH = 0.98
"""A doubled minibatch must take at most this part of the time per crop to be kept."""
N_CHANNELS = {"compact_small": 2, "compact": 2, "compact_large": 2}
OTHER_CHANNELS = 3
SESMO_SHARE = 0.2
"""compact may take this part of sesmo's time per crop."""
NEAR = "arithmetic of the convolutions, in groups of crops that stay in the cache"
GPU_NEAR = "arithmetic of the matrix units where the share is high, else GPU memory"


def task_of(name: str, precision: str) -> Task:
    """The network at its usual crop."""
    channels = N_CHANNELS.get(name, OTHER_CHANNELS)
    return Task(name, NETWORKS[name].crop_px, channels, precision)


def best_minibatch(make: Callable[[int], Call]) -> tuple[int, Call]:
    """The minibatch of the least time per crop, doubled until it no longer pays."""
    best_size, best_call, least = 0, None, float("inf")
    for size in MINIBATCHES:
        try:
            call = make(size)
            found = min(lap_of(call, times_of(call)) for _ in range(3)) / size
        except (RuntimeError, MemoryError) as error:
            if not is_memory(error) or best_call is None:
                raise
            break
        if found > WORTH * least:
            break
        best_size, best_call, least = size, call, found
    assert best_call is not None
    return best_size, best_call


def is_memory(error: BaseException) -> bool:
    """Whether an engine says that its memory is full."""
    told = str(error).lower()
    return isinstance(error, MemoryError) or any(
        part in told for part in ("resource_exhausted", "out of memory")
    )


def chosen(make: Callable[[int], Call], crop_px: int) -> tuple[int, Call]:
    """The minibatch and its call: searched on a GPU, the scorer's on a CPU."""
    if jax.default_backend() != "cpu":
        return best_minibatch(make)
    size = HEAVY_MINIBATCH if crop_px > HEAVY_PX else MINIBATCH
    return size, make(size)


def figures(torch: Any, task: Task, n_laps: int, rate: float) -> dict[str, object]:
    """Both engines lap by lap, so that a busy machine is busy for both."""
    compiling: list[float] = []

    def make(size: int) -> Call:
        call, seconds = our_forward(task, size)
        compiling.append(seconds)
        return call

    size, ours = chosen(make, task.crop_px)
    calls = {"ours": (size, ours)}
    if torch:
        take = lambda size: their_forward(torch, task, size)  # noqa: E731
        calls["torch"] = chosen(take, task.crop_px)
    of_keras, difference = keras_forward(task, size) if has_keras(task) else ({}, None)
    calls |= {name: (size, call) for name, call in of_keras.items()}
    told = in_turn(calls, n_laps)
    needed, mine, other = multiply_adds(task), told["ours"], told.get("torch")
    is_cpu = jax.default_backend() == "cpu"
    print(f"{task.name} {task.precision}: {mine['median']} ms", file=sys.stderr)
    return {
        "ms_per_crop": mine["median"],
        "torch_ms_per_crop": other["median"] if other else None,
        "keras_ms_per_crop": {k: told[k]["median"] for k in of_keras} or None,
        "keras_difference": difference,
        "spread": mine,
        "torch_spread": other,
        "minibatch": size,
        "torch_minibatch": calls["torch"][0] if torch else None,
        "share_of_matrix_rate": round(needed / mine["median"] / 1e9 / rate, 3),
        "multiply_adds": round(needed),
        "compile_s": round(compiling[-1], 2),
        "crop_px": task.crop_px,
        "n_channels": task.n_channels,
        "limit": NEAR if is_cpu else GPU_NEAR,
    }


def has_keras(task: Task) -> bool:
    """Whether Keras is here and has this network, on a CPU in single precision."""
    is_told = task.name == "sesmo" and task.precision == "float32"
    is_cpu = jax.default_backend() == "cpu"
    return is_told and is_cpu and importlib.util.find_spec("tensorflow") is not None


def in_turn(
    calls: dict[str, tuple[int, Call]], n_laps: int
) -> dict[str, dict[str, float]]:
    """Each call with its minibatch, lap by lap in turns: what a crop takes."""
    times = {name: times_of(call) for name, (_, call) in calls.items()}
    laps: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(n_laps):
        for name, (size, call) in calls.items():
            laps[name].append(lap_of(call, times[name]) / size)
    return {name: per_crop(found) for name, found in laps.items()}


def per_crop(found: list[float]) -> dict[str, float]:
    """Median and the 10th and 90th percentiles in milliseconds per crop."""
    low, high = np.percentile(found, [10.0, 90.0])
    told = {"median": statistics.median(found), "p10": low, "p90": high}
    return {name: float(f"{value:.4g}") for name, value in told.items()}


def measured(torch: Any, name: str, arguments: Any, rates: Any) -> dict[str, object]:
    """One network in each precision."""
    is_heavy = NETWORKS[name].crop_px > HEAVY_PX and jax.default_backend() == "cpu"
    n_laps = 2 if is_heavy else 5 if arguments.quick else 25
    told: dict[str, object] = {
        precision: figures(torch, task_of(name, precision), n_laps, rate)
        for precision, rate in rates.items()
    }
    task = task_of(name, "float32")
    network = build(name, task.n_channels, task.crop_px, key=jax.random.key(0))
    return told | {"n_parameters": n_parameters(network)}


def main() -> int:
    """Print what is measured, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="float32 and few laps")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    arguments = parser.parse_args()
    try:
        import torch
    except ImportError:
        torch = None
        print("torch is not installed: its figures are null")
    is_short = arguments.quick and jax.default_backend() == "cpu"
    precisions = ("float32",) if is_short else ("float32", "bfloat16")
    rates = {precision: matrix_rate(precision) for precision in precisions}
    told: dict[str, Any] = {
        name: measured(torch, name, arguments, rates) for name in arguments.networks
    }
    result = {
        "bench": "forward",
        "networks": told,
        "compact_share_of_sesmo": share(told),
        "bar": SESMO_SHARE,
        "matrix_tera_multiply_adds_per_s": {k: round(v, 4) for k, v in rates.items()},
        "jax": jax.__version__,
        "torch": getattr(torch, "__version__", None),
        **facts(),
    }
    print(json.dumps(result))
    return 0


def share(told: dict[str, Any]) -> float | None:
    """Time per crop of compact over that of sesmo, None where one is not measured."""
    if not {"compact", "sesmo"} <= set(told):
        return None
    times = [told[name]["float32"]["ms_per_crop"] for name in ("compact", "sesmo")]
    return float(round(times[0] / times[1], 4))


if __name__ == "__main__":
    sys.exit(main())
