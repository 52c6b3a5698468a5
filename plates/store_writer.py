"""Writing a plate: fields from any process, and one rename that makes it exist."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from plates.json_text import strict_json
from plates.problems import InputError, Problem
from plates.store_metadata import (
    INGEST,
    LEVEL,
    SHARD,
    PlateSpec,
    group_json,
    image_json,
    plate_json,
    well_json,
)
from plates.store_stream import PARTIAL, FieldStream, beside
from plates.wells import Well

_PENDING_ROOT = ".zarr.json.pending"

Omitted = Mapping[tuple[Well, int], Problem]


def partial_path(path: Path) -> Path:
    """The hidden folder beside `path` in which the plate is written."""
    return path.with_name(f".{path.name}{PARTIAL}")


def create_plate(path_tmp: Path, spec: PlateSpec) -> None:
    """Write all metadata but the root block; what a dead writer left there is removed."""
    shutil.rmtree(path_tmp, ignore_errors=True)
    path_tmp.mkdir(parents=True)
    _write_json(path_tmp / _PENDING_ROOT, plate_json(spec))
    group, image = _dump(group_json()), _dump(image_json(spec))
    well_block = _dump(well_json(tuple(range(spec.n_fields))))
    arrays = [_dump(spec.level_layout(n).to_json()) for n in range(spec.n_levels)]
    for row in sorted({well.row_name for well in spec.wells}):
        (path_tmp / row).mkdir()
        (path_tmp / row / "zarr.json").write_bytes(group)
    for well in spec.wells:
        folder = path_tmp / well.path
        folder.mkdir()
        (folder / "zarr.json").write_bytes(well_block)
        for field in range(spec.n_fields):
            for number, array in enumerate(arrays):
                level = folder / str(field) / str(number)
                level.mkdir(parents=True)
                (level / "zarr.json").write_bytes(array)
            (folder / str(field) / "zarr.json").write_bytes(image)


def write_field(
    path_tmp: Path,
    spec: PlateSpec,
    well: Well,
    field: int,
    pixels: np.ndarray[Any, Any],
) -> None:
    """Write one field, pixels (c, y, x) or (t, c, z, y, x), with all its levels.

    Any process may write any field once.
    """
    if pixels.ndim == 3 and (spec.n_times, spec.n_z) == (1, 1):
        pixels = pixels[None, :, None]
    if pixels.shape != spec.stack_shape or pixels.dtype != np.dtype(spec.dtype):
        raise ValueError(
            f"field must be {spec.dtype}{spec.stack_shape}, "
            f"got {pixels.dtype}{pixels.shape} for {spec.plate}/{well}/f{field}"
        )
    with FieldStream(path_tmp, spec, well, field) as stream:
        for t, c, z in np.ndindex(*spec.stack_shape[:3]):
            stream.write(t, c, z, pixels[t, c, z])


def finish_plate(
    path_tmp: Path,
    path: Path,
    *,
    omitted: Omitted | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Check that every field is written or omitted, then make the plate exist.

    `omitted` says why a field was left out: reading it raises FieldError with that
    problem. `notes` go into ingest.json. InputError if fields are missing or `path`
    exists.
    """
    _refuse_existing(path)
    omitted = omitted or {}
    root = json.loads((path_tmp / _PENDING_ROOT).read_bytes())
    plate = root["attributes"]["ome"]["plate"]
    wells = [Well.parse(entry["path"]) for entry in plate["wells"]]
    fields = range(plate["field_count"])
    _check_complete(path_tmp, wells, fields, omitted)
    for well in sorted({well for well, _ in omitted}):
        _drop_fields(path_tmp / well.path, fields, [f for w, f in omitted if w == well])
    empty = {well.path for well in wells if not (path_tmp / well.path).exists()}
    plate["wells"] = [entry for entry in plate["wells"] if entry["path"] not in empty]
    _write_json(path_tmp / INGEST, _ingest_json(omitted, notes or {}))
    for leftover in path_tmp.rglob(f"*{PARTIAL}"):
        leftover.unlink()
    # One flush for some thousand small files: an fsync of each costs far more.
    os.sync()
    (path_tmp / _PENDING_ROOT).unlink()
    _write_atomically(path_tmp / "zarr.json", _dump(root))
    _fsync_folder(path_tmp)
    _refuse_existing(path)
    os.rename(path_tmp, path)
    _fsync_folder(path.parent)


