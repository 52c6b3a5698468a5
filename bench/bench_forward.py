"""Milliseconds per crop of each network, beside the same network in PyTorch.

Usage: python bench/bench_forward.py [--quick]. The last line is one JSON object.
PyTorch is an extra (pip install torch==2.13.0); without it its figures are null.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jax
import numpy as np
from flax import nnx

from bench.machine import facts
from kernels.networks import NETWORKS, build, n_parameters

MINIBATCH = 64
N_CHANNELS = {"compact": 2, "sesmo": 3}
NEAR = (
    "arithmetic of the convolutions (float32), not memory: one minibatch fits the cache"
)


def laps(call: Callable[[], object], seconds: float) -> list[float]:
    """Milliseconds of each call over about this many seconds, at least five calls."""
    call()
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        found.append((time.perf_counter() - start) * 1e3)
    return found


def jax_laps(name: str, seconds: float) -> tuple[list[float], float, int]:
    """Milliseconds of each minibatch, seconds to compile, number of parameters."""
    crop_px, n_channels = NETWORKS[name].crop_px, N_CHANNELS[name]
    network = build(name, n_channels, crop_px, key=jax.random.key(0))
    graphdef, params = nnx.split(network)
    shape = (MINIBATCH, crop_px, crop_px, n_channels)
    crops = jax.random.normal(jax.random.key(1), shape)
    start = time.perf_counter()
    forward = jax.jit(lambda x: nnx.merge(graphdef, params)(x)).lower(crops).compile()
    compile_s = time.perf_counter() - start
    found = laps(lambda: jax.block_until_ready(forward(crops)), seconds)  # type: ignore[no-untyped-call]
    return found, compile_s, n_parameters(network)


def torch_network(torch: Any, name: str) -> Any:
    """The same layers in PyTorch, eager."""
    nn = torch.nn
    c, relu = N_CHANNELS[name], torch.nn.ReLU
    if name == "sesmo":
        side = ((NETWORKS[name].crop_px - 4) // 2 - 4) // 2
        layers = [nn.Conv2d(c, 32, 3), relu(), nn.Conv2d(32, 32, 3), relu()]
        layers += [nn.MaxPool2d(2), nn.Dropout(0.5), nn.Conv2d(32, 64, 3), relu()]
        layers += [nn.Conv2d(64, 128, 3), relu(), nn.MaxPool2d(2), nn.Dropout(0.5)]
        layers += [nn.Flatten(), nn.Linear(side * side * 128, 256), relu()]
        return nn.Sequential(*layers, nn.Dropout(0.5), nn.Linear(256, 2)).eval()
    return _torch_compact(torch, c, NETWORKS[name].crop_px)


def _torch_compact(torch: Any, n_channels: int, crop_px: int) -> Any:
    nn, relu = torch.nn, torch.nn.ReLU

    class Residual(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), relu())

        def forward(self, x: Any) -> Any:
            return x + self.inner(x)

    layers = [nn.PixelUnshuffle(2), nn.Conv2d(4 * n_channels, 16, 3, padding=1), relu()]
    layers += [nn.Conv2d(16, 32, 3, stride=2, padding=1), relu()]
    layers += [nn.Conv2d(32, 64, 3, stride=2, padding=1), relu(), Residual()]
    layers += [nn.Flatten(), nn.Linear((crop_px // 8) ** 2 * 64, 64), relu()]
    return nn.Sequential(*layers, nn.Linear(64, 2)).eval()


def torch_laps(torch: Any, name: str, seconds: float) -> list[float]:
    """Milliseconds of each minibatch of the same size in PyTorch eager."""
    network = torch_network(torch, name)
    crop_px = NETWORKS[name].crop_px
    crops = torch.randn(MINIBATCH, N_CHANNELS[name], crop_px, crop_px)

    def forward() -> object:
        with torch.inference_mode():
            return network(crops)

    return laps(forward, seconds)


def per_crop(found: list[float]) -> dict[str, float]:
    """Median and the 10th and 90th percentiles in milliseconds per crop."""
    low, high = np.percentile(found, [10.0, 90.0]) / MINIBATCH
    return {
        "median": round(statistics.median(found) / MINIBATCH, 5),
        "p10": round(float(low), 5),
        "p90": round(float(high), 5),
    }


def figures(torch: Any, name: str, seconds: float) -> dict[str, object]:
    """Both engines turn by turn, so that a busy machine is busy for both."""
    ours: list[float] = []
    theirs: list[float] = []
    compile_s, size = 0.0, 0
    for i in range(2):
        found, first_s, size = jax_laps(name, seconds / 2)
        ours += found
        compile_s = compile_s if i else first_s
        theirs += torch_laps(torch, name, seconds / 2) if torch else []
    mine, other = per_crop(ours), per_crop(theirs) if theirs else None
    return {
        "ms_per_crop": mine["median"],
        "torch_ms_per_crop": other["median"] if other else None,
        "spread": mine,
        "torch_spread": other,
        "compile_s": round(compile_s, 2),
        "n_parameters": size,
        "crop_px": NETWORKS[name].crop_px,
        "n_channels": N_CHANNELS[name],
        "limit": NEAR,
    }


def main(arguments: list[str]) -> None:
    """Print what is measured, then one JSON object."""
    seconds = 1.0 if "--quick" in arguments else 6.0
    try:
        import torch
    except ImportError:
        torch = None
        print("torch is not installed: its figures are null")
    networks = {name: figures(torch, name, seconds) for name in NETWORKS}
    result = {
        "networks": networks,
        "minibatch": MINIBATCH,
        "jax": jax.__version__,
        "torch": getattr(torch, "__version__", None),
        **facts(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
