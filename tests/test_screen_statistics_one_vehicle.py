"""Classes against one vehicle: what the score and the cell number say together."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screen.statistics.calls import Evidence
from screen.statistics.one_vehicle import decide_one_vehicle
from screen.statistics.rules import CallRules

HIGHER = CallRules(direction="higher")
LOWER = CallRules(direction="lower")
SURE, UNSURE = 1e-4, 0.6

STRONG = Evidence(
    on_rescue_scale=False,
    n_used=2,
    n_planned=2,
    dead="",
    artefact="",
    failed_plates=False,
    concentration_um=1.0,
    effect=8.0,
    low=6.0,
    high=10.0,
    p=1e-6,
    q=SURE,
    q_count=SURE,
    relative_count=1.0,
    n_sen=None,
    n_non=None,
    off_axis_z=None,
    background_z=None,
    verdict=None,
)


@pytest.mark.parametrize(
    ("direction", "effect", "q", "count", "q_count", "name", "is_hit"),
    [
        ("higher", 8.0, SURE, 1.0, UNSURE, "inducer", True),
        ("higher", 8.0, SURE, 1.7, SURE, "inducer", True),
        ("higher", 8.0, SURE, 0.22, SURE, "inducer_with_loss", True),
        ("higher", 8.0, SURE, 0.04, SURE, "toxic", False),
        ("higher", -8.0, SURE, 1.0, UNSURE, "younger", False),
        ("higher", -8.0, SURE, 0.3, SURE, "toxic", False),
        ("higher", 2.0, SURE, 1.0, UNSURE, "inactive", False),
        ("higher", 8.0, UNSURE, 1.0, UNSURE, "inactive", False),
        ("higher", 8.0, UNSURE, 0.5, SURE, "toxic", False),
        ("higher", 8.0, UNSURE, 0.5, UNSURE, "inactive", False),
        ("lower", 8.0, SURE, 1.0, UNSURE, "younger", True),
        ("lower", 8.0, SURE, 0.45, SURE, "toxic", False),
        ("lower", -8.0, SURE, 1.0, UNSURE, "inducer", False),
        ("lower", -8.0, SURE, 0.3, SURE, "inducer_with_loss", False),
        ("higher", None, None, 0.3, SURE, "toxic", False),
        ("lower", None, None, 0.3, SURE, "toxic", True),
        ("higher", None, None, 1.6, SURE, "proliferative", True),
        ("lower", None, None, 1.6, SURE, "proliferative", False),
        ("lower", None, None, 0.9, SURE, "inactive", False),
        ("lower", None, None, 1.6, UNSURE, "inactive", False),
        ("lower", None, None, None, None, "failed", False),
    ],
)
def test_the_class_follows_score_and_cell_number(
    direction: str,
    effect: float | None,
    q: float | None,
    count: float | None,
    q_count: float | None,
    name: str,
    is_hit: bool,
) -> None:
    found = replace(STRONG, effect=effect, q=q, relative_count=count, q_count=q_count)
    decision = decide_one_vehicle(found, HIGHER if direction == "higher" else LOWER)

    assert (decision.name, decision.is_hit) == (name, is_hit)


@given(
    effect=st.floats(-30, 30),
    count=st.floats(0.001, 0.5),
    q=st.floats(0, 1),
)
def test_no_loss_of_half_the_cells_is_a_hit_for_younger_cells(
    effect: float, count: float, q: float
) -> None:
    found = replace(STRONG, effect=effect, relative_count=count, q=q)

    assert not decide_one_vehicle(found, LOWER).is_hit
