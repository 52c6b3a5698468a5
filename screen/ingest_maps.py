"""The plate map of an ingest: read, merged, and joined to what was imaged."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from plates.compounds import Library
from plates.map_formats import read_map
from plates.maps import PlateMap
from plates.problems import InputError, Problem
from plates.tables import nearest
from plates.wells import Well
from screen.chemistry import conflicts_of, matches, shortened, unknown_compounds
from screen.ingest_plan import MAP, Plan, PlatePlan, first, problem

_KEY = ["plate", "well"]


def read_maps(plan: Plan) -> None:
    """Read the maps and the library; every problem of every file is noted at once.

    A campaign that is added to has a map of its own, which the others must not belie.
    """
    settings = plan.settings
    own = Path(settings.out) / MAP
    maps: list[PlateMap] = []
    _noting(plan, lambda: maps.extend(_maps(plan, own)))
    _noting(plan, lambda: _read_library(plan))
    if not settings.map:
        found = "the wells' compounds and controls are not known without it"
        plan.need("map", found, "give map=FILE")
    elif maps:
        conflicts = list(_conflicts(maps))
        plan.refusals += conflicts
        plan.map = None if conflicts else merged(maps)


def _noting(plan: Plan, step: Callable[[], None]) -> None:
    try:
        step()
    except InputError as error:
        plan.refusals += error.problems


def _maps(plan: Plan, own: Path) -> Iterator[PlateMap]:
    """The campaign's own map, if there is one, and the one that all given files make."""
    settings = plan.settings
    if settings.map:
        yield read_map(
            [Path(path) for path in settings.map],
            plan.format,
            map_format=settings.map_format,
            barcodes=Path(settings.barcodes) if settings.barcodes else None,
            defaults=_the_plate(plan) | dict(_pairs(plan, "map_defaults")),
            aliases=dict(_pairs(plan, "map_aliases")),
        )
    if settings.out and own.exists():
        yield replace(PlateMap.read(own, plan.format), source=str(own))


def _the_plate(plan: Plan) -> dict[str, str]:
    """A map without a column of plates is of the one plate that is there."""
    ids = [plate.plate for plate in plan.plates if plate.plate]

    return {"plate": ids[0]} if len(ids) == len(plan.plates) == 1 else {}


def _pairs(plan: Plan, key: str) -> Iterator[tuple[str, str]]:
    for entry in getattr(plan.settings, key):
        name, colon, value = entry.partition(":")
        if not (name and colon):
            plan.refuse(
                "CFG_VALUE_RANGE", f"ingest {key}", f"{entry!r}", "write NAME:VALUE"
            )
        yield name, value


def _read_library(plan: Plan) -> None:
    if plan.settings.library:
        columns = dict(_pairs(plan, "library_columns"))
        plan.library = Library.read(Path(plan.settings.library), columns)
        plan.warnings += shortened(plan.library.warnings)
        plan.warnings += shortened(conflicts_of(plan.library))


def _conflicts(maps: Sequence[PlateMap]) -> Iterator[Problem]:
    """Wells of which two maps say different things."""
    for number, later in enumerate(maps):
        for earlier in maps[:number]:
            both = earlier.frame.join(later.frame, on=_KEY, suffix=" 2")
            names = [c for c in earlier.frame.columns if c not in _KEY]
            for row in both.iter_rows(named=True):
                pairs = {name: (row[name], row[f"{name} 2"]) for name in names}
                wrong = {
                    name: pair
                    for name, pair in pairs.items()
                    if pair[0] != pair[1] and None not in pair
                }
                if wrong:
                    yield _conflict(earlier, later, row, wrong)


def _conflict(
    one: PlateMap,
    two: PlateMap,
    row: dict[str, object],
    wrong: dict[str, tuple[object, object]],
) -> Problem:
    where = f"{row['plate']}/{row['well']}"
    said = [
        f"{source.source} says "
        + ", ".join(f"{name} {pair[side]}" for name, pair in wrong.items())
        for side, source in enumerate((one, two))
    ]
    remedy = (
        "correct one of them; or remove the campaign's and give the maps of all plates"
    )

    return problem("MAP_CONFLICT", where, "; ".join(said), remedy)


def merged(maps: Sequence[PlateMap]) -> PlateMap:
    """One map of several that agree; what one leaves out, another may say."""
    if len(maps) == 1:
        return maps[0]
    every = pl.concat([plate_map.frame for plate_map in maps])
    rest = [c for c in every.columns if c not in _KEY]
    frame = every.group_by(_KEY).agg(pl.col(rest).drop_nulls().first())
    places = [Well.parse(well) for well in frame["well"]]
    order = pl.DataFrame({"row": [p.row for p in places]}).with_columns(
        pl.Series("column", [p.column for p in places])
    )
    ranked = pl.concat([frame, order], how="horizontal").sort("plate", "row", "column")
    source = " + ".join(plate_map.source for plate_map in maps)
    warnings = tuple(w for plate_map in maps for w in plate_map.warnings)

    return PlateMap(ranked.select(every.columns), source, warnings)


