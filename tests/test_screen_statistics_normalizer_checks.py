"""What normalisers check before use: active samples, aliased doses, control layouts, collapsed spreads; and what they then do."""

from pathlib import Path

import numpy as np
import pytest

from screen.codes import CODES
from screen.normalizer_codes import NORMALIZER_CODES
from screen.statistics.normalizers import METHODS, PlateGrid, normalize, plate_grid
from screen.statistics.normalizers.dose_alias import dose_alias
from screen.statistics.normalizers.grid import Bools
from screen.statistics.normalizers.hit_share import hit_share
from screen.statistics.normalizers.layout import control_layout, fixed_share
from screen.statistics.normalizers.spread import robust_spread
from screen.statistics.normalizers.within_lines import shortest_half_mean
from tests.normalizer_data import SHAPE, planted_plate, repurposing_plates

ROWS, COLUMNS = np.indices(SHAPE)
SEEDS = range(40)
Lines = int | slice | list[int]


def refused_share(share: float, **layout: bool) -> float:
    """Share of planted plates on which a B-score is refused."""
    plates = [planted_plate(seed, share, **layout)[0] for seed in SEEDS]
    return float(
        np.mean([normalize("b_score", [p])[0].method != "b_score" for p in plates])
    )


@pytest.mark.parametrize("scattered", [False, True], ids=["in columns", "scattered"])
@pytest.mark.parametrize(
    ("share", "least", "most"),
    [(0.05, 0, 0.05), (0.15, 0.9, 1), (0.2, 1, 1), (0.3, 1, 1)],
)
def test_b_score_is_refused_by_the_share_of_hits(
    share: float, least: float, most: float, scattered: bool
) -> None:
    assert least <= refused_share(share, scattered=scattered) <= most


@pytest.mark.parametrize("share", [0.05, 0.15, 0.2, 0.3])
def test_b_score_is_always_refused_where_dose_follows_the_rows(share: float) -> None:
    assert refused_share(share, by_row=True) == 1


@pytest.mark.parametrize("by_row", [False, True], ids=["random", "row dose"])
def test_what_replaces_a_b_score_keeps_the_hits(by_row: bool) -> None:
    kept = []
    for seed in SEEDS:
        plate, hits = planted_plate(seed, 0.2, by_row=by_row)
        (done,) = normalize("b_score", [plate])
        assert done.method == "null_z"
        assert "b_score refused: " in done.reason
        kept.append(np.mean(done.values[hits]))
    assert np.mean(np.array(kept) <= -5) >= 0.95
    assert np.mean(kept) == pytest.approx(-6, abs=0.3)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.2, 0.3])
def test_the_bound_of_the_hit_share_covers(share: float) -> None:
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=320)
        x[: round(320 * share)] -= 6
        found.append(hit_share(x, rng.normal(size=32)))
    assert np.mean([f.value for f in found]) == pytest.approx(share, abs=0.02)
    assert np.mean([f.high >= share for f in found]) >= 0.93
    assert np.mean([f.spread for f in found]) == pytest.approx(1, abs=0.05)


def test_hits_of_a_whole_plate_are_seen() -> None:
    rng = np.random.default_rng(0)
    found = hit_share(rng.normal(-6, 1, 320), rng.normal(size=16))
    assert found.value > 0.9


def test_too_few_wells_tell_no_share() -> None:
    found = hit_share(np.arange(5.0), np.arange(5.0))
    assert np.isnan(found.high)
    assert np.isnan(hit_share(np.zeros(300), np.zeros(16)).high)


@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_the_share_does_not_depend_on_the_unit(shift: float) -> None:
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=300), rng.normal(size=20)
    first, second = hit_share(x, v), hit_share(7 * x + shift, 7 * v + shift)
    assert (second.value, second.high) == (first.value, first.high)
    assert second.spread == pytest.approx(7 * first.spread)


def dosed(dose: np.ndarray) -> PlateGrid:
    """A plate of samples with these doses."""
    return plate_grid(np.zeros(SHAPE), log_dose=dose.astype(np.float64))


