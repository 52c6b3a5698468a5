"""A table of another program's read-outs as the score table that `call` starts from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plates.compounds import Library
from plates.map_formats import read_map
from plates.maps import PlateMap
from plates.problems import InputError, Problem
from plates.readouts import ALIASES, Readouts
from plates.tables import nearest
from plates.wells import PlateFormat, Well
from screen.chemistry import conflicts_of, shortened
from screen.errors import refusal
from screen.ledger import SCORE_COLUMNS
from screen.readout_settings import ReadoutKeys

NETWORK = "table"  # stands where a scored run has its networks
SIZES = (6, 12, 24, 48, 96, 384, 1536)


@dataclass(frozen=True)
class Imported:
    """What a call needs in place of a scored run and its campaign.

    `scores` is as `ledger.scores_of` makes it, but that `n_cells` is null in every well
    where the table has no cell numbers; `map` holds the plates of the table only.
    """

    scores: pl.DataFrame
    map: pl.DataFrame
    library: pl.DataFrame | None
    format: PlateFormat
    columns: dict[str, str]
    warnings: tuple[Problem, ...]


def imported(settings: ReadoutKeys) -> Imported:
    """Read table, map and library; InputError or Refusal with every problem."""
    columns = dict(_pairs(settings.table_columns, "table_columns"))
    _refuse_unknown(columns)
    plate_format = PlateFormat.of(settings.n_wells) if settings.n_wells else None
    problems: list[Problem] = []
    table = plate_map = library = None
    try:
        table = Readouts.read(Path(settings.table), columns, plate_format)
    except InputError as error:
        problems += error.problems
    try:
        plate_map = _map(settings, plate_format)
    except InputError as error:
        problems += error.problems
    try:
        library = _library(settings)
    except InputError as error:
        problems += error.problems
    if table is not None and plate_map is not None:
        problems += unknown_plates(table, plate_map)
    if problems or table is None or plate_map is None:
        raise InputError(problems)
    warnings = [*plate_map.warnings, *unread_plates(table, plate_map)]
    if library is not None:
        warnings += [*shortened(library.warnings), *shortened(conflicts_of(library))]
    here = plate_map.frame.filter(pl.col("plate").is_in(table.frame["plate"].unique()))
    return Imported(
        scores=score_table(table),
        map=here,
        library=None if library is None else library.frame,
        format=plate_format or smallest_format([*table.frame["well"], *here["well"]]),
        columns=table.columns,
        warnings=tuple(warnings),
    )


def _pairs(entries: Sequence[str], key: str) -> Iterable[tuple[str, str]]:
    for entry in entries:
        name, colon, value = entry.partition(":")
        if not (name and colon and value):
            why = "each entry gives one of our names and the header that holds it"
            remedy = "write NAME:VALUE"
            raise refusal("CFG_VALUE_RANGE", f"call {key}", repr(entry), why, remedy)
        yield name.strip(), value.strip()


def _refuse_unknown(columns: Iterable[str]) -> None:
    for name in columns:
        if name not in ALIASES:
            near = nearest(name, ALIASES)
            why = "a header stands for one of our names"
            remedy = f"did you mean {near!r}?" if near else "use a name of the list"
            found = f"{name!r} is none of {', '.join(ALIASES)}"
            raise refusal("CFG_VALUE_RANGE", "call table_columns", found, why, remedy)


def _map(settings: ReadoutKeys, plate_format: PlateFormat | None) -> PlateMap:
    return read_map(
        [Path(path) for path in settings.map],
        plate_format,
        map_format=settings.map_format,
        barcodes=Path(settings.barcodes) if settings.barcodes else None,
        defaults=dict(_pairs(settings.map_defaults, "map_defaults")),
        aliases=dict(_pairs(settings.map_aliases, "map_aliases")),
    )


def _library(settings: ReadoutKeys) -> Library | None:
    if not settings.library:
        return None
    columns = dict(_pairs(settings.library_columns, "library_columns"))
    return Library.read(Path(settings.library), columns)


def unknown_plates(table: Readouts, plate_map: PlateMap) -> list[Problem]:
    """The plates of the table that the map does not hold."""
    known = plate_map.frame["plate"].unique().to_list()
    lost = sorted(set(table.frame["plate"]) - set(known))
    return [
        Problem(
            "MAP_PLATE_UNKNOWN",
            table.source,
            f"plate {plate!r} is not in {plate_map.source}",
            "what its wells hold is not known",
            f"did you mean {near!r}? Give both the same name"
            if (near := nearest(plate, known))
            else "add it to the map, or take it out of the table",
        )
        for plate in lost
    ]


def unread_plates(table: Readouts, plate_map: PlateMap) -> list[Problem]:
    """One warning on the map's plates that the table has no row of."""
    lost = sorted(set(plate_map.frame["plate"]) - set(table.frame["plate"]))
    if not lost:
        return []
    more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
    return [
        Problem(
            "PLATE_NOT_IMAGED",
            plate_map.source,
            f"no read-out of {', '.join(lost[:5])}{more}",
            "they are left out of the call",
            "add their rows to the table, or take them out of the map",
        )
    ]


