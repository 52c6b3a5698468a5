"""The groups of settings by which a network is taught: steps, variation, course."""

from dataclasses import dataclass

from screen.groups import key


@dataclass
class OptimizerSettings:
    """How the network's weights are moved."""

    name: str = key("adamw", "rule of the registry", choices=("adamw", "sgd"))
    learning_rate: float = key(2e-3, "size of a step", low=1e-9, high=100)
    weight_decay: float = key(1e-2, "pull of the weights to zero", low=0, high=10)
    clip_norm: float = key(1.0, "largest gradient norm; 0 = no limit", low=0)
    momentum: float = key(0.9, "share of the last step kept (sgd)", low=0, high=1)
    nesterov: bool = key(False, "look ahead along the momentum (sgd)")
    schedule: str = key(
        "auto",
        "learning rate in time: cosine to 0; constant; step = a tenth at a half and at"
        " three quarters of the way; auto = cosine for adamw, for sgd constant without"
        " warm-up",
        choices=("auto", "cosine", "constant", "step"),
    )
    warmup: float = key(
        0.05, "part of the steps in which the rate rises", "share", low=0, high=0.9
    )


@dataclass
class AugmentSettings:
    """How crops are varied while the network learns."""

    turn: bool = key(True, "turn and mirror each crop, eight ways")
    shift_px: int = key(1, "largest shift", "binned px", low=0, high=64)
    gain: float = key(0.2, "sd of the log brightness of a channel", low=0, high=1)
    offset: float = key(0.03, "sd of the level of a channel", "scale", low=0, high=1)
    noise: float = key(0.05, "sd of added pixel noise", "scale", low=0, high=1)
    rotate: float = key(
        0.0, "largest free turn either way; 180 = any", "degrees", low=0, high=180
    )
    zoom: float = key(0.0, "sd of the log size of what is shown", low=0, high=1)
    blur_px: float = key(0.0, "largest sigma of a blur", "binned px", low=0, high=16)
    fill: str = key(
        "edge",
        "what lies beyond the rim of a freely turned or zoomed crop: its edge pixels, or"
        " its mirror image",
        choices=("edge", "reflect"),
    )


@dataclass
class FitSettings:
    """The course of a fit: what learns when, on which labels, and when it ends."""

    frozen_epochs: int = key(
        0,
        "first epochs in which only the dense layers learn, the backbone being frozen",
        "epochs",
        low=0,
        high=10000,
    )
    unfreeze_rate: float = key(
        1.0, "factor of the learning rate after the frozen epochs", low=1e-6, high=100
    )
    patience: int = key(
        0,
        "epochs without a smaller loss on watched groups that end a fit, whose best"
        " weights are then kept; 0 = all epochs",
        "epochs",
        low=0,
        high=10000,
    )
    precision: str = key(
        "float32",
        "what the network computes in while it learns; weights and loss stay float32",
        choices=("float32", "bfloat16"),
    )
    positive_fraction: float = key(
        1.0,
        "share of cells in senescent wells that are senescent; below 1 the loss is"
        " corrected for it",
        "share",
        low=0.01,
        high=1,
    )
    mil: int = key(
        0,
        "cells of a well looked at together, whose mean is held against"
        " positive_fraction; 0 = each cell by itself",
        "cells",
        low=0,
        high=4096,
    )
    huber: float = key(
        0.0,
        "error from which a regression counts it linearly; 0 = squared throughout",
        "sd",
        low=0,
        high=100,
    )
    begin_anew: bool = key(False, "set checkpoints of an unfinished training aside")
