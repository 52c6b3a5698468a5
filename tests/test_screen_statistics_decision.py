"""The joint decision: where each class lies, and what is never called rescue."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screen.statistics.decision import (
    Shares,
    Verdict,
    class_curves,
    nearest_class,
    population_ratios,
)
from screen.statistics.evidence import Evidence, confirm, decide, why_text
from screen.statistics.rules import CallRules

SHARES = Shares(0.75, 0.13)
CURVES = class_curves(SHARES)
NOISE = np.diag([0.07**2, 0.09**2])
TOLERANCE = np.array([0.06, 0.03])
RULES = CallRules()


def place(n_sen: float, n_non: float) -> np.ndarray:
    """(log count, rescue) of a well that keeps these shares of each population."""
    sen, non = 0.75 * n_sen, 0.25 * n_non
    rescue = (0.75 - sen / (sen + non)) / SHARES.window
    return np.array([np.log(sen + non), rescue])


def nearest(*found: np.ndarray) -> Verdict:
    """The verdict on doses found with the usual noise."""
    return nearest_class(
        CURVES, np.array(found), np.array([NOISE] * len(found)), TOLERANCE
    )


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("rescue", place(0.5, 2.5)),
        ("senolytic", place(0.2, 1.0)),
        ("dilution", place(1.0, 2.6)),
        ("toxic", place(0.3, 0.3)),
        ("cytostatic", place(1.0, 0.1)),
        ("inducer", place(1.3, 0.1)),
    ],
)
def test_each_population_change_has_its_class(name: str, found: np.ndarray) -> None:
    assert nearest(found).nearest == name


@given(st.floats(0.4, 1.1))
@settings(deadline=None)
def test_rescue_at_an_equal_count_leads_clearly(rescue: float) -> None:
    verdict = nearest(np.array([0.0, rescue]))
    assert verdict.nearest == "rescue"
    assert verdict.lead > 2


@given(st.floats(0.5, 0.99))
@settings(deadline=None)
def test_loss_of_senescent_cells_alone_is_never_rescue(lost: float) -> None:
    assert nearest(place(1 - lost, 1.0)).nearest == "senolytic"


@given(st.floats(0.2, 1.0), st.floats(0.0, 1.0))
@settings(deadline=None)
def test_population_ratios_undo_the_place(n_sen: float, n_non: float) -> None:
    log_count, rescue = place(n_sen, n_non)
    found = population_ratios(float(log_count), float(rescue), SHARES)
    np.testing.assert_allclose(found, (n_sen, n_non), atol=1e-9)


def test_two_doses_are_surer_than_one() -> None:
    one, two = place(0.6, 1.0), place(0.3, 1.0)
    assert nearest(one, two).lead > nearest(one).lead


RESCUE = Evidence(
    on_rescue_scale=True,
    n_used=2,
    n_planned=2,
    dead="",
    artefact="",
    failed_plates=False,
    concentration_um=10.0,
    effect=0.6,
    low=0.4,
    high=0.8,
    p=1e-5,
    q=1e-4,
    q_count=0.9,
    relative_count=1.0,
    n_sen=0.5,
    n_non=2.5,
    off_axis_z=0.5,
    background_z=0.0,
    verdict=nearest(np.array([0.0, 0.6])),
)


def test_a_clear_rescue_is_a_candidate() -> None:
    decision = decide(RESCUE, RULES)
    assert (decision.name, decision.is_hit, decision.candidate) == (
        "rescue",
        True,
        True,
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"dead": "dead"}, "toxic"),
        ({"dead": "failed"}, "failed"),
        ({"artefact": "bright"}, "artefact"),
        ({"off_axis_z": 9.0}, "other"),
        ({"relative_count": 0.6}, "undecided"),
        ({"n_used": 1}, "undecided"),
        ({"q": 0.2}, "inactive"),
        ({"effect": 0.1}, "rescue"),
        ({"low": -0.1}, "rescue"),
        ({"failed_plates": True}, "rescue"),
        ({"verdict": nearest(place(0.2, 1.0))}, "senolytic"),
        ({"verdict": nearest(place(0.2, 1.0)), "n_non": 0.6}, "toxic"),
        ({"verdict": None}, "undecided"),
        ({"on_rescue_scale": False, "verdict": None}, "inactive"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else v,
)
def test_any_doubt_stops_the_hit(change: dict[str, object], name: str) -> None:
    decision = decide(replace(RESCUE, **change), RULES)  # type: ignore[arg-type]
    assert (decision.name, decision.is_hit) == (name, False)


def test_a_candidate_needs_its_q_among_rescues() -> None:
    candidate = decide(RESCUE, RULES)
    assert confirm(candidate, 0.01, RULES).is_hit
    assert confirm(candidate, 0.2, RULES).name == "undecided"


def test_one_planned_well_is_enough_where_one_was_planned() -> None:
    assert decide(replace(RESCUE, n_used=1, n_planned=1), RULES).is_hit


def test_why_tells_the_numbers() -> None:
    text = why_text(RESCUE, decide(RESCUE, RULES))
    assert "rescue 0.60 (0.40 to 0.80) at 10 uM in 2 of 2 wells" in text
    assert "100 % of the vehicle's cells; senescent x0.50, other x2.50" in text
