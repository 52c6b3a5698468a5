"""What rows and columns read on every plate of a screen alike, learnt from all plates together and taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from screen.statistics.normalizers.dose_alias import dose_alias, explained
from screen.statistics.normalizers.grid import Ids, PlateGrid
from screen.statistics.normalizers.hit_share import hit_share
from screen.statistics.normalizers.layout import fixed_share
from screen.statistics.normalizers.polish import median_polish
from screen.statistics.normalizers.spread import robust_spread
from screen.statistics.robust import Floats

MIN_MAPS = 6  # different layouts of samples that tell places from compounds
MIN_SAMPLES = 24  # on a plate, to know its bulk
POLISH_ROUNDS = 3
BULK = 3.0  # sds of the samples within which a well tells of its place
MIN_IN_LINE = 3  # places of samples that tell their line
FIXED_MAX = 0.1
HIT_SHARE_MAX = 0.15


@dataclass(frozen=True)
class CommonPlaces:
    """The profile [row column] in sds of a plate's samples, what it holds of their variance, and why there is none."""

    profile: Floats
    share: float
    n_maps: int
    codes: tuple[str, ...]

    @property
    def found(self) -> bool:
        """Whether places are to be corrected."""
        return not self.codes


def common_places(plates: Sequence[PlateGrid]) -> CommonPlaces:
    """Rows and columns fitted to the medians of places over the maps of a line and time.

    Every plate is centred on the bulk of its samples and scaled by their spread; plates of
    one map are averaged first, so that a compound tells its place once. A line that
    holds vehicle wells alone is told by them where few samples are active: its vehicle
    is then as far from the bulk as the line is. Refused below six maps, where places
    keep their treatment, where doses follow lines, and where rows and columns explain
    nothing (p > 0.001 each).
    """
    used = [p for p in plates if p.treated.sum() >= MIN_SAMPLES and _spread(p) > 0]
    n_maps = len({p.treatment.tobytes() for p in used})
    codes = _refusals(used, n_maps)
    if codes:
        shape = plates[0].values.shape if plates else (0, 0)
        return CommonPlaces(np.zeros(shape), 0.0, n_maps, codes)
    samples, places = _medians(_by_map(used))
    share = _share(samples)
    if share == 0:
        codes = ("PLACE_EFFECT_NONE",)
    profile = _lines(samples, places if _few_hits(used) else samples)
    held = float(profile[np.isfinite(samples)].var())
    return CommonPlaces(profile, held, n_maps, codes)


def freed(plate: PlateGrid, places: CommonPlaces) -> PlateGrid:
    """The plate less what its places read on all plates; one without samples or spread stays as it is."""
    spread = _spread(plate)
    return replace(plate, values=plate.values - spread * places.profile)


def _spread(plate: PlateGrid) -> float:
    """Of the samples within their rows and columns: a slope of one plate must not magnify what all share."""
    known = plate.treated if plate.treated.sum() >= MIN_SAMPLES else plate.vehicle
    rest = median_polish(np.where(known, plate.values, np.nan), POLISH_ROUNDS).residuals
    return robust_spread(rest[known]).value


def _refusals(plates: Sequence[PlateGrid], n_maps: int) -> tuple[str, ...]:
    if n_maps < MIN_MAPS:
        return ("MAPS_FEW",)
    codes = []
    if fixed_share(plates) > FIXED_MAX:
        codes.append("LAYOUT_FIXED")
    if any(dose_alias(p).name for p in plates):
        codes.append("DOSE_ALIASED")
    return tuple(codes)


def _by_map(plates: Sequence[PlateGrid]) -> list[tuple[Floats, Floats]]:
    """Per map the standardised values [row column] of samples, and of samples and vehicle, mean over its plates."""
    maps: dict[bytes, list[tuple[Floats, Floats]]] = {}
    for plate in plates:
        maps.setdefault(plate.treatment.tobytes(), []).append(_standard(plate))
    return [
        (_mean([samples for samples, _ in group]), _mean([both for _, both in group]))
        for group in maps.values()
    ]


def _standard(plate: PlateGrid) -> tuple[Floats, Floats]:
    """The plate's samples, and its samples and vehicle, in sds about their bulk; NaN elsewhere and far from it."""
    scaled = (plate.values - _bulk(plate)) / _spread(plate)
    inner = np.abs(scaled) <= BULK
    samples = plate.treated & inner
    both = samples | (plate.vehicle & inner)
    return np.where(samples, scaled, np.nan), np.where(both, scaled, np.nan)


def _bulk(plate: PlateGrid) -> float:
    """Where the inert samples lie: active ones on one side would pull a median along."""
    samples = plate.values[plate.treated]
    centre = hit_share(samples, np.zeros(0)).centre
    return centre if np.isfinite(centre) else float(np.median(samples))


def _mean(grids: Sequence[Floats]) -> Floats:
    stack = np.stack(grids)
    n = np.isfinite(stack).sum(axis=0)
    total = np.where(np.isfinite(stack), stack, 0.0).sum(axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _medians(maps: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Medians over maps of the samples' places and of all; NaN where under half of the maps tell."""
    found = []
    for stack in (np.stack([m[i] for m in maps]) for i in (0, 1)):
        enough = np.isfinite(stack).sum(axis=0) >= (len(maps) + 1) // 2
        median = np.full(stack.shape[1:], np.nan)
        if enough.any():
            median[enough] = np.nanmedian(stack[:, enough], axis=0)
        found.append(median)
    return found[0], found[1]


def _share(samples: Floats) -> float:
    """Share of the places' rank variance that rows and columns explain beyond chance."""
    here = np.isfinite(samples)
    lines: Ids = np.indices(samples.shape)
    return explained(samples[here], lines[0][here]) + explained(
        samples[here], lines[1][here]
    )


def _lines(samples: Floats, places: Floats) -> Floats:
    """Rows and columns [row column] fitted to the samples' places, by least squares, mean 0 over them.

    Lines without samples are fitted to `places`, and have no effect where these hold none.
    """
    here = np.isfinite(samples)
    told = places.copy()
    poor_rows, poor_columns = (here.sum(axis=a) < MIN_IN_LINE for a in (1, 0))
    poor = poor_rows[:, None] | poor_columns
    told[~poor] = samples[~poor]
    known = np.isfinite(told)
    row, column = np.indices(samples.shape)
    n_rows, n_columns = samples.shape
    design = np.zeros((samples.size, n_rows + n_columns))
    design[np.arange(samples.size), row.ravel()] = 1.0
    design[np.arange(samples.size), n_rows + column.ravel()] = 1.0
    fit = np.linalg.lstsq(design[known.ravel()], told[known], rcond=None)[0]
    rows, columns = fit[:n_rows], fit[n_rows:]
    for effect, lines in ((rows, known.any(axis=1)), (columns, known.any(axis=0))):
        effect[lines] -= effect[lines].mean() if lines.any() else 0.0
        effect[~lines] = 0.0
    profile = rows[:, None] + columns
    return np.asarray(profile - profile[here].mean())


def _few_hits(plates: Sequence[PlateGrid]) -> bool:
    """Whether nearly all samples of most plates are like their own bulk, the vehicle's offset aside."""
    bounds = []
    for p in plates:
        samples, vehicle = p.values[p.treated], p.values[p.vehicle]
        held = vehicle - (
            np.median(vehicle) - np.median(samples) if vehicle.size else 0.0
        )
        bounds.append(hit_share(samples, held).high)
    return (
        bool(np.nanmedian(bounds) <= HIT_SHARE_MAX)
        if np.isfinite(bounds).any()
        else False
    )
