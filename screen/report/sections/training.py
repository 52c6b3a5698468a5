"""How the model was taught and judged, for method developers."""

from __future__ import annotations

from typing import Any

from screen.report import audits, control_groups, training, wording
from screen.report.section import Facts, Section
from screen.report.tables import RunTables


def section(facts: Facts) -> Section:
    """Training curves, held-out judgement and control wells group by group."""
    # The evaluation page draws with this package: it can be imported only after it.
    from screen.report.training_pictures import learning

    found = training.taught(facts.tables)
    context = {
        "missing": found.missing,
        "model": training.model_facts(found),
        "networks": training.networks(found),
        "learning": learning(found.epochs),
        "judged": _judged(found),
        "controls": _controls(facts.tables, found),
    }
    return Section("training", "Training", "How the model was taught", context)


def _judged(found: training.Taught) -> dict[str, Any] | None:
    """What evaluation.json and held_out.parquet say; None without them."""
    from screen.crop_training.words import shown
    from screen.evaluation_page.page import leakage_rows, score_rows, verdict

    told = found.evaluation
    if told is None:
        return None
    groups, n_groups = training.crop_groups(found)
    told = _shown(told)
    network = told["scorers"]["network"]
    ece = network["measures"].get("ece")
    table = network.get("confusion")
    return {
        "verdict": wording.sentence(verdict(told)["words"]),
        "measures": [shown(m) for m in network["measures"]],
        "rows": score_rows(told),
        "charts": _charts(told),
        "ece": None if ece is None else (ece, network.get("calibrated", {}).get("ece")),
        "classes": told["classes"],
        "confusion": []
        if table is None
        else list(zip(told["classes"], table, strict=True)),
        "leakage": leakage_rows(told),
        "group": told["data"]["group"],
        "groups": groups,
        "n_groups": n_groups,
    }


def _shown(value: Any) -> Any:
    """The same with every text fit for print: labels come from the developer's files."""
    if isinstance(value, dict):
        return {wording.shown(k): _shown(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_shown(v) for v in value]
    return wording.sentence(value) if isinstance(value, str) else value


def _charts(told: dict[str, Any]) -> list[tuple[str, Any]]:
    from screen.evaluation_page import charts

    if told["head"]["kind"] == "regression":
        found = [("Predicted against actual", charts.predictions(told))]
    else:
        found = [
            ("Reliability: is a probability what it says?", charts.reliability(told)),
            ("ROC", charts.roc(told)),
        ]
    by_fold = charts.folds(told)
    return found if by_fold is None else [*found, ("Fold by fold", by_fold)]


def _controls(tables: RunTables, found: training.Taught) -> dict[str, Any]:
    """Vehicle wells of this run, each scored by networks that never saw it."""
    wells = audits.control_wells(tables)
    rows, n_plates = control_groups.group_rows(wells)
    threshold = found.spec.get("threshold")
    has_both = wells["state_group"].n_unique() == 2
    told = control_groups.confusion(wells, threshold) if threshold and has_both else []
    return {
        "rows": rows,
        "n_plates": n_plates,
        "most": control_groups.MOST_GROUPS,
        "confusion": told,
        "threshold": wording.number(threshold),
        "n_taught": int((tables.hits["status"] == "TEACHING").sum()),
    }
