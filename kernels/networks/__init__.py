"""The networks by name: no code is ever looked up from a model file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
from flax import nnx
from jaxtyping import Array, Float

from kernels.networks.compact import Compact
from kernels.networks.resnet import resnet18, resnet50
from kernels.networks.sesmo import Sesmo
from kernels.networks.stages import Relu, Stage
from kernels.networks.vgg import Vgg16
from kernels.networks.wide import N_PLANES, CompactWide
from kernels.shapes import PRNGKey

GraphDef = nnx.GraphDef[Any]
Params = nnx.State[Any, Any]

N_CLASSES = 2
"""Healthy is class 0, senescent is class 1, in every binary network."""


class Network(Protocol):
    """What training and scoring ask of a network; key None means no randomness."""

    head: nnx.Linear

    def __call__(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "b o"]:
        """Logits; of a binary network those of healthy and senescent."""

    def embed(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "b e"]:
        """The numbers under the head."""

    def stages(self, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        """Named steps; the last, ``head``, gives logits, the one before the embedding."""


@dataclass(frozen=True)
class NetworkEntry:
    """One network of the registry: how to build it, its usual crop, what it is.

    ``builder`` takes (n_channels, crop_px, *, n_out, width, rngs); ``n_embedding`` is
    that of width 1, and ``width`` multiplies the width that is asked for. The last
    ``n_numbers`` channels hold numbers, no picture, and are not augmented.
    """

    builder: Callable[..., nnx.Module]
    crop_px: int
    n_embedding: int
    description: str
    width: float = 1.0
    n_numbers: int = 0


NETWORKS: dict[str, NetworkEntry] = {
    "compact": NetworkEntry(
        Compact,
        32,
        64,
        "four convolutions, 1.5 M multiply-adds, any crop of 8 n pixels",
    ),
    "compact_small": NetworkEntry(Compact, 32, 64, "compact at half its width", 0.5),
    "compact_large": NetworkEntry(Compact, 32, 64, "compact at twice its width", 2.0),
    "compact_wide": NetworkEntry(
        CompactWide,
        24,
        128,
        "compact that also reads numbers of the cell from its last two channels",
        n_numbers=N_PLANES,
    ),
    "sesmo": NetworkEntry(
        Sesmo, 50, 256, "Deep-SeSMo (Kusumoto 2021), 58.9 M multiply-adds at 50 pixels"
    ),
    "resnet18": NetworkEntry(
        resnet18, 224, 512, "ResNet-18 (He 2016), 1.8 G multiply-adds at 224 pixels"
    ),
    "resnet50": NetworkEntry(
        resnet50, 224, 2048, "ResNet-50 v1.5, 4.1 G multiply-adds at 224 pixels"
    ),
    "vgg16": NetworkEntry(
        Vgg16, 224, 4096, "VGG-16 (Simonyan 2015), 15.5 G multiply-adds at 224 pixels"
    ),
}


def build(
    name: str,
    n_channels: int,
    crop_px: int,
    *,
    key: PRNGKey,
    n_out: int = 2,
    width: float = 1.0,
) -> nnx.Module:
    """A new network with random weights and ``n_out`` logits.

    ``width`` multiplies the channels of every layer. Raises ValueError for an unknown
    name, a crop that the network cannot take, or a number that is not positive.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}; known: {', '.join(sorted(NETWORKS))}")
    if n_channels < 1 or n_out < 1 or width <= 0:
        raise ValueError(
            "channels, outputs and width of a network must be above 0, not"
            f" {n_channels}, {n_out} and {width}"
        )
    entry = NETWORKS[name]
    rngs = nnx.Rngs(params=key)
    return entry.builder(
        n_channels, crop_px, n_out=n_out, width=entry.width * width, rngs=rngs
    )


def n_parameters(network: nnx.Module) -> int:
    """Number of trained numbers."""
    return sum(
        int(leaf.size) for leaf in jax.tree.leaves(nnx.state(network, nnx.Param))
    )
