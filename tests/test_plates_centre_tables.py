"""Centres of other programs: read, placed by name, and every fault told at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from plates.centre_tables import CentreTable, read_centres
from plates.given_centres import GivenCentres, centre_path, write_centres
from plates.label_images import label_centres
from plates.problems import InputError
from plates.store import Plate, PlateSpec
from plates.wells import PlateFormat, Well

SIZE = (40, 60)
Build = Callable[..., Plate]


@pytest.fixture(scope="module")
def plate_of() -> Build:
    """Makes a plate of a name, wells, fields and size (y, x), with pixels of 0.5 um."""

    def build(
        name: str,
        wells: str = "A1 B2",
        n_fields: int = 2,
        size: tuple[int, int] = SIZE,
    ) -> Plate:
        spec = PlateSpec(
            plate=name,
            format=PlateFormat.of(96),
            wells=tuple(Well.parse(w) for w in wells.split()),
            n_fields=n_fields,
            channels=("nucleus",),
            pixel_size_um=0.5,
            field_shape=(1, *size),
            dtype="uint16",
        )
        return Plate(Path(name), spec, {}, spec.level_layout(0), b"")

    return build


@pytest.fixture(scope="module")
def plate(plate_of: Build) -> Plate:
    return plate_of("P1")


def read(tmp_path: Path, text: str, plates: list[Plate], **more: Any) -> CentreTable:
    path = tmp_path / "centres.csv"
    path.write_text(text, encoding="utf-8")
    return read_centres(path, plates, **more)


def places(table: CentreTable, plate: str = "P1") -> list[tuple[object, ...]]:
    frame = table.plates[plate]
    return frame.select("well", "field", "y_px", "x_px").rows()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "plate,well,field,y_px,x_px\nP1,b2,1,3.5,4\nP1,A01,0,1,2\n",
            [("A01", 0, 1.0, 2.0), ("B02", 1, 3.5, 4.0)],
        ),
        ("well;field;y_um;x_um\nA1;0;5;10\n", [("A01", 0, 10.0, 20.0)]),
        (
            "well\tfield\ty_px\tx_px\nA1\t0\t\t\nB2\t1\t7\t8\n",
            [("A01", 0, None, None), ("B02", 1, 7.0, 8.0)],
        ),
        (
            "Metadata_Plate,Metadata_Well,Metadata_Site,Nuclei_Location_Center_X,"
            "Nuclei_Location_Center_Y\nP1,A01,1,9,8\n",
            [("A01", 1, 8.0, 9.0)],
        ),
        (
            "Image\tName\tCentroid X µm\tCentroid Y µm\nP1_B02_f1.tif\tcell\t5\t4\n",
            [("B02", 1, 7.5, 9.5)],
        ),
        (
            "Image\tCentroid X px\tCentroid Y px\nA01_s0.tif\t5\t4\n",
            [("A01", 0, 3.5, 4.5)],
        ),
    ],
    ids=["plain", "um", "empty-field", "cellprofiler", "qupath-um", "qupath-px"],
)
def test_tables_of_every_program_give_places(
    tmp_path: Path, plate: Plate, text: str, expected: list[tuple[object, ...]]
) -> None:
    assert places(read(tmp_path, text, [plate])) == expected


def test_parquet_reads_as_its_csv(tmp_path: Path, plate: Plate) -> None:
    frame = pl.DataFrame({"well": ["A1"], "field": [1], "y_px": [2.5], "x_px": [3.0]})
    frame.write_parquet(tmp_path / "c.parquet")
    table = read_centres(tmp_path / "c.parquet", [plate])
    assert places(table) == [("A01", 1, 2.5, 3.0)]


def test_fields_are_known_by_their_names_in_the_source(
    tmp_path: Path, plate: Plate
) -> None:
    text = "well,field,y_px,x_px\nA1,2,1,1\nA1,7,2,2\n"
    path = tmp_path / "c.csv"
    path.write_text(text)
    table = read_centres(path, [plate], field_names={"P1": ["2", "07"]})
    assert places(table) == [("A01", 0, 1.0, 1.0), ("A01", 1, 2.0, 2.0)]


def test_a_pattern_reads_the_place_off_the_image(tmp_path: Path, plate: Plate) -> None:
    text = "Image,y_px,x_px\nr02c02f1-dapi.tif,4,5\n"
    pattern = r"r(?P<row>\d+)c(?P<col>\d+)f(?P<field>\d)-.*"
    with pytest.raises(InputError, match="well '0202'"):
        read(tmp_path, text, [plate], pattern=pattern)
    named = text.replace("r02c02", "B2-")
    pattern = r"(?P<well>[A-H]\d+)-f(?P<field>\d)-.*"
    assert places(read(tmp_path, named, [plate], pattern=pattern)) == [
        ("B02", 1, 4.0, 5.0)
    ]


def test_images_without_objects_were_looked_at(tmp_path: Path, plate_of: Build) -> None:
    single = plate_of("P9", n_fields=1)
    (tmp_path / "Image.csv").write_text(
        "ImageNumber,Metadata_Plate,Metadata_Well\n1,P9,A01\n2,P9,B02\n"
    )
    (tmp_path / "Nuclei.csv").write_text(
        "ImageNumber,ObjectNumber,Location_Center_X,Location_Center_Y\n1,1,3,4\n"
    )
    table = read_centres(tmp_path / "Nuclei.csv", [single])
    assert places(table, "P9") == [("A01", 0, 4.0, 3.0), ("B02", 0, None, None)]
    assert (table.n_centres, table.n_fields) == (1, 2)


BAD = """plate,well,field,y_px,x_px
P1,A1,0,1,1
P2,A1,0,1,1
P1,C5,0,1,1
P1,Z99,0,1,1
P1,A1,2,1,1
P1,A1,0,39.6,1
P1,A1,1,1,-3
"""


@pytest.mark.parametrize(
    "message",
    [
        r"CENTRES_PLACE_UNKNOWN centres.csv:3: .*plate 'P2'; known: P1",
        r"CENTRES_PLACE_UNKNOWN centres.csv:4: .*well 'C5', not imaged on P1",
        r"CENTRES_PLACE_UNKNOWN centres.csv:5: .*well 'Z99'",
        r"CENTRES_PLACE_UNKNOWN centres.csv:6: .*field '2' of A01; there are 0 to 1",
        r"CENTRES_OUTSIDE centres.csv:7-8: 2 centres of plate P1 outside 40 x 60 px",
    ],
)
def test_every_place_that_is_not_is_told_at_once(
    tmp_path: Path, plate: Plate, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, BAD, [plate])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("well,field,y_px\nA1,0,1\n", "CENTRES_COLUMN_MISSING .*no column x_px"),
        ("well,a,b\nA1,0,1\n", "CENTRES_COLUMN_MISSING .*no column y_px or y_um"),
        (
            "well,field,y_px,x_px\nA1,0,1,2\nA1,0,1e999,x\n",
            "centres.csv:3 column x_px: 'x' is no number",
        ),
        ("well,field,y_px,x_px\nA1,0,1,\n", "centres.csv:2: one of y and x is empty"),
        ("well,field,y_px,x_px\nA1,0,1,2,3,4\n", "CENTRES_FORMAT centres.csv"),
        ("", "CENTRES_"),
    ],
    ids=["no-x", "no-columns", "no-number", "half", "ragged", "empty"],
)
def test_tables_that_hold_no_centres_are_refused(
    tmp_path: Path, plate: Plate, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text, [plate])


def test_a_centre_that_stands_twice_counts_once(tmp_path: Path, plate: Plate) -> None:
    text = "well,field,y_px,x_px\nA1,0,1,2\nA1,0,1,2\nA1,0,,\n"
    table = read(tmp_path, text, [plate])
    assert places(table) == [("A01", 0, 1.0, 2.0)]
    assert [p.code for p in table.warnings] == ["CENTRES_DOUBLED"]


def labels_of(*blocks: tuple[int, slice, slice]) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint16)
    for number, rows, columns in blocks:
        labels[rows, columns] = number
    return labels


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), top=st.sampled_from([1, 5, 70000, 2**31 - 9]))
def test_a_label_s_centre_is_the_mean_of_its_pixels(seed: int, top: int) -> None:
    rng = np.random.default_rng(seed)
    labels = (rng.integers(0, 5, (9, 7)) * (top // 4 + 1)).astype(np.int64)
    known = np.unique(labels[labels > 0])
    expected = [np.argwhere(labels == k).mean(0) for k in known]
    np.testing.assert_allclose(
        label_centres(labels), np.reshape(expected, (-1, 2)), atol=1e-9
    )


@pytest.mark.parametrize("suffix", ["_cp_masks.tif", "_cp_masks.png"])
def test_label_images_give_the_middle_of_each_label(
    tmp_path: Path, plate: Plate, suffix: str
) -> None:
    cells = labels_of((3, slice(2, 5), slice(10, 13)), (9, slice(30, 32), slice(0, 4)))
    for name, labels in (("A01_f0", cells), ("B02_f1", labels_of())):
        path = tmp_path / f"{name}{suffix}"
        if suffix.endswith("png"):
            Image.fromarray(labels).save(path)
        else:
            tifffile.imwrite(path, labels)
    table = read_centres(tmp_path, [plate])
    assert places(table) == [
        ("A01", 0, 3.0, 11.0),
        ("A01", 0, 30.5, 1.5),
        ("B02", 1, None, None),
    ]


def test_pickled_masks_are_refused_with_a_remedy(tmp_path: Path, plate: Plate) -> None:
    np.save(tmp_path / "A01_seg.npy", np.zeros(3))
    for path in (tmp_path, tmp_path / "A01_seg.npy"):
        with pytest.raises(InputError, match=r"A01_seg.npy .*run code.* --save_tif"):
            read_centres(path, [plate])


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (np.zeros((40, 61), np.uint16), "40 x 61 px, fields are 40 x 60"),
        (np.zeros(SIZE, np.float32), "float32"),
        (np.full(SIZE, -1, np.int32), "negative labels"),
    ],
    ids=["size", "float", "negative"],
)
def test_images_that_are_no_labels_are_refused(
    tmp_path: Path, plate: Plate, labels: np.ndarray, found: str
) -> None:
    tifffile.imwrite(tmp_path / "A01_f0.tif", labels)
    with pytest.raises(InputError, match=f"CENTRES_FORMAT A01_f0.tif: .*{found}"):
        read_centres(tmp_path, [plate])


def test_kept_centres_tell_empty_from_never_looked_at(
    tmp_path: Path, plate: Plate
) -> None:
    table = read(tmp_path, "well,field,y_px,x_px\nA1,0,1,2\nB2,1,,\n", [plate])
    (path,) = write_centres(tmp_path, table)
    assert path == centre_path(tmp_path, "P1")
    kept = GivenCentres(path)
    np.testing.assert_array_equal(kept.of("A01", 0), [[1.0, 2.0]])
    assert kept.of("B02", 1).shape == (0, 2)  # type: ignore[union-attr]
    assert kept.of("A01", 1) is None


def test_centres_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"CENTRES_NONE .*ingest centres=PATH"):
        GivenCentres(centre_path(tmp_path, "P1"))


@pytest.mark.real
def test_the_object_table_of_a_real_plate_joins(
    shared_data: Path, plate_of: Build
) -> None:
    table = shared_data / "gastruloid_plate" / "cellprofiler_output" / "objects.csv"
    wells = " ".join(str(w) for w in PlateFormat.of(96).wells())
    joined = read_centres(table, [plate_of("G", wells, 1, (270, 270))])
    looked_at = joined.plates["G"]
    assert (joined.n_fields, joined.n_centres) == (96, 94)
    assert set(looked_at.filter(pl.col("y_px").is_null())["well"]) == {"H04", "F08"}
    first = looked_at.filter(pl.col("well") == "A01")
    np.testing.assert_allclose(first["y_px"], [148.39837], atol=1e-4)
    with pytest.raises(InputError, match=r"CENTRES_OUTSIDE objects.csv:"):
        read_centres(table, [plate_of("G", wells, 1)])
