"""The lines that a person sees at the end of a training on crops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SHOWN = {
    "auc": "AUC",
    "average_precision": "average precision",
    "f1": "F1",
    "brier": "Brier",
    "ece": "ECE",
    "grade_error": "grade error",
    "mae": "MAE",
    "rmse": "RMSE",
}


def outcome_words(told: dict[str, Any], out: object) -> str:
    """A table of the scorers, the difference to the best baseline, the calibration and
    the leakage audit, from what evaluation.json holds."""
    data, scheme = told["data"], told["scheme"]
    first = (
        f"model {out}: {data['crops']} crops, {len(data['groups'])} groups,"
        f" {len(scheme['folds'])} folds by {data['group']} (scheme {scheme['scheme']})"
    )
    begun = [f"  begun from {text}" for text in told["weights"]]
    rest = (*_table(told), *_difference(told), *_audits(told))
    return "\n".join([first, *begun, *rest])


def interval(found: dict[str, Any]) -> str:
    """A value with its interval, or the value alone."""
    if found["low"] is None:
        return f"{found['value']:.3f}"
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def shown(measure: str) -> str:
    """A measure as a person reads it."""
    return SHOWN.get(measure, measure)


def _table(told: dict[str, Any]) -> Iterator[str]:
    for name, one in told["scorers"].items():
        primary = one["primary"]
        pooled = one["measures"][primary]
        mean = "" if one["mean"] is None else f", mean of folds {one['mean']:.3f}"
        spread = "" if one["sd"] is None else f", sd {one['sd']:.3f}"
        yield f"  {name}: held-out {shown(primary)} {interval(pooled)}{mean}{spread}"
    why = told["scorers"]["network"]["measures"][primary]["why"]
    if why:
        yield f"  no interval: {why}"


def _difference(told: dict[str, Any]) -> Iterator[str]:
    one = told["difference"]
    measure = shown(one["measure"])
    yield (
        f"  network less {told['best_baseline']}: {measure} {interval(one)},"
        f" better in {one['folds_better']} of {one['folds']} folds"
    )


def _audits(told: dict[str, Any]) -> Iterator[str]:
    network = told["scorers"]["network"]
    if "calibrated" in network:
        before, after = network["measures"]["ece"], network["calibrated"]["ece"]
        kind = told["calibration"].get("kind", "none")
        yield (f"  ECE {before['value']:.3f}, calibrated ({kind}) {after['value']:.3f}")
    if "gap" in told:
        line = told["gap"]
        yield (
            f"  gap falls by {-line['slope']:.3f} a unit; sd {line['sd']:.3f},"
            f" freed of that {line['corrected_sd']:.3f}"
        )
    for name, one in told["leakage"].items():
        yield (
            f"  leakage audit, {name}: split by crops {one['crop_level']['value']:.3f},"
            f" difference {interval(one['difference'])}"
        )
