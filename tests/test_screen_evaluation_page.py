"""The page and the words of an evaluation say what its figures say, and nothing loads."""

import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from screen.crop_training.words import outcome_words
from screen.evaluation_page import render
from screen.evaluation_page.page import fold_rows, score_rows, verdict
from tests.evaluation_example import told

KINDS = [("classes", 2), ("classes", 3), ("ordinal", 3), ("regression", 1)]
by_kind = pytest.mark.parametrize(("kind", "n"), KINDS)


class _Balanced(HTMLParser):
    """Fails on a tag that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.open += [] if tag in ("meta",) else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@by_kind
def test_a_page_is_whole_and_loads_nothing(kind: str, n: int) -> None:
    page = render("model <b>x</b>", told(kind, n))
    parser = _Balanced()
    parser.feed(page)
    drawings = re.findall(r"<svg.*?</svg>", page, re.S)

    assert parser.open == []
    assert not re.search(r"(?:src|href)=|https?:|<script|nan|None", page)
    assert "model &lt;b&gt;x&lt;/b&gt;" in page
    assert len(drawings) == (2 if kind == "regression" else 5)
    for drawing in drawings:
        assert ElementTree.fromstring(drawing).get("aria-label")


@by_kind
def test_facts_are_json_and_repeat(kind: str, n: int) -> None:
    facts = told(kind, n)
    text = json.dumps(facts, allow_nan=False)

    assert render("m", json.loads(text)) == render("m", facts)


def test_the_words_hold_the_table() -> None:
    facts = told("classes")
    words = outcome_words(facts, "models/x")
    network, one = facts["scorers"]["network"], facts["difference"]
    low = network["measures"]["auc"]["low"]

    assert words.startswith("model models/x: 144 crops, 12 groups, 5 folds by donor")
    assert (
        f"network: held-out AUC {network['measures']['auc']['value']:.3f} ({low:.3f}"
        in words
    )
    assert f"network less {facts['best_baseline']}: AUC {one['value']:.3f} (" in words
    assert f"calibrated (platt) {network['calibrated']['ece']['value']:.3f}" in words
    assert "leakage audit, network: split by crops" in words


def test_the_planted_leak_is_found() -> None:
    for one in told("classes")["leakage"].values():
        assert one["difference"]["value"] > 0
        assert one["difference"]["low"] is not None


def test_calibration_makes_drawn_scores_honest() -> None:
    network = told("classes")["scorers"]["network"]

    assert network["calibrated"]["ece"]["value"] < network["measures"]["ece"]["value"]
    assert sum(map(sum, network["confusion"])) == 144


def test_the_pull_to_the_mean_is_in_the_gap() -> None:
    gap = told("regression", 1)["gap"]

    assert gap["slope"] == pytest.approx(-0.4, abs=0.1)
    assert abs(gap["corrected_correlation_with_actual"]) < 0.1
    assert gap["correlation_with_actual"] < -0.5


@pytest.mark.parametrize(
    ("measure", "low", "high", "kind", "said"),
    [
        ("auc", 0.01, 0.05, "good", "is better than"),
        ("auc", -0.05, -0.01, "care", "is worse than"),
        ("auc", -0.05, 0.01, "care", "cannot be told from"),
        ("mae", -2.0, -1.0, "good", "is better than"),
        ("mae", 1.0, 2.0, "care", "is worse than"),
        ("auc", None, None, "care", "no interval is possible"),
    ],
)
def test_a_verdict_needs_an_interval_off_zero(
    measure: str, low: float | None, high: float | None, kind: str, said: str
) -> None:
    one = {"measure": measure, "value": 0.0, "low": low, "high": high}
    one |= {"folds_better": 3, "folds": 5}
    found = verdict({"difference": one, "best_baseline": "forest"})

    assert found["kind"] == kind
    assert said in found["words"]


def test_the_best_of_each_measure_and_fold_is_marked() -> None:
    facts = told("classes")
    rows, folds = score_rows(facts), fold_rows(facts)
    measures = list(facts["scorers"]["network"]["measures"])
    values = [row["cells"][measures.index("brier")] for row in rows]
    least = min(values, key=lambda cell: cell["found"]["value"])

    assert least["is_best"]
    assert [sum(row["cells"][k]["is_best"] for row in rows) for k in range(6)] == [
        1
    ] * 6
    assert all(any(cell["is_best"] for cell in fold["cells"]) for fold in folds)


def test_few_groups_are_said_to_allow_no_interval() -> None:
    page = render("m", told("classes", 2, per_level=3))

    assert "No interval is given: 3 groups of label 0" in page
    assert "no interval is possible" in page
