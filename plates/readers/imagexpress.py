"""ImageXpress (MetaXpress): an HTD file and one TIFF a plane, told by its name."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from plates.planes import PlateFacts, Scan
from plates.problems import InputError, Problem
from plates.readers.listing import (
    N_SHOWN,
    Folder,
    Rows,
    ignored_files,
    index_files,
    no_index,
    refusal,
    shown,
    together,
)
from plates.readers.metamorph import ImageFacts
from plates.wells import Well

NAME = "imagexpress"
LARGEST_HTD = 1 << 20
_STEP_FOLDER = re.compile(r"(TimePoint|ZStep)_(\d+)", re.ASCII | re.IGNORECASE)
_AFTER_BASE = re.compile(
    r"_(?P<well>[A-Z]{1,2}\d\d)(?:_s(?P<site>\d+))?(?:_w(?P<wave>\d))?"
    r"(?:[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})?\.tiff?",
    re.ASCII | re.IGNORECASE,
)


def detect(folder: Path) -> bool:
    """Whether there is an HTD file."""
    return bool(_htd_files(Path(folder)))


def scan(folder: Path, pattern: str = "") -> Scan:
    """The planes of every HTD file below a folder; InputError with all problems.

    The id of a channel is its wave's name. Where there are z steps (`ZStep_1` and on),
    the projections that the instrument made (`ZStep_0`, or beside the step folders)
    are left out with a warning: `source=` their folder takes them instead.
    """
    folder = Path(folder)
    homes: dict[tuple[Path, str], Path] = {}
    for path in _htd_files(folder):
        homes.setdefault((_home(path.resolve().parent), path.stem.casefold()), path)
    if not homes:
        raise no_index(folder, "HTD file")
    root = Folder(folder)
    by_home, steps = _by_home(root)
    plates = [
        _Plate(folder, home, htd, by_home.get(home, []), steps)
        for (home, _), htd in sorted(homes.items())
    ]
    scan = together(NAME, [plate.scan() for plate in plates])
    return _with_ignored(scan, root, plates)


def _by_home(
    root: Folder,
) -> tuple[dict[Path, list[str]], dict[str, tuple[str, int | None]]]:
    """The files by the plate's folder, and each folder's time point and z step."""
    absolute = root.root.resolve()
    by_home: dict[Path, list[str]] = {}
    homes: dict[str, Path] = {}
    steps: dict[str, tuple[str, int | None]] = {}
    for name in root.files:
        parent = str(PurePosixPath(name).parent)
        if parent not in homes:
            homes[parent] = _home(absolute / parent)
            steps[parent] = _steps(absolute / parent)
        by_home.setdefault(homes[parent], []).append(name)
    return by_home, steps


def _with_ignored(scan: Scan, root: Folder, plates: list["_Plate"]) -> Scan:
    used = {name for plate in plates for name in plate.used}
    names = [n for n in root.files if n not in used and not _is_htd(n)]
    remedy = "none needed if they are thumbnails or notes"
    return Scan(
        reader=NAME,
        planes=scan.planes,
        plates=scan.plates,
        matches=scan.matches,
        n_ignored=len(names),
        ignored=tuple(names[:N_SHOWN]),
        warnings=(*scan.warnings, *ignored_files(root.root, names, remedy)),
    )


def _is_htd(name: str) -> bool:
    return name.casefold().endswith(".htd")


def _htd_files(folder: Path) -> list[Path]:
    """Those below a folder; for the folder of a time point or z step, else those above."""
    found = index_files(folder, _is_htd)
    above = folder.resolve()
    while not found and _STEP_FOLDER.fullmatch(above.name):
        above = above.parent
        found = sorted(path for path in above.iterdir() if _is_htd(path.name))
    return found


def _home(folder: Path) -> Path:
    """The plate's own folder, above those of its time points and z steps."""
    while _STEP_FOLDER.fullmatch(folder.name):
        folder = folder.parent
    return folder


@dataclass(frozen=True)
class _File:
    """What a file's path says of its plane; `z` is None outside the step folders."""

    name: str
    well: Well
    site: str
    wave: int
    t: str
    z: int | None


