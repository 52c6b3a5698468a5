"""Centres of cells kept with a campaign, plate by plate, as other programs found them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plates.campaign import slug
from plates.problems import InputError, Problem

FOLDER = "centres"
SCHEMA = pl.Schema(
    {
        "plate": pl.String,
        "well": pl.String,
        "field": pl.Int32,
        "y_px": pl.Float32,
        "x_px": pl.Float32,
    }
)


@dataclass(frozen=True)
class CentreTable:
    """Centres by plate, sorted by well and field; a row without y and x says that the
    field was looked at and holds no cell."""

    plates: Mapping[str, pl.DataFrame]
    warnings: tuple[Problem, ...] = ()

    @property
    def n_centres(self) -> int:
        """Centres of all plates together."""
        return sum(int(f["y_px"].is_not_null().sum()) for f in self.plates.values())

    @property
    def n_fields(self) -> int:
        """Fields that were looked at."""
        return sum(f.select("well", "field").n_unique() for f in self.plates.values())


def write_centres(root: Path, table: CentreTable) -> tuple[Path, ...]:
    """Keep the centres of each plate in ``root``/centres, whole or not at all."""
    paths = []
    for plate, frame in table.plates.items():
        path = centre_path(root, plate)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        with partial.open("wb") as file:
            frame.write_parquet(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        paths.append(path)
    return tuple(paths)


def centre_path(root: Path, plate: str) -> Path:
    """Where the given centres of a plate lie."""
    return root / FOLDER / f"{slug(plate)}.parquet"


class GivenCentres:
    """The given centres of one plate."""

    def __init__(self, path: Path) -> None:
        """Read them; raises InputError (CENTRES_NONE) where there are none to read."""
        try:
            frame = pl.read_parquet(path)
            frame = frame.select(SCHEMA.names()).cast(SCHEMA)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError(
                Problem(
                    "CENTRES_NONE",
                    str(path),
                    str(error).splitlines()[0],
                    "the model takes the centres that are given with each plate",
                    "take them in with ingest centres=PATH",
                )
            ) from error
        self._fields = {
            (str(well), int(field)): part.select("y_px", "x_px").drop_nulls().to_numpy()
            for (well, field), part in frame.group_by(
                "well", "field", maintain_order=True
            )
        }

    def of(self, well: str, field: int) -> NDArray[np.float32] | None:
        """Centres [n 2] (y, x) of a field; None where it was never looked at."""
        return self._fields.get((well, field))
