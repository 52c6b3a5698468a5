"""What can be found wrong before any compute, found before any compute."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from plates.problems import InputError, Problem
from plates.store import Plate
from screen.durable import fsync_folder, write_new
from screen.errors import refusal
from screen.models import ModelSpec

PIXEL_SIZE_TOLERANCE = 0.05


def check_inputs(spec: ModelSpec, plates: Sequence[Plate]) -> None:
    """Raise InputError listing every plate that the model was not made for."""
    problems = [problem for plate in plates for problem in _misfits(spec, plate)]
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
            "train a model on plates of this objective and binning",
        )


def check_writable(folder: Path) -> None:
    """Make the folder and prove that files can be written, synced and renamed there;
    raises Refusal (OUTPUT_NOT_WRITABLE)."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_new(probe, b"probe")
        os.replace(probe, probe.with_suffix(".renamed"))
        probe.with_suffix(".renamed").unlink()
        fsync_folder(folder)
    except OSError as error:
        raise refusal(
            "OUTPUT_NOT_WRITABLE",
            folder,
            error.strerror or str(error),
            "the run's results are kept there",
            "make the folder writable or choose another one",
        ) from error
