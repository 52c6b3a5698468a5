"""The automatic choice: a positional correction where it is significant, allowed and removes more than it adds, else the plate's own scale."""

import numpy as np

from screen.statistics.normalizers.assumptions import (
    no_polish,
    no_surface,
    no_surface_effect,
)
from screen.statistics.normalizers.dose_alias import explained
from screen.statistics.normalizers.facts import PlateFacts
from screen.statistics.normalizers.grid import Ids, PlateGrid

# 38 line effects of 320 samples, by medians, add a fifth of the noise's variance.
LEAST_BY_LINES = 0.25


def automatic(plate: PlateGrid, facts: PlateFacts) -> tuple[str, str]:
    """(method, why) for one plate, freed of what all plates share: surface, b_score, places or rescue.

    Values are left alone unless the data of this very plate show an effect of place
    at p <= 0.001 that holds a quarter of the variance: a correction always adds the
    noise of what it estimates, and takes from hits what it takes for place. Controls
    in columns of their own share the rows' correction; their columns stay as they are.
    """
    if not no_surface(facts) + no_surface_effect(facts):
        gain = facts.surface.share
        return "surface", f"a surface takes {gain:.0%} of the vehicle's variance"
    places = facts.screen.places
    alone, why = ("places", "") if places.found else ("rescue", "")
    if places.found:
        why = f"rows and columns of {places.n_maps} maps hold {places.share:.0%} of the samples' variance"
    share = line_share(plate)
    if share < LEAST_BY_LINES:
        return alone, why
    refused = no_polish(facts)
    if refused:
        left = f"rows and columns of its own left in: {', '.join(refused)}"
        return alone, "; ".join(filter(None, [why, left]))
    return "b_score", f"rows and columns hold {share:.0%} of the samples' variance"


def line_share(plate: PlateGrid) -> float:
    """Share of the samples' rank variance that rows and columns explain beyond chance, at p <= 0.001 each."""
    here = plate.treated
    if not here.any():
        return 0.0
    lines: Ids = np.indices(plate.values.shape)
    rows, columns = lines[0], lines[1]
    values = plate.values[here]
    return explained(values, rows[here]) + explained(values, columns[here])
