"""A model folder as train leaves it, made up: spec, epochs, and an evaluation if asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from screen.models import ModelSpec, NetworkSpec, save_model
from tests.evaluation_example import N_EACH, told
from tests.report_run import CHANNELS, PIXEL_UM


def write_model(folder: Path, kind: str = "wells") -> Path:
    """A model of two networks taught by control wells, or by crops of a ``kind``
    (classes, regression) with evaluation.json and held_out.parquet beside it."""
    names = ("half0", "half1")
    networks = tuple(
        NetworkSpec(n, f"{n}.safetensors", "", (("P01", "A01"),), "well") for n in names
    )
    summary: dict[str, Any] = {"seed": 1, "unread_fields": [], "weights": []}
    summary["networks"] = {
        n: {
            **{"cell_auc": 0.81 + 0.02 * k, "well_auc": 0.98, "window": 0.42},
            **{"n_held_out": 31, "n_crops": 5120, "n_wells": 32},
        }
        for k, n in enumerate(names)
    }
    spec = ModelSpec(
        *("compact", 32, True, CHANNELS, PIXEL_UM),
        finder={"kind": "nuclei", "bin": 2},
        intensity={"illumination": "none"},
        anchors={},
        threshold=0.5,
        split="halves",
        networks=networks,
        summary=summary,
    )
    save_model(folder, spec, {n: {"w": np.zeros(1, np.float32)} for n in names})
    epochs = [
        {"network": n, "epoch": e, "loss": 0.7 * 0.8**e, "accuracy": 1 - 0.4 * 0.7**e}
        for n in names
        for e in range(1, 9)
    ]
    if kind != "wells":
        epochs = [
            {"split": "groups", "fold": f"fold{f}", "network": 0, **own}
            for f in range(3)
            for own in (
                {k: v for k, v in e.items() if k != "network"} for e in epochs[:8]
            )
        ]
        _write_evaluation(folder, kind)
    text = "".join(json.dumps(e) + "\n" for e in epochs)
    (folder / "metrics.jsonl").write_text(text, "utf-8")
    return folder


def _write_evaluation(folder: Path, kind: str) -> None:
    facts = told(kind)
    groups = facts["data"]["groups"]
    (folder / "evaluation.json").write_text(json.dumps(facts), "utf-8")
    rng = np.random.default_rng(0)
    name = np.repeat(groups, N_EACH)
    label = np.repeat(np.arange(len(groups)) % 2, N_EACH)
    truth: dict[str, Any] = {"label": label}
    if kind == "regression":
        truth = {"value": 20.0 + 25 * label}
    given = np.clip(0.5 + 0.3 * (2 * label - 1) + rng.normal(0, 0.2, len(label)), 0, 1)
    frame = pl.DataFrame({"file": name, "group": name, **truth, "network": given})
    frame.write_parquet(folder / "held_out.parquet")
