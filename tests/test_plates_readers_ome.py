"""OME-TIFF: pages to planes by each file's own metadata, and neighbours that are not there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from plates.problems import InputError
from plates.readers import READERS, detect
from plates.readers.tiff import read_pages

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
NAMES = r"(?P<well>[A-Z]{1,2}\d\d)_s(?P<site>\d+)\.ome\.tif"


def scan(folder: Path, pattern: str = "") -> Any:
    """What the reader finds."""
    return READERS["ome_tiff"].scan(folder, pattern)


def stack(shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """Pixels of which each plane has its own value."""
    planes = np.arange(np.prod(shape[:-2]), dtype="uint16").reshape(shape[:-2])
    return np.broadcast_to(planes[..., None, None] + 100, shape).copy()


@settings(deadline=None, max_examples=25)
@given(
    order=st.permutations("TCZ"),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
)
def test_every_order_of_pages_gives_each_plane_its_place(
    tmp_path_factory: pytest.TempPathFactory,
    order: list[str],
    sizes: tuple[int, int, int],
) -> None:
    folder = tmp_path_factory.mktemp("ome")
    size = dict(zip("TCZ", sizes, strict=True))
    pixels = stack([*(size[axis] for axis in order), 5, 6])
    options: dict[str, Any] = {"axes": "".join(order) + "YX"}
    options["Channel"] = {"Name": [f"Dye {c}" for c in range(size["C"])]}
    tifffile.imwrite(
        folder / "B03_s2.ome.tif", pixels, metadata=options, photometric="minisblack"
    )
    found = scan(folder, NAMES)
    assert found.planes.height == np.prod(sizes)
    for row in found.planes.iter_rows(named=True):
        at = {"T": row["t"] or "0", "C": row["channel"][-1], "Z": row["z"] or "0"}
        expected = pixels[tuple(int(at[axis]) for axis in order)]
        (plane,) = read_pages(row["path"], [row["page"]])
        np.testing.assert_array_equal(plane, expected)
    assert set(found.planes["well"]) == {"B03"}
    assert set(found.planes["field"]) == {"2"}


def block(name: str, page: int, c: int, uuid: str = "u") -> str:
    """One plane of a set of files."""
    return (
        f'<TiffData IFD="{page}" FirstC="{c}" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{uuid}</UUID></TiffData>'
    )


def image(number: int, blocks: str, n_channels: int = 2) -> str:
    """One image of 5 x 6 pixels."""
    channels = "".join(
        f'<Channel ID="Channel:{number}:{c}" Name="Dye {c}" SamplesPerPixel="1"/>'
        for c in range(n_channels)
    )
    return (
        f'<Image ID="Image:{number}"><Pixels ID="Pixels:{number}" Type="uint16" '
        f'DimensionOrder="XYCZT" SizeX="6" SizeY="5" SizeZ="1" SizeT="1" '
        f'SizeC="{n_channels}" SignificantBits="12" PhysicalSizeX="650" '
        f'PhysicalSizeXUnit="nm">{channels}{blocks}</Pixels></Image>'
    )


PLATE = (
    '<Plate ID="Plate:0" Name="P7" Rows="8" Columns="12">'
    '<Well ID="Well:0:0" Row="1" Column="2">'
    '<WellSample ID="WellSample:0:0:4" Index="0"><ImageRef ID="Image:0"/></WellSample>'
    "</Well>"
    '<Well ID="Well:0:1" Row="7" Column="11">'
    '<WellSample ID="WellSample:0:1:4" Index="1"><ImageRef ID="Image:1"/></WellSample>'
    "</Well></Plate>"
)


def write(path: Path, text: str, n_pages: int = 1, uuid: str = "u") -> None:
    """A file of pages with the same OME-XML but for its own UUID."""
    whole = (
        f'<?xml version="1.0"?><OME xmlns="{OME}" UUID="urn:uuid:{uuid}">{text}</OME>'
    )
    with tifffile.TiffWriter(path) as tiff:
        for page in range(n_pages):
            pixels = np.full((5, 6), 100 + page, "uint16")
            text_ = whole.encode() if page == 0 else None
            tiff.write(pixels, description=text_, metadata=None, contiguous=False)


def write_set(folder: Path, skip: Sequence[str] = ()) -> str:
    """Two images of two channels, one file a plane, all with the metadata of the whole."""
    names = {(i, c): f"i{i}_c{c}.ome.tif" for i in range(2) for c in range(2)}
    images = "".join(
        image(i, "".join(block(names[i, c], 0, c, f"{i}{c}") for c in range(2)))
        for i in range(2)
    )
    for (i, c), name in names.items():
        if name not in skip:
            write(folder / name, PLATE + images, uuid=f"{i}{c}")
    return PLATE + images


def test_a_set_of_files_with_a_plate_needs_no_pattern(tmp_path: Path) -> None:
    write_set(tmp_path)
    assert detect(tmp_path) == "ome_tiff"
    found = scan(tmp_path)
    (facts,) = found.plates
    assert (facts.plate, facts.n_wells, facts.level_max) == ("P7", 96, 4095)
    assert facts.pixel_size_um == pytest.approx(0.65)
    assert (facts.wells, facts.missing) == (("B03", "H12"), ())
    planes = found.planes.sort("path").select("well", "field", "channel")
    assert planes.rows() == [
        (well, "4", channel)
        for well in ("B03", "H12")
        for channel in ("Dye 0", "Dye 1")
    ]


def test_neighbours_that_are_not_there_are_missing_and_no_planes(
    tmp_path: Path,
) -> None:
    write_set(tmp_path, skip=["i0_c0.ome.tif"])
    found = scan(tmp_path)
    assert found.plates[0].missing == ("i0_c0.ome.tif",)
    assert found.planes.height == 3
    only = found.planes.filter(well="B03")
    assert only["channel"].to_list() == ["Dye 1"]


def test_a_damaged_file_keeps_its_place_by_its_neighbours(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "i1_c0.ome.tif").write_bytes(b"")
    found = scan(tmp_path)
    row = found.planes.filter(path=str(tmp_path / "i1_c0.ome.tif")).row(0, named=True)
    assert (row["well"], row["channel"]) == ("H12", "Dye 0")


def test_a_damaged_file_with_a_name_is_a_fault_of_its_field(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "A01_s1.ome.tif", stack([2, 5, 6]))
    (tmp_path / "A02_s1.ome.tif").write_bytes(bytes(100))
    found = scan(tmp_path, NAMES)
    (fault,) = found.faults
    assert (fault.well, fault.field) == ("A02", "1")
    assert fault.problem.code == "IMG_EMPTY_FILE"
    assert set(found.planes["well"]) == {"A01"}


def test_a_renamed_file_is_known_by_its_uuid(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "i0_c1.ome.tif").rename(tmp_path / "other.ome.tif")
    found = scan(tmp_path)
    row = found.planes.filter(path=str(tmp_path / "other.ome.tif")).row(0, named=True)
    assert (row["well"], row["channel"]) == ("B03", "Dye 1")


@pytest.mark.parametrize(
    ("text", "pattern", "match"),
    [
        (image(0, ""), "", "IMG_WELL_INVALID.*no plate in its metadata.*pattern="),
        (PLATE + image(0, "") + image(1, ""), "", "EXPORT_INVALID.*4 planes on 2"),
        (image(0, "").replace("XYCZT", "XYCCT"), "", "EXPORT_INVALID.*DimensionOrder"),
        (image(0, "").replace('SizeZ="1"', 'SizeZ="0"'), "", "EXPORT_INVALID.*SizeZ"),
        (image(0, "").replace('SizeT="1"', f'SizeT="{10**12}"'), "", "limit 1000000"),
        (image(0, block("A01.ome.tif", 0, 5)), "", "EXPORT_INVALID.*planes in Tiff"),
        (PLATE + image(0, ""), r"(?P<well>A01)\.tif", "PLATE_INDEX_MISMATCH.*B03"),
        ("<x>" * 100, "", "LIMIT_EXCEEDED.*depth"),
    ],
    ids=["well", "shared", "order", "size", "bomb", "place", "name", "depth"],
)
def test_metadata_that_contradict_themselves_are_refused(
    tmp_path: Path, text: str, pattern: str, match: str
) -> None:
    write(tmp_path / "A01.ome.tif", text, 2)
    with pytest.raises(InputError, match=match):
        scan(tmp_path, pattern)


def test_a_companion_file_holds_the_metadata_of_many(tmp_path: Path) -> None:
    text = write_set(tmp_path)
    whole = f'<OME xmlns="{OME}">{text}</OME>'
    (tmp_path / "all.companion.ome").write_text(whole, encoding="utf-8")
    pointer = '<BinaryOnly MetadataFile="all.companion.ome" UUID="urn:uuid:z"/>'
    for i in range(2):
        for c in range(2):
            write(tmp_path / f"i{i}_c{c}.ome.tif", pointer, uuid=f"{i}{c}")
    found = scan(tmp_path)
    assert found.planes.height == 4
    assert found.ignored == ("all.companion.ome",)
    escape = pointer.replace("all.", "../all.")
    write(tmp_path / "i0_c0.ome.tif", escape)
    with pytest.raises(InputError, match="PATH_ESCAPE"):
        scan(tmp_path)
