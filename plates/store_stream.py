"""One field written plane by plane: no more than a plane is in memory."""

import contextlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from plates.pyramid import levels
from plates.shard import ShardEncoder
from plates.store_metadata import SHARD, PlateSpec
from plates.wells import Well

PARTIAL = ".partial"


class FieldStream:
    """A field being written, as a context: it exists if and only if the block succeeds.

    Every level is one whole shard. Any process may write any field once.
    """

    def __init__(self, path_tmp: Path, spec: PlateSpec, well: Well, field: int) -> None:
        """A stream into the unfinished plate at `path_tmp`; ValueError if it has no such field."""
        if well not in spec.wells or not 0 <= field < spec.n_fields:
            raise ValueError(f"{spec.plate} has no field {field} in well {well}")
        folder = path_tmp / well.path / str(field)
        self._spec = spec
        self._where = f"{spec.plate}/{well}/f{field}"
        self._shards = [folder / str(n) / SHARD for n in range(spec.n_levels)]
        self._files: list[BinaryIO] = []
        self._encoders: list[ShardEncoder] = []

    def __enter__(self) -> Self:
        """Open one file a level, beside the place of its shard."""
        try:
            for level, shard in enumerate(self._shards):
                make_folder(shard.parent)
                file = beside(shard).open("wb")
                self._files.append(file)
                layout = self._spec.level_layout(level)
                self._encoders.append(ShardEncoder(layout, file.write))
        except BaseException:
            self._drop()
            raise
        return self

    def write(
        self, t: int, c: int, z: int, plane: np.ndarray[Any, Any]
    ) -> list[np.ndarray[Any, Any]]:
        """Write one plane (y, x) of the field and its smaller levels, which are returned."""
        spec = self._spec
        if plane.shape != spec.field_shape[1:] or plane.dtype != np.dtype(spec.dtype):
            raise ValueError(
                f"plane must be {spec.dtype}{spec.field_shape[1:]}, "
                f"got {plane.dtype}{plane.shape} for {self._where}"
            )
        planes = levels(plane, spec.n_levels)
        for encoder, smaller in zip(self._encoders, planes, strict=True):
            encoder.add(t, c, z, smaller)
        return planes

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the shards in their places, level 0 last, or remove what was written."""
        try:
            if kind is None:
                for encoder in self._encoders:
                    encoder.finish()
            for file in self._files:
                if kind is None:
                    _start_writing(file)
                file.close()
            if kind is None:
                for shard in reversed(self._shards):
                    os.replace(beside(shard), shard)
        finally:
            self._drop()

    def _drop(self) -> None:
        """Close every file and remove what has not come to its place."""
        for file, shard in zip(self._files, self._shards, strict=False):
            # On a full disk closing fails once more; the others must be closed, too.
            with contextlib.suppress(OSError):
                file.close()
            beside(shard).unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """A folder and those above it; from the top, since each try below fails at a cost."""
    above = [folder, *folder.parents]
    n_absent = next(n for n, parent in enumerate(above) if parent.is_dir())
    for parent in reversed(above[:n_absent]):
        parent.mkdir(exist_ok=True)


def _start_writing(file: BinaryIO) -> None:
    """Ask the system to begin with the disk now, not all at once when the plate ends."""
    file.flush()
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def beside(path: Path) -> Path:
    """Where this thread writes a file before it is renamed to `path`."""
    writer = f"{os.getpid()}.{threading.get_ident()}"
    return path.with_name(f".{path.name}.{writer}{PARTIAL}")
