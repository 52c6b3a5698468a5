"""Normalising methods: laws they keep, answers worked out otherwise, and published scores."""

import statistics
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screen.normalizer_names import NORMALIZERS
from screen.statistics.normalizers import METHODS, PlateGrid, normalize, plate_grid
from screen.statistics.normalizers.apply import NAMES
from screen.statistics.normalizers.control_plate import (
    control_plate_regression,
    place_bias,
)
from screen.statistics.normalizers.count_regression import (
    count_regression,
    count_slope,
)
from screen.statistics.normalizers.polish import median_polish
from screen.statistics.normalizers.regression import robust_regression
from screen.statistics.normalizers.scales import (
    npi,
    percent_of_control,
    rescue,
    robust_z_score,
    z_score,
)
from screen.statistics.normalizers.surface import fitted_loess, fitted_surface
from screen.statistics.normalizers.well_correction import well_correction
from screen.statistics.robust import Floats
from tests.normalizer_data import SHAPE, kcviab, planted_plate, qhts_plates

ROWS, COLUMNS = np.indices(SHAPE)
SLOPE = 0.2 * ROWS - 0.1 * COLUMNS
few = settings(deadline=None, max_examples=25)


def polished_by_hand(table: list[list[float]]) -> list[list[float]]:
    """Residuals of Tukey's median polish, rows first, in plain Python."""
    rest = [list(row) for row in table]
    for _ in range(400):
        rest = [[x - statistics.median(row) for x in row] for row in rest]
        middles = [statistics.median(column) for column in zip(*rest, strict=True)]
        rest = [[x - m for x, m in zip(row, middles, strict=True)] for row in rest]
    return rest


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_b_score_is_a_median_polish_over_its_mad(seed: int) -> None:
    plate, _ = planted_plate(seed, 0.05, place_sd=1.0)
    inner = polished_by_hand(plate.values[:, 1:-1].tolist())
    flat = [x for row in inner for x in row]
    middle = statistics.median(flat)
    mad = 1.4826 * statistics.median(abs(x - middle) for x in flat)
    (found,) = normalize("b_score", [plate])
    assert found.method == "b_score"
    assert found.values[:, 1:-1] == pytest.approx(np.array(inner) / mad, abs=1e-8)


@given(seed=st.integers(0, 2**31), missing=st.floats(0, 0.3))
@few
def test_polish_leaves_medians_of_zero_in_every_line(seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(8, 12))
    table[rng.random(table.shape) < missing] = np.nan
    fit = median_polish(table)
    for axis in (0, 1):
        lines = fit.residuals[:, np.isfinite(fit.residuals).any(axis=0)]
        assert np.abs(np.nanmedian(lines, axis=axis)).max() < 1e-6
    whole = fit.overall + fit.rows[:, None] + fit.columns + fit.residuals
    assert whole == pytest.approx(table, abs=1e-9, nan_ok=True)


@given(seed=st.integers(0, 2**31))
@few
def test_what_rows_and_columns_do_changes_no_spike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spikes = np.where(rng.random((8, 12)) < 0.05, 7.0, 0.0)
    spikes[rng.integers(8)] = 0.0
    lines = rng.normal(0, 3, (8, 1)) + rng.normal(0, 3, (1, 12))
    few_a_line = (spikes > 0).sum(axis=0).max() < 3 and (spikes > 0).sum(
        axis=1
    ).max() < 4
    found = median_polish(spikes * few_a_line + lines).residuals
    assert found == pytest.approx(spikes * few_a_line, abs=1e-9)


def test_what_a_row_does_changes_no_residual() -> None:
    rng = np.random.default_rng(4)
    table, rows = rng.normal(size=(8, 12)), rng.normal(0, 5, (8, 1))
    found = median_polish(table + rows).residuals
    assert found == pytest.approx(median_polish(table).residuals, abs=1e-9)


@given(gain=st.floats(0.01, 100.0), add=st.floats(-50, 50), seed=st.integers(0, 99))
@few
@pytest.mark.parametrize(
    "name", ["z", "robust_z", "null_z", "b_score", "surface", "loess", "rescue"]
)
def test_scores_do_not_depend_on_the_unit(
    name: str, gain: float, add: float, seed: int
) -> None:
    plate = with_positive(seed)
    moved = moved_plate(plate, gain, add)
    before, after = normalize(name, [plate])[0], normalize(name, [moved])[0]
    assert before.method == after.method == name
    assert after.values == pytest.approx(before.values, abs=1e-5)


