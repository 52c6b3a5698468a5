"""From an instrument's files to one plate store, one field at a time."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from plates.problems import InputError, Problem
from plates.readers.tiff import TiffError, TiffHeader, read_header, read_pixels
from plates.store import FieldWriter, PlateSpec, plate_writer
from plates.wells import PlateFormat, Well

Key = tuple[Well, int]


@dataclass(frozen=True)
class IngestReport:
    """What became of a plate's files; `problems` name the fields that were left out."""

    plate: str
    path: Path
    spec: PlateSpec
    field_names: tuple[str, ...]
    n_fields_expected: int
    n_fields_written: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Files:
    """The files of one plate: for every expected field, path by channel index."""

    plate: str
    channels: tuple[str, ...]
    is_paged: bool  # one file holds all channels as pages
    field_names: tuple[str, ...]
    fields: Mapping[Key, Mapping[int, Path]]


def ingest_plate(
    planes: pl.DataFrame,
    out: Path,
    plate_id: str,
    plate_format: PlateFormat,
    channels: Sequence[str] | Mapping[str, str],
    pixel_size_um: float,
    *,
    n_threads: int = 2,
    notes: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> IngestReport:
    """Write one plate's planes (columns of a reader's scan) as the plate store `out`.

    `channels` maps the names in the files to channel names; a plain sequence names
    channels as the files do, or the pages of each file in their order. A field with a
    damaged, doubled or missing file is left out with its problem. InputError if nothing
    remains or the plate as a whole does not fit.
    """
    files, problems = _arrange(planes, plate_id, plate_format, channels)
    headers = _headers(files, problems, n_threads)
    usual = _usual(files, headers, problems)
    _check_headers(files, headers, usual, problems)
    wanted = [key for key in files.fields if key not in problems]
    if not wanted:
        raise InputError(problems.values())
    spec = PlateSpec(
        plate=plate_id,
        format=plate_format,
        wells=tuple(sorted({well for well, _ in files.fields})),
        n_fields=len(files.field_names),
        channels=files.channels,
        pixel_size_um=pixel_size_um,
        field_shape=(len(files.channels), *usual.shape),
        dtype=usual.dtype,
    )
    with plate_writer(out, spec) as write:
        copy = partial(_copy_field, files, write)
        with ThreadPoolExecutor(n_threads) as pool:
            for n_done, (key, problem) in enumerate(pool.map(copy, wanted), 1):
                if problem is not None:
                    problems[key] = problem
                if progress is not None:
                    progress(n_done, len(wanted))
        if len(problems) == len(files.fields):
            raise InputError(problems.values())
        for key, problem in problems.items():
            write.omit(*key, problem)
        write.notes = {"field_names": list(files.field_names), **(notes or {})}
    return IngestReport(
        plate=plate_id,
        path=out,
        spec=spec,
        field_names=files.field_names,
        n_fields_expected=len(files.fields),
        n_fields_written=len(files.fields) - len(problems),
        problems=tuple(problem for _, problem in sorted(problems.items())),
    )


def _arrange(
    planes: pl.DataFrame,
    plate: str,
    plate_format: PlateFormat,
    channels: Sequence[str] | Mapping[str, str],
) -> tuple[_Files, dict[Key, Problem]]:
    """Every expected field with its files; a field with too many or too few is a problem."""
    _check_plate(planes, plate, plate_format)
    tokens = set(planes["channel"])
    is_paged = tokens == {""} and len(channels) >= 1
    names = (
        dict(channels) if isinstance(channels, Mapping) else {c: c for c in channels}
    )
    if not is_paged and tokens != names.keys():
        absent, extra = sorted(names.keys() - tokens), sorted(tokens - names.keys())
        found = f"channels without files: {absent}; files of other channels: {extra}"
        code = "PLATE_CHANNEL_MISSING" if absent else "PLATE_CHANNEL_UNKNOWN"
        raise _plate_error(code, plate, found, "name the channels as the files do")
    order = {token: n for n, token in enumerate(names)}
    field_names = tuple(sorted(set(planes["field"]), key=_natural))
    number = {name: n for n, name in enumerate(field_names)}
    found_files: dict[Key, dict[int, list[Path]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in planes.iter_rows(named=True):
        key = Well.parse(row["well"]), number[row["field"]]
        channel = 0 if is_paged else order[row["channel"]]
        found_files[key][channel].append(Path(row["path"]))
    fields: dict[Key, dict[int, Path]] = {}
    problems: dict[Key, Problem] = {}
    n_files = 1 if is_paged else len(names)
    labels = tuple(names.values())
    for well in sorted({well for well, _ in found_files}):
        for field in range(len(field_names)):
            paths = found_files.get((well, field), {})
            fields[well, field] = {n: paths[n][0] for n in sorted(paths)}
            fault = _count_fault(paths, n_files, labels)
            if fault is not None:
                problems[well, field] = _problem(plate, (well, field), *fault)
    return _Files(plate, labels, is_paged, field_names, fields), problems


def _check_plate(planes: pl.DataFrame, plate: str, plate_format: PlateFormat) -> None:
    for column in ("plate", "z", "t"):
        values = sorted(set(planes[column]))
        if len(values) > 1:
            found = f"{len(values)} values of {column}: {', '.join(values[:5])}"
            remedy = f"give the planes of one {column} only"
            raise _plate_error("IMG_PLANE_COUNT", plate, found, remedy)
    if planes.is_empty():
        raise _plate_error("NO_FILES_MATCHED", plate, "no planes", "check the pattern")
    wells = sorted({Well.parse(name) for name in set(planes["well"])})
    outside = [str(well) for well in wells if not plate_format.contains(well)]
    if outside:
        found = f"{len(outside)} wells are not on it: {', '.join(outside[:5])}"
        remedy = "correct the plate's number of wells or the pattern"
        raise _plate_error("IMG_WELL_INVALID", plate, found, remedy)


def _count_fault(
    paths: Mapping[int, Sequence[Path]], n_files: int, channels: Sequence[str]
) -> tuple[str, str] | None:
    if not paths:
        return "FIELD_MISSING", "no file of this field, other wells have it"
    doubled = [path for found in paths.values() if len(found) > 1 for path in found]
    if doubled:
        return "IMG_DUPLICATE", f"files for one plane: {', '.join(map(str, doubled))}"
    absent = [channels[n] for n in range(n_files) if n not in paths]
    if absent:
        return "FIELD_CHANNEL_MISSING", f"no file of channel {', '.join(absent)}"
    return None


def _headers(
    files: _Files, problems: dict[Key, Problem], n_threads: int
) -> dict[Key, list[TiffHeader]]:
    """The headers of every field that has its files; a damaged file is a problem."""
    keys = [key for key in files.fields if key not in problems]
    headers: dict[Key, list[TiffHeader]] = {}

    def read(key: Key) -> list[TiffHeader] | TiffError:
        try:
            return [read_header(path) for path in files.fields[key].values()]
        except TiffError as error:
            return error

    with ThreadPoolExecutor(n_threads) as pool:
        for key, result in zip(keys, pool.map(read, keys), strict=True):
            if isinstance(result, TiffError):
                problems[key] = _problem(files.plate, key, result.code, result.found)
            else:
                headers[key] = result
    return headers


def _usual(
    files: _Files,
    headers: Mapping[Key, list[TiffHeader]],
    problems: Mapping[Key, Problem],
) -> TiffHeader:
    """The header that most files of the plate have; InputError if it is not usable."""
    counts = Counter(header for found in headers.values() for header in found)
    if not counts:
        raise InputError(problems.values())
    usual = counts.most_common(1)[0][0]
    n_pages = len(files.channels) if files.is_paged else 1
    if usual.n_planes != n_pages:
        found = f"files of {usual.n_planes} pages, channels {list(files.channels)}"
        code = (
            "PLATE_CHANNEL_MISSING" if usual.n_planes < n_pages else "IMG_PLANE_COUNT"
        )
        raise _plate_error(code, files.plate, found, "name as many channels as pages")
    if usual.dtype not in ("uint8", "uint16"):
        found = f"pixels of {usual.dtype}, readable: uint8, uint16"
        remedy = "export the images again as 8 or 16 bit"
        raise _plate_error("IMG_UNSUPPORTED_LAYOUT", files.plate, found, remedy)
    return usual


def _check_headers(
    files: _Files,
    headers: Mapping[Key, list[TiffHeader]],
    usual: TiffHeader,
    problems: dict[Key, Problem],
) -> None:
    """A field with a file unlike the plate's usual ones is a problem."""
    for key, found in headers.items():
        for header, path in zip(found, files.fields[key].values(), strict=True):
            fault = _header_fault(header, usual)
            if fault is not None:
                text = f"{fault[1]} ({path})"
                problems[key] = _problem(files.plate, key, fault[0], text)


def _header_fault(header: TiffHeader, usual: TiffHeader) -> tuple[str, str] | None:
    if header.dtype != usual.dtype:
        return "IMG_DTYPE_MISMATCH", f"{header.dtype}, the plate has {usual.dtype}"
    if header.shape != usual.shape:
        return "IMG_SHAPE_MISMATCH", f"{header.shape}, the plate has {usual.shape}"
    if header.n_planes < usual.n_planes:
        found = f"{header.n_planes} of {usual.n_planes} pages"
        return "FIELD_CHANNEL_MISSING", found
    if header.n_planes > usual.n_planes:
        return "IMG_PLANE_COUNT", f"{header.n_planes} pages, expected {usual.n_planes}"
    return None


def _copy_field(
    files: _Files, write: FieldWriter, key: Key
) -> tuple[Key, Problem | None]:
    """Read one field's files and write its shard; a problem instead if one is damaged."""
    try:
        pixels = [read_pixels(path) for path in files.fields[key].values()]
        write(*key, np.concatenate(pixels))
    except TiffError as error:
        return key, _problem(files.plate, key, error.code, error.found)
    return key, None


def _natural(name: str) -> tuple[bool, int, str]:
    """Sort key: numbers by value and before other names."""
    is_number = name.isascii() and name.isdigit()
    return (not is_number, int(name) if is_number else 0, name)


def _problem(plate: str, key: Key, code: str, found: str) -> Problem:
    where = f"{plate}/{key[0]}/f{key[1]:02d}"
    why = "the field is left out, the others stay"
    remedy = "copy or export the file again and ingest the plate anew"
    return Problem(code, where, found, why, remedy)


def _plate_error(code: str, plate: str, found: str, remedy: str) -> InputError:
    why = "the plate cannot be written for certain"
    return InputError([Problem(code, plate, found, why, remedy)])
