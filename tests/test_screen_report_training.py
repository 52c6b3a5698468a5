"""The part of the report for method developers: what the model folder said when it scored."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from plates.wells import PlateFormat
from screen.provenance import input_hashes
from screen.report.audits import control_wells
from screen.report.control_groups import MOST_GROUPS, confusion, group_rows
from screen.report.page import Extras, render
from screen.report.section import Facts
from screen.report.sections import training as section
from screen.report.tables import RunTables
from screen.report.training import crop_groups, taught
from screen.report.training_pictures import by_network, learning
from tests.report_example import example_tables
from tests.report_model import write_model

F384 = PlateFormat.of(384)


@pytest.fixture(scope="module")
def plain() -> RunTables:
    return example_tables()


def scored_with(tables: RunTables, model: Path) -> RunTables:
    """The same run, its manifest naming a model as score does."""
    score = {"inputs": input_hashes({"model": model})}
    return replace(tables, manifest={"verbs": {"score": score}})


def section_text(tables: RunTables) -> str:
    """The text of the section alone."""
    parts: list[str] = []

    class Text(HTMLParser):
        def handle_data(self, data: str) -> None:
            parts.append(data)

    page = render("run", tables, F384, Extras())
    start = page.index('<section id="training">')
    Text().feed(page[start : page.index("</section>", start)])
    return " ".join(" ".join(parts).split())


def test_networks_and_learning_of_a_model_taught_by_wells(
    plain: RunTables, tmp_path: Path
) -> None:
    tables = scored_with(plain, write_model(tmp_path / "model"))
    text = section_text(tables)
    assert "half0 32 wells, 5 120 cells 31 0.810 0.980 0.42" in text
    assert "Loss of taught crops" in text
    assert "no reliability diagram" in text
    found = learning(taught(tables).epochs)
    assert [caption for caption, _ in found] == [
        "Loss of taught crops",
        "Accuracy on taught crops",
    ]
    assert str(found[0][1]).count("<polyline") == 2


def test_calibration_errors_and_leakage_of_a_model_taught_by_crops(
    plain: RunTables, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "model", "classes")
    told = json.loads((model / "evaluation.json").read_text())
    network = told["scorers"]["network"]
    text = section_text(scored_with(plain, model))
    assert f"as given: {network['measures']['ece']['value']:.3f}" in text
    assert f"other groups: {network['calibrated']['ece']['value']:.3f}" in text
    for name, row in zip(told["classes"], network["confusion"], strict=True):
        assert f"{name} {row[0]} {row[1]}" in text
    leak = told["leakage"]["network"]["difference"]["value"]
    assert f"{leak:.3f}" in text
    assert "Reliability" in text


def test_crops_are_told_by_group_the_worst_first(
    plain: RunTables, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "model", "classes")
    rows, n = crop_groups(taught(scored_with(plain, model)))
    frame = pl.read_parquet(model / "held_out.parquet")
    right = {
        str(key[0]): float(((p["network"] >= 0.5) == (p["label"] == 1)).sum()) / len(p)
        for key, p in frame.group_by("group")
    }
    assert n == len(rows) == len(right)
    assert [r.right for r in rows] == [
        f"{100 * v:.0f} %" for v in sorted(right.values())
    ]
    assert {r.name: r.right for r in rows} == {
        g: f"{100 * v:.0f} %" for g, v in right.items()
    }


def test_errors_of_values_are_told_in_their_unit(
    plain: RunTables, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "model", "regression")
    rows, _ = crop_groups(taught(scored_with(plain, model)))
    assert all(r.right.startswith("off by ") for r in rows)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda m: m.rename(m.with_name("gone")), "The model model has moved away"),
        (lambda m: (m / "model.json").write_text("{}"), "Another model lies at model"),
    ],
    ids=["moved", "replaced"],
)
def test_a_model_that_is_gone_costs_one_line(
    spoil: object, words: str, plain: RunTables, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "model", "classes")
    tables = scored_with(plain, model)
    spoil(model)  # type: ignore[operator]
    text = section_text(tables)
    assert words in text
    assert "Vehicle wells of this run" in text
    assert "Learning" not in text


def test_files_changed_since_scoring_are_not_shown(
    plain: RunTables, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "model", "classes")
    tables = scored_with(plain, model)
    for name in ("evaluation.json", "metrics.jsonl"):
        (model / name).write_text("<script>alert(1)</script>")
    found = taught(tables)
    assert (found.evaluation, found.held_out, found.epochs) == (None, None, ())
    assert "keeps no metrics.jsonl" in section_text(tables)


def test_a_table_of_read_outs_names_no_model(plain: RunTables) -> None:
    tables = replace(plain, manifest={"verbs": {}})
    assert "The run names no model" in section_text(tables)


def test_an_epoch_told_again_counts_once() -> None:
    lines = [
        {"network": "a", "epoch": 1, "loss": 2.0},
        {"network": "a", "epoch": 1, "loss": 1.0},
        {"network": "b", "epoch": 1, "loss": 3.0},
    ]
    found = by_network(lines)
    assert [e["loss"] for e in found["a"]] == [1.0]
    assert list(found) == ["a", "b"]


def test_auc_by_plate_is_that_of_its_wells(plain: RunTables) -> None:
    noisy = plain.hits.with_columns(
        rescue=pl.col("rescue")
        + pl.Series(np.random.default_rng(1).normal(0, 1.5, plain.hits.height))
    )
    wells = control_wells(replace(plain, hits=noisy))
    rows, n = group_rows(wells)
    assert n == 2
    for row in rows:
        own = wells.filter(pl.col("plate") == row.name)
        is_healthy = (own["state_group"] == "healthy").to_numpy()
        wanted = roc_auc_score(is_healthy, own["rescue"].to_numpy())
        assert row.auc == f"{wanted:.2f}"
        low, high = map(float, row.interval.split(" to "))
        assert low <= wanted <= high
    assert [r.auc for r in rows] == sorted(r.auc for r in rows)


def test_of_many_plates_the_lowest_are_listed(plain: RunTables) -> None:
    one = control_wells(plain).filter(pl.col("plate") == "P01")
    turned = pl.when(pl.col("plate") == "B39").then(-pl.col("rescue"))
    many = pl.concat(
        one.with_columns(plate=pl.lit(f"B{k:02d}"), batch=pl.lit(f"b{k % 2}"))
        for k in range(40)
    ).with_columns(rescue=turned.otherwise("rescue"))
    rows, n = group_rows(many)
    assert n == 40
    assert [r.kind for r in rows] == ["Plate"] * MOST_GROUPS + ["Batch"] * 2
    assert (rows[0].name, rows[0].auc) == ("B39", "0.00")


def test_wells_are_counted_on_both_sides_of_the_threshold() -> None:
    wells = pl.DataFrame(
        {
            "state_group": ["healthy", "healthy", "senescent", "senescent"],
            "score": [0.2, 0.7, 0.5, 0.9],
        }
    )
    assert confusion(wells, 0.5) == [
        ("Healthy vehicle", 1, 1),
        ("Stressed vehicle", 1, 1),
    ]


def test_labels_of_a_model_stay_text(plain: RunTables, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", "classes")
    told = json.loads((model / "evaluation.json").read_text())
    evil = "<img src=x onerror=alert(1)>\u202e"
    told["classes"] = [evil, "b"]
    (model / "evaluation.json").write_text(json.dumps(told))
    page = render("run", scored_with(plain, model), F384, Extras())
    assert "&lt;img src=x" in page
    assert not {"\u202e"} & set(page)
    assert "<img src=x" not in page


def test_the_section_is_folded(plain: RunTables) -> None:
    found = section.section(Facts(plain, F384, Extras()))
    assert (found.key, found.islands) == ("training", {})
    page = render("run", plain, F384, Extras())
    assert '<details class="developers">' in page
