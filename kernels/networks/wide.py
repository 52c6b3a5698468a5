"""The house network with a second path: it also reads numbers measured on each cell."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from kernels.feature_cells import cell_numbers, first_pixels
from kernels.networks.compact import WIDTHS, UnitConv, folded
from kernels.networks.stages import Relu, Stage, run_stages
from kernels.shapes import PRNGKey

N_SEEN = 64  # what the convolutions come to
N_READ = 64  # what the numbers come to
HIDDEN_DROPPED = 0.3
NUMBERS_DROPPED = 0.1
NUMBERS_NOISE = 0.1


class CompactWide(nnx.Module):
    """compact on all channels but the last, which holds numbers of the cell and no
    picture (kernels.feature_cells says where).

    A dense layer reads the numbers, and the head sees what the convolutions saw, what
    that layer made of the numbers, and the numbers themselves (wide and deep: Cheng and
    others, DLRS 2016). With a key the numbers are noisy and a part of everything drops
    out; without one nothing is random.
    """

    def __init__(
        self,
        n_channels: int,
        crop_px: int,
        *,
        n_out: int = 2,
        width: float = 1.0,
        rngs: nnx.Rngs,
    ) -> None:
        """Raise ValueError for a crop side that is not a multiple of 8, or one channel.

        ``width`` multiplies the channels of the convolutions, not the embedding.
        """
        if crop_px % 8 or crop_px < 16:
            raise ValueError(
                "the compact_wide network takes crops of 16, 24, 32 ... pixels, not"
                f" {crop_px}"
            )
        if n_channels < 2:
            raise ValueError("the compact_wide network takes pictures and numbers")
        a, b, c = (max(1, round(n * width)) for n in WIDTHS)
        self.stem = UnitConv(4 * (n_channels - 1), a, stride=1, rngs=rngs)
        self.second = UnitConv(a, b, stride=2, rngs=rngs)
        self.third = UnitConv(b, c, stride=2, rngs=rngs)
        self.fourth = UnitConv(c, c, stride=1, rngs=rngs)
        self.n_numbers = int(cell_numbers(crop_px).max()) + 1
        self.seen = nnx.Linear((crop_px // 8) ** 2 * c, N_SEEN, rngs=rngs)
        self.read = nnx.Linear(self.n_numbers, N_READ, rngs=rngs)
        self.head = nnx.Linear(N_SEEN + N_READ + self.n_numbers, n_out, rngs=rngs)

    def stages(self, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        """both (what is seen and the numbers, end to end), dense (the embedding) and
        head; none is a map, because all of them carry the numbers along."""
        return (
            Stage("both", lambda x, key: self._both(x, relu, key), False),
            Stage("dense", lambda x, key: self._dense(x, relu, key), False),
            Stage("head", lambda x, _: self.head(x), False),
        )

    def _both(
        self, x: Float[Array, "b s s c"], relu: Relu, key: PRNGKey | None
    ) -> Float[Array, "b e"]:
        b, side = x.shape[:2]
        maps = relu(self.stem(folded(x[..., :-1])))
        maps = relu(self.third(relu(self.second(maps))))
        maps = maps + relu(self.fourth(maps))
        places = jnp.asarray(first_pixels(side, self.n_numbers))
        numbers = x[..., -1].reshape(b, side * side)[:, places]
        if key is not None:
            lost, noisy = jax.random.split(key)
            numbers = _dropped(numbers, lost, NUMBERS_DROPPED)
            drawn = jax.random.normal(noisy, numbers.shape, numbers.dtype)
            numbers = numbers + NUMBERS_NOISE * drawn
        return jnp.concatenate([maps.reshape(b, -1), numbers], axis=-1)

    def _dense(
        self, x: Float[Array, "b e"], relu: Relu, key: PRNGKey | None
    ) -> Float[Array, "b d"]:
        maps, numbers = x[:, : -self.n_numbers], x[:, -self.n_numbers :]
        seen, read = relu(self.seen(maps)), relu(self.read(numbers))
        if key is not None:
            first, second = jax.random.split(key)
            seen = _dropped(seen, first, HIDDEN_DROPPED)
            read = _dropped(read, second, HIDDEN_DROPPED)
        return jnp.concatenate([seen, read, numbers], axis=-1)

    def embed(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "b e"]:
        """What the network sees and reads in each crop, and the numbers it was given."""
        return run_stages(self.stages()[:-1], x, key)

    def __call__(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "b o"]:
        """Logits, two unless ``n_out`` says otherwise."""
        return run_stages(self.stages(), x, key)


def _dropped(x: Float[Array, "b e"], key: PRNGKey, share: float) -> Float[Array, "b e"]:
    kept = jax.random.bernoulli(key, 1.0 - share, x.shape)
    return jnp.where(kept, x * (1.0 / (1.0 - share)), 0.0)
