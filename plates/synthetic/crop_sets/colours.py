"""Tissue sheets in two colours: primary cells, the secondary ones near them, the rest."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plates.synthetic.cells import MINIBATCH, Looks
from plates.synthetic.crop_sets.archive import (
    Picture,
    Progress,
    VirtualSet,
    grey,
    write_set,
)
from plates.synthetic.crop_sets.ceilings import classes_accuracy
from plates.synthetic.crop_sets.donors import cell_painter, middle
from plates.synthetic.crop_sets.settings import ColourSettings

Array = NDArray[np.float64]

KINDS = ("none", "primary", "secondary")
COLOURS = ("red", "green")
OWN_COLOUR = np.array([[0, 0], [1, 0], [0, 1]])  # by kind: red, green
DIM_LOG = -1.1  # mean log signal of a colour that a cell does not carry
SIGNAL_GREY, BACKGROUND_GREY = 42.0, 12.0
HOW = (
    "Log signals (red, green) of a cell are N(mean of its kind + sheet, spread^2), of a"
    " sheet N(0, sample_spread^2); bleed mixes the two signals one to one, so that"
    " nothing is lost by it. For a sheet never seen and one cell the Bayes rule takes"
    " the nearest mean; its accuracy (kinds as frequent) and its share of each kind are"
    " integrals over the plane. this_set is that rule on the true signals of this set."
    " Positions are not used. From the crop less can be read, not more."
)


def simulate_colours(
    settings: ColourSettings,
    folder: Path,
    *,
    seed: int,
    progress: Progress | None = None,
) -> VirtualSet:
    """Write crops.csv (file, state, sample, y_um, x_um) with pictures and truth."""
    sheets, cells, place, shapes, painting = np.random.SeedSequence(seed).spawn(5)
    n_samples, n = settings.n_samples, settings.n_cells
    per_sheet = len(KINDS) * n
    kind = np.tile(np.repeat(np.arange(len(KINDS)), n), n_samples)
    own = settings.sample_spread * _normal(sheets, n_samples).repeat(per_sheet, 0)
    log_signal = kind_means(settings)[kind] + own
    log_signal += settings.spread * _normal(cells, len(kind))
    where = np.random.default_rng(place)
    at_um = np.concatenate([_sheet(settings, where) for _ in range(n_samples)])
    # The order within a sheet must not tell the kind, neither by row nor by name.
    order = np.concatenate(
        [s * per_sheet + where.permutation(per_sheet) for s in range(n_samples)]
    )
    kind, own, log_signal, at_um = (v[order] for v in (kind, own, log_signal, at_um))
    samples = [f"S{number:02d}" for number in range(1, n_samples + 1)]
    numbers = range(1, per_sheet + 1)
    rows = pl.DataFrame(
        {
            "file": [f"{s}/{s}_c{cell:04d}.png" for s in samples for cell in numbers],
            "state": [KINDS[k] for k in kind],
            "sample": np.repeat(samples, per_sheet),
            "y_um": np.round(at_um[:, 0], 2),
            "x_um": np.round(at_um[:, 1], 2),
        }
    )
    truth = rows.select("file").with_columns(
        *(pl.Series(f"log_{c}", log_signal[:, i]) for i, c in enumerate(COLOURS)),
        *(pl.Series(f"sheet_{c}", own[:, i]) for i, c in enumerate(COLOURS)),
    )
    facts = _facts(settings, seed, log_signal, kind)
    pictures = _painted(settings, np.exp(log_signal), shapes, painting)
    return write_set(folder, rows, truth, facts, pictures, progress=progress)


def kind_means(settings: ColourSettings) -> Array:
    """Mean log signal of each kind (none, primary, secondary) in red and green [3 2]."""
    return DIM_LOG + settings.gain * OWN_COLOUR.astype(np.float64)


def _sheet(settings: ColourSettings, rng: np.random.Generator) -> Array:
    """Positions f64[3n 2] (y, x) in um: none and primary anywhere, secondary nearby."""
    side, n = settings.sheet_um, settings.n_cells
    anywhere, primary = rng.uniform(0, side, (2, n, 2))
    angle, reach = rng.uniform(0, 2 * np.pi, n), rng.exponential(settings.reach_um, n)
    source = primary[rng.integers(0, n, n)]
    offset = reach[:, None] * np.stack([np.sin(angle), np.cos(angle)], 1)
    # Beyond the rim a cell is mirrored back, which keeps it near its source.
    near = np.abs(source + offset)
    near = np.clip(side - np.abs(side - near), 0, side)
    return np.concatenate([anywhere, primary, near])


def _facts(
    settings: ColourSettings, seed: int, log_signal: Array, kind: NDArray[np.int64]
) -> dict[str, Any]:
    means = kind_means(settings)
    sd = float(np.hypot(settings.spread, settings.sample_spread))
    accuracy, recall = classes_accuracy(means, sd)
    chosen = ((log_signal[:, None] - means[None]) ** 2).sum(-1).argmin(1)
    return {
        "set": "colours",
        "seed": seed,
        "settings": asdict(settings),
        "reach_um": settings.reach_um,
        "ceiling": {
            "accuracy": round(accuracy, 6),
            "recall": dict(zip(KINDS, np.round(recall, 6).tolist(), strict=True)),
            "this_set": {"accuracy": round(float(np.mean(chosen == kind)), 6)},
            "how": HOW,
        },
    }


def _normal(seed: np.random.SeedSequence, n: int) -> Array:
    return np.random.default_rng(seed).standard_normal((n, len(COLOURS)))


def _painted(
    settings: ColourSettings,
    signal: Array,
    shapes: np.random.SeedSequence,
    painting: np.random.SeedSequence,
) -> Iterator[Picture]:
    painter = cell_painter(settings.crop_px, shapes)
    rng = np.random.default_rng(painting)
    mixing = np.array([[1, settings.bleed], [settings.bleed, 1]])
    for start in range(0, len(signal), MINIBATCH):
        part = signal[start : start + MINIBATCH] @ mixing
        bodies = middle(painter.bodies(_looks(len(part), rng), rng), settings.crop_px)
        crops = SIGNAL_GREY * bodies[..., None] * part[:, None, None, :]
        for crop in crops + BACKGROUND_GREY:
            blue = np.zeros((*crop.shape[:2], 1), np.uint8)
            yield np.concatenate([grey(crop, settings.noise, rng), blue], -1)


def _looks(n: int, rng: np.random.Generator) -> Looks:
    ones = np.ones(n, np.float32)
    sizes = (16.5 * np.exp(0.12 * rng.standard_normal(n))).astype(np.float32)
    return Looks(
        nucleus_um=7.2 * ones,
        nucleus_rough=0.03 * ones,
        nucleus_bright=ones,
        foci=0 * ones,
        body_um=sizes,
        body_rough=0.06 * ones,
        body_bright=ones,
        fibres=0.12 * ones,
        vacuoles=0 * ones,
    )
