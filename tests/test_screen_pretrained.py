"""From a weight file and settings to the state that a fit begins from."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import save

from kernels.networks import build
from kernels.preprocessing import KERAS, TORCH
from kernels.pretrained import flat_variables
from plates.problems import InputError
from screen.groups import NetworkSettings
from screen.models import network_weights
from screen.pretrained import Pretrained, start_of
from tests.weight_file_makers import zip_of

RNG = np.random.default_rng(4)


def sesmo_arrays() -> dict[str, np.ndarray]:
    """Weights f32 of a narrow sesmo for 3 channels and 20 px, as torch names them."""
    shapes = {
        "conv1": (1, 3, 3, 3),
        "conv2": (1, 1, 3, 3),
        "conv3": (2, 1, 3, 3),
        "conv4": (4, 2, 3, 3),
        "dense": (8, 16),
        "head": (2, 8),
    }
    arrays = {}
    for name, shape in shapes.items():
        arrays[f"{name}.weight"] = RNG.standard_normal(shape, np.float32)
        arrays[f"{name}.bias"] = RNG.standard_normal(shape[0], np.float32)
    return arrays


def settings(path: Path | str, **keys: Any) -> NetworkSettings:
    sizes: dict[str, Any] = {"name": "sesmo", "crop_px": 20, "width": 1 / 32}
    return NetworkSettings(**{**sizes, "weights": str(path), **keys})


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "w.pth"
    path.write_bytes(zip_of(sesmo_arrays()))
    return path


def started(*arguments: Any) -> Pretrained:
    found = start_of(*arguments)
    assert found is not None
    return found


def test_without_a_file_there_is_nothing_to_begin_from() -> None:
    assert start_of(settings(""), 3, 2, 0) is None


def test_the_state_fits_the_network_it_is_for(weights: Path) -> None:
    found = started(settings(weights), 3, 2, 0)
    network = nnx.eval_shape(
        lambda: build("sesmo", 3, 20, key=jax.random.key(9), width=1 / 32)
    )
    nnx.update(network, found.state)
    flat = {".".join(map(str, p)): v for p, v in nnx.to_flat_state(found.state)}
    assert set(flat) == set(flat_variables(network))
    for name, variable in flat_variables(network).items():
        np.testing.assert_array_equal(variable[...], flat[name][...])
    assert found.preprocessing == TORCH
    assert found.told[0].startswith("w.pth (sha256 ")
    assert len(found.told) == 1


def test_channels_head_and_preprocessing_follow_the_settings(weights: Path) -> None:
    found = started(settings(weights, first_conv="mean"), 5, 4, 0)
    flat = {".".join(map(str, p)): v for p, v in nnx.to_flat_state(found.state)}
    assert flat["conv1.kernel"].shape == (3, 3, 5, 1)
    assert flat["head.kernel"].shape == (8, 4)
    assert found.preprocessing == TORCH.for_channels(5, "mean")
    assert found.told[1:] == (
        "head starts at random: that of the file is not used",
        "conv1.weight: 3 channels made 5 (mean)",
    )


def test_what_is_drawn_follows_the_seed(weights: Path) -> None:
    def head(seed: int) -> np.ndarray:
        state: Any = started(settings(weights, new_dense=True), 3, 2, seed).state
        return np.asarray(state["head"]["kernel"][...])

    np.testing.assert_array_equal(head(1), head(1))
    assert (head(1) != head(2)).any()


@pytest.mark.parametrize(
    ("keys", "n_channels", "message"),
    [
        ({}, 2, r"WEIGHTS_MISMATCH .*w\.pth: weights for 3 channels.*first_conv=mean"),
        ({"width": 1 / 16}, 3, r"WEIGHTS_MISMATCH .*conv1\.weight \[3, 3, 3, 1\]"),
        ({"crop_px": 28}, 3, r"WEIGHTS_MISMATCH .*dense\.weight \[16, 8\] instead"),
        ({"name": "resnet18", "crop_px": 32}, 3, "WEIGHTS_MISMATCH .*the file lacks"),
        ({"name": "compact", "crop_px": 32}, 3, "knows no network compact"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    weights: Path, keys: dict[str, Any], n_channels: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        start_of(settings(weights, **keys), n_channels, 2, 0)


def test_a_file_beside_the_weights_says_what_they_expect(weights: Path) -> None:
    beside = weights.with_suffix(".preprocessing.json")
    beside.write_text(json.dumps(KERAS.as_dict()))
    assert started(settings(weights), 3, 2, 0).preprocessing == KERAS


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "x"}', "[" * 100_000])
def test_a_spoiled_file_beside_the_weights_is_refused(weights: Path, text: str) -> None:
    weights.with_suffix(".preprocessing.json").write_text(text)
    with pytest.raises(InputError, match=r"WEIGHTS_INVALID .*preprocessing"):
        start_of(settings(weights), 3, 2, 0)


@pytest.mark.parametrize("stored", [{}, TORCH.as_dict()])
def test_weights_of_ours_keep_their_models_preprocessing(
    tmp_path: Path, stored: dict[str, Any]
) -> None:
    network = build("sesmo", 3, 20, key=jax.random.key(2), width=1 / 32)
    arrays = network_weights(network)
    path = tmp_path / "fold0.safetensors"
    path.write_bytes(save(arrays))
    (tmp_path / "model.json").write_text(json.dumps({"preprocessing": stored}))
    found = started(settings(path), 3, 2, 0)
    flat = {".".join(map(str, p)): v[...] for p, v in nnx.to_flat_state(found.state)}
    np.testing.assert_equal(flat, arrays)
    assert found.preprocessing == (TORCH if stored else None)
