"""The audits' statistics against definitions, simulations and hand-made cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import kstest, theilslopes
from sklearn.metrics import roc_auc_score

from plates.maps import PlateMap
from plates.problems import InputError
from plates.wells import PlateFormat
from screen.audits.measures import CROWDING, well_measures
from screen.audits.permutation import basis, needed_signal, shuffle_test
from screen.audits.separation import Pair, auc_difference, within_auc
from screen.audits.slopes import rank_slope
from screen.ledger import Ledger
from screen.records import Cells, WellRecord
from screen.statistics.rules import CallRules
from screen.wells import call_wells
from tests.score_tables import Screen, draw


def test_slopes_of_evenly_spaced_wells_are_theil_and_sens() -> None:
    # With |dx| weights only equal steps give the plain median; three points do.
    x, y = np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 3.0])
    found = rank_slope(x, y, np.zeros(3, np.intp), 0.95)
    assert found is not None
    assert found.value == theilslopes(y, x)[0] == 1.5


def test_a_line_is_found_in_every_stratum_whatever_its_level() -> None:
    x = np.tile(np.arange(8.0), 3)
    strata = np.repeat(np.arange(3), 8)
    y = 0.7 * x + np.array([0.0, 50.0, -20.0])[strata]
    found = rank_slope(x, y, strata, 0.95)
    assert found is not None
    assert found.value == pytest.approx(0.7)
    assert found.n == 24


def test_wells_as_full_as_each_other_tell_no_slope() -> None:
    assert rank_slope(np.ones(9), np.arange(9.0), np.zeros(9, np.intp), 0.95) is None


def test_the_interval_of_a_slope_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    strata = np.repeat(np.arange(4), 12)
    covered = 0
    for _ in range(400):
        x = rng.normal(size=48) * np.array([1.0, 0.3, 1.0, 2.0])[strata]
        y = 0.5 * x + rng.standard_t(3, size=48) + 3 * strata
        found = rank_slope(x, y, strata, 0.9)
        assert found is not None
        covered += found.low <= 0.5 <= found.high
    assert 0.85 <= covered / 400 <= 0.95


def test_p_of_wells_without_a_factor_is_even() -> None:
    rng = np.random.default_rng(2)
    strata = np.repeat(np.arange(4), 10)
    design = rng.normal(size=40)
    found = [
        shuffle_test(
            rng.exponential(size=40) + strata, [basis(design, strata)], strata, [i]
        )
        for i in range(120)
    ]
    assert kstest([f.p[0] for f in found], "uniform").pvalue > 0.01
    assert all(f.p_family[0] == f.p[0] for f in found)


@pytest.mark.parametrize("weights", [(), (4.0, 4.0, 1.0, 1.0, 1.0, 1.0)])
def test_false_alarms_of_a_family_keep_to_their_level(
    weights: tuple[float, ...],
) -> None:
    rng = np.random.default_rng(3)
    strata = np.repeat(np.arange(2), 16)
    bases = [basis(rng.normal(size=32), strata) for _ in range(6)]
    alarms = [
        shuffle_test(rng.normal(size=32), bases, strata, [i], weights).p_family.min()
        <= 0.1
        for i in range(200)
    ]
    assert 0.04 <= np.mean(alarms) <= 0.16


def test_a_heavier_factor_is_charged_less_for_the_others() -> None:
    rng = np.random.default_rng(4)
    strata = np.repeat(np.arange(2), 16)
    columns = rng.normal(size=(6, 32))
    bases = [basis(column, strata) for column in columns]
    values = 0.5 * columns[0] + 0.5 * columns[1] + rng.normal(size=32)
    even = shuffle_test(values, bases, strata, [1])
    uneven = shuffle_test(values, bases, strata, [1], (4.0, 1.0, 1.0, 1.0, 1.0, 1.0))
    np.testing.assert_array_equal(uneven.p, even.p)
    assert even.p[0] <= uneven.p_family[0] < even.p_family[0]
    assert uneven.p_family[1] > even.p_family[1]


def test_a_factor_that_does_not_vary_within_strata_has_no_basis() -> None:
    strata = np.repeat(np.arange(3), 4)
    assert basis(strata.astype(np.float64), strata).shape == (12, 0)


@pytest.mark.parametrize(
    ("df", "alpha", "signal"), [(1, 0.05, 7.849), (1, 0.01, 11.679), (3, 0.05, 10.903)]
)
def test_the_signal_a_test_needs_is_the_tabled_one(
    df: int, alpha: float, signal: float
) -> None:
    # Cohen's tables of noncentral chi-square at 80 % power.
    assert needed_signal(df, alpha) == pytest.approx(signal, abs=0.01)


def test_the_auc_is_the_usual_one_within_a_plate() -> None:
    rng = np.random.default_rng(4)
    healthy, senescent = rng.normal(1, 1, 20).round(1), rng.normal(0, 1, 15).round(1)
    labels = np.repeat([1, 0], [20, 15])
    found = within_auc([Pair(healthy, senescent)], 0.95)
    expected = roc_auc_score(labels, np.concatenate([healthy, senescent]))
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high


def test_plates_are_never_compared_with_each_other() -> None:
    level = np.array([0.0, 1.0, 2.0])
    pairs = [Pair(level + 1.5, level), Pair(level + 101.5, level + 100)]
    assert within_auc(pairs, 0.95).value == within_auc(pairs[:1], 0.95).value


def test_a_perfect_auc_still_has_an_interval() -> None:
    found = within_auc([Pair(np.arange(10.0, 20.0), np.arange(10.0))], 0.95)
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.7 < found.low < 0.95


def test_the_interval_of_an_auc_covers() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(300):
        pairs = [Pair(rng.normal(1, 1, 12), rng.normal(0, 1, 12)) for _ in range(2)]
        found = within_auc(pairs, 0.9)
        covered += found.low <= 0.7602 <= found.high  # Phi(1 / sqrt 2)
    assert 0.86 <= covered / 300 <= 0.97


def test_equal_measures_do_not_differ_and_a_better_one_does() -> None:
    rng = np.random.default_rng(6)
    good = [Pair(rng.normal(3, 1, 30), rng.normal(0, 1, 30))]
    poor = [Pair(rng.normal(0, 1, 30), rng.normal(0, 1, 30))]
    same = auc_difference(good, good, level=0.95, seed=[0])
    gain = auc_difference(good, poor, level=0.95, seed=[0])
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    assert 0 < gain.low < gain.value < gain.high


def test_the_interval_of_a_difference_is_that_of_a_plain_bootstrap() -> None:
    rng = np.random.default_rng(8)
    sizes = ((9, 14), (12, 6))
    first = [Pair(rng.normal(1, 1, m), rng.normal(0, 1, n)) for m, n in sizes]
    second = [Pair(rng.normal(0.5, 1, m), rng.normal(0, 1, n)) for m, n in sizes]
    gains = [a.wins - b.wins for a, b in zip(first, second, strict=True)]
    n_pairs = sum(gain.size for gain in gains)
    drawn = []
    for _ in range(4000):
        total = 0.0
        for gain in gains:
            m, n = gain.shape
            rows, columns = rng.integers(0, m, m), rng.integers(0, n, n)
            total += gain[rows][:, columns].sum()
        drawn.append(total / n_pairs)
    low, high = np.quantile(drawn, [0.05, 0.95])
    found = auc_difference(first, second, level=0.9, seed=[3])
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)


def _header(well: str, *fields: tuple[bool, list[float]]) -> dict[str, object]:
    rows = [{"field": i, "used": u, "mean": m} for i, (u, m) in enumerate(fields)]
    return {"plate": "P1", "well": well, "fields": rows, "channels": ["nucleus"]}


def test_brightness_and_crowding_come_from_used_fields(tmp_path: Path) -> None:
    cells = Cells(
        np.array([0, 0, 0, 1, 1], np.uint16),
        np.array([0, 3, 30, 0, 1], np.float32),
        np.array([0, 4, 40, 0, 0], np.float32),
        np.zeros((5, 1), np.float32),
    )
    header = _header("A01", (True, [10.0]), (False, [99.0]))
    record = {**header, "status": "SCORED", "networks": ["fold0"]}
    ledger = Ledger(tmp_path)
    ledger.commit(WellRecord(record, cells))
    wells = pl.DataFrame({"plate": ["P1", "P1"], "well": ["A01", "A02"]})
    headers = [header, _header("A02", (True, [20.0])), _header("A03", (True, [1.0]))]
    found = well_measures(tmp_path, headers, wells)
    assert found["mean nucleus"].to_list() == [10.0, 20.0]
    assert found[CROWDING].to_list() == [5.0, None]
    ledger.compact("P1")
    assert well_measures(tmp_path, headers, wells).equals(found)


def _map(seeding: list[str]) -> pl.DataFrame:
    n = len(seeding)
    same = {"plate": "P1", "compound": "", "role": "vehicle", "state": "stressed"}
    more = {"replicate": "1", "batch": "B", "concentration_um": ""}
    columns = {"well": [f"A{i + 1:02d}" for i in range(n)], "seeding": seeding}
    return pl.DataFrame({k: [v] * n for k, v in (same | more).items()} | columns)


def test_a_map_says_how_many_cells_were_seeded() -> None:
    found = PlateMap.from_frame(_map(["2000", "500", ""]), PlateFormat.of(96))
    assert found.frame["seeding"].to_list() == [2000.0, 500.0, None]


@pytest.mark.parametrize("cell", ["many", "0", "-5", "1,000"])
def test_a_seeding_that_is_no_number_of_cells_is_refused(cell: str) -> None:
    with pytest.raises(InputError, match=r"MAP_VALUE_INVALID.*seeding"):
        PlateMap.from_frame(_map(["2000", cell]), PlateFormat.of(96))


def test_titration_wells_of_a_map_set_no_scale() -> None:
    scores, plate_map, _ = draw(Screen(seed=0))
    vehicle = (pl.col("role") == "vehicle") & (pl.col("state") == "stressed")
    rank = pl.col("well").rank("ordinal").over("plate", vehicle)
    seeding = pl.when(vehicle & (rank <= 6)).then(500.0).otherwise(2000.0)
    seeded = call_wells(scores, plate_map.with_columns(seeding=seeding), CallRules())
    plain = call_wells(scores, plate_map, CallRules())
    lost = plain.plates["n_senescent"] - seeded.plates["n_senescent"]
    marked = seeded.wells.filter(pl.col("flags").list.contains("SEEDING_TITRATION"))
    assert set(marked["role"]) == {"vehicle"}
    assert lost.to_list() == [6, 6]
