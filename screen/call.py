"""The verb call: from well records to plate quality, classes, hits and ranked compounds."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from plates.campaign import Campaign
from plates.wells import PlateFormat
from screen import hits
from screen.audits import audit_wells, control_names, flag_confounded
from screen.audits.measures import well_measures
from screen.beside import beside
from screen.by_hand import judged_by_hand, masked
from screen.called_records import called_records
from screen.called_tables import CallTables as CallTables
from screen.called_tables import call_message as call_message
from screen.called_tables import exit_code, hand_words, plate_words
from screen.called_tables import write_tables as write_tables
from screen.counterfactual import (
    counterfactual_words,
    judged_again,
    with_counterfactual,
)
from screen.curve_settings import CurveSettings
from screen.curve_tables import drawn_curves
from screen.dose_classes import flat
from screen.errors import Outcome
from screen.field_groups import QualitySettings
from screen.field_table import FieldTables
from screen.judged_screen import judge_screen
from screen.judgement import Judge
from screen.orthogonal import orthogonal_words, with_orthogonal
from screen.orthogonal_settings import orthogonal_of
from screen.paths import existing_run_dir, run_dir, table_name
from screen.picks import pick_list
from screen.preflight import check_apart, check_writable
from screen.provenance import record_outputs, scored_campaign
from screen.readouts import imported
from screen.settings import CallSettings, CallVerb
from screen.statistics import chosen_tests
from screen.statistics.decision import CLASSES
from screen.statistics.false_discovery import ADJUSTMENTS
from screen.statistics.map_flags import turned_plates
from screen.statistics.one_anchor import rules_for
from screen.statistics.replicates import well_half_widths
from screen.statistics.rules import CallRules
from screen.wells import Called


def call_tables(
    scores: pl.DataFrame,
    plate_map: pl.DataFrame,
    library: pl.DataFrame | None,
    rules: CallRules,
    *,
    merge: bool = False,
    measures: Callable[[], pl.DataFrame] | None = None,
    curves: CurveSettings | None = None,
) -> CallTables:
    """Judge a whole screen from its flat score table; pure, and the same for any order of rows.

    With `merge`, compounds of one parent structure are judged as one; `measures` gives
    plate, well and further numbers that the score of control wells is compared with;
    `curves` says how responses over doses are drawn, None that they are not.
    """
    rules = rules_for(plate_map, rules)
    judged = judge_screen(scores, plate_map, library, rules, merge=merge)
    called, wells = judged.called, judged.wells
    audits = audit_wells(called.wells, rules, measures() if measures else None)
    table, compounds = flag_confounded(
        _hit_table(called, rules), judged.compounds, wells, audits
    )
    found = {"merge": merge, "audits": audits.summary()}
    drawn = None
    if curves is not None:
        drawn, found["curves"] = drawn_curves(wells, called, rules, curves)
    return CallTables(
        hits=table,
        compounds=compounds,
        plates=called.plates,
        doses=flat(judged.doses),
        summary=_summary(called, judged.judge, compounds) | found,
        baselines=audits.baselines,
        curves=drawn,
        controls=called.controls,
    )


def _hit_table(called: Called, rules: CallRules) -> pl.DataFrame:
    width = well_half_widths(called.wells, rules.level)
    wells = chosen_tests.of_wells(called.wells, called.noise, rules)
    if "excluded" not in wells.columns:
        wells = wells.with_columns(excluded=pl.lit(None, dtype=pl.String))
    return wells.with_columns(
        pl.col("codes", "flags").list.join(";"),
        rescue_low=pl.col("rescue") - width,
        rescue_high=pl.col("rescue") + width,
        learnt=pl.col("status") == "TEACHING",
    ).select(hits.HIT_COLUMNS)


def _summary(called: Called, judge: Judge, compounds: pl.DataFrame) -> dict[str, Any]:
    noise = called.noise
    return {
        "schema": 1,
        "settings": dataclasses.asdict(judge.rules),
        "unit": "compound within a line and time; one p over its doses: the"
        " largest dose score or their common shift against their joint null",
        "family": "all treatment compounds on the cells of the vehicle",
        "family_size": compounds.height,
        "n_tested": int(compounds["p"].is_not_null().sum()),
        **chosen_tests.facts(called.wells, compounds, judge.rules),
        "adjustment": ADJUSTMENTS[judge.rules.adjustment],
        "noise": dataclasses.asdict(noise) if noise else None,
        "effect": "rescue" if judge.on_rescue_scale else "robust z",
        "shares": dataclasses.asdict(judge.shares),
        "classes": {name: int((compounds["class"] == name).sum()) for name in CLASSES},
        "n_hits": int(compounds["is_hit"].sum()),
        "treatment_median": _treatment_median(called.wells),
        "notes": [
            "rescue = (senescent - x) / (senescent - healthy), medians of the plate's"
            " kept anchor wells for each network, then the mean over networks",
            "robust z uses 1.4826 MAD and is positive towards rescue",
            "fraction is the share of cells above the model's threshold, uncorrected"
            " for the classifier's error",
            "N_sen and N_non rest on the assumed senescent shares of the two vehicles",
            "from six plates of a line and time on, a plate's zero is drawn towards what"
            " its samples say and its spread towards the other plates'",
            "standard errors carry the error of the plate's own anchors",
            "what stays with a well's place over plates is part of the error of"
            " compounds that always lie there; rows, columns or a surface are taken away"
            " on the plates whose normalizer is named so in the table of plates",
        ],
    }


def _treatment_median(wells: pl.DataFrame) -> float | None:
    value = wells.filter(pl.col("role") == "treatment")["effect"].median()
    return float(value) if isinstance(value, float) else None


def rules_of(settings: CallSettings) -> CallRules:
    """The rules that the verb's settings mean."""
    return CallRules(
        **vars(settings.decision),
        direction=settings.direction,
        anchors=settings.anchors,
    )


