"""OME-Zarr plates as a reader of ingest: they are listed, read, and copied with checksums."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from plates.ome_zarr.addresses import (
    archives_in,
    is_remote,
    open_image,
    open_source,
    plate_keys,
)
from plates.ome_zarr.faults import refusal
from plates.ome_zarr.images import Image, read_image
from plates.ome_zarr.nodes import join
from plates.ome_zarr.pixels import read_pages
from plates.ome_zarr.stores import Store
from plates.ome_zarr.survey import (
    Slot,
    Survey,
    field_fault,
    level_doubt,
    survey,
    unsummed,
)
from plates.planes import SCHEMA, FieldFault, PlaneError, PlateFacts, Scan
from plates.problems import InputError, Problem
from plates.wells import PlateFormat, Well

NAME = "ome_zarr"
_SIZE_TOLERANCE = 1e-3
_N_SHOWN = 5
_SHAPES = {
    (f.n_rows, f.n_columns): n
    for n in (6, 12, 24, 48, 96, 384, 1536)
    for f in (PlateFormat.of(n),)
}


def detect(folder: Path | str) -> bool:
    """Whether this is an OME-Zarr plate, holds some, or is an address in S3."""
    if is_remote(folder):
        return True
    folder = Path(folder)
    if folder.is_file():
        return folder.suffix.lower() in (".zip", ".ozx")
    try:
        store, key = open_source(folder)
        return bool(plate_keys(store, key)) or any(map(_is_plate_zip, _zips(folder)))
    except InputError:
        # A broken plate is a plate: scan tells what is wrong with it.
        return any((folder / name).is_file() for name in ("zarr.json", ".zattrs"))


def scan(source: Path | str, pattern: str = "") -> Scan:
    """The planes of one plate, or of all plates directly in a folder or below a prefix.

    `source` is a folder, a zip file or s3://bucket/prefix; `pattern` is of no use here.
    With several acquisitions each is a plate of its own, named after both. InputError
    refuses what cannot be read for certain.
    """
    places = _places(source)
    parts = [_scan_plate(survey(store, key)) for store, key in places]
    facts = tuple(item for part in parts for item in part.plates)
    for name, n in Counter(item.plate for item in facts).items():
        if n > 1:
            raise refusal("PLATE_META_INVALID", source, f"{n} plates named {name!r}")
    planes = pl.concat([part.planes for part in parts])
    if planes.is_empty():
        faults = [fault.problem for part in parts for fault in part.faults]
        missing = refusal(
            "PLATE_META_MISSING", source, "no image that is read"
        ).problems
        raise InputError([*missing, *faults[:20]])
    return Scan(
        reader=NAME,
        planes=planes,
        plates=facts,
        matches=tuple(_shown(row) for row in planes.head(_N_SHOWN).to_dicts()),
        faults=tuple(fault for part in parts for fault in part.faults),
        warnings=tuple(warning for part in parts for warning in part.warnings),
    )


def read_planes(path: str, pages: Sequence[int | None]) -> list[np.ndarray[Any, Any]]:
    """Planes (y, x) of one image in native byte order; page = (t * C + c) * Z + z.

    PlaneError CHUNK_MISSING, CHUNK_EMPTY, CHUNK_CORRUPT, FIELD_META_MISSING or
    FIELD_META_INVALID costs the field; InputError (STORE_FORBIDDEN, STORE_UNREACHABLE,
    PATH_ESCAPE ...) is no fault of the field.
    """
    store, key = open_image(path)
    return [*read_pages(store, read_image(store, key), pages)]


def plane_kind(path: str) -> tuple[tuple[int, int], str]:
    """(y, x) and numpy dtype of an image's planes, without reading pixels."""
    image = read_image(*open_image(path))
    return (image.length("y"), image.length("x")), image.dtype


def _places(source: Path | str) -> list[tuple[Store, str]]:
    """Where every plate of a source lies; InputError if there is none."""
    store, root = open_source(source)
    keys = plate_keys(store, root)
    places = [(store, key) for key in keys]
    if keys != [root] and not is_remote(source):
        places += [open_source(path) for path in _zips(Path(source))]
    return places or [(store, root)]


def _zips(source: Path) -> list[Path]:
    return [path for path in archives_in(source) if _is_plate_zip(path)]


def _is_plate_zip(path: Path) -> bool:
    store, key = open_source(path)
    return plate_keys(store, key) == [key]


def _scan_plate(found: Survey) -> Scan:
    images, faults = _read_images(found)
    faults = {**found.faults, **faults}
    usual = _usual_channels(images)
    for slot, image in list(images.items()):
        if not set(image.channels) <= set(usual):
            text = f"channels {list(image.channels)}, the plate has {list(usual)}"
            plate = found.block.name
            faults[slot] = field_fault(plate, *slot, "FIELD_META_INVALID", text)
            del images[slot]
    names = _plate_names(found)
    rows = [row for slot in sorted(images) for row in _rows(found, names, slot, images)]
    facts = [
        PlateFacts(
            plate=name,
            n_wells=_SHAPES.get(found.block.shape),
            pixel_size_um=_pixel_size(found, images),
            channels=usual,
            wells=_wells(found, names, name),
        )
        for name in dict.fromkeys(names.values())
    ]
    return Scan(
        reader=NAME,
        planes=pl.DataFrame(rows, schema=SCHEMA, orient="row"),
        plates=tuple(facts),
        faults=tuple(
            FieldFault(plate, str(well), field, problem)
            for (well, field), problem in sorted(faults.items(), key=lambda i: i[0])
            for plate in _plates_of(found, names, (well, field))
        ),
        warnings=(*_warnings(found, images),),
    )


