"""The networks by name: no code is ever looked up from a model file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
from flax import nnx
from jaxtyping import Array, Float32

from kernels.networks.compact import Compact
from kernels.networks.sesmo import Sesmo
from kernels.shapes import Crops, PRNGKey

GraphDef = nnx.GraphDef[Any]
Params = nnx.State[Any, Any]

N_CLASSES = 2
"""Healthy is class 0, senescent is class 1, in every network."""


class Network(Protocol):
    """What training and scoring ask of a network; key None means no randomness."""

    def __call__(self, x: Crops, key: PRNGKey | None = None) -> Float32[Array, "b 2"]:
        """Logits of healthy and senescent."""

    def embed(self, x: Crops, key: PRNGKey | None = None) -> Float32[Array, "b e"]:
        """The numbers under the head."""


@dataclass(frozen=True)
class NetworkEntry:
    """One network of the registry: how to build it, its usual crop, what it is."""

    builder: Callable[..., nnx.Module]
    crop_px: int
    n_embedding: int
    description: str


NETWORKS: dict[str, NetworkEntry] = {
    "compact": NetworkEntry(
        Compact,
        32,
        64,
        "four convolutions, 1.5 M multiply-adds, any crop of 8 n pixels",
    ),
    "sesmo": NetworkEntry(
        Sesmo, 50, 256, "Deep-SeSMo (Kusumoto 2021), 58.9 M multiply-adds at 50 pixels"
    ),
}


def build(name: str, n_channels: int, crop_px: int, *, key: PRNGKey) -> nnx.Module:
    """A new network with random weights; raises ValueError for an unknown name or crop."""
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}; known: {', '.join(sorted(NETWORKS))}")
    rngs = nnx.Rngs(params=key)
    return NETWORKS[name].builder(n_channels, crop_px, rngs=rngs)


def n_parameters(network: nnx.Module) -> int:
    """Number of trained numbers."""
    return sum(
        int(leaf.size) for leaf in jax.tree.leaves(nnx.state(network, nnx.Param))
    )
