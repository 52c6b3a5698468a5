"""What a taught network says of crops."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from kernels.networks import GraphDef
from kernels.networks.heads import HeadSpec, read_out
from kernels.step import Look, Predict, make_look, make_predict

Crops = NDArray[np.float32]
Floats = NDArray[np.float32]
State = nnx.State[Any, Any]


def predict(
    module: nnx.Module, crops: Crops, *, batch: int = 256, d4: bool = False
) -> Floats:
    """P(senescent) f32[n] of crops f32[n s s c], in minibatches of one padded shape.

    ``d4`` averages the eight turns and mirror images of each crop.
    """
    module.eval()
    graphdef, params = nnx.split(module)
    return _averaged(_predictor(graphdef), params, crops, batch, d4, ())


def predict_all(
    module: nnx.Module,
    crops: Crops,
    head: HeadSpec,
    *,
    batch: int = 256,
    d4: bool = False,
) -> Floats:
    """Probabilities f32[n k] of k classes or grades, or the value itself f32[n 1].

    ``d4`` averages the eight turns and mirror images of each crop.
    """
    module.eval()
    graphdef, params = nnx.split(module)
    run = _reader(graphdef, head)
    width = 1 if head.kind == "regression" else head.n
    return _averaged(run, params, crops, batch, d4, (width,))


def _averaged(
    run: Callable[[State, jax.Array], jax.Array],
    params: State,
    crops: Crops,
    batch: int,
    d4: bool,
    shape: tuple[int, ...],
) -> Floats:
    views = _turned(crops) if d4 else [crops]
    total = np.zeros((len(crops), *shape), np.float64)
    for view in views:
        parts = [
            padded_run(run, params, view[i : i + batch], batch)
            for i in range(0, len(crops), batch)
        ]
        total += np.concatenate(parts) if parts else 0.0
    return np.asarray(total / len(views), np.float32)


def padded_run(
    run: Callable[[State, jax.Array], jax.Array],
    params: State,
    part: Crops,
    batch: int,
) -> Floats:
    """run(params, part) for a part of at most ``batch`` crops, in that one shape."""
    padded = np.zeros((batch, *part.shape[1:]), np.float32)
    padded[: len(part)] = part
    return np.asarray(run(params, jnp.asarray(padded)))[: len(part)]


def _turned(crops: Crops) -> list[Crops]:
    turns = [np.rot90(crops, k, axes=(1, 2)) for k in range(4)]
    return turns + [turn[:, :, ::-1] for turn in turns]


# Kept, because compiling takes seconds and the folds of one model share it.
@lru_cache(maxsize=8)
def _predictor(graphdef: GraphDef) -> Predict:
    return make_predict(graphdef)


@lru_cache(maxsize=8)
def looker(graphdef: GraphDef) -> Look:
    """The compiled function (weights, crops) -> logits of a network."""
    return make_look(graphdef)


@lru_cache(maxsize=8)
def _reader(graphdef: GraphDef, head: HeadSpec) -> Callable[[Any, Any], jax.Array]:
    look = looker(graphdef)
    return jax.jit(lambda params, crops: read_out(head, look(params, crops)))
