"""The main job on a tiny virtual screen, by the words a person types."""

from pathlib import Path

import polars as pl
import pytest

from screen.__main__ import main
from screen.truth import planted_and_found, score_card

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a campaign, a model and a run, each verb ended with 0."""
    root = tmp_path_factory.mktemp("whole")
    campaign, model = f"campaign={root / 'c'}", f"model={root / 'm'}"
    runs = ["run=r", f"runs={root / 'runs'}"]
    simulate = ["simulate", "simulate=tiny", f"out={root / 'c'}", "seed=3", "workers=1"]
    assert main(simulate) == 0
    assert main(["train", campaign, f"out={root / 'm'}", "epochs=2"]) == 0
    assert main(["run", campaign, model, "cluster=inline", *runs]) == 0
    return root


def test_every_expected_well_has_one_row(finished: Path) -> None:
    hits = pl.read_parquet(finished / "runs/r/hits.parquet")
    expected = pl.read_csv(finished / "c/map.csv", infer_schema_length=0)
    assert hits.select("plate", "well").is_unique().all()
    assert hits.height == expected.height == 192


def test_every_treatment_compound_is_ranked_once(finished: Path) -> None:
    compounds = pl.read_parquet(finished / "runs/r/compounds.parquet")
    truth = pl.read_parquet(finished / "c/truth_compounds.parquet")
    assert sorted(compounds["compound"]) == sorted(truth["compound"])
    assert sorted(compounds["rank"]) == list(range(1, truth.height + 1))
    assert score_card(planted_and_found(finished / "c", compounds))["n_compounds"] == 34


def test_the_report_is_one_file_that_asks_for_nothing(finished: Path) -> None:
    page = (finished / "runs/r/report.html").read_text()
    assert "Content-Security-Policy" in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page


def test_call_again_gives_the_same_bytes(finished: Path) -> None:
    path = finished / "runs/r/hits.parquet"
    before = path.read_bytes()
    assert main(["call", "run=r", f"runs={finished / 'runs'}"]) == 0
    assert path.read_bytes() == before


def test_verify_proves_the_run(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "run=r", f"runs={finished / 'runs'}"]) == 0
    assert "all as they were written" in capsys.readouterr().out
