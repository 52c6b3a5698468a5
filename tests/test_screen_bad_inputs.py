"""Bad input through the command line: the exit code, the code word, the remedy, no
traceback, and nothing lost."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest
import tifffile

from kernels.networks import build
from plates.campaign import Campaign, write_campaign
from plates.store import open_plate, read_field
from plates.store_metadata import LEVEL, SHARD
from plates.wells import Well
from screen.__main__ import main
from screen.models import network_weights, save_model
from tests import tiny_run, tiny_screen
from tests.tiny_screen import CHANNELS, FORMAT, make_screen

HEADER = "plate,well,compound,concentration_um,role,state,replicate,batch"
WELLS = ("A01", "A02", "B01", "B02")
CAPTURE = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a campaign, a model for it, and a scored and called run."""
    root = tmp_path_factory.mktemp("kept")
    campaign = make_screen(root / "campaign", ("P01",))
    make_model(root / "model", campaign, CHANNELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("screen.score.run", tiny_run.score)
        assert main(_words(root, "score", "cluster=inline")) == 0
    assert main(["call", f"runs={root / 'runs'}", "run=tiny"]) == 0
    return root


@pytest.fixture
def place(kept: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    shutil.copytree(kept, tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Four wells, two fields, two channels, as an instrument would leave them."""
    folder = tmp_path / "export"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for well in WELLS:
        for name in ("f1_DNA", "f1_actin", "f2_DNA", "f2_actin"):
            pixels = rng.integers(1, 4000, (40, 50), np.uint16)
            tifffile.imwrite(folder / f"P1_{well}_{name}.tif", pixels)
    write_map(tmp_path, [f"P1,{well},DMSO,,vehicle,stressed,1,b1" for well in WELLS])
    return folder


def write_map(folder: Path, rows: Sequence[str], header: str = HEADER) -> None:
    """A plate map from its lines."""
    (folder / "map.csv").write_text("\n".join([header, *rows]) + "\n")


def make_model(folder: Path, campaign: Campaign, channels: tuple[str, ...]) -> None:
    """A model on disk with these channels; its weights fit, and have learnt nothing."""
    spec = replace(tiny_screen.make_model(campaign).spec, channels=channels)
    network = build(
        spec.architecture, len(channels), spec.crop_px, key=jax.random.key(0)
    )
    weights = network_weights(network)
    save_model(folder, spec, {one.name: weights for one in spec.networks})


def _words(root: Path, verb: str, *more: str) -> list[str]:
    places = [f"campaign={root / 'campaign'}", f"model={root / 'model'}"]
    return [verb, *places, f"runs={root / 'runs'}", *more]


def ingest_words(export: Path, *more: str) -> list[str]:
    """Ingest the export into `screen` beside it."""
    root = export.parent
    places = [f"source={export}", f"map={root / 'map.csv'}", f"out={root / 'screen'}"]
    return [
        "ingest",
        *places,
        "n_wells=6",
        "pixel_size_um=0.65",
        "settle=0",
        "workers=1",
        *more,
    ]


def tell(capsys: CAPTURE, words: Sequence[str], code: int, *expected: str) -> str:
    """Run a command; hold its end to the exit code, the words and the form."""
    capsys.readouterr()
    found = main(list(words))
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert found == code, text
    assert "Traceback" not in text
    assert "internal error" not in text
    for word in expected:
        assert word in text
    lines = [line for line in text.splitlines() if expected and expected[0] in line]
    assert lines
    assert all(len(line.split(" - ")) >= 3 for line in lines), "no reason and remedy"
    return text


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the settings kept and the log of events."""
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    names = {p: p.relative_to(folder).as_posix() for p in paths}
    skipped = ("events.jsonl", ".hydra", "lock")
    return {
        name: p.read_bytes()
        for p, name in names.items()
        if not any(word in name for word in skipped)
    }


def test_an_unknown_override(place: Path, capsys: CAPTURE) -> None:
    before = everything(place)
    words = _words(place, "run", "epochs=3", "clutser=local")
    text = tell(capsys, words, 2, "CFG_KEY_UNKNOWN", "epochs", "clutser", "cluster")
    assert text.count("CFG_KEY_UNKNOWN") == 2
    assert everything(place) == before


_ROW = "P1,A01,DMSO,,vehicle,stressed,1,b1"


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        (
            HEADER.replace("role,", ""),
            [_ROW.replace("vehicle,", "")],
            ["MAP_COLUMN_MISSING", "role"],
        ),
        (
            HEADER,
            [_ROW, _ROW.replace("DMSO", "X")],
            ["MAP_DUPLICATE_WELL", "A01", "map.csv:2-3"],
        ),
        (HEADER, [_ROW, _ROW.replace("A01", "C01")], ["MAP_WELL_RANGE", "C01"]),
        (HEADER, [], ["MAP_EMPTY"]),
    ],
    ids=["column missing", "duplicate well", "well outside", "no rows"],
)
def test_a_bad_plate_map_is_refused_before_anything_is_written(
    export: Path, capsys: CAPTURE, header: str, rows: list[str], expected: list[str]
) -> None:
    write_map(export.parent, rows, header)
    tell(capsys, ingest_words(export), 3, *expected)
    assert not (export.parent / "screen").exists()


def _cut(export: Path) -> None:
    path = export / "P1_A02_f1_DNA.tif"
    path.write_bytes(path.read_bytes()[:-1500])


def _no_channel(export: Path) -> None:
    (export / "P1_A02_f1_actin.tif").unlink()


def _no_field(export: Path) -> None:
    for path in export.glob("P1_A02_f1_*.tif"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_cut, "IMG_TRUNCATED"),
        (_no_channel, "FIELD_CHANNEL_MISSING"),
        (_no_field, "FIELD_MISSING"),
    ],
    ids=["truncated", "channel missing", "field missing"],
)
def test_a_bad_field_is_left_out_and_all_others_are_kept(
    export: Path, capsys: CAPTURE, spoil: Callable[[Path], None], code: str
) -> None:
    spoil(export)
    tell(capsys, ingest_words(export), 4, code, "A02")
    campaign = Campaign.open(export.parent / "screen")
    plate = open_plate(campaign.plates[0].path)
    assert [str(well) for well, _ in plate.omitted] == ["A02"]
    for well in WELLS:
        path = export / f"P1_{well}_f2_DNA.tif"
        pixels = read_field(plate, Well.parse(well), 1)[0]
        np.testing.assert_array_equal(pixels, tifffile.imread(path))


