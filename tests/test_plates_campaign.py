"""Campaigns: the parts fit together, or every misfit is named at once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plates.campaign import Campaign, PlateEntry, slug, write_campaign
from plates.problems import InputError
from plates.store import PlateSpec, plate_writer
from plates.wells import PlateFormat, Well

A1 = Well.parse("A01")


def make_plate(root: Path, plate: str, **changes: Any) -> PlateEntry:
    """A plate of one well on disk."""
    values: dict[str, Any] = {
        "plate": plate,
        "format": PlateFormat.of(96),
        "wells": (A1,),
        "n_fields": 1,
        "channels": ("DNA",),
        "pixel_size_um": 0.65,
        "field_shape": (1, 4, 4),
        "dtype": "uint16",
    }
    spec = PlateSpec(**{**values, **changes})
    path = root / "plates" / f"{slug(plate)}.ome.zarr"
    path.parent.mkdir(parents=True, exist_ok=True)
    with plate_writer(path, spec) as write:
        write(A1, 0, np.ones(spec.field_shape, spec.dtype))
    return PlateEntry(plate, path)


def write_map(root: Path, *plates: str) -> Path:
    """A plate map with one vehicle well a plate."""
    header = "plate,well,compound,concentration_um,role,state,replicate,batch"
    lines = [f"{plate},A01,DMSO,,vehicle,stressed,1,b1" for plate in plates]
    path = root / "plate_map.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A whole campaign of two plates and a compound."""
    entries = [make_plate(tmp_path, plate) for plate in ("P01", "P02")]
    map_path = write_map(tmp_path, "P01", "P02")
    (tmp_path / "compounds.csv").write_text("compound,smiles\nDMSO,CS(C)=O\n")
    write_campaign(
        tmp_path,
        name="pilot",
        plate_format=PlateFormat.of(96),
        plates=entries,
        map_path=map_path,
        library_path=tmp_path / "compounds.csv",
    )
    return tmp_path


def edit(root: Path, **changes: Any) -> None:
    """Change campaign.json."""
    path = root / "campaign.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def codes(root: Path) -> list[str]:
    """The codes with which a campaign is refused."""
    with pytest.raises(InputError) as raised:
        Campaign.open(root)
    return [problem.code for problem in raised.value.problems]


def test_a_campaign_opens_as_it_was_written(root: Path) -> None:
    campaign = Campaign.open(root)
    assert (campaign.name, campaign.format) == ("pilot", PlateFormat.of(96))
    assert [entry.plate for entry in campaign.plates] == ["P01", "P02"]
    assert campaign.map.plates == ("P01", "P02")
    assert campaign.library is not None
    assert campaign.open_plate("P02").plate == "P02"
    with pytest.raises(KeyError, match="no plate P3, it has: P01, P02"):
        campaign.open_plate("P3")


def test_a_campaign_may_be_moved(root: Path, tmp_path: Path) -> None:
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    root.rename(moved)
    assert Campaign.open(moved).plates[0].path.is_relative_to(moved)


def test_a_library_is_not_needed(root: Path) -> None:
    edit(root, library=None)
    assert Campaign.open(root).library is None


