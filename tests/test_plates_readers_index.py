"""Readers of instruments: metadata and names to planes, and what must not become one."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plates.planes import Scan
from plates.problems import InputError
from plates.readers import READERS, detect
from plates.wells import PlateFormat, Well
from tests import exports
from tests.exports import Shot, shots

DATA = Path(__file__).parents[1].parent / "shared/data"
WELLS = [(1, 1), (3, 3), (8, 12)]
EVERY = shots(WELLS, n_fields=2, n_channels=2, n_z=3, n_t=2)
MAKERS: dict[str, Callable[..., Path]] = {
    "operetta": exports.operetta,
    "imagexpress": exports.imagexpress,
    "cellvoyager": exports.cellvoyager,
}
instruments = pytest.mark.parametrize("name", MAKERS)


def scan(name: str, folder: Path, pattern: str = "") -> Scan:
    """What one reader finds."""
    return READERS[name].scan(folder, pattern)


def counts(found: Scan, plate: str) -> dict[str, int]:
    """How many different ids each axis of a plate has."""
    planes = found.for_plate(plate)
    axes = ("well", "field", "channel", "z", "t")
    return {axis: planes[axis].n_unique() for axis in axes} | {"planes": planes.height}


@instruments
def test_every_plane_of_an_export_is_where_its_metadata_say(
    tmp_path: Path, name: str
) -> None:
    MAKERS[name](tmp_path, EVERY)
    assert detect(tmp_path) == name
    found = scan(name, tmp_path)
    (facts,) = found.plates
    whole = {"well": 3, "field": 2, "channel": 2, "z": 3, "t": 2, "planes": 72}
    assert counts(found, facts.plate) == whole
    assert set(facts.wells) == {"A01", "C03", "H12"}
    assert (facts.missing, found.faults) == ((), ())
    assert len(set(facts.channels)) == 2
    assert found.planes.select("well", "field", "channel", "z", "t").is_unique().all()
    assert all(Path(path).is_file() for path in found.planes["path"])


@instruments
def test_no_index_names_what_was_looked_for(tmp_path: Path, name: str) -> None:
    assert not READERS[name].detect(tmp_path)
    looked_for = {"operetta": "Index", "imagexpress": "HTD", "cellvoyager": "mlf"}
    with pytest.raises(InputError, match=f"PLATE_META_MISSING.*{looked_for[name]}"):
        scan(name, tmp_path)
    with pytest.raises(InputError, match="FOLDER_MISSING"):
        scan(name, tmp_path / "absent")


def test_an_unknown_folder_needs_a_reader(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"READER_UNKNOWN.*no index file.*reader="):
        detect(tmp_path)
    exports.operetta(tmp_path / "a", [Shot(1, 1)])
    exports.cellvoyager(tmp_path / "b", [Shot(1, 1)])
    with pytest.raises(InputError, match=r"READER_UNKNOWN.*operetta, cellvoyager"):
        detect(tmp_path)


every_well = st.sampled_from(PlateFormat.of(1536).wells())


@settings(deadline=None, max_examples=60)
@given(
    well=every_well,
    site=st.none() | st.integers(1, 99),
    wave=st.none() | st.integers(1, 4),
    guid=st.sampled_from(["", exports.GUID, exports.GUID.lower()]),
    base=st.sampled_from(["9987", "my_plate-1", "P_A01_s1", "x.y"]),
)
def test_names_of_metaxpress_give_back_what_they_were_made_of(
    tmp_path_factory: pytest.TempPathFactory,
    well: Well,
    site: int | None,
    wave: int | None,
    guid: str,
    base: str,
) -> None:
    folder = tmp_path_factory.mktemp("ix")
    waves = [f"W{n}" for n in range(1, 5)]
    wells = [(well.row + 1, well.column + 1)]
    text = exports.htd(wells, n_sites=99, waves=waves, shape=(32, 48))
    (folder / f"{base}.HTD").write_bytes(text)
    name = f"{base}_{well}"
    name += f"_s{site}" if site is not None else ""
    name += f"_w{wave}" if wave is not None else ""
    (folder / f"{name}{guid}.tif").touch()
    (folder / f"{name}_thumb{guid or exports.GUID}.tif").touch()
    (folder / f"{name}thumb{exports.GUID}.tif").touch()
    found = scan("imagexpress", folder)
    row = found.planes.select("well", "field", "channel").row(0)
    assert found.planes.height == 1
    assert row == (str(well), str(site or 1), f"W{wave or 1}")
    assert found.n_ignored == 2
    assert found.plates[0].wells == (str(well),)


@settings(deadline=None, max_examples=40)
@given(wells=st.lists(every_well, min_size=1, max_size=3, unique=True))
@pytest.mark.parametrize("name", ["operetta", "cellvoyager"])
def test_rows_to_32_and_columns_to_48_are_read(
    tmp_path_factory: pytest.TempPathFactory, name: str, wells: list[Well]
) -> None:
    folder = tmp_path_factory.mktemp("large")
    every = shots([(w.row + 1, w.column + 1) for w in wells])
    MAKERS[name](folder, every, make=exports.touch)
    assert set(scan(name, folder).planes["well"]) == {str(w) for w in wells}


@pytest.mark.parametrize(
    "index", ["Index.idx.xml", "Index.xml", "ImageIndex.ColumbusIDX.xml"]
)
def test_an_operetta_index_goes_by_three_names(tmp_path: Path, index: str) -> None:
    exports.operetta(tmp_path, EVERY, index=index)
    found = scan("operetta", tmp_path)
    assert found.planes.height == len(EVERY)
    assert found.n_ignored == 0


def test_operetta_lengths_are_micrometres_with_y_down(tmp_path: Path) -> None:
    exports.operetta(tmp_path, [Shot(3, 3, field=2, z=4)])
    found = scan("operetta", tmp_path)
    row = found.planes.row(0, named=True)
    place = (row["x_um"], row["y_um"], row["z_um"])
    assert place == pytest.approx((600.0, -645.814, 8.0))
    assert (row["z"], row["t"], row["channel"]) == ("4", "0", "Dye 1")
    (facts,) = found.plates
    assert facts.pixel_size_um == pytest.approx(0.598)
    assert (facts.plate, facts.n_wells, facts.level_max) == ("PL1", 384, 65535)
    assert facts.acquired.startswith("2022-12-19T10:18:52")


def rewrite(folder: Path, every: list[Shot], images: list[str]) -> None:
    """Other records in the index of an export."""
    text = exports.operetta_index(every, images=images)
    (folder / "Images" / "Index.idx.xml").write_text(text, encoding="utf-8")


def test_facts_of_a_channel_may_stand_in_the_maps(tmp_path: Path) -> None:
    exports.operetta(tmp_path, [Shot(1, 1)])
    index = tmp_path / "Images" / "Index.idx.xml"
    text = index.read_text(encoding="utf-8")
    text = re.sub(r"<(ChannelName|ImageResolutionX|MaxIntensity)\b.*?</\1>", "", text)
    entry = "<ChannelName>DAPI</ChannelName><MaxIntensity>4095</MaxIntensity>"
    entry += '<ImageResolutionX Unit="um">0.3</ImageResolutionX>'
    text = text.replace("<FlatfieldProfile>", f"{entry}<FlatfieldProfile>")
    index.write_text(text.replace("HarmonyV5", "HarmonyV6"), encoding="utf-8")
    (facts,) = scan("operetta", tmp_path).plates
    assert (facts.channels, facts.level_max) == (("DAPI",), 4095)


def test_an_image_that_failed_is_a_fault_of_its_field(tmp_path: Path) -> None:
    every = shots([(1, 1), (1, 2)])
    exports.operetta(tmp_path, every)
    records = [
        exports.operetta_image(every[0], State="Failed"),
        exports.operetta_image(every[1]),
        exports.operetta_image(Shot(1, 2, field=9), ImageType="Reference"),
    ]
    rewrite(tmp_path, every, records)
    found = scan("operetta", tmp_path)
    assert found.planes["well"].to_list() == ["A02"]
    (fault,) = found.faults
    assert (fault.well, fault.field) == ("A01", "1")
    assert fault.problem.code == "IMG_ACQUISITION_ERROR"
    assert "'Failed'" in fault.problem.found


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"Row": "40"}, "EXPORT_INVALID.*row 40.*on no plate"),
        ({"Row": "x"}, "EXPORT_INVALID.*ValueError"),
        ({"Row": "2"}, "PLATE_INDEX_MISMATCH.*r01c01.*is listed as B01"),
        ({"URL": "../../etc/passwd"}, "PATH_ESCAPE.*passwd"),
        ({"URL": r"C:\images\a.tiff"}, "PATH_ESCAPE"),
        ({"URL": "http://host/a.tiff"}, "PATH_ESCAPE"),
    ],
    ids=["row 40", "no row", "other well", "dots", "drive", "network"],
)
def test_an_index_that_cannot_be_trusted_is_refused(
    tmp_path: Path, changes: dict[str, str], match: str
) -> None:
    every = shots([(1, 1), (1, 2)])
    exports.operetta(tmp_path, every)
    images = [exports.operetta_image(every[0], **changes)]
    rewrite(tmp_path, every, [*images, exports.operetta_image(every[1])])
    with pytest.raises(InputError, match=match):
        scan("operetta", tmp_path)


def test_named_but_absent_files_are_told_and_no_plane(tmp_path: Path) -> None:
    images = exports.operetta(tmp_path, EVERY)
    (images / exports.operetta_name(EVERY[5])).unlink()
    (images / exports.operetta_name(EVERY[6])).rename(
        images / exports.operetta_name(EVERY[6]).upper()
    )
    found = scan("operetta", tmp_path)
    assert found.plates[0].missing == (exports.operetta_name(EVERY[5]),)
    assert (found.planes.height, found.plates[0].n_declared) == (71, 72)


def test_the_same_plate_twice_is_refused_with_both_folders(tmp_path: Path) -> None:
    for run in ("run1", "run2"):
        exports.operetta(tmp_path / run, [Shot(1, 1)])
    with pytest.raises(InputError, match=r"PLATE_DUPLICATE PL1.*run1.*run2"):
        scan("operetta", tmp_path)
    exports.operetta(tmp_path / "run2", [Shot(1, 1)], plate="PL2")
    assert [f.plate for f in scan("operetta", tmp_path).plates] == ["PL1", "PL2"]


def test_projections_are_no_planes_of_the_stack(tmp_path: Path) -> None:
    every = shots([(1, 1)], n_channels=2, n_z=3)
    exports.imagexpress(tmp_path, [shot._replace(z=shot.z - 1) for shot in every])
    found = scan("imagexpress", tmp_path)
    assert set(found.planes["z"]) == {"1", "2"}
    assert "2 projections beside the z steps" in str(found.warnings[0])
    only = scan("imagexpress", tmp_path / "TimePoint_1" / "ZStep_0")
    assert only.planes["z"].to_list() == ["0", "0"]


def test_images_beside_the_step_folders_are_projections_too(tmp_path: Path) -> None:
    exports.imagexpress(tmp_path, shots([(1, 1)], n_z=2))
    exports.imagexpress(tmp_path, [Shot(1, 1)], z_folders=False)
    found = scan("imagexpress", tmp_path)
    assert found.planes["z"].to_list() == ["1", "2"]


def test_single_site_and_single_wave_names_are_read(tmp_path: Path) -> None:
    exports.imagexpress(tmp_path, [Shot(2, 2)], base="9987")
    (tmp_path / "TimePoint_1" / "9987.HTD").write_bytes(exports.htd([(2, 2)]))
    found = scan("imagexpress", tmp_path)
    row = found.planes.select("well", "field", "channel", "z", "t").row(0)
    assert row == ("B02", "1", "Dye 1", "", "1")
    assert found.n_ignored == 0


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            b'"XWells", twelve\r\n"YWells", 8\r\n"NWavelengths", 2\r\n',
            "XWells is 'twelve'",
        ),
        (b"nothing\r\n", "no XWells"),
        (b'"XWells", 12\r\n"YWells", 8\r\n"NWavelengths", 1\r\n', r"waves \[2\]"),
        (b'"' * (2 << 20), "LIMIT_EXCEEDED.*htd_bytes"),
    ],
    ids=["number", "other file", "waves", "size"],
)
def test_an_htd_that_cannot_be_used_is_refused(
    tmp_path: Path, text: bytes, match: str
) -> None:
    exports.imagexpress(tmp_path, shots([(1, 1)], n_channels=2))
    (tmp_path / "plate1.HTD").write_bytes(text)
    with pytest.raises(InputError, match=match):
        scan("imagexpress", tmp_path)


def test_an_htd_without_images_waits_for_them(tmp_path: Path) -> None:
    (tmp_path / "p.HTD").write_bytes(exports.htd([(1, 1)]))
    found = scan("imagexpress", tmp_path)
    assert found.planes.is_empty()
    assert found.plates[0].missing == ("p_*.TIF",)


def test_yokogawa_errors_strays_and_suffixes(tmp_path: Path) -> None:
    every = shots([(1, 1), (1, 2)], n_fields=2)
    records = [exports.yokogawa_record(shot) for shot in every[:3]]
    records.append(exports.yokogawa_record(every[3], Type="ERR", text="AF failed"))
    exports.cellvoyager(tmp_path, every[:3], records=records)
    path = tmp_path / exports.yokogawa_name(every[0])
    path.rename(path.with_suffix(".png"))
    found = scan("cellvoyager", tmp_path)
    assert found.planes.height == 3
    assert found.planes["path"][0].endswith(".png")
    (fault,) = found.faults
    assert (fault.well, fault.field) == ("A02", "2")
    assert "AF failed" in fault.problem.found
    assert found.n_ignored == 2
    assert "DC_DCAM#2_CAM4_BIN2.tif" in str(found.warnings[0])
    (facts,) = found.plates
    known = (facts.plate, facts.n_wells, facts.pixel_size_um, facts.level_max)
    assert known == ("PL1", 96, 0.325, 4095)
    assert found.planes.row(1, named=True)["y_um"] == -402.9


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"Row": "99"}, "EXPORT_INVALID.*row 99"),
        ({"Ch": "one"}, "EXPORT_INVALID.*no channel"),
        ({"Row": "5"}, "PLATE_INDEX_MISMATCH.*_A01_.*listed as E01"),
        ({"text": "../x.tif"}, "PATH_ESCAPE"),
    ],
)
def test_a_yokogawa_list_that_cannot_be_trusted_is_refused(
    tmp_path: Path, changes: dict[str, str], match: str
) -> None:
    record = exports.yokogawa_record(Shot(1, 1), **changes)
    exports.cellvoyager(tmp_path, [Shot(1, 1)], records=[record])
    with pytest.raises(InputError, match=match):
        scan("cellvoyager", tmp_path)


REAL: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "operetta": (
        "operetta",
        "Test_Sample_BALL",
        "Fluorescein (FITC)",
        {"well": 1, "field": 2, "channel": 1, "z": 1, "t": 1, "planes": 2},
    ),
    "one image": (
        "imagexpress",
        "9987_Plate_3420",
        "DAPI",
        {"well": 1, "field": 1, "channel": 1, "z": 1, "t": 1, "planes": 1},
    ),
    "z steps": (
        "imagexpress",
        "9987_Plate_3434",
        "DAPI,FITC,Texas Red",
        {"well": 2, "field": 2, "channel": 3, "z": 2, "t": 1, "planes": 24},
    ),
    "time points": (
        "imagexpress",
        "9987_Plate_3435",
        "DAPI,FITC",
        {"well": 2, "field": 2, "channel": 2, "z": 1, "t": 2, "planes": 16},
    ),
    "stacks": (
        "cv8000",
        "CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack",
        "C01,C02",
        {"well": 3, "field": 4, "channel": 2, "z": 4, "t": 1, "planes": 96},
    ),
}


@pytest.mark.real
@pytest.mark.parametrize(("tree", "plate", "channels", "n"), REAL.values(), ids=REAL)
def test_a_real_tree_holds_what_its_metadata_say(
    tree: str, plate: str, channels: str, n: dict[str, int]
) -> None:
    if not (DATA / tree).is_dir():
        pytest.skip(f"no {DATA / tree}")
    found = scan(detect(DATA / tree), DATA / tree)
    assert counts(found, plate) == n
    facts = found.facts(plate)
    assert facts.channels == tuple(channels.split(","))
    assert facts.level_max == 65535
    assert len(facts.wells) == n["well"]
    assert facts.missing == ()


@pytest.mark.real
def test_the_real_gastruloid_plate_needs_a_pattern_only() -> None:
    if not (DATA / "gastruloid_plate").is_dir():
        pytest.skip(f"no {DATA / 'gastruloid_plate'}")
    found = scan(
        "tiff_folder", DATA / "gastruloid_plate", r"(?P<col>\d\d)(?P<row>[A-H])\.tif"
    )
    assert found.planes["well"].n_unique() == 96
    assert found.planes["page"].to_list() == [None] * 96
