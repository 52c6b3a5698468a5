"""All that a call depends on: the decision's thresholds, the anchors and the direction of the scale."""

from dataclasses import dataclass, field

from screen.decision_settings import DecisionSettings
from screen.groups import AnchorsSettings


@dataclass
class CallRules(DecisionSettings):
    """The decision settings with the two ends of the scale; written whole to call.json."""

    direction: str = "lower"  # rescued cells score: lower | higher
    anchors: AnchorsSettings = field(default_factory=AnchorsSettings)
