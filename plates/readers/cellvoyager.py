"""Yokogawa CellVoyager CV7000 and CV8000: a list of records in XML beside the images."""

import re
from pathlib import Path

from plates.markup import Record, records
from plates.planes import FieldFault, PlateFacts, Scan
from plates.problems import InputError, Problem
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

NAME = "cellvoyager"
_NAMED = re.compile(r".*_([A-Z]{1,2}\d\d)_T\d+F\d+L\d+A\d+Z\d+C\d+\.\w+", re.ASCII)
_SUFFIXES = (".tif", ".tiff", ".png")
_OWN = (".mlf", ".mrf", ".mes", ".wpi", ".wpp", ".xml", ".icr")


def detect(folder: Path) -> bool:
    """Whether there is a list of measurements."""
    return bool(index_files(Path(folder), _is_list))


def scan(folder: Path, pattern: str = "") -> Scan:
    """The planes that the .mlf files below a folder name; InputError with all problems.

    The id of a channel is `C01` as in the file names. Records of errors are faults of
    their field; shading and camera images (`SC_`, `DC_`) are ignored and counted.
    """
    found = index_files(Path(folder), _is_list)
    if not found:
        raise no_index(Path(folder), "MeasurementData.mlf")
    return together(NAME, [_Measurement(path).scan() for path in found])


def _is_list(name: str) -> bool:
    return name.casefold().endswith(".mlf")


