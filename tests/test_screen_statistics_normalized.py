"""Normalisation inside a call: what is learnt from, what is changed, and what the plates table says."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from screen.statistics.flags import flag_wells
from screen.statistics.normalize import NORMALIZED
from screen.statistics.normalized_wells import normalized_wells, normalizer_rows
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules
from screen.wells import call_wells, expected_wells
from tests.score_tables import SCORE_SCHEMA, Screen, draw, map_frame, score_row

RULES = CallRules()
SHAPE = (16, 24)
PLACES = [(r, c) for r in range(16) for c in range(24)]


def screen_of(
    place: Floats, *, seed: int = 0, share: float = 0.04, network: str = "fold0"
) -> tuple[pl.DataFrame, pl.DataFrame, Floats]:
    """(scores, map, true rescue by well) of a plate with scattered controls whose scores move with the place."""
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(384)
    scores, wells, truth = [], [], np.zeros(384)
    for i, (r, c) in enumerate(PLACES):
        kind = int(kinds[i])
        healthy, vehicle = kind < 32, kind < 64
        truth[i] = 1.0 if healthy or kind >= 384 - 384 * share else 0.0
        value = 0.7 - 0.4 * truth[i] + place[r, c] + 0.02 * rng.normal()
        name = f"{chr(65 + r)}{c + 1:02d}"
        row = score_row(name, 100, [float(value)], networks=(network,))
        scores.append({"plate": "P1"} | row)
        wells.append(
            {
                "plate": "P1",
                "well": name,
                "compound": "" if vehicle else f"C{kind:03d}",
                "concentration_um": None if vehicle else 10.0,
                "role": "vehicle" if vehicle else "treatment",
                "state": "unstressed" if healthy else "stressed",
                "replicate": 1,
                "batch": "B1",
            }
        )
    return pl.DataFrame(scores, schema=SCORE_SCHEMA), map_frame(wells), truth


ROWS, COLUMNS = np.indices(SHAPE)
FLAT: Floats = np.zeros(SHAPE)
BOWL: Floats = 0.005 * ((ROWS - 7.5) ** 2 / 4 + (COLUMNS - 11.5) ** 2 / 8)
LINES: Floats = np.asarray(
    np.random.default_rng(1).normal(0, 0.03, (16, 1))
    + np.random.default_rng(2).normal(0, 0.03, (1, 24))
)


def rescue_error(place: Floats, normalizer: str) -> tuple[str, float]:
    """(normaliser used, root mean square error of rescue over the samples)."""
    scores, plate_map, truth = screen_of(place)
    called = call_wells(scores, plate_map, replace(RULES, normalizer=normalizer))
    wells = called.wells.with_columns(truth=pl.Series(truth))
    treated = wells.filter(role="treatment")
    error = (treated["rescue"] - treated["truth"]).to_numpy()
    return called.plates["normalizer"].item(), float(np.sqrt((error**2).mean()))


@pytest.mark.parametrize(
    ("place", "chosen", "gain"),
    [(FLAT, "rescue", 1.0), (BOWL, "surface", 0.6), (LINES, "b_score", 0.8)],
    ids=["nothing", "bowl", "lines"],
)
def test_auto_corrects_what_a_plate_shows_and_nothing_else(
    place: Floats, chosen: str, gain: float
) -> None:
    used, error = rescue_error(place, "auto")
    _, untouched = rescue_error(place, "rescue")
    assert used == chosen
    assert error <= gain * untouched


def test_a_screen_with_many_hits_is_left_as_it_is() -> None:
    scores, plate_map, _ = draw(Screen(seed=0))
    auto = call_wells(scores, plate_map, RULES)
    plain = call_wells(scores, plate_map, replace(RULES, normalizer="rescue"))
    assert_frame_equal(auto.wells, plain.wells, check_exact=True)
    assert auto.plates["normalizer"].to_list() == ["rescue"] * 2


@pytest.mark.parametrize("name", ["robust_z", "npi", "percent_of_control", "z"])
def test_a_change_of_unit_changes_no_rescue(name: str) -> None:
    scores, plate_map, _ = screen_of(FLAT)
    plain = call_wells(scores, plate_map, replace(RULES, normalizer="rescue"))
    other = call_wells(scores, plate_map, replace(RULES, normalizer=name))
    assert_frame_equal(other.wells, plain.wells, check_exact=True)
    assert other.plates["normalizer"].to_list() == [name]


def test_the_plates_table_tells_what_was_checked() -> None:
    scores, plate_map, _ = draw(Screen(seed=0))
    rules = replace(RULES, normalizer="b_score")
    plates = call_wells(scores, plate_map, rules).plates
    assert plates["control_layout"].to_list() == ["columns"] * 2
    assert plates["dose_alias"].to_list() == [""] * 2
    assert (plates["hit_share_high"] > 0.15).all()
    assert plates["normalizer"].to_list() == ["null_z"] * 2
    assert plates["normalizer_reason"].str.contains("HIT_SHARE_HIGH").all()
    assert (plates["hit_share"] <= plates["hit_share_high"]).all()


def test_rows_do_not_depend_on_the_order_of_wells() -> None:
    scores, plate_map, _ = draw(Screen(seed=1))
    wells = call_ready(scores, plate_map)
    mixed = normalizer_rows(wells.sample(fraction=1, shuffle=True, seed=3), RULES)
    assert_frame_equal(
        mixed.sort("plate"), normalizer_rows(wells, RULES), check_exact=True
    )


def call_ready(scores: pl.DataFrame, plate_map: pl.DataFrame) -> pl.DataFrame:
    """Expected, flagged wells, as a call normalises them."""
    return flag_wells(expected_wells(scores, plate_map), RULES)


def test_networks_of_one_plate_are_corrected_apart() -> None:
    scores, plate_map, _ = screen_of(BOWL)
    first = pl.col("score").list.first()
    two = scores.with_columns(
        networks=pl.lit(["a", "b"]),
        score=pl.concat_list(first, 1 - 2 * first),
        score_sd=pl.lit([0.28, 0.28]),
        fraction=pl.lit([0.5, 0.5]),
    )
    wells, rows = normalized_wells(call_ready(two, plate_map), RULES)
    values = np.array(wells[NORMALIZED].to_list())
    assert rows["normalizer"].to_list() == ["surface"]
    assert values[:, 0] == pytest.approx(-values[:, 1], abs=0.2)


def test_cell_numbers_alone_are_judged_and_left() -> None:
    scores, plate_map, _ = screen_of(FLAT)
    none = pl.lit([], dtype=pl.List(pl.Float64))
    bare = scores.with_columns(
        networks=pl.lit([], dtype=pl.List(pl.String)), score=none, fraction=none
    )
    wells, rows = normalized_wells(call_ready(bare, plate_map), RULES)
    assert rows["normalizer"].to_list() == ["none"]
    assert rows["control_layout"].to_list() == ["scattered"]
    assert wells[NORMALIZED].to_list() == wells["score"].to_list()