def test_plates_of_map_and_disk_must_be_the_same(root: Path) -> None:
    write_map(root, "P01", "P20")
    with pytest.raises(InputError) as raised:
        Campaign.open(root)
    text = str(raised.value)
    assert "PLATE_MISSING" in text
    assert "plate 'P20' of the map is not in the campaign (nearest: P02" in text
    assert "MAP_PLATE_UNKNOWN" in text
    assert "plate 'P02' is not in the map (nearest: P20" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schema": 2}, ["SCHEMA_UNSUPPORTED"]),
        ({"name": ""}, ["CAMPAIGN_INVALID"]),
        ({"n_wells": 100}, ["CAMPAIGN_INVALID"]),
        ({"n_wells": True}, ["CAMPAIGN_INVALID"]),
        ({"n_wells": 384}, ["PLATE_FORMAT_MISMATCH"] * 2),
        ({"map": "../plate_map.csv"}, ["PATH_ESCAPE"]),
        ({"map": "/etc/passwd"}, ["PATH_ESCAPE"]),
        ({"map": None, "name": 3}, ["CAMPAIGN_INVALID", "CAMPAIGN_INVALID"]),
        ({"plates": []}, ["CAMPAIGN_INVALID", "PLATE_MISSING", "PLATE_MISSING"]),
    ],
    ids=str,
)
def test_a_campaign_that_does_not_fit_is_refused(
    root: Path, changes: dict[str, Any], expected: list[str]
) -> None:
    edit(root, **changes)
    assert codes(root) == expected


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 99_999], ids=range(4))
def test_a_file_that_is_no_campaign_is_refused(root: Path, text: str) -> None:
    (root / "campaign.json").write_text(text)
    assert codes(root) == ["CAMPAIGN_INVALID"]


def test_a_folder_without_a_campaign_is_refused(tmp_path: Path) -> None:
    assert codes(tmp_path) == ["CAMPAIGN_MISSING"]


def test_a_plate_that_is_not_on_disk_is_named(root: Path) -> None:
    (root / "plates/P02.ome.zarr").rename(root / "elsewhere")
    assert codes(root) == ["PLATE_MISSING"]


def test_a_plate_listed_twice_is_refused(root: Path) -> None:
    entry = {"plate": "P01", "path": "plates/P01.ome.zarr"}
    edit(root, plates=[entry, entry])
    assert codes(root) == ["PLATE_DUPLICATE", "PLATE_DUPLICATE", "PLATE_MISSING"]


def test_a_store_under_another_id_is_refused(root: Path) -> None:
    paths = ("plates/P02.ome.zarr", "plates/P01.ome.zarr")
    plates = [{"plate": f"P0{n}", "path": path} for n, path in enumerate(paths, 1)]
    edit(root, plates=plates)
    assert codes(root) == ["PLATE_ID_MISMATCH"] * 2


def test_channels_and_pixel_size_must_agree(root: Path) -> None:
    entries = [
        make_plate(root, "P03"),
        make_plate(root, "P04", channels=("GFP",), pixel_size_um=0.3),
    ]
    listed = [
        {"plate": p, "path": f"plates/{p}.ome.zarr"}
        for p in ("P01", "P02", *(entry.plate for entry in entries))
    ]
    edit(root, plates=listed)
    write_map(root, "P01", "P02", "P03", "P04")
    with pytest.raises(InputError) as raised:
        Campaign.open(root)
    found = [problem.found for problem in raised.value.problems]
    assert found == [
        "plate P04 has channels ('GFP',), 3 others have ('DNA',)",
        "plate P04 has pixel_size_um 0.3, 3 others have 0.65",
    ]


def test_a_path_out_of_the_campaign_is_not_written(root: Path) -> None:
    with pytest.raises(ValueError, match="must lie below"):
        write_campaign(
            root,
            name="x",
            plate_format=PlateFormat.of(96),
            plates=[PlateEntry("P", Path("../P"))],
            map_path=Path("plate_map.csv"),
            library_path=None,
        )


@pytest.mark.parametrize("text", ["P01", "24512", "1E05", "a_b-c.d"])
def test_a_plain_id_is_its_own_slug(text: str) -> None:
    assert slug(text) == text


@pytest.mark.parametrize(
    "text", ["a/b", "..", "", ".hidden", "x\n", "p" * 300, "µ", "a..b", "-x"]
)
def test_an_awkward_id_gets_a_safe_slug_with_a_hash(text: str) -> None:
    assert slug(text) != text
    assert slug(slug(text)) == slug(text)


@given(first=st.text(), second=st.text())
def test_slugs_are_safe_and_do_not_collide(first: str, second: str) -> None:
    assert slug(first).replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert len(slug(first)) <= 80
    assert (slug(first) == slug(second)) == (first == second)
