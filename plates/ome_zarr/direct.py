"""An OME-Zarr plate of another tool, opened in its place as if it were our own."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from plates.ome_zarr.addresses import open_source
from plates.ome_zarr.chunks import chunk_keys
from plates.ome_zarr.faults import refusal
from plates.ome_zarr.images import Image, read_image
from plates.ome_zarr.nodes import join
from plates.ome_zarr.pixels import read_pages
from plates.ome_zarr.stores import Store, ZipStore
from plates.ome_zarr.survey import (
    Survey,
    field_fault,
    level_doubt,
    survey,
    unsummed,
)
from plates.planes import PlaneError
from plates.problems import FieldError, Problem
from plates.store_metadata import PlateSpec
from plates.store_parsing import parse_format
from plates.store_plate import Plate, has_parts
from plates.wells import PlateFormat, Well

_N_SAMPLED = 5
_TAIL_BYTES = 64
_INGEST = "ingest it: reader=ome_zarr"


@dataclass(frozen=True)
class OtherPlate(Plate):
    """A plate that others wrote; it may be pickled, and its pixels are read as asked.

    `images` are keys in its store, `shape` its named rows and columns, `doubts` what a
    person should know of it.
    """

    is_own: ClassVar[bool] = False

    images: Mapping[tuple[Well, int], str]
    zarr_format: int
    shape: tuple[int, int]
    doubts: tuple[Problem, ...]
    metadata: bytes
    is_chunked: bool

    @property
    def reads_parts(self) -> bool:
        """Whether a part of a field costs less to read than all of it."""
        return self.is_chunked

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What a person should know of the plate."""
        return self.doubts

    def fits(self, plate_format: PlateFormat) -> bool:
        """Whether it may be of this format: many list only the rows that were imaged."""
        if self.shape == (self.format.n_rows, self.format.n_columns):
            return self.format == plate_format
        return all(map(plate_format.contains, self.wells))


def open_other(path: Path) -> OtherPlate:
    """Open a plate of another tool, a folder or a zip file; InputError if refused."""
    found = survey(*open_source(path))
    where = join(found.store.name, found.root)
    if len(found.acquisitions) > 1:
        text = f"{len(found.acquisitions)} acquisitions; {_INGEST}, each is a plate"
        raise refusal("ZARR_UNSUPPORTED", where, text)
    names = found.field_names
    number = {name: n for n, name in enumerate(names)}
    images = {(w, number[name]): key for (w, name), key in found.images.items()}
    omitted = {(w, number[name]): fault for (w, name), fault in found.faults.items()}
    wells = tuple(sorted({well for well, _ in (*images, *omitted)}))
    for well in wells:
        for n, name in enumerate(names):
            if (well, n) not in images and (well, n) not in omitted:
                text = "no image of this field, other wells have it"
                plate = found.block.name
                fault = field_fault(plate, well, name, "FIELD_MISSING", text)
                omitted[well, n] = fault
    sampled = _sampled(found, images)
    spec = _spec(found, wells, len(names), sampled, where)
    return OtherPlate(
        path=Path(path),
        spec=spec,
        omitted=omitted,
        layout=spec.layout,
        array_json=b"",
        images=images,
        zarr_format=found.block.zarr_format,
        shape=found.block.shape,
        doubts=tuple(_warnings(found, sampled)),
        metadata=found.block.data,
        is_chunked=all(_is_chunked(found.store, image) for image in sampled),
    )


def read_other(plate: OtherPlate, well: Well, field: int) -> np.ndarray[Any, Any]:
    """Pixels (t, c, z, y, x) of a field; FieldError if they are not certain."""
    with _costing(plate, well, field):
        store, image = _image(plate, well, field)
        pages = read_pages(store, image, [None])
    pixels = pages.reshape(image.shape)
    if image.channels == plate.channels:
        return pixels
    order = [image.channels.index(name) for name in plate.channels]
    return np.ascontiguousarray(pixels[:, order])


def read_other_part(
    plate: OtherPlate,
    well: Well,
    field: int,
    channels: Sequence[int],
    rows: slice,
    columns: slice,
) -> np.ndarray[Any, Any]:
    """Pixels (c, y, x) of a field of one time and plane at these channels, rows and
    columns; FieldError if they are not certain."""
    with _costing(plate, well, field):
        store, image = _image(plate, well, field)
        names = [plate.channels[n] for n in channels]
        pages = [image.channels.index(name) for name in names]
        return read_pages(store, image, pages, rows, columns)


def _image(plate: OtherPlate, well: Well, field: int) -> tuple[Store, Image]:
    store, _ = open_source(plate.path)
    image = read_image(store, plate.images[well, field], plate.zarr_format)
    _refuse_unlike(plate, image)
    return store, image


@contextmanager
def _costing(plate: OtherPlate, well: Well, field: int) -> Iterator[None]:
    """A plane that cannot be read costs its field."""
    try:
        yield
    except PlaneError as error:
        name = f"f{field:02d}"
        fault = field_fault(plate.plate, well, name, error.code, error.found)
        raise FieldError(fault) from error


