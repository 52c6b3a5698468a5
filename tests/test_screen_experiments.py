"""Experiments: each composes to the recipe it stands for, and runs in a short form."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kernels.networks import NETWORKS
from screen.compose import settings_of
from screen.errors import Refusal
from screen.keys import key_table, options_of
from screen.paths import conf_dir
from screen.settings import TrainVerb
from tests.catalogue import run_verb

SOURCE = {"deep_sesmo": "campaign=c"}  # the others learn from crops
EXPERIMENTS = ("als_ipsc", "deep_sesmo", "two_colour", "xray_age")
RECIPES: dict[str, dict[str, Any]] = {
    "deep_sesmo": {
        "network.name": "sesmo",
        "network.crop_px": 50,
        "optimizer.name": "sgd",
        "optimizer.learning_rate": 0.032,
        "optimizer.clip_norm": 1.0,
        "optimizer.momentum": 0.0,
        "batch": 128,
        "epochs": 100,
        "augment.rotate": 180.0,
        "augment.shift_px": 10,
        "augment.turn": True,
        "finder.polarity": "texture",
        "intensity.kinds": ["transmitted"],
    },
    "als_ipsc": {
        "network.name": "vgg16",
        "network.crop_px": 256,
        "network.new_dense": True,
        "optimizer.name": "sgd",
        "optimizer.momentum": 0.9,
        "batch": 32,
        "epochs": 64,
        "fit.frozen_epochs": 64,
        "evaluation.scheme": "leave_k_out",
        "evaluation.per_label": 2,
        "evaluation.n_sets": 55,
        "crops_group": "donor",
        "crops_positive": "patient",
        "crops_input": "plain",
    },
    "xray_age": {
        "head": "regression",
        "crops_value": "age",
        "crops_group": "person",
        "crops_input": "plain",
        "augment.turn": False,
    },
    "two_colour": {
        "head": "classes",
        "crops_classes": ["none", "primary", "secondary"],
        "crops_group": "sample",
        "crops_input": "plain",
    },
}


def _settings(name: str, *words: str, verb: str = "train") -> TrainVerb:
    source = SOURCE.get(name, "crops=c")
    chosen = settings_of(verb, [f"experiment={name}", source, *words])
    assert isinstance(chosen, TrainVerb)
    return chosen


def _at(settings: Any, name: str) -> Any:
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


@pytest.mark.parametrize("verb", ["train", "tune"])
def test_train_and_tune_know_every_experiment(verb: str) -> None:
    options = key_table(verb).groups["experiment"].options

    assert set(EXPERIMENTS) <= set(options)
    assert options == options_of("experiment")
    assert "experiment" not in key_table("score").groups


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("verb", ["train", "tune"])
def test_an_experiment_composes_to_its_recipe(name: str, verb: str) -> None:
    settings = _settings(name, verb=verb)

    assert {key: _at(settings, key) for key in RECIPES[name]} == RECIPES[name]
    assert settings.network.name in NETWORKS


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_is_typed_outweighs_the_experiment(name: str) -> None:
    settings = _settings(name, "network=compact", "epochs=3", "optimizer=adamw")

    assert settings.epochs == 3
    assert settings.batch == RECIPES[name].get("batch", settings.batch)


def test_a_group_that_is_typed_outweighs_the_one_of_the_experiment() -> None:
    settings = _settings("deep_sesmo", "network=compact", "optimizer=adamw")

    assert settings.network.name == "compact"
    assert settings.optimizer.name == "adamw"
    assert settings.augment.rotate == 180.0


def test_without_an_experiment_nothing_is_changed() -> None:
    assert settings_of("train", ["campaign=c"]) == TrainVerb(campaign="c")


def test_an_unknown_experiment_is_refused_with_the_nearest() -> None:
    with pytest.raises(Refusal, match="did you mean als_ipsc") as caught:
        settings_of("train", ["experiment=als_ips", "crops=c"])

    assert caught.value.problems[0].code == "CFG_OPTION_UNKNOWN"


def test_a_sweep_goes_through_experiments_and_their_keys() -> None:
    ended = run_verb(
        "train", "-m", "--cfg", "job", "experiment=als_ipsc", "crops=c",
        "optimizer.momentum=0.7,0.9",
    )  # fmt: skip

    assert ended.code == 0, ended.text
    assert ended.out.count("name: vgg16") == 2
    assert "momentum: 0.7" in ended.out


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_header_says_command_time_and_what_to_expect(name: str) -> None:
    text = (conf_dir() / "experiment" / f"{name}.yaml").read_text(encoding="utf-8")
    header = text.partition("defaults:")[0]
    source = SOURCE.get(name, "crops=").partition("=")[0]

    assert f"# senoscreen train experiment={name} {source}=" in header
    assert "virtual" in header
    for word in ("Time:", "Shorter:", "Expected:"):
        assert re.search(rf"^# {word} \S", header, re.MULTILINE)


SHORT = {
    "als_ipsc": (
        ["kind=donors", "virtual.donors.n_donors=6", "virtual.donors.n_cells=5"],
        ["network=compact", "fit.frozen_epochs=0", "evaluation.n_sets=2"],
    ),
    "xray_age": (
        ["kind=ages", "virtual.ages.n_people=30", "virtual.ages.n_accelerated=5",
         "virtual.ages.picture_px=32"],
        ["network.crop_px=32", "evaluation.scheme=folds", "evaluation.n_folds=2"],
    ),
    "two_colour": (
        ["kind=colours", "virtual.colours.n_samples=4", "virtual.colours.n_cells=6"],
        ["evaluation.n_folds=2"],
    ),
}  # fmt: skip


def test_a_group_typed_beside_an_experiment_outweighs_it() -> None:
    """Else network=compact would still be a VGG-16 of 256 pixels."""
    words = ["experiment=als_ipsc", "crops=c"]
    usual = settings_of("train", words).network
    assert (usual.name, usual.crop_px) == ("vgg16", 256)
    typed = settings_of("train", [*words, "network=compact", "network.bin=2"])
    assert (typed.network.name, typed.network.crop_px) == ("compact", 32)
    assert typed.network.bin == 2
    assert typed.optimizer.name == "sgd"


LONG = sorted(SHORT.keys() - {"two_colour"})


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["two_colour", *(pytest.param(n, marks=pytest.mark.long) for n in LONG)],
)
def test_an_experiment_on_crops_runs_in_its_short_form(
    name: str, tmp_path: Path
) -> None:
    simulated, shortened = SHORT[name]
    crops, out = tmp_path / "crops", tmp_path / "model"
    made = run_verb("simulate", f"out={crops}", *simulated)
    ended = run_verb(
        "train", f"experiment={name}", f"crops={crops}", f"out={out}", "epochs=1",
        "batch=16", "evaluation.resamples=100", "evaluation.leakage=none", *shortened,
    )  # fmt: skip
    told = json.loads((out / "evaluation.json").read_text())

    assert made.code == 0, made.text
    assert ended.code == 0, ended.text
    assert told["head"]["kind"] == ("regression" if name == "xray_age" else "classes")
    assert {"network", "forest"} <= set(told["scorers"])
    assert set(told["data"]["groups"]) == set(
        pl.read_csv(crops / "crops.csv")[RECIPES[name]["crops_group"]]
    )
