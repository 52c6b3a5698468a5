"""A whole plate at once: as one lazy array, and as one fingerprint."""

import hashlib
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from plates.json_text import strict_json
from plates.shard import ShardError, decode_index
from plates.store_fields import read_field, read_stack
from plates.store_metadata import LEVEL, SHARD
from plates.store_parsing import forbidden
from plates.store_plate import Plate
from plates.wells import Well

if TYPE_CHECKING:
    import xarray as xr


def as_stack(plate: Plate) -> "xr.DataArray":
    """The plate as one lazy array (well field channel y x), a dask chunk a field.

    A plate with several times or planes has the axes (well field time channel z y x).
    Computing a chunk whose field cannot be read raises FieldError.
    """
    # Streaming needs neither, and to import them takes longer than to read a plate.
    import dask.array as da
    import xarray as xr

    spec = plate.spec
    is_flat = (spec.n_times, spec.n_z) == (1, 1)
    axes = ("channel", "y", "x") if is_flat else ("time", "channel", "z", "y", "x")
    shape = spec.field_shape if is_flat else spec.stack_shape
    chunks = ((1,) * len(spec.wells), (1,) * spec.n_fields)
    pixels = da.map_blocks(
        partial(_read_block, plate),
        chunks=(*chunks, *((n,) for n in shape)),
        dtype=spec.dtype,
        meta=np.empty((0,) * (2 + len(shape)), spec.dtype),
        name=f"plate-{plate_sha256(plate)}",
    )
    return xr.DataArray(
        pixels,
        dims=("well", "field", *axes),
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
    if not plate.is_own:
        from plates.ome_zarr.direct import OtherPlate, other_sha256

        assert isinstance(plate, OtherPlate)
        return other_sha256(plate)
    digest = hashlib.sha256((plate.path / "zarr.json").read_bytes())
    digest.update(strict_json(_omitted_rows(plate)).encode())
    digest.update(plate.array_json)
    for well in plate.wells:
        folder = well.path
        for field in range(plate.spec.n_fields):
            digest.update(f"\n{folder}/{field} ".encode())
            digest.update(_shard_digest(plate, folder, field))
    return digest.hexdigest()


def well_sha256(plate: Plate, well: Well) -> str:
    """Fingerprint of one well: its shards, what was left out of it, and the layout of
    the plate's fields; other wells may come, change or go."""
    if not plate.is_own:
        from plates.ome_zarr.direct import OtherPlate, other_sha256

        assert isinstance(plate, OtherPlate)
        return other_sha256(plate, well)
    spec = plate.spec
    layout = [spec.n_fields, *spec.channels, spec.pixel_size_um, *spec.field_shape]
    digest = hashlib.sha256(strict_json([*layout, spec.dtype]).encode())
    digest.update(plate.array_json)
    omitted = [row for row in _omitted_rows(plate) if row[0] == str(well)]
    digest.update(strict_json(omitted).encode())
    for field in plate.fields(well):
        digest.update(f"\n{field} ".encode())
        digest.update(_shard_digest(plate, well.path, field))
    return digest.hexdigest()


def _omitted_rows(plate: Plate) -> list[tuple[str, int, str]]:
    items = sorted(plate.omitted.items())
    return [(str(well), field, problem.code) for (well, field), problem in items]


def _shard_digest(plate: Plate, well: str, field: int) -> bytes:
    """Size, index and chunk checksums of a shard: the pixels' fingerprint without them."""
    # A night begins with this for each of its fields: a path built part by part takes
    # as long as all else here.
    shard = f"{plate.path}/{well}/{field}/{LEVEL}/{SHARD}"
    n_tail = plate.layout.index_bytes
    try:
        with open(shard, "rb", buffering=0) as file:
            number = file.fileno()
            size = os.fstat(number).st_size
            tail = os.pread(number, n_tail, max(0, size - n_tail))
            index = decode_index(tail, size, plate.layout)
            ends = [offset + length for offset, length in index]
            checks = [os.pread(number, 4, end - 4) for end in ends]
    except (FileNotFoundError, NotADirectoryError):
        return b"missing"
    except PermissionError:
        raise forbidden(shard) from None
    except ShardError as error:
        return f"{size} {error}".encode()
    return b"".join([str(size).encode(), tail, *checks])


def _read_block(plate: Plate, block_id: tuple[int, ...]) -> np.ndarray[Any, Any]:
    well, field = plate.wells[block_id[0]], block_id[1]
    is_flat = (plate.spec.n_times, plate.spec.n_z) == (1, 1)
    read = read_field if is_flat else read_stack
    return read(plate, well, field)[None, None]
