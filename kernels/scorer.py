"""The compiled scorer: an image and centres in, numbers per cell out."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float32

from kernels.crops import gather_crops, windowed
from kernels.features import profile
from kernels.fusion import unfused
from kernels.networks import GraphDef, Params
from kernels.preprocessing import Preprocessing, prepared
from kernels.shapes import Crops, Image

Precision = Literal["float32", "tf32", "bfloat16"]
"""What a network computes in: 24 bits of a number, 11 in products (matrix units of GPUs; a
CPU takes all 24), or 8 throughout."""
PRODUCTS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "bfloat16"}
"""Each precision as JAX names that of matrix products."""
MOST_CONSTANTS = 10_000_000
"""Weights up to which they are constants of the compiled code, in all networks of a call."""


class ScoredBatch(NamedTuple):
    """One micro-batch, scored by k networks; rows that are no cells hold zeros.

    probability is that of senescent; profile does not depend on any network.
    """

    probability: Float32[Array, "k b"]
    embedding: Float32[Array, "k b e"]
    profile: Float32[Array, "b d"]


Scorer = Callable[
    [Image, Float32[Array | np.ndarray, "b 2"], Bool[Array | np.ndarray, " b"]],
    ScoredBatch,
]
"""Centres and what of them is cells may lie on the host: a compiled call takes them over
in a fifth of the time of an explicit copy."""


def make_scorer(
    networks: Sequence[tuple[GraphDef, Params]],
    *,
    crop_px: int,
    bin: int,
    minibatch: int = 64,
    window: bool = False,
    preprocessing: Preprocessing | None = None,
    precision: Precision = "float32",
) -> Scorer:
    """A jitted function (image, centres, valid) -> ScoredBatch of one fixed shape.

    All networks share one embedding width. The weights are constants of the
    compiled code, which XLA:CPU turns into up to 2.6 times more speed; above
    10 million they are arguments, because compiling would take minutes. No row reads
    another row, and the shape never changes, so a cell's numbers do not depend on
    its neighbours, to the last bit. ``window`` shows the networks each crop through
    a soft round window, then ``preprocessing`` is what their weights expect; profiles
    are of whole crops, and always float32; ``precision`` is the networks'. Raises
    ValueError without networks.
    """
    if not networks:
        raise ValueError("a scorer needs at least one network")
    graphdefs = [graphdef for graphdef, _ in networks]
    states = [state for _, state in networks]

    def score(
        states: list[Params],
        image: Image,
        centres: Float32[Array, "b 2"],
        valid: Bool[Array, " b"],
    ) -> ScoredBatch:
        if centres.shape[0] != minibatch:
            raise ValueError(
                f"this scorer takes {minibatch} centres at a time, not {centres.shape[0]}"
            )
        crops = unfused(gather_crops(image, centres, crop_px=crop_px, bin=bin))
        seen = windowed(crops) if window else crops
        seen = seen if preprocessing is None else prepared(seen, preprocessing)
        pairs = list(zip(graphdefs, states, strict=True))
        probability, embedding = score_crops(pairs, seen, precision=precision)
        return ScoredBatch(
            jnp.where(valid[None, :], probability, 0.0),
            jnp.where(valid[None, :, None], embedding, 0.0),
            jnp.where(valid[:, None], profile(crops), 0.0),
        )

    n_weights = sum(int(leaf.size) for leaf in jax.tree.leaves(states))
    if n_weights > MOST_CONSTANTS:
        return partial(jax.jit(score), states)
    return jax.jit(partial(score, states))


def score_crops(
    networks: Sequence[tuple[GraphDef, Params]],
    crops: Crops,
    *,
    precision: Precision = "float32",
) -> tuple[Float32[Array, "k b"], Float32[Array, "k b e"]]:
    """Probability of class 1 (senescent) and embedding of each crop by each network."""
    states, seen = [state for _, state in networks], crops
    if precision == "bfloat16":
        seen, states = jax.tree.map(lambda x: x.astype(jnp.bfloat16), (crops, states))
    with jax.default_matmul_precision(PRODUCTS[precision]):
        models = [
            nnx.merge(graphdef, state)
            for (graphdef, _), state in zip(networks, states, strict=True)
        ]
        embeddings = [model.embed(seen) for model in models]
        logits = [
            model.head(embedding).astype(jnp.float32)
            for model, embedding in zip(models, embeddings, strict=True)
        ]
    probability = jnp.stack([jax.nn.softmax(one)[:, 1] for one in logits])
    return probability, jnp.stack(embeddings).astype(jnp.float32)
