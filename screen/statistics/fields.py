"""Flags of single fields, each a robust z within its plate and channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from screen.field_groups import QualitySettings
from screen.statistics.robust import Floats, robust_z

FLAGS = ("OUT_OF_FOCUS", "IMG_SATURATED", "BLANK", "BACKGROUND", "DEBRIS")
MEASURES = (
    "background",
    "mean",
    "sd",
    "focus",
    "saturated",
    "slope",
    "local_variance",
    "debris",
    "span",
)


@dataclass(frozen=True)
class Flagged:
    """What is odd about a plate's fields: for each its flags with the channel and the
    figure, whether it leaves where flags are enforced, and the worst robust z."""

    reasons: list[dict[str, str]]
    leaves: list[bool]
    focus_z: Floats
    background_z: Floats
    debris_z: Floats


def flag_fields(
    measures: Mapping[str, Floats], channels: Sequence[str], rules: QualitySettings
) -> Flagged:
    """Flag the fields of one plate; each measure is [field channel], NaN if unknown.

    A blurred field has a lower power slope and a lower local variance, in one channel:
    two looks at one thing, so that odd cells alone flag nothing. A blank one is darker
    than its plate and has little contrast. Where the background is raised too, what is
    bright is the compound, not debris. All z are against every field of the plate,
    by median and 1.4826 MAD.
    """
    slope, light = _z(measures["slope"]), _z(_log(measures["local_variance"]))
    background = _level_z(measures["background"], rules.background_rise_min)
    debris = _z(measures["debris"])
    contrast = _over_median(measures["sd"])
    z = {"OUT_OF_FOCUS": slope, "BACKGROUND": background, "BLANK": background}
    shown = z | {"DEBRIS": measures["debris"], "IMG_SATURATED": measures["saturated"]}
    with np.errstate(invalid="ignore"):
        blank = (background < -rules.background_z_max) & (contrast < rules.blank_sd_max)
        over = measures["saturated"] > rules.saturated_warn
        found = {
            "OUT_OF_FOCUS": (slope < rules.focus_z_min)
            & (light < rules.focus_z_min / 2.0),
            "IMG_SATURATED": over,
            "BLANK": blank,
            "BACKGROUND": (np.abs(background) > rules.background_z_max) & ~blank,
            "DEBRIS": (debris > rules.debris_z_max)
            & (measures["debris"] > rules.debris_min)
            & ~(background > rules.background_z_max),
        }
        gone = found | {"IMG_SATURATED": measures["saturated"] > rules.saturated_max}
    n = len(slope)
    reasons = [
        {
            f: _words(f, shown[f][i], found[f][i], channels)
            for f in FLAGS
            if found[f][i].any()
        }
        for i in range(n)
    ]
    leaves = [any(gone[f][i].any() for f in rules.enforced) for i in range(n)]
    ends = (_worst(slope, -1), _worst(background, 0), _worst(debris, 1))
    return Flagged(reasons, leaves, *ends)


def _words(
    flag: str, values: Floats, is_found: np.ndarray, channels: Sequence[str]
) -> str:
    """The channels in which a flag stands, each with its figure."""
    kind = "{:.1%}" if flag in ("DEBRIS", "IMG_SATURATED") else "z {:.1f}"
    each = zip(channels, values, is_found, strict=True)
    return ", ".join(f"{name} {kind.format(v)}" for name, v, there in each if there)


def _log(values: Floats) -> Floats:
    return np.asarray(np.log(np.where(values > 0, values, np.nan)))


def _z(values: Floats) -> Floats:
    """The robust z of each column [field channel] against itself."""
    z = np.full(values.shape, np.nan)
    for c in range(values.shape[1]):
        column = values[:, c]
        z[:, c] = robust_z(column, column[np.isfinite(column)])
    return z


def _level_z(values: Floats, least: float) -> Floats:
    """As `_z`; a change under the share `least` of the median is never beyond six."""
    z = _z(values)
    for c in range(values.shape[1]):
        column = values[:, c][np.isfinite(values[:, c])]
        if column.size and (step := least * abs(float(np.median(column))) / 6.0) > 0:
            capped = (values[:, c] - np.median(column)) / step
            z[:, c] = np.where(np.abs(capped) < np.abs(z[:, c]), capped, z[:, c])
    return z


def _over_median(values: Floats) -> Floats:
    middle = [
        np.median(v) if (v := c[np.isfinite(c)]).size else np.nan for c in values.T
    ]
    return np.asarray(values / np.where(np.asarray(middle) > 0, middle, np.nan))


def _worst(z: Floats, sign: int) -> Floats:
    """The lowest (-1), highest (1) or farthest (0) z of each field; NaN without any."""
    if z.shape[1] == 0:
        return np.full(len(z), np.nan)
    rank = np.abs(z) if sign == 0 else sign * z
    rank = np.where(np.isfinite(z), rank, -np.inf)
    at = rank.argmax(axis=1)
    return np.asarray(z[np.arange(len(z)), at])