def run(settings: CallSettings) -> Outcome:
    """Call a scored run or a table: write what was found, and say it.

    Raises Refusal when there is no such run or it names no campaign, InputError when
    the campaign, or the table and its map, do not fit.
    """
    if isinstance(settings, CallVerb) and settings.table:
        return _run_table(settings)
    folder = existing_run_dir(settings.runs, settings.run, settings.campaign)
    campaign = Campaign.open(scored_campaign(folder, settings.campaign))
    if settings.out:
        check_apart(Path(settings.out), campaign.root)
    ids = [entry.plate for entry in campaign.plates]
    library = campaign.library.frame if campaign.library is not None else None
    rules, merge = rules_of(settings), settings.merge
    plate_map = masked(campaign.map.frame, settings.exclusions)
    controls = control_names(plate_map, rules)
    found = called_records(folder, ids, settings.qc, controls)
    screen = (plate_map, library, rules)
    works = (
        partial(well_measures, folder, found.controls, controls),
        partial(judged_again, found.whole, *screen, merge=merge),
    )
    with beside(found.scores.height, works) as (measures, again):
        tables = call_tables(
            found.scores,
            *screen,
            merge=merge,
            measures=measures,
            curves=settings.curves,
        )
        tables = with_fields(tables, found.tables, settings.qc)
        tables = with_counterfactual(
            tables, found.whole, *screen, merge=merge, again=again
        )
    out = Path(settings.out) if settings.out else folder
    inputs = {"campaign": str(campaign.root)}
    return _written(tables, settings, out, campaign.format, inputs)


def _run_table(settings: CallVerb) -> Outcome:
    """Call the read-outs of another program."""
    name = settings.run or table_name(settings.table)
    out = Path(settings.out) if settings.out else run_dir(settings.runs, name)
    found = imported(settings)
    rules = rules_of(settings)
    plate_map = masked(found.map, settings.exclusions)
    screen, merge = (found.scores, plate_map, found.library, rules), settings.merge
    tables = call_tables(*screen, merge=merge, curves=settings.curves)
    tables = with_counterfactual(tables, *screen, merge=merge)
    source = {"table": Path(settings.table).name, "columns": found.columns}
    tables = dataclasses.replace(tables, summary={**tables.summary, "source": source})
    inputs = {"table": settings.table, "library": settings.library}
    inputs |= {f"map {i}": path for i, path in enumerate(settings.map, 1)}
    given = {name: path for name, path in inputs.items() if path}
    outcome = _written(tables, settings, out, found.format, given)
    told = "".join(f"\n{warning}" for warning in found.warnings)
    code = exit_code(tables.plates, (w.code for w in found.warnings))
    return dataclasses.replace(outcome, code=code, message=outcome.message + told)


def _written(
    tables: CallTables,
    settings: CallSettings,
    out: Path,
    plate_format: PlateFormat,
    inputs: dict[str, str],
) -> Outcome:
    tables = with_orthogonal(tables, settings.orthogonal)
    inputs = inputs | {o.column: o.file for o in orthogonal_of(settings.orthogonal)}
    compounds = judged_by_hand(tables.compounds, settings.verdicts)
    tables = dataclasses.replace(
        tables, compounds=compounds, picks=pick_list(compounds, tables.hits)
    )
    check_writable(out)
    paths = write_tables(tables, out, plate_format)
    record_outputs(out, "call", settings, inputs=inputs)
    lines = [
        call_message(tables),
        *plate_words(tables),
        *orthogonal_words(tables),
        *hand_words(tables),
        *counterfactual_words(tables),
        *map(str, turned_plates(tables.plates)),
        *chosen_tests.words_of_test(tables.summary["test"]),
    ]
    return Outcome(exit_code(tables.plates), "\n".join(lines), paths)


def with_fields(
    tables: CallTables, judged: FieldTables, qc: QualitySettings
) -> CallTables:
    """The tables of a call with those of its fields, and each well's flagged fields."""
    told = tables.hits.join(judged.wells, on=["plate", "well"], how="left")
    told = told.with_columns(
        pl.col("field_flags").fill_null(""), pl.col("n_fields_flagged").fill_null(0)
    )
    quality = {"settings": dataclasses.asdict(qc), **judged.counts}
    return dataclasses.replace(
        tables,
        hits=told,
        fields=judged.fields,
        summary={**tables.summary, "quality": quality},
    )
