"""The settings of the decision: its thresholds, and which tests and intervals stand behind it."""

from dataclasses import dataclass

from screen.groups import DecisionSettings as Thresholds
from screen.groups import key


@dataclass
class DecisionSettings(Thresholds):
    """The thresholds of the hit calls, and the test and interval of every dose."""

    test: str = key(
        "moderated_t",
        "test of a dose: moderated_t, or permutation of treated and vehicle wells within"
        " plates, which assumes no distribution and wants many vehicle wells",
        choices=("moderated_t", "permutation"),
    )
    aggregate: str = key(
        "mean",
        "how the wells of a dose are joined: mean, weighted by their cells, or median",
        choices=("mean", "median"),
    )
    interval: str = key(
        "t",
        "interval of a dose's effect: t, or bootstrap of the vehicle wells where there"
        " are enough of them (t elsewhere, with the reason)",
        choices=("t", "bootstrap"),
    )
