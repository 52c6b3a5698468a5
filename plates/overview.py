"""What is gathered of a plate while its fields are copied; its size does not grow with them."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from plates.arrangement import Key
from plates.field_copy import FieldDone
from plates.illumination import Profile, estimate, on_grid, write_profile
from plates.preview import draw_plate
from plates.problems import Problem
from plates.store_metadata import PlateSpec
from plates.wells import Well

SOURCES = "sources.parquet"
PREVIEW = "preview.png"
_N_LIGHT = 512  # fields that a profile is estimated from
_SOURCE_SCHEMA = pl.Schema(
    {
        "well": pl.String(),
        "field": pl.Int32(),
        "path": pl.String(),
        "size": pl.Int64(),
        "mtime_ns": pl.Int64(),
        "algorithm": pl.String(),
        "checksum": pl.String(),
    }
)


class Overview:
    """Sources, constant planes, light and pictures of one plate, field by field."""

    def __init__(self, spec: PlateSpec, *, is_lit: bool) -> None:
        """Nothing gathered yet; `is_lit` asks for the profiles of the light."""
        self.spec = spec
        self.n_bytes = 0
        self._is_lit = is_lit
        self._sources: dict[str, list[Any]] = {name: [] for name in _SOURCE_SCHEMA}
        self._n_constant = np.zeros(len(spec.channels), np.int64)
        self._n_fields = 0
        self._n_clipped = 0
        self._light_keys: frozenset[Key] = frozenset()
        self._light: dict[Key, Profile] = {}
        self._pictures: dict[Well, tuple[int, np.ndarray[Any, Any]]] = {}

    @property
    def n_files(self) -> int:
        """How many different files were read."""
        return len(set(self._sources["path"]))

    def expect(self, keys: Iterable[Key]) -> None:
        """Choose the fields to estimate the light from: by hash, so always the same."""
        ranked = sorted(keys, key=_rank)
        self._light_keys = frozenset(ranked[:_N_LIGHT]) if self._is_lit else frozenset()

    def add(self, key: Key, done: FieldDone) -> None:
        """Take what is told of one field."""
        for read in done.reads:
            row = (str(key[0]), key[1], read.path, read.size, read.mtime_ns)
            values = (*row, read.algorithm, read.checksum)
            for column, value in zip(self._sources.values(), values, strict=True):
                column.append(value)
            self.n_bytes += read.size
        self._n_fields += 1
        self._n_constant += done.n_constant
        self._n_clipped += done.n_clipped
        planes = np.stack(done.coarse)
        if key in self._light_keys:
            light = on_grid(planes)
            light[np.flatnonzero(done.n_constant)] = np.nan
            self._light[key] = light
        well, field = key
        off = abs(field - self.spec.n_fields // 2)
        if well not in self._pictures or off < self._pictures[well][0]:
            # A whole plate of them is in memory: halves of a count are not seen.
            self._pictures[well] = off, np.rint(planes).astype(np.uint16)

    def blank(self) -> dict[str, float]:
        """Share of planes with one value only, by channel."""
        n_planes = max(1, self._n_fields * self.spec.n_times * self.spec.n_z)
        names = self.spec.channels
        return {
            c: int(n) / n_planes for c, n in zip(names, self._n_constant, strict=True)
        }

    def clipped_share(self) -> float:
        """Share of pixels that were clipped to the range of the counts."""
        n_px = self._n_fields * int(np.prod(self.spec.stack_shape))
        return self._n_clipped / max(1, n_px)

    def notes(self) -> dict[str, Any]:
        """What ingest.json says of it."""
        return {
            "blank": self.blank(),
            "clipped_share": self.clipped_share(),
            "sources": {
                "table": SOURCES,
                "n_files": self.n_files,
                "n_bytes": self.n_bytes,
            },
            "illumination": "estimated" if self._is_lit else "not estimated",
        }

    def write(self, folder: Path, problems: Mapping[Key, Problem]) -> None:
        """Put the table of sources, the profiles and the picture into a plate's folder."""
        pl.DataFrame(self._sources, schema=_SOURCE_SCHEMA).write_parquet(
            folder / SOURCES
        )
        if self._is_lit:
            write_profile(folder, *self._profiles(), self.spec)
        pictures = {well: planes for well, (_, planes) in self._pictures.items()}
        draw_plate(self.spec, pictures, problems).save(
            folder / PREVIEW, compress_level=1
        )

    def _profiles(self) -> tuple[Profile, list[int]]:
        samples = np.stack([light for _, light in sorted(self._light.items())])
        channels = samples.swapaxes(0, 1)
        n_fields = [int(np.isfinite(some[:, 0, 0]).sum()) for some in channels]
        return np.stack([estimate(some) for some in channels]), n_fields


def _rank(key: Key) -> bytes:
    return hashlib.sha256(f"{key[0]}/{key[1]}".encode()).digest()
