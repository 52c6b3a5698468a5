"""The verb call: from well records to plate quality, classes, hits and ranked compounds."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from plates.campaign import Campaign
from plates.wells import PlateFormat
from screen import hits
from screen.audits import audit_message, audit_wells, control_names, flag_confounded
from screen.audits.measures import well_measures
from screen.chemistry import merged_ids
from screen.codes import ExitCode
from screen.compounds import compound_table
from screen.errors import Outcome, refusal
from screen.field_groups import QualitySettings
from screen.field_table import JudgedFields, judge_fields
from screen.judgement import Judge, dose_tests, off_axis_doses
from screen.ledger import headers_of, scores_of, write_parquet
from screen.paths import existing_run_dir
from screen.preflight import check_writable
from screen.provenance import read_manifest, record_outputs, write_json
from screen.settings import CallVerb
from screen.sheets import write_csv
from screen.statistics.decision import CLASSES, Shares, class_curves
from screen.statistics.fields import FLAGS
from screen.statistics.map_flags import turned_plates
from screen.statistics.rates import t_quantile
from screen.statistics.replicates import dose_table
from screen.statistics.rules import CallRules
from screen.wells import Called, call_wells, healthy_log_count


@dataclass(frozen=True)
class CallTables:
    """All that a call says: a row per well, compound, plate and dose, how it was reached, baselines of the controls, and a row per field where a run was called."""

    hits: pl.DataFrame
    compounds: pl.DataFrame
    plates: pl.DataFrame
    doses: pl.DataFrame
    summary: dict[str, Any]
    baselines: pl.DataFrame
    fields: pl.DataFrame | None = None


def call_tables(
    scores: pl.DataFrame,
    plate_map: pl.DataFrame,
    library: pl.DataFrame | None,
    rules: CallRules,
    *,
    merge: bool = False,
    measures: pl.DataFrame | None = None,
) -> CallTables:
    """Judge a whole screen from its flat score table; pure, and the same for any order of rows.

    With `merge`, compounds of one parent structure are judged as one; `measures` has
    plate, well and further numbers that the score of control wells is compared with.
    """
    called = call_wells(scores, plate_map, rules)
    wells = _merged(called.wells, library) if merge else called.wells
    shares = Shares(
        rules.senescent_share_stressed,
        rules.senescent_share_healthy,
        healthy_log_count(called, rules),
    )
    judge = Judge(
        rules, called.noise, shares, class_curves(shares), called.on_rescue_scale
    )
    doses = dose_table(wells, called.anchors, called.noise, rules)
    doses = dose_tests(doses, called.noise, rules.level)
    doses = doses.with_columns(off_axis_doses(wells, doses, called.axis))
    compounds = compound_table(
        doses, judge, library, called.wells["compound"], merge=merge
    )
    audits = audit_wells(called.wells, rules, measures)
    table, compounds = flag_confounded(
        _hit_table(called, rules), compounds, wells, audits
    )
    found = {"merge": merge, "audits": audits.summary()}
    return CallTables(
        hits=table,
        compounds=compounds,
        plates=called.plates,
        doses=doses.drop("index", "flags"),
        summary=_summary(called, judge, compounds) | found,
        baselines=audits.baselines,
    )


def _merged(wells: pl.DataFrame, library: pl.DataFrame | None) -> pl.DataFrame:
    """The wells with one compound id for all that have the same parent structure."""
    same = merged_ids(wells["compound"], library)
    return wells.with_columns(pl.col("compound").replace(same))


def _hit_table(called: Called, rules: CallRules) -> pl.DataFrame:
    noise = called.noise
    half = noise.sd_rescue * t_quantile(noise.df, rules.level) if noise else None
    width = pl.lit(half, dtype=pl.Float64)
    return called.wells.with_columns(
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
        "unit": "compound within a line and time; one p over its doses (Sidak over"
        " the doses and, from two doses on, their Stouffer sum)",
        "family": "all treatment compounds on stressed cells",
        "family_size": compounds.height,
        "n_tested": int(compounds["p"].is_not_null().sum()),
        "adjustment": "Benjamini-Hochberg",
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
            "standard errors carry the error of the plate's own median anchors",
            "no position correction is applied",
        ],
    }


def _treatment_median(wells: pl.DataFrame) -> float | None:
    value = wells.filter(pl.col("role") == "treatment")["effect"].median()
    return float(value) if isinstance(value, float) else None


def rules_of(settings: CallVerb) -> CallRules:
    """The rules that the verb's settings mean."""
    return CallRules(
        **vars(settings.decision),
        direction=settings.direction,
        anchors=settings.anchors,
    )


