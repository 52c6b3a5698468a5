"""The pixels of one field, or the reason why they are not certain."""

import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from plates.problems import FieldError, Problem
from plates.shard import ShardError, ShardLayout, decode_shard
from plates.shard_parts import Part, StoredPart
from plates.store_metadata import LEVEL, SHARD
from plates.store_parsing import forbidden, refusal
from plates.store_plate import Plate
from plates.wells import Well

Told = Callable[[str], None]  # hears of a stage at its end
T = TypeVar("T")


def read_field(
    plate: Plate, well: Well, field: int, *, told: Told | None = None
) -> np.ndarray[Any, Any]:
    """Pixels (c, y, x) of one field in native byte order; FieldError if they are not sure.

    InputError if the plate holds several times or planes (PLATE_PLANES), or if the
    operating system forbids the file: that is no missing field. ``told`` is called
    with "read" when the bytes are in memory and only decoding is left.
    """
    _refuse_stacks(plate)
    return read_stack(plate, well, field, told=told)[0, :, 0]


def read_region(
    plate: Plate,
    well: Well,
    field: int,
    rows: slice,
    columns: slice,
    *,
    channels: Sequence[int] | None = None,
    told: Told | None = None,
) -> np.ndarray[Any, Any]:
    """Pixels (c, y, x) of a field at these rows and columns (from, to), of all channels
    or of those named by number; only chunks that they overlap are read and decoded.

    Errors as `read_field`, of these chunks; ValueError for what lies not in the field.
    A plate whose `reads_parts` is false decodes its whole fields for it.
    """
    _refuse_stacks(plate)
    _refuse_unexpected(plate, well, field)
    c, y, x = plate.field_shape
    wanted = tuple(range(c)) if channels is None else tuple(channels)
    inside = 0 <= rows.start < rows.stop <= y and 0 <= columns.start < columns.stop <= x
    if not (inside and wanted and all(0 <= n < c for n in wanted)):
        asked = f"channels {wanted}, rows {rows.start}:{rows.stop}, columns {columns.start}:{columns.stop}"
        raise ValueError(f"a part must lie in its field {(c, y, x)}, got {asked}")
    part: Part = wanted, rows, columns
    if not plate.is_own:
        return _read_other(plate, well, field, part)
    level = plate.path / well.path / str(field) / LEVEL
    layout = _field_layout(plate, well, field, level / "zarr.json")
    try:
        take = partial(_stored_part, layout, part)
        stored = _read_shard(plate, well, field, level / SHARD, take)
        if told is not None:
            told("read")
        return stored.decode()
    except ShardError as error:
        raise _field_error(plate, well, field, "CHUNK_CORRUPT", str(error)) from error


def read_stack(
    plate: Plate, well: Well, field: int, *, told: Told | None = None
) -> np.ndarray[Any, Any]:
    """Pixels (t, c, z, y, x) of one field in native byte order; errors as `read_field`."""
    _refuse_unexpected(plate, well, field)
    if not plate.is_own:
        return _read_other(plate, well, field)
    level = plate.path / well.path / str(field) / LEVEL
    layout = _field_layout(plate, well, field, level / "zarr.json")
    data = _read_shard(plate, well, field, level / SHARD, _stored_whole)
    if told is not None:
        told("read")
    try:
        return decode_shard(data, layout)
    except ShardError as error:
        raise _field_error(plate, well, field, "CHUNK_CORRUPT", str(error)) from error


def _refuse_stacks(plate: Plate) -> None:
    spec = plate.spec
    if (spec.n_times, spec.n_z) != (1, 1):
        found = f"{spec.n_times} time points and {spec.n_z} z planes a field"
        remedy = "ingest it again with z=max and one time point"
        raise refusal("PLATE_PLANES", plate.plate, found, remedy)


def _refuse_unexpected(plate: Plate, well: Well, field: int) -> None:
    if field not in plate.fields(well):
        raise ValueError(f"plate {plate.plate} has no field {field} in well {well}")
    if (well, field) in plate.omitted:
        raise FieldError(plate.omitted[well, field])


def _read_other(
    plate: Plate, well: Well, field: int, part: Part | None = None
) -> np.ndarray[Any, Any]:
    # Only who reads such a plate pays for loading its codecs.
    from plates.ome_zarr.direct import OtherPlate, read_other, read_other_part

    if not isinstance(plate, OtherPlate):
        raise TypeError(f"plate must be our own or an OtherPlate, got {type(plate)}")
    if part is not None:
        return read_other_part(plate, well, field, *part)
    return read_other(plate, well, field)


def _stored_whole(shard: Path, size: int) -> bytes:
    return shard.read_bytes()


def _stored_part(layout: ShardLayout, part: Part, shard: Path, size: int) -> StoredPart:
    with open(shard, "rb", buffering=0) as file:
        return StoredPart.read(file.fileno(), size, layout, part)


def _read_shard(
    plate: Plate, well: Well, field: int, shard: Path, take: Callable[[Path, int], T]
) -> T:
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
        return take(shard, size)
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
