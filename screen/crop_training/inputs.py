"""Crops as a network takes them and as a table of hand-made features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plates.crop_sets import CropSet
from plates.problems import InputError, Problem
from screen.progress import bar
from screen.settings import TrainVerb

BLOCK = 64
GREY_BITS = 8
CHANNEL_NAMES = {1: ("grey",), 3: ("red", "green", "blue")}

Windows = NDArray[np.float32]  # [n s s c]
Features = NDArray[np.float64]  # [n f]
Look = Callable[[NDArray[Any]], tuple[Windows, Features]]


@dataclass(frozen=True)
class Inputs:
    """Windows f32[n s s c] with their channels' names, and features f64[n f]."""

    windows: Windows
    channels: tuple[str, ...]
    features: Features


def reads_numbers(settings: TrainVerb) -> bool:
    """Whether the last channels of the network hold numbers and no picture."""
    from kernels.networks import NETWORKS

    return NETWORKS[settings.network.name].n_numbers > 0


def check_form(settings: TrainVerb, crops: CropSet) -> None:
    """Raise InputError (CROPS_PIXELS, CFG_INVALID) unless the crops are of the kind asked
    for, and of the kind that the network reads."""
    form = crops.form
    is_plain = settings.crops_input == "plain"
    if is_plain and reads_numbers(settings):
        raise InputError(
            Problem(
                "CFG_INVALID",
                f"network={settings.network.name}",
                "crops_input=plain",
                "the network also reads numbers that are measured on a masked cell",
                "take another network, or crops_input=masked",
            )
        )
    if is_plain or (form.n_channels, form.bits) == (1, GREY_BITS):
        return
    raise InputError(
        Problem(
            "CROPS_PIXELS",
            crops.source.name,
            str(form),
            "crops_input=masked takes one grey cell of 8 bits on black",
            "give crops_input=plain",
        )
    )


def inputs_of(settings: TrainVerb, crops: CropSet) -> Inputs:
    """Read every crop once; raises InputError for pictures that do not decode."""
    is_plain = settings.crops_input == "plain"
    look = _plain(settings, crops) if is_plain else _masked(settings)
    windows, features = [], []
    with bar("measuring crops", len(crops), "crops") as advance:
        for block in crops.stream(BLOCK):
            seen, measured = look(block)
            windows.append(seen)
            features.append(measured)
            advance(len(block))
    return Inputs(
        np.concatenate(windows), channels_of(settings, crops), np.concatenate(features)
    )


def channels_of(settings: TrainVerb, crops: CropSet) -> tuple[str, ...]:
    """The names of the channels of windows."""
    from screen.crop_channels import CHANNELS
    from screen.feature_plane import PLANES

    if settings.crops_input == "masked":
        return (*CHANNELS, *PLANES) if reads_numbers(settings) else CHANNELS
    return CHANNEL_NAMES[crops.form.n_channels]


def _masked(settings: TrainVerb) -> Look:
    from screen.baselines import hand_features
    from screen.crop_channels import crop_channels
    from screen.feature_plane import with_features

    px, bin_ = settings.network.crop_px, settings.network.bin
    has_numbers = reads_numbers(settings)

    def look(block: NDArray[Any]) -> tuple[Windows, Features]:
        windows, features = crop_channels(block, px, bin_), hand_features(block)
        if has_numbers:
            windows = with_features(windows, features)
        return windows, features

    return look


def _plain(settings: TrainVerb, crops: CropSet) -> Look:
    from screen.baselines import picture_features

    full = float(2**crops.form.bits - 1)

    def look(block: NDArray[Any]) -> tuple[Windows, Features]:
        pictures = block[..., None] if block.ndim == 3 else block
        share = np.asarray(pictures, np.float32) / np.float32(full)
        grey = np.asarray(share, np.float64) * 255
        return resized(share, settings.network.crop_px), picture_features(grey)

    return look


def resized(pictures: Windows, side: int) -> Windows:
    """Pictures f32[n y x c] made square by repeating the rim of the shorter side, then
    brought to f32[n side side c] by bilinear weights as wide as the new pixels."""
    n, height, width, n_channels = pictures.shape
    short = max(height, width) - height, max(height, width) - width
    rim = [(0, 0), *((s // 2, s - s // 2) for s in short), (0, 0)]
    square = np.pad(pictures, rim, mode="edge")
    if square.shape[1] == side:
        return square
    found = np.empty((n, side, side, n_channels), np.float32)
    for row in range(n):
        for c in range(n_channels):
            plane = Image.fromarray(np.ascontiguousarray(square[row, ..., c]))
            smaller = plane.resize((side, side), Image.Resampling.BILINEAR)
            found[row, ..., c] = np.asarray(smaller, np.float32)
    return found
