"""The ledger keeps what is committed, and takes nothing else for it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screen.errors import Refusal
from screen.fingerprint import keep_fingerprint
from screen.ledger import (
    IntegrityError,
    Ledger,
    read_parquet,
    score_table,
)
from screen.records import Cells, RecordError, WellRecord, decode, encode


def make_record(
    well: str = "A01",
    n: int = 3,
    networks: tuple[str, ...] = ("a", "b"),
    status: str = "SCORED",
    seed: int = 0,
) -> WellRecord:
    rng = np.random.default_rng(seed)
    p = rng.random((n, len(networks)), np.float32)
    wide = p.astype(np.float64)
    field: dict[str, Any] = {"field": 0, "used": True, "n_cells": n, "codes": []}
    for name in ("background", "mean", "sd", "focus", "saturated"):
        field[name] = [1.0, 2.0]
    field["sum_p"] = wide.sum(0).tolist()
    field["sum_p2"] = (wide**2).sum(0).tolist()
    field["n_above"] = (p > 0.5).sum(0).tolist()
    header = {
        "plate": "P01",
        "well": well,
        "status": status,
        "codes": [],
        "fingerprint": "f",
        "networks": list(networks),
        "n_fields_expected": 1,
        "fields": [field],
        "profile": [0.5],
        "embedding": {},
    }
    zeros = np.zeros(n, np.uint16)
    y = rng.random(n, np.float32)
    return WellRecord(header, Cells(zeros, y, y, p))


@given(n=st.integers(0, 40), k=st.integers(0, 3), seed=st.integers(0, 99))
def test_record_round_trip(n: int, k: int, seed: int) -> None:
    record = make_record(n=n, networks=tuple("abc"[:k]), seed=seed)
    again = decode(encode(record))
    assert {**again.header, "schema": 1} == again.header
    assert again.header.items() >= record.header.items()
    np.testing.assert_array_equal(again.cells.probability, record.cells.probability)
    np.testing.assert_array_equal(again.cells.y, record.cells.y)
    assert encode(again) == encode(record)


@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_refused(at: float, bit: int) -> None:
    data = bytearray(encode(make_record()))
    data[int(at * len(data))] ^= 1 << bit
    with pytest.raises(RecordError):
        decode(bytes(data))


@given(share=st.floats(0, 1, exclude_max=True))
def test_any_truncation_is_refused(share: float) -> None:
    data = encode(make_record())
    with pytest.raises(RecordError):
        decode(data[: int(share * len(data))])


def test_the_first_commit_wins(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.commit(make_record(seed=1)) == "committed"
    assert ledger.commit(make_record(seed=1)) == "same"
    assert ledger.commit(make_record(seed=2)) == "differs"
    (kept,) = ledger.open_records("P01")
    assert encode(kept) == encode(make_record(seed=1))


def test_a_torn_record_is_not_done_and_is_replaced(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.commit(make_record())
    path = ledger.folder("P01") / "A01.rec"
    path.write_bytes(path.read_bytes()[:-7])
    assert list(ledger.open_records("P01")) == []
    assert ledger.commit(make_record()) == "committed"
    assert len(list(ledger.open_records("P01"))) == 1


def test_compaction_keeps_every_header_and_cell(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    wells = ("B02", "A01", "A10")
    for i, well in enumerate(wells):
        ledger.commit(make_record(well, n=i + 1, seed=i))
    before = ledger.headers("P01")
    ledger.compact("P01")
    assert ledger.headers("P01") == before
    assert not ledger.folder("P01").exists()
    cells = read_parquet(ledger.cells("P01"))
    assert cells.column("well").to_pylist() == ["A01"] * 2 + ["A10"] * 3 + ["B02"]


def test_compaction_in_two_steps_gives_the_same_bytes(tmp_path: Path) -> None:
    whole, parts = Ledger(tmp_path / "whole"), Ledger(tmp_path / "parts")
    for well in ("A01", "A02", "A03"):
        whole.commit(make_record(well))
    whole.compact("P01")
    for well in ("A03", "A01", "A02"):
        parts.commit(make_record(well))
        parts.compact("P01")
    for name in ("table", "cells"):
        one, two = getattr(whole, name)("P01"), getattr(parts, name)("P01")
        assert one.read_bytes() == two.read_bytes()


def test_a_changed_table_is_told(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.commit(make_record(n=200))
    ledger.compact("P01")
    path = ledger.cells("P01")
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match="must read back as written"):
        read_parquet(path)


def test_sweep_removes_what_dead_writers_left(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.commit(make_record())
    orphan = ledger.folder("P01") / ".A02.tmp-1-1"
    orphan.write_bytes(b"half")
    assert ledger.sweep() == 1
    assert not orphan.exists()
    assert len(ledger.headers("P01")) == 1


def test_score_table_is_the_mean_over_cells(tmp_path: Path) -> None:
    ledger, record = Ledger(tmp_path), make_record(n=5, seed=3)
    ledger.commit(record)
    row = score_table(tmp_path, ["P01"]).row(0, named=True)
    p = record.cells.probability.astype(np.float64)
    np.testing.assert_allclose(row["score"], p.mean(0))
    np.testing.assert_allclose(row["score_sd"], p.std(0))
    np.testing.assert_allclose(row["fraction"], (p > 0.5).mean(0))
    assert row["n_cells"] == 5


@pytest.mark.parametrize("status", ["QUARANTINED", "TEACHING", "NO_CELLS"])
def test_wells_that_are_not_scored_have_no_score(tmp_path: Path, status: str) -> None:
    Ledger(tmp_path).commit(make_record(status=status))
    row = score_table(tmp_path, ["P01"]).row(0, named=True)
    assert row["score"] == []
    assert row["networks"] == []


def forget_none(names: list[str]) -> None:
    assert names == []


@pytest.mark.parametrize("left", [b"", bytes(40), b'{"model": "0', b"7"])
def test_a_fingerprint_that_a_disk_spoilt_is_refused(
    tmp_path: Path, left: bytes
) -> None:
    facts = {"model": "0" * 64, "plates": {}}
    keep_fingerprint(tmp_path, facts, forget_none, new_run=False)
    (tmp_path / "fingerprint.json").write_bytes(left)
    with pytest.raises(Refusal, match=r"fingerprint\.json: it cannot be read") as told:
        keep_fingerprint(tmp_path, facts, forget_none, new_run=False)
    assert told.value.code == 7