def join_map(plan: Plan, present: Collection[str]) -> None:
    """Hold plates against the map; those of earlier runs need no images now."""
    if plan.map is None or not plan.plates:
        return
    plan.warnings += plan.map.warnings
    _name_the_nameless(plan, plan.map)
    mapped = set(plan.map.plates)
    images = {plate.plate for plate in plan.plates}
    in_source = images | {plate.name for plate in plan.plates}
    unmapped = sorted(images - mapped)
    unimaged = sorted(mapped - in_source - {*present})
    if plan.settings.plate and plan.scan is not None:
        unimaged = [p for p in unimaged if p not in set(plan.scan.planes["plate"])]
    for plate in sorted({*present} - mapped):
        found = "a plate of the campaign that is not in the map"
        remedy = "add its wells to the map, or give its map too: map=[ONE,TWO]"
        plan.refuse("MAP_PLATE_UNKNOWN", plate, found, remedy)
    _refuse_unmapped(plan, unmapped, unimaged, is_all=not images & mapped)
    for plate in unimaged:
        found = "a plate of the map without images"
        remedy = "nothing if it is not imaged yet: the same command takes it later"
        plan.hold(plate, "PLATE_NOT_IMAGED", found, remedy)
    for entry in plan.plates:
        if entry.plate in mapped:
            plan.warnings += _wells(entry, plan.map.for_plate(entry.plate))
    plan.warnings += _compounds(plan)


def _name_the_nameless(plan: Plan, plate_map: PlateMap) -> None:
    """Images without a plate's name are of the map's one plate."""
    nameless = next((p for p in plan.plates if not p.plate), None)
    if nameless is None:
        return
    if len(plate_map.plates) == 1:
        (plate,) = plate_map.plates
        plan.plates = [PlatePlan("", plate, nameless.facts, nameless.planes)]
        return
    found = f"the images name no plate, the map has {first(plate_map.plates)}"
    plan.need("plate", found, "give plate=ID, or a pattern with a group plate")


def _refuse_unmapped(
    plan: Plan, unmapped: list[str], unimaged: list[str], *, is_all: bool
) -> None:
    """Refuse where a plate may only be misspelt; hold a plate that has no map at all."""
    for plate in (p for p in unmapped if p):
        near = near_names(plate, unimaged)
        found = "a plate of the images that is not in the map"
        if near:
            found += f"; the map has no images of {first(near)}"
            remedy = (
                f"correct the id, or say that they are one: plate=[{plate}:{near[0]}]"
            )
            plan.refuse("MAP_PLATE_UNKNOWN", plate, found, remedy)
        elif is_all:
            known = first(plan.map.plates if plan.map else ())
            remedy = f"correct the id, or plate=[{plate}:ID]; the map has {known}"
            plan.refuse("MAP_PLATE_UNKNOWN", plate, found, remedy)
        else:
            plan.hold(plate, "MAP_MISSING", found)
    for plate in unimaged if is_all and any(unmapped) else ():
        found = "a plate of the map that is not in the images"
        plan.refuse("MAP_PLATE_UNKNOWN", plate, found)


def _wells(entry: PlatePlan, plate_map: PlateMap) -> Iterator[Problem]:
    """Wells that only the images or only the map know; declared empty ones are fine."""
    mapped = dict(plate_map.frame.select("well", "role").iter_rows())
    unmapped = sorted(entry.wells - mapped.keys(), key=Well.parse)
    if unmapped:
        found = f"{len(unmapped)} of {len(entry.wells)} imaged wells: {first(unmapped)}"
        yield problem("WELL_NOT_IN_MAP", entry.plate, found)
    unimaged = [well for well in mapped if well not in entry.wells]
    unimaged = [well for well in unimaged if mapped[well] != "no_cells"]
    if unimaged:
        found = f"{len(unimaged)} of {len(mapped)} mapped wells: {first(unimaged)}"
        yield problem("WELL_MISSING", entry.plate, found)


def _compounds(plan: Plan) -> Iterator[Problem]:
    """Compounds that only the library or only the map knows."""
    if plan.library is None or plan.map is None:
        return
    listed = plan.library.frame["compound"].to_list()
    treated = plan.map.frame.filter(pl.col("role").is_in(["treatment", "reference"]))
    found = matches(plan.map.frame["compound"].unique().sort(), plan.library.frame)
    used = set(found["library_id"])
    unused = [compound for compound in listed if compound not in used]
    if unused:
        spoken = f"{len(unused)} of {len(listed)} compounds: {first(unused)}"
        yield problem("COMPOUND_UNUSED", plan.settings.library, spoken)
    unknown = unknown_compounds(treated["compound"].unique().sort(), plan.library.frame)
    if unknown:
        said = first(sorted(f"{c} ({how})" for c, how in unknown.items()))
        spoken = f"{len(unknown)} compounds of the map: {said}"
        yield problem("CMPD_UNKNOWN", plan.settings.library, spoken)


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """The names that may be meant: like it, or the same but for order, case and zeros."""
    names = list(known)
    alike = nearest(name, names, 0.75)
    same = [n for n in names if n != name and _worn(n) == _worn(name)]

    return list(dict.fromkeys([*same, *([alike] if alike else [])]))


def _worn(name: str) -> str:
    letters = [c for c in name.casefold() if c.isalnum() and c != "0"]

    return "".join(sorted(letters))
