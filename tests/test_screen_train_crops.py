"""Training on labelled crops: one folder in, a model and its honest figures out."""

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

from plates.problems import InputError
from screen.evaluation import Calibration
from screen.evaluation_groups import EvaluationSettings
from screen.groups import NetworkSettings
from screen.models import load_model, restore_network
from screen.settings import TrainVerb
from screen.train_crops import run_crops
from screen.training_groups import FitSettings

PX = 32
BATCH = 128  # more than any fold has crops: as many steps for each, so one compilation
TWO: dict[str, Any] = {"scheme": "folds", "n_folds": 2, "resamples": 100}

Draw = Callable[[np.random.Generator, int], NDArray[np.uint8]]


def _nucleus(rng: np.random.Generator, kind: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:PX, :PX] - PX / 2
    radius = 5 + 4 * kind + rng.uniform(-1, 1)
    inside = np.hypot(y, x) <= radius
    grey = np.where(inside, 120 + rng.normal(0, 10, inside.shape), 0)
    return grey.clip(0, 255).astype(np.uint8)


def _colours(rng: np.random.Generator, kind: int) -> NDArray[np.uint8]:
    picture = rng.normal(60, 12, (PX, PX, 3))
    picture[8:24, 8:24, kind] += 70
    return picture.clip(0, 255).astype(np.uint8)


