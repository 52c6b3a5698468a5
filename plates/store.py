"""Reading a plate: an OME-Zarr store, opened lazily and read field by field."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plates.problems import FieldError, InputError, Problem
from plates.shard import (
    ShardError,
    ShardLayout,
    decode_index,
    decode_shard,
)
from plates.store_metadata import (
    LEVEL,
    SHARD,
    forbidden,
    ome_block,
    parse_format,
    parse_layout,
    parse_wells,
    read_images,
    read_omitted,
    refusal,
    sample_images,
)
from plates.store_metadata import PlateSpec as PlateSpec
from plates.store_writer import FieldWriter as FieldWriter
from plates.store_writer import create_plate as create_plate
from plates.store_writer import finish_plate as finish_plate
from plates.store_writer import partial_path as partial_path
from plates.store_writer import plate_writer as plate_writer
from plates.store_writer import write_field as write_field
from plates.wells import PlateFormat, Well

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Plate:
    """An open plate; it holds no pixels and no file handle and may be pickled."""

    path: Path
    spec: PlateSpec
    omitted: Mapping[tuple[Well, int], Problem]
    layout: ShardLayout
    array_json: bytes  # of a sampled array: equal bytes need no second parsing

    @property
    def plate(self) -> str:
        """The plate's id."""
        return self.spec.plate

    @property
    def format(self) -> PlateFormat:
        """Rows and columns of the plate."""
        return self.spec.format

    @property
    def wells(self) -> tuple[Well, ...]:
        """The imaged wells in row-major order, those with every field left out included."""
        return self.spec.wells

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names in the order of the pixels' first axis."""
        return self.spec.channels

    @property
    def pixel_size_um(self) -> float:
        """Edge of a pixel in micrometres."""
        return self.spec.pixel_size_um

    @property
    def field_shape(self) -> tuple[int, int, int]:
        """(c, y, x) of every field."""
        return self.spec.field_shape

    def fields(self, well: Well) -> tuple[int, ...]:
        """The expected fields of a well; one left out at ingest raises when it is read."""
        return tuple(range(self.spec.n_fields)) if well in self.spec.wells else ()


