"""Pictures that age: grey-level structure tells a person's years, with known error."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plates.synthetic.crop_sets.archive import (
    Picture,
    Progress,
    VirtualSet,
    grey,
    write_set,
)
from plates.synthetic.crop_sets.ceilings import AgeReader
from plates.synthetic.crop_sets.settings import AgeSettings
from plates.synthetic.optics import gaussian_blur

Array = NDArray[np.float64]

COHORTS = ("usual", "accelerated")
SIGNS = ("heart", "ribs", "grain")  # each shows the body's age with its own error
MIDDLE_AGE, AGE_UNIT = 55.0, 35.0  # years; a sign is a power of (age - 55) / 35
HOW = (
    "Age is uniform; each of 3 signs in a picture is age + gap + N(0, 3 sd^2), drawn"
    " once a person, so that their mean is age + gap + N(0, sd^2) and says all. By"
    " quadrature, usual is the best that a reader taught on the usual cohort does on"
    " it: mae of the posterior median of age given that mean, mae_of_mean of the"
    " posterior mean, bias_slope of (told - age) on age of the latter, for even the"
    " best reader shrinks to the middle; gap is what it then tells of the accelerated,"
    " level_corrected: less its bias at that age, slope_corrected: that over"
    " 1 + bias_slope. whole is the posterior mean of a reader taught on both cohorts"
    " that is not told which is which: mae over all, and gap between the cohorts."
    " this_set is the best reader on the true signs of this set's usual cohort."
)


def simulate_ages(
    settings: AgeSettings, folder: Path, *, seed: int, progress: Progress | None = None
) -> VirtualSet:
    """Write crops.csv (file, age, person, cohort) with pictures and truth; see HOW."""
    years, errors, looks, painting = np.random.SeedSequence(seed).spawn(4)
    n_people = settings.n_people + settings.n_accelerated
    draw = np.random.default_rng(years)
    age = np.round(draw.uniform(settings.youngest, settings.oldest, n_people), 2)
    fast = draw.permutation(np.arange(n_people) < settings.n_accelerated)
    sd = settings.age_noise * len(SIGNS) ** 0.5
    own = sd * np.random.default_rng(errors).standard_normal((n_people, len(SIGNS)))
    shown = age[:, None] + settings.gap * fast[:, None] + own
    n = settings.n_pictures
    views = range(1, n + 1)
    people = [f"P{number:04d}" for number in range(1, n_people + 1)]
    rows = pl.DataFrame(
        {
            "file": [f"{p}_{view}.png" for p in people for view in views],
            "age": age.repeat(n),
            "person": np.repeat(people, n),
            "cohort": [COHORTS[int(one)] for one in fast.repeat(n)],
        }
    )
    truth = rows.select("file").with_columns(
        *(pl.Series(name, shown.repeat(n, 0)[:, i]) for i, name in enumerate(SIGNS)),
        best=pl.Series(_reader(settings).median(shown.mean(1)).repeat(n)),
    )
    facts = _facts(settings, seed, age, fast, shown)
    pictures = _painted(settings, shown.repeat(n, 0), looks, painting)
    return write_set(folder, rows, truth, facts, pictures, progress=progress)


def _reader(settings: AgeSettings) -> AgeReader:
    return AgeReader(settings.youngest, settings.oldest, settings.age_noise)


def usual_floor(settings: AgeSettings) -> dict[str, float]:
    """The best on the usual cohort: MAE, bias slope and gaps, as HOW defines them."""
    reader = _reader(settings)
    ages, weights = reader.ages()
    told = reader.expect(reader.mean, _told)
    faster = reader.expect(reader.mean, _told, settings.gap)
    centred = ages - ages @ weights
    pull = weights * centred
    slope = float((pull @ (told - ages)) / (pull @ centred))
    level = float(weights @ (faster - told))
    return {
        "mae": float(weights @ reader.expect(reader.median, _error)),
        "mae_of_mean": float(weights @ reader.expect(reader.mean, _error)),
        "bias_slope": slope,
        "gap_level_corrected": level,
        "gap_slope_corrected": level / (1 + slope),
    }


def whole_floor(settings: AgeSettings) -> dict[str, float]:
    """The best on both cohorts together: MAE and the gap between them, see HOW."""
    reader, gap = _reader(settings), settings.gap
    share = settings.n_accelerated / (settings.n_people + settings.n_accelerated)
    _, weights = reader.ages()

    def told(shown: Array) -> Array:
        return reader.mean_of_mixed(shown, share, gap)

    usual = weights @ reader.expect(told, _error)
    faster = weights @ reader.expect(told, _error, gap)
    between = reader.expect(told, _told, gap)
    between -= reader.expect(told, _told)
    mae = float((1 - share) * usual + share * faster)
    return {"mae": mae, "gap": float(weights @ between)}


def _error(age: Array, told: Array) -> Array:
    return np.abs(told - age)


def _told(age: Array, told: Array) -> Array:
    return told


def _facts(
    settings: AgeSettings, seed: int, age: Array, fast: Array, shown: Array
) -> dict[str, Any]:
    best = _reader(settings).median(shown.mean(1))
    error = float(np.abs(best - age)[~fast.astype(bool)].mean())
    return {
        "set": "ages",
        "seed": seed,
        "settings": asdict(settings),
        "signs": list(SIGNS),
        "gap_true": settings.gap,
        "floor": {
            "usual": _rounded(usual_floor(settings)),
            "whole": _rounded(whole_floor(settings)),
            "this_set": {"mae": round(error, 6)},
            "how": HOW,
        },
    }


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def _painted(
    settings: AgeSettings,
    shown: Array,
    looks: np.random.SeedSequence,
    painting: np.random.SeedSequence,
) -> Iterator[Picture]:
    side = settings.picture_px
    sheet = _grain_sheet(side, np.random.default_rng(looks))
    rng = np.random.default_rng(painting)
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    for signs in (shown - MIDDLE_AGE) / AGE_UNIT:
        y, x = axis + rng.uniform(-0.06, 0.06), axis + rng.uniform(-0.06, 0.06)
        chest = _chest(y[:, None], x[None], *signs[:2].tolist())
        top, left = rng.integers(0, side, 2)
        chest += 8 * np.exp(0.45 * signs[2]) * sheet[top:, left:][:side, :side]
        exposure = np.exp(0.04 * rng.standard_normal())
        yield grey(exposure * chest + 3 * rng.standard_normal(), settings.noise, rng)


def _chest(y: Array, x: Array, heart: float, ribs: float) -> Array:
    """Two dark lungs, a bright heart that widens with age, ribs that grow denser."""
    lungs = sum(_disc((x - side * 0.42) / 0.36, y / 0.78) for side in (-1, 1))
    width = 0.26 * np.exp(0.30 * heart)
    shadow = _disc(x / width, (y - 0.25) / 0.5)
    arches = np.cos(2 * np.pi * (3.5 * y + 1.2 * x**2))
    image: Array = 150 - 85 * lungs + 75 * shadow * np.minimum(lungs + 0.3, 1)
    image += 14 * np.exp(0.40 * ribs) * arches * lungs * (1 - shadow)
    return image


def _disc(u: Array, v: Array) -> Array:
    """1 inside the unit circle, 0 outside, with a soft rim."""
    return np.asarray(1 / (1 + np.exp(14 * (np.hypot(u, v) - 1))))


def _grain_sheet(side: int, rng: np.random.Generator) -> Array:
    white = rng.standard_normal((2 * side + 16, 2 * side + 16)).astype(np.float32)
    smooth = gaussian_blur(white, 0.8)[8:-8, 8:-8]
    return np.asarray(smooth / smooth.std(), np.float64)
