"""Scoring one field in windows: what is on the device at a time does not grow with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from screen.cell_centres import Centres
from screen.field_scores import FieldScores
from screen.illumination import Gain
from screen.large_fields import window_side
from screen.micro_batches import batches_of
from screen.on_host import on_host
from screen.once import Once
from screen.scored_cells import ScoredCells
from screen.stages import lap

if TYPE_CHECKING:
    from kernels.field_tiles import FieldTiles
    from kernels.field_windows import Pixels
    from screen.scoring import JaxScorer

_made = Once()
_MEASURES = ("background", "mean", "sd", "focus", "saturated")


def score_tiles(
    scorer: JaxScorer,
    pixels: Pixels,
    networks: Sequence[str],
    gain: Gain | None,
    given: Centres | None,
) -> FieldScores:
    """Find and score the cells of one field [c y x], as `JaxScorer` does of a smaller one.

    The field's integers are asked for window by window, and float planes made of one at
    a time. Positions agree with those of a whole field to 1e-4 px, probabilities and
    measures to their last digits: XLA rounds each shape in its own way.
    """

    tiles = _tiles(scorer, pixels.shape, pixels.dtype.name)
    survey = tiles.survey(pixels, gain)
    if given is None:
        centres, is_full = tiles.centres(pixels, gain, survey)
    else:
        centres, is_full = given[: scorer.most], len(given) > scorer.most
    lap("find")
    used = tuple(networks) or (scorer.model.spec.networks[0].name,)
    cells = ScoredCells(len(centres), len(used))
    seen = tiles.sampled()
    for tile, image in tiles.images(pixels, gain, survey):
        tiles.sample(seen, tile, image)
        lap("find")
        mine = np.flatnonzero(tile.owns(centres))
        local = centres[mine] - np.array(tile.origin, np.float32)
        score = scorer.scorer(used, image)
        lap("compile")
        for start, batch in enumerate(batches_of(local, scorer.minibatch)):
            first = start * scorer.minibatch
            host = on_host(score(image, *batch))
            cells.add(host, mine[first : first + scorer.minibatch])
        lap("score")
    measures = {k: [getattr(c, k) for c in survey.channels] for k in _MEASURES}
    quality = tiles.quality(survey, seen)._asdict()
    told = {k: np.asarray(v, np.float64).tolist() for k, v in quality.items()}
    return FieldScores(
        y=centres[:, 0],
        x=centres[:, 1],
        probability=scorer.calibrated(cells.probability[:, : len(networks)]),
        profile=cells.profile,
        embedding=cells.embedding(networks),
        measures=measures | told,
        codes=("CAPACITY",) if is_full else (),
    )


def _tiles(scorer: JaxScorer, shape: tuple[int, ...], dtype: str) -> FieldTiles:
    """How fields of this shape (c, y, x) and type are cut: made once a process."""
    from kernels.field_tiles import FieldTiles
    from screen.scoring import specs

    side = window_side(scorer.max_field_px)
    settings = specs(scorer.model.spec)
    c, y, x = shape
    tiles: FieldTiles = _made(
        (*settings, shape, dtype, side),
        lambda: FieldTiles(*settings, (c, y, x), dtype, side),
    )
    return tiles
