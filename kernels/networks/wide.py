"""The house network with a second voice, which reads numbers measured on each cell."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from kernels.feature_cells import cell_numbers, first_pixels
from kernels.networks.compact import Convolved
from kernels.networks.stages import Relu, Stage, dropped, run_stages
from kernels.shapes import PRNGKey

N_PLANES = 2
"""Channels that hold numbers."""
DROPPED = 0.3  # of what the dense layer makes of the numbers
N_HEARD = 64  # numbers of the embedding that are each voice's


class CompactWide(Convolved):
    """compact on all channels but the last two, which hold numbers of the cell and no
    picture (kernels.feature_cells says where).

    Two voices: the convolutions, and a dense layer on the numbers. Each learns by
    itself what the cell is, and the network says their mean: taught together they lean
    on each other, and the sum is worth less on images never seen (late fusion: Wang and
    others, CVPR 2020). With a key a part of what is made of the numbers drops out.
    """

    name = "compact_wide"

    def __init__(
        self,
        n_channels: int,
        crop_px: int,
        *,
        n_out: int = 2,
        width: float = 1.0,
        rngs: nnx.Rngs,
    ) -> None:
        """Raise ValueError for a crop side that is not a multiple of 8, or no picture.

        ``width`` multiplies the channels of the convolutions, not the embedding.
        """
        if n_channels <= N_PLANES:
            raise ValueError(
                f"the compact_wide network takes a picture and {N_PLANES} planes of"
                f" numbers, not {n_channels} channels"
            )
        super().__init__(n_channels - N_PLANES, crop_px, width=width, rngs=rngs)
        self.n_numbers = int(cell_numbers(crop_px).max()) + 1
        self.seen = nnx.Linear(self.n_flat, N_HEARD, rngs=rngs)
        self.read = nnx.Linear(N_PLANES * self.n_numbers, N_HEARD, rngs=rngs)
        self.head = nnx.Linear(2 * N_HEARD, n_out, rngs=rngs)

    def stages(self, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        """both (what is seen and the numbers, end to end), dense (the embedding) and
        head; none is a map, because all of them carry the numbers along."""
        return (
            Stage("both", lambda x, _: self._both(x, relu), False),
            Stage("dense", lambda x, key: self._dense(x, relu, key), False),
            Stage("head", lambda x, _: self.head(x), False),
        )

    def _both(self, x: Float[Array, "b s s c"], relu: Relu) -> Float[Array, "b e"]:
        b, side = x.shape[:2]
        maps = run_stages(self.maps(relu), x[..., :-N_PLANES])
        places = jnp.asarray(first_pixels(side, self.n_numbers))
        numbers = x[..., -N_PLANES:].reshape(b, side * side, N_PLANES)[:, places]
        return jnp.concatenate([maps.reshape(b, -1), numbers.reshape(b, -1)], axis=-1)

    def _dense(
        self, x: Float[Array, "b e"], relu: Relu, key: PRNGKey | None
    ) -> Float[Array, "b d"]:
        maps, numbers = jnp.split(x, [self.seen.in_features], axis=1)
        read = dropped(relu(self.read(numbers)), key, DROPPED)
        return jnp.concatenate([relu(self.seen(maps)), read], axis=-1)

    def voices(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "v b o"]:
        """The logits of each voice by itself; their mean is what the network says."""
        parts = jnp.split(self.embed(x, key), 2, axis=1)
        kernels = jnp.split(self.head.kernel[...], 2, axis=0)
        said = [2.0 * (a @ k) for a, k in zip(parts, kernels, strict=True)]
        return jnp.stack(said) + jnp.asarray(self.head.bias)[None, None, :]
