"""What a call tests and how sure it is, as the settings choose: doses, compounds, and what the summary says of it."""

from typing import Any

import polars as pl

from screen.statistics.dose_bootstrap import with_bootstrap
from screen.statistics.dose_permutation import (
    facts_of_test,
    with_permutation,
    with_test,
)
from screen.statistics.dose_permutation import words_of_test as words_of_test
from screen.statistics.dose_tests import dose_tests
from screen.statistics.noise import Noise
from screen.statistics.phenotypic_activity import (
    ACTIVITY_WORDS,
    dose_activity,
    with_activity,
    without_activity,
)
from screen.statistics.rules import CallRules
from screen.statistics.share_intervals import dose_shares, share_facts, well_shares
from screen.statistics.shrunk_wells import shrunk_wells


def with_tests(
    doses: pl.DataFrame,
    wells: pl.DataFrame,
    anchors: pl.DataFrame,
    noise: Noise | None,
    rules: CallRules,
) -> pl.DataFrame:
    """The dose table with its tests and intervals; `interval` says which one the effect has.

    The t tests are always made: their errors rank the doses, and hold what stays with
    places, which neither permutation nor bootstrap sees.
    """
    doses = dose_tests(doses, noise, rules.level)
    doses = doses.with_columns(interval=pl.lit("t"))
    if rules.test == "permutation":
        doses = with_permutation(doses, wells, rules)
    if rules.interval == "bootstrap":
        doses = with_bootstrap(doses, wells, anchors, noise, rules)
    return doses


def of_doses(
    doses: pl.DataFrame,
    wells: pl.DataFrame,
    anchors: pl.DataFrame,
    noise: Noise | None,
    rules: CallRules,
    *,
    activity: bool = True,
) -> pl.DataFrame:
    """The dose table with its tests and intervals, its share of positive cells and its
    map, which no call rests on: without `activity` it is null, and costs nothing."""
    doses = with_tests(doses, wells, anchors, noise, rules)
    doses = dose_shares(doses, wells, rules.level)
    return dose_activity(wells, doses, rules) if activity else without_activity(doses)


def of_wells(
    wells: pl.DataFrame, noise: Noise | None, rules: CallRules
) -> pl.DataFrame:
    """The wells with the interval of their share of positive cells, and their effect drawn towards that of wells treated alike."""
    return shrunk_wells(well_shares(wells, rules.level), noise)


def of_compounds(compounds: pl.DataFrame, doses: pl.DataFrame) -> pl.DataFrame:
    """The compound table with p_mid, p_least, map, map_p and map_q."""
    return with_activity(with_test(compounds, doses), doses)


def facts(
    wells: pl.DataFrame, compounds: pl.DataFrame, rules: CallRules
) -> dict[str, Any]:
    """What the summary says of the test, of map, and of shares of positive cells."""
    tested = int(compounds["map_p"].is_not_null().sum())
    return {
        "test": facts_of_test(compounds, rules),
        "activity": {"n_tested": tested, "words": ACTIVITY_WORDS},
        "positive_share": share_facts(wells),
    }
