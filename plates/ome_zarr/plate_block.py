"""The plate and its wells: NGFF metadata of 0.4 and 0.5 against what lies in the store."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plates.ome_zarr.faults import (
    MALFORMED,
    MOST_FIELDS_PER_WELL,
    over_limit,
    refusal,
)
from plates.ome_zarr.nodes import Group, inner_path, join, read_group
from plates.ome_zarr.stores import Store
from plates.problems import InputError
from plates.wells import Well

_ROW = re.compile(r"[A-Za-z]{1,2}")
_COLUMN = re.compile(r"[0-9]{1,2}")
_MOST_WELLS = 1536
_N_EXAMPLES = 3


@dataclass(frozen=True)
class PlateBlock:
    """What a plate says of itself.

    `wells` are the listed ones that lie in the store and `unlisted` the other ones, each
    with its key; `missing` are listed and not in the store. `acquisitions` are names by
    id. `shape` is the number of rows and columns that are named.
    """

    name: str
    zarr_format: int
    shape: tuple[int, int]
    wells: Mapping[Well, str]
    unlisted: Mapping[Well, str]
    missing: tuple[Well, ...]
    acquisitions: Mapping[int, str]
    data: bytes


@dataclass(frozen=True)
class FieldEntry:
    """A field of a well: its name is its path in the well."""

    name: str
    acquisition: int | None


class WellError(ValueError):
    """A well's own metadata are missing or no use; it costs the well."""


def is_plate(group: Group | None) -> bool:
    """Whether a group carries the plate block."""
    return group is not None and "plate" in group.ome


def read_plate(store: Store, root: str) -> PlateBlock:
    """The plate at `root`; InputError if it is not one that can be read for certain."""
    where = join(store.name, root)
    group = read_group(store, root)
    if group is None:
        found = "neither zarr.json nor .zattrs"
        raise refusal("PLATE_META_MISSING", where, found)
    if not is_plate(group):
        name = "plate" if group.zarr_format == 2 else "ome.plate"
        raise refusal("PLATE_META_MISSING", where, f"no {name} in its attributes")
    check_version(group, group.ome["plate"], where)
    try:
        return _parse(store, root, group, where)
    except InputError:
        raise
    except MALFORMED as error:
        raise refusal("PLATE_META_INVALID", where, f"{error!r}") from None


def check_version(group: Group, block: object, where: str) -> None:
    """Raise InputError ZARR_UNSUPPORTED unless the NGFF version is one that is read."""
    inner = block.get("version") if isinstance(block, dict) else None
    if group.zarr_format == 2:
        version, is_read = inner, inner in (None, "0.4")
    else:
        version = group.ome.get("version", inner)
        is_read = isinstance(version, str) and (version + ".").startswith("0.5.")
    if not is_read:
        found = (
            f"NGFF version {version!r} in Zarr v{group.zarr_format}, "
            "readable: 0.4 in Zarr v2, 0.5 in Zarr v3"
        )
        raise refusal("ZARR_UNSUPPORTED", where, found)


def read_fields(store: Store, key: str, zarr_format: int) -> tuple[FieldEntry, ...]:
    """The fields that a well lists; WellError says why there are none to be sure of."""
    where = join(store.name, key)
    group = read_group(store, key)
    if group is None or "well" not in group.ome:
        raise WellError(f"no metadata of the well at {where}")
    if group.zarr_format != zarr_format:
        found = f"Zarr v{group.zarr_format} in a plate of Zarr v{zarr_format}"
        raise refusal("ZARR_UNSUPPORTED", where, found)
    try:
        images = group.ome["well"]["images"]
        if len(images) > MOST_FIELDS_PER_WELL:
            limit = MOST_FIELDS_PER_WELL
            raise over_limit(where, "fields", f"{len(images)} fields", limit)
        entries = tuple(
            FieldEntry(inner_path(image["path"], where), _acquisition(image))
            for image in images
        )
    except InputError:
        raise
    except MALFORMED as error:
        raise WellError(f"{where}: {error!r}") from None
    names = [entry.name for entry in entries]
    if not names or len(set(names)) < len(names):
        raise WellError(f"{where}: fields {names[:5]} are none or listed twice")
    return entries


