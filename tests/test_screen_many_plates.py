"""A thousand plates: what is asked once a plate or a well is told cheaply, and rightly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plates.problems import InputError
from plates.wells import Well
from screen.audits.between import arrangements
from screen.audits.permutation import basis, level_basis, level_test, shuffle_test
from screen.audits.vehicle import centred
from screen.called_records import called_records
from screen.cell_tables import SCHEMA, cell_table
from screen.expected_wells import expected_of
from screen.field_groups import QualitySettings
from screen.field_table import judge_fields
from screen.finished_wells import Finished, finished_wells
from screen.ledger import IntegrityError, Ledger, headers_of, scores_of
from screen.models import NetworkSpec
from screen.records import WellRecord
from screen.statistics.flags import channel_matrix
from screen.statistics.phenotypic_activity import _sorted
from tests.test_screen_ledger import make_record
from tests.tiny_screen import make_screen


def _rows(record: WellRecord) -> list[dict[str, object]]:
    """The cells of one record as plain values, one by one."""
    c = record.cells
    return [
        {
            "plate": record.plate,
            "well": record.well,
            "field": int(c.field[i]),
            "cell": i,
            "y": float(c.y[i]),
            "x": float(c.x[i]),
            "probability": float(np.float32(np.mean(p, dtype="f8")))
            if len(p)
            else None,
            "networks": [float(v) for v in p],
        }
        for i, p in enumerate(c.probability)
    ]


def test_the_cells_of_many_records_are_one_table() -> None:
    networks = [("a",), (), ("a", "b"), ("a", "b", "c"), ("b",)]
    records = [
        make_record(f"A{i + 1:02d}", n=n, networks=names, seed=i)
        for i, (n, names) in enumerate(zip((3, 2, 0, 5, 1), networks, strict=True))
    ]
    found = cell_table(records)
    due = [row for record in records for row in _rows(record)]
    assert found.equals(pa.Table.from_pylist(due, schema=SCHEMA))
    assert cell_table([]).equals(SCHEMA.empty_table())


def _wells(ledger: Ledger) -> dict[str, Finished]:
    """The same from the headers, each parsed."""
    return {
        h["well"]: Finished(h["status"], "NONDETERMINISM" in h["codes"])
        for h in ledger.headers("P01")
    }


def test_finished_wells_are_those_of_the_headers(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert finished_wells(ledger, "P01") == {}
    odd = make_record("A02")
    odd.header["fields"][0]["problem"] = 'it said "status":"ABSENT" "NONDETERMINISM"'
    for record in (odd, make_record("A01", status="QUARANTINED"), make_record("A03")):
        ledger.commit(record)
    assert ledger.commit(make_record("A03", seed=1)) == "differs"
    ledger.compact("P01")
    ledger.commit(make_record("A01", seed=2))
    ledger.commit(make_record("A10", status="NO_CELLS", n=0))
    found = finished_wells(ledger, "P01")
    assert found == _wells(ledger)
    assert list(found) == ["A01", "A02", "A03", "A10"]
    assert found["A01"] == Finished("SCORED", False)
    assert found["A02"] == Finished("SCORED", False)
    assert found["A03"] == Finished("SCORED", True)


def test_a_header_without_status_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.table("P01").parent.mkdir(parents=True)
    table = pa.table({"well": ["A01"], "header": [json.dumps({"well": "A01"})]})
    pq.write_table(table, ledger.table("P01"), write_page_checksum=True)
    with pytest.raises(IntegrityError, match="must name the status of A01"):
        finished_wells(ledger, "P01")


def test_a_call_takes_from_single_plates_what_it_takes_from_all(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    rng = np.random.default_rng(0)
    for plate in ("P01", "P02", "P03"):
        for well in (str(Well(0, i)) for i in range(8)):
            record = make_record(well, n=4, seed=int(rng.integers(99)))
            field = record.header["fields"][0]
            field["saturated"] = [0.2 if well == "A03" else 0.0, 0.0]
            named = {"plate": plate, "channels": ["nucleus", "body"]}
            named = named if plate != "P01" else {"plate": plate}
            ledger.commit(WellRecord(record.header | named, record.cells))
        ledger.compact(plate)
    plates = ["P01", "P02", "P03"]
    rules = QualitySettings("enforce", ["IMG_SATURATED"], 0.5)
    controls = pl.DataFrame({"plate": ["P01", "P03"], "well": ["A01", "A02"]})
    found = called_records(tmp_path, plates, rules, controls)
    headers = headers_of(tmp_path, plates)
    due = judge_fields(headers, rules)
    assert due.counts["left_out"] == 3
    assert found.tables.fields.equals(due.fields)
    assert found.tables.wells.equals(due.wells)
    assert found.scores.equals(scores_of(due.headers))
    assert found.whole.equals(scores_of(headers))
    assert [(h["plate"], h["well"]) for h in found.controls] == controls.rows()


@pytest.mark.parametrize("unit", ["plate", "well"])
def test_a_network_keeps_off_what_it_learnt_from(unit: str) -> None:
    network = NetworkSpec(
        "a", "a.safetensors", "0", (("P1", "A01"), ("P2", "B02")), unit
    )
    asked = [("P1", "A01"), ("P1", "A02"), ("P2", "B02"), ("P3", "A01")]
    due = {"plate": [False, False, False, True], "well": [False, True, False, True]}
    assert [network.may_score(*one) for one in asked] == due[unit]


def test_the_expected_wells_are_those_of_map_and_plate(tmp_path: Path) -> None:
    campaign = make_screen(tmp_path / "tiny", n_wells=6)
    plate = campaign.open_plate("P01")
    known = campaign.map.frame.filter(pl.col("plate") == "P01")["well"].to_list()
    found = expected_of(campaign.map, plate)
    assert (found.scored, found.unimaged, found.unmapped) == (sorted(known), [], [])
    assert len(found) == 6
    with pytest.raises(InputError, match="MAP_PLATE_UNKNOWN"):
        campaign.map.for_plate("P9")


def test_levels_explain_what_their_columns_do() -> None:
    rng = np.random.default_rng(3)
    level, strata = rng.integers(0, 5, 60), rng.integers(0, 2, 60)
    level[:5], strata[:2] = range(5), (0, 1)
    values = centred(rng.normal(size=(60, 4)), strata).T
    columns = basis((level[:, None] == np.arange(5)[None]).astype(float), strata)
    found = level_basis(level, strata)
    assert found.rows.shape[1] == columns.shape[1] == 4
    due = ((values @ columns) ** 2).sum(axis=1)
    np.testing.assert_allclose(found.explained(values), due, rtol=1e-12)
    dense = shuffle_test(values[0], [columns], strata, (1, 2))
    sparse = level_test(values[0], found, strata, (1, 2))
    assert sparse.p == dense.p
    np.testing.assert_allclose(sparse.explained, dense.explained, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 6, 9])
def test_few_neighbours_are_sorted_as_many_are(n: int) -> None:
    values = np.random.default_rng(n).integers(0, 9, (7, 4, n))
    assert np.array_equal(_sorted(values), np.sort(values, axis=-1))


def test_a_column_of_lists_is_a_matrix() -> None:
    column = pl.Series([[1.0, 2.0], None, [], [3.0, None], [4.0]], dtype=pl.List(float))
    found = channel_matrix(column)
    nan = float("nan")
    due = np.array([[1, 2], [nan, nan], [nan, nan], [3, nan], [4, nan]])
    np.testing.assert_array_equal(found, due)
    assert channel_matrix(column[1:3]).shape == (2, 0)
    assert channel_matrix(column.clear()).shape == (0, 0)


def test_the_ways_to_hand_out_a_thousand_plates_are_more_than_a_float() -> None:
    assert arrangements([40] * 25) == float("inf")
    assert arrangements([2, 2]) == pytest.approx(3)
