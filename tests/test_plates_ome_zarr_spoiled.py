"""Plates spoiled at random: told in our own words, or read as they were written."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plates import ome_zarr
from plates.planes import PlaneError
from plates.problems import FieldError, InputError
from plates.store import open_plate, plate_sha256, read_field
from plates.wells import Well
from tests.others_plates import Form, pixels_of, write_plate

FORMS = {
    "v0.4": Form(version="0.4", dtype=">u2", codec="zlib", levels=("1",)),
    "v0.5": Form(codec="crc32c"),
    "shards": Form(shard=(1, 2, 1, 32, 32), codec="crc32c"),
}
VALUES: list[Any] = [
    *(None, True, -1, 0, 1, 3, 2**31, 2**63, 10**400, 0.5, float("nan"), float("inf")),
    *("", "x", "0.9", "../..", "C:\\x", "A/1", "|O", "\0", "é" * 300),
    *([], {}, [[]], [{}], [1, 2], {"name": "pickle"}, {"id": "pickle"}),
]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with one of its keys."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def _spoil_json(path: Path, rng: random.Random) -> None:
    content = json.loads(path.read_text())
    for _ in range(rng.choice((1, 1, 1, 3))):
        container, key = rng.choice([*_places(content)] or [({"": 0}, "")])
        if rng.random() < 0.3:
            del container[key]
        else:
            container[key] = rng.choice(VALUES)
    path.write_text(json.dumps(content))


def _spoil_bytes(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    place = rng.randrange(len(data))
    kind = rng.randrange(4)
    if kind == 0:
        data[place] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[place:]
    elif kind == 2:
        data[place : place + 8] = rng.randbytes(8)
    else:
        data[place:place] = rng.randbytes(rng.randrange(1, 20))
    path.write_bytes(bytes(data))


def _same(got: Any, form: Form, well: str) -> bool:
    expected = pixels_of(form, well, 0)[0, :, 0]
    return got.shape == expected.shape and bool((got == expected).all())


def _read_all(root: Path, form: Form) -> bool:
    """Read the plate both ways; whether all that could be read is what was written."""
    right = True
    try:
        scan = ome_zarr.scan(root)
        for path in scan.planes["path"].unique():
            rows = scan.planes.filter(path=path)
            if rows.height != 2:
                continue  # told as another number of channels
            try:
                got = ome_zarr.read_planes(path, rows["page"].to_list())
            except PlaneError:
                continue
            right &= _same(np.stack(got), form, rows["well"][0])
    except InputError as error:
        right &= all(len(str(problem)) < 2000 for problem in error.problems)
    try:
        plate = open_plate(root)
        plate_sha256(plate)
        for well in plate.wells:
            try:
                right &= _same(read_field(plate, well, 0), form, str(well))
            except FieldError:
                continue
    except InputError:
        pass
    return right


def _try(root: Path, base: Path, form: Form, seed: int, n: int) -> list[str]:
    rng = random.Random(seed)
    names = sorted(p.relative_to(base) for p in base.rglob("*") if p.is_file())
    wrong = []
    for number in range(n):
        shutil.copytree(base, root)
        name = rng.choice(names)
        is_json = name.suffix == ".json" or name.name.startswith(".z")
        by_bytes = not is_json or rng.random() < 0.3
        (_spoil_bytes if by_bytes else _spoil_json)(root / name, rng)
        if not _read_all(root, form) and not is_json:
            wrong.append(f"{number}: {name}")
        shutil.rmtree(root)
    return wrong


@pytest.mark.parametrize("name", FORMS)
def test_spoiled_plates_are_told_or_whole(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    base = write_plate(tmp_path / "base", form)
    assert _read_all(base, form)
    assert _try(tmp_path / "spoiled", base, form, seed=1, n=60) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_many_spoiled_plates_are_told_or_whole(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    base = write_plate(tmp_path / "base", form)
    assert _try(tmp_path / "spoiled", base, form, seed=2, n=250) == []


def test_a_whole_plate_is_read(tmp_path: Path) -> None:
    plate = open_plate(write_plate(tmp_path / "p", FORMS["v0.5"]))
    assert _same(read_field(plate, Well(0, 0), 0), FORMS["v0.5"], "A/1")
