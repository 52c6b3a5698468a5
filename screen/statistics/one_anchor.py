"""A screen with one kind of vehicle: that vehicle is the zero, whatever its state."""

from dataclasses import replace

import polars as pl

from screen.groups import AnchorSettings, AnchorsSettings
from screen.statistics.normalize import anchor_wells
from screen.statistics.rules import CallRules

NO_WELLS = AnchorSettings(role="absent")  # a role that no map has


def rules_for(plate_map: pl.DataFrame, rules: CallRules) -> CallRules:
    """The rules with the healthy vehicle as zero where no senescent one was laid out.

    Inducer and viability screens treat unstressed cells: their effects are measured
    from the vehicle there is, and no rescue can be given.
    """
    anchors = rules.anchors
    has_zero = plate_map.select(anchor_wells(anchors.senescent).any()).item()
    has_one = plate_map.select(anchor_wells(anchors.healthy).any()).item()
    if has_zero or not has_one:
        return rules
    return replace(
        rules, anchors=AnchorsSettings(senescent=anchors.healthy, healthy=NO_WELLS)
    )
