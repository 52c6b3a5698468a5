"""A screen judged once: its wells on their scales, its doses with their errors, its compounds with their classes."""

from dataclasses import dataclass

import polars as pl

from screen.chemistry import merged_ids
from screen.compounds import class_table, compound_table
from screen.count_matched import with_count_null
from screen.dose_classes import with_classes
from screen.judgement import Judge, off_axis_doses
from screen.statistics import chosen_tests
from screen.statistics.decision import Shares, class_curves
from screen.statistics.interference import with_dose_signs
from screen.statistics.replicates import dose_table
from screen.statistics.rules import CallRules
from screen.wells import Called, call_wells, healthy_log_count


@dataclass(frozen=True)
class JudgedScreen:
    """What was made of the scores; `wells` names each well's compound as it was judged."""

    called: Called
    wells: pl.DataFrame
    judge: Judge
    doses: pl.DataFrame
    compounds: pl.DataFrame


def judge_screen(
    scores: pl.DataFrame,
    plate_map: pl.DataFrame,
    library: pl.DataFrame | None,
    rules: CallRules,
    *,
    merge: bool = False,
) -> JudgedScreen:
    """Flag, scale, test and class a screen; pure, and the same for any order of rows.

    With `merge`, compounds of one parent structure are judged as one.
    """
    called = call_wells(scores, plate_map, rules)
    wells = merged(called.wells, library) if merge else called.wells
    judge = _judge(called, wells, rules)
    doses = _doses(called, wells, rules, activity=True)
    ids = called.wells["compound"]
    compounds = compound_table(doses, judge, library, ids, merge=merge)
    compounds = chosen_tests.of_compounds(compounds, doses)
    return JudgedScreen(
        called, wells, judge, with_classes(doses, compounds, judge), compounds
    )


def without_quality(
    scores: pl.DataFrame,
    plate_map: pl.DataFrame,
    library: pl.DataFrame | None,
    rules: CallRules,
    *,
    merge: bool = False,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The wells, and class and is_hit of every compound, where quality control takes
    nothing out that has a number; what no class rests on is left undone."""
    called = call_wells(scores, plate_map, rules, quality=False)
    wells = merged(called.wells, library) if merge else called.wells
    judge = _judge(called, wells, rules)
    doses = _doses(called, wells, rules, activity=False)
    ids = called.wells["compound"]
    return called.wells, class_table(doses, judge, library, ids, merge=merge)


def _doses(
    called: Called, wells: pl.DataFrame, rules: CallRules, *, activity: bool
) -> pl.DataFrame:
    known = (called.anchors, called.noise, rules)
    doses = dose_table(wells, *known)
    doses = chosen_tests.of_doses(doses, wells, *known, activity=activity)
    doses = with_count_null(doses, wells, rules)
    doses = doses.with_columns(off_axis_doses(doses, called.axis))
    return with_dose_signs(doses, wells, rules)


def _judge(called: Called, wells: pl.DataFrame, rules: CallRules) -> Judge:
    shares = Shares(
        rules.senescent_share_stressed,
        rules.senescent_share_healthy,
        healthy_log_count(called, rules),
    )
    return Judge(
        rules,
        called.noise,
        shares,
        class_curves(shares),
        called.on_rescue_scale,
        counts_only=counts_only(wells),
    )


def counts_only(wells: pl.DataFrame) -> bool:
    """Whether no well has a score: the cell numbers are the read-out."""
    return not (wells["networks"].list.len() > 0).any()


def merged(wells: pl.DataFrame, library: pl.DataFrame | None) -> pl.DataFrame:
    """The wells with one compound id for all that have the same parent structure."""
    same = merged_ids(wells["compound"], library)
    return wells.with_columns(pl.col("compound").replace(same))
