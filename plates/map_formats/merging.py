"""Several plate maps as one: plates from many files, none of them claimed twice."""

from collections.abc import Sequence

import polars as pl

from plates.maps import PlateMap
from plates.problems import InputError, Problem


def merged(maps: Sequence[PlateMap]) -> PlateMap:
    """One map of all; raises InputError where two maps disagree on a well.

    Lines that agree in every column are kept once, with a warning.
    """
    if len(maps) == 1:
        return maps[0]
    frames = [
        one.frame.with_columns(_map=pl.lit(i, pl.Int64), _place=pl.int_range(pl.len()))
        for i, one in enumerate(maps)
    ]
    stacked = pl.concat(frames)
    key = ["plate", "well"]
    twice = stacked.filter(pl.struct(key).is_duplicated())
    content = [name for name in maps[0].frame.columns if name not in key]
    distinct = twice.group_by(key).agg(
        maps=pl.col("_map").unique().sort(),
        kinds=pl.struct(content).n_unique(),
        differ=pl.concat_list(
            pl.when(pl.col(name).n_unique() > 1).then(pl.lit(name)) for name in content
        ).list.drop_nulls(),
    )
    problems = [
        _disagree(maps, plate, group.filter(pl.col("kinds") > 1))
        for (plate,), group in distinct.sort(key).group_by("plate", maintain_order=True)
        if group["kinds"].max() != 1
    ]
    if problems:
        raise InputError(problems)
    warnings = [w for one in maps for w in one.warnings]
    warnings += [
        _agree(maps, plate, group)
        for (plate,), group in distinct.sort(key).group_by("plate", maintain_order=True)
    ]
    frame = stacked.unique(key, keep="first", maintain_order=True)
    order = frame["well"].str.extract_groups(r"^([A-Z]+)([0-9]+)$")
    rows = order.struct.field("1")
    frame = frame.with_columns(
        _length=rows.str.len_chars(), _row=rows, _column=order.struct.field("2")
    )
    frame = frame.sort("plate", "_length", "_row", "_column").select(
        maps[0].frame.columns
    )
    sources = ", ".join(dict.fromkeys(one.source for one in maps))
    return PlateMap(frame, sources, tuple(warnings))


def _wells(group: pl.DataFrame) -> str:
    wells = group["well"].to_list()
    more = f" and {len(wells) - 5} more" if len(wells) > 5 else ""
    return ", ".join(wells[:5]) + more


def _places(maps: Sequence[PlateMap], group: pl.DataFrame) -> str:
    found = sorted({i for row in group["maps"].to_list() for i in row})
    return " and ".join(dict.fromkeys(maps[i].source for i in found))


def _disagree(maps: Sequence[PlateMap], plate: object, group: pl.DataFrame) -> Problem:
    columns = sorted({name for row in group["differ"].to_list() for name in row})
    found = f"plate {plate} is described twice, with another {', '.join(columns)}"
    found += f" in {_wells(group)}"
    why, remedy = "only one of them can be true", "leave the map that is true"
    return Problem("MAP_CONFLICT", _places(maps, group), found, why, remedy)


def _agree(maps: Sequence[PlateMap], plate: object, group: pl.DataFrame) -> Problem:
    found = f"plate {plate} has {group.height} wells twice: {_wells(group)}"
    why, remedy = "the lines agree, one is used", "remove the others"
    return Problem("MAP_DUPLICATE_WELL", _places(maps, group), found, why, remedy)
