"""Operetta, Opera Phenix and Columbus: an index in XML beside the images."""

import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from plates.markup import Record, records
from plates.planes import FieldFault, PlateFacts, Scan
from plates.problems import InputError
from plates.readers.listing import (
    N_SHOWN,
    Folder,
    Rows,
    acquisition_error,
    ignored_files,
    index_files,
    index_mismatch,
    inside,
    no_index,
    number,
    placed,
    refusal,
    shown,
    single,
    together,
    whole,
)
from plates.wells import Well

NAME = "operetta"
_INDEXES = ("index.idx.xml", "index.xml", "imageindex.columbusidx.xml")
_NAMED = re.compile(r"r(\d+)c(\d+)f\d+p\d+-ch\d+", re.ASCII)
_PER_CHANNEL = ("ChannelName", "ImageType", "ImageResolutionX", "MaxIntensity")
_IMAGE = (
    *("id", "State", "URL", "Row", "Col", "FieldID", "PlaneID", "TimepointID"),
    *("ChannelID", "PositionX", "PositionY", "PositionZ", *_PER_CHANNEL),
)
_PLATE = ("PlateID", "Name", "PlateRows", "PlateColumns", "MeasurementStartTime")
_WANTED = {
    "Plate": _PLATE,
    "Well": ("Row", "Col"),
    "Entry": _PER_CHANNEL,
    "Image": _IMAGE,
}
_UM = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "μm": 1.0, "nm": 1e-3}


def detect(folder: Path) -> bool:
    """Whether there is an index of Harmony or Columbus."""
    return bool(_found(Path(folder)))


def scan(folder: Path, pattern: str = "") -> Scan:
    """The planes that the index files below a folder name; InputError with all problems.

    The id of a channel is its name, of a time point and a plane the index's number.
    Images whose state is not Ok are faults of their field.
    """
    found = _found(Path(folder))
    if not found:
        raise no_index(Path(folder), "Index.idx.xml, Index.xml or ImageIndex.*.xml")
    return together(NAME, [_Export(index).scan() for index in found])


def _found(folder: Path) -> list[Path]:
    """One index a folder: Harmony writes up to three, of which the first is whole."""
    chosen: dict[Path, Path] = {}
    every = index_files(folder, lambda name: name.casefold() in _INDEXES)
    for path in sorted(every, key=lambda p: _INDEXES.index(p.name.casefold())):
        chosen.setdefault(path.parent, path)
    return sorted(chosen.values())


