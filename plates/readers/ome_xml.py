"""OME-XML of a TIFF file: which page holds which plane of which image and well."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from plates.markup import tree
from plates.problems import InputError
from plates.readers.listing import number, placed, refusal, whole
from plates.wells import Well

LONGEST_DOCUMENT = 1 << 26
MOST_PLANES = 1_000_000
_SAMPLE = re.compile(r"WellSample:\d+:\d+:(\d+)", re.ASCII)
_UM = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "μm": 1.0, "nm": 1e-3}
_FASTEST_FIRST = re.compile("XY([CZT])([CZT])([CZT])")


class Page(NamedTuple):
    """A plane: the file that should hold it ('' the document's own), page and place."""

    file: str
    uuid: str
    page: int
    c: int
    z: int
    t: int


@dataclass(frozen=True)
class Image:
    """One image (a field): its planes, its channels' names, and what is known of pixels."""

    pages: tuple[Page, ...]
    channels: tuple[str, ...]
    n_z: int
    n_t: int
    pixel_size_um: float | None
    bits: int | None


@dataclass(frozen=True)
class Place:
    """Where the metadata put an image: plate name, well and field."""

    plate: str
    well: Well
    field: str


@dataclass
class Document:
    """The images of one OME-XML, and their places where it holds a plate."""

    images: dict[str, Image] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    n_wells: int | None = None
    acquired: str = ""

    @cached_property
    def by_file(self) -> dict[str, dict[str, list[Page]]]:
        """Planes by the file that holds them (name, UUID, or '' its own), by image."""
        by_file: dict[str, dict[str, list[Page]]] = {}
        for image_id, image in self.images.items():
            for page in image.pages:
                for key in {page.file, page.uuid} - {""} or {""}:
                    by_file.setdefault(key, {}).setdefault(image_id, []).append(page)
        return by_file

    def files(self) -> set[str]:
        """The files that the document names."""
        return {p.file for image in self.images.values() for p in image.pages} - {""}

    def held_by(self, name: str, uuid: str) -> dict[str, list[Page]]:
        """The planes that lie in a file of that name or UUID, by image."""
        return (
            self.by_file.get(name)
            or (self.by_file.get(uuid) if uuid else None)
            or self.by_file.get("", {})
        )


def parse(text: str, path: Path) -> Document:
    """Read a document; InputError if it is broken, bomb-like or contradicts itself."""
    if len(text) > LONGEST_DOCUMENT:
        found = f"OME-XML of {len(text)} characters, limit {LONGEST_DOCUMENT}"
        raise InputError(refusal("LIMIT_EXCEEDED", path, found))
    root = tree(text, str(path))
    document = Document()
    try:
        for number_, element in enumerate(root.iter("Image")):
            if element.find("Pixels") is not None:
                name = element.get("ID", f"Image:{number_}")
                document.images[name] = _image(element)
                document.acquired = document.acquired or _text(element)
        for plate in root.iter("Plate"):
            _add_plate(document, plate)
    except (ValueError, KeyError) as error:
        found = f"OME-XML: {type(error).__name__} {error}"
        raise InputError(refusal("EXPORT_INVALID", path, found)) from None
    _check_pages(document, path)
    return document


def _check_pages(document: Document, path: Path) -> None:
    """Two planes on one page mean that images do not say which pages are theirs."""
    pages = [
        (p.file, p.uuid, p.page) for i in document.images.values() for p in i.pages
    ]
    if len(set(pages)) < len(pages):
        found = f"{len(pages)} planes on {len(set(pages))} pages"
        raise InputError(refusal("EXPORT_INVALID", path, found))


def _text(image: ET.Element) -> str:
    found = image.find("AcquisitionDate")
    return (found.text or "").strip() if found is not None else ""


def _image(element: ET.Element) -> Image:
    pixels = element.find("Pixels")
    if pixels is None:
        raise ValueError("an image without Pixels")
    n_z, n_t = (_size(pixels, key) for key in ("SizeZ", "SizeT"))
    channels = _channels(pixels)
    if len(channels) * n_z * n_t > MOST_PLANES:
        raise ValueError(f"{len(channels) * n_z * n_t} planes, limit {MOST_PLANES}")
    sizes = {"C": len(channels), "Z": n_z, "T": n_t}
    scale = _UM.get(pixels.get("PhysicalSizeXUnit", "µm"))
    size = number(pixels.get("PhysicalSizeX"))
    return Image(
        pages=tuple(_pages(pixels, sizes)),
        channels=channels,
        n_z=n_z,
        n_t=n_t,
        pixel_size_um=size * scale if size and scale and size > 0 else None,
        bits=whole(pixels.get("SignificantBits", "")),
    )


def _size(pixels: ET.Element, key: str) -> int:
    size = whole(pixels.get(key, "1"))
    if not size:
        raise ValueError(f"{key} is {pixels.get(key)!r}")
    return size


def _channels(pixels: ET.Element) -> tuple[str, ...]:
    """Names in the order of the planes, `C0` and so on where they have none of their own."""
    elements = pixels.findall("Channel")
    samples = sum(whole(e.get("SamplesPerPixel", "1")) or 1 for e in elements)
    n = _size(pixels, "SizeC")
    if n > MOST_PLANES:
        raise ValueError(f"SizeC is {n}, limit {MOST_PLANES}")
    if samples != n:
        return tuple(f"C{c}" for c in range(n))
    names = [e.get("Name", "").strip() for e in elements]
    return tuple(
        name if name and names.count(name) == 1 else f"C{c}"
        for c, name in enumerate(names)
    )


def _pages(pixels: ET.Element, sizes: dict[str, int]) -> Iterator[Page]:
    """Each plane with its page, by TiffData; all pages in order if there is none."""
    order = _FASTEST_FIRST.fullmatch(pixels.get("DimensionOrder", ""))
    if order is None or len(set(order.groups())) < len(sizes):
        raise ValueError(f"DimensionOrder is {pixels.get('DimensionOrder')!r}")
    steps, n = {}, 1
    for axis in order.groups():
        steps[axis], n = n, n * sizes[axis]
    blocks = pixels.findall("TiffData")
    for block in blocks or [ET.Element("TiffData")]:
        first = sum(_attribute(block, f"First{a}") * steps[a] for a in steps)
        rest = 1 if "IFD" in block.attrib else n - first
        count = _attribute(block, "PlaneCount", rest)
        if first + count > n or count < 0:
            raise ValueError(f"{first + count} planes in TiffData, {n} in Pixels")
        uuid = block.find("UUID")
        name = "" if uuid is None else uuid.get("FileName", "")
        own = "" if uuid is None else (uuid.text or "").strip()
        page = _attribute(block, "IFD")
        for k in range(count):
            place = {a: (first + k) // steps[a] % sizes[a] for a in steps}
            yield Page(name, own, page + k, place["C"], place["Z"], place["T"])


def _attribute(block: ET.Element, name: str, default: int = 0) -> int:
    text = block.get(name)
    value = default if text is None else whole(text)
    if value is None:
        raise ValueError(f"{name} is {text!r}")
    return value


def _add_plate(document: Document, plate: ET.Element) -> None:
    name = plate.get("Name") or plate.get("ExternalIdentifier") or ""
    rows, columns = (whole(plate.get(key, "")) for key in ("Rows", "Columns"))
    document.n_wells = rows * columns if rows and columns else None
    for element in plate.findall("Well"):
        well = placed(str(int(element.attrib["Row"]) + 1), _next(element, "Column"))
        for n, sample in enumerate(element.findall("WellSample")):
            match = _SAMPLE.fullmatch(sample.get("ID", ""))
            number_ = match[1] if match else str(n)
            for reference in sample.findall("ImageRef"):
                place = Place(name, well, number_)
                document.places[reference.get("ID", "")] = place


def _next(element: ET.Element, key: str) -> str:
    return str(int(element.attrib[key]) + 1)