def with_positive(seed: int) -> PlateGrid:
    """A plate with scattered vehicle wells, five other controls and few hits."""
    plate, _ = planted_plate(seed, 0.03, scattered=True)
    spots = np.flatnonzero(plate.treated)[::60]
    positive = np.zeros(SHAPE, dtype=bool)
    positive.flat[spots] = True
    values = np.where(positive, plate.values - 12, plate.values)
    return plate_grid(values, vehicle=plate.vehicle, positive=positive)


def moved_plate(plate: PlateGrid, gain: float, add: float) -> PlateGrid:
    """The plate in another unit."""
    values = gain * plate.values + add
    return plate_grid(values, vehicle=plate.vehicle, positive=plate.positive)


HAND = plate_grid(
    np.array([[10.0, 12.0, 14.0, 2.0, 4.0, 6.0, 8.0, 20.0]]),
    vehicle=np.array([[True] * 3 + [False] * 5]),
    positive=np.array([[False] * 3 + [True] * 3 + [False] * 2]),
)


@pytest.mark.parametrize(
    ("score", "last_two"),
    [
        (percent_of_control, [800 / 12, 2000 / 12]),
        (npi, [50, -100]),
        (rescue, [0.5, -1]),
        (z_score, [-2, 4]),
        (robust_z_score, [-4 / 2.9652, 8 / 2.9652]),
    ],
    ids=["percent", "npi", "rescue", "z", "robust_z"],
)
def test_scales_by_hand(score: object, last_two: list[float]) -> None:
    assert callable(score)
    assert score(HAND)[0, -2:] == pytest.approx(last_two)


def scattered_slope(seed: int = 0) -> PlateGrid:
    """Unit noise on a slope, 64 scattered vehicle wells."""
    rng = np.random.default_rng(seed)
    vehicle = np.zeros(SHAPE, dtype=bool)
    vehicle.flat[rng.permutation(384)[:64]] = True
    return plate_grid(SLOPE + rng.normal(0, 0.2, SHAPE), vehicle=vehicle)


@pytest.mark.parametrize("fitted", [fitted_surface, fitted_loess])
def test_a_slope_is_found_through_scattered_wells(fitted: object) -> None:
    assert callable(fitted)
    plate = scattered_slope()
    values = plate.values.copy()
    values.flat[np.flatnonzero(plate.vehicle)[::10]] += 30.0  # odd wells bend nothing
    spoilt = plate_grid(values, vehicle=plate.vehicle)
    assert np.abs(fitted(spoilt) - SLOPE).max() < 0.5


def test_robust_regression_is_least_squares_on_clean_data() -> None:
    rng = np.random.default_rng(2)
    design = np.stack([np.ones(4000), rng.normal(size=4000)], axis=1)
    y = design @ [1.0, 2.0] + rng.normal(0, 0.5, 4000)
    fit = robust_regression(design, y)
    assert fit.coefficients == pytest.approx([1, 2], abs=0.03)
    assert np.sqrt(fit.covariance[1, 1]) == pytest.approx(0.5 / np.sqrt(4000), rel=0.1)
    spoilt = np.where(np.arange(4000) < 800, y + 40, y)
    assert robust_regression(design, spoilt).coefficients == pytest.approx(
        [1, 2], abs=0.05
    )


def fresh_plates(n: int, bias: Floats) -> list[PlateGrid]:
    """Plates of unit noise on a bias, 32 vehicle wells, each place with another treatment on each."""
    rng = np.random.default_rng(8)
    plates = []
    for i in range(n):
        vehicle = np.zeros(SHAPE, dtype=bool)
        vehicle.flat[rng.permutation(384)[:32]] = True
        treatment = np.arange(384).reshape(SHAPE) + 384 * i
        values = bias + rng.normal(size=SHAPE)
        plates.append(plate_grid(values, vehicle=vehicle, treatment=treatment))
    return plates


NOTHING: Floats = np.zeros(SHAPE)
CORNER: Floats = np.where((ROWS > 11) & (COLUMNS > 17), 4.0, 0.0)


def test_well_correction_takes_away_what_a_place_always_does() -> None:
    plates = fresh_plates(24, CORNER)
    plates[0].values[3, 3] = -8.0
    found = normalize("well_correction", plates)
    assert {f.method for f in found} == {"well_correction"}
    stack = np.stack([f.values for f in found])
    assert np.abs(np.median(stack, axis=0)).mean() < 0.1
    assert abs(stack[:, CORNER > 0].mean()) < 0.2
    assert stack[0, 3, 3] < -6
    assert well_correction(plates)[0] == pytest.approx(stack[0])


