"""The verb plan: what it counts, what its probe tries, and what it foretells from that."""

import os
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plates.campaign import Campaign
from plates.store_metadata import LEVEL, SHARD
from screen import plan
from screen.blocks import Block, WellTask
from screen.compose import settings_of
from screen.forecast import PlateWork, forecast
from screen.memory_check import resident_peak
from screen.models import save_model
from screen.plan_probe import FileSize, Probe, chosen, probe
from screen.score import Scoring, wells_left
from screen.settings import PlanVerb
from tests import tiny_screen
from tests.test_screen_score import _Stops, score
from tests.tiny_screen import NumpySource, make_screen

SHAPES = {"P01": (2, 32, 32), "P02": (2, 32, 32), "P03": (2, 64, 64)}
FOUND = Probe(
    seconds=20.0,
    n_wells=10,
    n_fields=20,
    n_cells=600,
    start_s=10.0,
    n_start=2,
    wells_per_s=2.0,
    is_rough=False,
    worker_bytes=1000,
    device_bytes=None,
    cells_file=FileSize(fixed=7.0, a_row=2.0),
    wells_file=FileSize(fixed=3.0, a_row=10.0),
    stages={"decode": 1.0},
)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Two plates of 24 wells, and a model folder beside them."""
    root = tmp_path_factory.mktemp("screen")
    campaign = make_screen(root / "campaign")
    spec = tiny_screen.make_model(campaign).spec
    none = {"weight": np.zeros(1, np.float32)}
    save_model(root / "model", spec, {network.name: none for network in spec.networks})
    return campaign


def planned(screen: Campaign, runs: Path, *more: str) -> PlanVerb:
    """The settings of a plan."""
    words = [f"campaign={screen.root}", f"model={screen.root.parent / 'model'}"]
    chosen_: PlanVerb = settings_of(
        "plan", [*words, f"runs={runs}", "cluster=inline", *more]
    )
    return chosen_


def left_of(scoring: Scoring) -> dict[str, list[str]]:
    """The wells that are left, by plate."""
    return {plate.plate: wells_left(scoring, plate) for plate in scoring.plates}


def work(plate: str, n_left: int, fields_a_well: int = 2) -> PlateWork:
    """A plate with so much left."""
    return PlateWork(plate, 24, 48, 1, 1, 24 - n_left, n_left, 1, fields_a_well)


@given(
    n=st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    n_threads=st.integers(1, 3),
)
def test_a_probe_tries_each_kind_first_and_each_well_once(
    n: tuple[int, int, int], n_threads: int
) -> None:
    tasks = [
        (block, task)
        for plate, count in zip(SHAPES, n, strict=True)
        for block in [_block(plate, count)]
        for task in block.wells
    ]
    n_first, blocks = chosen(tasks, n_threads, SHAPES)
    tried = [(block.plate, task) for block in blocks for task in block.wells]
    assert Counter(tried) == Counter((block.plate, task) for block, task in tasks)
    kinds = {(SHAPES[plate], task.networks) for plate, task in tried}
    first = blocks[:n_first]
    assert {(SHAPES[b.plate], b.wells[0].networks) for b in first} == kinds
    assert len(first) == len(kinds)
    sizes = [len(block.wells) for block in blocks[: 2 * n_threads]]
    assert set(sizes) <= {1}
    assert max((len(block.wells) for block in blocks), default=1) <= max(*n, 1)


def _block(plate: str, n: int) -> Block:
    wells = (
        WellTask(f"A{i + 1:02}", ("a",) if i % 2 else ("a", "b")) for i in range(n)
    )
    return Block(Path("run"), plate, Path(plate), tuple(wells), "f", 0.5)


def test_a_forecast_is_the_start_and_then_the_pace() -> None:
    told = forecast([work("P01", 10), work("P02", 20)], FOUND)
    assert told.seconds == pytest.approx(10 - 2 / 2 + 30 / 2)
    assert told.plate_seconds == pytest.approx({"P01": 5.0, "P02": 10.0})
    assert (told.n_cells, told.output_bytes) == (1800, 2 * 10 + 1800 * 2 + 30 * 10)
    assert not told.is_rough


def test_a_well_of_more_fields_takes_longer() -> None:
    told = forecast([work("P01", 10, fields_a_well=6)], FOUND)
    assert told.seconds == pytest.approx(9 + 3 * 10 / 2)
    assert told.n_cells == 1800


def test_a_probe_measures_and_leaves_nothing(screen: Campaign, tmp_path: Path) -> None:
    scoring = plan.prepared(planned(screen, tmp_path / "runs"))
    before = set(os.listdir(tempfile.gettempdir()))
    found = probe(scoring, left_of(scoring), NumpySource())
    assert not (tmp_path / "runs").exists()
    assert found is not None
    assert (found.n_wells, found.n_fields) == (48, 96)
    assert found.n_cells == 96 * NumpySource()().n_cells
    assert 0 < found.worker_bytes <= resident_peak()
    assert found.device_bytes is None or found.device_bytes > 0
    assert not found.is_rough
    works = plan.works_of(scoring)
    _, run = score(screen, tmp_path / "runs")
    output = sum(p.stat().st_size for p in run.glob("*/*.parquet"))
    assert forecast(works, found).output_bytes == pytest.approx(output, rel=0.2)
    assert found.stages["decode"] > 0
    left = set(os.listdir(tempfile.gettempdir())) - before
    assert not [name for name in left if name.startswith("senoscreen-plan-")]


def test_a_probe_ends_at_its_time(
    screen: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screen.plan_probe.PROBE_S", 0.0)
    scoring = plan.prepared(planned(screen, tmp_path / "runs"))
    found = probe(scoring, left_of(scoring), NumpySource())
    assert found is not None
    assert (found.n_wells, found.is_rough) == (1, True)
    without = sum(s for stage, s in found.stages.items() if stage != "compile")
    assert found.wells_per_s == pytest.approx(1 / without)


def test_a_plan_says_what_a_run_takes(
    screen: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "measured", lambda scoring: FOUND)
    text = plan.run(planned(screen, tmp_path / "runs")).message
    shards = screen.root.glob(f"plates/*/*/*/*/{LEVEL}/{SHARD}")
    n_read = sum(path.stat().st_size for path in shards)
    assert n_read > 0
    assert f"takes  48 wells are left, {n_read / 1e6:,.1f} MB to read" in text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
    assert rows["time"][:3] == ["about", "33", "s"]
    assert rows["cells"] == ["about", "2,880"]
    assert rows["memory"][:2] == ["0.0", "MB"]
    assert rows["measured"][:5] == ["10", "wells", "in", "20", "s:"]


def test_a_plan_of_a_broken_off_run_counts_what_is_left(
    screen: Campaign, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        score(screen, tmp_path, source=lambda: _Stops(61, KeyboardInterrupt()))
    settings = planned(screen, tmp_path, "probe=false")
    works = plan.works_of(plan.prepared(settings))
    assert [(w.n_done, w.n_left) for w in works] == [(24, 0), (6, 18)]
    assert works[0].n_read == 0
    text = plan.run(settings).message
    assert "18 wells are left" in text
    assert "need probe=true" in text
    score(screen, tmp_path)
    text = plan.run(planned(screen, tmp_path)).message
    assert "takes  nothing: every well has its record" in text
