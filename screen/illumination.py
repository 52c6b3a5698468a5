"""The light of a plate: which gain brings its counts to those of an evenly lit field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plates.illumination import read_given, read_profile
from plates.problems import InputError, Problem
from plates.store import Plate

GRID = 48
"""Most tiles a side of the grid that crosses to the device."""
LEAST_LIGHT = 0.05
"""A profile that falls lower, mean 1, is a fault: noise would be raised twentyfold."""

Gain = NDArray[np.float32]
Profile = NDArray[np.float32]


def gains_of(
    intensity: Mapping[str, Any], channels: Sequence[str], plates: Sequence[Plate]
) -> dict[str, Gain | None]:
    """The gain [c n m] of each plate for a model's channels, or None where its light
    counts as even. Raises InputError (ILLUM_INVALID) listing every plate without."""
    gains: dict[str, Gain | None] = {}
    problems: list[Problem] = []
    for plate in plates:
        try:
            gains[plate.plate] = _gain(intensity, channels, plate)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(tuple(problems))
    return gains


def _gain(
    intensity: Mapping[str, Any], channels: Sequence[str], plate: Plate
) -> Gain | None:
    mode = intensity.get("illumination", "none")
    if mode == "none":
        return None
    if mode == "given":
        profile = np.asarray(intensity["given"], np.float32)
        size = tuple(intensity["given_for"])
        if size != plate.field_shape[1:]:
            found = f"a profile of {size[0]} x {size[1]} px, fields of {plate.field_shape[1]} x {plate.field_shape[2]}"
            raise InputError(_invalid(plate.plate, found))
        return _inverse(profile, channels, plate.plate)
    return _inverse(_estimated(plate, channels), channels, plate.plate)


def _estimated(plate: Plate, channels: Sequence[str]) -> Profile:
    profile = read_profile(plate)
    return on_grid(profile[[plate.channels.index(name) for name in channels]])


def given_profile(path: Path, plate: Plate) -> dict[str, Any]:
    """A profile file of the settings as a model stores it: its grid, and the fields
    (y, x) it is for. Raises InputError (ILLUM_INVALID)."""
    profile = read_given(path, plate)
    _inverse(profile, plate.channels, str(path))
    grid = on_grid(profile).tolist()
    return {"given": grid, "given_for": list(plate.field_shape[1:])}


def on_grid(profile: Profile) -> Profile:
    """The profile [c y x] as means over at most GRID x GRID equal tiles."""
    y, x = profile.shape[1:]
    n, m = min(y, GRID), min(x, GRID)
    if (n, m) == (y, x):
        return profile
    rows = np.add.reduceat(profile, np.arange(n) * y // n, axis=1, dtype=np.float64)
    sums = np.add.reduceat(rows, np.arange(m) * x // m, axis=2)
    heights = np.diff(np.append(np.arange(n) * y // n, y))
    widths = np.diff(np.append(np.arange(m) * x // m, x))
    return np.asarray(sums / (heights[:, None] * widths), np.float32)


def _inverse(profile: Profile, channels: Sequence[str], where: str) -> Gain:
    problems = []
    for name, light in zip(channels, profile, strict=True):
        if not np.isfinite(light).all():
            problems.append(_invalid(f"{where}/{name}", "NaN or infinity in it"))
        elif light.mean() <= 0 or light.min() < LEAST_LIGHT * light.mean():
            found = f"light of {light.min():.3g} where the mean is {light.mean():.3g}"
            problems.append(_invalid(f"{where}/{name}", found))
    if problems:
        raise InputError(tuple(problems))
    mean = profile.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    return np.asarray(mean / profile, np.float32)


def _invalid(where: str, found: str) -> Problem:
    return Problem(
        "ILLUM_INVALID",
        where,
        found,
        "counts divided by a wrong light profile are wrong everywhere",
        "ingest the plate again to estimate it, give another profile, or train with"
        " intensity.illumination=none",
    )


def evenly_lit(pixels: NDArray[Any], gain: Gain | None) -> NDArray[Any]:
    """A field [c y x] as the kernels see it after the gain, float32; unchanged without
    one. For pictures and scales on the host; scoring does the same on the device."""
    if gain is None:
        return pixels
    y, x = (
        _weights(n, k) for n, k in zip(pixels.shape[1:], gain.shape[1:], strict=True)
    )
    return np.asarray(pixels * (y @ gain @ x.T), np.float32)


def _weights(n_pixels: int, n_tiles: int) -> NDArray[np.float32]:
    at = (np.arange(n_pixels) + 0.5) * (n_tiles / n_pixels) - 0.5
    at = np.clip(at, 0.0, n_tiles - 1.0)
    weights = 1.0 - np.abs(at[:, None] - np.arange(n_tiles)[None, :])
    return np.asarray(np.clip(weights, 0.0, 1.0), np.float32)
