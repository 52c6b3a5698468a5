"""The verbs that touch plates: ingest writes a campaign, simulate paints one, plan reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.random import default_rng

from plates.campaign import Campaign
from plates.store import open_plate, read_field
from plates.wells import Well
from screen import ingest, plan, simulate
from screen.compose import settings_of
from screen.errors import Refusal, rendered
from screen.models import ModelSpec, NetworkSpec, save_model

HEADER = "plate,well,compound,concentration_um,role,state,replicate,batch\n"
WELLS = ("A01", "A02", "B01", "B02")


def _pixels(well: str, channel: str) -> np.ndarray[Any, Any]:
    seed = WELLS.index(well) * 10 + len(channel)
    return default_rng(seed).integers(1, 4000, (40, 50), dtype=np.uint16)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Four wells, one field, two channels, as an instrument would leave them."""
    folder = tmp_path / "export"
    folder.mkdir()
    for well in WELLS:
        for channel in ("DNA", "actin"):
            path = folder / f"P1_{well}_f1_{channel}.tif"
            tifffile.imwrite(path, _pixels(well, channel))
    (folder / "notes.txt").write_text("no image")
    rows = [f"P1,{well},DMSO,,vehicle,stressed,1,b1\n" for well in WELLS]
    (tmp_path / "map.csv").write_text(HEADER + "".join(rows))
    return folder


def _words(export: Path, *more: str) -> list[str]:
    root = export.parent
    words = [f"source={export}", f"map={root / 'map.csv'}", f"out={root / 'screen'}"]
    return [*words, "n_wells=6", "pixel_size_um=0.65", "settle=0", "workers=1", *more]


def _ingest(export: Path, *more: str) -> Any:
    return ingest.run(settings_of("ingest", _words(export, *more)))


def test_an_export_becomes_a_campaign(export: Path) -> None:
    outcome = _ingest(export)
    campaign = Campaign.open(export.parent / "screen")
    plate = open_plate(campaign.plates[0].path)

    assert (outcome.code, campaign.name) == (0, "screen")
    assert [str(well) for well in plate.wells] == list(WELLS)
    assert plate.channels == ("DNA", "actin")
    np.testing.assert_array_equal(
        read_field(plate, Well.parse("B02"), 0),
        np.stack([_pixels("B02", "DNA"), _pixels("B02", "actin")]),
    )


def test_a_dry_run_shows_matches_and_writes_nothing(export: Path) -> None:
    outcome = _ingest(export, "dry_run=true")

    assert outcome.code == 0
    assert "8 files match, 1 do not" in outcome.message
    assert "notes.txt: no match" in outcome.message
    assert not (export.parent / "screen").exists()


def test_a_cut_file_costs_its_field_and_is_named(export: Path) -> None:
    path = export / "P1_A02_f1_DNA.tif"
    path.write_bytes(path.read_bytes()[:-1000])
    outcome = _ingest(export)

    assert outcome.code == 4
    assert "3 of 4 fields written" in outcome.message
    assert "IMG_TRUNCATED P1/A02/f00" in outcome.message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pattern=nothing(?P<well>x)",), "NO_FILES_MATCHED"),
        (("channels=[DNA,actin,tubulin]",), "PLATE_CHANNEL_MISSING"),
        (("source=/nowhere",), "FOLDER_MISSING"),
        (("map=/nowhere.csv",), "TABLE_UNREADABLE"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    export: Path, words: tuple[str, ...], message: str
) -> None:
    given = {w.partition("=")[0]: w for w in (*_words(export), *words)}

    with pytest.raises(Refusal, match=message):
        ingest.run(settings_of("ingest", list(given.values())))
    assert not (export.parent / "screen/campaign.json").exists()


def test_a_plate_that_the_map_does_not_know_is_refused_on_both_sides(
    export: Path,
) -> None:
    file = export.parent / "map.csv"
    file.write_text(file.read_text().replace("P1,", "P2,"))

    with pytest.raises(
        Refusal, match=r"MAP_PLATE_UNKNOWN P1(.|\n)*MAP_PLATE_UNKNOWN P2"
    ):
        _ingest(export)


def test_output_inside_the_input_is_refused(export: Path) -> None:
    given = {w.partition("=")[0]: w for w in _words(export)} | {
        "out": f"out={export}/new"
    }

    with pytest.raises(Refusal, match="OUTPUT_IN_INPUT"):
        ingest.run(settings_of("ingest", list(given.values())))


def test_pages_need_channel_names(export: Path) -> None:
    pattern = r"pattern=P1_(?P<well>[A-Z]\d\d)_f1_DNA\.tif"

    with pytest.raises(Refusal, match="CFG_KEY_MISSING ingest channels"):
        _ingest(export, pattern)
    assert _ingest(export, pattern, "channels=[DNA]").code == 0


def test_many_problems_of_a_kind_are_cut_short() -> None:
    with pytest.raises(Refusal) as caught:
        settings_of("call", [f"wrong{n}=1" for n in range(30)])

    lines = rendered(caught.value.problems).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "CFG_KEY_UNKNOWN and 10 more of the same kind"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that plan can read; its network is no network."""
    network = NetworkSpec("fold0", "fold0.safetensors", "", (), "plate")
    spec = ModelSpec(
        architecture="compact",
        crop_px=48,
        window=True,
        channels=("DNA", "actin"),
        pixel_size_um=0.65,
        finder={},
        intensity={},
        anchors={},
        threshold=0.5,
        split="plates",
        networks=(network,),
        summary={},
    )
    weights = {"fold0": {"kernel": np.zeros(3, np.float32)}}
    return save_model(tmp_path / "model", spec, weights).parent


def test_a_plan_counts_what_is_read_and_names_what_is_written(
    export: Path, model: Path
) -> None:
    _ingest(export)
    words = [f"campaign={export.parent / 'screen'}", f"model={model}", "probe=false"]
    text = plan.run(
        settings_of("plan", [*words, f"runs={export.parent / 'runs'}"])
    ).message

    assert "1 x compact, channels DNA, actin" in text
    assert [line.split()[:3] for line in text.splitlines() if " P1 " in line] == [
        ["P1", "4", "4"]
    ]
    assert "ledger/P1.parquet" in text
    assert f"writes {export.parent / 'runs/screen'} (a new folder)" in text
    assert not (export.parent / "runs").exists()


def test_a_campaign_is_never_painted_over(tmp_path: Path) -> None:
    (tmp_path / "campaign.json").touch()

    with pytest.raises(Refusal, match="OUTPUT_EXISTS"):
        simulate.run(settings_of("simulate", [f"out={tmp_path}"]))


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Refusal, match="OUTPUT_NOT_WRITABLE"):
        simulate.run(settings_of("simulate", [f"out={tmp_path}/file/new"]))
