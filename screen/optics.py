"""How a model looks at a field: the kernels' finder and intensity specs from settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plates.problems import InputError, Problem
from plates.store import Plate
from screen.settings import TrainVerb

if TYPE_CHECKING:
    from kernels.centres import FinderSpec
    from kernels.intensity import IntensitySpec

# A flat channel has no scale of its own; one count keeps the division defined.
SMALLEST_SCALE = 1.0


def finder_spec(settings: TrainVerb, plate: Plate) -> FinderSpec:
    """The finder of a campaign whose plates look like ``plate``; um become pixels.

    Raises InputError (PLATE_CHANNEL_MISSING) for a channel the plates do not have.
    """
    from kernels.centres import FinderSpec

    finder, network = settings.finder, settings.network
    px = plate.pixel_size_um
    is_tiles = finder.kind == "tiles"
    return FinderSpec(
        # A segmenter's labels reach the kernels as centres.
        kind="given" if finder.kind == "segmenter" else finder.kind,  # type: ignore[arg-type]
        channel=_channel(finder.channel, plate),
        radius_px=finder.radius_um / px,
        min_contrast=finder.min_contrast,
        max_cells=finder.max_cells,
        crop_px=network.crop_px,
        polarity=finder.polarity,  # type: ignore[arg-type]
        bin=network.bin,
        border_px=finder.border_px,
        stride_px=finder.stride_px,
        texture_px=finder.texture_um / px,
        min_share=0.0 if is_tiles else finder.min_share,
        min_radius_px=0.0 if is_tiles else finder.min_radius_um / px,
        max_radius_px=finder.max_radius_um / px,
    )


def _channel(name: str, plate: Plate) -> int:
    if not name:
        return 0
    if name not in plate.channels:
        raise InputError(
            Problem(
                "PLATE_CHANNEL_MISSING",
                plate.plate,
                f"channels {', '.join(plate.channels)}; finder.channel={name}",
                "cells are looked for in one channel",
                "name a channel of the plates with finder.channel=",
            )
        )
    return plate.channels.index(name)


def kinds_of(settings: TrainVerb, plate: Plate) -> tuple[str, ...]:
    """The kind of each channel, one setting standing for all; raises InputError."""
    kinds, n = tuple(settings.intensity.kinds), len(plate.channels)
    if len(kinds) not in (1, n):
        raise InputError(
            Problem(
                "PLATE_CHANNEL_MISSING",
                plate.plate,
                f"{n} channels, intensity.kinds names {len(kinds)}",
                "each channel is fluorescence or transmitted",
                f"give intensity.kinds one kind, or {n} in the order of the channels",
            )
        )
    return kinds if len(kinds) == n else kinds * n


def camera_limit(plate: Plate) -> int | None:
    """The largest count the camera gives, as ingest was told; None where only the data
    type says it. A 12-bit camera saturates at 4095 in a file of 16 bits."""
    path = plate.path / "ingest.json"
    if not path.is_file():
        return None
    level = json.loads(path.read_bytes()).get("request", {}).get("level_max")
    return None if level is None else int(level)


def intensity_spec(
    kinds: tuple[str, ...], fields: Iterable[NDArray[Any]]
) -> IntensitySpec:
    """The intensity scale of a campaign, from fields [c y x] of its control wells.

    A fluorescence scale is the median over fields of the distance between the 99th
    and the 10th percentile, in counts: a bright nucleus is near 1 even where nuclei
    fill few pixels, and the number is the same for every plate, so that no image is
    stretched by its own contents. A transmitted scale is half the distance between
    the 90th and the 10th percentile, over the median.
    """
    from kernels.intensity import IntensitySpec

    spreads = [_spread(kinds, field) for field in fields]
    scales = np.maximum(np.median(np.asarray(spreads), axis=0), _floors(kinds))
    rounded = tuple(float(f"{s:.4g}") for s in scales)
    return IntensitySpec(kinds=kinds, scales=rounded)


def _spread(kinds: tuple[str, ...], field: NDArray[Any]) -> list[float]:
    low, middle, high, top = np.percentile(
        field[:, ::4, ::4].reshape(len(kinds), -1), (10, 50, 90, 99), axis=1
    )
    return [
        float(t - lo) if kind == "fluorescence" else float((h - lo) / max(2 * m, 1.0))
        for kind, lo, m, h, t in zip(kinds, low, middle, high, top, strict=True)
    ]


def _floors(kinds: tuple[str, ...]) -> list[float]:
    return [SMALLEST_SCALE if k == "fluorescence" else 0.01 for k in kinds]
