"""Position and compound told apart: grades, the spread that stays with a place, and what is then called."""

import numpy as np
import polars as pl
import pytest

from bench.real_vehicle_wells import repurposing_wells
from bench.statistics_position import position_real, position_virtual
from screen.compounds import SCHEMA
from screen.judgement import DoseRow, position_explains
from screen.statistics.position import (
    map_places,
    position_grades,
    position_spread,
)
from tests.error_wells import RULES, Design, draw, judge


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_the_share_of_a_place_is_found_again(share: float) -> None:
    rng = np.random.default_rng(1)
    n_maps, n_places, n_plates = 80, 20, 4
    place = np.sqrt(share) * rng.standard_normal((n_maps, 1, n_places))
    noise = rng.standard_normal((n_maps, n_plates, n_places))
    values = place + np.sqrt(1 - share) * noise
    values = values - values.mean(axis=2, keepdims=True)
    where, plate = (
        np.broadcast_to(np.arange(a * b).reshape(shape), values.shape).ravel()
        for a, b, shape in (
            (n_maps, n_places, (n_maps, 1, n_places)),
            (n_maps, n_plates, (n_maps, n_plates, 1)),
        )
    )
    found = position_spread(values.ravel(), where, plate)
    assert found.share == pytest.approx(share, abs=0.06)
    assert found.n_places == n_maps * n_places


def test_places_seen_once_say_nothing() -> None:
    found = position_spread(
        np.array([1.0, -1.0, 2.0]), np.arange(3), np.zeros(3, np.int64)
    )
    assert (found.share, found.df, found.n_places) == (0.0, 0.0, 0)


def wells(rows: list[tuple[str, int, int, float]]) -> pl.DataFrame:
    """Plate, row, column, dose of one compound's wells."""
    names = ["plate", "row", "column", "concentration_um"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        compound=pl.lit("C")
    )


@pytest.mark.parametrize(
    ("rows", "grade", "n_positions"),
    [
        ([("P1", 1, 1, 1.0), ("P2", 1, 1, 1.0)], "fixed", 1),
        ([("P1", 1, 1, 1.0), ("P2", 1, 2, 1.0)], "varied", 2),
        ([("P1", 1, 1, 1.0), ("P1", 1, 2, 1.0)], "single plate", 2),
        # Each dose has its own well, and keeps it.
        (
            [
                ("P1", 1, 1, 1.0),
                ("P2", 1, 1, 1.0),
                ("P1", 2, 1, 3.0),
                ("P2", 2, 1, 3.0),
            ],
            "fixed",
            2,
        ),
        (
            [
                ("P1", 1, 1, 1.0),
                ("P2", 1, 1, 1.0),
                ("P1", 2, 1, 3.0),
                ("P2", 3, 1, 3.0),
            ],
            "varied",
            3,
        ),
    ],
    ids=["fixed", "varied", "single", "two doses fixed", "one dose moved"],
)
def test_grades(
    rows: list[tuple[str, int, int, float]], grade: str, n_positions: int
) -> None:
    found = position_grades(wells(rows), ["compound"])
    assert found["position"].to_list() == [grade]
    assert found["n_positions"].to_list() == [n_positions]


def test_plates_of_one_map_share_their_places() -> None:
    fixed = draw(Design(10, 3, n_maps=2, fixed=True), np.random.default_rng(0)).wells
    found = fixed.with_columns(place=pl.Series(map_places(fixed)))
    assert found.n_unique("place") == 2 * 26
    moved = draw(Design(10, 3), np.random.default_rng(0)).wells
    found = moved.with_columns(place=pl.Series(map_places(moved)))
    # No map comes back, so that a place is its row and column on all of them.
    assert found.n_unique("place") == 26


def test_a_fixed_layout_costs_and_a_moved_one_does_not() -> None:
    design = {"sd_well": 0.1, "sd_place": 0.2, "n_vehicle": 40}
    fixed = judge(draw(Design(100, 6, fixed=True, **design), np.random.default_rng(1)))  # type: ignore[arg-type]
    moved = judge(draw(Design(100, 6, **design), np.random.default_rng(1)))  # type: ignore[arg-type]
    assert fixed.doses["position"].unique().to_list() == ["fixed"]
    assert moved.doses["position"].unique().to_list() == ["varied"]
    se = [float(np.median(j.doses["se_null"].to_numpy())) for j in (fixed, moved)]
    assert se[0] == pytest.approx(np.hypot(0.2, 0.1 / np.sqrt(6)), rel=0.3)
    assert se[1] == pytest.approx(np.hypot(0.2, 0.1) / np.sqrt(6), rel=0.3)


def test_a_claim_that_its_place_may_explain_is_named() -> None:
    row: DoseRow = {"position": "fixed", "p": 0.2, "p_moved": 0.001}
    row |= {"p_count": 0.9, "p_moved_count": 0.8}
    assert position_explains([row], RULES)
    assert not position_explains([row | {"position": "varied"}], RULES)
    assert not position_explains([row | {"p": 0.01}], RULES)
    unknown = row | {"p_moved": None}
    assert not position_explains([unknown], RULES)
    assert position_explains([unknown | {"p_moved_count": 0.01}], RULES)
    assert {"position", "n_positions", "ssmd"} <= set(SCHEMA)


def test_inert_compounds_of_a_fixed_layout_are_left_alone_and_strong_ones_called() -> (
    None
):
    found = position_virtual(3, quick=True)
    assert found["figure"] <= 0.02
    assert found["power"] >= 0.8


@pytest.mark.real
@pytest.mark.slow
def test_real_positions_followed_over_plates_are_no_effects(
    shared_data: object,
) -> None:
    assert shared_data
    # One row of treatments tells the maps apart and says how replicates vary.
    every = repurposing_wells()
    found = position_real(
        every.filter(pl.col("sample").is_null() | (pl.col("row") == 7))
    )
    assert found["n"] == 672
    assert max(found["p_at_0.05"][k] for k in ("effect", "count")) <= 0.08
    assert max(found["called"].values()) <= 0.01
    assert found["p_at_0.05"]["naive"] == pytest.approx(0.47, abs=0.05)