class _Measurement:
    """One list of records with the detail file beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = Folder(path.parent)
        self.rows = Rows()
        self.used: set[str] = set()
        self.missing: list[str] = []
        self.misnamed: list[str] = []
        self.faults: list[FieldFault] = []
        self.channels: set[int] = set()
        self.wells: set[Well] = set()
        self.n_images = 0
        self.detail = Record("MeasurementDetail", {})
        self.sample = ""
        self.of_channel: dict[int, dict[str, str]] = {}
        self._read_detail()

    def scan(self) -> Scan:
        """The whole list as a scan of one plate."""
        facts_name = self._plate()
        for record in records(self.path, {"MeasurementRecord": ()}):
            self._take(record, facts_name)
        if self.misnamed:
            raise index_mismatch(facts_name, self.misnamed)
        if not self.n_images and not self.faults:
            raise InputError(refusal("EXPORT_INVALID", self.path, "no image records"))
        planes = self.rows.frame()
        names = [n for n in self.folder.files if n not in self.used]
        ignored = [n for n in names if not n.casefold().endswith(_OWN)]
        remedy = "none needed: shading and camera images are no planes"
        return Scan(
            reader=NAME,
            planes=planes,
            plates=(self._facts(facts_name),),
            matches=shown(planes),
            n_ignored=len(ignored),
            ignored=tuple(ignored[:N_SHOWN]),
            faults=tuple(self.faults),
            warnings=(
                *ignored_files(self.folder.root, ignored, remedy),
                *self._without_detail(facts_name),
            ),
        )

    def _read_detail(self) -> None:
        """The detail and settings files, where they are: names, channels, pixel size."""
        for name in self.folder.files:
            if name.casefold().endswith(".mrf"):
                self._read_mrf(self.folder.root / name)
        settings = self.detail.attributes.get("MeasurementSettingFileName", "")
        found = self.folder.find(inside(settings, str(self.path))) if settings else None
        if found is not None:
            for record in records(self.folder.root / found, {"TargetWell": ()}):
                if record.text.casefold() != "false":
                    self.wells.add(self._placed(record))

    def _read_mrf(self, path: Path) -> None:
        """Its root holds everything else, so the root's attributes come from a first pass."""
        for record in records(path, {"MeasurementDetail": ()}):
            self.detail = record
        wanted = {"MeasurementSamplePlate": (), "MeasurementChannel": ()}
        for record in records(path, wanted):
            if record.tag == "MeasurementSamplePlate":
                self.sample = record.attributes.get("Name", "")
            else:
                number = whole(record.attributes.get("Ch", ""))
                self.of_channel[number or 0] = record.attributes

    def _placed(self, record: Record) -> Well:
        """The well of a record; InputError if it has none that is on a plate."""
        try:
            return placed(record.attributes["Row"], record.attributes["Column"])
        except (ValueError, KeyError) as error:
            raise self._invalid(record, error) from None

    def _invalid(self, record: Record, error: Exception) -> InputError:
        found = f"{record.tag} {record.text!r}: {type(error).__name__} {error}"
        return InputError(refusal("EXPORT_INVALID", self.path, found))

    def _take(self, record: Record, plate: str) -> None:
        of = record.attributes
        kind = of.get("Type", "")
        if kind not in ("IMG", "ERR"):
            return
        well = self._placed(record)
        self.wells.add(well)
        if kind == "ERR":
            found = f"the instrument's record: {record.text or 'no reason given'}"
            field = of.get("FieldIndex", "")
            self.faults.append(acquisition_error(plate, str(well), field, found))
            return
        self.n_images += 1
        name = inside(record.text, str(self.path))
        match = _NAMED.fullmatch(name.rsplit("/", 1)[-1])
        if match and Well.parse(match[1]) != well:
            self.misnamed.append(f"{name} is listed as {well}")
            return
        channel, field = whole(of.get("Ch", "")), of.get("FieldIndex", "")
        if channel is None or not field:
            raise self._invalid(record, ValueError("no channel or field"))
        self.channels.add(channel)
        path = self._on_disk(name)
        if path is None:
            self.missing.append(name)
            return
        self.used.add(path)
        self.rows.add(
            plate=plate,
            well=str(well),
            field=field,
            channel=f"C{channel:02d}",
            z=of.get("ZIndex", ""),
            t=of.get("TimePoint", ""),
            path=f"{self.folder.root}/{path}",
            x_um=number(of.get("X")),
            y_um=_down(number(of.get("Y"))),
            z_um=number(of.get("Z")),
        )

    def _on_disk(self, name: str) -> str | None:
        """The file, also where the list says .tif and the disk has .png."""
        found = self.folder.find(name)
        stem = name.rsplit(".", 1)[0]
        for suffix in () if found else _SUFFIXES:
            found = found or self.folder.find(stem + suffix)
        return found

    def _plate(self) -> str:
        title = self.detail.attributes.get("Title", "")
        return self.sample or title or self.path.resolve().parent.name

    def _facts(self, plate: str) -> PlateFacts:
        of = self.detail.attributes
        used = [self.of_channel.get(n, {}) for n in sorted(self.channels)]
        size = whole(of.get("RowCount", "")), whole(of.get("ColumnCount", ""))
        bits = single(v for c in used if (v := number(c.get("InputBitDepth"))))
        keys = ("HorizontalPixelDimension", "VerticalPixelDimension")
        pixel = single(v for c in used for key in keys if (v := number(c.get(key))))
        return PlateFacts(
            plate=plate,
            n_wells=size[0] * size[1] if size[0] and size[1] else None,
            pixel_size_um=pixel,
            channels=tuple(f"C{n:02d}" for n in sorted(self.channels)),
            level_max=2 ** int(bits) - 1 if bits and 1 <= bits <= 16 else None,
            acquired=of.get("BeginTime", ""),
            wells=tuple(map(str, sorted(self.wells))),
            n_declared=self.n_images,
            missing=tuple(self.missing),
        )

    def _without_detail(self, plate: str) -> tuple[Problem, ...]:
        if self.detail.attributes:
            return ()
        why = "pixel size and plate name are not known from the export"
        remedy = "copy MeasurementDetail.mrf too, or give pixel_size_um="
        found = "no .mrf file beside the .mlf"
        return (Problem("EXPORT_PARTIAL", plate, found, why, remedy),)


def _down(y: float | None) -> float | None:
    """The stage's y points up."""
    return None if y is None else -y
