"""The rules by which weights are moved, and how the size of a step changes in time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optax  # type: ignore[import-untyped]

RULES = ("adamw", "sgd")
SCHEDULES = ("auto", "cosine", "constant", "step")
NO_CLIP = 1e9  # a gradient norm that is never reached
DROPS = (1 / 2, 3 / 4)
"""Parts of the way at which ``step`` divides the rate by ten (He et al., CVPR 2016)."""

Schedule = Callable[[Any], Any]
"""Step number, from 0 on -> learning rate."""


@dataclass(frozen=True)
class OptimiserSpec:
    """A rule (adamw, sgd) and its schedule; ``clip_norm`` 0 is no limit.

    ``schedule`` auto is cosine for adamw and constant without warm-up for sgd;
    ``warmup`` is the share of the steps in which the rate rises from 0.
    """

    rule: str = "adamw"
    rate: float = 1e-3
    schedule: str = "auto"
    warmup: float = 0.05
    weight_decay: float = 1e-4
    momentum: float = 0.0
    nesterov: bool = False
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        """Raise ValueError for an unknown rule or schedule, or a warm-up beyond 0 to 1."""
        if self.rule not in RULES:
            known = ", ".join(RULES)
            raise ValueError(f"no optimizer {self.rule!r}; known: {known}")
        if self.schedule not in SCHEDULES:
            known = ", ".join(SCHEDULES)
            raise ValueError(f"no schedule {self.schedule!r}; known: {known}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be from 0 to below 1, got {self.warmup}")


def learning_rates(spec: OptimiserSpec, n_steps: int) -> Schedule:
    """The learning rate of each of n_steps."""
    if _is_flat(spec):
        return optax.constant_schedule(spec.rate)  # type: ignore[no-any-return]
    rise = max(1, int(n_steps * spec.warmup)) if spec.warmup else 0
    left = max(1, n_steps - rise)
    if spec.schedule in ("auto", "cosine"):
        later = optax.cosine_decay_schedule(spec.rate, left)
    elif spec.schedule == "step":
        drops = {max(1, round(part * n_steps) - rise): 0.1 for part in DROPS}
        later = optax.piecewise_constant_schedule(spec.rate, drops)
    else:
        later = optax.constant_schedule(spec.rate)
    if not rise:
        return later  # type: ignore[no-any-return]
    risen = optax.linear_schedule(0.0, spec.rate, rise)
    return optax.join_schedules([risen, later], [rise])  # type: ignore[no-any-return]


def _is_flat(spec: OptimiserSpec) -> bool:
    if spec.schedule == "auto":
        return spec.rule == "sgd"
    return spec.schedule == "constant" and not spec.warmup


def optimiser_of(spec: OptimiserSpec, n_steps: int) -> optax.GradientTransformation:
    """Clipping by the gradient's norm, then the rule on its schedule."""
    rates = learning_rates(spec, n_steps)
    clip = optax.clip_by_global_norm(spec.clip_norm or NO_CLIP)
    if spec.rule == "adamw":
        return optax.chain(clip, optax.adamw(rates, weight_decay=spec.weight_decay))
    rate = spec.rate if _is_flat(spec) else rates
    momentum = spec.momentum or None
    return optax.chain(clip, optax.sgd(rate, momentum, nesterov=spec.nesterov))
