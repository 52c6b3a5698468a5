"""One field from its files into the plate; this runs in a process that may die."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from plates.arrangement import Place, Source
from plates.ingest_options import Projector
from plates.inventory import Read, Stamp, checked, unchanged
from plates.pixels import ZARR, Kind, read_kind, read_planes
from plates.planes import PlaneError
from plates.projection import as_counts, projected
from plates.pyramid import small
from plates.stitching import Canvas
from plates.store_metadata import PlateSpec
from plates.store_stream import FieldStream
from plates.wells import Well

_READ_AHEAD_BYTES = 32_000_000

Plane = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Recipe:
    """What is done alike to every field; `kind` is that of the source's planes."""

    reader: str
    path_tmp: Path
    spec: PlateSpec
    kind: Kind
    z: str
    project: Projector | None
    level_max: int | None
    coarse_px: int
    canvas: Canvas | None = None


@dataclass(frozen=True)
class FieldFiles:
    """The files of one field; several `tiles` are stitched.

    `seen` holds the stamp of each file when it was listed, `due` the sha256 where an
    inventory lists one, `n_pages` how many pages it must have.
    """

    well: Well
    field: int
    tiles: tuple[Mapping[Place, Source], ...]
    seen: Mapping[str, Stamp]
    due: Mapping[str, str]
    n_pages: Mapping[str, int]


@dataclass
class FieldDone:
    """What is told of a field that was written: files, planes of one value by channel,
    clipped pixels, and float32 [c y x] of a few pixels for pictures and light."""

    reads: list[Read]
    n_constant: list[int]
    n_clipped: int = 0
    coarse: list[np.ndarray[Any, Any]] = field(default_factory=list)


def copy_field(recipe: Recipe, files: FieldFiles) -> FieldDone:
    """Read, check and write one field; PlaneError if it cannot be had, and then no file
    of it stays."""
    spec = recipe.spec
    done = FieldDone(_checked(recipe, files), [0] * len(spec.channels))
    with FieldStream(recipe.path_tmp, spec, files.well, files.field) as stream:
        for t in range(spec.n_times):
            for c in range(len(spec.channels)):
                for z, plane in enumerate(_planes(recipe, files, t, c, done)):
                    planes = stream.write(t, c, z, plane)
                    done.n_constant[c] += _is_constant(plane)
                    if (t, z) == (0, spec.n_z // 2):
                        done.coarse.append(small(planes, recipe.coarse_px))
        for path, seen in files.seen.items():
            unchanged(path, seen)
    return done


def _is_constant(plane: Plane) -> bool:
    """Whether all pixels are alike; a few of them tell of most planes that they differ."""
    return all(bool((some == plane[0, 0]).all()) for some in (plane[::64, ::64], plane))


def read_kind_of(reader: str, source: tuple[Source, int]) -> Kind:
    """The kind of one plane, for the vote on what is usual."""
    return read_kind(reader, source[0].path, source[1])


def _checked(recipe: Recipe, files: FieldFiles) -> list[Read]:
    if recipe.reader == ZARR:  # chunks, not files: their pixels are summed up
        return []
    paths = dict.fromkeys(s.path for tile in files.tiles for s in tile.values())
    reads = []
    for path in paths:
        if path in files.seen:
            reads.append(checked(path, files.seen[path], files.due.get(path)))
        else:
            raise PlaneError("INPUT_CHANGED", f"the file is gone ({path})")
    return reads


def _planes(
    recipe: Recipe, files: FieldFiles, t: int, c: int, done: FieldDone
) -> Iterator[Plane]:
    """The finished planes of one time and channel, in the order of z."""
    tiles = [_tile(recipe, files, tile, t, c, done) for tile in files.tiles]
    if recipe.canvas is None:
        yield from tiles[0]
        return
    for _ in range(recipe.spec.n_z):
        yield recipe.canvas.joined(next(tile) for tile in tiles)


def _tile(
    recipe: Recipe,
    files: FieldFiles,
    tile: Mapping[Place, Source],
    t: int,
    c: int,
    done: FieldDone,
) -> Iterator[Plane]:
    times = sorted({place[0] for place in tile})
    zs = sorted(z for time, channel, z in tile if (time, channel) == (times[t], c))
    sources = [tile[times[t], c, z] for z in zs]
    planes = _read(recipe, files, sources, done)
    if recipe.z == "keep" or len(sources) == 1:
        yield from planes
    else:
        yield projected(planes, recipe.z, recipe.project)


def _read(
    recipe: Recipe, files: FieldFiles, sources: list[Source], done: FieldDone
) -> Iterator[Plane]:
    """Planes one after the other; a file of many pages is opened for some at once."""
    kind = recipe.kind
    n_bytes = kind.shape[0] * kind.shape[1] * np.dtype(kind.dtype).itemsize
    at_once = max(1, _READ_AHEAD_BYTES // (n_bytes * len(files.tiles)))
    for path, group in groupby(sources, key=lambda source: source.path):
        pages = [source.page for source in group]
        _check_kind(recipe, path, files.n_pages.get(path, 1))
        for start in range(0, len(pages), at_once):
            part = pages[start : start + at_once]
            for plane in read_planes(recipe.reader, path, part):
                yield _usable(plane, recipe, path, path in files.seen, done)


def _check_kind(recipe: Recipe, path: str, n_pages: int) -> None:
    """What a TIFF declares, before its pixels are taken into memory."""
    if recipe.reader != ZARR:
        refuse_other_kind(read_kind(recipe.reader, path, n_pages), recipe, path)


def refuse_other_kind(found: Kind, recipe: Recipe, path: str) -> None:
    """PlaneError if a plane's type or size is not that of the plate."""
    due = recipe.kind
    if found.dtype != due.dtype:
        text = f"{found.dtype}, the plate has {due.dtype} ({path})"
        raise PlaneError("IMG_DTYPE_MISMATCH", text)
    if found.shape != due.shape:
        text = f"{found.shape}, the plate has {due.shape} ({path})"
        raise PlaneError("IMG_SHAPE_MISMATCH", text)


def _usable(
    plane: Plane, recipe: Recipe, path: str, has_sum: bool, done: FieldDone
) -> Plane:
    found = Kind((plane.shape[0], plane.shape[1]), plane.dtype.name)
    refuse_other_kind(found, recipe, path)
    if not has_sum:  # no file to sum up: then the pixels are
        checksum = f"{google_crc32c.value(np.ascontiguousarray(plane).tobytes()):08x}"
        done.reads.append(Read(path, plane.nbytes, 0, "crc32c of pixels", checksum))
    counts, n_clipped = as_counts(plane, path)
    done.n_clipped += n_clipped
    if recipe.level_max is not None:
        top = int(counts.max())
        if top > recipe.level_max:
            found_text = f"a count of {top}, the camera gives {recipe.level_max}"
            raise PlaneError("IMG_RANGE", f"{found_text} at most ({path})")
    return counts
