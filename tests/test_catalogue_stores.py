"""Rows B01-B17 and B20-B22: OME-Zarr plates of other tools with something wrong.

Each plate is scored where it lies, as part of a campaign, and ingested.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plates import ome_zarr
from plates.campaign import PlateEntry, write_campaign
from plates.killable import Done, Failed
from plates.planes import PlaneError
from plates.store import PlateSpec, open_plate, partial_path, plate_writer, read_field
from plates.store_writer import create_plate, write_field
from plates.wells import PlateFormat, Well
from screen.ledger import score_table
from tests import catalogue
from tests.catalogue import Lab, map_lines, run_verb, told
from tests.others_plates import Form, edit_json, write_group, write_plate
from tests.tiny_screen import CHANNELS

WELLS = ("A01", "A02", "A03", "B01", "B02", "B03")
PATHS = ("A/1", "A/2", "A/3", "B/1", "B/2", "B/3")
NEW = Form(
    shape=(1, 2, 1, 64, 64),
    chunk=(1, 1, 1, 64, 64),
    wells=PATHS,
    channels=CHANNELS,
    n_fields=2,
)
OLD = replace(NEW, version="0.4", dtype=">u2")
SHARDED = replace(NEW, shard=(1, 2, 1, 64, 64), chunk=(1, 1, 1, 32, 32), codec="crc32c")
FORMS = {"v0.5": NEW, "v0.4": OLD}
ROOT = Path(__file__).parents[1]


def _drawn(form: Form, path: str, field: int) -> Any:
    well = str(Well.parse(path))
    planes = [catalogue.pixels_of("P1", well, field + 1, name) for name in CHANNELS]
    return np.stack(planes)[None, :, None].astype(
        np.dtype(form.dtype).newbyteorder("=")
    )


def _lab(root: Path, form: Form = NEW) -> Lab:
    """A plate of another tool as the export, with a map of its six wells."""
    lab = Lab(root, ("P1",), PlateFormat.of(6), WELLS, form.n_fields)
    write_plate(lab.source, form, draw=_drawn)
    lab.write_map(map_lines(("P1",), WELLS))
    lab.library.write_text("compound,name,smiles\nC02,C02,CO\nC03,C03,CCO\n")
    return lab


def _ingest(lab: Lab, *words: str) -> catalogue.Ended:
    return lab.ingest("library=", "pixel_size_um=", "settle=0", *words)


def _score(lab: Lab) -> catalogue.Ended:
    """Score the plate where it lies: the campaign is the folder around the export."""
    shutil.rmtree(lab.runs, ignore_errors=True)
    write_campaign(
        lab.root,
        name="c",
        plate_format=lab.format,
        plates=[PlateEntry("P1", lab.source)],
        map_path=Path("map.csv"),
        library_path=None,
    )
    return lab.score(f"campaign={lab.root}", "min_fields_share=0.5")


def _rows(lab: Lab) -> dict[str, tuple[str, list[str]]]:
    """Status and codes by well of what was scored where it lies."""
    table = score_table(lab.runs / "r", ["P1"])
    return {row["well"]: (row["status"], row["codes"]) for row in table.to_dicts()}


def _refused(lab: Lab, code: str, *words: str) -> None:
    """Both uses refuse the plate, and nothing is written."""
    told(_score(lab), 3, code, *words)
    told(_ingest(lab), 3, code, *words)
    assert not (lab.out / "campaign.json").exists()


def _costs(lab: Lab, code: str, *words: str, fields: tuple[str, ...]) -> None:
    """Both uses leave out these fields alone, with the code; all other wells are whole."""
    _score(lab)
    rows = _rows(lab)
    assert set(rows) == set(WELLS)
    for well, (status, codes) in rows.items():
        n_lost = sum(name.split("/")[1] == well for name in fields)
        assert code in codes or not n_lost, codes
        assert status == ("SCORED", "SCORED_DEGRADED", "QUARANTINED")[n_lost], codes
    told(_ingest(lab), 4, code, *words)
    assert lab.omitted() == dict.fromkeys(fields, code)


def _meta(lab: Lab, *parts: str) -> Path:
    """The metadata file of a group of the export."""
    folder: Path = lab.source.joinpath(*parts)
    return next(folder / n for n in ("zarr.json", ".zattrs") if (folder / n).exists())


def _array(lab: Lab, *parts: str) -> Path:
    """The metadata file of an array of the export."""
    folder: Path = lab.source.joinpath(*parts)
    return next(folder / n for n in ("zarr.json", ".zarray") if (folder / n).exists())


def _chunk(lab: Lab, well: str = "A/2", field: int = 0) -> Path:
    """A file of pixels."""
    level: Path = lab.source / well / str(field) / "0"
    files = [p for p in sorted(level.rglob("*")) if p.is_file()]
    return next(p for p in files if not p.name.startswith(".") and p.suffix != ".json")


def _ome(content: dict[str, Any]) -> dict[str, Any]:
    """The NGFF block of a group's metadata, of either version."""
    block: dict[str, Any] = content.get("attributes", {}).get("ome", content)
    return block