def _acquisition(image: Mapping[str, Any]) -> int | None:
    value = image.get("acquisition")
    return None if value is None else int(value)


def _parse(store: Store, root: str, group: Group, where: str) -> PlateBlock:
    block = group.ome["plate"]
    rows = [str(row["name"]) for row in block["rows"]]
    columns = [str(column["name"]) for column in block["columns"]]
    listed = _listed(block["wells"], rows, columns, where)
    present = _present(store, root)
    _refuse_collisions(listed, present, where)
    acquisitions = {
        int(item["id"]): str(item.get("name") or item["id"])
        for item in block.get("acquisitions") or ()
    }
    return PlateBlock(
        name=str(block.get("name") or _stem(join(store.name, root))),
        zarr_format=group.zarr_format,
        shape=(len(rows), len(columns)),
        wells={w: join(root, present[w][0]) for w in sorted(listed) if w in present},
        unlisted={
            w: join(root, found[0])
            for w, found in sorted(present.items())
            if w not in listed
        },
        missing=tuple(w for w in sorted(listed) if w not in present),
        acquisitions=acquisitions,
        data=group.data,
    )


def _listed(
    entries: Sequence[Mapping[str, Any]],
    rows: Sequence[str],
    columns: Sequence[str],
    where: str,
) -> dict[Well, list[str]]:
    """The listed paths by well; InputError with examples if an index contradicts one."""
    if len(entries) > _MOST_WELLS or len(rows) > _MOST_WELLS:
        raise over_limit(where, "wells", f"{len(entries)} wells", _MOST_WELLS)
    listed: dict[Well, list[str]] = {}
    wrong: list[str] = []
    for entry in entries:
        path = inner_path(entry["path"], where)
        well = _well(path)
        row, column = entry.get("rowIndex"), entry.get("columnIndex")
        if well is None or not _agrees(well, row, column, rows, columns):
            wrong.append(f"{path} with rowIndex {row}, columnIndex {column}")
        else:
            listed.setdefault(well, []).append(path)
    if wrong:
        examples = "; ".join(wrong[:_N_EXAMPLES])
        found = f"{len(wrong)} wells disagree with their path: {examples}"
        raise refusal("PLATE_INDEX_MISMATCH", where, found)
    return listed


def _agrees(
    well: Well,
    row: object,
    column: object,
    rows: Sequence[str],
    columns: Sequence[str],
) -> bool:
    """Whether the indices name the same well as the path does."""
    if row is None and column is None:
        return True
    if not isinstance(row, int) or not isinstance(column, int):
        return False
    if not (0 <= row < len(rows) and 0 <= column < len(columns)):
        return False
    return _well(f"{rows[row]}/{columns[column]}") == well


def _well(path: str) -> Well | None:
    row, _, column = path.partition("/")
    if not _ROW.fullmatch(row) or not _COLUMN.fullmatch(column):
        return None
    try:
        return Well.parse(row + column)
    except ValueError:
        return None


def _present(store: Store, root: str) -> dict[Well, list[str]]:
    """The wells whose folders lie in the store; other folders are no business of ours."""
    present: dict[Well, list[str]] = {}
    for row in store.folders(root):
        if not _ROW.fullmatch(row):
            continue
        for column in store.folders(join(root, row)):
            well = _well(f"{row}/{column}")
            if well is not None:
                present.setdefault(well, []).append(f"{row}/{column}")
    return present


def _refuse_collisions(
    listed: Mapping[Well, list[str]], present: Mapping[Well, list[str]], where: str
) -> None:
    for paths in (*listed.values(), *present.values()):
        if len(paths) > 1:
            found = f"{' and '.join(paths)} are one well"
            raise refusal("PATH_COLLISION", where, found)


def _stem(path: str) -> str:
    name = path.rstrip("/").rpartition("/")[2]
    for ending in (".zip", ".ozx", ".zarr", ".ome"):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
    return name
