"""From the settings of train to the plan that teaches a network."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import numpy as np

from plates.problems import InputError, Problem
from screen.settings import TrainVerb

if TYPE_CHECKING:
    from screen.fitting import FitPlan


OF_CROPS = {"head", "ensemble", "calibration", "evaluation"}
OF_WELLS = {"split", "max_cells_per_well"}


def fit_plan(settings: TrainVerb, number: int = 0) -> FitPlan:
    """The fitting plan of the ``number``-th network of these settings."""
    from kernels.augment import AugmentSpec
    from screen.fitting import FitPlan

    o, f = settings.optimizer, settings.fit
    return FitPlan(
        network=settings.network.name,
        crop_px=settings.network.crop_px,
        network_width=settings.network.width,
        epochs=settings.epochs,
        batch=settings.batch,
        optimizer=o.name,
        learning_rate=o.learning_rate,
        weight_decay=o.weight_decay,
        clip_norm=o.clip_norm,
        momentum=o.momentum,
        nesterov=o.nesterov,
        schedule=o.schedule,
        warmup=o.warmup,
        frozen_epochs=f.frozen_epochs,
        unfreeze_rate=f.unfreeze_rate,
        patience=f.patience,
        precision=f.precision,
        positive_fraction=f.positive_fraction,
        mil=f.mil,
        huber=f.huber,
        label_smoothing=settings.label_smoothing,
        augment=AugmentSpec(**asdict(settings.augment)),
        seed=int(np.random.SeedSequence([settings.seed, number]).generate_state(1)[0]),
    )


def check_source(settings: TrainVerb) -> None:
    """Raise InputError (CFG_INVALID) for keys of the other source, which would be passed
    over in silence: those of crops beside a campaign, or those of wells beside crops."""
    source, other = (
        ("campaign", "crops") if settings.campaign else ("crops", "campaign")
    )
    names = {f.name for f in fields(TrainVerb)}
    of_crops = {*OF_CROPS, *(n for n in names if n.startswith("crops_"))}
    barred, usual = of_crops if settings.campaign else OF_WELLS, TrainVerb()
    odd = [n for n in sorted(barred) if getattr(settings, n) != getattr(usual, n)]
    if odd:
        problem = Problem(
            "CFG_INVALID",
            f"{source}=",
            f"{', '.join(odd)} go with {other}= alone",
            "they would be passed over in silence",
            "leave them out",
        )
        raise InputError(problem)


def check_plan(settings: TrainVerb) -> None:
    """Raise InputError (CFG_INVALID) when settings do not make a plan together."""
    try:
        fit_plan(settings)
    except ValueError as error:
        problem = Problem(
            "CFG_INVALID",
            "fit",
            str(error),
            "the settings do not fit together",
            "change one of them",
        )
        raise InputError(problem) from error


def check_network(settings: TrainVerb) -> None:
    """Raise InputError (NETWORK_INVALID) when the network takes no crops of this size, or
    reads numbers that the cells of a campaign do not come with."""
    import jax
    from flax import nnx

    from kernels.networks import NETWORKS, build

    n = settings.network
    n_channels = 1 + NETWORKS[n.name].n_numbers
    if n_channels > 1 and settings.campaign:
        problem = Problem(
            "NETWORK_INVALID",
            f"network={n.name}",
            "it reads numbers measured on masked cells",
            "cells of a campaign come as pictures alone",
            "choose another network",
        )
        raise InputError(problem)

    def built() -> nnx.Module:
        key = jax.random.key(0)
        return build(n.name, n_channels, n.crop_px, key=key, width=n.width)

    try:
        nnx.eval_shape(built)
    except ValueError as error:
        problem = Problem(
            "NETWORK_INVALID",
            f"network.crop_px={n.crop_px}",
            str(error),
            "a network is built for its crops",
            "change network.crop_px, or choose another network",
        )
        raise InputError(problem) from error