def test_a_control_plate_tells_the_bias_of_the_others() -> None:
    rng = np.random.default_rng(5)
    bias = np.asarray(SLOPE - SLOPE.mean(), dtype=np.float64)
    everywhere = np.ones(SHAPE, dtype=bool)
    control = plate_grid(bias + rng.normal(0, 0.3, SHAPE), vehicle=everywhere)
    assert np.corrcoef(place_bias([control]).ravel(), bias.ravel())[0, 1] > 0.98
    plates = fresh_plates(2, np.asarray(2.0 * bias))
    # Most samples are active: only the vehicle wells may tell the plate's own measure.
    for plate in plates:
        plate.values[plate.treated & (COLUMNS > 8)] -= 8.0
    found = normalize("control_plate", [control, *plates])
    assert [f.method for f in found[1:]] == ["control_plate"] * 2
    for done, plate in zip(found[1:], plates, strict=True):
        inert = plate.treated & (COLUMNS <= 8)
        assert abs(np.corrcoef(done.values[inert], bias[inert])[0, 1]) < 0.3
    assert np.isnan(control_plate_regression(plates)[0]).all()


def test_count_regression_takes_away_what_crowding_does() -> None:
    rng = np.random.default_rng(6)
    plates = []
    for plate in fresh_plates(4, NOTHING):
        log_count = rng.normal(5.0, 0.3, SHAPE)
        values = plate.values + 10.0 * log_count
        plates.append(plate_grid(values, vehicle=plate.vehicle, log_count=log_count))
    plates[0].log_count[0, 0] = 1.0  # far fewer cells than any vehicle well
    assert count_slope(plates).value == pytest.approx(10, abs=1.5)
    (done, *_) = normalize("count_regression", plates)
    assert done.method == "count_regression"
    common = np.abs(plates[0].log_count - 5) < 0.4
    rest = np.corrcoef(done.values[common], plates[0].log_count[common])[0, 1]
    assert abs(rest) < 0.15
    # A dying well keeps what no vehicle well can explain.
    assert plates[0].treated[0, 0]
    assert normalize("count_regression", [dying(plates[0]), *plates[1:]])[0].values[
        0, 0
    ] == pytest.approx(-35, abs=6)
    assert np.isfinite(count_regression(plates)[1]).all()


def dying(plate: PlateGrid) -> PlateGrid:
    """The plate with a first well of few cells, whose score falls with them."""
    values = plate.values.copy()
    values[0, 0] = 10.0
    return plate_grid(values, vehicle=plate.vehicle, log_count=plate.log_count)


def test_every_name_of_the_setting_is_in_the_registry() -> None:
    assert NAMES == NORMALIZERS
    assert all(set(m.instead) <= set(METHODS) for m in METHODS.values())


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no normaliser zscore; there are auto"):
        normalize("zscore", [HAND])


@pytest.mark.real
def test_z_of_the_qhts_plates_is_the_published_one(shared_data: Path) -> None:
    plates, expected = qhts_plates(shared_data)
    found = normalize("z", plates)
    apart = [
        np.nanmax(np.abs(f.values - e)) for f, e in zip(found, expected, strict=True)
    ]
    assert len(apart) == 42
    assert max(apart) <= 5e-11


@pytest.mark.real
def test_robust_z_of_kcviab_ranks_as_published(shared_data: Path) -> None:
    plates, published = kcviab(shared_data)
    found = normalize("robust_z", [grid for _, _, grid in plates])
    replicates = defaultdict(list)
    for (plate, _, _), done in zip(plates, found, strict=True):
        assert done.method == "robust_z"
        replicates[plate].append(-done.values)
    means = {plate: np.mean(both, axis=0) for plate, both in replicates.items()}
    ours = np.array(
        [
            means[plate][ord(well[0]) - 65, int(well[1:]) - 1]
            for plate, well in published.select("Plate", "Well").iter_rows()
        ]
    )
    theirs = published["Score"].to_numpy()
    top = [set(np.argsort(-scores, kind="stable")[:100]) for scores in (ours, theirs)]
    assert np.corrcoef(ours, theirs)[0, 1] >= 0.98
    assert len(top[0] & top[1]) >= 78


@pytest.mark.parametrize("fitted", [fitted_surface, fitted_loess])
def test_a_surface_makes_its_own_wells_no_quieter_than_others(fitted: object) -> None:
    assert callable(fitted)
    ratios = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        vehicle = np.zeros(SHAPE, dtype=bool)
        vehicle.flat[rng.permutation(384)[:24]] = True
        plate = plate_grid(rng.normal(size=SHAPE), vehicle=vehicle)
        rest = plate.values - fitted(plate)
        ratios.append(rest[plate.vehicle].var() / rest[plate.treated].var())
    assert 0.9 <= np.mean(ratios) <= 1.25
