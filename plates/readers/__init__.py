"""Readers of instrument exports: each lists the planes of a folder, by its name here."""

from pathlib import Path
from typing import Protocol

from plates import ome_zarr
from plates.planes import Scan
from plates.problems import InputError, Problem
from plates.readers import cellvoyager, imagexpress, ome_tiff, operetta, tiff_folder


class Reader(Protocol):
    """A module that reads one kind of export."""

    NAME: str

    def detect(self, folder: Path) -> bool:
        """Whether the folder holds this kind of export, by its index file alone."""

    def scan(self, folder: Path, pattern: str = "") -> Scan:
        """The planes of the folder; InputError with every problem of the export."""


_IN_ORDER: tuple[Reader, ...] = (
    operetta,
    imagexpress,
    cellvoyager,
    ome_tiff,
    ome_zarr,
    tiff_folder,
)
READERS: dict[str, Reader] = {reader.NAME: reader for reader in _IN_ORDER}


def detect(folder: Path) -> str:
    """The name of the reader for a folder; InputError naming what was looked for."""
    found = [reader.NAME for reader in _IN_ORDER if reader.detect(folder)]
    if len(found) == 1:
        return found[0]
    text = f"several kinds of export: {', '.join(found)}" if found else "no index file"
    why = "how its images are named is not known"
    remedy = "give reader=, and for reader=tiff_folder a pattern="
    raise InputError(Problem("READER_UNKNOWN", str(folder), text, why, remedy))