def run(settings: CallVerb) -> Outcome:
    """Call a scored run: read its records, write the tables, say what was found.

    Raises Refusal when there is no such run or it names no campaign, InputError when
    the campaign does not fit.
    """
    folder = existing_run_dir(settings.runs, settings.run, settings.campaign)
    campaign = Campaign.open(_campaign_root(folder, settings))
    ids = [entry.plate for entry in campaign.plates]
    library = campaign.library.frame if campaign.library is not None else None
    judged = judge_fields(headers_of(folder, ids), settings.qc)
    rules = rules_of(settings)
    controls = control_names(campaign.map.frame, rules)
    tables = call_tables(
        scores_of(judged.headers),
        campaign.map.frame,
        library,
        rules,
        merge=settings.merge,
        measures=well_measures(folder, judged.headers, controls),
    )
    tables = with_fields(tables, judged, settings.qc)
    out = Path(settings.out) if settings.out else folder
    check_writable(out)
    paths = write_tables(tables, out, campaign.format)
    inputs = {"campaign": str(campaign.root)}
    record_outputs(out, "call", settings, inputs=inputs)
    lines = [call_message(tables), *map(str, turned_plates(tables.plates))]
    return Outcome(_exit_code(tables.plates), "\n".join(lines), paths)


def with_fields(
    tables: CallTables, judged: JudgedFields, qc: QualitySettings
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


def _campaign_root(folder: Path, settings: CallVerb) -> Path:
    if settings.campaign:
        return Path(settings.campaign)
    scored = read_manifest(folder)["verbs"].get("score", {})
    path = scored.get("inputs", {}).get("campaign", {}).get("path", "")
    if not path:
        raise refusal(
            "INPUT_MISSING",
            folder,
            "the run does not say which campaign it scored",
            "the plate map and the library are read from there",
            "give campaign=PATH",
        )
    return Path(path)


def _exit_code(plates: pl.DataFrame) -> ExitCode:
    incomplete = ((plates["n_quarantined"] + plates["n_not_scored"]) > 0).any()
    return ExitCode.PARTIAL if incomplete else ExitCode.COMPLETE


def write_tables(
    tables: CallTables, out: Path, plate_format: PlateFormat
) -> tuple[Path, ...]:
    """Write every table of a call into a folder and return what was written."""
    paths = []
    for name in ("hits", "compounds", "plates", "baselines", "fields"):
        table = getattr(tables, name)
        if table is None:
            continue
        write_parquet(table.to_arrow(), out / f"{name}.parquet")
        write_csv(table, out / f"{name}.csv")
        paths += [out / f"{name}.parquet", out / f"{name}.csv"]
    dataset = hits.hit_dataset(
        tables.hits,
        tables.doses,
        n_rows=plate_format.n_rows,
        n_columns=plate_format.n_columns,
    )
    hits.write_zarr(dataset, out / "hits.zarr")
    write_json(out / "call.json", tables.summary)
    return (*paths, out / "hits.zarr", out / "call.json")


def call_message(tables: CallTables) -> str:
    """Two lines for the person: hits and classes, then plate quality."""
    found = {k: n for k, n in tables.summary["classes"].items() if n}
    classes = ", ".join(f"{n} {name}" for name, n in found.items())
    plates = tables.plates
    verdicts = ", ".join(
        f"{(plates['verdict'] == v).sum()} {v}" for v in ("pass", "undecided", "fail")
    )
    z = plates["z_prime"].median()
    median = f", median Z' {z:.2f}" if isinstance(z, float) else ""
    reasons = sorted(set(plates.filter(pl.col("z_prime").is_null())["reason"]))
    refused = f"; no rescue scale: {', '.join(reasons)}" if reasons else ""
    return (
        f"{tables.summary['n_hits']} hits among {tables.compounds.height} compounds"
        f" ({classes})\n{plates.height} plates: {verdicts}{median}{refused}"
        f"{_field_words(tables)}{audit_message(tables.summary)}"
    )


def _field_words(tables: CallTables) -> str:
    """A line on flagged fields, empty where every field is fine."""
    quality = tables.summary.get("quality", {})
    found = {flag: quality[flag] for flag in FLAGS if quality.get(flag)}
    if not found or tables.fields is None:
        return ""
    listed = ", ".join(f"{n} {flag}" for flag, n in found.items())
    left, mode = quality["left_out"], quality["settings"]["mode"]
    fate = f"{left} left out" if mode == "enforce" else "shown only (qc.mode=show)"
    n = quality["flagged"]
    return f"\n{n} of {tables.fields.height} fields flagged ({listed}); {fate}"
