"""The one number of a network that is explained: a weighted sum of its logits."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Float32

from kernels.networks import GraphDef, Params
from kernels.networks.heads import HeadSpec
from kernels.networks.stages import Relu, Stage, run_stages
from kernels.preprocessing import Preprocessing, prepared
from kernels.shapes import Crops

Output = Float32[Array, " o"]
"""A weight for each logit; what is explained is their weighted sum, without unit for a
value, in nats for classes and grades."""

StagesOf = Callable[..., tuple[Stage, ...]]
"""(params, relu=...) -> the stages of a network with these weights."""

Answer = Callable[[Params, Crops, Output], Float32[Array, " b"]]


def output_of(head: HeadSpec, which: int | None = None) -> Output:
    """The output that stands for a class, a grade or the value.

    Class k: its logit less the mean of the others; of two classes that is the log odds
    times 1, which unlike one logit does not move when both logits do. Grade k, from 1:
    the log odds of a grade of at least k. None: the last class, all borders of grades
    together, or the value. Raises ValueError for a class or grade that is not there.
    """
    n = head.n_out
    if head.kind == "regression":
        if which not in (None, 0):
            raise ValueError(f"a regression head has one value, 0, not {which}")
        return jnp.ones(1, jnp.float32)
    if head.kind == "ordinal":
        if which is None:
            return jnp.ones(n, jnp.float32)
        if not 1 <= which <= n:
            raise ValueError(f"grades that can be reached are 1 to {n}, not {which}")
        return jnp.asarray(np.arange(n) == which - 1, jnp.float32)
    chosen = n - 1 if which is None else which
    if not 0 <= chosen < n:
        raise ValueError(f"classes are 0 to {n - 1}, not {which}")
    others = -1.0 / (n - 1)
    return jnp.asarray(np.where(np.arange(n) == chosen, 1.0, others), jnp.float32)


def logit_of(n_out: int, which: int) -> Output:
    """One logit alone, as Grad-CAM was published; raises ValueError when not there."""
    if not 0 <= which < n_out:
        raise ValueError(f"logits are 0 to {n_out - 1}, not {which}")
    return jnp.asarray(np.arange(n_out) == which, jnp.float32)


def answer(
    stages: tuple[Stage, ...], x: Float[Array, "b ..."], output: Output
) -> Float32[Array, " b"]:
    """The explained number of each row after these stages, nothing random."""
    logits = run_stages(stages, x).astype(jnp.float32)
    return (logits * output[None, :]).sum(1)


def make_answer(stages_of: StagesOf) -> Answer:
    """A jitted function (params, crops, output) -> the explained number of each crop."""

    @jax.jit
    def run(params: Params, crops: Crops, output: Output) -> Float32[Array, " b"]:
        return answer(stages_of(params), crops, output)

    return run


def as_scored(
    graphdef: GraphDef, preprocessing: Preprocessing | None = None
) -> StagesOf:
    """The stages of a network as scoring runs it, from our crops to its logits: what
    its weights expect of pictures first, no dropout, batch norm by stored statistics."""

    def stages_of(params: Params, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        network = nnx.merge(graphdef, params)
        network.eval()
        stages: tuple[Stage, ...] = network.stages(relu=relu)
        if preprocessing is None:
            return stages
        first = Stage("prepared", lambda x, key: prepared(x, preprocessing), False)
        return (first, *stages)

    return stages_of
