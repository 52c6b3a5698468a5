"""The planes of an export: what every reader lists, in one form for all instruments."""

from dataclasses import dataclass

import polars as pl

from plates.problems import Problem

SCHEMA = pl.Schema(
    {
        "plate": pl.String(),
        "well": pl.String(),
        "field": pl.String(),
        "channel": pl.String(),
        "z": pl.String(),
        "t": pl.String(),
        "path": pl.String(),
        "page": pl.Int64(),
        "x_um": pl.Float64(),
        "y_um": pl.Float64(),
        "z_um": pl.Float64(),
    }
)


class PlaneError(ValueError):
    """A plane cannot be read; `code` is the reason code, `found` says what is there."""

    def __init__(self, code: str, found: str) -> None:
        """The reason code, and what was found with the file's path."""
        super().__init__(code, found)  # both, so that the error survives pickling
        self.code = code
        self.found = found

    def __str__(self) -> str:
        """`CODE: found`."""
        return f"{self.code}: {self.found}"


@dataclass(frozen=True)
class FieldFault:
    """A field that the reader itself knows to be unusable, and why."""

    plate: str
    well: str
    field: str
    problem: Problem


@dataclass(frozen=True)
class PlateFacts:
    """What an export says of one plate; None, '' or () where it says nothing.

    `plate` is the name in the planes. `channels` are in the instrument's order.
    `level_max` is the largest count the camera can give. `wells` are those declared as
    imaged. `missing` are files that the metadata name and that are not on disk.
    """

    plate: str
    n_wells: int | None = None
    pixel_size_um: float | None = None
    channels: tuple[str, ...] = ()
    level_max: int | None = None
    acquired: str = ""
    wells: tuple[str, ...] = ()
    n_declared: int | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scan:
    """The planes of an export: `SCHEMA` columns, text ids, '' where there is no such axis.

    `page` is the plane's place in its file: a TIFF page from 0, or for an OME-Zarr image
    (t * C + c) * Z + z; null where the file's pages are the channels. Stage positions
    are of the field's centre, x to the right and y down, in um from the well's centre,
    null where unknown. `matches` are the first five (name, what was read from it),
    `ignored` the first five of the `n_ignored` files that hold no plane.
    """

    reader: str
    planes: pl.DataFrame
    plates: tuple[PlateFacts, ...]
    matches: tuple[tuple[str, str], ...] = ()
    n_ignored: int = 0
    ignored: tuple[str, ...] = ()
    faults: tuple[FieldFault, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def for_plate(self, plate: str) -> pl.DataFrame:
        """The planes of one plate."""
        return self.planes.filter(pl.col("plate") == plate)

    def facts(self, plate: str) -> PlateFacts:
        """What the export says of one plate."""
        return next(facts for facts in self.plates if facts.plate == plate)