def _folder(
    root: Path, draw: Draw, names: list[str], n_groups: int, n_each: int
) -> Path:
    """Crops of each name in groups of their own, a column of numbers, and a species."""
    root.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    rows = ["file,state,species,source_image,age"]
    with zipfile.ZipFile(root / "crops.zip", "w") as archive:
        for i in range(len(names) * n_groups * n_each):
            kind, group = i % len(names), i % (len(names) * n_groups)
            species = "human" if (i // len(names) // n_groups) % 2 else "mouse"
            buffer = BytesIO()
            Image.fromarray(draw(rng, kind)).save(buffer, "PNG")
            age = 20 + 20 * kind + rng.normal(0, 1)
            rows.append(f"{i}.png,{names[kind]},{species},image{group:02},{age:.2f}")
            archive.writestr(f"{i}.png", buffer.getvalue())
    (root / "crops.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="module")
def nuclei(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 drawn nuclei of two sizes from four images, half of them of each species."""
    root = tmp_path_factory.mktemp("nuclei") / "set"
    return _folder(root, _nucleus, ["young", "old"], 2, 24)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Coloured pictures of three kinds from 15 images."""
    root = tmp_path_factory.mktemp("colours") / "set"
    return _folder(root, _colours, ["none", "primary", "secondary"], 5, 3)


def _settings(folder: Path, out: Path, **changes: Any) -> TrainVerb:
    usual: dict[str, Any] = {
        "crops_positive": "old",
        "network": NetworkSettings(crop_px=16, bin=2),
        "evaluation": EvaluationSettings(resamples=100),
        "epochs": 2,
        "batch": BATCH,
    }
    return TrainVerb(crops=str(folder), out=str(out), **usual | changes)


def _told(out: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
    return told


@pytest.mark.slow
def test_a_model_and_its_evaluation_are_written(nuclei: Path, tmp_path: Path) -> None:
    from jax import random

    from kernels.networks import build
    from screen.crop_channels import CHANNELS

    out = tmp_path / "model"
    taught = run_crops(_settings(nuclei, out, crops_filter="species=human", ensemble=2))
    told, model = _told(out), load_model(out)
    blank = build("compact", len(CHANNELS), 16, key=random.key(0))
    table = pl.read_parquet(out / "held_out.parquet")

    assert "forest: held-out AUC 1.000" in taught.words
    assert "no interval: 2 groups of label 0" in taught.words
    assert set(told["scorers"]) == {"network", "forest", "logistic"}
    assert len(told["scheme"]["folds"]) == 4  # pairs of 2 + 2 images
    assert (told["data"]["crops"], told["counts"]) == (48, [24, 24])
    assert set(told["leakage"]) == {"network", "forest", "logistic"}
    assert [n.name for n in model.spec.networks] == ["network0", "network1"]
    assert not model.spec.networks[0].may_score("crops", "image02")
    assert restore_network(blank, model.weights["network1"]) is blank
    assert model.spec.classes == ("young", "old")
    assert Calibration.from_dict(model.spec.calibration).kind == "platt"
    assert table["network"].null_count() == 0
    assert (table["disagreement"].to_numpy() > 0).all()
    assert set(told["abstention"]) == {"probability", "disagreement"}
    assert not (out / "unfinished").exists()
    assert "Held-out evaluation" in (out / "evaluation.html").read_text()


@pytest.mark.parametrize(
    ("head", "primary"),
    [
        ("classes", "auc"),
        pytest.param("ordinal", "grade_error", marks=pytest.mark.slow),
    ],
)
def test_three_kinds_in_colour(
    colours: Path, tmp_path: Path, head: str, primary: str
) -> None:
    out = tmp_path / "model"
    names = ["none", "primary", "secondary"]
    settings = _settings(
        colours,
        out,
        head=head,
        crops_classes=names,
        crops_input="plain",
        calibration="platt",
        evaluation=EvaluationSettings(**TWO, leakage="baselines"),
    )
    taught = run_crops(settings)
    told, model = _told(out), load_model(out)
    forest = told["scorers"]["forest"]

    assert taught.judged.metric == primary
    assert taught.judged.is_higher_better == (head == "classes")
    assert forest["measures"]["accuracy"]["value"] == 1.0
    assert forest["measures"]["accuracy"]["low"] == 1.0
    assert np.diag(forest["confusion"]).tolist() == told["counts"] == [15, 15, 15]
    assert (model.spec.channels, model.spec.head["n"]) == (("red", "green", "blue"), 3)
    assert "network" not in told["leakage"]
    assert set(told["reliability"]) == {"before", "after"}


@pytest.mark.slow
def test_ages_are_learnt_as_numbers(nuclei: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    settings = _settings(
        nuclei,
        out,
        head="regression",
        crops_value="age",
        crops_group="species",
        evaluation=EvaluationSettings(scheme="leave_one_out", leakage="baselines"),
    )
    taught = run_crops(settings)
    told = _told(out)
    gap = told["gap"]

    assert set(told["scorers"]) == {"network", "forest", "ridge"}
    assert told["scorers"]["forest"]["measures"]["mae"]["value"] < 2
    assert (taught.judged.metric, taught.judged.is_higher_better) == ("mae", False)
    assert abs(gap["corrected_correlation_with_actual"]) < 0.2
    assert len(gap["points"]) == 96
    assert load_model(out).spec.calibration == {}


@pytest.mark.slow
def test_a_stopped_training_goes_on_with_what_is_finished(
    nuclei: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from screen import fitting

    class Stopped(Exception):
        pass

    def settings(out: str) -> TrainVerb:
        scheme = EvaluationSettings(**TWO, leakage="none")
        return _settings(nuclei, tmp_path / out, evaluation=scheme)

    def stop(done: int, value: float) -> None:
        raise Stopped

    fits: list[int] = []
    teach = fitting.fit

    def counted(*args: Any, **named: Any) -> Any:
        fits.append(1)
        return teach(*args, **named)

    monkeypatch.setattr(fitting, "fit", counted)
    run_crops(settings("whole"))
    with pytest.raises(Stopped):
        run_crops(settings("stopped"), stop)
    assert len(fits) == 3 + 1
    run_crops(settings("stopped"))

    assert len(fits) == 3 + 3  # the first fold is not taught again
    for name in ("evaluation.json", "all.safetensors", "model.json"):
        whole, stopped = (tmp_path / o / name for o in ("whole", "stopped"))
        assert whole.read_bytes() == stopped.read_bytes()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"crops_positive": "aged"}, "labels old, young; positive is 'aged'"),
        ({"crops_group": "image"}, "no column image"),
        ({"crops_filter": "species=rat"}, "choose one of: human, mouse"),
        ({"crops_filter": "source_image=image01"}, "CROPS_LABELS .*labels old"),
        ({"crops_classes": ["young", "odl"]}, "CROPS_LABELS .*'old', nearly 'odl'"),
        ({"crops_classes": ["young", "old", "oldest"]}, "no crop has 'oldest'"),
        ({"crops_group": "one"}, "TOO_FEW_GROUPS label 0: 1 groups"),
        ({"head": "regression", "crops_value": "state"}, "CROPS_VALUE_INVALID"),
        ({"fit": FitSettings(mil=200)}, "CFG_INVALID fit: a batch of 128 holds no two"),
        ({"fit": FitSettings(mil=8), "crops_group": "species"}, "group mouse holds several labels"),
    ],
    ids=["label", "group", "filter", "one label", "unknown class", "absent class",
         "one group", "no number", "bag size", "mixed bags"],
)  # fmt: skip
def test_crops_that_cannot_teach_are_refused_before_any_compute(
    nuclei: Path, tmp_path: Path, changes: dict[str, Any], found: str
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    table = (nuclei / "crops.csv").read_text().splitlines()
    rows = [f"{line},{'one' if i == 0 else 'a'}" for i, line in enumerate(table)]
    (folder / "crops.csv").write_text("\n".join(rows) + "\n")
    (folder / "crops.zip").symlink_to(nuclei / "crops.zip")
    changes = {"evaluation": EvaluationSettings(scheme="pairs")} | changes
    with pytest.raises(InputError, match=found):
        run_crops(_settings(folder, tmp_path / "model", **changes))
    assert not (tmp_path / "model").exists()


def test_coloured_crops_are_no_masked_cells(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"CROPS_PIXELS .*8-bit coloured"):
        run_crops(_settings(colours, tmp_path / "model", crops_positive="primary"))
