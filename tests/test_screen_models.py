"""A model on disk is whole, or refused by name before anything of it is used."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from kernels.networks import build
from plates.problems import InputError
from screen.models import (
    ModelSpec,
    NetworkSpec,
    load_model,
    network_weights,
    restore_network,
    save_model,
)

SPEC = ModelSpec(
    architecture="compact",
    crop_px=16,
    window=True,
    channels=("nucleus",),
    pixel_size_um=1.3,
    finder={},
    intensity={},
    anchors={},
    threshold=0.5,
    split="halves",
    networks=(NetworkSpec("half0", "half0.safetensors", "", (("P1", "A01"),), "well"),),
    summary={},
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A saved model with random weights."""
    network = build("compact", 1, 16, key=jax.random.key(1))
    save_model(tmp_path / "m", SPEC, {"half0": network_weights(network)})
    return tmp_path / "m"


def test_a_model_comes_back_as_it_was(model: Path) -> None:
    loaded = load_model(model)
    assert replace(loaded.spec, networks=()) == replace(SPEC, networks=())
    network = build("compact", 1, 16, key=jax.random.key(1))
    for name, weights in network_weights(network).items():
        np.testing.assert_array_equal(loaded.weights["half0"][name], weights)


def test_saving_twice_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    network = build("compact", 1, 16, key=jax.random.key(1))
    save_model(tmp_path / "n", SPEC, {"half0": network_weights(network)})
    for name in ("model.json", "half0.safetensors"):
        assert (model / name).read_bytes() == (tmp_path / "n" / name).read_bytes()


def test_a_network_scores_no_well_it_learnt_from() -> None:
    by_well = SPEC.networks[0]
    assert not by_well.may_score("P1", "A01")
    assert by_well.may_score("P1", "A02")
    by_plate = replace(by_well, unit="plate")
    assert not by_plate.may_score("P1", "A02")
    assert by_plate.may_score("P2", "A01")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"schema": 9}, "schema 9, this version reads 1 and 2"),
        ({"_target_": "os.system"}, "keys missing or unknown: _target_"),
        ({"networks": 3}, "does not read as a model spec"),
    ],
)
def test_a_changed_spec_is_refused(
    model: Path, change: dict[str, object], match: str
) -> None:
    text = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(text | change))
    with pytest.raises(InputError, match=match):
        load_model(model)


def test_changed_weights_are_refused(model: Path) -> None:
    path = model / "half0.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"sha256 \w+… instead of \w+…"):
        load_model(model)


def test_a_missing_model_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"MODEL_INVALID.*train a model, or name"):
        load_model(tmp_path)


def test_weights_of_another_shape_are_refused(model: Path) -> None:
    other = build("compact", 2, 16, key=jax.random.key(1))
    with pytest.raises(InputError, match="weights do not fit the architecture"):
        restore_network(other, load_model(model).weights["half0"])


def test_a_model_of_schema_1_still_reads() -> None:
    """A golden folder, written by the version that knew two classes only."""
    loaded = load_model(Path(__file__).parent / "golden" / "model_schema_1")
    spec = loaded.spec
    assert (spec.architecture, spec.crop_px, spec.window) == ("compact", 16, True)
    assert (spec.width, spec.head, spec.calibration, spec.preprocessing) == (
        1.0,
        {"kind": "classes", "n": 2},
        {},
        {},
    )
    assert spec.classes == ("healthy", "senescent")
    assert spec.networks[0].learnt == (("P1", "A01"), ("P1", "B02"))
    np.testing.assert_array_equal(loaded.weights["half0"]["head.bias"], [0, 1])
