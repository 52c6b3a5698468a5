"""What a plate of another tool holds, well by well, with a reason for all that it lacks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plates.ome_zarr.faults import MOST_FIELDS, over_limit
from plates.ome_zarr.nodes import join
from plates.ome_zarr.plate_block import (
    FieldEntry,
    PlateBlock,
    WellError,
    read_fields,
    read_plate,
)
from plates.ome_zarr.stores import Store
from plates.problems import Problem
from plates.wells import Well

Slot = tuple[Well, str]


@dataclass(frozen=True)
class Survey:
    """The fields of a plate by (well, field name); `faults` are those without an image.

    `images` are keys in the store. A well whose own metadata are missing, and one that
    is not listed, has a fault in place of every field that other wells have.
    """

    store: Store
    root: str
    block: PlateBlock
    images: Mapping[Slot, str]
    entries: Mapping[Slot, FieldEntry]
    faults: Mapping[Slot, Problem]

    @property
    def field_names(self) -> tuple[str, ...]:
        """Every field name of the plate, numbers by value and before other names."""
        return ordered(name for _, name in (*self.images, *self.faults))

    @property
    def acquisitions(self) -> tuple[int | None, ...]:
        """The ids of the acquisitions that have fields."""
        ids = {entry.acquisition for entry in self.entries.values()}
        return tuple(sorted(ids, key=lambda n: -1 if n is None else n))


def survey(store: Store, root: str) -> Survey:
    """Read the metadata of a plate and its wells; those of its images are not read."""
    block = read_plate(store, root)
    images: dict[Slot, str] = {}
    entries: dict[Slot, FieldEntry] = {}
    broken: dict[Well, tuple[str, str]] = {}
    for well, key in block.wells.items():
        try:
            fields = read_fields(store, key, block.zarr_format)
        except WellError as error:
            broken[well] = ("FIELD_META_MISSING", str(error))
            continue
        for entry in fields:
            images[well, entry.name] = join(key, entry.name)
            entries[well, entry.name] = entry
        if len(images) > MOST_FIELDS:
            where = join(store.name, root)
            raise over_limit(where, "fields", f"{len(images)} fields", MOST_FIELDS)
    for well, key in block.unlisted.items():
        found = f"{join(store.name, key)} is there and the plate does not list it"
        broken[well] = ("WELL_UNLISTED", found)
    names = ordered(name for _, name in images) or ("0",)
    faults = {
        (well, name): field_fault(block.name, well, name, code, found)
        for well, (code, found) in sorted(broken.items())
        for name in names
    }
    return Survey(store, root, block, images, entries, faults)


def field_fault(plate: str, well: Well, field: str, code: str, found: str) -> Problem:
    """Why one field is not read."""
    why = "its pixels are not certain, so the field is left out"
    remedies = {
        "WELL_UNLISTED": "list the well in the plate's metadata, or take its folder out",
        "FIELD_MISSING": "none needed if the well has fewer fields",
    }
    remedy = remedies.get(code, "copy or write the plate again")
    return Problem(code, f"{plate}/{well}/{field}", found, why, remedy)


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct names: numbers by value and before other names."""
    return tuple(sorted(set(names), key=_natural))


def unsummed(plate: str, where: str) -> Problem:
    """That a changed bit of this plate's pixels would not be noticed."""
    why = "a changed bit in them is not noticed"
    remedy = "ingest the plate, the copy has checksums; or keep a list of sums"
    found = f"the pixels of {where} carry no checksum"
    return Problem("NO_PIXEL_CHECKSUM", plate, found, why, remedy)


def level_doubt(plate: str, doubts: Iterable[str]) -> Problem:
    """That smaller resolution levels are not what they should be."""
    listed = list(doubts)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    found = f"{'; '.join(listed[:3])}{more}"
    why = "only level 0 is read, so nothing is lost"
    return Problem("PYRAMID_INCOMPLETE", plate, found, why, "none needed")


def _natural(name: str) -> tuple[bool, int, str]:
    is_number = name.isascii() and name.isdigit()
    return (not is_number, int(name) if is_number else 0, name)