def open_plate(path: Path) -> Plate:
    """Open a plate after checking its root block and a few images; InputError if refused."""
    path = Path(path)
    root = path / "zarr.json"
    block = ome_block(root, "plate")["plate"]
    try:
        listed = parse_wells(block, root)
        omitted = read_omitted(path)
        wells = tuple(sorted({*listed, *(well for well, _ in omitted)}))
        n_fields = int(block["field_count"])
        sampled = sample_images(listed, n_fields, omitted)
        images = read_images(path, sampled)
        if len(images) != 1:
            found = f"{len(images)} kinds of images among {len(sampled)} looked at"
            raise refusal("PLATE_META_INVALID", path, found, "ingest the plate again")
        channels, pixel_size_um, array_json = images.pop()
        layout = parse_layout(array_json, path)
        spec = PlateSpec(
            plate=str(block["name"]),
            format=parse_format(len(block["rows"]), len(block["columns"]), wells),
            wells=wells,
            n_fields=n_fields,
            channels=channels,
            pixel_size_um=pixel_size_um,
            field_shape=(layout.shape[1], layout.shape[3], layout.shape[4]),
            dtype=layout.dtype,
        )
    except InputError:
        raise
    except (KeyError, IndexError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        remedy = "ingest the plate again"
        raise refusal("PLATE_META_INVALID", root, found, remedy) from error
    return Plate(path, spec, omitted, layout, array_json)


def read_field(plate: Plate, well: Well, field: int) -> np.ndarray[Any, Any]:
    """Pixels (c, y, x) of one field in native byte order; FieldError if they are not sure.

    InputError if the operating system forbids the file: that is no missing field.
    """
    if field not in plate.fields(well):
        raise ValueError(f"plate {plate.plate} has no field {field} in well {well}")
    if (well, field) in plate.omitted:
        raise FieldError(plate.omitted[well, field])
    level = plate.path / well.path / str(field) / LEVEL
    layout = _field_layout(plate, well, field, level / "zarr.json")
    shard = level / SHARD
    data = _read_shard(plate, well, field, shard)
    try:
        pixels = decode_shard(data, layout)
    except ShardError as error:
        raise _field_error(plate, well, field, "CHUNK_CORRUPT", str(error)) from error
    return pixels[0, :, 0]


def as_stack(plate: Plate) -> "xr.DataArray":
    """The plate as one lazy array (well field channel y x), a dask chunk a field.

    Computing a chunk whose field cannot be read raises FieldError.
    """
    # Streaming needs neither, and to import them takes longer than to read a plate.
    import dask.array as da
    import xarray as xr

    spec = plate.spec
    chunks = ((1,) * len(spec.wells), (1,) * spec.n_fields)
    pixels = da.map_blocks(
        partial(_read_block, plate),
        chunks=(*chunks, *((n,) for n in spec.field_shape)),
        dtype=spec.dtype,
        meta=np.empty((0,) * 5, spec.dtype),
        name=f"plate-{plate_sha256(plate)}",
    )
    return xr.DataArray(
        pixels,
        dims=("well", "field", "channel", "y", "x"),
        coords={
            "well": [str(well) for well in spec.wells],
            "field": list(range(spec.n_fields)),
            "channel": list(spec.channels),
        },
        name=spec.plate,
        attrs={"plate": spec.plate, "pixel_size_um": spec.pixel_size_um},
    )


def plate_sha256(plate: Plate) -> str:
    """Fingerprint of the plate: its metadata and every shard's size and checksums."""
    digest = hashlib.sha256((plate.path / "zarr.json").read_bytes())
    digest.update(json.dumps(_omitted_rows(plate)).encode())
    digest.update(plate.array_json)
    for well in plate.wells:
        for field in plate.fields(well):
            digest.update(f"\n{well.path}/{field} ".encode())
            digest.update(_shard_digest(plate, well, field))
    return digest.hexdigest()


def _omitted_rows(plate: Plate) -> list[tuple[str, int, str]]:
    items = sorted(plate.omitted.items())
    return [(str(well), field, problem.code) for (well, field), problem in items]


def _shard_digest(plate: Plate, well: Well, field: int) -> bytes:
    """Size, index and chunk checksums of a shard: the pixels' fingerprint without them."""
    shard = plate.path / well.path / str(field) / LEVEL / SHARD
    n_tail = plate.layout.index_bytes
    try:
        with shard.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            tail = os.pread(file.fileno(), n_tail, max(0, size - n_tail))
            index = decode_index(tail, size, plate.layout)
            ends = [offset + length for offset, length in index]
            checks = [os.pread(file.fileno(), 4, end - 4) for end in ends]
    except (FileNotFoundError, NotADirectoryError):
        return b"missing"
    except PermissionError:
        raise forbidden(shard) from None
    except ShardError as error:
        return f"{size} {error}".encode()
    return b"".join([str(size).encode(), tail, *checks])


def _read_block(plate: Plate, block_id: tuple[int, ...]) -> np.ndarray[Any, Any]:
    well, field = plate.wells[block_id[0]], block_id[1]
    return read_field(plate, well, field)[None, None]


def _read_shard(plate: Plate, well: Well, field: int, shard: Path) -> bytes:
    # A zero-byte shard decodes to zeros in Zarr: the size is looked at first.
    try:
        size = shard.stat().st_size
        if size == 0:
            raise _field_error(plate, well, field, "CHUNK_EMPTY", f"0 bytes in {shard}")
        if not os.path.realpath(shard).startswith(
            os.path.realpath(plate.path) + os.sep
        ):
            found = "a link leads out of the plate"
            raise refusal("PATH_ESCAPE", shard, found, "copy the plate whole")
        return shard.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        found = f"no file {shard}"
        raise _field_error(plate, well, field, "CHUNK_MISSING", found) from None
    except PermissionError:
        raise forbidden(shard) from None


def _field_layout(plate: Plate, well: Well, field: int, path: Path) -> ShardLayout:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        found = f"no file {path}"
        raise _field_error(plate, well, field, "FIELD_META_MISSING", found) from None
    except PermissionError:
        raise forbidden(path) from None
    if data == plate.array_json:
        return plate.layout
    try:
        layout = ShardLayout.of_json(json.loads(data))
    except ValueError as error:
        found = f"{path}: {error}"
        raise _field_error(plate, well, field, "FIELD_META_INVALID", found) from error
    if (layout.shape, layout.dtype) != (plate.layout.shape, plate.layout.dtype):
        found = f"{layout.dtype}{layout.shape}, the plate has {plate.layout.dtype}{plate.layout.shape}"
        raise _field_error(plate, well, field, "IMG_SHAPE_MISMATCH", found)
    return layout


def _field_error(
    plate: Plate, well: Well, field: int, code: str, found: str
) -> FieldError:
    where = f"{plate.plate}/{well}/f{field:02d}"
    why = "its pixels are not certain, so the field is left out"
    remedy = "copy or ingest the plate again and run the same command"
    return FieldError(Problem(code, where, found, why, remedy))
