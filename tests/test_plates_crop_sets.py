"""Labelled crops: read from a zip or a folder, refused with every problem at once."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plates.crop_labels import edit_distance
from plates.crop_sets import CropSet
from plates.problems import InputError

HEADER = "file,state,species,source_image\n"


def _png(value: int, shape: tuple[int, int] = (6, 8), mode: str = "L") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, shape[::-1], value).save(buffer, "PNG")
    return buffer.getvalue()


def _write(folder: Path, rows: str, pictures: dict[str, bytes], zipped: bool) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "crops.csv").write_text(HEADER + rows, encoding="utf-8")
    if zipped:
        with zipfile.ZipFile(folder / "crops.zip", "w") as archive:
            for name, data in pictures.items():
                archive.writestr(name, data)
    else:
        for name, data in pictures.items():
            (folder / name).write_bytes(data)
    return folder


ROWS = "a.png,old,human,i1\nb.png,young,mouse,i2\nc.png,young,human,i3\n"
PICTURES = {"a.png": _png(1), "b.png": _png(2), "c.png": _png(3)}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "folder"])
def test_crops_come_in_the_order_of_the_table(tmp_path: Path, zipped: bool) -> None:
    crops = CropSet.read(_write(tmp_path / "s", ROWS, PICTURES, zipped))

    assert (len(crops), crops.shape) == (3, (6, 8))
    assert crops.labels == ("old", "young", "young")
    assert crops.groups == ("i1", "i2", "i3")
    assert crops.images()[:, 0, 0].tolist() == [1, 2, 3]
    assert [len(block) for block in crops.stream(2)] == [2, 1]


def test_a_zip_is_never_unpacked(tmp_path: Path) -> None:
    folder = _write(tmp_path / "s", ROWS, PICTURES, zipped=True)
    CropSet.read(folder).images()

    assert {p.name for p in folder.iterdir()} == {"crops.csv", "crops.zip"}


def test_a_choice_keeps_rows_pictures_and_order(tmp_path: Path) -> None:
    crops = CropSet.read(_write(tmp_path / "s", ROWS, PICTURES, zipped=True))
    human = crops.where("species", "human")

    assert human.images()[:, 0, 0].tolist() == [1, 3]
    assert human.sha256() != crops.sha256()
    with pytest.raises(InputError, match="choose one of: human, mouse"):
        crops.where("species", "rat")


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    rows = ROWS + "c.png,young,human,i3\nd.png,old,human,i1\ne.png,,human,i1\n"
    rows += "f.png,old,human,i1\ng.png,old,human,i1\n"
    more = {"e.png": _png(4), "f.png": b"no picture", "g.png": _png(1, mode="RGBA")}
    folder = _write(tmp_path / "s", rows, PICTURES | more, zipped=True)
    with pytest.raises(InputError) as refused:
        CropSet.read(folder)

    told = {(p.code, p.where) for p in refused.value.problems}
    assert told == {
        ("CROPS_CELL_EMPTY", "crops.csv:7 column state"),
        ("IMG_DUPLICATE", "crops.csv:4-5 column file"),
        ("INPUT_MISSING", "crops.csv:6 column file"),
        ("IMG_DECODE_ERROR", "crops.csv:8 column file"),
        ("IMG_DECODE_ERROR", "crops.csv:9 column file"),
    }


def test_a_crop_of_another_size_is_named(tmp_path: Path) -> None:
    pictures = PICTURES | {"b.png": _png(2, (5, 5))}
    folder = _write(tmp_path / "s", ROWS, pictures, zipped=False)
    with pytest.raises(InputError, match=r"IMG_SHAPE_MISMATCH crops\.csv:3 .*5 x 5"):
        CropSet.read(folder)


@pytest.mark.parametrize(
    ("pixels", "form"),
    [
        (np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300, (6, 8, 1, 16)),
        (np.arange(144, dtype=np.uint8).reshape(6, 8, 3), (6, 8, 3, 8)),
    ],
    ids=["16 bits", "colour"],
)
def test_pixels_come_as_they_were_stored(
    tmp_path: Path, pixels: np.ndarray, form: tuple[int, ...]
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    stored = {"a.png": buffer.getvalue()}
    crops = CropSet.read(_write(tmp_path / "s", "a.png,old,human,i1\n", stored, True))

    assert tuple(crops.form) == form
    assert (crops.images()[0] == pixels).all()
    assert crops.images().dtype == pixels.dtype


def test_a_coloured_crop_among_grey_ones_is_named(tmp_path: Path) -> None:
    pictures = PICTURES | {"b.png": _png(2, mode="RGB")}
    folder = _write(tmp_path / "s", ROWS, pictures, zipped=True)
    with pytest.raises(InputError, match=r"IMG_SHAPE_MISMATCH crops\.csv:3 .*coloured"):
        CropSet.read(folder)


def _labelled(folder: Path, counts: dict[str, int]) -> Path:
    labels = [label for label, n in counts.items() for _ in range(n)]
    rows = "".join(f"{i}.png,{label},human,i1\n" for i, label in enumerate(labels))
    pictures = {f"{i}.png": _png(1) for i in range(len(labels))}
    return _write(folder, rows, pictures, zipped=True)


@pytest.mark.parametrize(
    ("odd", "n", "meant"),
    [("senescnt", 2, "senescent"), ("Senescent", 40, "senescent"),
     ("cyclign", 1, "cycling"), ("cyc-ling", 30, "cycling")],
)  # fmt: skip
def test_a_label_that_is_nearly_another_is_named_with_its_lines(
    tmp_path: Path, odd: str, n: int, meant: str
) -> None:
    folder = _labelled(tmp_path / "s", {"senescent": 98, "cycling": 98, odd: n})
    with pytest.raises(InputError, match="CROPS_LABEL_TYPO") as refused:
        CropSet.read(folder)

    (problem,) = refused.value.problems
    last = f"-{197 + n}" if n > 1 else ""
    assert problem.where == f"crops.csv:198{last} column state"
    assert repr(meant) in problem.why
    assert len(CropSet.read(folder, known=[odd, meant])) == 196 + n


@pytest.mark.parametrize(
    "counts",
    [
        {"grade1": 98, "grade2": 2},  # digits tell labels apart
        {"treated": 60, "untreated": 40},  # both were meant
        {"old": 90, "cold": 1},  # too short to be sure
        {"12": 98, "13": 2},
    ],
)
def test_labels_that_were_meant_pass(tmp_path: Path, counts: dict[str, int]) -> None:
    assert len(CropSet.read(_labelled(tmp_path / "s", counts))) == sum(counts.values())


@pytest.mark.parametrize(
    ("a", "b", "steps"),
    [("senescent", "senescnt", 1), ("cycling", "cyclign", 1), ("", "abc", 3),
     ("kitten", "sitting", 3), ("ca", "abc", 3)],
)  # fmt: skip
def test_edit_distance_by_hand(a: str, b: str, steps: int) -> None:
    assert edit_distance(a, b) == edit_distance(b, a) == steps


@pytest.mark.parametrize("text", ["nan", "inf", "forty", "4O"])
def test_a_value_that_is_no_number_is_named(tmp_path: Path, text: str) -> None:
    folder = _write(
        tmp_path / "s", ROWS.replace("young,mouse", f"{text},mouse"), PICTURES, True
    )
    table = (folder / "crops.csv").read_text().replace("old", "31.5")
    (folder / "crops.csv").write_text(table.replace("young,human", "22,human"))
    with pytest.raises(
        InputError, match=r"CROPS_VALUE_INVALID crops\.csv:3 column state"
    ):
        CropSet.read(folder, is_number=True)

    (folder / "crops.csv").write_text(
        (folder / "crops.csv").read_text().replace(text, "7e1")
    )
    assert CropSet.read(folder, is_number=True).values.tolist() == [31.5, 70.0, 22.0]


def test_a_cut_picture_is_named_when_decoded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    noise = rng.integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    cut = {"a.png": buffer.getvalue()[:900]}
    rows = "a.png,old,human,i1\n"
    crops = CropSet.read(_write(tmp_path / "s", rows, cut, zipped=True))
    with pytest.raises(InputError, match=r"IMG_TRUNCATED crops\.csv: a\.png"):
        crops.images()


@pytest.mark.parametrize("name", ["../x.png", "/etc/hostname"])
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.png").write_bytes(_png(1))
    folder = _write(tmp_path / "s", f"{name},old,human,i1\n", {}, zipped=False)
    with pytest.raises(InputError, match="leaves the folder"):
        CropSet.read(folder)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, "tables found: none"),
        ({"a.csv": b"", "b.csv": b""}, "tables found: a.csv, b.csv"),
        ({"a.csv": b"file,state,source_image\nx,a,b\n", "z.zip": b"PK"}, "not a zip"),
        ({"a.csv": b"file,stat\nx,a\n"}, "no column source_image"),
        ({"a.csv": b"file,stat\nx,a\n"}, "rename stat"),
    ],
    ids=["no table", "two tables", "broken zip", "no group", "near miss"],
)
def test_a_folder_that_is_no_crop_set_is_refused(
    tmp_path: Path, files: dict[str, bytes], found: str
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=found):
        CropSet.read(tmp_path)


@pytest.mark.real
def test_the_real_nuclei_are_read(shared_data: Path) -> None:
    crops = CropSet.read(shared_data / "nuclei")
    human = crops.where("species", "human")

    assert (len(crops), crops.shape, len(set(crops.groups))) == (4075, (200, 200), 32)
    assert (human.labels.count("cycling"), human.labels.count("senescent")) == (
        880,
        412,
    )
