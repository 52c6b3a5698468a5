"""What is committed, skipped, set aside or refused where a well or a file is unusual."""

import errno
import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest

from plates.campaign import Campaign
from plates.problems import InputError, Problem
from plates.store import open_plate
from plates.wells import Well
from screen import fingerprint
from screen.blocks import Block, WellTask, score_block
from screen.errors import Refusal
from screen.fingerprint import keep_fingerprint
from screen.inputs import forget, well_input
from screen.ledger import IntegrityError, Ledger, read_parquet
from screen.records import RecordError, decode, encode
from screen.run_state import plates_of
from screen.steady_reads import PATIENCE_S, READS
from screen.verify import check_shown, faults
from tests.storage_faults import READ, Clock, hurried
from tests.storage_records import record_of
from tests.tiny_screen import NumpyScorer

HELD = Problem("PLATE_DARK", "P01", "planes of one value", "why", "remedy")


def block_of(campaign: Campaign, run: Path, *networks: str) -> Block:
    """The first well of the plate, to be scored by these networks."""
    path, task = campaign.plates[0].path, WellTask("A01", networks)
    return Block(run, "P01", path, (task,), "f", 0.5)


def header(run: Path, well: str = "A01") -> dict[str, Any]:
    """What the ledger holds of a well."""
    (found,) = [h for h in Ledger(run).headers("P01") if h["well"] == well]
    return found


def test_a_committed_well_is_told_again_and_never_scored_again(
    one_plate: Campaign, tmp_path: Path
) -> None:
    block = block_of(one_plate, tmp_path, "half1")
    (first,) = score_block(block, NumpyScorer())
    told = (tmp_path / "events.jsonl").read_bytes()
    with mock.patch(READ, side_effect=AssertionError("read")):
        assert score_block(block, NumpyScorer()) == [first]
    assert (tmp_path / "events.jsonl").read_bytes() == told


def test_of_a_plate_that_is_held_every_field_says_why(
    one_plate: Campaign, tmp_path: Path
) -> None:
    block = replace(block_of(one_plate, tmp_path, "half1"), held=HELD)
    (done,) = score_block(block, NumpyScorer())
    assert (done.status, done.codes, done.n_cells) == (
        "QUARANTINED",
        ("PLATE_DARK",),
        0,
    )
    fields = header(tmp_path)["fields"]
    assert [f["problem"].split()[:2] for f in fields] == [
        ["PLATE_DARK", f"P01/A01/f{n}:"] for n in (0, 1)
    ]


def test_a_well_without_cells_says_so(one_plate: Campaign, tmp_path: Path) -> None:
    block = block_of(one_plate, tmp_path, "half0", "half1")
    (done,) = score_block(block, NumpyScorer(n_cells=0))
    assert (done.status, done.codes, done.n_cells) == ("NO_CELLS", ("NO_CELLS",), 0)
    assert header(tmp_path)["profile"] is None


def test_a_well_that_taught_every_network_keeps_its_cells_unscored(
    one_plate: Campaign, tmp_path: Path
) -> None:
    (done,) = score_block(block_of(one_plate, tmp_path), NumpyScorer())
    assert (done.status, done.n_cells) == ("TEACHING", 24)
    ledger = Ledger(tmp_path)
    ledger.compact("P01")
    cells = read_parquet(ledger.cells("P01"))
    assert cells.column("probability").null_count == 24
    assert cells.column("networks").to_pylist() == [[]] * 24


def test_a_record_of_a_later_schema_is_not_done() -> None:
    with mock.patch("screen.records.SCHEMA", 2):
        data = encode(record_of("A01"))
    with pytest.raises(RecordError, match="schema 1 are read, found 2"):
        decode(data)


def test_records_stay_until_their_table_reads_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.commit(record_of("A01"))
    other = pa.table({"well": ["A02"]})
    with (
        mock.patch("screen.ledger.read_parquet", return_value=other),
        pytest.raises(IntegrityError, match=r"P01\.parquet must read back as written"),
    ):
        ledger.compact("P01")
    assert [r.well for r in ledger.open_records("P01")] == ["A01"]
    ledger.compact("P01")
    assert list(ledger.open_records("P01")) == []
    assert [h["well"] for h in ledger.headers("P01")] == ["A01"]


def test_open_records_are_forgotten_one_by_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for well in ("A01", "A02"):
        ledger.commit(record_of(well))
    forget(ledger, "P01", ["A01", "D06"])
    assert [h["well"] for h in ledger.headers("P01")] == ["A02"]


