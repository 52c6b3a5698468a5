"""A virtual campaign on disk: the same for any number of workers, truth kept apart."""

import dataclasses
import filecmp
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from omegaconf import OmegaConf

from plates.campaign import Campaign
from plates.problems import InputError
from plates.store import read_field
from plates.synthetic import KINDS, SimulateSettings, simulate_campaign

CONF = Path(__file__).parents[1] / "conf" / "simulate"
NUCLEI = Path(__file__).parents[1].parent / "shared" / "data" / "nuclei"


def read_conf(name: str) -> SimulateSettings:
    """The settings of a conf/simulate file."""
    values = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    assert isinstance(values, dict)
    return SimulateSettings(**{str(key): value for key, value in values.items()})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny campaign, seed 1, drawn in this process."""
    root = tmp_path_factory.mktemp("tiny")
    simulate_campaign(read_conf("tiny"), root, seed=1, n_workers=1)
    return root


def files_of(root: Path) -> Iterator[str]:
    """Every file below `root`, relative."""
    return (str(p.relative_to(root)) for p in sorted(root.rglob("*")) if p.is_file())


def test_worker_count_changes_no_byte(tiny: Path, tmp_path: Path) -> None:
    """Two processes write the very files that one does."""
    simulate_campaign(read_conf("tiny"), tmp_path, seed=1, n_workers=2)
    names = list(files_of(tiny))
    assert names == list(files_of(tmp_path))
    same, other, failed = filecmp.cmpfiles(tiny, tmp_path, names, shallow=False)
    assert (len(same), other, failed) == (len(names), [], [])


def test_another_seed_is_another_screen(tiny: Path, tmp_path: Path) -> None:
    """Pixels and layout follow the seed."""
    small = dataclasses.replace(read_conf("tiny"), n_plates=1)
    simulate_campaign(small, tmp_path, seed=2, n_workers=1)
    first, second = (Campaign.open(r).open_plate("P01") for r in (tiny, tmp_path))
    well = first.wells[0]
    assert not np.array_equal(read_field(first, well, 0), read_field(second, well, 0))
    assert (tiny / "library.csv").read_bytes() != (
        tmp_path / "library.csv"
    ).read_bytes()


def test_the_campaign_is_whole(tiny: Path) -> None:
    """It opens, every well can be read, every compound has a structure."""
    campaign = Campaign.open(tiny)
    plate = campaign.open_plate("P02")
    pixels = read_field(plate, plate.wells[-1], 0)
    assert pixels.shape == (2, 192, 192)
    assert pixels.dtype == np.uint16
    assert len(plate.wells) == 96
    assert campaign.library is not None
    assert campaign.library.frame["code"].unique().to_list() == [""]
    assert campaign.library.frame["inchikey"].n_unique() == 34


def test_the_map_holds_no_truth(tiny: Path) -> None:
    """Classes appear neither in the map nor in the library."""
    for name in ("map.csv", "library.csv"):
        text = (tiny / name).read_text().lower()
        assert [kind for kind in KINDS if kind in text] == []


def test_truth_tables_agree(tiny: Path) -> None:
    """Cells add up to wells, wells name compounds of the truth, centres lie inside."""
    wells = pl.read_parquet(tiny / "truth_wells.parquet")
    cells = pl.read_parquet(tiny / "truth_cells.parquet")
    compounds = pl.read_parquet(tiny / "truth_compounds.parquet")
    counted = cells.group_by("plate", "well").agg(
        pl.len().alias("n"), pl.col("senescent").sum().alias("s")
    )
    joined = wells.join(counted, on=["plate", "well"], how="left").fill_null(0)
    assert joined.filter(pl.col("n") != pl.col("n_cells")).is_empty()
    assert joined.filter(pl.col("s") != pl.col("n_senescent")).is_empty()
    assert wells.height == 192
    assert cells.select(pl.min_horizontal(pl.min("y"), pl.min("x"))).item() >= 0
    assert cells.select(pl.max_horizontal(pl.max("y"), pl.max("x"))).item() < 192
    named = wells.filter(pl.col("compound") != "").join(compounds, on="compound")
    assert named.filter(pl.col("class") != pl.col("class_right")).is_empty()
    assert named["compound"].n_unique() == compounds.height == 34
    assert (
        compounds.filter(pl.col("class") == "rescue")["true_effect"].null_count() == 0
    )


def test_a_plate_is_never_painted_over(tiny: Path) -> None:
    """The second simulation into a folder is refused before any work."""
    with pytest.raises(
        InputError, match=r"PLATE_EXISTS .*P01\.ome\.zarr: already there"
    ):
        simulate_campaign(read_conf("tiny"), tiny, seed=1, n_workers=1)


def test_a_missing_bank_is_refused(tmp_path: Path) -> None:
    """The folder of nuclei is checked before any plate is begun."""
    settings = dataclasses.replace(
        read_conf("tiny"), style="nuclei", bank=str(tmp_path / "nowhere")
    )
    with pytest.raises(InputError, match=r"BANK_UNUSABLE .*missing"):
        simulate_campaign(settings, tmp_path / "out", seed=1, n_workers=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["reference", "tiny", "phase", "nuclei"])
def test_conf_names_every_setting(name: str) -> None:
    """A frozen file leaves nothing to a default that could move."""
    loaded = OmegaConf.load(CONF / f"{name}.yaml")
    fields = [f.name for f in dataclasses.fields(SimulateSettings)]
    assert [str(key) for key in loaded] == fields
    assert read_conf(name).name == name


def test_reference_is_the_default() -> None:
    """The frozen file and the defaults of the code say the same."""
    assert read_conf("reference") == SimulateSettings()


def test_phase_style_writes_one_channel(tmp_path: Path) -> None:
    """Phase contrast: cells darker than the bright background."""
    one_each: dict[str, Any] = {f"n_{kind}": 1 for kind in KINDS}
    settings = dataclasses.replace(
        read_conf("tiny"),
        style="phase",
        n_plates=1,
        n_wells=24,
        control_columns=(1, 6),
        **one_each,
    )
    campaign = simulate_campaign(settings, tmp_path, seed=1, n_workers=1)
    plate = campaign.open_plate("P01")
    assert plate.channels == ("phase",)
    pixels = read_field(plate, plate.wells[0], 0)[0]
    median = np.median(pixels)
    assert median - np.percentile(pixels, 1) > np.percentile(pixels, 99) - median


@pytest.mark.real
def test_real_nuclei_are_painted(tmp_path: Path) -> None:
    """Bank plates have one channel, and half of the controls of each state teach."""
    if not NUCLEI.is_dir():
        pytest.skip(f"real data are not there: {NUCLEI}")
    settings = dataclasses.replace(
        read_conf("tiny"), style="nuclei", bank=str(NUCLEI), n_plates=1
    )
    campaign = simulate_campaign(settings, tmp_path, seed=1, n_workers=1)
    plate = campaign.open_plate("P01")
    assert plate.channels == ("nucleus",)
    controls = campaign.map.frame.filter(pl.col("role") == "vehicle")
    taught = controls.group_by("state").agg(pl.col("teaching").sum(), pl.len())
    assert taught.sort("state").rows() == [("stressed", 8, 16), ("unstressed", 8, 16)]
    treated = campaign.map.frame.filter(pl.col("role") == "treatment")
    assert treated["teaching"].sum() == 0
    pixels = read_field(plate, plate.wells[0], 0)
    assert pixels.max() > 2 * np.median(pixels)
