"""The dose that speaks for a compound, and rescues that kill at a higher dose."""

from typing import Any

import numpy as np

from screen.judgement import Judge, best_dose, evidence_of, lost_higher
from screen.statistics.decision import Shares, class_curves
from screen.statistics.evidence import decide
from screen.statistics.replicates import Noise
from screen.statistics.rules import CallRules

RULES = CallRules()
SHARES = Shares(0.75, 0.13)
NOISE = Noise(0.12, 0.1, 0.0, 60.0, "senescent vehicle wells", 0.12, 0.12)
JUDGE = Judge(RULES, NOISE, SHARES, class_curves(SHARES), True)


def dose(
    concentration: float, effect: float, count: float, n: int = 2
) -> dict[str, Any]:
    """One row of the dose table with the usual errors."""
    return {
        "concentration_um": concentration,
        "effect": effect,
        "log_count": float(np.log(count)),
        "t": effect / 0.09,
        "low": effect - 0.18,
        "high": effect + 0.18,
        "se": 0.09,
        "se_log_count": 0.07,
        "n_wells": 2,
        "n_used": n,
        "n_dead": 0,
        "n_dead_alone": 0,
        "n_measured": 2,
        "n_unfocused": 0,
        "n_failed_plate": 0,
        "off_axis_z": 0.0,
        "off_axis_p": 1.0,
        "background_z": 0.0,
        "background_z_low": 0.0,
        **dict.fromkeys(("channel_z", "channel_z_low"), 0.0),
        **dict.fromkeys(("saturation_z", "saturation_z_low", "focus_z"), 0.0),
        "bright_channel": 1,
    }


def test_the_surest_living_dose_speaks() -> None:
    part = [dose(1, 0.4, 1.0), dose(3, 0.6, 1.0), dose(10, 0.9, 0.3)]
    assert best_dose(part, RULES)["concentration_um"] == 3


def test_a_replicated_dose_goes_before_a_lone_well() -> None:
    part = [dose(1, 0.5, 1.0), dose(3, 0.9, 1.0, n=1)]
    assert best_dose(part, RULES)["concentration_um"] == 1


def test_loss_at_a_lower_dose_is_no_higher_toxicity() -> None:
    assert lost_higher([dose(1, 0.1, 0.3), dose(3, 0.6, 1.0)], RULES) == []


def test_a_rescue_may_kill_at_a_higher_dose() -> None:
    part = [dose(3, 0.7, 1.0), dose(10, 0.1, 0.2)]
    decision = decide(evidence_of(part, 1e-6, 1e-5, 1e-5, JUDGE), RULES)
    assert (decision.name, decision.is_hit) == ("rescue", True)


def test_a_killer_of_senescent_cells_is_none_at_any_dose() -> None:
    part = [dose(3, 0.3, 0.55), dose(10, 0.7, 0.35)]
    decision = decide(evidence_of(part, 1e-6, 1e-5, 1e-5, JUDGE), RULES)
    assert (decision.name, decision.is_hit) == ("senolytic", False)