@dataclass
class _Plate:
    """One HTD file with the images that its plate's folder holds."""

    root: Path
    home: Path
    htd: Path
    names: list[str]
    steps: dict[str, tuple[str, int | None]]  # by the folders of the names
    used: list[str] = field(default_factory=list)

    @cached_property
    def stated(self) -> dict[str, list[str]]:
        """The cells of each line of the HTD file by its first cell."""
        if self.htd.stat().st_size > LARGEST_HTD:
            found = f"more than htd_bytes={LARGEST_HTD}"
            raise InputError(refusal("LIMIT_EXCEEDED", self.htd, found))
        # Descriptions hold bytes of the instrument's own code page.
        text = self.htd.read_text(encoding="latin-1")
        try:
            lines = list(csv.reader(text.splitlines(), skipinitialspace=True))
        except csv.Error as error:
            raise InputError(refusal("EXPORT_INVALID", self.htd, str(error))) from None
        stated = {line[0]: line[1:] for line in lines if line}
        if not {"XWells", "YWells"} <= stated.keys():
            found = f"no XWells and YWells among {len(stated)} lines"
            raise InputError(refusal("EXPORT_INVALID", self.htd, found))
        return stated

    @property
    def name(self) -> str:
        """The folder's name where it holds the base name of the files, else that."""
        is_named = self.home.name.casefold().startswith(self.htd.stem.casefold())
        return self.home.name if is_named else self.htd.stem

    def number(self, key: str, default: int = 1) -> int:
        """A whole number of the HTD file; InputError if it is none."""
        text = self.stated.get(key, [str(default)])[0].strip()
        if not (text.isascii() and text.isdigit()):
            found = f"{key} is {text!r}, a number is needed"
            raise InputError(refusal("EXPORT_INVALID", self.htd, found))
        return int(text)

    @cached_property
    def waves(self) -> list[str]:
        """The channels' names in their order; `w2` and so on where names are doubled."""
        n_waves = self.number("NWavelengths")
        names = [
            "".join(self.stated.get(f"WaveName{n}", [])[:1]).strip()
            for n in range(1, min(n_waves, 9) + 1)
        ]
        return [
            name if name and names.count(name) == 1 else f"w{n}"
            for n, name in enumerate(names, 1)
        ]

    def scan(self) -> Scan:
        """The planes of this plate."""
        files = [file for name in self.names if (file := self._file(name))]
        self.used = [file.name for file in files]
        unknown = sorted({f.wave for f in files if f.wave > len(self.waves)})
        if unknown:
            found = f"files of waves {unknown}, the HTD states {len(self.waves)}"
            raise InputError(refusal("EXPORT_INVALID", self.htd, found))
        steps = [f for f in files if f.z]
        chosen = steps or files
        left_out = [f for f in files if not f.z] if steps else []
        about = ImageFacts([(f.site, self.root / f.name) for f in chosen])
        rows = Rows()
        for file in chosen:
            x_um, y_um = about.offsets.get(file.site, (None, None))
            rows.add(
                plate=self.name,
                well=str(file.well),
                field=file.site,
                channel=self.waves[file.wave - 1],
                z="" if file.z is None else str(file.z),
                t=file.t,
                path=str(self.root / file.name),
                x_um=x_um,
                y_um=y_um,
            )
        planes = rows.frame()
        return Scan(
            reader=NAME,
            planes=planes,
            plates=(self._facts(chosen, about),),
            matches=shown(planes),
            warnings=(*self._projections(left_out), *self._absent(chosen)),
        )

    def _file(self, name: str) -> _File | None:
        """What a path below the source says; None if it is no image of this plate."""
        path = PurePosixPath(name)
        base = self.htd.stem
        rest = path.name[len(base) :]
        match = _AFTER_BASE.fullmatch(rest)
        if match is None or path.name[: len(base)].casefold() != base.casefold():
            return None
        try:
            well = Well.parse(match["well"])
        except ValueError:
            return None
        wave = int(match["wave"] or 1)
        t, z = self.steps[str(path.parent)]
        return _File(name, well, match["site"] or "1", wave, t, z)

    def _facts(self, files: list[_File], about: ImageFacts) -> PlateFacts:
        used = {file.wave for file in files}
        wells = [
            Well(row, column)
            for row in range(self.number("YWells"))
            for column, cell in enumerate(
                self.stated.get(f"WellsSelection{row + 1}", [])
            )
            if cell.strip().upper() == "TRUE"
        ]
        return PlateFacts(
            plate=self.name,
            n_wells=self.number("XWells") * self.number("YWells"),
            pixel_size_um=about.pixel_size_um,
            channels=tuple(w for n, w in enumerate(self.waves, 1) if n in used),
            level_max=about.level_max,
            wells=tuple(map(str, wells)),
            missing=() if files else (f"{self.htd.stem}_*.TIF",),
        )

    def _projections(self, files: list[_File]) -> Iterator[Problem]:
        if files:
            found = f"{len(files)} projections beside the z steps: {files[0].name}"
            why = "a projection is no plane of the stack"
            remedy = "give source= their folder to take them instead of the steps"
            yield Problem("EXPORT_PARTIAL", self.name, found, why, remedy)

    def _absent(self, files: list[_File]) -> Iterator[Problem]:
        """What the HTD states and no file shows, axis by axis."""
        used = {file.wave for file in files}
        lost = [w for n, w in enumerate(self.waves, 1) if n not in used]
        found = [f"no file of wave {', '.join(lost)}"] if lost else []
        counts = (
            ("TimePoints", len({file.t for file in files})),
            ("ZSteps", len({file.z for file in files})),
        )
        for key, n in counts:
            if self.number(key) > n and (key != "ZSteps" or any(f.z for f in files)):
                found.append(f"{n} of {self.number(key)} {key}")
        if found:
            why = "the metadata state them"
            remedy = "none needed if they were not taken, else copy the plate again"
            text = "; ".join(found)
            yield Problem("EXPORT_PARTIAL", self.name, text, why, remedy)


def _steps(folder: Path) -> tuple[str, int | None]:
    """The time point ('' if none) and the z step (None) that a folder stands for."""
    steps: dict[str, int] = {}
    while match := _STEP_FOLDER.fullmatch(folder.name):
        steps.setdefault(match[1].casefold(), int(match[2]))
        folder = folder.parent
    return str(steps.get("timepoint", "")), steps.get("zstep")
