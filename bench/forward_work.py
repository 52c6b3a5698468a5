"""What the bench of forward passes runs: ours, PyTorch's, Keras', a product of matrices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from kernels.networks import NETWORKS, build
from kernels.networks.folding import fold
from kernels.scorer import MOST_CONSTANTS

LAP_S = 0.02
"""A lap holds as many calls as fill this, so that launching is not what is timed."""
MATRIX_SIDE = {"cpu": 2048, "gpu": 8192}

Call = Callable[[int], object]
"""Run so many forward passes and wait for the last."""


class Task(NamedTuple):
    """One network, its crop and the precision it computes in."""

    name: str
    crop_px: int
    n_channels: int
    precision: str


def our_forward(task: Task, minibatch: int) -> tuple[Call, float]:
    """Forward passes of ours, folded as they score, and the seconds of their compiling."""
    dtype = jnp.dtype(task.precision)
    network: Any = built(task)
    network.eval()
    fold(network)
    graphdef, state = nnx.split(network)
    state = jax.tree.map(lambda leaf: leaf.astype(dtype), state)
    shape = (minibatch, task.crop_px, task.crop_px, task.n_channels)
    crops = jax.random.normal(jax.random.key(1), shape, dtype)
    size = sum(leaf.size for leaf in jax.tree.leaves(state))
    begun = time.perf_counter()
    if size > MOST_CONSTANTS:
        taking = jax.jit(lambda s, x: nnx.merge(graphdef, s)(x))
        large = taking.lower(state, crops).compile()
        run = lambda: large(state, crops)  # noqa: E731
    else:
        small = jax.jit(lambda x: nnx.merge(graphdef, state)(x)).lower(crops).compile()
        run = lambda: small(crops)  # noqa: E731
    return _repeated(run), time.perf_counter() - begun


def their_forward(torch: Any, task: Task, minibatch: int) -> Call:
    """Forward passes of PyTorch, eager, channels last, on a GPU where it has one."""
    from bench.peers import torch_networks

    is_gpu = torch.cuda.is_available() and jax.default_backend() == "gpu"
    device = "cuda" if is_gpu else "cpu"
    dtype = getattr(torch, task.precision)
    made = torch_networks.build(task.name, task.n_channels, task.crop_px)
    network = torch_networks.settled(made).to(device, dtype)
    shape = (minibatch, task.n_channels, task.crop_px, task.crop_px)
    crops = torch.randn(shape, device=device, dtype=dtype)
    if is_gpu:
        torch.backends.cuda.matmul.allow_tf32 = True
        network = network.to(memory_format=torch.channels_last)
        crops = crops.to(memory_format=torch.channels_last)

    def forward(times: int) -> object:
        with torch.inference_mode():
            for _ in range(times):
                found = network(crops)
            if is_gpu:
                torch.cuda.synchronize()
        return found

    return forward


def keras_forward(task: Task, minibatch: int) -> tuple[dict[str, Call], float]:
    """Forward passes of Keras with the weights of ours, by each way to run it, and its
    largest difference to ours relative to the largest logit."""
    from bench.peers import keras_networks

    network: Any = built(task)
    network.eval()
    shape = (minibatch, task.crop_px, task.crop_px, task.n_channels)
    crops = np.asarray(jax.random.normal(jax.random.key(1), shape))
    made = keras_networks.sesmo(network, task.n_channels, task.crop_px)
    ours, found = np.asarray(network(crops)), {}
    largest = 0.0
    for name, forward in keras_networks.ways(made, crops).items():
        away = float(np.abs(np.asarray(forward()) - ours).max() / np.abs(ours).max())
        largest = max(largest, away)
        found[name] = _repeated(forward, np.asarray)
    return found, largest


def matrix_rate(precision: str, laps: int = 5) -> float:
    """The best rate of a square product, in 10^12 multiply-adds per second."""
    side = MATRIX_SIDE.get(jax.default_backend(), MATRIX_SIDE["gpu"])
    matrix = jnp.ones((side, side), jnp.dtype(precision))
    product = jax.jit(jnp.matmul)
    call = _repeated(lambda: product(matrix, matrix))
    best = min(lap_of(call, times_of(call)) for _ in range(laps))
    return side**3 / best / 1e9


def multiply_adds(task: Task) -> float:
    """Multiply-adds of one crop in products and convolutions as they are written.

    Of the ways for different platforms the one with most counts: it takes no short cut.
    """
    network: Any = built(task)
    network.eval()
    x = jnp.zeros((4, task.crop_px, task.crop_px, task.n_channels))
    return _count(jax.make_jaxpr(network)(x).jaxpr) / 4


def built(task: Task) -> nnx.Module:
    """The network with random weights."""
    if task.name not in NETWORKS:
        raise ValueError(f"no network {task.name!r}")
    return build(task.name, task.n_channels, task.crop_px, key=jax.random.key(0))


def lap_of(call: Call, times: int) -> float:
    """Milliseconds of one pass, mean of so many."""
    begun = time.perf_counter()
    call(times)
    return (time.perf_counter() - begun) * 1e3 / times


def times_of(call: Call) -> int:
    """Passes that fill a lap."""
    call(1)
    return max(1, round(LAP_S * 1e3 / max(lap_of(call, 1), 1e-3)))


def _repeated(
    run: Callable[[], object], wait: Callable[[Any], object] = jax.block_until_ready
) -> Call:
    def call(times: int) -> object:
        for _ in range(times):
            found = run()
        return wait(found)

    return call


def _count(jaxpr: Any) -> float:
    return float(sum(_of_equation(equation) for equation in jaxpr.eqns))


def _of_equation(equation: Any) -> float:
    name, parameters = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = parameters["dimension_numbers"]
        left = equation.invars[0].aval
        return float(equation.outvars[0].aval.size) * _over(left.shape, contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval
        n_out = kernel.shape[parameters["dimension_numbers"].rhs_spec[0]]
        return float(equation.outvars[0].aval.size * kernel.size / n_out)
    inner = [_count(jaxpr) for jaxpr in _inner(parameters)]
    times = parameters["length"] if name == "scan" else 1
    once = max(inner, default=0.0) if name == "cond" else sum(inner)
    return float(times * once)


def _inner(parameters: dict[str, Any]) -> Iterator[Any]:
    for value in parameters.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            if hasattr(one, "eqns"):
                yield one
            elif hasattr(getattr(one, "jaxpr", None), "eqns"):
                yield one.jaxpr


def _over(shape: tuple[int, ...], axes: Any) -> float:
    size = 1.0
    for axis in axes:
        size *= shape[axis]
    return size
