"""Train and score with centres that the finder did not look for, by the words a person types."""

import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from plates.campaign import Campaign
from plates.centre_tables import read_centres
from plates.given_centres import centre_path, write_centres
from plates.store import open_plate
from screen.__main__ import main

pytestmark = pytest.mark.slow
MODULE = """
import numpy as np
from scipy.ndimage import gaussian_filter, label

def bright(image):
    smooth = gaussian_filter(image[0].astype(np.float32), 1.5)
    return label(smooth > 600.0)[0].astype(np.int32)
"""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny screen with its true centres given, but for one well never looked at."""
    root = tmp_path_factory.mktemp("given") / "c"
    words = ["simulate", "simulate=tiny", f"out={root}", "seed=3", "workers=1"]
    assert main(words) == 0
    truth = pl.read_parquet(root / "truth_cells.parquet")
    wells = pl.read_parquet(root / "truth_wells.parquet").select("plate", "well")
    table = truth.select("plate", "well", "field", y_px="y", x_px="x")
    empty = wells.join(truth, on=["plate", "well"], how="anti")
    bare = empty.with_columns(
        field=pl.lit(0, pl.Int32),
        y_px=pl.lit(None, pl.Float32),
        x_px=pl.lit(None, pl.Float32),
    )
    unseen = (pl.col("plate") == "P01") & (pl.col("well") == "C05")
    pl.concat([table, bare]).filter(~unseen).write_csv(root / "centres.csv")
    plates = [open_plate(e.path) for e in Campaign.open(root).plates]
    write_centres(root, read_centres(root / "centres.csv", plates))
    return root


def words(verb: str, campaign: Path, name: str) -> list[str]:
    """A verb on the campaign, model and run of one name beside it."""
    model = campaign.parent / f"model-{name}"
    if verb == "train":
        return ["train", f"campaign={campaign}", f"out={model}", "epochs=1"]
    runs = [f"runs={campaign.parent / 'runs'}", f"run={name}"]
    return [verb, f"campaign={campaign}", f"model={model}", "cluster=inline", *runs]


def counts(campaign: Path, name: str) -> pl.DataFrame:
    """Cells of each well of a finished run beside the true number."""
    hits = pl.read_parquet(campaign.parent / "runs" / name / "hits.parquet")
    truth = pl.read_parquet(campaign / "truth_wells.parquet")
    true = truth.select("plate", "well", n_true="n_cells")
    return hits.select("plate", "well", "status", "n_cells").join(
        true, on=["plate", "well"]
    )


def test_given_centres_are_scored_and_a_field_never_looked_at_is_told(
    campaign: Path,
) -> None:
    assert main([*words("train", campaign, "given"), "finder=given"]) == 0
    assert main(words("run", campaign, "given")) == 4
    table = counts(campaign, "given")
    unseen = (pl.col("plate") == "P01") & (pl.col("well") == "C05")
    assert table.filter(unseen)["status"].to_list() == ["QUARANTINED"]
    rest = table.filter(~unseen)
    assert (rest["n_cells"].fill_null(0) == rest["n_true"]).all()


def test_a_plate_without_centres_is_refused_by_name(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = centre_path(campaign, "P02")
    kept = path.read_bytes()
    path.unlink()
    assert main([*words("train", campaign, "none"), "finder=given"]) == 3
    path.write_bytes(kept)
    told = capsys.readouterr().err
    assert "CENTRES_NONE" in told
    assert "P02.parquet" in told
    assert "ingest centres=PATH" in told


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with one segmenter."""
    facts = tmp_path / "brights-0.3.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: brights\nVersion: 0.3\n"
    )
    (facts / "entry_points.txt").write_text(
        "[screen.segmenters]\nbright = segments_of_brights:bright\n"
    )
    (tmp_path / "segments_of_brights.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("segments_of_brights", None)


@pytest.mark.usefixtures("package")
def test_a_segmenter_finds_the_cells_of_a_whole_run(campaign: Path) -> None:
    finder = ["finder.kind=segmenter", "finder.segmenter=bright"]
    assert main([*words("train", campaign, "segmenter"), *finder]) == 0
    assert main(words("run", campaign, "segmenter")) == 0
    table = counts(campaign, "segmenter").filter(pl.col("n_true") >= 20)
    ratio = (table["n_cells"] / table["n_true"]).median()
    assert 0.85 < float(str(ratio)) < 1.15


@pytest.mark.parametrize(
    ("finder", "message"),
    [
        (["finder.kind=segmenter"], "finder.segmenter goes with"),
        (["finder.segmenter=bright"], "finder.segmenter goes with"),
        (
            ["finder.kind=segmenter", "finder.segmenter=nowhere"],
            "no segmenter 'nowhere'; installed:",
        ),
    ],
)
def test_a_segmenter_asked_for_wrongly_is_refused(
    campaign: Path,
    capsys: pytest.CaptureFixture[str],
    finder: list[str],
    message: str,
) -> None:
    assert main([*words("train", campaign, "wrong"), *finder]) in (2, 3)
    assert message in capsys.readouterr().err
