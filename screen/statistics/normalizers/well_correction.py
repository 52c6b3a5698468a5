"""Well correction: what a place does on most plates of a screen is taken away from it on each."""

from collections.abc import Sequence

import numpy as np

from screen.statistics.normalizers.grid import PlateGrid
from screen.statistics.normalizers.null_scale import on_null_scale
from screen.statistics.robust import Floats

MIN_PLATES = 6


def place_profile(scaled: Sequence[Floats]) -> Floats:
    """What each place [row column] reads above its plates, as the median over plates; 0 where under 6 plates tell."""
    stack = np.stack(scaled)
    enough = np.isfinite(stack).sum(axis=0) >= MIN_PLATES
    profile = np.zeros(stack.shape[1:])
    if enough.any():
        profile[enough] = np.nanmedian(stack[:, enough], axis=0)
    return profile


def well_correction(plates: Sequence[PlateGrid]) -> list[Floats]:
    """Values in sd of the null, less the median of their place over all plates (Makarenkov 2007).

    Bioinformatics 23:1648, with medians for its means, so that a hit on one plate
    takes nothing from the others. Places change their compounds between plates, or
    this takes the compound away with the place.
    """
    scaled = [on_null_scale(p, p.values) for p in plates]
    learnt = [
        np.where(p.treated | p.vehicle, z, np.nan)
        for p, z in zip(plates, scaled, strict=True)
    ]
    profile = place_profile(learnt)
    return [on_null_scale(p, z - profile) for p, z in zip(plates, scaled, strict=True)]
