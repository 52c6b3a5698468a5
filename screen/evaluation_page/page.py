"""The whole page: what evaluation.json holds, rendered as one safe HTML file."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from screen.crop_training.words import interval, shown
from screen.evaluation.quality import is_higher_better
from screen.evaluation_page import charts
from screen.evaluation_page.methods import definitions

MOST_FOLDS = 200


def render(title: str, told: dict[str, Any]) -> str:
    """The page as text: no remote resource, no script, one style (by its hash)."""
    style = _resource("page.css")
    rows = score_rows(told)
    context = {
        "title": title,
        "style": Markup(style),
        "policy": _policy(style),
        "verdict": verdict(told),
        "figures": _figures(told),
        "lead": _lead(told),
        "why": _network_primary(told)["why"],
        "measures": _measures(told),
        "rows": rows,
        "has_after": "calibrated" in told["scorers"]["network"],
        "is_value": told["head"]["kind"] == "regression",
        "gap_words": _gap_words(told),
        "charts": _charts(told),
        "classes": told["classes"],
        "confusion": _confusion(told),
        "names": list(told["scorers"]),
        "fold_words": _fold_words(told),
        "folds": fold_rows(told),
        "leakage": leakage_rows(told),
        "definitions": definitions(told),
        "footer": _footer(told),
    }
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["number"] = "{:.3f}".format
    return environment.from_string(_resource("page.html.j2")).render(context)


def _resource(name: str) -> str:
    return files("screen.evaluation_page").joinpath(name).read_text("utf-8")


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
        " form-action 'none'"
    )


def verdict(told: dict[str, Any]) -> dict[str, str]:
    """One sentence: whether the network is better than the best plain learner."""
    one, best = told["difference"], told["best_baseline"]
    up = is_higher_better(one["measure"])
    gain = f"{shown(one['measure'])} {interval(one)}"
    share = f"better in {one['folds_better']} of {one['folds']} folds"
    if one["low"] is None:
        words = f"The network less {best}: {gain}, {share}; no interval is possible."
        return {"kind": "care", "words": words}
    is_better = one["low"] > 0 if up else one["high"] < 0
    is_worse = one["high"] < 0 if up else one["low"] > 0
    said = "is better than" if is_better else "is worse than" if is_worse else ""
    said = said or "cannot be told from"
    words = f"The network {said} the best plain learner, {best}: {gain}, {share}."
    return {"kind": "good" if is_better else "care", "words": words}


def score_rows(told: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a scorer with every measure and its interval, the best of each marked."""
    scorers = told["scorers"]
    names = list(scorers["network"]["measures"])
    best = {
        m: (max if is_higher_better(m) else min)(
            scorers, key=lambda name: scorers[name]["measures"][m]["value"]
        )
        for m in names
    }
    return [
        {
            "name": name,
            "cells": [
                {"found": one["measures"][m], "is_best": best[m] == name} for m in names
            ],
            "after": one["calibrated"]["ece"] if "calibrated" in one else None,
        }
        for name, one in scorers.items()
    ]


def fold_rows(told: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a fold with the primary measure of every scorer, the best one marked."""
    scorers, primary = told["scorers"], _primary(told)
    rows = []
    for k, fold in enumerate(told["scheme"]["folds"][:MOST_FOLDS]):
        values = [one["folds"][k] for one in scorers.values()]
        known = [v for v in values if v is not None]
        top = (max if is_higher_better(primary) else min)(known, default=None)
        rows.append(
            {
                "number": k + 1,
                "groups": ", ".join(fold["groups"]),
                "taught": fold["taught"],
                "tested": fold["tested"],
                "cells": [
                    {
                        "shown": "one label" if v is None else f"{v:.3f}",
                        "is_best": v is not None and v == top,
                    }
                    for v in values
                ],
            }
        )
    return rows


def _primary(told: dict[str, Any]) -> str:
    return str(told["scorers"]["network"]["primary"])


def _network_primary(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = told["scorers"]["network"]["measures"][_primary(told)]
    return found


def _figures(told: dict[str, Any]) -> list[tuple[str, str]]:
    data, network = told["data"], told["scorers"]["network"]
    figures = [
        (f"network, {shown(_primary(told))}", interval(_network_primary(told))),
        ("crops", f"{data['crops']:,}"),
        (f"groups ({data['group']})", str(len(data["groups"]))),
        ("folds", str(len(told["scheme"]["folds"]))),
    ]
    if "calibrated" in network:
        after = network["calibrated"]["ece"]["value"]
        before = network["measures"]["ece"]["value"]
        figures.append(("calibration error", f"{before:.3f} → {after:.3f}"))
    return figures


def _measures(told: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"name": shown(m), "better": "↑" if is_higher_better(m) else "↓"}
        for m in told["scorers"]["network"]["measures"]
    ]


def _lead(told: dict[str, Any]) -> str:
    scheme, n = told["scheme"], told["data"]["n_features"]
    low, high = scheme["times_tested"]
    often = "once" if low == high == 1 else f"{low} to {high} times; the mean counts"
    return (
        f"Every crop is scored by learners that saw no crop of its {told['data']['group']};"
        f" it is tested {often}. The plain learners read"
        f" {n} hand-made features in the same folds. Intervals cover"
        f" {scheme['level']:.0%}."
    )


def _gap_words(told: dict[str, Any]) -> str:
    if "gap" not in told:
        return ""
    one = told["gap"]
    return (
        f"The gap (predicted less actual) changes by {one['slope']:.3f} for each unit of"
        f" the actual value: predictions are drawn to the mean. Its sd is {one['sd']:.3f};"
        f" freed of that pull, by lines fitted on other groups, {one['corrected_sd']:.3f}."
    )


def _charts(told: dict[str, Any]) -> list[tuple[str, Markup]]:
    found: list[tuple[str, Markup]] = []
    if told["head"]["kind"] == "regression":
        found.append(("Predicted against actual", charts.predictions(told)))
    else:
        found += [
            ("ROC", charts.roc(told)),
            ("Precision and recall", charts.precision_recall(told)),
            ("Reliability, network", charts.reliability(told)),
            ("Abstention: the surest crops only", charts.abstention(told)),
        ]
    by_fold = charts.folds(told)
    if by_fold is not None:
        found.append((f"{shown(_primary(told))} by fold", by_fold))
    return found


def _confusion(told: dict[str, Any]) -> list[tuple[str, list[int]]]:
    table = told["scorers"]["network"].get("confusion")
    return [] if table is None else list(zip(told["classes"], table, strict=True))


def _fold_words(told: dict[str, Any]) -> str:
    n = len(told["scheme"]["folds"])
    words = (
        f"{shown(_primary(told))} in each of {n} folds; the best of a fold is marked."
    )
    return words if n <= MOST_FOLDS else f"{words} The first {MOST_FOLDS} are shown."


def leakage_rows(told: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a scorer: its primary measure by groups, by crops, and the difference."""
    primary = _primary(told)
    return [
        {
            "name": name,
            "by_group": told["scorers"][name]["measures"][primary],
            "by_crop": one["crop_level"],
            "difference": one["difference"],
        }
        for name, one in told["leakage"].items()
    ]


def _footer(told: dict[str, Any]) -> str:
    plan = told["plan"]
    return (
        f"{plan['network']}, {told['n_networks']} network(s), {plan['epochs']} epochs,"
        f" seed {plan['seed']}; crops sha256 {told['data']['sha256'][:16]}…;"
        " all figures stand in evaluation.json, the scores of each crop in"
        " held_out.parquet."
    )
