"""Integrated gradients: an output's change from a blank crop, shared out over pixels."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32

from kernels.explanation.gradients import Explain
from kernels.explanation.outputs import Output, StagesOf, answer
from kernels.networks import Params
from kernels.shapes import Crops


def make_integrated_gradients(
    stages_of: StagesOf, *, steps: int = 32, baseline: float = 0.0
) -> Explain:
    """A jitted function (params, crops, output) -> signed attribution [b s s c].

    Sundararajan et al., ICML 2017: (x - x0) times the mean gradient on the straight way
    from x0 to x, by the midpoint rule in ``steps`` steps. Its sum over a crop is the
    output at x less that at x0, up to the error of the rule. x0 is ``baseline``
    everywhere: a normalised image is 0 where there is no cell. Raises ValueError
    without steps.
    """
    if steps < 1:
        raise ValueError(f"integrated gradients take one step or more, not {steps}")
    shares = jnp.asarray((np.arange(steps) + 0.5) / steps, jnp.float32)

    @jax.jit
    def explain(
        params: Params, crops: Crops, output: Output
    ) -> Float32[Array, "b s s c"]:
        stages = stages_of(params)
        way = crops - baseline

        def total(at: Crops) -> jax.Array:
            return answer(stages, at, output).sum()

        def step(sum_: jax.Array, share: jax.Array) -> tuple[jax.Array, None]:
            return sum_ + jax.grad(total)(baseline + share * way), None

        slopes, _ = lax.scan(step, jnp.zeros_like(crops), shares)
        return way * slopes * (1.0 / steps)

    return explain
