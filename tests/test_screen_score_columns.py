"""Headers as columns: the sums of each well by itself, whatever lies beside it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screen.called_records import called_records
from screen.field_groups import QualitySettings
from screen.field_table import judge_fields
from screen.finished_wells import finished_wells, tally
from screen.header_columns import columns_of, texts_of
from screen.ledger import Ledger, headers_of, scores_of
from screen.records import WellRecord
from tests.test_screen_ledger import make_record
from tests.test_screen_quality import field, header

Header = dict[str, Any]
MEANS = ("background", "mean", "sd", "focus", "saturated")
NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)
STATUSES = ("SCORED", "SCORED_DEGRADED", "NO_CELLS", "TEACHING", "QUARANTINED")


def _lists(n: int) -> st.SearchStrategy[list[float]]:
    return st.lists(NUMBERS, min_size=n, max_size=n)


@st.composite
def _headers(draw: st.DrawFn) -> list[Header]:
    """Wells of one plate with any number of fields, channels and networks."""
    headers = []
    for number in range(draw(st.integers(0, 4))):
        n_channels, n_networks = draw(st.integers(1, 3)), draw(st.integers(0, 3))
        fields: list[Header] = []
        for i in range(draw(st.integers(0, 4))):
            one: Header = {"field": i, "used": draw(st.booleans()), "codes": []}
            one["n_cells"] = draw(st.integers(0, 9)) if one["used"] else 0
            if one["used"]:
                one |= {name: draw(_lists(n_channels)) for name in MEANS}
                one |= {name: draw(_lists(n_networks)) for name in ("sum_p", "sum_p2")}
                one["n_above"] = [draw(st.integers(0, 9)) for _ in range(n_networks)]
            fields.append(one)
        headers.append(
            {
                "plate": "P01",
                "well": f"A{number + 1:02d}",
                "status": draw(st.sampled_from(STATUSES)),
                "codes": draw(st.lists(st.sampled_from(["CAPACITY", "BLANK"]))),
                "networks": [f"net{i}" for i in range(n_networks)],
                "n_fields_expected": 4,
                "fields": fields,
                "profile": draw(st.none() | _lists(2)),
            }
        )
    return headers


def _row(one: Header) -> Header:
    """What the flat table says of a well, added up field by field."""
    used = [f for f in one["fields"] if f["used"]]
    n = sum(f["n_cells"] for f in used)
    is_scored = n > 0 and one["status"] in ("SCORED", "SCORED_DEGRADED")
    k = len(one["networks"]) if is_scored else 0
    sums = {
        name: [sum(f[name][j] for f in used) / n for j in range(k)]
        for name in ("sum_p", "sum_p2", "n_above")
    }
    pairs = zip(sums["sum_p2"], sums["sum_p"], strict=True)
    copied = ("plate", "well", "status", "codes", "n_fields_expected", "profile")
    return {
        **{name: one[name] for name in copied},
        "n_cells": n,
        "n_fields": len(used),
        "networks": one["networks"][:k],
        "score": sums["sum_p"],
        "score_sd": [max(s - m**2, 0.0) ** 0.5 for s, m in pairs],
        "fraction": sums["n_above"],
        **{
            name: [
                sum(values) / len(values)
                for values in zip(*(f[name] for f in used), strict=True)
            ]
            for name in MEANS
        },
    }


@settings(max_examples=30, deadline=None)
@given(_headers())
def test_the_columns_are_the_rows_to_the_last_bit(headers: list[Header]) -> None:
    found = scores_of(headers).to_dicts()
    assert [dict(sorted(r.items())) for r in found] == [
        dict(sorted(_row(h).items())) for h in headers
    ]


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda fields: fields[1].pop("mean"), "mean"),
        (lambda fields: fields[1]["focus"].append(1.0), "focus"),
        (lambda fields: [f["n_above"].clear() for f in fields], "n_above"),
    ],
    ids=["absent", "of two lengths", "shorter than the networks"],
)
def test_a_header_that_cannot_be_added_up_is_named(spoil: Any, named: str) -> None:
    rng = np.random.default_rng(0)
    good, bad = (header(w, [field(i, rng) for i in range(2)]) for w in ("A01", "A02"))
    assert scores_of([good, bad]).height == 2
    spoil(bad["fields"])
    with pytest.raises(ValueError, match=f"header of P01/A02 must hold.*{named}"):
        scores_of([good, bad])


def _filled(run: Path) -> Ledger:
    """Two wells compacted, one of them scored anew since, and a third one open."""
    ledger = Ledger(run)
    for well in ("A01", "A02"):
        ledger.commit(make_record(well, status="QUARANTINED"))
    ledger.compact("P01")
    ledger.commit(make_record("A02", seed=2))
    ledger.commit(make_record("A10", status="NO_CELLS", n=0))
    return ledger


def test_open_records_come_before_compacted_ones(tmp_path: Path) -> None:
    ledger = _filled(tmp_path)
    found = columns_of(ledger.header_texts("P01"))
    assert found["well"].to_list() == ["A01", "A02", "A10"]
    assert found["status"].to_list() == ["QUARANTINED", "SCORED", "NO_CELLS"]
    assert ledger.header_texts("P01").equals(texts_of(ledger.headers("P01")))
    assert ledger.header_texts("P02").is_empty()


def test_known_ends_and_those_that_are_asked_for_make_one_tally(tmp_path: Path) -> None:
    ledger = _filled(tmp_path)
    due = {"NO_CELLS": 1, "QUARANTINED": 1, "SCORED": 1}, 0
    known = Counter(finished_wells(ledger, "P01").values())
    assert tally(ledger, ["P01"], []) == tally(ledger, [], [known]) == due
    twice = {name: 2 * n for name, n in due[0].items()}
    assert tally(ledger, ["P01"], [known]) == (twice, 0)


def test_wells_that_lose_fields_are_judged_as_their_headers_are(tmp_path: Path) -> None:
    ledger, rng = Ledger(tmp_path), np.random.default_rng(1)
    for number in range(12):
        fields = [field(i, rng) for i in range(3)]
        if number % 4 == 1:
            fields[1]["saturated"] = [0.3, 0.0]
        one = header(f"A{number + 1:02d}", fields)
        ledger.commit(WellRecord(one, make_record(n=0).cells))
    ledger.compact("P01")
    rules = QualitySettings("enforce", ["IMG_SATURATED"], 0.5)
    controls = pl.DataFrame({"plate": ["P01"] * 2, "well": ["A02", "A03"]})
    found = called_records(tmp_path, ["P01"], rules, controls)
    due = judge_fields(headers_of(tmp_path, ["P01"]), rules)
    assert due.counts["left_out"] == 3
    assert found.scores.equals(scores_of(due.headers))
    assert found.scores["n_fields"].to_list() == [3, 2, 3, 3] * 3
    assert found.whole["n_fields"].to_list() == [3] * 12
    assert [[f["used"] for f in h["fields"]] for h in found.controls] == [
        [True, False, True],
        [True, True, True],
    ]