def other_sha256(plate: OtherPlate, only: Well | None = None) -> str:
    """Fingerprint of a plate: its metadata, and of every chunk file the size and ends;
    with ``only``, of one well's fields alone.

    A zip file's own checksums stand for its chunks. What changes in the middle of a file
    and keeps its size is seen only there; NO_PIXEL_CHECKSUM says so.
    """
    store, _ = open_source(plate.path)
    digest = hashlib.sha256(b"" if only else plate.metadata)
    omitted = [i for i in plate.omitted.items() if only in (None, i[0][0])]
    images = [i for i in plate.images.items() if only in (None, i[0][0])]
    for (well, field), problem in sorted(omitted, key=lambda i: i[0]):
        digest.update(f"\n{well.path}/{field} {problem.code}".encode())
    for (well, field), key in sorted(images):
        digest.update(f"\n{well.path}/{field} ".encode())
        try:
            image = read_image(store, key, plate.zarr_format)
        except PlaneError as error:
            digest.update(error.code.encode())
            continue
        digest.update(image.data)
        for file in chunk_keys(image.level_key, image.layout):
            digest.update(_file_digest(store, file))
    return digest.hexdigest()


def _is_chunked(store: Store, image: Image) -> bool:
    """Whether a part of an image can be read alone; a file whose checksum is of the
    whole is read whole."""
    shard = image.layout.shard
    chunk = image.layout.chunk if shard is None else shard.chunk
    if shard is not None and store.has_checksums:
        chunk = image.layout.chunk
    sides = dict(zip(image.axes, chunk, strict=True))
    return has_parts((sides["y"], sides["x"]), image.shape[3:])


def _file_digest(store: Store, key: str) -> bytes:
    size = store.size(key)
    if size is None:
        return b"missing"
    if isinstance(store, ZipStore):
        return f"{size} {store.crc(key)};".encode()
    ends = (0, max(0, size - _TAIL_BYTES))
    parts = [store.read_range(key, start, _TAIL_BYTES) for start in ends]
    return b"".join([str(size).encode(), *parts])


def _sampled(found: Survey, images: Mapping[tuple[Well, int], str]) -> list[Image]:
    """Some images spread over the plate; one that cannot be read costs itself only."""
    keys = [key for _, key in sorted(images.items())]
    step = max(1, len(keys) // _N_SAMPLED)
    chosen = dict.fromkeys([*keys[::step], *keys])
    sampled: list[Image] = []
    last: PlaneError | None = None
    for key in chosen:
        if len(sampled) == _N_SAMPLED:
            break
        try:
            version = found.block.zarr_format
            sampled.append(read_image(found.store, key, version, levels=True))
        except PlaneError as error:
            last = error
    if not sampled:
        text = "no image with metadata" if last is None else last.found
        where = join(found.store.name, found.root)
        raise refusal("PLATE_META_MISSING", where, text)
    return sampled


def _spec(
    found: Survey,
    wells: tuple[Well, ...],
    n_fields: int,
    sampled: list[Image],
    where: str,
) -> PlateSpec:
    """What most of the sampled images are; InputError if a screen cannot score such."""
    kinds = Counter((image.shape, image.dtype, image.channels) for image in sampled)
    (shape, dtype, channels), _ = kinds.most_common(1)[0]
    sizes = [image.pixel_size_um for image in sampled]
    size = sizes[0]
    if size is None:
        text = "no pixel size with a unit of length"
        raise refusal("PIXEL_SIZE_UNKNOWN", where, text)
    if not all(other and math.isclose(other, size, rel_tol=1e-3) for other in sizes):
        raise refusal("PIXEL_SIZE_MISMATCH", where, f"images of {sizes} um a pixel")
    if dtype not in ("uint8", "uint16"):
        text = f"pixels of {dtype}, scored in place are uint8 and uint16; {_INGEST}"
        raise refusal("ZARR_UNSUPPORTED", where, text)
    t, c, z, y, x = shape
    try:
        return PlateSpec(
            plate=found.block.name,
            format=parse_format(*found.block.shape, wells),
            wells=wells,
            n_fields=n_fields,
            channels=channels,
            pixel_size_um=size,
            field_shape=(c, y, x),
            dtype=dtype,
            n_times=t,
            n_z=z,
            z_step_um=sampled[0].z_step_um if z > 1 else None,
        )
    except ValueError as error:
        raise refusal("PLATE_META_INVALID", where, str(error)) from None


def _refuse_unlike(plate: OtherPlate, image: Image) -> None:
    """PlaneError unless the image is as the plate's others are."""
    due = plate.spec.stack_shape
    if image.dtype != plate.spec.dtype:
        found = f"{image.dtype}, the plate has {plate.spec.dtype}"
        raise PlaneError("IMG_DTYPE_MISMATCH", found)
    if set(image.channels) != set(plate.channels):
        found = f"channels {list(image.channels)}, the plate has {list(plate.channels)}"
        raise PlaneError("FIELD_CHANNEL_MISSING", found)
    if image.shape != due:
        found = f"(t, c, z, y, x) = {image.shape}, the plate has {due}"
        raise PlaneError("IMG_SHAPE_MISMATCH", found)
    size = image.pixel_size_um or 0.0
    if not math.isclose(size, plate.pixel_size_um, rel_tol=1e-3):
        found = f"pixels of {size:g} um, the plate has {plate.pixel_size_um:g}"
        raise PlaneError("IMG_SHAPE_MISMATCH", found)


def _warnings(found: Survey, sampled: list[Image]) -> Iterator[Problem]:
    plate = found.block.name
    is_summed = found.store.has_checksums
    if not is_summed and not all(image.layout.has_checksum for image in sampled):
        yield unsummed(plate, found.store.name)
    doubts = [text for image in sampled for text in image.doubts]
    if doubts:
        yield level_doubt(plate, dict.fromkeys(doubts))
