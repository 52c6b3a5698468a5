"""The settings of export: which cells of a run a viewer is given, and how large."""

# ruff: noqa: RUF009 - key() returns dataclass fields, made once a class

from dataclasses import dataclass

from screen.groups import REQUIRED, key


@dataclass
class ExportVerb:
    """Write a run's cells with their scores as labels and points for an image viewer.

    A folder a plate: an OME-Zarr plate whose fields hold the score as an image and the
    cells as labels, laid out as the fields that were scored, and a table of points for
    each field, as napari reads them. Of the scored plates only metadata are read.
    """

    run: str = key(REQUIRED, "name of the run")
    runs: str = key("runs", "folder that holds all runs", "path")
    campaign: str = key("", "campaign; empty = the one the run scored", "path")
    plates: list[str] = key([], "plates written; empty = all of the run")
    wells: list[str] = key([], "wells written of each plate; empty = all")
    radius_um: float = key(
        5.0, "radius of the disc that stands for a cell", "um", low=0.1, high=500
    )
    out: str = key("", "folder written to; empty = export in the run's own", "path")

    def check(self) -> None:
        """Raise ValueError when one of the wells is none."""
        from plates.wells import Well

        for well in self.wells:
            Well.parse(well)
