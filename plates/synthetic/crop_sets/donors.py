"""Cells of patients and controls: a known effect, and donors that look of their own."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plates.synthetic.cells import MINIBATCH, CellPainter, Looks
from plates.synthetic.crop_sets.archive import (
    Picture,
    Progress,
    VirtualSet,
    grey,
    write_set,
)
from plates.synthetic.crop_sets.ceilings import distance, two_normals
from plates.synthetic.crop_sets.settings import DonorSettings
from plates.synthetic.settings import SimulateSettings

Array = NDArray[np.float64]

KINDS = ("control", "patient")
CLASS_TRAITS = ("nucleus_size", "body_size")
NUISANCE_TRAITS = ("nucleus_stain", "body_stain", "background", "texture")
TRAITS = CLASS_TRAITS + NUISANCE_TRAITS

FIELD_UM = 60.0  # side of a crop
BODY_GREY, NUCLEUS_GREY, BACKGROUND_GREY = 60.0, 70.0, 24.0  # of a typical cell
HOW = (
    "Traits of a cell are N(+-effect/2 + donor, 1), donors N(0, spread^2): for a donor"
    " never seen and one cell the Bayes rule is linear, with accuracy Phi(d/2) and AUC"
    " Phi(d/sqrt 2), d^2 = sum effect^2 / (1 + spread^2). this_set is that rule on the"
    " true traits of the cells of this set. From the crop less can be read, not more."
)


def simulate_donors(
    settings: DonorSettings,
    folder: Path,
    *,
    seed: int,
    progress: Progress | None = None,
) -> VirtualSet:
    """Write crops.csv (file, state, donor) with pictures and truth; see HOW.

    Donor numbers say nothing about the kind: they are dealt at random.
    """
    shapes, deal, people, cells, painting = np.random.SeedSequence(seed).spawn(5)
    n_donors, n = 2 * settings.n_donors, settings.n_cells
    kind = np.random.default_rng(deal).permutation(np.arange(n_donors) % 2)
    own = donor_spread(settings) * _normal(people, n_donors)
    signs = kind[:, None] - 0.5
    traits = (signs * class_effect(settings) + own).repeat(n, 0)
    traits += _normal(cells, n_donors * n)
    donors = [f"D{number:03d}" for number in range(1, n_donors + 1)]
    files = [f"{d}/{d}_c{cell:04d}.png" for d in donors for cell in range(1, n + 1)]
    rows = pl.DataFrame(
        {
            "file": files,
            "state": [KINDS[k] for k in kind.repeat(n)],
            "donor": np.repeat(donors, n),
        }
    )
    truth = rows.select("file").with_columns(
        *(pl.Series(name, traits[:, i]) for i, name in enumerate(TRAITS)),
        *(
            pl.Series(f"donor_{t}", own.repeat(n, 0)[:, i])
            for i, t in enumerate(TRAITS)
        ),
    )
    facts = _facts(settings, seed, traits, kind.repeat(n))
    pictures = _painted(settings, traits, shapes, painting)
    return write_set(folder, rows, truth, facts, pictures, progress=progress)


def class_effect(settings: DonorSettings) -> Array:
    """How far patients lie from controls in each trait, cell sd [6]."""
    n = [len(CLASS_TRAITS), len(NUISANCE_TRAITS)]
    return np.repeat([settings.class_effect, 0.0], n)


def donor_spread(settings: DonorSettings) -> Array:
    """Spread of donors in each trait, cell sd [6]."""
    n = [len(CLASS_TRAITS), len(NUISANCE_TRAITS)]
    return np.repeat([settings.donor_overlap, settings.donor_effect], n)


def _facts(
    settings: DonorSettings, seed: int, traits: Array, kind: NDArray[np.int64]
) -> dict[str, Any]:
    effect, variance = class_effect(settings), 1 + donor_spread(settings) ** 2
    accuracy, area = two_normals(distance(effect, variance))
    score = traits @ (effect / variance)
    right = float(np.mean((score > 0) == (kind == 1)))
    return {
        "set": "donors",
        "seed": seed,
        "settings": asdict(settings),
        "traits": list(TRAITS),
        "ceiling": {
            "accuracy": round(accuracy, 6),
            "auc": round(area, 6),
            "this_set": {"accuracy": round(right, 6)},
            "how": HOW,
        },
    }


def _normal(seed: np.random.SeedSequence, n: int) -> Array:
    return np.random.default_rng(seed).standard_normal((n, len(TRAITS)))


def looks_of(traits: Array) -> tuple[Looks, Array]:
    """What painted cells look like, and the background of each in grey values."""
    nucleus_size, body_size, nucleus, body, background, texture = traits.T
    ones = np.ones_like(nucleus_size)
    looks = Looks(
        nucleus_um=7.2 * np.exp(0.11 * nucleus_size),
        nucleus_rough=0.03 * ones,
        nucleus_bright=np.exp(0.12 * nucleus),
        foci=0.2 * ones,
        body_um=18.0 * np.exp(0.10 * body_size),
        body_rough=0.04 * ones,
        body_bright=np.exp(0.12 * body),
        fibres=0.10 * np.exp(0.25 * texture),
        vacuoles=0 * ones,
    )
    single = {name: v.astype(np.float32) for name, v in vars(looks).items()}
    return Looks(**single), BACKGROUND_GREY * np.exp(0.12 * background)


def _painted(
    settings: DonorSettings,
    traits: Array,
    shapes: np.random.SeedSequence,
    painting: np.random.SeedSequence,
) -> Iterator[Picture]:
    painter = cell_painter(settings.crop_px, shapes)
    rng = np.random.default_rng(painting)
    for start in range(0, len(traits), MINIBATCH):
        looks, background = looks_of(traits[start : start + MINIBATCH])
        windows = BODY_GREY * painter.bodies(looks, rng)
        nuclei = NUCLEUS_GREY * painter.nuclei(looks, rng)
        rim = painter.body_half - painter.nucleus_half
        inner = slice(rim, rim + nuclei.shape[1])
        windows[:, inner, inner] += nuclei
        crops = middle(windows, settings.crop_px) + background[:, None, None]
        yield from (grey(crop, settings.noise, rng) for crop in crops)


def cell_painter(crop_px: int, shapes: np.random.SeedSequence) -> CellPainter:
    """A painter at the pixel size that puts FIELD_UM on the side of a crop."""
    settings = SimulateSettings(pixel_size_um=FIELD_UM / crop_px)
    return CellPainter(settings, np.random.default_rng(shapes))


def middle(windows: NDArray[Any], side: int) -> NDArray[Any]:
    """The middle side x side pixels of windows [n y x]."""
    start = (windows.shape[1] - side) // 2
    return windows[:, start : start + side, start : start + side]
