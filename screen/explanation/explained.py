"""Wells explained one after the other: each is read once, and little of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from screen.explain_settings import ExplainVerb
from screen.explanation.looking import Looking
from screen.explanation.measures import (
    Parts,
    measure_names,
    measured,
    n_pictures,
    part_masks,
)
from screen.explanation.views import (
    CellSource,
    Crops,
    Place,
    Pool,
    Single,
    WellView,
    drawn,
)

POOL_PER_WELL = 16


def explained(
    places: Iterable[Place],
    source: CellSource,
    looking: Looking,
    channels: Sequence[str],
    parts: Parts,
    settings: ExplainVerb,
    pool: Pool,
    advance: Callable[[int], None],
) -> dict[Place, WellView]:
    """A view of every well that has cells and a network that may see them.

    ``pool`` takes some crops for the checks. Which cells are drawn depends on the seed
    and the well alone.
    """
    views = {}
    for place in places:
        networks = source.networks(place)
        cells = source.cells(place) if networks else np.zeros((0, 1, 1, 1), np.float32)
        cells = drawn(cells, settings.cells_per_well, settings.seed, place)
        if len(cells):
            pool.add(cells, place, networks[0], POOL_PER_WELL)
            views[place] = _view(
                place, cells, networks, looking, channels, parts, settings
            )
        advance(1)
    return views


def _view(
    place: Place,
    cells: Crops,
    networks: Sequence[str],
    looking: Looking,
    channels: Sequence[str],
    parts: Parts,
    settings: ExplainVerb,
) -> WellView:
    """The mean over cells, and over the networks that may see them: shares are taken of
    each network's map, since maps that are averaged first cancel where they disagree."""
    maps, answers = _maps(cells, networks, looking, settings.minibatch)
    masks = part_masks(cells, parts)
    shown = n_pictures(channels)
    numbers = np.stack([measured(m, masks, shown) for m in maps])
    names = measure_names(channels, parts, maps.shape[-1])
    values = {name: _mean(numbers[:, :, column]) for column, name in enumerate(names)}
    cams = _stage_means(cells, networks, looking, settings.minibatch)
    singles = tuple(
        Single(cells[i], maps[:, i].mean(0), float(answers[:, i].mean()))
        for i in range(min(settings.shown, len(cells)))
    )
    mean_map = maps.mean((0, 1), dtype=np.float64).astype(np.float32)
    mean_crop = cells.mean(0, dtype=np.float64).astype(np.float32)
    values["output"] = float(answers.mean(dtype=np.float64))
    return WellView(place, len(cells), values, mean_crop, mean_map, cams, singles)


def _mean(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    known = numbers[np.isfinite(numbers)]
    return float(known.mean()) if len(known) else float("nan")


def _maps(
    cells: Crops, networks: Sequence[str], looking: Looking, size: int
) -> tuple[Crops, Crops]:
    """Maps [k n s s m] and explained numbers [k n] of each network."""
    params = [looking.params[name] for name in networks]
    maps = [looking.maps(p, cells, size) for p in params]
    return np.stack(maps), np.stack([looking.answers(p, cells, size) for p in params])


def _stage_means(
    cells: Crops, networks: Sequence[str], looking: Looking, size: int
) -> dict[str, Crops]:
    """Mean Grad-CAM [s s] of each stage over cells and networks."""
    params = [looking.params[name] for name in networks]
    return {
        stage: np.asarray(
            np.mean(
                [
                    looking.cam(stage, p, cells, size).mean(0, dtype=np.float64)
                    for p in params
                ],
                axis=0,
            ),
            np.float32,
        )
        for stage in looking.cams
    }
