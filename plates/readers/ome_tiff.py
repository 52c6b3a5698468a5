"""OME-TIFF: files that say in their own OME-XML which page is which plane."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from plates.markup import tree
from plates.name_patterns import Groups, fits
from plates.planes import FieldFault, PlaneError, PlateFacts, Scan
from plates.problems import InputError, Problem
from plates.readers import tiff
from plates.readers.listing import (
    N_SHOWN,
    Folder,
    Rows,
    ignored_files,
    index_files,
    index_mismatch,
    inside,
    no_index,
    refusal,
    shown,
    single,
)
from plates.readers.ome_xml import Document, Image, Page, Place, parse
from plates.readers.tiff_folder import well_of

NAME = "ome_tiff"
_OWN_UUID = re.compile(r'(<(?:\w+:)?OME\b[^>]*?)\sUUID="([^"]*)"')
_OME = re.compile(r"\.ome(?=\.tiff?$)", re.IGNORECASE)
_SUFFIXES = (".ome.tif", ".ome.tiff")


def detect(folder: Path) -> bool:
    """Whether there is a file of that name."""
    return bool(index_files(Path(folder), _is_ome))


def scan(folder: Path, pattern: str = "") -> Scan:
    """The planes of every OME-TIFF below a folder; InputError with all problems.

    Well and field are those of the metadata's plate; without one, of the file's name by
    `pattern` (the groups of a TIFF folder). A file's planes are those that its own
    metadata give it, and what it says of another file counts only if that is damaged.
    """
    root = Folder(Path(folder))
    files = [name for name in root.files if _is_ome(name)]
    if not files:
        raise no_index(Path(folder), "*.ome.tif or *.ome.tiff")
    # A pattern for plain names fits those of OME-TIFF too.
    plain = [_OME.sub("", name) for name in files]
    pairs = (
        zip(fits(pattern, files), fits(pattern, plain), strict=True) if pattern else ()
    )
    reading = _Reading(root, dict(zip(files, (a or b for a, b in pairs), strict=False)))
    for name in files:
        reading.read(name)
    return reading.scan()


def _is_ome(name: str) -> bool:
    return name.casefold().endswith(_SUFFIXES) and not name.startswith((".", "~"))


@dataclass(frozen=True)
class _File:
    """A readable file: the document it carries and its own name in it."""

    name: str
    document: Document
    uuid: str


class _Reading:
    """The files of one folder while they are read."""

    def __init__(self, root: Folder, groups: Mapping[str, Groups | None]) -> None:
        self.root = root
        self.groups = groups  # read from the files' names
        self.documents: dict[str, Document] = {}  # files of a set share their text
        self.files: list[_File] = []
        self.damaged: dict[str, PlaneError] = {}
        self.ignored: list[str] = []
        self.rows = Rows()
        self.faults: list[FieldFault] = []
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.misnamed: list[str] = []
        self.of_plate: dict[str, list[tuple[Document, Image]]] = {}

    def read(self, name: str) -> None:
        """Read one file's metadata, once for all files that share them."""
        path = self.root.root / name
        try:
            text = tiff.description(path)
        except PlaneError as error:
            self.damaged[name] = error
            return
        if "<" not in text:
            self.ignored.append(name)
            return
        found = _OWN_UUID.search(text)
        uuid = found[2] if found else ""
        key = _OWN_UUID.sub(r"\1", text, count=1)
        if key not in self.documents:
            self.documents[key] = self._parsed(text, path)
        self.files.append(_File(name, self.documents[key], uuid))

    def _parsed(self, text: str, path: Path) -> Document:
        """The document, or the companion file's that a file without its own points to."""
        if "BinaryOnly" not in text:
            return parse(text, path)
        reference = tree(text, str(path)).find("BinaryOnly")
        if reference is None:
            return parse(text, path)
        companion = path.parent / inside(reference.get("MetadataFile", ""), str(path))
        try:
            whole_text = companion.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            found = f"its metadata in {companion.name} do not read: {error}"
            raise InputError(refusal("EXPORT_INVALID", path, found)) from None
        return parse(whole_text, companion)

    def scan(self) -> Scan:
        """The planes of all files, and what is wrong with some of them."""
        for file in self.files:
            base = PurePosixPath(file.name).name
            for image_id, own in file.document.held_by(base, file.uuid).items():
                self._add(file.name, file.document, image_id, own)
        for name, error in self.damaged.items():
            self._add_damaged(name, error)
        if self.misnamed:
            raise index_mismatch(str(self.root.root), self.misnamed)
        if self.problems:
            raise InputError(self.problems)
        planes = self.rows.frame()
        used = set(planes["path"])
        used |= {f"{self.root.root}/{name}" for name in self.damaged}
        ignored = [n for n in self.root.files if f"{self.root.root}/{n}" not in used]
        remedy = "none needed if they are no images of the plate"
        return Scan(
            reader=NAME,
            planes=planes,
            plates=tuple(self._facts(plate) for plate in sorted(self.of_plate)),
            matches=shown(planes),
            n_ignored=len(ignored),
            ignored=tuple(ignored[:N_SHOWN]),
            faults=tuple(self.faults),
            warnings=(
                *self.warnings,
                *ignored_files(self.root.root, ignored, remedy),
            ),
        )

    def _add(
        self, name: str, document: Document, image_id: str, pages: list[Page]
    ) -> None:
        """The planes that a document puts into one file."""
        image = document.images[image_id]
        groups = self.groups.get(name)
        place = self._place(name, document.places.get(image_id), groups)
        if not place:
            return
        groups = groups or {}
        self.of_plate.setdefault(place.plate, []).append((document, image))
        for page in pages:
            self.rows.add(
                plate=place.plate,
                well=str(place.well),
                field=place.field,
                channel=groups.get("channel") or image.channels[page.c],
                z=groups.get("z") or (str(page.z) if image.n_z > 1 else ""),
                t=groups.get("t") or (str(page.t) if image.n_t > 1 else ""),
                path=f"{self.root.root}/{name}",
                page=page.page,
            )

    def _place(
        self, name: str, place: Place | None, groups: dict[str, str] | None
    ) -> Place | None:
        """Where an image belongs; metadata and file name must not contradict."""
        if groups is None:
            if place is None:
                found = "no plate in its metadata, and no pattern that fits its name"
                self.problems.append(_unplaced(self.root.root / name, found))
            return place
        try:
            well = well_of(groups)
        except ValueError as error:
            self.problems.append(_unplaced(self.root.root / name, str(error)))
            return None
        if place is not None and place.well != well:
            self.misnamed.append(f"{name} is {place.well} in its metadata")
        field = (
            groups.get("field") or groups.get("site") or (place.field if place else "")
        )
        plate = groups.get("plate") or (place.plate if place else "")
        return Place(plate, well, field)

    def _add_damaged(self, name: str, error: PlaneError) -> None:
        """A file that does not open: its planes by its set's metadata, or its name."""
        base = PurePosixPath(name).name
        for document in self.documents.values():
            if base in document.by_file:
                for image_id, own in document.by_file[base].items():
                    self._add(name, document, image_id, own)
                return
        groups = self.groups.get(name)
        why = "its planes are left out"
        place = groups and self._place(name, None, groups)
        where = f"{place.plate}/{place.well}/f{place.field}" if place else name
        problem = Problem(error.code, where, error.found, why, "copy the file again")
        if place:
            well = str(place.well)
            self.faults.append(FieldFault(place.plate, well, place.field, problem))
        else:
            self.warnings.append(problem)

    def _facts(self, plate: str) -> PlateFacts:
        documents = {id(d): d for d, _ in self.of_plate[plate]}.values()
        images = [image for _, image in self.of_plate[plate]]
        bits = single(float(i.bits) for i in images if i.bits)
        rows = self.rows.frame().filter(plate=plate)
        named = {name for document in documents for name in document.files()}
        on_disk = {PurePosixPath(name).name for name in self.root.files}
        wells = {
            str(place.well)
            for document in documents
            for place in document.places.values()
            if place.plate == plate
        }
        return PlateFacts(
            plate=plate,
            n_wells=next((d.n_wells for d in documents if d.n_wells), None),
            pixel_size_um=single(i.pixel_size_um for i in images if i.pixel_size_um),
            channels=tuple(rows["channel"].unique(maintain_order=True)),
            level_max=2 ** int(bits) - 1 if bits and bits <= 16 else None,
            acquired=next((d.acquired for d in documents if d.acquired), ""),
            wells=tuple(sorted(wells | set(rows["well"]))),
            missing=tuple(sorted(named - on_disk)),
        )


def _unplaced(path: Path, found: str) -> Problem:
    why = "which well an image shows is not known"
    remedy = "give a pattern= with (?P<well>...) or row and col that fits the names"
    return Problem("IMG_WELL_INVALID", str(path), found, why, remedy)