def _read_images(found: Survey) -> tuple[dict[Slot, Image], dict[Slot, Problem]]:
    """The metadata of every image, or why it has none."""

    def read(item: tuple[Slot, str]) -> Image | PlaneError:
        try:
            version = found.block.zarr_format
            return read_image(found.store, item[1], version, levels=True)
        except PlaneError as error:
            return error

    images: dict[Slot, Image] = {}
    faults: dict[Slot, Problem] = {}
    n_threads = found.store.n_parallel
    with ThreadPoolExecutor(n_threads) as pool:
        walk = pool.map if n_threads > 1 else map
        results = list(walk(read, found.images.items()))
    for slot, result in zip(found.images, results, strict=True):
        if isinstance(result, PlaneError):
            problem = field_fault(found.block.name, *slot, result.code, result.found)
            faults[slot] = problem
        else:
            images[slot] = result
    return images, faults


def _usual_channels(images: dict[Slot, Image]) -> tuple[str, ...]:
    """All channels of the plate in the order that most images have."""
    counts = Counter(image.channels for image in images.values())
    kinds = [channels for channels, _ in counts.most_common()]
    most = max(counts.values(), default=0)
    wide = [names for names in kinds if counts[names] == most] or [()]
    return max(wide, key=len)


def _plate_names(found: Survey) -> dict[int | None, str]:
    """The name of each acquisition as a plate of its own."""
    ids, block = found.acquisitions, found.block
    if len(ids) <= 1:
        return dict.fromkeys(ids or (None,), block.name)
    return {
        number: block.name
        if number is None
        else f"{block.name}_{block.acquisitions.get(number, str(number))}"
        for number in ids
    }


def _plates_of(
    found: Survey, names: dict[int | None, str], slot: Slot
) -> tuple[str, ...]:
    entry = found.entries.get(slot)
    if entry is not None:
        return (names[entry.acquisition],)
    own = {names[e.acquisition] for (_, f), e in found.entries.items() if f == slot[1]}
    return tuple(sorted(own)) or tuple(dict.fromkeys(names.values()))


def _rows(
    found: Survey,
    names: dict[int | None, str],
    slot: Slot,
    images: dict[Slot, Image],
) -> Iterator[tuple[Any, ...]]:
    """The planes of one image; an axis of one step is as good as none."""
    image, (well, field) = images[slot], slot
    plate = names[found.entries[slot].acquisition]
    path = join(found.store.address, found.images[slot])
    n_t, n_z = image.length("t"), image.length("z")
    for t in range(n_t):
        for c, channel in enumerate(image.channels):
            for z in range(n_z):
                page = (t * len(image.channels) + c) * n_z + z
                z_um = z * image.z_step_um if n_z > 1 and image.z_step_um else None
                steps = (str(z) if n_z > 1 else "", str(t) if n_t > 1 else "")
                place = (plate, str(well), field, channel, *steps)
                yield (*place, path, page, None, None, z_um)


def _pixel_size(found: Survey, images: dict[Slot, Image]) -> float | None:
    """The plate's pixel size; InputError if its images do not agree."""
    sizes = {image.pixel_size_um for image in images.values() if image.pixel_size_um}
    if sizes and max(sizes) > min(sizes) * (1 + _SIZE_TOLERANCE):
        text = f"images of {min(sizes):g} and of {max(sizes):g} um a pixel"
        raise refusal("PIXEL_SIZE_MISMATCH", found.block.name, text)
    return min(sizes) if sizes else None


def _wells(found: Survey, names: dict[int | None, str], plate: str) -> tuple[str, ...]:
    wells: set[Well] = {
        well
        for (well, _), entry in found.entries.items()
        if names[entry.acquisition] == plate
    }
    return tuple(str(well) for well in sorted(wells))


def _warnings(found: Survey, images: dict[Slot, Image]) -> Iterator[Problem]:
    plate = found.block.name
    if found.block.missing:
        wells = ", ".join(map(str, found.block.missing[:_N_SHOWN]))
        text = f"{len(found.block.missing)} wells are listed and not there: {wells}"
        why = "they have no images"
        remedy = "copy them, or mark them no_cells in the map"
        yield Problem("WELL_MISSING", plate, text, why, remedy)
    plain = [image for image in images.values() if not image.layout.has_checksum]
    if plain and not found.store.has_checksums:
        yield unsummed(plate, f"{len(plain)} of {len(images)} images")
    doubts = [
        f"{well}/{field}: {text}"
        for (well, field), image in sorted(images.items(), key=lambda i: i[0])
        for text in image.doubts
    ]
    if doubts:
        yield level_doubt(plate, doubts)


def _shown(row: dict[str, Any]) -> tuple[str, str]:
    keys = ("plate", "well", "field", "channel", "z", "t")
    read = " ".join(f"{key}={row[key]}" for key in keys if row[key])
    return str(row["path"]), read