def _plate_block(change: Callable[[dict[str, Any]], object]) -> Any:
    return lambda content: change(_ome(content)["plate"])


class _InProcess:
    """A pool that does the work itself: children take seconds to start."""

    n_processes = 1

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> "_InProcess":
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, function: Any, items: Iterable[Any], **_: object) -> Iterator[Any]:
        """One result an item, as the pool gives them."""
        for item in items:
            try:
                result: Any = Done(function(item))
            except Exception as error:
                result = Failed(error)
            yield result


@pytest.fixture(autouse=True)
def _no_children(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "a_whole_plate_goes" not in request.node.name:
        monkeypatch.setattr("screen.ingest.KillablePool", _InProcess)


both = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())


@both
def test_a_whole_plate_goes_through_every_verb(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    told(_score(lab), 0)
    in_place = score_table(lab.runs / "r", ["P1"])
    assert set(in_place["status"]) == {"SCORED"}
    shutil.rmtree(lab.runs)
    told(_ingest(lab), 0)
    told(lab.score(), 0)
    told(lab.call(), 0)
    assert lab.rows().equals(in_place)
    plate = open_plate(lab.campaign().plates[0].path)
    np.testing.assert_array_equal(
        read_field(plate, Well(1, 2), 1), _drawn(form, "B/3", 1)[0, :, 0]
    )


@both
def test_B01_metadata_of_the_plate_are_missing(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    _meta(lab).unlink()
    told(_score(lab), 3, "PLATE_META_MISSING", "zarr.json", ".zattrs")
    told(_ingest(lab, "reader=ome_zarr"), 3, "PLATE_META_MISSING", str(lab.source))


def test_B01_a_group_that_is_no_plate(tmp_path: Path) -> None:
    lab = _lab(tmp_path)
    edit_json(_meta(lab), lambda c: _ome(c).pop("plate"))
    told(_score(lab), 3, "PLATE_META_MISSING", "ome.plate")
    told(_ingest(lab, "reader=ome_zarr"), 3, "PLATE_META_MISSING", "ome.plate")


@both
def test_B01_metadata_of_a_well_are_missing(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    _meta(lab, "A", "2").unlink()
    fields = ("P1/A02/f00", "P1/A02/f01")
    _costs(lab, "FIELD_META_MISSING", "P1/A02", "well", fields=fields)


@both
def test_B01_metadata_of_an_image_are_missing(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    _meta(lab, "A", "2", "1").unlink()
    _costs(lab, "FIELD_META_MISSING", "P1/A02", fields=("P1/A02/f01",))


@both
def test_B02_wells_listed_and_not_there(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    shutil.rmtree(lab.source / "A/2")
    shutil.rmtree(lab.source / "B/2")
    lab.edit_map(lambda text: text.replace("B02,,,vehicle", "B02,,,no_cells"))
    ended = _ingest(lab)
    told(
        ended, ended.code, "WELL_MISSING", "2 wells are listed and not there: A02, B02"
    )
    for use in (_score, Lab.score):
        shutil.rmtree(lab.runs, ignore_errors=True)
        told(use(lab), 4)
        rows = _rows(lab)
        assert rows["A02"] == ("QUARANTINED", ["WELL_MISSING"])
        assert rows["B02"] == ("ABSENT", ["WELL_MISSING"])
        assert rows["A01"][0] == "SCORED"


@both
def test_B03_wells_there_and_not_listed(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    edit_json(_meta(lab), _plate_block(lambda plate: plate["wells"].pop(1)))
    fields = ("P1/A02/f00", "P1/A02/f01")
    _costs(lab, "WELL_UNLISTED", "P1/A02", "does not list it", fields=fields)


@pytest.mark.parametrize("kind", ["swapped", "shifted", "row of columns"])
@both
def test_B04_indices_that_contradict_the_path(
    tmp_path: Path, form: Form, kind: str
) -> None:
    lab = _lab(tmp_path, form)

    def spoil(plate: dict[str, Any]) -> None:
        for well in plate["wells"]:
            row, column = well["rowIndex"], well["columnIndex"]
            if kind == "swapped":
                well.update(rowIndex=column, columnIndex=row)
            elif kind == "shifted":
                well["columnIndex"] = (column + 1) % 3
        if kind == "row of columns":
            plate["rows"], plate["columns"] = plate["columns"], plate["rows"]

    edit_json(_meta(lab), _plate_block(spoil))
    _refused(lab, "PLATE_INDEX_MISMATCH", "A/2 with rowIndex", ";")


@pytest.mark.parametrize(
    "axes",
    [None, [], ["q", "c", "z", "y", "x"], ["t", "c", "z", "y", "y"], ["y", "x"]],
    ids=["none", "empty", "unknown", "doubled", "too few"],
)
@both
def test_B05_axes_without_names_are_never_guessed(
    tmp_path: Path, form: Form, axes: list[str] | None
) -> None:
    lab = _lab(tmp_path, form)

    def spoil(content: dict[str, Any]) -> None:
        multiscale = _ome(content)["multiscales"][0]
        multiscale.pop("axes")
        if axes is not None:
            multiscale["axes"] = [{"name": name} for name in axes]

    for path in PATHS:
        edit_json(_meta(lab, path, "0"), spoil)
    _refused(lab, "AXES_UNKNOWN", "needed" if axes != ["y", "x"] else "shape")


def test_B05_names_of_the_array_must_agree(tmp_path: Path) -> None:
    lab = _lab(tmp_path)
    names = ["t", "z", "c", "y", "x"]
    edit_json(_array(lab, "A/1/0/0"), lambda c: c.update(dimension_names=names))
    _refused(lab, "AXES_UNKNOWN", "'z', 'c'")


@pytest.mark.parametrize("axes", ["cyx", "yxc", "xyzct", "zcyx"])
def test_B05_axes_in_any_order_are_read_by_name(tmp_path: Path, axes: str) -> None:
    lab = _lab(tmp_path, replace(OLD, axes=axes))
    told(_score(lab), 0)
    assert {status for status, _ in _rows(lab).values()} == {"SCORED"}
    told(_ingest(lab), 0)
    plate = open_plate(lab.campaign().plates[0].path)
    expected = _drawn(OLD, "A/3", 0)[0, :, 0]
    np.testing.assert_array_equal(read_field(plate, Well(0, 2), 0), expected)


@both
def test_B06_level_0_is_missing(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    shutil.rmtree(lab.source / "A/2/0/0")
    _costs(lab, "FIELD_META_MISSING", "level 0", fields=("P1/A02/f00",))


@pytest.mark.parametrize("kind", ["missing", "larger"])
@both
def test_B06_other_levels_are_only_told(tmp_path: Path, form: Form, kind: str) -> None:
    lab = _lab(tmp_path, replace(form, levels=("1", "2")))
    if kind == "missing":
        shutil.rmtree(lab.source / "A/1/0/1")
    else:
        edit_json(_array(lab, "A/1/0/1"), lambda c: c.update(shape=[1, 2, 1, 128, 128]))
    for use in (_score, _ingest):
        told(use(lab), 0, "PYRAMID_INCOMPLETE", "'1'", "nothing is lost")


@pytest.mark.parametrize("form", [NEW, OLD, SHARDED], ids=["v0.5", "v0.4", "shards"])
def test_B07_a_missing_chunk_is_never_zeros(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    name = _chunk(lab)
    name.unlink()
    _costs(lab, "CHUNK_MISSING", "P1/A02/f00", name.name, fields=("P1/A02/f00",))


def test_B07_a_missing_chunk_within_a_shard(tmp_path: Path) -> None:
    lab = _lab(tmp_path, replace(SHARDED, codec="crc32c"))
    _edit_index(_chunk(lab), 8, lambda index: index.__setitem__(3, 2**64 - 1))
    _costs(lab, "CHUNK_MISSING", "chunk 3", fields=("P1/A02/f00",))


@pytest.mark.parametrize("form", [NEW, OLD, SHARDED], ids=["v0.5", "v0.4", "shards"])
def test_B08_a_file_of_no_bytes_is_never_zeros(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    _chunk(lab).write_bytes(b"")
    _costs(lab, "CHUNK_EMPTY", "P1/A02/f00", "0 bytes", fields=("P1/A02/f00",))


@pytest.mark.parametrize("n_cut", [1, 4, 60])
@pytest.mark.parametrize("codec", ["none", "blosc", "zstd", "gzip"])
def test_B09_every_codec_sees_that_its_chunk_ends_early(
    tmp_path: Path, codec: str, n_cut: int
) -> None:
    lab = _lab(tmp_path, replace(NEW, codec=codec))
    file = _chunk(lab)
    file.write_bytes(file.read_bytes()[:-n_cut])
    with pytest.raises(PlaneError, match="CHUNK_CORRUPT") as caught:
        ome_zarr.read_planes(str(lab.source / "A/2/0"), [0])
    assert str(file) in caught.value.found


def test_B09_a_truncated_chunk_costs_its_field(tmp_path: Path) -> None:
    lab = _lab(tmp_path, OLD)
    file = _chunk(lab)
    file.write_bytes(file.read_bytes()[:-3])
    _costs(lab, "CHUNK_CORRUPT", "Blosc", fields=("P1/A02/f00",))


@pytest.mark.parametrize("form", [SHARDED, replace(NEW, codec="gzip")], ids=["c", "g"])
def test_B10_a_flipped_bit_is_seen_by_a_checksum(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    file = _chunk(lab)
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 16
    file.write_bytes(data)
    _costs(lab, "CHUNK_CORRUPT", "P1/A02/f00", fields=("P1/A02/f00",))
    assert "NO_PIXEL_CHECKSUM" not in _score(lab).text


@both
def test_B10_pixels_without_a_checksum_are_flagged(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    for use in (_score, _ingest):
        told(use(lab), 0, "NO_PIXEL_CHECKSUM", "P1", "not noticed")
    told(lab.call(), 0)
    told(run_verb("report", f"runs={lab.runs}", "run=r"), 0)
    page = (lab.runs / "r" / "report.html").read_text()
    assert "NO_PIXEL_CHECKSUM (1 plates: P1): the pixels carry no checksum" in page


def _edit_index(shard: Path, n_chunks: int, change: Any) -> None:
    """Change the (start, length) numbers of a shard's index; its checksum is made anew."""
    import google_crc32c

    data = shard.read_bytes()
    n_bytes = 16 * n_chunks
    index = np.frombuffer(data[-n_bytes - 4 : -4], "<u8").copy().reshape(-1, 2)
    change(index)
    body = index.tobytes()
    check = int(google_crc32c.value(body)).to_bytes(4, "little")
    shard.write_bytes(data[: -n_bytes - 4] + body + check)


@pytest.mark.parametrize(
    "kind", ["cut", "cut to its start", "index flipped", "index outside", "huge"]
)
def test_B11_a_damaged_shard_costs_its_field(tmp_path: Path, kind: str) -> None:
    lab = _lab(tmp_path, SHARDED)
    file = _chunk(lab)
    data = file.read_bytes()
    if kind == "cut":
        file.write_bytes(data[:-7])
    elif kind == "cut to its start":
        file.write_bytes(data[:50])
    elif kind == "index flipped":
        file.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    elif kind == "index outside":
        _edit_index(file, 8, lambda index: index.__setitem__((2, 0), len(data)))
    else:
        _edit_index(file, 8, lambda index: index.__setitem__((2, 1), 2**62))
    _costs(lab, "CHUNK_CORRUPT", "P1/A02/f00", fields=("P1/A02/f00",))


@both
def test_B12_leftovers_of_killed_writers_are_ignored(
    tmp_path: Path, form: Form
) -> None:
    lab = _lab(tmp_path, form)
    file = _chunk(lab)
    for name in (f".{file.name}.123.partial", f"{file.name}.partial", "x.tmp"):
        (file.parent / name).write_bytes(b"half")
    (lab.source / ".A.partial").mkdir()
    (lab.source / "A" / ".2.tmp").mkdir()
    for use in (_score, _ingest):
        told(use(lab), 0)
    assert lab.omitted() == {}


def _codec(content: dict[str, Any], name: str, place: str) -> None:
    """Put a codec into an array's metadata, first, last or as the compressor."""
    if content["zarr_format"] == 2:
        entry = {"id": name}
        listed = content.get("filters") or []
        content["filters"] = [entry, *listed] if place == "first" else [*listed, entry]
        if place == "compressor":
            content["filters"], content["compressor"] = None, entry
        return
    listed = content["codecs"]
    if place == "inside":
        listed = listed[0]["configuration"]["codecs"]
    if place == "index":
        listed = listed[0]["configuration"]["index_codecs"]
    listed.insert(0 if place == "first" else len(listed), {"name": name})


@both
def test_B13_an_unknown_codec(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    edit_json(_array(lab, "A/1/0/0"), lambda c: _codec(c, "mystery", "last"))
    _refused(lab, "ZARR_UNSUPPORTED", "'mystery'", "blosc", "zstd")


@pytest.mark.parametrize(
    "kind", ["0.9", "0.6", "0.3", "no version", "v4", "both", "array v2", "array v3"]
)
def test_B13_versions_that_are_not_read_or_mixed(tmp_path: Path, kind: str) -> None:
    lab = _lab(tmp_path, OLD if kind in ("0.3", "array v3") else NEW)
    if kind in ("0.9", "0.6"):
        edit_json(_meta(lab), lambda c: _ome(c).update(version=kind))
    elif kind == "0.3":
        edit_json(_meta(lab), lambda c: c["plate"].update(version="0.3"))
    elif kind == "no version":
        edit_json(_meta(lab), lambda c: _ome(c).pop("version"))
    elif kind == "v4":
        edit_json(_meta(lab), lambda c: c.update(zarr_format=4))
    elif kind == "both":
        write_group(lab.source, OLD, {"plate": {}})
    else:
        other = OLD if kind == "array v2" else NEW
        shutil.rmtree(lab.source / "A/1/0/0")
        strange = write_plate(tmp_path / "other", other)
        shutil.move(strange / "A/1/0/0", lab.source / "A/1/0/0")
    _refused(lab, "ZARR_UNSUPPORTED", "0.4")


def test_B13_stale_consolidated_metadata_are_ignored(tmp_path: Path) -> None:
    lab = _lab(tmp_path, OLD)
    stale = {"zarr_consolidated_format": 1, "metadata": {".zattrs": {"plate": {}}}}
    (lab.source / ".zmetadata").write_text(json.dumps(stale))
    told(_score(lab), 0)
    new = _lab(tmp_path / "new")
    edit_json(_meta(new), lambda c: c.update(consolidated_metadata={"metadata": {}}))
    told(_ingest(new), 0)


@pytest.mark.parametrize(
    ("form", "name", "place"),
    [
        (OLD, "pickle", "first"),
        (OLD, "pickle", "last"),
        (OLD, "pickle", "compressor"),
        (OLD, "json2", "first"),
        (OLD, "vlen-utf8", "last"),
        (NEW, "numcodecs.pickle", "first"),
        (NEW, "numcodecs.pickle", "last"),
        (NEW, "vlen-utf8", "first"),
        (SHARDED, "numcodecs.pickle", "inside"),
        (SHARDED, "numcodecs.msgpack2", "index"),
    ],
)
def test_B14_no_codec_outside_the_list_in_any_place(
    tmp_path: Path, form: Form, name: str, place: str
) -> None:
    lab = _lab(tmp_path, form)
    edit_json(_array(lab, "A/1/0/0"), lambda c: _codec(c, name, place))
    _refused(lab, "CODEC_NOT_ALLOWED", repr(name))


@pytest.mark.parametrize("dtype", ["|O", "object", [["a", "<u2"]]])
@both
def test_B14_no_objects_for_pixels(tmp_path: Path, form: Form, dtype: object) -> None:
    lab = _lab(tmp_path, form)
    key = "dtype" if form.version == "0.4" else "data_type"
    edit_json(_array(lab, "A/1/0/0"), lambda c: c.update({key: dtype}))
    _refused(lab, "CODEC_NOT_ALLOWED", "pixels of type")


def test_B14_a_pickle_in_the_store_is_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    lab = _lab(tmp_path / "lab", OLD)
    edit_json(_array(lab, "A/1/0/0"), lambda c: _codec(c, "pickle", "first"))
    _chunk(lab, "A/1").write_bytes(b"cposix\nsystem\n(S'touch %s'\ntR." % bytes(marker))
    _refused(lab, "CODEC_NOT_ALLOWED", "'pickle'")
    assert not marker.exists()


def _huge(content: dict[str, Any], chunk: int) -> None:
    """A plane of 10^7 x 10^7 pixels."""
    content["shape"] = [1, 2, 1, 10**7, 10**7]
    sizes = [1, 1, 1, chunk, chunk]
    if content["zarr_format"] == 2:
        content["chunks"] = sizes
    else:
        content["chunk_grid"]["configuration"]["chunk_shape"] = sizes


BOMBS: dict[str, tuple[Callable[[Lab], None], str]] = {
    "plane": (
        lambda lab: edit_json(_array(lab, "A/1/0/0"), lambda c: _huge(c, 16384)),
        "plane_px",
    ),
    "chunk": (
        lambda lab: edit_json(_array(lab, "A/1/0/0"), lambda c: _huge(c, 10**7)),
        "chunk_bytes",
    ),
    "chunks": (
        lambda lab: edit_json(_array(lab, "A/1/0/0"), lambda c: _huge(c, 1)),
        "chunks",
    ),
    "depth": (
        lambda lab: void(_meta(lab).write_text('{"a":' * 65536 + "1" + "}" * 65536)),
        "json_depth",
    ),
    "some depth": (
        lambda lab: edit_json(_meta(lab), lambda c: c.update(a=_nest(100))),
        "json_depth",
    ),
    "json": (
        lambda lab: edit_json(_meta(lab), lambda c: c.update(a="x" * 17_000_000)),
        "json_bytes",
    ),
}


def void(_: object) -> None:
    """Drop a value."""


def _nest(depth: int) -> list[Any]:
    return [_nest(depth - 1)] if depth else []


@pytest.mark.parametrize("kind", BOMBS)
@both
def test_B15_a_bomb_is_refused_before_it_is_allocated(
    tmp_path: Path, form: Form, kind: str
) -> None:
    lab = _lab(tmp_path, form)
    spoil, limit = BOMBS[kind]
    spoil(lab)
    started = time.perf_counter()
    _refused(lab, "LIMIT_EXCEEDED", f"limit {limit}=")
    assert time.perf_counter() - started < 4


def test_B15_a_bomb_of_200_bytes_under_a_cap_of_2_gb(tmp_path: Path) -> None:
    lab = _lab(tmp_path, OLD)
    bomb = {"zarr_format": 2, "shape": [10**7, 10**7], "chunks": [10**7, 10**7]}
    bomb |= {"dtype": "<u2", "compressor": {"id": "zlib"}, "filters": None}
    text = json.dumps({**bomb, "fill_value": 0, "order": "C"})
    assert len(text) < 200
    _array(lab, "A/1/0/0").write_text(text)
    words = lab.words("library=", "settle=0", "pixel_size_um=")
    command = f"ulimit -v 2000000; exec {sys.executable} -m screen ingest " + " ".join(
        map(str, words)
    )
    started = time.perf_counter()
    ended = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    seconds = time.perf_counter() - started
    assert ended.returncode == 3, ended.stderr
    assert "LIMIT_EXCEEDED" in ended.stderr
    assert seconds < 10  # of a machine that does other things too


@pytest.mark.parametrize(
    "path",
    ["../../x", "/etc", "A/../B", "C:\\plates\\A", "..\\x", "http://x/y", "A//1"],
)
@both
def test_B16_paths_that_lead_out(tmp_path: Path, form: Form, path: str) -> None:
    lab = _lab(tmp_path, form)
    edit_json(_meta(lab), _plate_block(lambda p: p["wells"][1].update(path=path)))
    _refused(lab, "PATH_ESCAPE", "path")


def test_B16_paths_of_images_and_levels_that_lead_out(tmp_path: Path) -> None:
    lab = _lab(tmp_path)
    edit_json(
        _meta(lab, "A/1"),
        lambda c: _ome(c)["well"]["images"][0].update(path="../../../secret"),
    )
    _refused(lab, "PATH_ESCAPE", "secret")
    lab = _lab(tmp_path)
    edit_json(
        _meta(lab, "A/1/0"),
        lambda c: _ome(c)["multiscales"][0]["datasets"][0].update(path="../../../x"),
    )
    _refused(lab, "PATH_ESCAPE", "x")


@pytest.mark.parametrize("kind", ["metadata", "image", "loop", "fifo", "device"])
def test_B16_links_out_pipes_and_devices(tmp_path: Path, kind: str) -> None:
    lab = _lab(tmp_path / "lab")
    target = _meta(lab, "A/1/0")
    away = tmp_path / "away"
    if kind == "image":
        shutil.move(lab.source / "A/1/0", away)
        (lab.source / "A/1/0").symlink_to(away)
    elif kind == "metadata":
        shutil.move(target, away)
        target.symlink_to(away)
    else:
        target.unlink()
        if kind == "loop":
            target.symlink_to(target.name)
        elif kind == "fifo":
            os.mkfifo(target)
        else:
            target.symlink_to("/dev/zero")
    _refused(lab, "PATH_ESCAPE", "A/1/0")


def test_B16_a_link_of_a_chunk_out_of_the_plate(tmp_path: Path) -> None:
    lab = _lab(tmp_path / "lab")
    file = _chunk(lab)
    shutil.move(file, tmp_path / "away")
    file.symlink_to(tmp_path / "away")
    told(_ingest(lab), 3, "PATH_ESCAPE", "A/2/0")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("kind", ["chunk", "image", "plate"])
def test_B17_what_may_not_be_read_is_not_missing(tmp_path: Path, kind: str) -> None:
    lab = _lab(tmp_path)
    target = {"chunk": _chunk(lab), "image": _meta(lab, "A/1/0"), "plate": _meta(lab)}
    target[kind].chmod(0)
    _refused_forbidden(lab)


@pytest.mark.parametrize("kind", ["chunk", "image", "plate"])
def test_B17_a_denied_file_is_not_missing(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = _lab(tmp_path)
    target = {"chunk": _chunk(lab), "image": _meta(lab, "A/1/0"), "plate": _meta(lab)}
    tail = str(target[kind].relative_to(lab.source))
    real = Path.read_bytes

    def denied(path: Path) -> bytes:
        if str(path).endswith(tail) and (
            "P1.zarr" in str(path) or "export" in str(path)
        ):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    _refused_forbidden(lab)


def _refused_forbidden(lab: Lab) -> None:
    ended = _score(lab)
    told(ended, 3, "STORE_FORBIDDEN")
    assert "CHUNK_MISSING" not in ended.text


@both
def test_B20_separators_of_windows_are_read(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)

    def spoil(plate: dict[str, Any]) -> None:
        for well in plate["wells"]:
            well["path"] = well["path"].replace("/", "\\")

    edit_json(_meta(lab), _plate_block(spoil))
    for use in (_score, _ingest):
        told(use(lab), 0)


@both
def test_B20_case_and_zeros_do_not_hide_a_well(tmp_path: Path, form: Form) -> None:
    lab = _lab(tmp_path, form)
    os.rename(lab.source / "A", lab.source / "a")
    os.rename(lab.source / "B/2", lab.source / "B/02")
    told(_score(lab), 0)
    assert {status for status, _ in _rows(lab).values()} == {"SCORED"}
    told(_ingest(lab), 0)
    assert lab.omitted() == {}


@pytest.mark.parametrize("twin", ["a/2", "A/02"])
@both
def test_B20_two_folders_of_one_well_collide(
    tmp_path: Path, form: Form, twin: str
) -> None:
    lab = _lab(tmp_path, form)
    shutil.copytree(lab.source / "A/2", lab.source / twin)
    _refused(lab, "PATH_COLLISION", "A/2", twin, "one well")


def test_B20_a_well_listed_twice_collides(tmp_path: Path) -> None:
    lab = _lab(tmp_path)
    edit_json(_meta(lab), _plate_block(lambda p: p["wells"].append(p["wells"][1])))
    _refused(lab, "PATH_COLLISION", "A/2 and A/2")


def _zipped(lab: Lab) -> Path:
    """Put a zip file in place of the export's folder."""
    archive = lab.root / "packed.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(lab.source.rglob("*")):
            file.write(path, path.relative_to(lab.source))
    shutil.rmtree(lab.source)
    return archive.rename(lab.source)


def test_B21_a_whole_zip_is_a_plate(tmp_path: Path) -> None:
    lab = _lab(tmp_path, OLD)
    _zipped(lab)
    told(_score(lab), 0)
    assert {status for status, _ in _rows(lab).values()} == {"SCORED"}
    told(_ingest(lab, "reader=ome_zarr"), 0)
    assert lab.omitted() == {}


@pytest.mark.parametrize(
    "kind", ["cut", "cut to nothing", "no zip", "dots", "absolute", "link", "twice"]
)
def test_B21_a_zip_that_is_not_safe_or_not_whole(tmp_path: Path, kind: str) -> None:
    lab = _lab(tmp_path, OLD)
    archive = _zipped(lab)
    data = archive.read_bytes()
    if kind.startswith("cut"):
        archive.write_bytes(data[: len(data) // 2 if kind == "cut" else 0])
    elif kind == "no zip":
        archive.write_bytes(b"plate" * 100)
    else:
        info = zipfile.ZipInfo({"dots": "A/../../x", "absolute": "/x"}.get(kind, "x"))
        if kind == "link":
            info.external_attr = 0o120777 << 16
        with (
            zipfile.ZipFile(archive, "a") as file,
            pytest.warns() if (kind == "twice") else _quiet(),
        ):
            file.writestr(".zattrs" if kind == "twice" else info, b"/etc/passwd")
    told(_score(lab), 3, "ARCHIVE_INVALID")
    told(_ingest(lab, "reader=ome_zarr"), 3, "ARCHIVE_INVALID", str(lab.source))


def _quiet() -> Any:
    import contextlib

    return contextlib.nullcontext()


def test_B21_a_flipped_bit_in_a_zip_is_seen(tmp_path: Path) -> None:
    lab = _lab(tmp_path, OLD)
    name = _chunk(lab).relative_to(lab.source).as_posix()
    archive = _zipped(lab)
    with zipfile.ZipFile(archive) as file:
        info = file.getinfo(name)
    data = bytearray(archive.read_bytes())
    data[info.header_offset + 30 + len(name) + 200] ^= 1
    archive.write_bytes(data)
    _score(lab)
    assert _rows(lab)["A02"] == ("SCORED_DEGRADED", ["CHUNK_CORRUPT"])


def test_B22_every_writer_owns_whole_shards(tmp_path: Path) -> None:
    spec = PlateSpec(
        plate="P1",
        format=PlateFormat.of(6),
        wells=(Well(0, 0),),
        n_fields=2,
        channels=CHANNELS,
        pixel_size_um=0.65,
        field_shape=(2, 2500, 1300),
        dtype="uint16",
        n_z=2,
        z_step_um=1.0,
        n_levels=3,
    )
    for level in range(spec.n_levels):
        layout = spec.level_layout(level)
        assert all(n >= m for n, m in zip(layout.shard, layout.shape, strict=True))
        assert all(n % m == 0 for n, m in zip(layout.shard, layout.chunk, strict=True))
    part = partial_path(tmp_path / "p.ome.zarr")
    create_plate(part, spec)
    whole = np.ones(spec.stack_shape, np.uint16)
    for wrong in (whole[..., :100], whole[:, :1], whole[:, :, :1]):
        with pytest.raises(ValueError, match="field must be"):
            write_field(part, spec, Well(0, 0), 0, wrong)
    write_field(part, spec, Well(0, 0), 0, whole)
    shards = [p for p in part.rglob("*") if p.is_file() and "c" in p.parts]
    assert len(shards) == spec.n_levels  # one file a level: no two writers share one


def test_B22_the_dask_view_has_one_chunk_a_shard(tmp_path: Path) -> None:
    from plates.store import as_stack

    lab = _lab(tmp_path, replace(SHARDED, n_fields=1))
    stack = as_stack(open_plate(lab.source))
    assert stack.data.chunksize == (1, 1, 2, 64, 64)
    spec = replace(open_plate(lab.source).spec, n_fields=1)
    with plate_writer(tmp_path / "own.ome.zarr", spec) as write:
        for number, well in enumerate(spec.wells):
            write(well, 0, stack[number, 0].to_numpy())
    own = open_plate(tmp_path / "own.ome.zarr")
    assert as_stack(own).equals(stack)
