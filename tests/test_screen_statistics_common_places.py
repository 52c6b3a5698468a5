"""What all plates of a screen share by place: found, taken away, and refused where it may be the samples' own."""

from dataclasses import replace

import numpy as np
import pytest

from screen.statistics.normalizers import PlateGrid, normalize, plate_grid
from screen.statistics.normalizers.common_places import common_places, freed
from screen.statistics.normalizers.grid import Bools
from screen.statistics.robust import Floats

SHAPE = (16, 24)
ROWS, COLUMNS = np.indices(SHAPE)
RIM: Floats = np.where((ROWS == 0) | (COLUMNS == 23), 1.0, 0.0)


def vehicle_columns() -> Bools:
    return np.isin(COLUMNS, (0, 23))


def scattered() -> Bools:
    return np.random.default_rng(77).permutation(384).reshape(SHAPE) < 32


def screen(
    place: Floats,
    vehicle: Bools,
    *,
    n_maps: int = 8,
    hits: float = 0.1,
    level: float = 3.0,
) -> list[PlateGrid]:
    """Two plates a map, samples laid out anew on every map; `hits` of them at +4 sd."""
    rng = np.random.default_rng(5)
    plates = []
    for m in range(n_maps):
        treatment = np.where(vehicle, -1, 384 * m + rng.permutation(384).reshape(SHAPE))
        active = (treatment % 100 < 100 * hits) & ~vehicle
        for _ in range(2):
            values = (
                rng.normal(size=SHAPE) + 4.0 * active + level * rng.normal() + place
            )
            plates.append(plate_grid(values, vehicle=vehicle, treatment=treatment))
    return plates


@pytest.mark.parametrize("vehicle", [scattered(), vehicle_columns()])
def test_rows_and_columns_of_all_plates_are_learnt(vehicle: Bools) -> None:
    place = RIM + 0.04 * COLUMNS
    found = common_places(screen(place, vehicle))
    assert found.found
    assert found.n_maps == 8
    samples = ~vehicle
    # In sds of the samples, whose spread the active ones widen.
    wanted = (place - place[samples].mean()) / 1.1
    assert np.abs(found.profile - wanted)[samples].std() < 0.15
    # Columns that hold vehicle alone are told by it, where few samples are active.
    assert found.profile[vehicle].mean() == pytest.approx(
        wanted[vehicle].mean(), abs=0.15
    )


def test_a_freed_plate_keeps_its_level_and_its_unit() -> None:
    plates = screen(RIM, scattered(), level=0.0)
    found = common_places(plates)
    tens = [replace(p, values=100 + 10 * p.values) for p in plates]
    other = common_places(tens)
    assert other.profile == pytest.approx(found.profile, abs=1e-9)
    assert freed(tens[0], other).values == pytest.approx(
        100 + 10 * freed(plates[0], found).values
    )


def test_many_actives_leave_the_vehicles_own_columns_alone() -> None:
    """With a third of the samples active, the vehicle's distance from the bulk is theirs."""
    vehicle = vehicle_columns()
    found = common_places(screen(np.where(ROWS < 3, 1.0, 0.0), vehicle, hits=0.35))
    assert found.found
    between = found.profile[:, 0] - found.profile[:, 1]
    assert np.abs(between).max() < 0.35  # rows are shared, the column has no say


def test_no_place_no_correction() -> None:
    found = common_places(screen(np.zeros(SHAPE, dtype=np.float64), scattered()))
    assert found.codes == ("PLACE_EFFECT_NONE",)
    done = normalize("auto", screen(np.zeros(SHAPE, dtype=np.float64), scattered()))
    assert {d.method for d in done} <= {"rescue", "robust_z", "null_z"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("few maps", "MAPS_FEW"),
        ("one map", "MAPS_FEW"),
        ("fixed", "LAYOUT_FIXED"),
        ("doses in rows", "DOSE_ALIASED"),
    ],
)
def test_it_is_refused_where_a_place_may_be_its_samples(change: str, code: str) -> None:
    plates = screen(RIM, scattered(), n_maps=5 if change == "few maps" else 8)
    if change == "one map":
        plates = [replace(p, treatment=plates[0].treatment) for p in plates]
    if change == "fixed":
        left = COLUMNS < 12
        first = plates[0].treatment
        plates = [
            replace(p, treatment=np.where(left, first, p.treatment)) for p in plates
        ]
    if change == "doses in rows":
        plates = [
            replace(p, log_dose=np.asarray(ROWS, dtype=np.float64)) for p in plates
        ]
    assert code in common_places(plates).codes
    asked = normalize("places", plates)
    assert all(code in d.reason and d.method != "places" for d in asked)


def test_the_automatic_choice_takes_what_all_plates_share_and_then_their_own() -> None:
    vehicle = np.random.default_rng(3).permutation(384).reshape(SHAPE) < 40
    plates = screen(RIM, vehicle)
    slope = 0.4 * COLUMNS
    plates[0] = replace(plates[0], values=plates[0].values + slope)
    done = normalize("auto", plates)
    assert {d.method for d in done[1:]} == {"places"}
    assert "8 maps" in done[1].reason
    assert done[0].method in {"surface", "b_score"}
    for d, plate in zip(done, plates, strict=True):
        inert = plate.treated & (plate.treatment % 100 >= 10)
        left = np.corrcoef(d.values[inert], (RIM)[inert])[0, 1]
        assert abs(left) < 0.2
