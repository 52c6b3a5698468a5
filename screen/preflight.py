"""What can be found wrong before any compute, found before any compute."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from plates.campaign import slug
from plates.problems import InputError, Problem
from plates.store import Plate
from screen.durable import FULL, fsync_folder, make_folder, write_new
from screen.errors import refusal
from screen.models import ModelSpec

PIXEL_SIZE_TOLERANCE = 0.05
DARK_SHARE = 0.2
SPARE = 1.2
CELLS = 500
_WELL_BYTES = 2000  # header and means of a well, as much again for each network
_FIELD_BYTES = 300  # measures of a field, a channel
_CELL_BYTES = 10  # field and place of a cell
_NUMBER_BYTES = 4


def check_inputs(
    spec: ModelSpec, plates: Sequence[Plate], *, allow_pixel_size: bool = False
) -> None:
    """Raise InputError listing every plate that the model was not made for.

    ``allow_pixel_size`` lets plates of another pixel size pass.
    """
    problems = [
        problem
        for plate in plates
        for problem in _misfits(spec, plate)
        if not (allow_pixel_size and problem.code == "PIXEL_SIZE_MISMATCH")
    ]
    problems += _deep(plates)
    if problems:
        raise InputError(tuple(problems))


def check_planes(plates: Sequence[Plate]) -> None:
    """Raise InputError listing every plate with several time points or focal planes."""
    problems = list(_deep(plates))
    if problems:
        raise InputError(problems)


def _deep(plates: Sequence[Plate]) -> Iterator[Problem]:
    for plate in plates:
        n_times, n_z = plate.spec.n_times, plate.spec.n_z
        if (n_times, n_z) != (1, 1):
            yield Problem(
                "PLATE_PLANES",
                plate.plate,
                f"{n_times} time points and {n_z} focal planes in each field",
                "a network looks at one plane of each channel",
                "ingest it again, into another out=, with z=max (or mean, best_focus)"
                " and time=ONE",
            )


def dark_plate(plate: Plate, channels: Sequence[str]) -> Problem | None:
    """Why no well of the plate can be scored, where ingest saw one of the channels
    show a single value in more than DARK_SHARE of its planes; else None."""
    path = plate.path / "ingest.json"
    if not path.is_file():
        return None
    blank = json.loads(path.read_bytes()).get("blank", {})
    dark = {name: s for name in channels if (s := blank.get(name, 0.0)) > DARK_SHARE}
    if not dark:
        return None
    listed = ", ".join(f"{name}: {share:.0%}" for name, share in dark.items())
    return Problem(
        "PLATE_DARK",
        plate.plate,
        f"planes of a single value in channel {listed}",
        "where a lamp fails in part of a plate, the rest is not to be trusted",
        "check the lamp or filter and image the plate again",
    )


def _misfits(spec: ModelSpec, plate: Plate) -> Iterator[Problem]:
    missing = [c for c in spec.channels if c not in plate.channels]
    if missing:
        yield Problem(
            "PLATE_CHANNEL_MISSING",
            plate.plate,
            f"{len(plate.channels)} channels ({', '.join(plate.channels)}); the model"
            f" reads {len(spec.channels)} ({', '.join(spec.channels)})",
            "a network reads only the channels it learnt from",
            "train a model on plates with these channels, or name another model",
        )
    ratio = plate.pixel_size_um / spec.pixel_size_um
    if abs(ratio - 1) > PIXEL_SIZE_TOLERANCE:
        yield Problem(
            "PIXEL_SIZE_MISMATCH",
            plate.plate,
            f"{plate.pixel_size_um} um a pixel; the model learnt at"
            f" {spec.pixel_size_um} um",
            "cells would have another size than those the network knows",
            "train a model on plates of this objective and binning, or score all the"
            " same with allow_pixel_size=true",
        )


def check_writable(folder: Path) -> None:
    """Make the folder and prove that files can be written, synced, linked, renamed and
    locked there; raises Refusal (OUTPUT_NOT_WRITABLE), OSError when the disk is full."""
    probe = folder / f".probe-{os.getpid()}"
    twin = probe.with_suffix(".renamed")
    try:
        make_folder(folder)
        write_new(probe, b"probe")
        os.replace(probe, twin)
        # A commit is a link within one folder: the first of two wins, and none is torn.
        os.link(twin, probe)
        with probe.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fsync_folder(folder)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise refusal(
            "OUTPUT_NOT_WRITABLE",
            folder,
            error.strerror or str(error),
            "the run's results are kept there; files must be written, linked and locked",
            "make the folder writable or choose another one",
        ) from error
    finally:
        for left in (probe, twin):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)


def check_apart(out: Path, source: Path) -> None:
    """Raise Refusal (OUTPUT_IN_INPUT) where the results would lie in what they are made
    from, or that would lie in them."""
    here, there = out.resolve(), source.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        found = f"it and {source} lie inside one another"
        why = "what was read is never written to, and results hold results alone"
        raise refusal("OUTPUT_IN_INPUT", out, found, why, "choose another out=")


def check_names(folder: Path, plates: Sequence[str]) -> None:
    """Raise Refusal (PATH_COLLISION) where two plate ids would share files because the
    disk takes upper and lower case for one."""
    alike: dict[str, list[str]] = {}
    for plate in plates:
        alike.setdefault(slug(plate).casefold(), []).append(plate)
    shared = [", ".join(ids) for ids in alike.values() if len(ids) > 1]
    if not shared or not _ignores_case(folder):
        return
    raise refusal(
        "PATH_COLLISION",
        folder,
        f"plates {'; '.join(shared)}, on a disk that takes both cases for one",
        "their files would overwrite one another",
        "give runs= on a disk that tells cases apart, or rename a plate",
    )


def _ignores_case(folder: Path) -> bool:
    probe = folder / f".probe-case-{os.getpid()}"
    write_new(probe, b"")
    try:
        return probe.with_name(probe.name.upper()).exists()
    finally:
        probe.unlink()


def check_space(folder: Path, n_bytes: int) -> None:
    """Raise Refusal (DISK_FULL) unless SPARE times the bytes that will be written are
    free where ``folder`` lies."""
    state = os.statvfs(folder)
    free, needed = state.f_bavail * state.f_frsize, int(SPARE * n_bytes)
    if free < needed:
        raise refusal(
            "DISK_FULL",
            folder,
            f"{needed:,} bytes needed ({SPARE} times the estimate), {free:,} bytes free",
            "the run would stop in the middle of the night",
            "free space there or choose another runs=, then run the same command",
        )


def output_bytes(spec: ModelSpec, n_wells: int, n_fields: int) -> int:
    """About what the records and cells of ``n_wells`` wells with ``n_fields`` fields in
    all take on the disk; CELLS cells a field where the finder allows so many."""
    cells = min(CELLS, int(spec.finder.get("max_cells", CELLS)))
    a_cell = _CELL_BYTES + _NUMBER_BYTES * len(spec.networks)
    a_field = _FIELD_BYTES * len(spec.channels) + cells * a_cell
    return n_wells * _WELL_BYTES * (1 + len(spec.networks)) + n_fields * a_field