class _Export:
    """One index while it is read."""

    def __init__(self, index: Path) -> None:
        self.index = index
        self.folder = Folder(index.parent)
        self.plate = Record("Plate", {})
        self.n_plates = 0
        self.wells: list[Well] = []
        self.per_channel: dict[str, dict[str, str]] = {}
        self.well_names: dict[tuple[str, str], str] = {}
        self.rows = Rows()
        self.names: dict[str, str] = {}  # of channels, by their number
        self.used: set[str] = set()
        self.missing: list[str] = []
        self.n_images = 0
        self.failed: list[tuple[str, str, str]] = []
        self.misnamed: list[str] = []
        self.pixel_sizes: set[float | None] = set()
        self.levels: set[float] = set()

    def scan(self) -> Scan:
        """The whole index as a scan of one plate."""
        for record in records(self.index, _WANTED):
            try:
                self._take(record)
            except (ValueError, KeyError) as error:
                if isinstance(error, InputError):
                    raise
                name = record.texts.get("id") or record.tag
                found = f"{name}: {type(error).__name__} {error}"
                raise InputError(refusal("EXPORT_INVALID", self.index, found)) from None
        facts = self._facts()
        if self.misnamed:
            raise index_mismatch(facts.plate, self.misnamed)
        if not self.rows and not self.missing and not self.failed:
            found = "no image of a well is listed"
            raise InputError(refusal("EXPORT_INVALID", self.index, found))
        tokens = self._tokens()
        planes = self.rows.frame().with_columns(
            pl.lit(facts.plate).alias("plate"),
            pl.col("channel").replace_strict(tokens, return_dtype=pl.String()),
        )
        own = {self.index.name, *self.used}
        ignored = [name for name in self.folder.files if name not in own]
        remedy = "none needed if they are no images of the plate"
        return Scan(
            reader=NAME,
            planes=planes,
            plates=(facts,),
            matches=shown(planes),
            n_ignored=len(ignored),
            ignored=tuple(ignored[:N_SHOWN]),
            faults=tuple(self._faults(facts.plate)),
            warnings=ignored_files(self.folder.root, ignored, remedy),
        )

    def _take(self, record: Record) -> None:
        if record.tag == "Image":
            if "URL" in record.texts:  # the wells' own lists hold ids only
                self._take_image(record)
        elif record.tag == "Entry":
            channel = record.attributes.get("ChannelID", "")
            self.per_channel.setdefault(channel, {}).update(record.texts)
        elif record.tag == "Well":
            self.wells.append(placed(record.texts["Row"], record.texts["Col"]))
        else:
            self.plate = record
            self.n_plates += 1
            if self.n_plates > 1:
                found = "several plates in one index, images do not name theirs"
                raise InputError(refusal("EXPORT_INVALID", self.index, found))

    def _take_image(self, record: Record) -> None:
        texts, channel = record.texts, record.texts["ChannelID"]
        if common := self.per_channel.get(channel):
            texts = {**common, **texts}
        if texts.get("ImageType", "Signal") != "Signal":
            return  # a reference or dark image, no image of the well
        self.n_images += 1
        well = self._well(texts["Row"], texts["Col"])
        self.names[channel] = texts.get("ChannelName", "").strip()
        state = texts.get("State", "Ok")
        if state != "Ok" or not texts["URL"]:
            name = f"state {state!r} of {texts['id']} (file {texts['URL']!r})"
            self.failed.append((well, texts["FieldID"], name))
            return
        url = inside(texts["URL"].strip(), str(self.index))
        self._check_name(url, texts, well)
        path = self.folder.find(url)
        if path is None:
            self.missing.append(url)
            return
        self.used.add(path)
        units = dict(record.children)
        self.pixel_sizes.add(_um(units, texts, "ImageResolutionX"))
        if (level := number(texts.get("MaxIntensity"))) is not None:
            self.levels.add(level)
        y = _um(units, texts, "PositionY")
        self.rows.add(
            well=well,
            field=texts["FieldID"],
            channel=channel,
            z=texts.get("PlaneID", ""),
            t=texts.get("TimepointID", ""),
            path=f"{self.folder.root}/{path}",
            page=whole(units.get("URL", {}).get("BufferNo", "")) or 0,
            x_um=_um(units, texts, "PositionX"),
            y_um=None if y is None else -y,  # the stage's y points up
            z_um=_um(units, texts, "PositionZ"),
        )

    def _well(self, row: str, column: str) -> str:
        if (row, column) not in self.well_names:
            self.well_names[row, column] = str(placed(row, column))
        return self.well_names[row, column]

    def _check_name(self, url: str, texts: dict[str, str], well: str) -> None:
        match = _NAMED.match(url.rsplit("/", 1)[-1])
        if match and (int(match[1]), int(match[2])) != (
            int(texts["Row"]),
            int(texts["Col"]),
        ):
            self.misnamed.append(f"{url} is listed as {well}")

    def _tokens(self) -> dict[str, str]:
        """The id of each channel: its name, with the number where names are doubled."""
        counts = list(self.names.values())
        return {
            number: name if name and counts.count(name) == 1 else f"{name}ch{number}"
            for number, name in self.names.items()
        }

    def _faults(self, plate: str) -> Iterable[FieldFault]:
        for well, field, found in self.failed:
            yield acquisition_error(plate, well, field, found)

    def _facts(self) -> PlateFacts:
        texts = {key: text.strip() for key, text in self.plate.texts.items()}
        tokens = self._tokens()
        size = whole(texts.get("PlateRows", "")), whole(texts.get("PlateColumns", ""))
        level = single(self.levels)
        return PlateFacts(
            plate=texts.get("PlateID") or texts.get("Name") or self._folder_name(),
            n_wells=size[0] * size[1] if size[0] and size[1] else None,
            pixel_size_um=single(v for v in self.pixel_sizes if v is not None),
            channels=tuple(tokens[n] for n in sorted(tokens, key=_by_number)),
            level_max=None if level is None else int(level),
            acquired=texts.get("MeasurementStartTime", ""),
            wells=tuple(map(str, sorted(set(self.wells)))),
            n_declared=self.n_images,
            missing=tuple(self.missing),
        )

    def _folder_name(self) -> str:
        folder = self.index.resolve().parent
        return folder.parent.name if folder.name == "Images" else folder.name


def _um(
    units: dict[str, dict[str, str]], texts: dict[str, str], name: str
) -> float | None:
    """A length in micrometres; None if it is not stated or its unit is unknown."""
    length = number(texts.get(name))
    scale = _UM.get(units.get(name, {}).get("Unit", "m"))
    return None if length is None or scale is None else length * scale


def _by_number(text: str) -> tuple[int, str]:
    known = whole(text)
    return (1 << 30 if known is None else known, text)
