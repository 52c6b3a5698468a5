"""A real plate of single large objects, from its TIFF files to table and report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bench.bench_gastruloid import (
    ANCHORS,
    auc,
    ingest_words,
    train_words,
    write_map,
)
from plates.maps import PlateMap
from plates.store import PlateSpec, open_plate, plate_writer
from plates.wells import PlateFormat, Well
from screen import ingest, run_all, train
from screen.compose import settings_of
from screen.errors import Outcome
from screen.models import load_model
from screen.optics import finder_spec
from screen.report.cell_pictures import bar_um
from tests.browser import Browser
from tests.page_checks import faults, listed


@dataclass(frozen=True)
class Finished:
    """A finished run: what the verbs said, its hit table, its page, its model."""

    ingested: Outcome
    outcome: Outcome
    hits: pl.DataFrame
    page: str
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def finished(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The plate ingested, learnt, scored, called and reported as its bench tells."""
    folder = tmp_path_factory.mktemp("gastruloid")
    data, campaign = shared_data / "gastruloid_plate", folder / "campaign"
    write_map(data, folder / "map.csv")
    words = ingest_words(data, folder / "map.csv", campaign)
    ingested = ingest.run(settings_of("ingest", words))
    model, runs = folder / "model", folder / "runs"
    train.run(settings_of("train", [*train_words(campaign), f"out={model}"]))
    words = [f"campaign={campaign}", f"model={model}", f"runs={runs}", "run=r"]
    words += [*ANCHORS, "cluster=inline", "decision.min_cells=1"]
    outcome = run_all.run(settings_of("run", words))
    hits = pl.read_parquet(runs / "r" / "hits.parquet")
    page = (runs / "r" / "report.html").read_text("utf-8")
    return Finished(ingested, outcome, hits, page, load_model(model).spec.summary)


@pytest.mark.real
@pytest.mark.slow
def test_every_well_has_its_row_and_exactly_the_two_empty_ones_no_number(
    finished: Finished,
) -> None:
    hits = finished.hits
    empty = hits.filter(pl.col("status") == "NO_CELLS")
    scored = hits.filter(pl.col("status") == "SCORED")

    assert (finished.ingested.code, finished.outcome.code) == (0, 0)
    assert hits.height == hits["well"].n_unique() == 96
    assert sorted(empty["well"]) == ["F08", "H04"]
    assert empty.select("score", "fraction", "rescue", "robust_z").null_count().row(
        0
    ) == (2, 2, 2, 2)
    assert scored.height == 94
    assert np.isfinite(scored.select("score", "rescue", "robust_z").to_numpy()).all()
    assert scored["flags"].to_list() == [""] * 94


@pytest.mark.real
@pytest.mark.slow
def test_wells_that_taught_nothing_are_told_apart(finished: Finished) -> None:
    networks = finished.summary["networks"].values()
    mean = dict(finished.hits.group_by("compound").agg(pl.col("score").mean()).rows())

    assert [n["n_wells"] for n in networks] == [24, 24]
    assert min(n["well_auc"] for n in networks) >= 0.92
    middle = (mean["control"] + mean["pre2i_cleaned"]) / 2
    assert mean["control"] < middle < mean["pre2i_cleaned"]
    assert mean["matrigel5"] < middle < mean["pre2i"]


@pytest.mark.real
@pytest.mark.slow
def test_the_report_is_whole_without_structures(
    finished: Finished, browser: Browser, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    page.write_text(finished.page, "utf-8")
    found = faults(browser, page)
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]
    assert listed(found) == ""
    text = browser.js("return document.body.innerText")
    assert "half0" in text  # how its networks were taught
    assert "undefined" not in text


@pytest.mark.real
@pytest.mark.slow
def test_the_report_names_the_empty_wells(finished: Finished) -> None:
    assert "F08" in finished.page
    assert "H04" in finished.page
    assert "NO_CELLS" in finished.page


@pytest.mark.parametrize(("width_um", "bar"), [(1228.8, 500), (41.6, 20), (3.0, 1)])
def test_the_scale_bar_is_round_and_at_most_half_a_picture(
    width_um: float, bar: float
) -> None:
    assert bar_um(width_um) == bar


def test_the_step_of_tiles_reaches_the_finder(tmp_path: Path) -> None:
    form, well, shape = PlateFormat.of(6), Well.parse("A1"), (2, 270, 270)
    spec = PlateSpec("P", form, (well,), 1, ("bf", "GFP"), 4.8, shape, "uint8")
    with plate_writer(tmp_path / "p.ome.zarr", spec) as write:
        write(well, 0, np.ones(shape, np.uint8))
    plate = open_plate(tmp_path / "p.ome.zarr")
    words = ["campaign=c", "network=whole_field", "finder=whole_field"]
    whole = finder_spec(settings_of("train", words), plate)
    words = ["campaign=c", "finder=tiles", "finder.stride_px=24"]
    stepped = finder_spec(settings_of("train", words), plate)

    assert (whole.kind, whole.crop_px, whole.bin, whole.stride_px) == (
        "tiles",
        64,
        4,
        0,
    )
    assert stepped.stride_px == 24


def test_a_plate_map_is_made_of_places_and_treatments(tmp_path: Path) -> None:
    rows = "colrow,treatment\n01A,control\n01B,control\n12H,pre2i_cleaned\n"
    (tmp_path / "metadata.csv").write_text(rows)
    write_map(tmp_path, tmp_path / "map.csv")
    frame = PlateMap.read(tmp_path / "map.csv", PlateFormat.of(96)).frame

    assert frame.select("well", "compound", "replicate").rows() == [
        ("A01", "control", 1),
        ("B01", "control", 2),
        ("H12", "pre2i_cleaned", 1),
    ]
    assert set(frame["role"]) == {"reference"}
    assert frame["concentration_um"].null_count() == 3


def test_auc_counts_pairs_and_leaves_out_what_was_not_scored() -> None:
    high = np.array([0.9, 0.5, np.nan])
    low = np.array([0.5, 0.1, np.nan, 0.7])

    # Pairs: 0.9 beats all three; 0.5 ties, beats, loses.
    assert auc(high, low) == pytest.approx((3 + 0.5 + 1 + 0) / 6)