def test_a_well_depends_on_the_light_of_its_plate(one_plate: Campaign) -> None:
    plate, well = open_plate(one_plate.plates[0].path), Well.parse("A01")
    even = np.ones((2, 3, 3), np.float32)
    inputs = [well_input(plate, well, gain, None) for gain in (None, even, 2 * even)]
    assert len({*inputs}) == 3
    assert inputs[1] == well_input(plate, well, even.copy(), None)


def test_what_cannot_be_read_now_equals_nothing(one_plate: Campaign) -> None:
    plate, well = open_plate(one_plate.plates[0].path), Well.parse("A01")
    stale = OSError(errno.ESTALE, os.strerror(errno.ESTALE))
    with mock.patch("screen.inputs.well_sha256", side_effect=stale):
        assert well_input(plate, well, None, None) == ""


def test_a_record_that_is_compacted_meanwhile_is_counted_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for well in ("A01", "A02"):
        ledger.commit(record_of(well))

    def compacting(data: bytes) -> Any:
        record = decode(data)
        ledger.compact("P01")
        return record

    with mock.patch("screen.run_state.decode", compacting):
        (state,), problems = plates_of(tmp_path, {"P01": 24})
    assert state.statuses == {"SCORED": 2}
    assert problems == []


def forget_none(names: list[str]) -> None:
    """No plate's pixels changed."""
    assert names == []


def test_runs_that_had_scored_nothing_are_set_aside_with_their_settings(
    tmp_path: Path,
) -> None:
    facts: list[dict[str, Any]] = [
        {"minibatch": n, "plates": {}} for n in (32, 64, 128)
    ]
    kept = {keep_fingerprint(tmp_path, f, forget_none, new_run=True) for f in facts}
    assert len(kept) == 3
    asides = [tmp_path / name for name in ("before-1", "before-2")]
    names = [[p.name for p in aside.iterdir()] for aside in asides]
    assert names == [["fingerprint.json"]] * 2
    old = [json.loads((p / "fingerprint.json").read_bytes()) for p in asides]
    assert old == facts[:2]


def test_a_machine_that_hides_its_processor_is_told_by_its_kind() -> None:
    with mock.patch("pathlib.Path.read_text", side_effect=PermissionError):
        assert fingerprint.vector_set() == os.uname().machine
    with mock.patch("pathlib.Path.read_text", return_value="flags : avx sse avx2"):
        assert fingerprint.vector_set() == "avx2"


def test_a_fault_of_the_store_itself_is_no_storage(one_plate: Campaign) -> None:
    clock, plate = Clock(), open_plate(one_plate.plates[0].path)
    bad = InputError(Problem("PLATE_META", "P01", "no json", "why", "remedy"))
    with (
        hurried(clock),
        mock.patch(READ, side_effect=bad),
        pytest.raises(InputError, match="PLATE_META"),
    ):
        READS.read(plate, Well.parse("A01"), 0)
    assert clock.slept == []
    assert READS.under_way == []


def test_a_service_that_stays_away_stops_the_run(one_plate: Campaign) -> None:
    clock, plate = Clock(), open_plate(one_plate.plates[0].path)
    away = InputError(Problem("STORE_UNREACHABLE", "s3", "no answer", "why", "remedy"))
    with (
        hurried(clock),
        mock.patch(READ, side_effect=away),
        pytest.raises(Refusal, match=r"STORE_UNREACHABLE s3: no answer, for 54\d s"),
    ):
        READS.read(plate, Well.parse("A01"), 0)
    assert clock.now >= PATIENCE_S


def test_what_no_manifest_lists_is_shown(tmp_path: Path) -> None:
    (tmp_path / "hits.parquet").write_bytes(b"anything")
    check_shown(tmp_path, ["hits.parquet"])
    assert [p.name for p in tmp_path.iterdir()] == ["hits.parquet"]


def test_a_listed_file_that_points_out_of_the_run_is_not_shown(tmp_path: Path) -> None:
    run, outside = tmp_path / "run", tmp_path / "hits.parquet"
    run.mkdir()
    outside.write_bytes(b"of another run")
    (run / "hits.parquet").symlink_to(outside)
    listed = {"bytes": 14, "sha256": hashlib.sha256(outside.read_bytes()).hexdigest()}
    assert [p.code for p in faults(run, "hits.parquet", listed)] == ["PATH_ESCAPE"]
    (run / "hits.parquet").unlink()
    shutil.copy(outside, run)
    assert list(faults(run, "hits.parquet", listed)) == []
