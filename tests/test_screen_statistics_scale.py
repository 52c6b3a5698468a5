"""The rescue scale: its two ends, its invariances, and the reasons for having none."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screen.groups import AnchorSettings, AnchorsSettings
from screen.statistics.axis import fit_axis, shrunk_covariance
from screen.statistics.flags import background_z, flag_plate, focus_z
from screen.statistics.normalize import group_scale, scale_group
from screen.statistics.replicates import failed_wells, live_neighbours
from screen.statistics.rules import CallRules
from screen.wells import expected_wells
from tests.score_tables import SCORE_SCHEMA, map_frame, score_row

RULES = CallRules()


def plate(
    senescent: list[float], healthy: list[float], treated: list[float]
) -> pl.DataFrame:
    """Flagged wells of one plate with these scores; along row A."""
    kinds = [("vehicle", "stressed")] * len(senescent)
    kinds += [("vehicle", "unstressed")] * len(healthy)
    kinds += [("treatment", "stressed")] * len(treated)
    scores, wells = [], []
    for i, (x, (role, state)) in enumerate(
        zip([*senescent, *healthy, *treated], kinds, strict=True)
    ):
        name = f"A{i + 1:02d}"
        scores.append({"plate": "P1"} | score_row(name, 100, [x]))
        wells.append(
            {
                "plate": "P1",
                "well": name,
                "compound": "C1" if role == "treatment" else "",
                "role": role,
                "state": state,
                "replicate": 1,
                "batch": "B1",
            }
        )
    table = pl.DataFrame(scores, schema=SCORE_SCHEMA)
    return flag_plate(expected_wells(table, map_frame(wells)), RULES)


def rescues(wells: pl.DataFrame, rules: CallRules = RULES) -> list[float | None]:
    """Rescue of the treated wells."""
    scaled = scale_group(wells, group_scale(wells, rules), rules)
    return scaled.filter(role="treatment")["rescue"].to_list()


SENESCENT, HEALTHY = [0.69, 0.7, 0.71], [0.29, 0.3, 0.31]


def test_the_ends_of_the_scale() -> None:
    assert rescues(plate(SENESCENT, HEALTHY, [0.7, 0.3, 0.5, 0.8])) == pytest.approx(
        [0, 1, 0.5, -0.25]
    )


@given(st.floats(0.1, 5.0), st.floats(-3, 3))
@settings(deadline=None, max_examples=25)
def test_rescue_does_not_depend_on_the_unit_of_the_score(
    gain: float, add: float
) -> None:
    moved = [[gain * x + add for x in group] for group in (SENESCENT, HEALTHY, [0.45])]
    assert rescues(plate(*moved)) == pytest.approx([0.625])


def test_a_mirrored_score_with_its_direction_gives_the_same_rescue() -> None:
    mirrored = [[1 - x for x in group] for group in (SENESCENT, HEALTHY, [0.45])]
    assert rescues(
        plate(*mirrored), replace(RULES, direction="higher")
    ) == pytest.approx([0.625])


@pytest.mark.parametrize(
    ("senescent", "healthy", "reason"),
    [
        (SENESCENT, [], "NO_HEALTHY_SCALE"),
        (SENESCENT, [0.3, 0.3], "NO_HEALTHY_SCALE"),
        ([], HEALTHY, "NO_STRESSED_SCALE"),
        ([], [], "PLATE_NO_CONTROLS"),
        (HEALTHY, SENESCENT, "SCALE_INVERTED"),
        ([0.5, 0.7, 0.9], [0.45, 0.65, 0.85], "SCALE_COLLAPSED"),
    ],
)
def test_no_scale_has_a_reason(
    senescent: list[float], healthy: list[float], reason: str
) -> None:
    wells = plate(senescent, healthy, [0.4, 0.5, 0.6])
    scale = group_scale(wells, RULES)
    assert scale.reason == reason
    scaled = scale_group(wells, scale, RULES)
    assert scaled["rescue"].is_null().all()
    assert scaled.filter(role="treatment")["robust_z"].is_not_null().all()


def test_robust_z_points_towards_rescue() -> None:
    wells = plate(SENESCENT, HEALTHY, [0.6])
    scaled = scale_group(wells, group_scale(wells, RULES), RULES)
    z = scaled.filter(role="treatment")["robust_z"].item()
    assert z == pytest.approx(0.1 / (1.4826 * 0.01))


def test_each_network_has_its_own_ends() -> None:
    wells = plate([0.7] * 3 + [0.8] * 3, [0.3] * 3 + [0.4] * 3, [0.0])
    first = pl.col("well").is_in(["A01", "A02", "A03", "A07", "A08", "A09"])
    treated = pl.col("role") == "treatment"
    wells = wells.with_columns(
        networks=pl.when(treated)
        .then(pl.lit(["half0", "half1"]))
        .when(first)
        .then(pl.lit(["half0"]))
        .otherwise(pl.lit(["half1"])),
        score=pl.when(treated).then(pl.lit([0.5, 0.6])).otherwise("score"),
    )
    assert rescues(wells) == pytest.approx([0.5])


def test_named_anchors() -> None:
    wells = plate(SENESCENT, [], [0.3, 0.3, 0.3, 0.5])
    reference = pl.col("well").is_in(["A04", "A05", "A06"])
    wells = wells.with_columns(
        compound=pl.when(reference).then(pl.lit("REF")).otherwise("compound")
    )
    healthy = AnchorSettings(compound="REF")
    rules = replace(RULES, anchors=replace(AnchorsSettings(), healthy=healthy))
    assert rescues(wells, rules)[-1] == pytest.approx(0.5)


def test_few_cells_are_no_anchor() -> None:
    wells = plate(SENESCENT, HEALTHY, [0.5]).with_columns(
        flags=pl.when(pl.col("well") == "A01")
        .then(pl.lit(["LOW_CELLS"]))
        .otherwise("flags")
    )
    assert group_scale(wells, RULES).reason == "NO_STRESSED_SCALE"


def test_a_rise_under_the_tolerated_share_is_no_background() -> None:
    vehicle = np.ones(20)
    values = np.full((20, 1), 200.0)
    values[:, 0] += np.linspace(-0.01, 0.01, 20)
    values[0], values[1] = 202.0, 260.0
    z = background_z(values, vehicle, 0.03)
    assert z[0] < 6 < z[1]


def test_the_worst_channel_tells_the_focus() -> None:
    focus = np.exp(np.random.default_rng(0).normal(0, 0.1, (40, 2)))
    focus[3, 1] = 0.01
    assert focus_z(focus)[3] < -8


def test_dead_beside_alive_is_a_failed_well() -> None:
    wells = plate(SENESCENT, HEALTHY, [0.5, 0.5])
    dead = pl.col("well") == "A07"
    wells = wells.with_columns(
        flags=pl.when(dead).then(pl.lit(["NO_CELLS"])).otherwise("flags"),
        relative_count=pl.when(dead).then(0.0).otherwise(1.0),
    )
    flags = failed_wells(wells).filter(dead)["flags"].to_list()
    assert flags == [["NO_CELLS", "WELL_FAILED"]]


def test_neighbours_of_a_dead_block_are_not_alive() -> None:
    wells = plate(SENESCENT, HEALTHY, [0.5, 0.5]).with_columns(n_cells=0)
    assert not live_neighbours(wells).any()


def test_shrunk_covariance_keeps_the_mean_variance() -> None:
    rest = np.random.default_rng(0).normal(0, 1, (30, 20))
    rest -= rest.mean(axis=0)
    assert np.trace(shrunk_covariance(rest)) == pytest.approx((rest**2).sum() / 30)


def test_motion_along_the_axis_is_no_distance() -> None:
    rng = np.random.default_rng(1)
    axis = rng.normal(0, 3, 8)
    healthy = np.repeat([0.0, 1.0], 30)
    profiles = healthy[:, None] * axis + rng.normal(0, 0.1, (60, 8))
    model = fit_axis(profiles, rng.normal(0, 0.1, 60), healthy)
    found = model.distance(
        np.stack([model.start + 0.5 * model.axis, model.start + rng.normal(0, 3, 8)]),
        np.zeros(2),
        np.ones(2),
    )
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert found[1] > 10
