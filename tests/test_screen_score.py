"""Score: every expected well one record, whatever is wrong, however often it is run."""

import errno
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from plates.campaign import Campaign
from plates.problems import FieldError
from plates.store import Plate, open_plate
from plates.store_metadata import LEVEL, SHARD
from screen.block_size import block_size
from screen.blocks import Block, WellTask
from screen.cluster import ClusterPlan, check_address
from screen.cluster_settings import ClusterSettings
from screen.compose import settings_of
from screen.deaths import after_death
from screen.errors import Outcome, Refusal
from screen.field_pixels import refuse_constant
from screen.field_scores import FieldScores
from screen.ledger import Ledger
from screen.lock import run_lock
from screen.models import Model
from screen.preflight import check_inputs, check_writable
from screen.score import score_campaign
from screen.settings import ScoreVerb
from tests.tiny_screen import (
    NumpyScorer,
    NumpySource,
    make_model,
    make_screen,
    table_bytes,
)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """One screen for all tests that only read it."""
    return make_screen(tmp_path_factory.mktemp("screen") / "campaign")


def settings(campaign: Campaign, runs: Path, *more: str) -> ScoreVerb:
    """Inline scoring of a campaign."""
    return replace(_composed(more), campaign=str(campaign.root), runs=str(runs))


@cache
def _composed(more: tuple[str, ...]) -> ScoreVerb:
    words = ["campaign=any", "model=none", "cluster=inline", *more]
    chosen: ScoreVerb = settings_of("score", words)
    return chosen


def score(
    campaign: Campaign, runs: Path, *more: str, source: Any = None
) -> tuple[Outcome, Path]:
    """Score with the numpy scorer; the outcome and the run folder."""
    plates = tuple(open_plate(entry.path) for entry in campaign.plates)
    outcome = score_campaign(
        settings(campaign, runs, *more),
        campaign,
        plates,
        make_model(campaign),
        source or NumpySource(),
    )
    return outcome, runs / "tiny"


