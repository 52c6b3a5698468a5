"""A night on paper: a few stored plates of tiny images under many plate ids.

Each id is a link to one of the stored plates, with a map of its own. Four ids make the
replicates of one library plate; its compounds lie elsewhere on each of them, but in wells
that did the same, so that replicates agree and other plates do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plates.campaign import Campaign, PlateEntry, write_campaign
from plates.maps import SCHEMA
from plates.store import Plate, PlateSpec, open_plate, plate_writer
from plates.wells import PlateFormat
from screen.field_scores import FieldScores
from screen.models import Model, ModelSpec, NetworkSpec

FORMAT = PlateFormat.of(384)
CHANNELS = ("nucleus", "body")
N_STORED = 4
FIELD_PX = 32
KINDS = {  # share of the cells, P(senescent) of a cell, wells of a plate
    "healthy": (1.3, 0.15, 32),
    "senescent": (1.0, 0.8, 32),
    "inert": (1.0, 0.8, 304),
    "rescue": (1.2, 0.3, 8),
    "toxic": (0.2, 0.8, 8),
}
_CELLS = 60
_CELL_LIGHT = 2000
_NOISE_TOP = 1000
_WAVES = np.arange(64, dtype=np.float32)[:, None]  # an embedding of 64 numbers


def make_night(root: Path, n_plates: int) -> Campaign:
    """Write the stored plates, links to them and the campaign of ``n_plates`` ids."""
    (root / "plates").mkdir(parents=True)
    kinds = [_kinds(number) for number in range(N_STORED)]
    for number in range(N_STORED):
        _store(root / "stored" / f"{number}.ome.zarr", number, kinds[number])
    entries, maps = [], []
    for number in range(n_plates):
        name = f"P{number + 1:04d}"
        path = root / "plates" / f"{name}.ome.zarr"
        path.symlink_to(Path("..") / "stored" / f"{number % N_STORED}.ome.zarr")
        entries.append(PlateEntry(name, path))
        maps.append(_map(name, number, kinds[number % N_STORED]))
    pl.concat(maps).write_csv(root / "map.csv")
    write_campaign(
        root,
        name=root.name,
        plate_format=FORMAT,
        plates=entries,
        map_path=root / "map.csv",
        library_path=None,
    )
    with named_by_links():
        return Campaign.open(root)


def _kinds(stored: int) -> list[str]:
    """What each well of a stored plate shows: controls in four columns, the rest drawn."""
    treated = [k for k in ("inert", "rescue", "toxic") for _ in range(KINDS[k][2])]
    order = iter(np.random.default_rng(stored).permutation(treated).tolist())
    controls = {0: "healthy", 1: "senescent", 22: "healthy", 23: "senescent"}
    return [controls.get(w.column) or next(order) for w in FORMAT.wells()]


def _store(path: Path, number: int, kinds: Sequence[str]) -> None:
    shape = (len(CHANNELS), FIELD_PX, FIELD_PX)
    wells = FORMAT.wells()
    spec = PlateSpec(path.stem, FORMAT, wells, 1, CHANNELS, 1.0, shape, "uint16")
    rng = np.random.default_rng([number, 1])
    with plate_writer(path, spec) as write:
        for well, kind in zip(wells, kinds, strict=True):
            share, p, _ = KINDS[kind]
            pixels = rng.integers(100, _NOISE_TOP, shape, np.uint16)
            n_cells = int(rng.poisson(share * _CELLS))
            at = rng.choice(FIELD_PX**2, min(n_cells, FIELD_PX**2), replace=False)
            usual = np.clip(p + rng.normal(0, 0.03), 0.02, 0.98)
            found = rng.beta(usual * 8, (1 - usual) * 8, at.size)
            pixels[0].ravel()[at] = 3 * _CELL_LIGHT
            pixels[1].ravel()[at] = (found * 4000).astype(np.uint16)
            write(well, 0, pixels)


def _map(plate: str, number: int, kinds: Sequence[str]) -> pl.DataFrame:
    """The map of one id: compounds of its library plate, shuffled within their kind."""
    library, rng = number // N_STORED, np.random.default_rng([number, 2])
    names: dict[str, Iterator[str]] = {
        kind: iter(
            f"L{library:03d}-{kind[0].upper()}{i:03d}" for i in rng.permutation(n)
        )
        for kind, (_, _, n) in KINDS.items()
    }
    rows = []
    for well, kind in zip(FORMAT.wells(), kinds, strict=True):
        is_control = kind in ("healthy", "senescent")
        rows.append(
            {
                "plate": plate,
                "well": str(well),
                "compound": "" if is_control else next(names[kind]),
                "concentration_um": None if is_control else 10.0,
                "role": "vehicle" if is_control else "treatment",
                "state": "unstressed" if kind == "healthy" else "stressed",
                "replicate": number % N_STORED + 1,
                "batch": f"day{number // 40 + 1}",
            }
        )
    return pl.DataFrame(rows, schema={name: SCHEMA[name] for name in rows[0]})


def open_named(path: Path, opened: Callable[[Path], Plate] = open_plate) -> Plate:
    """The stored plate under the name of the link that led to it."""
    plate = opened(path)
    if not Path(path).is_symlink():
        return plate
    name = Path(path).name.removesuffix(".ome.zarr")
    return replace(plate, spec=replace(plate.spec, plate=name))


@contextmanager
def named_by_links() -> Iterator[None]:
    """Lets a campaign list one stored plate under many ids, as no real one may."""
    places = ("plates.campaign", "plates.campaign_checks", "screen.score")
    with ExitStack() as stack:
        for place in places:
            stack.enter_context(mock.patch(f"{place}.open_plate", open_named))
        yield


def paper_model(campaign: Campaign) -> Model:
    """A model without weights: one network that learnt from another campaign."""
    network = NetworkSpec("paper", "paper.safetensors", "0", (), "plate")
    finder = {"max_cells": 2 * _CELLS}
    spec = ModelSpec(
        "compact", 32, True, CHANNELS, 1.0, finder, {}, {}, 0.5, "paper", (network,), {}
    )
    return Model(spec, campaign.root / "stored", "0" * 64, {})


@dataclass(frozen=True)
class PaperScorer:
    """In place of finder and network: bright pixels are cells, the other channel is P."""

    threshold: float = 0.5
    channels: tuple[str, ...] = CHANNELS

    def __call__(
        self, pixels: NDArray[Any], networks: Sequence[str], **_given: Any
    ) -> FieldScores:
        """Score one field [c y x]."""
        y, x = np.nonzero(pixels[0] > _CELL_LIGHT)
        p = (pixels[1][y, x] / 4000).astype(np.float32)
        n = len(networks)
        waves = np.cos(_WAVES * p).sum(axis=1, dtype=np.float64)
        dark = [c[c < _NOISE_TOP] for c in pixels]
        measures = {
            "background": [float(d.mean()) for d in dark],
            "mean": [float(c.mean()) for c in pixels],
            "sd": [float(c.std()) for c in pixels],
            "focus": [float(d.std()) for d in dark],
            "saturated": [0.0 for _ in pixels],
        }
        return FieldScores(
            y=y.astype(np.float32),
            x=x.astype(np.float32),
            probability=np.repeat(p[:, None], n, axis=1),
            profile=waves[:8],
            embedding=dict.fromkeys(networks, waves),
            measures=measures,
        )


@dataclass(frozen=True)
class PaperSource:
    """What a worker calls for its scorer; picklable, without jax."""

    def __call__(self) -> PaperScorer:
        """A fresh scorer."""
        return PaperScorer()
