"""Training on labelled crops: one folder in, a model and its honest AUC out."""

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plates.problems import InputError
from screen.groups import NetworkSettings
from screen.models import load_model, restore_network
from screen.settings import TrainVerb
from screen.train_crops import run_crops

N_GROUPS = 4
N_EACH = 6


def _crop(rng: np.random.Generator, is_old: bool) -> bytes:
    y, x = np.mgrid[:48, :48] - 24.0
    radius = (13 if is_old else 8) + rng.uniform(-1, 1)
    inside = np.hypot(y, x) <= radius
    grey = np.where(inside, 120 + rng.normal(0, 10, inside.shape), 0)
    buffer = BytesIO()
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def crop_folder(tmp_path: Path) -> Path:
    """48 drawn nuclei of two sizes from four images, and a third species to leave out."""
    rng = np.random.default_rng(0)
    rows = ["file,state,species,source_image"]
    with zipfile.ZipFile(tmp_path / "crops.zip", "w") as archive:
        for i in range(2 * N_GROUPS * N_EACH):
            state = "old" if i % 2 else "young"
            species = "human" if i < N_GROUPS * N_EACH else "mouse"
            rows.append(f"{i}.png,{state},{species},image{i % N_GROUPS}")
            archive.writestr(f"{i}.png", _crop(rng, state == "old"))
    (tmp_path / "crops.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def _settings(folder: Path, **changes: Any) -> TrainVerb:
    network = NetworkSettings(crop_px=16, bin=2)
    chosen: dict[str, Any] = {
        "crops_positive": "old",
        "crops_filter": "species=human",
    } | changes
    out = str(folder / "model")
    return TrainVerb(
        crops=str(folder), out=out, network=network, epochs=2, batch=16, **chosen
    )


def test_a_model_and_its_evaluation_are_written(crop_folder: Path) -> None:
    from jax import random

    from kernels.networks import build
    from screen.crop_channels import CHANNELS

    outcome = run_crops(_settings(crop_folder))
    told = json.loads((crop_folder / "model" / "evaluation.json").read_text())
    model = load_model(crop_folder / "model")
    blank = build("compact", len(CHANNELS), 16, key=random.key(0))

    assert outcome.code == 0
    assert "forest: held-out AUC 1.000 (4 folds by group" in outcome.message
    assert set(told["auc"]) == {"compact", "forest", "logistic"}
    assert (told["crops"], told["positive"]) == (24, 12)
    assert told["groups"] == ["image0", "image1", "image2", "image3"]
    assert not model.spec.networks[0].may_score("crops", "image2")
    assert restore_network(blank, model.weights["all"]) is blank


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"crops_positive": "aged"}, "labels old, young; positive is 'aged'"),
        ({"crops_group": "image"}, "no column image"),
        ({"crops_filter": "species=rat"}, "choose one of: human, mouse"),
    ],
    ids=["label", "group", "filter"],
)
def test_crops_that_cannot_teach_are_refused(
    crop_folder: Path, changes: dict[str, str], found: str
) -> None:
    with pytest.raises(InputError, match=found):
        run_crops(_settings(crop_folder, **changes))
    assert not (crop_folder / "model").exists()
