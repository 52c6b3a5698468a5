"""What a training on crops writes: the model, and the held-out scores crop by crop."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from plates.crop_sets import CropSet
from screen.crop_training.heldout import HeldOut
from screen.crop_training.inputs import Inputs
from screen.crop_training.targets import Targets
from screen.crop_training.telling import Judgement
from screen.durable import write_whole
from screen.models import ModelSpec, NetworkSpec
from screen.settings import TrainVerb

HELD_OUT_FILE = "held_out.parquet"


def network_names(n: int) -> tuple[str, ...]:
    """The names of the networks of a crop model."""
    return ("all",) if n == 1 else tuple(f"network{k}" for k in range(n))


def crop_model_spec(
    settings: TrainVerb,
    crops: CropSet,
    targets: Targets,
    inputs: Inputs,
    told: dict[str, Any],
) -> ModelSpec:
    """The model as it is stored: every network learnt from every group."""
    learnt = tuple((crops.source.stem, group) for group in told["data"]["groups"])
    names = network_names(settings.ensemble)
    scorers = told["scorers"]
    return ModelSpec(
        architecture=settings.network.name,
        crop_px=settings.network.crop_px,
        window=False,
        channels=inputs.channels,
        pixel_size_um=1.0,  # crops carry no scale; their own pixel is the unit
        finder={
            "kind": "crops",
            "input": settings.crops_input,
            "bin": settings.network.bin,
        },
        intensity={"kinds": ["masked_crop"]},
        anchors={"senescent": settings.crops_positive, "label": crops.label},
        threshold=settings.threshold,
        split="groups",
        networks=tuple(
            NetworkSpec(name, f"{name}.safetensors", "", learnt, "well")
            for name in names
        ),
        summary={
            "seed": settings.seed,
            "held_out": {
                name: {k: one[k] for k in ("primary", "mean", "sd")}
                for name, one in scorers.items()
            },
        },
        head=told["head"],
        classes=targets.names,
        calibration=told["calibration"],
        preprocessing=told["preprocessing"],
    )


def write_held_out(
    out: Path,
    crops: CropSet,
    targets: Targets,
    found: dict[str, HeldOut],
    judged: dict[str, Judgement],
) -> Path:
    """A row per crop: file, group, what it shows, and every scorer's held-out score;
    null where no fold tested it."""
    columns: dict[str, Any] = {
        "file": crops.frame["file"],
        "group": crops.frame[crops.group],
        "value" if targets.values is not None else "label": targets.truth,
    }
    for name, one in judged.items():
        columns |= _by_class(name, one.pooled, targets)
        if one.calibrated is not None:
            columns |= _by_class(f"{name}_calibrated", one.calibrated, targets)
    columns["disagreement"] = found["network"].disagreement
    buffer = io.BytesIO()
    pl.DataFrame(columns).with_columns(
        pl.selectors.float().fill_nan(None)
    ).write_parquet(buffer)
    path = out / HELD_OUT_FILE
    write_whole(path, buffer.getvalue())
    return path


def _by_class(
    name: str, scores: np.ndarray[Any, Any], targets: Targets
) -> dict[str, Any]:
    if scores.ndim == 1:
        return {name: scores}
    pairs = zip(targets.names, scores.T, strict=True)
    return {f"{name}_{label}": column for label, column in pairs}