def started(run: Path) -> list[tuple[str, str]]:
    """The wells whose scoring began, in order."""
    lines = (run / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return [(e["plate"], e["well"]) for e in events if e["event"] == "well_started"]


def test_every_well_is_scored_once(screen: Campaign, tmp_path: Path) -> None:
    outcome, run = score(screen, tmp_path)
    assert outcome.code == 0
    assert "48 wells of 2 plates: 48 SCORED" in outcome.message
    assert len(started(run)) == len(set(started(run))) == 48
    assert len(table_bytes(run)) == 4


def test_a_network_never_scores_a_well_it_learnt_from(
    screen: Campaign, tmp_path: Path
) -> None:
    _, run = score(screen, tmp_path)
    headers = {h["well"]: h for h in Ledger(run).headers("P01")}
    assert headers["A01"]["networks"] == ["half1"]
    assert headers["A02"]["networks"] == ["half0", "half1"]


class _Stops:
    """A scorer that breaks down after some fields, as a night does."""

    threshold = 0.5
    channels = NumpyScorer().channels

    def __init__(self, after: int, error: BaseException) -> None:
        self.left, self.error = after, error

    def __call__(
        self, pixels: NDArray[Any], networks: Sequence[str], **_given: Any
    ) -> FieldScores:
        if self.left == 0:
            raise self.error
        self.left -= 1
        return NumpyScorer()(pixels, networks)


@pytest.mark.parametrize("after", [0, 1, 7, 48, 95])
def test_an_interrupted_run_ends_in_the_same_bytes(
    screen: Campaign, tmp_path: Path, after: int
) -> None:
    _, whole = score(screen, tmp_path / "whole")
    stop = _Stops(after, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        score(screen, tmp_path / "parts", source=lambda: stop)
    outcome, parts = score(screen, tmp_path / "parts")
    assert outcome.code == 0
    assert table_bytes(parts) == table_bytes(whole)
    assert len(started(parts)) <= 49


def test_a_full_disk_stops_the_run_and_loses_nothing(
    screen: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, left = Ledger.commit, [5]

    def full(self: Ledger, record: Any) -> str:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device", "ledger")
        left[0] -= 1
        return commit(self, record)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "commit", full)
        with pytest.raises(OSError, match="No space left"):
            score(screen, tmp_path)
    assert len(list(Ledger(tmp_path / "tiny").open_records("P01"))) == 5
    outcome, run = score(screen, tmp_path)
    assert outcome.code == 0
    assert len(started(run)) == 49


def test_running_again_scores_nothing(screen: Campaign, tmp_path: Path) -> None:
    _, run = score(screen, tmp_path)
    before = table_bytes(run)
    outcome, _ = score(screen, tmp_path)
    assert outcome.code == 0
    assert table_bytes(run) == before
    assert len(started(run)) == 48


def test_a_bad_field_costs_a_field_or_its_well(tmp_path: Path) -> None:
    campaign = make_screen(tmp_path / "campaign", ("P01",))
    plate = open_plate(campaign.plates[0].path)
    shard = plate.path / "A/3/0" / LEVEL / SHARD
    shard.write_bytes(shard.read_bytes()[:-40])
    outcome, run = score(campaign, tmp_path / "lenient", "min_fields_share=0.5")
    assert outcome.code == 0
    header = {h["well"]: h for h in Ledger(run).headers("P01")}["A03"]
    assert header["status"] == "SCORED_DEGRADED"
    assert header["codes"] == ["CHUNK_CORRUPT"]
    outcome, run = score(campaign, tmp_path / "strict", "quarantine.max_share=0.1")
    assert outcome.code == 4
    assert "1 QUARANTINED, 23 SCORED" in outcome.message


def test_too_many_bad_wells_have_their_own_exit_code(tmp_path: Path) -> None:
    campaign = make_screen(tmp_path / "campaign", ("P01",))
    for column in range(1, 7):
        shard = campaign.plates[0].path / f"B/{column}/0" / LEVEL / SHARD
        shard.write_bytes(b"")
    outcome, _ = score(campaign, tmp_path / "runs")
    assert outcome.code == 8
    assert "6 QUARANTINED" in outcome.message


def test_a_constant_plane_is_never_scored() -> None:
    pixels = np.stack([np.arange(16).reshape(4, 4), np.zeros((4, 4))])
    with pytest.raises(FieldError, match="IMG_BLANK P01/A01/f0/body: every pixel is 0"):
        refuse_constant(pixels, ("nucleus", "body"), "P01/A01/f0")


def test_another_model_is_refused_and_named(screen: Campaign, tmp_path: Path) -> None:
    _, run = score(screen, tmp_path)
    other = replace(make_model(screen), sha256="1" * 64)
    plates = tuple(open_plate(e.path) for e in screen.plates)
    chosen = settings(screen, tmp_path)
    with pytest.raises(Refusal, match=r"SCORE_FINGERPRINT.*model: 0+… -> 1+…"):
        score_campaign(chosen, screen, plates, other, NumpySource())
    kept = table_bytes(run)
    chosen = settings(screen, tmp_path, "ledger.new_run=true")
    score_campaign(chosen, screen, plates, other, NumpySource())
    aside = table_bytes(run / "before-1")
    assert aside == kept


def test_a_second_run_is_refused_with_its_own_code(
    screen: Campaign, tmp_path: Path
) -> None:
    (tmp_path / "tiny").mkdir()
    with (
        run_lock(tmp_path / "tiny"),
        pytest.raises(Refusal, match="RUN_LOCKED") as refused,
    ):
        score(screen, tmp_path)
    assert refused.value.code == 6


def test_a_dead_worker_costs_its_open_wells_one_try_each(
    screen: Campaign, tmp_path: Path
) -> None:
    tasks = tuple(WellTask(w, ("half0",)) for w in ("A01", "A02"))
    path = screen.plates[0].path
    block = Block(tmp_path, "P01", path, tasks, "f", 0.5)
    again, done = after_death(block)
    assert [b.wells for b in again] == [(tasks[0],), (tasks[1],)]
    assert done == []
    once_more, _ = after_death(again[0])
    none, given_up = after_death(once_more[0])
    assert none == []
    assert [(d.well, d.status, d.codes) for d in given_up] == [
        ("A01", "QUARANTINED", ("WORKER_KILLED",))
    ]
    assert [h["well"] for h in Ledger(tmp_path).headers("P01")] == ["A01"]


@pytest.mark.parametrize("address", ["127.0.0.1:8786", "tls://node7:8786"])
def test_safe_schedulers_are_taken(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize("address", ["tcp://10.0.0.5:8786", "node7:8786"])
def test_plain_text_beyond_loopback_is_refused(address: str) -> None:
    with pytest.raises(Refusal, match="must be reached by tls://"):
        check_address(address)


@pytest.mark.parametrize(
    ("cores", "workers", "given", "expected"),
    [
        (1, 1, 0, 3),
        (2, 1, 0, 4),
        (16, 1, 0, 4),
        (2, 2, 0, 2),
        (2, 4, 0, 1),
        (16, 4, 0, 4),
        (16, 8, 0, 2),
        (2, 2, 5, 5),
    ],
)
def test_threads_that_nobody_gives_are_chosen_by_cores_and_workers(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, given: int, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(cores)))
    cluster = ClusterSettings(workers=workers, threads=given)
    assert cluster.n_threads == expected


@pytest.mark.parametrize(
    ("n_fields", "shape", "left", "given", "expected"),
    [
        (1, (1, 2160, 2160), 384, 0, 32),
        (1, (4, 2160, 2160), 384, 0, 8),
        (9, (4, 2160, 2160), 384, 0, 4),  # never fewer in a long run
        (1, (2, 192, 192), 10_000, 0, 64),  # never more
        (1, (1, 2160, 2160), 96, 0, 8),  # four blocks a thread
        (1, (1, 2160, 2160), 5, 0, 1),
        (9, (4, 2160, 2160), 5, 12, 12),
    ],
)
def test_blocks_that_nobody_sizes_hold_seconds_of_work(
    n_fields: int, shape: tuple[int, ...], left: int, given: int, expected: int
) -> None:
    spec = SimpleNamespace(n_fields=n_fields)
    plate: Any = SimpleNamespace(spec=spec, field_shape=shape)
    cluster = ClusterSettings(threads=3, block_wells=given)
    assert block_size(cluster, plate, left) == expected


def test_the_window_bounds_what_is_under_way() -> None:
    assert ClusterPlan("local", threads=2, workers=3).window == 12
    assert ClusterPlan("local", in_flight=5).window == 5


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"channels": ("nucleus", "body", "actin")}, "the model reads 3"),
        ({"channels": ("DNA", "body")}, "PLATE_CHANNEL_MISSING"),
        ({"pixel_size_um": 0.65}, r"PIXEL_SIZE_MISMATCH P01: 1.0 um a pixel"),
    ],
)
def test_plates_of_another_kind_are_refused(
    screen: Campaign, change: dict[str, Any], match: str
) -> None:
    model: Model = make_model(screen)
    plates: list[Plate] = [open_plate(e.path) for e in screen.plates]
    with pytest.raises(ValueError, match=match):
        check_inputs(replace(model.spec, **change), plates)


def test_an_unwritable_output_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="OUTPUT_NOT_WRITABLE"):
        check_writable(tmp_path / "file" / "run")
