"""The settings of the verb ingest: what is read, how it is told apart, what is kept."""

# ruff: noqa: RUF009 - key() returns dataclass fields, made once a class

from dataclasses import dataclass

from screen import map_keys
from screen.groups import REQUIRED, key

A01_PATTERN = (
    r"(?:(?P<plate>.*?)[_-])?(?P<well>[A-Z]{1,2}\d{2})"
    r"(?:[_-][fs](?P<field>\d+))?(?:[_-](?P<channel>[A-Za-z][A-Za-z0-9]*))?\.tiff?"
)
READERS = ("operetta", "imagexpress", "cellvoyager", "ome_tiff", "ome_zarr")


@dataclass
class IngestVerb:
    """Turn the images of an instrument into a campaign of OME-Zarr plates.

    Needs source, map and out; what the instrument says itself (plate names and format,
    channels, pixel size) need not be given. dry_run=true shows what would be read and
    every problem, and writes nothing. A file that is cut off or missing costs its own
    field; a plate that is not whole yet is held: the same command takes it later.
    """

    source: str = key(
        REQUIRED, "folder that the instrument wrote, or s3://bucket/plate.zarr", "path"
    )
    map: list[str] = key([], "plate map, or several: [first.csv,second.xlsx]", "path")
    out: str = key("", "folder of the campaign, new or to be added to", "path")
    reader: str = key(
        "auto",
        "what wrote the source; auto = told by its index file",
        choices=("auto", *READERS, "tiff_folder"),
    )
    pattern: str = key(
        A01_PATTERN,
        "for tiff_folder and ome_tiff: regular expression for a whole file name (a path below source"
        " if it holds /) with the named groups well (or row and col), field, channel,"
        " plate, z, t",
    )
    plate: list[str] = key(
        [],
        "plates to take, empty = all; NAME:ID where the map has another name; ID alone"
        " where the images have none",
    )
    n_wells: int | None = map_keys.n_wells(
        "plate format; null = as the instrument says"
    )
    channels: list[str] = key(
        [],
        "channels to take, in this order, empty = all; OLD:NEW gives a new name; the"
        " pages of a file in their order where it has no names",
    )
    pixel_size_um: float | None = key(
        None,
        "side of a pixel in the sample; null = as the instrument says",
        "um",
        low=1e-3,
        high=1e3,
    )
    level_max: int | None = key(
        None,
        "largest count of the camera; null = as the instrument says",
        "counts",
        low=1,
        high=65535,
    )
    overrule: bool = key(
        False, "where a key and the instrument differ, take the key (refused otherwise)"
    )
    z: str = key(
        "keep",
        "several focal planes: keep them all, or make one of them",
        choices=("keep", "max", "mean", "best_focus"),
    )
    time: str = key("", "the one time point to take; empty = all")
    stitch: bool = key(False, "make one field of each well by its stage positions")
    pyramid: int = key(
        2, "coarser copies of each field, each 1/4 as wide", "levels", low=0, high=8
    )
    illumination: bool = key(True, "estimate the uneven light of each channel")
    to_uint16: str = key(
        "refuse",
        "pixels that are signed or no whole numbers: refuse them, or clip to 0..65535",
        choices=("refuse", "clip"),
    )
    map_format: str = map_keys.map_format()
    map_defaults: list[str] = map_keys.map_defaults()
    map_aliases: list[str] = map_keys.map_aliases()
    barcodes: str = map_keys.barcodes()
    library: str = map_keys.library()
    library_columns: list[str] = map_keys.library_columns()
    centres: str = key(
        "",
        "cells that another program found: a table of centres (CellProfiler, QuPath or"
        " plain), or a folder of label images; for finder.kind=given",
        "path",
    )
    centres_pattern: str = key(
        "", "regular expression for the images' names in centres=, groups as in pattern"
    )
    inventory: str = key("", "list of SHA-256 sums to hold the files to", "path")
    settle: float = key(
        600.0,
        "a plate with a file younger than this is held: it may still grow",
        "s",
        low=0,
        high=1e6,
    )
    done_marker: str = key(
        "",
        "file that says a plate is done, such as FINISHED; takes the place of settle",
    )
    missing: str = key(
        "hold",
        "files that the metadata name and that are not there: hold the plate for a later"
        " run, or omit their fields",
        choices=("hold", "omit"),
    )
    again: list[str] = key([], "plates that are there already, to be ingested anew")
    dry_run: bool = key(False, "show what would be read, and write nothing")
    workers: int = key(2, "processes that read files", "processes", low=1, high=64)

    def check(self) -> None:
        """Raise ValueError when keys contradict one another."""
        readers = ("auto", "tiff_folder", "ome_tiff")
        if self.pattern != A01_PATTERN and self.reader not in readers:
            raise ValueError("pattern= goes with reader=tiff_folder or ome_tiff")