@pytest.mark.parametrize(
    ("dose", "name"),
    [
        (ROWS // 2, "row"),
        (COLUMNS % 6, "column"),
        (ROWS // 8 + COLUMNS // 12, "row and column"),
        (np.random.default_rng(0).permutation(384).reshape(SHAPE) % 8, ""),
        ((ROWS + COLUMNS) % 8, ""),
        (np.ones(SHAPE), ""),
        (np.full(SHAPE, np.nan), ""),
    ],
    ids=["rows", "columns", "quadrants", "random", "diagonal", "one dose", "none"],
)
def test_doses_that_follow_lines(dose: np.ndarray, name: str) -> None:
    assert dose_alias(dosed(dose)).name == name


def test_random_doses_are_seldom_taken_for_aliased() -> None:
    rng = np.random.default_rng(3)
    names = [dose_alias(dosed(rng.integers(0, 8, SHAPE))).name for _ in range(300)]
    assert names.count("") >= 298


def spots(rows: Lines, columns: Lines) -> Bools:
    """Wells at these rows and columns."""
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[rows, columns] = True
    return mask


@pytest.mark.parametrize(
    ("controls", "name"),
    [
        (spots([], []), "none"),
        (spots(slice(None), [0, 23]), "columns"),
        (spots(slice(None), 5), "columns"),
        (spots(slice(None), [0, 1, 22, 23]), "columns"),
        (spots([0, 15], slice(None)), "rows"),
        (spots(slice(0, 5), slice(0, 5)), "block"),
        (spots(slice(0, 16, 3), slice(0, 24, 4)), "scattered"),
        (spots([1, 5, 9, 13], [2, 8, 14, 20]), "few"),
    ],
    ids=str,
)
def test_control_layouts(controls: Bools, name: str) -> None:
    assert control_layout(controls) == name


def test_treatments_that_keep_their_places() -> None:
    ids = np.arange(384).reshape(SHAPE)
    same = [plate_grid(np.zeros(SHAPE), treatment=ids)] * 3
    other = [plate_grid(np.zeros(SHAPE), treatment=ids + 384 * i) for i in range(3)]
    assert fixed_share(same) == 1
    assert fixed_share(other) == 0
    assert fixed_share(same[:1]) == 0


def test_well_correction_is_refused_where_it_would_take_the_treatment() -> None:
    rng = np.random.default_rng(0)
    ids = np.arange(384).reshape(SHAPE)
    vehicle = spots(slice(None), [0, 23])
    row_dose = -(ROWS // 2).astype(np.float64)

    def reasons(n: int, fixed: bool, dose: np.ndarray | None) -> str:
        plates = [
            plate_grid(
                rng.normal(size=SHAPE),
                vehicle=vehicle,
                log_dose=dose,
                treatment=ids if fixed else ids + 384 * i,
            )
            for i in range(n)
        ]
        return normalize("well_correction", plates)[0].reason

    assert reasons(8, False, None) == ""
    assert "LAYOUT_FIXED (100%" in reasons(8, True, None)
    assert "DOSE_ALIASED (dose follows the row)" in reasons(8, False, row_dose)
    assert "PLATES_FEW (3 plates)" in reasons(3, False, None)


PLAIN = np.random.default_rng(7).normal(10, 1, SHAPE)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("percent_of_control", "NO_STRESSED_SCALE"),
        ("npi", "NO_HEALTHY_SCALE"),
        ("rescue", "NO_HEALTHY_SCALE"),
        ("surface", "NO_STRESSED_SCALE"),
        ("loess", "NO_STRESSED_SCALE"),
        ("control_plate", "CONTROL_PLATE_NONE"),
        ("count_regression", "NO_STRESSED_SCALE"),
        ("well_correction", "PLATES_FEW"),
    ],
)
def test_without_controls_there_is_z_against_the_samples_and_a_reason(
    name: str, code: str
) -> None:
    (done,) = normalize(name, [plate_grid(PLAIN)])
    assert done.method in ("null_z", "robust_z")
    assert code in done.reason
    assert np.isfinite(done.values).all()


def test_controls_in_columns_tell_no_surface() -> None:
    (done,) = normalize("surface", [planted_plate(0, 0.0)[0]])
    assert "CONTROLS_NOT_SCATTERED (32 vehicle wells, layout columns)" in done.reason


def test_a_vehicle_about_zero_is_no_divisor() -> None:
    plate = plate_grid(PLAIN - 10, vehicle=spots(slice(None), [0, 23]))
    assert "CONTROL_NEAR_ZERO" in normalize("percent_of_control", [plate])[0].reason


@pytest.mark.parametrize(
    ("values", "kind", "spread"),
    [
        ([1.0, 2.0, 3.0, 4.0], "MAD", 1.4826),
        ([1.0, 1.0, 1.0, 5.0], "mean deviation", 1.2533),
        ([2.0, 2.0, 2.0], "none", 0.0),
        ([1e9, 1e9 + 1e-7, 1e9 - 1e-7], "none", 0.0),
        ([], "none", 0.0),
    ],
)
def test_a_spread_says_what_it_is_taken_from(
    values: list[float], kind: str, spread: float
) -> None:
    found = robust_spread(np.array(values))
    assert found.kind == kind
    assert found.value == pytest.approx(spread)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("controlled", [False, True])
def test_equal_wells_are_refused_and_never_infinite(
    name: str, controlled: bool
) -> None:
    vehicle = spots(slice(None), [0, 23]) if controlled else None
    (done,) = normalize(name, [plate_grid(np.full(SHAPE, 3.0), vehicle=vehicle)])
    finite = np.isfinite(done.values)
    assert finite.all() if done.method else not finite.any()
    assert not np.isinf(done.values).any()
    assert done.method == "percent_of_control" or "SPREAD_NONE" in done.reason


@pytest.mark.parametrize("name", METHODS)
def test_an_empty_plate_is_refused(name: str) -> None:
    (done,) = normalize(name, [plate_grid(np.full(SHAPE, np.nan))])
    assert done.method == ""
    assert "VALUES_NONE" in done.reason


def test_ties_fall_back_to_the_mean_deviation_and_say_so() -> None:
    values = np.where(COLUMNS < 4, PLAIN, 10.0)
    (done,) = normalize("robust_z", [plate_grid(values)])
    deviation = 1.2533 * np.mean(np.abs(values - 10.0))
    assert done.values == pytest.approx((values - 10.0) / deviation)
    assert "MAD_COLLAPSED" in done.reason


def test_every_code_of_normalisation_is_given_and_explained() -> None:
    source = Path(__file__).parents[1] / "screen" / "statistics"
    text = "".join(p.read_text(encoding="utf-8") for p in source.rglob("*.py"))
    names = [line.split(" | ")[0] for line in NORMALIZER_CODES.strip().splitlines()]
    assert [n for n in names if n not in text] == []
    assert set(names) <= set(CODES)


@pytest.mark.real
def test_no_repurposing_plate_gets_a_b_score(shared_data: Path) -> None:
    plates = list(repurposing_plates(shared_data))
    found = [normalize("b_score", [grid])[0] for _, grid in plates]
    assert len(found) == 136
    assert {f.method for f in found} <= {"surface", "null_z"}
    assert all("DOSE_ALIASED (dose follows the column)" in f.reason for f in found)


@pytest.mark.parametrize("place_sd", [0.7, 1.5])
@pytest.mark.parametrize(("share", "least", "most"), [(0.05, 0, 0.05), (0.3, 0.95, 1)])
def test_line_effects_neither_hide_hits_nor_pass_for_them(
    share: float, least: float, most: float, place_sd: float
) -> None:
    plates = [planted_plate(s, share, place_sd=place_sd)[0] for s in SEEDS]
    refused = [normalize("b_score", [p])[0].method != "b_score" for p in plates]
    assert least <= np.mean(refused) <= most


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], 0), ([3.0], 3), ([0.0, 0.1, 0.2, 9.0, 10.0], 0.1), ([1.0, 2.0], 1.5)],
)
def test_the_shortest_half_sits_where_values_are_dense(
    values: list[float], expected: float
) -> None:
    assert shortest_half_mean(np.array(values)) == pytest.approx(expected)
