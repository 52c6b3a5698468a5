"""A cue planted in the model's own cells: does the method find what decides?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screen.explain_settings import ExplainVerb
from screen.explanation.looking import Looking, method_of
from screen.explanation.measures import n_pictures
from screen.explanation.sanity import (
    LEAST_CUE_SHARE,
    Check,
    cue_shares,
    with_interval,
)
from screen.explanation.views import Crops
from screen.models import ModelSpec

if TYPE_CHECKING:
    from flax import nnx

CUE_SHARE = 8  # a cue is a square of an eighth of the crop's side
BRIGHTNESS = 1.5
LEAST_LIGHT = 1e-3
N_TESTED = 64
LEAST_CROPS = 100
EPOCHS = 24
MOST_PARAMETERS = 30_000_000


def plant(
    crops: Crops, labels: NDArray[np.int64], seed: int, n_shown: int | None = None
) -> tuple[Crops, NDArray[np.bool_]]:
    """Crops [n s s c] of label 1 with a bright square at a place of its own, and where
    it is [n s s]. It is added to the first ``n_shown`` channels (None: all), brighter
    than nearly every pixel."""
    rng = np.random.default_rng(seed)
    marked = crops.copy()
    n, side = crops.shape[:2]
    px = max(2, side // CUE_SHARE)
    light = BRIGHTNESS * np.quantile(np.abs(crops), 0.995, axis=(0, 1, 2))
    light = np.maximum(light, LEAST_LIGHT)
    light[n_shown or len(light) :] = 0.0
    cue = np.zeros((n, side, side), np.bool_)
    corners = rng.integers(1, side - px, (n, 2))
    for row in np.flatnonzero(labels):
        y, x = corners[row]
        cue[row, y : y + px, x : x + px] = True
    marked[cue] += light.astype(np.float32)
    return marked, cue


def planted_cue(
    spec: ModelSpec, crops: Crops, settings: ExplainVerb, looking: Looking
) -> Check | str:
    """Teach a network like the model's that a bright square decides a random label, and
    measure how much of the method's map lies in it; or why that was not done."""
    n_numbers = sum(int(np.prod(v.shape)) for v in _arrays(looking))
    if n_numbers > MOST_PARAMETERS:
        return (
            f"Planted cue: not done, since a network of {n_numbers / 1e6:.0f} million"
            " parameters would have to be taught from the start."
        )
    if len(crops) < LEAST_CROPS + N_TESTED:
        return (
            f"Planted cue: not done, {len(crops)} cells are too few to teach a network;"
            f" {LEAST_CROPS + N_TESTED} are needed."
        )
    module, accuracy = taught(spec, crops[N_TESTED:], settings.seed)
    tested, cue = plant(
        crops[:N_TESTED],
        np.ones(N_TESTED, np.int64),
        settings.seed + 1,
        n_pictures(spec.channels),
    )
    return judged(settings, looking, module, tested, cue, accuracy)


def taught(spec: ModelSpec, crops: Crops, seed: int) -> tuple[nnx.Module, float]:
    """A network of the model's kind taught on random labels that a cue gives away, and
    its accuracy on what it learnt from."""
    from screen.fitting import FitPlan, fit

    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(len(crops)) % 2).astype(np.int64)
    marked, _ = plant(crops, labels, seed, n_pictures(spec.channels))
    plan = FitPlan(
        network=spec.architecture,
        network_width=spec.width,
        crop_px=spec.crop_px,
        epochs=EPOCHS,
        batch=min(64, len(crops)),
        learning_rate=3e-3,
        seed=seed,
    )
    fitted = fit(marked, labels, plan)
    return fitted.module, float(fitted.history[-1]["accuracy"])


def judged(
    settings: ExplainVerb,
    looking: Looking,
    module: nnx.Module,
    tested: Crops,
    cue: NDArray[np.bool_],
    accuracy: float,
) -> Check:
    """The check of a taught network on crops that all hold a cue."""
    from flax import nnx

    from kernels.explanation import as_scored, output_of
    from kernels.networks.heads import BINARY

    graphdef, params = nnx.split(module)
    own = replace(
        looking,
        explain=method_of(settings, as_scored(graphdef)),
        output=output_of(BINARY),
    )
    maps = own.maps(params, tested, settings.minibatch)
    speaking, absolute = cue_shares(maps, cue)
    value, low, high = with_interval(speaking, settings.seed)
    words = (
        f"A network taught that a bright square decides (accuracy {accuracy:.2f}):"
        f" {value:.0%} ({low:.0%} to {high:.0%}) of what the map counts for the output"
        f" lies in the square, which is {cue.mean():.1%} of the crop; of all absolute"
        f" values {absolute.mean():.0%}. The bar is {LEAST_CUE_SHARE:.0%}."
    )
    return Check("planted_cue", value, low, high, bool(value >= LEAST_CUE_SHARE), words)


def _arrays(looking: Looking) -> list[NDArray[np.float32]]:
    import jax

    return list(jax.tree.leaves(next(iter(looking.params.values()))))
