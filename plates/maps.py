"""Plate maps: which well holds what, read once and then trusted."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from plates import map_cells as cell_rules
from plates import map_rules as rules
from plates.map_cells import ROLES as ROLES
from plates.map_cells import STATES as STATES
from plates.map_join import MapJoin as MapJoin
from plates.map_join import join
from plates.problems import InputError, Problem
from plates.tables import (
    TextTable,
    content_sha256,
    distinct_rows,
    frame_table,
    nearest,
    read_text_table,
)
from plates.wells import PlateFormat, Well

SCHEMA = pl.Schema(
    {
        "plate": pl.String(),
        "well": pl.String(),
        "compound": pl.String(),
        "concentration_um": pl.Float64(),
        "role": pl.String(),
        "state": pl.String(),
        "replicate": pl.Int64(),
        "batch": pl.String(),
        "line": pl.String(),
        "time_h": pl.Float64(),
        "sample": pl.String(),
        "lot": pl.String(),
        "source_plate": pl.String(),
        "source_well": pl.String(),
        "teaching": pl.Boolean(),
        "excluded": pl.String(),
        "seeding": pl.Float64(),
    }
)
MAX_DOSE_SPAN = 1e6
MAX_DOSE_OFFSET = 1e3
# From a picomolar to a millimolar: hardly a compound is screened beyond.
USUAL_DOSES_UM = (1e-6, 1e3)
SHOWN_WELLS = 5


@dataclass(frozen=True)
class PlateMap:
    """The wells of one or more plates, one row a well, sorted by plate, row and column.

    Columns as in `SCHEMA`: `compound` is '' where there is none, `concentration_um` is
    micromolar and null where there is none, the columns after `batch` are null where
    not given. `excluded` says why a well counts for nothing, such as a failed transfer;
    `seeding` is how many cells were put into the well.
    `warnings` are the faults that do not keep the map from being used.
    """

    frame: pl.DataFrame
    source: str
    warnings: tuple[Problem, ...] = ()

    @classmethod
    def read(cls, path: Path, plate_format: PlateFormat | None) -> "PlateMap":
        """Reads a CSV or TSV file; raises InputError with every problem and its line.

        Without a format, wells may lie anywhere on the largest plate.
        """
        return _plate_map(read_text_table(path, rules.HEADERS), plate_format)

    @classmethod
    def from_table(
        cls, table: TextTable, plate_format: PlateFormat | None
    ) -> "PlateMap":
        """Reads a table of text; raises InputError with every problem and its place."""
        return _plate_map(table, plate_format)

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame,
        plate_format: PlateFormat | None,
        source: str = "plate map",
    ) -> "PlateMap":
        """Reads a frame whose identifiers are text; problems name its rows from 1."""
        return _plate_map(frame_table(frame, source, _is_numeric), plate_format)

    @cached_property
    def plates(self) -> tuple[str, ...]:
        """The plates' ids in order."""
        return tuple(self.frame["plate"].unique().sort())

    @cached_property
    def _by_plate(self) -> dict[str, pl.DataFrame]:
        # A filter for each plate in turn would read the whole map a thousand times.
        parts = self.frame.partition_by("plate", maintain_order=True)
        return {str(part["plate"][0]): part for part in parts}

    def for_plate(self, plate: str) -> "PlateMap":
        """The rows of one plate; raises InputError for a plate the map does not know."""
        if plate not in self._by_plate:
            near = nearest(plate, self.plates)
            raise InputError(
                Problem(
                    "MAP_PLATE_UNKNOWN",
                    self.source,
                    f"no plate {plate!r}" + (f"; nearest is {near!r}" if near else ""),
                    "its wells would have no compound and no role",
                    "correct the plate id in the map or in the campaign",
                )
            )
        return PlateMap(self._by_plate[plate], self.source)

    def join(self, wells: pl.DataFrame) -> MapJoin:
        """Joins measured wells (columns plate, well as text) to the map; see `MapJoin`."""
        return join(self.frame, wells)

    def write_csv(self, path: Path) -> None:
        """Writes the map so that `read` gives it back; whole or not at all."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self.frame.write_csv(temporary)
        temporary.replace(path)

    def sha256(self) -> str:
        """The checksum of the canonical content, whatever file it came from."""
        return content_sha256(self.frame)


def _is_numeric(column: str) -> bool:
    named = (
        "concentration",
        *rules.UNIT_HEADERS,
        "replicate",
        "time_h",
        "teaching",
        "seeding",
    )
    return column in named


def _plate_map(table: TextTable, plate_format: PlateFormat | None) -> PlateMap:
    reader = rules.MapRules(table)
    columns, wells = _typed_columns(reader, plate_format)
    kept = _distinct_wells(reader, columns, wells)
    if not kept:
        found = "no row below the header"
        reader.report("MAP_EMPTY", table.source, found, "add a row for every well")
    if reader.problems:
        raise InputError(reader.problems)
    frame = (
        pl.DataFrame(columns, schema=SCHEMA)
        .with_columns(
            pl.Series("_row", [well.row for well in wells if well], pl.Int64),
            pl.Series("_column", [well.column for well in wells if well], pl.Int64),
        )[kept]
        .sort("plate", "_row", "_column")
        .drop("_row", "_column")
    )
    warnings = [*table.warnings, *reader.warnings, *_padding(table)]
    warnings += _suspect_doses(frame, table.source)
    return PlateMap(frame, table.source, tuple(warnings))


def _typed_columns(
    reader: rules.MapRules, plate_format: PlateFormat | None
) -> tuple[dict[str, list[object]], list[Well | None]]:
    read, cells = reader.read, reader.cells
    wells = read("well", cells("well"), cell_rules.well_on(plate_format))
    roles = read("role", cells("role"), cell_rules.word_of(ROLES, "MAP_ROLE_UNKNOWN"))
    compounds = zip(cells("compound"), roles, strict=True)
    columns: dict[str, list[object]] = {
        "plate": [*read("plate", cells("plate"), cell_rules.plate_name)],
        "well": [str(well) for well in wells],
        "compound": [*read("compound", compounds, cell_rules.compound_for)],
        "concentration_um": [*reader.concentrations_um(roles)],
        "role": [*roles],
        "state": [*read("state", zip(cells("state"), roles, strict=True), _state)],
        "replicate": [*read("replicate", cells("replicate"), cell_rules.whole_number)],
        "batch": [*read("batch", cells("batch"), cell_rules.filled("batch"))],
        "time_h": [*read("time_h", cells("time_h"), cell_rules.hours)],
        "seeding": [*read("seeding", cells("seeding"), cell_rules.seeded)],
        "teaching": [*read("teaching", cells("teaching"), cell_rules.truth)],
    }
    for name in ("line", "sample", "lot", "source_plate", "source_well", "excluded"):
        columns[name] = [cell or None for cell in cells(name)]
    return {name: columns[name] for name in SCHEMA}, wells


def _state(cell: tuple[str, str | None]) -> str:
    state, role = cell
    if role == "no_cells" and not state:
        return ""
    return cell_rules.word_of(STATES, "MAP_STATE_UNKNOWN")(state)


def _distinct_wells(
    reader: rules.MapRules,
    columns: dict[str, list[object]],
    wells: list[Well | None],
) -> list[int]:
    """Rows to keep: a well given twice is a problem, or a warning where both agree."""
    if len({*zip(columns["plate"], columns["well"], strict=True)}) == len(wells):
        return [*range(len(wells))]
    rows = [*zip(*columns.values(), strict=True)]
    kept: list[int] = []
    agree: dict[str, list[int]] = {}
    differ: dict[str, list[int]] = {}
    for (plate, well), places in distinct_rows(
        zip(columns["plate"], wells, strict=True)
    ).items():
        kept.append(places[0])
        if len(places) > 1 and plate is not None and well is not None:
            alike = len({rows[place] for place in places}) == 1
            (agree if alike else differ)[f"well {well} of plate {plate}"] = places
    why, remedy = "the lines agree, one is used", "remove the others"
    for where, found in _twice(reader.table, agree):
        reader.warnings.append(Problem("MAP_DUPLICATE_WELL", where, found, why, remedy))
    for where, found in _twice(reader.table, differ):
        reader.report(
            "MAP_DUPLICATE_WELL", where, found, "leave the one line that is true"
        )
    return kept


def _twice(table: TextTable, wells: dict[str, list[int]]) -> Iterator[tuple[str, str]]:
    """Place and words for each well given twice; above a handful, the rest in one."""
    named = list(wells.items())
    for well, places in named[:SHOWN_WELLS]:
        yield table.where(places), f"{well} twice"
    rest = [place for _, places in named[SHOWN_WELLS:] for place in places]
    if rest:
        yield table.where(rest), f"{len(named) - SHOWN_WELLS} more wells twice"


def _padding(table: TextTable) -> list[Problem]:
    named = ", ".join(table.padded)
    found, why = f"blanks around cells of {named}", "they were taken off"
    problem = Problem(
        "MAP_PADDED", table.source, found, why, "nothing, if that is right"
    )
    return [problem] if named else []


def _suspect_doses(frame: pl.DataFrame, source: str) -> list[Problem]:
    """Compounds whose doses look as if a unit had been mistaken."""
    dose = pl.col("concentration_um")
    given = frame.filter((pl.col("role") == "treatment") & (dose > 0))
    spans = given.group_by("compound").agg(span=dose.max() / dose.min())
    wide = spans.filter(pl.col("span") > MAX_DOSE_SPAN)
    peers = given.group_by("plate").agg(peer=dose.median())
    ratio = pl.max_horizontal(dose / pl.col("peer"), pl.col("peer") / dose)
    far = (
        given.group_by("plate", "compound")
        .agg(dose.median())
        .join(peers, on="plate", validate="m:1")
        .filter(ratio >= MAX_DOSE_OFFSET)
    )
    found = dict.fromkeys(wide["compound"], "doses span more than a million times")
    found |= dict.fromkeys(far["compound"], "doses lie 1000 times off the plate's")
    places = {f"compound {name}": found[name] for name in sorted(found)}
    odd = given.filter(~dose.is_between(*USUAL_DOSES_UM))["concentration_um"]
    if odd.len():
        low, high = min(odd.to_list()), max(odd.to_list())
        places["dose"] = f"{odd.len()} doses beyond the usual, {low:g} to {high:g} uM"
    return [
        Problem(
            "CONC_SUSPECT",
            f"{source} column concentration {place}",
            words,
            "a unit may be mistaken",
            "check the unit of these lines",
        )
        for place, words in places.items()
    ]
