"""A screen small enough to score in a breath, and a scorer made of numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plates.campaign import Campaign, PlateEntry, write_campaign
from plates.maps import PlateMap
from plates.store import PlateSpec, plate_writer
from plates.wells import PlateFormat, Well
from screen.field_scores import FieldScores
from screen.models import Model, ModelSpec, NetworkSpec

FORMAT = PlateFormat.of(24)
CHANNELS = ("nucleus", "body")


def tiny_map(plates: Sequence[str], wells: Sequence[Well]) -> PlateMap:
    """Column 1 healthy, column 2 stressed vehicle, the rest one compound a column."""
    rows = []
    for number, plate in enumerate(plates):
        for well in wells:
            is_control = well.column < 2
            rows.append(
                {
                    "plate": plate,
                    "well": str(well),
                    "compound": "" if is_control else f"C{well.column}",
                    "concentration_um": None if is_control else "10",
                    "role": "vehicle" if is_control else "treatment",
                    "state": "unstressed" if well.column == 0 else "stressed",
                    "replicate": str(number + 1),
                    "batch": "b1",
                }
            )
    frame = pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))
    return PlateMap.from_frame(frame, FORMAT)


def make_screen(
    root: Path,
    plates: Sequence[str] = ("P01", "P02"),
    n_wells: int = 24,
    sides: Mapping[str, int] = MappingProxyType({}),
    **spec_parts: Any,
) -> Campaign:
    """Write a campaign of 24-well plates whose pixels are seeded noise; only their
    first ``n_wells`` wells are mapped and imaged. Fields are 32 pixels wide, or as
    ``sides`` says of a plate; ``spec_parts`` are further parts of the plates' spec."""
    wells = FORMAT.wells()[:n_wells]
    (root / "plates").mkdir(parents=True)
    entries = []
    for number, plate in enumerate(plates):
        path = root / "plates" / f"{plate}.ome.zarr"
        shape = (2, sides.get(plate, 32), sides.get(plate, 32))
        spec = PlateSpec(
            plate, FORMAT, wells, 2, CHANNELS, 1.0, shape, "uint16", **spec_parts
        )
        with plate_writer(path, spec) as write:
            for index, well in enumerate(wells):
                for field in (0, 1):
                    rng = np.random.default_rng([number, index, field])
                    pixels = rng.integers(100, 4000, shape, np.uint16)
                    write(well, field, pixels)
        entries.append(PlateEntry(plate, path))
    tiny_map(plates, wells).write_csv(root / "map.csv")
    write_campaign(
        root,
        name="tiny",
        plate_format=FORMAT,
        plates=entries,
        map_path=root / "map.csv",
        library_path=None,
    )
    return Campaign.open(root)


def make_model(campaign: Campaign) -> Model:
    """A model without weights: one network that learnt from A01 of every plate."""
    learnt = tuple((entry.plate, "A01") for entry in campaign.plates)
    networks = (
        NetworkSpec("half0", "half0.safetensors", "0", learnt, "well"),
        NetworkSpec("half1", "half1.safetensors", "0", (), "well"),
    )
    spec = ModelSpec(
        "compact", 32, True, CHANNELS, 1.0, {}, {}, {}, 0.5, "halves", networks, {}
    )
    return Model(spec, campaign.root, "0" * 64, {})


@dataclass(frozen=True)
class NumpyScorer:
    """Takes each field's brightest pixels for cells; the same pixels, the same numbers."""

    n_cells: int = 12
    threshold: float = 0.5
    channels: tuple[str, ...] = CHANNELS

    def __call__(
        self, pixels: NDArray[Any], networks: Sequence[str], **_given: Any
    ) -> FieldScores:
        """Score one field [c y x]."""
        order = np.argsort(pixels[0].ravel(), kind="stable")[::-1][: self.n_cells]
        y, x = np.unravel_index(order, pixels[0].shape)
        p = (pixels[1].ravel()[order] / 4000).astype(np.float32)
        names = ("background", "mean", "sd", "focus", "saturated")
        n = len(networks)
        return FieldScores(
            y=y.astype(np.float32),
            x=x.astype(np.float32),
            probability=np.repeat(p[:, None], n, axis=1),
            profile=np.full(3, float(p.sum())),
            embedding={k: np.full(2, float(p.sum())) for k in networks},
            measures={k: [float(c.mean()) for c in pixels] for k in names},
        )


@dataclass(frozen=True)
class NumpySource:
    """What a worker calls for its scorer; picklable, without jax."""

    def __call__(self) -> NumpyScorer:
        """A fresh scorer."""
        return NumpyScorer()


def table_bytes(run: Path) -> dict[str, bytes]:
    """Every table that a scored run is made of."""
    paths = [*run.glob("ledger/*.parquet"), *run.glob("cells/*.parquet")]
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in paths}
