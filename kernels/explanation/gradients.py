"""Grad-CAM and Guided Grad-CAM: the maps of a stage, weighed by what they change."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from kernels.explanation.outputs import Output, StagesOf, answer
from kernels.networks import Params
from kernels.networks.stages import Stage, run_stages
from kernels.shapes import Crops

Explain = Callable[[Params, Crops, Output], Float32[Array, "b s s m"]]
"""(params, crops, output) -> attribution of every pixel; ``m`` is the crop's channels,
or 1 for a method that does not tell channels apart."""


def map_stages(stages_of: StagesOf, params: Params) -> tuple[str, ...]:
    """Names of the stages that give a map, from the pixels on."""
    return tuple(s.name for s in stages_of(params) if s.is_map)


def make_grad_cam(
    stages_of: StagesOf, *, stage: str | None = None, signed: bool = False
) -> Explain:
    """A jitted Grad-CAM [b s s 1] at a map stage (None: the last one).

    Selvaraju et al., ICCV 2017: the stage's maps, each weighed by the mean over the map
    of the output's gradient, summed, and cut at 0; ``signed`` leaves what speaks
    against the output. Drawn linearly to the size of the crop, as published, the first
    and last map pixel at the rim. Raises ValueError (while tracing) for a stage
    that is none or gives no map.
    """

    @jax.jit
    def explain(
        params: Params, crops: Crops, output: Output
    ) -> Float32[Array, "b s s 1"]:
        below, above = _cut(stages_of(params), stage)
        found = _weighed(run_stages(below, crops), above, output)
        found = found if signed else jax.nn.relu(found)
        return _enlarged(found, crops.shape[1])

    return explain


def make_guided_grad_cam(stages_of: StagesOf, *, stage: str | None = None) -> Explain:
    """A jitted Guided Grad-CAM [b s s c]: guided backpropagation (Springenberg et al.,
    ICLR workshop 2015) times the positive Grad-CAM of a stage; signed.

    It is known to draw edges of the picture whatever the weights (Adebayo et al.,
    NeurIPS 2018): for looking at, not for proof.
    """
    cam = make_grad_cam(stages_of, stage=stage)

    @jax.jit
    def explain(
        params: Params, crops: Crops, output: Output
    ) -> Float32[Array, "b s s c"]:
        stages = stages_of(params, relu=guided_relu)
        guided = _slope(stages, crops, output)
        return guided * cam(params, crops, output)

    return explain


@jax.custom_vjp
def guided_relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """A ReLU that lets back only what is positive on both sides."""
    return jax.nn.relu(x)


def _forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.nn.relu(x), x


def _back(x: jax.Array, slope: jax.Array) -> tuple[jax.Array]:
    return (jnp.where(x > 0, jax.nn.relu(slope), jnp.zeros_like(slope)),)


guided_relu.defvjp(_forward, _back)


def _slope(stages: tuple[Stage, ...], x: jax.Array, output: Output) -> jax.Array:
    """The gradient of each row's answer with respect to that row."""
    found: jax.Array = jax.grad(lambda at: answer(stages, at, output).sum())(x)
    return found


def _cut(
    stages: tuple[Stage, ...], name: str | None
) -> tuple[tuple[Stage, ...], tuple[Stage, ...]]:
    maps = [i for i, stage in enumerate(stages) if stage.is_map]
    chosen = maps[-1:] if name is None else [i for i in maps if stages[i].name == name]
    if not chosen:
        known = ", ".join(stages[i].name for i in maps)
        raise ValueError(f"no map stage {name!r}; known: {known}")
    return stages[: chosen[0] + 1], stages[chosen[0] + 1 :]


def _weighed(
    maps: Float[Array, "b u v d"], above: tuple[Stage, ...], output: Output
) -> Float32[Array, "b u v"]:
    weights = _slope(above, maps, output).mean((1, 2), keepdims=True)
    return (weights * maps).sum(3).astype(jnp.float32)


def _enlarged(found: Float32[Array, "b u v"], side: int) -> Float32[Array, "b s s 1"]:
    shape = (found.shape[0], side, side)
    drawn: jax.Array = jax.image.resize(found, shape, "linear", antialias=False)
    return drawn[..., None]