def test_a_structure_that_does_not_parse_keeps_its_row(
    place: Path, capsys: CAPTURE, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = place / "campaign"
    (root / "library.csv").write_text(
        "compound,name,smiles\nC2,good,CCO\nC3,bad,C1CC(\nC4,none,\nC5,four,CCCC\n"
    )
    entries = Campaign.open(root).plates
    (root / "campaign.json").unlink()
    write_campaign(
        root,
        name="tiny",
        plate_format=FORMAT,
        plates=entries,
        map_path=root / "map.csv",
        library_path=root / "library.csv",
    )
    monkeypatch.setattr("screen.score.run", tiny_run.score)
    assert main(_words(place, "run", "cluster=inline", "run=whole")) == 0
    capsys.readouterr()
    table = pl.read_parquet(place / "runs" / "whole" / "compounds.parquet")
    assert sorted(table["compound"]) == ["C2", "C3", "C4", "C5"]
    bad = table.row(by_predicate=pl.col("compound") == "C3", named=True)
    assert "CMPD_SMILES_INVALID" in " ".join(str(v) for v in bad.values())


@pytest.mark.parametrize(
    "words",
    [
        ["score", "campaign={p}/campaign", "model={p}/model", "runs={p}/file"],
        ["run", "campaign={p}/campaign", "model={p}/model", "runs={p}/file"],
        ["simulate", "out={p}/file", "seed=1"],
        ["train", "campaign={p}/campaign", "out={p}/file/model"],
        ["call", "runs={p}/runs", "run=tiny", "out={p}/file"],
    ],
    ids=lambda words: words[0],
)
def test_a_file_in_place_of_the_output_folder(
    place: Path, capsys: CAPTURE, words: list[str]
) -> None:
    (place / "file").write_text("kept")
    before = everything(place)
    filled = [word.format(p=place) for word in words]
    tell(capsys, filled, 3, "OUTPUT_NOT_WRITABLE", "file")
    assert everything(place) == before


def test_ingest_into_a_file(export: Path, capsys: CAPTURE) -> None:
    (export.parent / "screen").write_text("kept")
    tell(capsys, ingest_words(export), 3, "OUTPUT_NOT_WRITABLE", "screen")
    assert (export.parent / "screen").read_text() == "kept"


@pytest.mark.parametrize("verb", ["score", "run", "plan"])
def test_a_model_of_another_channel_count(
    place: Path, capsys: CAPTURE, verb: str
) -> None:
    campaign = Campaign.open(place / "campaign")
    make_model(place / "model", campaign, (*CHANNELS, "actin"))
    before = everything(place)
    tell(capsys, _words(place, verb), 3, "PLATE_CHANNEL_MISSING", "reads 3", "actin")
    assert everything(place) == before


def test_no_control_wells(
    place: Path, capsys: CAPTURE, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place / "campaign" / "map.csv"
    text = path.read_text().replace("vehicle,unstressed", "untreated,stressed")
    path.write_text(text.replace("vehicle,stressed", "untreated,stressed"))
    words = ["train", f"campaign={place / 'campaign'}", f"out={place / 'new'}"]
    tell(capsys, words, 3, "PLATE_NO_CONTROLS")
    assert not (place / "new").exists()
    monkeypatch.setattr("screen.score.run", tiny_run.score)
    assert main(_words(place, "score", "cluster=inline", "run=bare")) == 0
    assert main(["call", f"runs={place / 'runs'}", "run=bare"]) == 0
    assert "no rescue scale" in capsys.readouterr().out
    table = pl.read_parquet(place / "runs" / "bare" / "hits.parquet")
    assert (table.height, table["rescue"].null_count()) == (24, 24)


@pytest.mark.parametrize("verb", ["score", "run", "plan", "train", "call"])
@pytest.mark.parametrize("is_there", [False, True], ids=["missing", "empty"])
def test_no_campaign_in_that_folder(
    place: Path, capsys: CAPTURE, verb: str, is_there: bool
) -> None:
    if is_there:
        (place / "none").mkdir()
    words = {
        "train": ["train", f"campaign={place / 'none'}", f"out={place / 'new'}"],
        "call": ["call", f"runs={place / 'runs'}", "run=tiny"],
    }.get(verb, _words(place, verb)[:1] + _words(place, verb)[2:])
    words = [*words, f"campaign={place / 'none'}"] if verb != "train" else words
    before = everything(place)
    tell(capsys, words, 3, "CAMPAIGN_MISSING", "none")
    assert everything(place) == before


def test_an_export_without_images(export: Path, capsys: CAPTURE) -> None:
    for path in export.iterdir():
        path.unlink()
    tell(capsys, ingest_words(export), 3, "NO_FILES_MATCHED")
    assert not (export.parent / "screen").exists()


@pytest.mark.parametrize("verb", ["call", "report", "verify"])
def test_a_run_of_an_unknown_name(place: Path, capsys: CAPTURE, verb: str) -> None:
    words = [verb, f"runs={place / 'runs'}", "run=tony"]
    tell(capsys, words, 3, "INPUT_MISSING", "tony", "tiny")


def test_a_changed_table_is_found(place: Path, capsys: CAPTURE) -> None:
    words = ["verify", f"runs={place / 'runs'}", "run=tiny"]
    assert main(words) == 0
    path = place / "runs" / "tiny" / "hits.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    tell(capsys, words, 7, "OUTPUT_CHANGED", "hits.parquet")
    assert path.read_bytes() == bytes(data)


def test_a_field_gone_from_the_store_costs_its_well(
    place: Path, capsys: CAPTURE, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "campaign/plates/P01.ome.zarr/A/3/0" / LEVEL / SHARD).unlink()
    monkeypatch.setattr("screen.score.run", tiny_run.score)
    words = _words(place, "score", "cluster=inline", "run=gap")
    assert main([*words, "quarantine.max_share=0.1"]) == 4
    assert main(["call", f"runs={place / 'runs'}", "run=gap"]) == 4
    capsys.readouterr()
    table = pl.read_parquet(place / "runs" / "gap" / "hits.parquet")
    lost = table.filter(pl.col("status") == "QUARANTINED")
    assert table.height == 24
    assert lost["well"].to_list() == ["A03"]
    assert lost["codes"].to_list() == ["CHUNK_MISSING"]
    assert lost["score"].null_count() == 1