def smallest_format(wells: Iterable[str]) -> PlateFormat:
    """The smallest standard plate that holds every well."""
    places = [Well.parse(well) for well in set(wells)]
    for size in SIZES:
        one = PlateFormat.of(size)
        if all(p.row < one.n_rows and p.column < one.n_columns for p in places):
            return one
    raise ValueError(f"no plate holds {max(map(str, places))}")


def _share_as_value(frame: pl.DataFrame) -> pl.DataFrame:
    """The read-outs with the share of positive cells as value, where no well has a value; its sd is that of cells which are 0 or 1."""
    if frame["value"].is_not_null().any():
        return frame
    share = pl.when(pl.col("cells") > 0).then(pl.col("positive") / pl.col("cells"))
    return frame.with_columns(value=share).with_columns(
        sd=pl.coalesce("sd", (pl.col("value") * (1 - pl.col("value"))).sqrt())
    )


def _fates(frame: pl.DataFrame) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Which wells hold no cells, lack a number, and have a score."""
    has_value = frame["value"].is_not_null().any()
    has_cells = frame["cells"].is_not_null().any()
    empty = (pl.col("cells") == 0).fill_null(False)
    lost = pl.lit(False)
    if has_cells:
        lost |= pl.col("cells").is_null()
    if has_value:
        lost |= pl.col("value").is_null() & ~empty
    return empty, lost, ~empty & ~lost & pl.lit(has_value)


def score_table(table: Readouts) -> pl.DataFrame:
    """A row per well as of a scored run with one network.

    A well without a number that the table has elsewhere is quarantined; one with 0
    cells has status NO_CELLS. `sd` is that of the cells, `positive` makes the fraction,
    which is the read-out too where the table has no value.
    """
    nothing = pl.lit([], dtype=pl.List(pl.Float64))
    frame = _share_as_value(table.frame)
    empty, lost, scored = _fates(frame)
    number = {
        "score": pl.col("value"),
        "score_sd": pl.col("sd"),
        "fraction": pl.col("positive") / pl.col("cells"),
    }
    none = pl.lit([], dtype=pl.List(pl.String))
    return frame.select(
        "plate",
        "well",
        status=pl.when(lost)
        .then(pl.lit("QUARANTINED"))
        .when(empty)
        .then(pl.lit("NO_CELLS"))
        .otherwise(pl.lit("SCORED")),
        codes=pl.when(lost)
        .then(pl.lit(["READOUT_MISSING"], dtype=pl.List(pl.String)))
        .otherwise(none),
        n_cells=pl.col("cells").cast(pl.Int64),
        n_fields=pl.when(lost).then(0).otherwise(1).cast(pl.Int64),
        n_fields_expected=pl.lit(1, dtype=pl.Int64),
        networks=pl.when(scored)
        .then(pl.lit([NETWORK], dtype=pl.List(pl.String)))
        .otherwise(none),
        **{
            name: pl.when(scored).then(pl.concat_list(value)).otherwise(nothing)
            for name, value in number.items()
        },
        **dict.fromkeys(
            ("background", "mean", "sd", "focus", "saturated", "profile"), nothing
        ),
    ).cast(pl.Schema(SCORE_COLUMNS))
