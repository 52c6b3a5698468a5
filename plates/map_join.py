"""Plate map against measured wells: what matches, what only one side knows."""

from dataclasses import dataclass

import polars as pl

from plates.problems import InputError, Problem
from plates.wells import Well

MATCHED, MISSING, UNMAPPED = "MATCHED", "WELL_MISSING", "WELL_NOT_IN_MAP"
KEY = ["plate", "well"]


@dataclass(frozen=True)
class MapJoin:
    """A row for every well of the plates on both sides, and the plates of one side only.

    `rows` has plate, well, `join` (MATCHED, WELL_MISSING or WELL_NOT_IN_MAP) and the
    map's other columns, null where the map has no such well.
    """

    rows: pl.DataFrame
    plates_without_data: tuple[str, ...]
    plates_without_map: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """Number of wells by kind of join, all three named."""
        found = dict(self.rows.group_by("join").len().rows())
        return {kind: found.get(kind, 0) for kind in (MATCHED, MISSING, UNMAPPED)}


def join(frame: pl.DataFrame, wells: pl.DataFrame) -> MapJoin:
    """Joins a map's frame to wells (plate, well: text); raises InputError.

    Empty and repeated keys are refused, and every row is counted before and after.
    """
    measured = _measured(wells)
    ours, theirs = set(frame["plate"]), set(measured["plate"])
    both = sorted(ours & theirs)
    mapped = frame.filter(pl.col("plate").is_in(both))
    seen = measured.filter(pl.col("plate").is_in(both))
    rows = mapped.with_columns(_mapped=pl.lit(True)).join(
        seen.with_columns(_seen=pl.lit(True)),
        on=KEY,
        how="full",
        coalesce=True,
        validate="1:1",
    )
    kind = (
        pl.when(pl.col("_seen").is_null())
        .then(pl.lit(MISSING))
        .when(pl.col("_mapped").is_null())
        .then(pl.lit(UNMAPPED))
        .otherwise(pl.lit(MATCHED))
    )
    rows = _sorted(rows.with_columns(join=kind).drop("_mapped", "_seen"))
    rows = rows.select(*KEY, "join", *(c for c in frame.columns if c not in KEY))
    joined = MapJoin(rows, tuple(sorted(ours - theirs)), tuple(sorted(theirs - ours)))
    counts = joined.counts()
    if counts[MATCHED] + counts[MISSING] != mapped.height:
        raise AssertionError(f"{mapped.height} mapped wells became {counts}")
    if counts[MATCHED] + counts[UNMAPPED] != seen.height:
        raise AssertionError(f"{seen.height} measured wells became {counts}")
    return joined


def _measured(wells: pl.DataFrame) -> pl.DataFrame:
    """The keys with wells in our writing; raises InputError for empty or double ones."""
    keys = wells.select(pl.col(KEY).cast(pl.String))
    empty = keys.filter(
        pl.any_horizontal(pl.col(KEY).fill_null("").str.strip_chars() == "")
    )
    if empty.height:
        raise _refused(f"{empty.height} rows without plate or well", "fill them in")
    names = {}
    for text in keys["well"].unique().sort():
        try:
            names[text] = str(Well.parse(text))
        except ValueError as error:
            raise _refused(str(error), "write the well as A01") from error
    keys = keys.with_columns(
        pl.col("well").replace_strict(names, return_dtype=pl.String)
    )
    twice = keys.filter(keys.is_duplicated()).unique().sort(KEY)
    if twice.height:
        shown = ", ".join(f"{plate}/{well}" for plate, well in twice.head(5).rows())
        raise _refused(f"{twice.height} wells twice: {shown}", "give each well once")
    return keys


def _refused(found: str, remedy: str) -> InputError:
    why = "a join would lose or multiply wells"
    return InputError(
        Problem("MAP_VALUE_INVALID", "measured wells", found, why, remedy)
    )


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    parsed = {text: Well.parse(text) for text in rows["well"].unique()}
    order = {
        f"_{axis}": pl.Series(
            [getattr(parsed[w], axis) for w in rows["well"]], dtype=pl.Int64
        )
        for axis in ("row", "column")
    }
    return rows.with_columns(**order).sort("plate", "_row", "_column").drop(*order)
