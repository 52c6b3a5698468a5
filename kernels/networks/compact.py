"""The house network for small round objects: few, early and strided convolutions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from kernels.networks.convolution import convolve
from kernels.networks.halves import run_halves
from kernels.networks.stages import Relu, Stage, Staged
from kernels.shapes import PRNGKey

WIDTHS = (16, 32, 64)
N_EMBEDDING = 64


class UnitConv(nnx.Module):
    """A 3 x 3 convolution, zero padding, whose filters have mean 0 and length 1 times gain.

    Standardised weights (Brock et al., ICLR 2021) do the work of a batch norm without
    a batch: a cell's score never depends on its neighbours. Written as one matrix
    product of nine shifted copies, which XLA:CPU runs faster, backwards above all; once
    folded, nothing runs backwards and the convolution's own way is the faster one.
    """

    def __init__(self, n_in: int, n_out: int, *, stride: int, rngs: nnx.Rngs) -> None:
        """He-like start: a gain of sqrt(2) keeps the variance through a ReLU.

        Filters start near length 1 though their length does not count: Adam moves all
        weights by like steps, so longer ones would turn more slowly.
        """
        start = jax.random.normal(rngs.params(), (9 * n_in, n_out), jnp.float32)
        start = start * (1.0 / (9 * n_in) ** 0.5)
        self.kernel = nnx.Param(start)
        gain = jnp.full((n_out,), 2.0**0.5, jnp.float32)
        self.gain: nnx.Param[jax.Array] | None = nnx.Param(gain)
        self.bias = nnx.Param(jnp.zeros((n_out,), jnp.float32))
        self.stride = stride

    def fold(self) -> None:
        """Work the standardised weights out, once for all: nothing is left to learn by."""
        if self.gain is None:
            return
        # In numpy: each operation of JAX would be compiled anew for every shape.
        kernel, gain = np.asarray(self.kernel[...]), np.asarray(self.gain[...])
        weights = _standardised(kernel, gain, np.sqrt)
        n_in = len(weights) // 9
        self.kernel = nnx.Param(jax.device_put(weights.reshape(3, 3, n_in, -1)))
        self.gain = None

    def __call__(self, x: Float[Array, "b y x c"]) -> Float[Array, "b u v d"]:
        """Output side = input side / stride, rounded up."""
        if self.gain is None:
            kernel = self.kernel[...]
            return convolve(x, kernel, stride=self.stride, padding=1) + self.bias[...]
        weights = _standardised(self.kernel[...], self.gain[...], jnp.sqrt)
        columns = shifted_copies(x, self.stride)
        b, u, v, d = columns.shape
        y: jax.Array = columns.reshape(b * u * v, d) @ weights + self.bias[...][None, :]
        return y.reshape(b, u, v, y.shape[1])


def _standardised(kernel: Any, gain: Any, root: Callable[[Any], Any]) -> Any:
    """Filters [n, d] of mean 0 and length gain, of numpy's arrays or of JAX's."""
    centred = kernel - kernel.mean(0, keepdims=True)
    length = root((centred * centred).sum(0, keepdims=True) + 1e-6)
    return centred / length * gain[None, :]


def shifted_copies(x: Float[Array, "b y x c"], stride: int) -> Float[Array, "b u v d"]:
    """The 3 x 3 neighbourhood of every stride-th pixel, side by side in the last axis."""
    b, y, w, c = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    ends = [(b, i + y, j + w, c) for i in range(3) for j in range(3)]
    starts = [(0, i, j, 0) for i in range(3) for j in range(3)]
    steps = (1, stride, stride, 1)
    copies = [lax.slice(padded, s, e, steps) for s, e in zip(starts, ends, strict=True)]
    return jnp.concatenate(copies, axis=-1)


def folded(x: Float[Array, "b s s c"]) -> Float[Array, "b u v d"]:
    """2 x 2 pixels become channels: a stem that starts at half the side."""
    b, s, _, c = x.shape
    parts = x.reshape(b, s // 2, 2, s // 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(b, s // 2, s // 2, 4 * c)


class Convolved(Staged):
    """What the house networks share: four 3 x 3 convolutions to an eighth of the side."""

    name: str
    """What the registry calls it."""

    def __init__(
        self, n_channels: int, crop_px: int, *, width: float, rngs: nnx.Rngs
    ) -> None:
        """Raise ValueError for a crop side that is not a multiple of 8.

        ``width`` multiplies the channels of the convolutions.
        """
        if crop_px % 8 or crop_px < 16:
            raise ValueError(
                f"the {self.name} network takes crops of 16, 24, 32 ... pixels, not"
                f" {crop_px}"
            )
        a, b, c = (max(1, round(n * width)) for n in WIDTHS)
        self.stem = UnitConv(4 * n_channels, a, stride=1, rngs=rngs)
        self.second = UnitConv(a, b, stride=2, rngs=rngs)
        self.third = UnitConv(b, c, stride=2, rngs=rngs)
        self.fourth = UnitConv(c, c, stride=1, rngs=rngs)
        self.n_flat = (crop_px // 8) ** 2 * c

    def maps(self, relu: Relu) -> tuple[Stage, ...]:
        """stem, second, third and fourth; none is random."""
        return (
            Stage("stem", lambda x, _: relu(self.stem(folded(x))), True),
            Stage("second", lambda x, _: relu(self.second(x)), True),
            Stage("third", lambda x, _: relu(self.third(x)), True),
            Stage("fourth", lambda x, _: x + relu(self.fourth(x)), True),
        )


class Compact(Convolved):
    """Four 3 x 3 convolutions to an eighth of the side, one dense layer, two logits.

    About 1.5 M multiply-adds for 32 x 32 x 2. The place in the crop is kept up to the
    dense layer, because the cell in the middle is meant and its neighbours are not.
    """

    name = "compact"

    def __init__(
        self,
        n_channels: int,
        crop_px: int,
        *,
        n_out: int = 2,
        width: float = 1.0,
        rngs: nnx.Rngs,
    ) -> None:
        """Raise ValueError for a crop side that is not a multiple of 8.

        ``width`` multiplies the channels of the convolutions, not the embedding.
        """
        super().__init__(n_channels, crop_px, width=width, rngs=rngs)
        self.dense = nnx.Linear(self.n_flat, N_EMBEDDING, rngs=rngs)
        self.head = nnx.Linear(N_EMBEDDING, n_out, rngs=rngs)

    def stages(self, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        """stem, second, third, fourth, dense (the embedding) and head; none is random."""
        return (
            *self.maps(relu),
            Stage(
                "dense",
                lambda x, _: relu(self.dense(x.reshape(x.shape[0], -1))),
                False,
            ),
            Stage("head", lambda x, _: self.head(x), False),
        )

    def __call__(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "b o"]:
        """Logits; a key says that one learns, nothing here is random."""
        if key is None:
            return super().__call__(x)
        return run_halves(self.stages(), x, key)