class FieldWriter:
    """What `plate_writer` yields: call it to write a field, `omit` one that has no pixels."""

    def __init__(self, path_tmp: Path, spec: PlateSpec) -> None:
        """A writer into the unfinished plate at `path_tmp`."""
        self.path_tmp = path_tmp
        self.spec = spec
        self.omitted: dict[tuple[Well, int], Problem] = {}
        self.notes: dict[str, Any] = {}

    def __call__(self, well: Well, field: int, pixels: np.ndarray[Any, Any]) -> None:
        """Write one field, pixels (c, y, x) or (t, c, z, y, x)."""
        write_field(self.path_tmp, self.spec, well, field, pixels)

    def omit(self, well: Well, field: int, problem: Problem) -> None:
        """Record why a field is left out; reading it raises this problem."""
        self.omitted[well, field] = problem


@contextmanager
def plate_writer(path: Path, spec: PlateSpec) -> Iterator[FieldWriter]:
    """Write a plate in one process; nothing stays at `path` unless the block succeeds."""
    _refuse_existing(path)
    writer = FieldWriter(partial_path(path), spec)
    create_plate(writer.path_tmp, spec)
    try:
        yield writer
        finish_plate(writer.path_tmp, path, omitted=writer.omitted, notes=writer.notes)
    finally:
        shutil.rmtree(writer.path_tmp, ignore_errors=True)


def problem_json(well: Well, field: int, problem: Problem) -> dict[str, Any]:
    """One left-out field as a JSON object."""
    return {"well": str(well), "field": field, **asdict(problem)}


def _ingest_json(omitted: Omitted, notes: Mapping[str, Any]) -> dict[str, Any]:
    entries = [problem_json(*key, problem) for key, problem in sorted(omitted.items())]
    return {"schema": 1, "omitted": entries, **notes}


def _check_complete(
    path_tmp: Path, wells: list[Well], fields: range, omitted: Omitted
) -> None:
    expected = {(well, field) for well in wells for field in fields}
    written = {
        (well, field)
        for well, field in expected
        if (path_tmp / well.path / str(field) / LEVEL / SHARD).is_file()
    }
    missing = sorted(expected - written - omitted.keys())
    strange = sorted((omitted.keys() & written) | (omitted.keys() - expected))
    if not missing and not strange and written:
        return
    first = ", ".join(
        f"{well}/f{field:02d}" for well, field in (missing or strange)[:5]
    )
    found = f"{len(written)} of {len(expected)} fields written"
    if missing:
        found += f", {len(missing)} neither written nor left out: {first}"
    if strange:
        found += f", {len(strange)} wrongly left out: {first}"
    why = "a plate is complete or absent"
    remedy = "write the plate again"
    raise InputError([Problem("PLATE_INCOMPLETE", str(path_tmp), found, why, remedy)])


def _drop_fields(folder: Path, fields: range, dropped: list[int]) -> None:
    """Take fields out of a well's listing; a well without fields goes altogether."""
    kept = tuple(field for field in fields if field not in dropped)
    for field in dropped:
        shutil.rmtree(folder / str(field))
    if kept:
        _write_json(folder / "zarr.json", well_json(kept))
    else:
        shutil.rmtree(folder)


def _refuse_existing(path: Path) -> None:
    if path.exists():
        why = "a plate is never overwritten"
        remedy = "remove it first or choose another name"
        problem = Problem("PLATE_EXISTS", str(path), "already there", why, remedy)
        raise InputError([problem])


def _dump(content: Mapping[str, Any]) -> bytes:
    return strict_json(content, ensure_ascii=False).encode()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    _write_atomically(path, _dump(content))


def _write_atomically(path: Path, data: bytes) -> None:
    """Write beside and rename: a killed writer never leaves a short file at `path`."""
    partial = beside(path)
    partial.write_bytes(data)
    os.replace(partial, path)


def _fsync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
