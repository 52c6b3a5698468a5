"""What the model folder of a run still says of its training, for method developers."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from screen.report import wording
from screen.report.tables import RunTables

MOST_GROUPS = 40
_SCHEMA = 2  # of evaluation.json
_SPLITS = {
    "halves": "random halves of the control wells; each network judged on the other half",
    "plates": "whole plates; each network judged on plates it never saw",
    "teaching": "one network; the wells that taught it are never scored",
    "groups": "whole groups of crops",
}


@dataclass(frozen=True)
class Taught:
    """What was found in the model folder; ``missing`` says in a line what was not."""

    spec: dict[str, Any] = field(default_factory=dict)
    epochs: tuple[dict[str, Any], ...] = ()
    evaluation: dict[str, Any] | None = None
    held_out: pl.DataFrame | None = None
    missing: str = ""


@dataclass(frozen=True)
class NetworkRow:
    """One network as text."""

    name: str
    taught: str
    held_out: str
    cell_auc: str
    well_auc: str
    window: str


@dataclass(frozen=True)
class GroupRow:
    """Held-out crops of one group as text."""

    name: str
    n: str
    shows: str
    given: str
    right: str


def taught(tables: RunTables) -> Taught:
    """What lies in the folder that the verb score read the model from.

    Nothing of another model is shown: a file must have the hash that score wrote down.
    """
    inputs = tables.manifest.get("verbs", {}).get("score", {}).get("inputs", {})
    told = inputs.get("model", {})
    if not told.get("path"):
        return Taught(missing="The run names no model: its training cannot be shown.")
    folder, listed = Path(told["path"]), told.get("sha256", {})
    shown = wording.shown(folder.name)
    if not (folder / "model.json").is_file():
        words = f"The model {shown} has moved away since: its training is not shown."
        return Taught(missing=words)
    spec = _as_listed(folder / "model.json", listed)
    if spec is None:
        words = f"Another model lies at {shown} by now: its training is not shown."
        return Taught(missing=words)
    evaluation = json.loads(_as_listed(folder / "evaluation.json", listed) or "null")
    if evaluation is not None and evaluation.get("schema") != _SCHEMA:
        evaluation = None
    held_out = _as_listed(folder / "held_out.parquet", listed) if evaluation else None
    return Taught(
        json.loads(spec),
        _epochs(_as_listed(folder / "metrics.jsonl", listed) or b""),
        evaluation,
        None if held_out is None else pl.read_parquet(io.BytesIO(held_out)),
    )


def _as_listed(path: Path, listed: dict[str, str]) -> bytes | None:
    """A file's bytes, where it is still the one of the manifest."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    is_same = hashlib.sha256(data).hexdigest() == listed.get(path.name)
    return data if is_same else None


def _epochs(data: bytes) -> tuple[dict[str, Any], ...]:
    """Lines of metrics.jsonl that hold an epoch."""
    found = [json.loads(line) for line in data.splitlines() if line.strip()]
    return tuple(one for one in found if {"epoch", "loss"} <= one.keys())


def model_facts(found: Taught) -> list[tuple[str, str]]:
    """Name and value of what the networks are."""
    spec = found.spec
    if not spec:
        return []
    split = str(spec.get("split", ""))
    anchors = spec.get("anchors", {})
    facts = [
        ("Network", f"{spec.get('architecture')}, width {spec.get('width', 1.0):g}"),
        ("Crop", f"{spec.get('crop_px')} px of {', '.join(spec.get('channels', ()))}"),
        ("Networks", str(len(spec.get("networks", ())))),
        ("Split", _SPLITS.get(split, split)),
        ("Threshold", wording.number(spec.get("threshold"))),
    ]
    if isinstance(anchors, dict) and anchors.get("label"):
        facts.append(("Label", str(anchors["label"])))
    return [(name, wording.sentence(value)) for name, value in facts]


def networks(found: Taught) -> list[NetworkRow]:
    """A row a network with how it did on control wells that it never saw."""
    told = found.spec.get("summary", {}).get("networks", {})
    return [
        NetworkRow(
            wording.shown(name),
            f"{wording.number(one.get('n_wells'), 0)} wells,"
            f" {wording.number(one.get('n_crops'), 0)} cells",
            wording.number(one.get("n_held_out"), 0),
            wording.number(one.get("cell_auc"), 3),
            wording.number(one.get("well_auc"), 3),
            wording.number(one.get("window")),
        )
        for name, one in told.items()
    ]


def crop_groups(found: Taught) -> tuple[list[GroupRow], int]:
    """Held-out crops by group, those told worst first, and how many groups there are."""
    frame, told = found.held_out, found.evaluation
    if frame is None or told is None or "group" not in frame.columns:
        return [], 0
    judged = _judged(frame, told)
    rows = (
        judged.drop_nulls("given")
        .group_by("group")
        .agg(
            n=pl.len(),
            truth=pl.col("truth").mean(),
            given=pl.col("given").mean(),
            error=pl.col("error").mean(),
        )
        .sort("error", "group", descending=[True, False])
    )
    return [
        _group(row, told) for row in rows.head(MOST_GROUPS).iter_rows(named=True)
    ], rows.height


def _judged(frame: pl.DataFrame, told: dict[str, Any]) -> pl.DataFrame:
    """truth, given and error (0 or 1 of classes) of every crop."""
    if told["head"]["kind"] == "regression":
        error = (pl.col("network") - pl.col("value")).abs()
        return frame.with_columns(truth="value", given="network", error=error)
    names = told["classes"]
    if len(names) == 2:
        chosen = (pl.col("network") >= 0.5).cast(pl.Int64)
        error = (chosen != pl.col("label")).cast(pl.Float64)
        return frame.with_columns(truth="label", given="network", error=error)
    columns = [f"network_{name}" for name in names]
    chosen = pl.concat_list(columns).list.arg_max().cast(pl.Int64)
    error = (chosen != pl.col("label")).cast(pl.Float64)
    return frame.with_columns(truth="label", given=chosen.cast(pl.Float64), error=error)


def _group(row: dict[str, Any], told: dict[str, Any]) -> GroupRow:
    names = told["classes"]
    n = wording.number(row["n"], 0)
    name = wording.shown(row["group"])
    if told["head"]["kind"] == "regression":
        error = f"off by {wording.number(row['error'])}"
        values = wording.number(row["truth"]), wording.number(row["given"])
        return GroupRow(name, n, *values, error)
    is_pure = row["truth"] == int(row["truth"])
    shows = wording.shown(names[int(row["truth"])]) if is_pure else "several labels"
    given = "" if len(names) > 2 else wording.number(row["given"])
    right = f"{100 * (1 - row['error']):.0f} %"
    return GroupRow(name, n, shows, given, right)
