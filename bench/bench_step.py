"""Milliseconds of one training step of each network, beside PyTorch's.

Usage: python bench/bench_step.py [--quick] [--networks NAME ...]. The last line is one
JSON object. A step is forward, backward, gradients clipped by their norm, and
stochastic gradient descent with momentum, in float32; both engines take turns, lap by
lap. On a machine that others use, --one-core compares processor seconds: PyTorch's
threads wait for each other, and a clock would count the others' work as its own.
PyTorch is an extra (pip install torch==2.13.0); without it its figures are null.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from bench.machine import facts
from kernels.networks import build, n_parameters
from kernels.step import make_train_step, sgd_clipped, start_training

RATE, MOMENTUM, CLIP = 0.01, 0.9, 1.0
BAR = 1.2
LAP_S = 0.3
"""A lap takes as many steps as fill this, after one that does not count: the other
engine's threads still spin then, and its numbers fill the cache."""


class Shape(NamedTuple):
    """What a step is given."""

    minibatch: int
    crop_px: int
    n_channels: int


SHAPES = {
    "compact": Shape(128, 32, 2),
    "sesmo": Shape(64, 50, 3),
    "resnet18": Shape(16, 64, 3),
    "resnet50": Shape(16, 64, 3),
    "vgg16": Shape(4, 128, 3),
}
"""compact and sesmo at their usual crop; the others at what a workstation would teach
them: a cell of 64 pixels, and for vgg16, whose dense layers weigh 0.5 GB with as much
again for slope and momentum, four crops that leave both engines room in 6 GB."""
LIMITS = {
    "compact": "many small operations, of a core each: two halves of the minibatch keep"
    " both at work, and a step that waited finds one core only",
    "sesmo": "Winograd's transforms and the groups they go through, a core each half",
    "resnet18": "half of a step keeps one core: batch norms, products of few rows with"
    " the kernels of the last layers, Winograd's groups",
    "resnet50": "not found by operation; a fifth was memory asked for anew each step",
    "vgg16": "not found by operation; 134 M weights with slope and momentum are read",
}

Lap = tuple[float, float]
"""Milliseconds on the clock, milliseconds of processors."""


def our_step(name: str, shape: Shape) -> tuple[Callable[[], object], float, int]:
    """A step of ours, the seconds of its compiling, the number of parameters."""
    network: Any = build(name, shape.n_channels, shape.crop_px, key=jax.random.key(0))
    network.train()
    size = n_parameters(network)
    graphdef, *states = nnx.split(network, nnx.Param, ...)
    optimiser = sgd_clipped(RATE, momentum=MOMENTUM, clip_norm=CLIP)
    step = make_train_step(graphdef, optimiser, None)
    crops, labels = picture(shape)
    given = (
        jax.random.key(1),
        jnp.asarray(crops),
        jnp.asarray(labels),
        jnp.ones(shape.minibatch),
    )
    held = [start_training(states[0], optimiser, states[1])]

    def once() -> object:
        held[0], loss = step(held[0], *given)
        jax.block_until_ready(held[0])  # type: ignore[no-untyped-call]
        return loss

    begun = time.perf_counter()
    once()
    return once, time.perf_counter() - begun, size


def their_step(torch: Any, name: str, shape: Shape) -> Callable[[], object]:
    """The same step in PyTorch eager."""
    from bench.peers import torch_networks

    network = torch_networks.build(name, shape.n_channels, shape.crop_px).train()
    optimiser = torch.optim.SGD(network.parameters(), RATE, momentum=MOMENTUM)
    crops, labels = picture(shape)
    x = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))
    truth = torch.from_numpy(labels.astype(np.int64))

    def once() -> object:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), truth)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        return loss

    once()
    return once


def picture(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Crops of noise f32[b s s c] and labels i32[b]."""
    rng = np.random.default_rng(0)
    side = (shape.minibatch, shape.crop_px, shape.crop_px, shape.n_channels)
    crops = rng.normal(0.0, 0.5, side).astype(np.float32)
    return crops, rng.integers(0, 2, shape.minibatch).astype(np.int32)


def lap(call: Callable[[], object], n_calls: int) -> Lap:
    """What one of so many calls takes, in the mean."""
    call()
    clock, cpu = time.perf_counter(), time.process_time()
    for _ in range(n_calls):
        call()
    spent = time.process_time() - cpu
    return (time.perf_counter() - clock) * 1e3 / n_calls, spent * 1e3 / n_calls


def figures(torch: Any, name: str, n_laps: int) -> dict[str, object]:
    """Both engines in turns of a third of a second, so that a busy machine is busy for
    both, and each is as it is in a training: step after step of its own."""
    shape = SHAPES[name]
    ours, compile_s, size = our_step(name, shape)
    theirs = their_step(torch, name, shape) if torch else None
    n_calls = max(1, round(1e3 * LAP_S / lap(ours, 1)[0]))
    mine: list[Lap] = []
    other: list[Lap] = []
    for _ in range(n_laps):
        mine.append(lap(ours, n_calls))
        other += [lap(theirs, n_calls)] if theirs else []
    told: dict[str, object] = {
        "step_ms": summed(mine, 0),
        "torch_step_ms": summed(other, 0),
        "cpu_ms": summed(mine, 1),
        "torch_cpu_ms": summed(other, 1),
        "ratio": ratio(mine, other, 0),
        "cpu_ratio": ratio(mine, other, 1),
        "compile_s": round(compile_s, 1),
        "n_parameters": size,
        "shape": shape._asdict(),
        "laps": n_laps,
        "steps_per_lap": n_calls,
        "limit": LIMITS[name],
    }
    both = f"{told['ratio']} by the clock, {told['cpu_ratio']} by processors"
    print(f"{name}: {both} of PyTorch's", file=sys.stderr, flush=True)
    return told


def summed(laps: list[Lap], which: int) -> dict[str, float] | None:
    """Median and the 10th and 90th percentiles."""
    if not laps:
        return None
    found = [one[which] for one in laps]
    low, high = np.percentile(found, [10.0, 90.0])
    return {
        "median": round(statistics.median(found), 2),
        "p10": round(float(low), 2),
        "p90": round(float(high), 2),
    }


def ratio(mine: list[Lap], other: list[Lap], which: int) -> float | None:
    """Median of ours over median of theirs, None without theirs."""
    if not other:
        return None
    ours, theirs = (
        statistics.median(one[which] for one in laps) for laps in (mine, other)
    )
    return round(ours / theirs, 3)


def main() -> int:
    """Print what is measured, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three laps, not fifteen")
    parser.add_argument("--networks", nargs="+", default=list(SHAPES), choices=SHAPES)
    parser.add_argument("--one-core", action="store_true", help="on a busy machine")
    arguments = parser.parse_args()
    if arguments.one_core:
        # Before either engine counts the processors that it may use.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        import torch
    except ImportError:
        torch = None
        print("torch is not installed: its figures are null")
    n_laps = 3 if arguments.quick else 15
    told = {name: figures(torch, name, n_laps) for name in arguments.networks}
    which = "cpu_ratio" if arguments.one_core else "ratio"
    ratios = [one[which] for one in told.values()]
    result = {
        "bench": "step",
        "networks": told,
        "one_core": arguments.one_core,
        "bar": BAR,
        "within_bar": all(r <= BAR for r in ratios) if torch else None,  # type: ignore[operator]
        "jax": jax.__version__,
        "torch": getattr(torch, "__version__", None),
        **facts(),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
