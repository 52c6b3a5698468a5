"""Readers of instrument exports: each lists the planes of a folder, by its name here."""

from collections.abc import Callable
from pathlib import Path

from plates.readers import tiff_folder
from plates.readers.tiff_folder import Scan as Scan

READERS: dict[str, Callable[[Path, str], Scan]] = {"tiff_folder": tiff_folder.scan}
