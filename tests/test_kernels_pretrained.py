"""Weights of other programs in our networks: turned, adapted, replaced or refused."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from kernels.networks import build
from kernels.preprocessing import KERAS, TORCH, Preprocessing, own, prepared
from kernels.pretrained import (
    adapted_filters,
    backbone_names,
    drawn_where_missing,
    flat_variables,
    loaded,
)
from kernels.weight_names import Layout, WeightsMismatch, foreign_names

pytestmark = pytest.mark.usefixtures("strict_arrays")
TORCH_AXES = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
CROP_PX = {"sesmo": 20, "compact": 16}


def abstract(name: str, n_channels: int = 3, n_out: int = 2) -> Any:
    """The network's shapes at a thirty-second of its width."""

    def new() -> nnx.Module:
        return build(
            name,
            n_channels,
            CROP_PX.get(name, 32),
            key=jax.random.key(0),
            n_out=n_out,
            width=1 / 32,
        )

    return nnx.eval_shape(new)


@cache
def shapes_of(name: str, **sizes: int) -> dict[str, tuple[int, ...]]:
    return {n: v.shape for n, v in flat_variables(abstract(name, **sizes)).items()}


def file_of(name: str, layout: Layout = "torch", **sizes: int) -> dict[str, np.ndarray]:
    """Arrays as a file of this layout would hold them, different in every number."""
    shapes = shapes_of(name, **sizes)
    names = foreign_names(name, list(shapes), layout)
    arrays = {}
    for i, (ours, shape) in enumerate(shapes.items()):
        if layout == "torch":
            shape = tuple(shape[axis] for axis in TORCH_AXES[len(shape)])
        n = int(np.prod(shape))
        arrays[names[ours]] = (i + np.arange(n, dtype=np.float32) / n).reshape(shape)
    return arrays


def numbers(found: Any) -> dict[str, np.ndarray]:
    flat = nnx.to_flat_state(found.state)
    return {".".join(map(str, p)): np.asarray(v[...]) for p, v in flat}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("vgg16", {"features.0.weight", "features.28.bias", "classifier.6.weight"}),
        (
            "resnet18",
            {
                "conv1.weight",
                "bn1.running_var",
                "layer1.1.conv2.weight",
                "layer2.0.downsample.0.weight",
                "layer2.0.downsample.1.running_mean",
                "layer4.1.bn2.bias",
                "fc.weight",
            },
        ),
        ("resnet50", {"layer1.0.downsample.1.weight", "layer3.5.bn3.weight"}),
    ],
)
def test_names_are_those_of_torchvision(name: str, known: set[str]) -> None:
    n_arrays = {"vgg16": 32, "resnet18": 102, "resnet50": 267}
    assert known <= set(file_of(name))
    assert len(file_of(name)) == n_arrays[name]


def test_torch_kernels_are_turned() -> None:
    arrays = file_of("resnet18")
    found = numbers(loaded(abstract("resnet18"), "resnet18", arrays, "torch"))
    kernel = arrays["conv1.weight"]
    assert found["conv1.kernel"][2, 5, 1, 0] == kernel[0, 1, 2, 5]
    assert found["head.kernel"][3, 1] == arrays["fc.weight"][1, 3]
    np.testing.assert_array_equal(found["conv1.norm.var"], arrays["bn1.running_var"])


def test_counts_of_minibatches_are_no_weights() -> None:
    arrays = file_of("resnet18") | {"bn1.num_batches_tracked": np.array(5)}
    assert not loaded(abstract("resnet18"), "resnet18", arrays, "torch").told


@pytest.mark.parametrize(("name", "first"), [("vgg16", "fc1"), ("sesmo", "dense")])
def test_the_first_dense_layer_reads_channels_last(name: str, first: str) -> None:
    network = abstract(name)
    arrays = file_of(name)
    found = numbers(loaded(network, name, arrays, "torch"))[f"{first}.kernel"]
    theirs = {"fc1": "classifier.0.weight", "dense": "dense.weight"}[first]
    flat = arrays[theirs]
    n_channels = {"vgg16": 16, "sesmo": 4}[name]
    side = round((flat.shape[1] / n_channels) ** 0.5)
    picture = np.random.default_rng(0).random((side, side, n_channels), np.float32)
    by_torch = flat @ picture.transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(picture.ravel() @ found, by_torch, rtol=1e-5)


def test_keras_arrays_stay_as_they_are() -> None:
    arrays = file_of("vgg16", "keras")
    assert {"block1_conv1.kernel", "fc2.bias", "predictions.kernel"} <= set(arrays)
    found = numbers(loaded(abstract("vgg16"), "vgg16", arrays, "keras"))
    renamed = {n.replace("head", "predictions"): a for n, a in found.items()}
    np.testing.assert_equal(renamed, arrays)


def test_our_own_arrays_come_back() -> None:
    arrays = file_of("compact", "own")
    found = numbers(loaded(abstract("compact"), "compact", arrays, "own"))
    np.testing.assert_equal(found, arrays)


def without(arrays: dict[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    return {n: a for n, a in arrays.items() if part not in n}


@pytest.mark.parametrize(
    ("name", "arrays", "layout", "found"),
    [
        ("resnet18", file_of("resnet50"), "torch", "the network has no .*bn3"),
        ("resnet50", file_of("resnet18"), "torch", "the file lacks .*bn3"),
        ("vgg16", file_of("resnet18"), "torch", "lacks features.* and 23 more"),
        ("compact", file_of("resnet18"), "torch", "torch, which knows no network comp"),
        ("resnet18", file_of("vgg16", "keras"), "keras", "keras, which knows no netw"),
        (
            "resnet18",
            without(file_of("resnet18"), "layer3.1.bn1.running_mean"),
            "torch",
            r"the file lacks layer3\.1\.bn1\.running_mean -",
        ),
        (
            "resnet18",
            file_of("resnet18") | {"conv1.weight": np.zeros((2, 3, 5, 5))},
            "torch",
            r"conv1\.weight \[5, 5, 3, 2\] instead of \[7, 7, 3, 2\]",
        ),
        (
            "sesmo",
            file_of("sesmo") | {"dense.weight": np.zeros((8, 9))},
            "torch",
            r"dense\.weight \[9, 8\] instead of \[16, 8\]",
        ),
    ],
)
def test_weights_of_another_network_are_refused(
    name: str, arrays: dict[str, np.ndarray], layout: Layout, found: str
) -> None:
    with pytest.raises(WeightsMismatch, match=found):
        loaded(abstract(name), name, arrays, layout)


def test_a_head_of_another_size_is_replaced_and_said_so() -> None:
    found = loaded(
        abstract("resnet18", n_out=5), "resnet18", file_of("resnet18"), "torch"
    )
    assert found.told == ("head starts at random: that of the file is not used",)


def test_files_without_dense_layers_leave_them_random() -> None:
    arrays = without(file_of("vgg16"), "classifier")
    network = abstract("vgg16")
    found = loaded(network, "vgg16", arrays, "torch")
    assert [line.split(" ")[0] for line in found.told] == ["fc1", "fc2", "head"]
    assert all("the file has none" in line for line in found.told)


def test_what_is_left_out_is_drawn() -> None:
    def new() -> nnx.Module:
        return build("resnet18", 3, 32, key=jax.random.key(4), width=1 / 32)

    found = loaded(
        nnx.eval_shape(new), "resnet18", file_of("resnet18"), "torch", new_dense=True
    )
    whole = numbers(drawn_where_missing(found, new))
    assert whole["head.kernel"].std() > 0
    np.testing.assert_array_equal(whole["head.bias"], [0.0, 0.0])
    assert found.told == ("head starts at random: that of the file is not used",)


@pytest.mark.parametrize("first_conv", ["mean", "repeat"])
@pytest.mark.parametrize("n_channels", [1, 2, 4, 6])
def test_grey_pictures_give_the_sums_they_gave(
    first_conv: Any, n_channels: int
) -> None:
    kernel = np.random.default_rng(2).random((3, 3, 3, 5), np.float32)
    if first_conv == "repeat" and n_channels % 3:
        kernel = np.repeat(
            kernel[:, :, :1], 3, axis=2
        )  # uneven turns need even filters
    found = adapted_filters(kernel, n_channels, first_conv)
    assert found.shape == (3, 3, n_channels, 5)
    np.testing.assert_allclose(found.sum(2), kernel.sum(2), rtol=1e-5)


def test_filters_in_turn_keep_their_places() -> None:
    kernel = np.arange(3, dtype=np.float32).reshape(1, 1, 3, 1)
    found = adapted_filters(kernel, 5, "repeat").ravel()
    np.testing.assert_allclose(found, np.array([0, 1, 2, 0, 1]) * 0.6, rtol=1e-6)
    mean = adapted_filters(kernel, 2, "mean").ravel()
    np.testing.assert_allclose(mean, [1.5, 1.5], rtol=1e-6)


def test_other_channels_are_refused_unless_asked_for() -> None:
    arrays = file_of("resnet18")
    network = abstract("resnet18", n_channels=2)
    with pytest.raises(
        WeightsMismatch, match=r"3 channels.*have 2 - .*first_conv=mean"
    ):
        loaded(network, "resnet18", arrays, "torch")
    found = loaded(network, "resnet18", arrays, "torch", first_conv="mean")
    assert found.told == ("conv1.weight: 3 channels made 2 (mean)",)
    assert numbers(found)["conv1.kernel"].shape == (7, 7, 2, 2)


@pytest.mark.parametrize(
    ("name", "dense"),
    [
        ("compact", {"dense", "head"}),
        ("sesmo", {"dense", "head"}),
        ("vgg16", {"fc1", "fc2", "head"}),
        ("resnet18", {"head"}),
    ],
)
def test_all_but_dense_layers_is_backbone(name: str, dense: set[str]) -> None:
    network = abstract(name)
    rest = set(flat_variables(network)) - backbone_names(network)
    assert {n.split(".")[0] for n in rest} == dense
    assert {n.split(".")[1] for n in rest} == {"kernel", "bias"}


def test_preprocessing_of_torch_and_keras() -> None:
    crop = jnp.asarray([[[[0.5, 0.25, 1.0]]]])
    by_torch = prepared(crop, TORCH)[0, 0, 0]
    expected = [(0.5 - 0.485) / 0.229, (0.25 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(by_torch, expected, rtol=1e-4)
    by_keras = prepared(crop, KERAS)[0, 0, 0]
    expected = [255 - 103.939, 63.75 - 116.779, 127.5 - 123.68]
    np.testing.assert_allclose(by_keras, expected, rtol=1e-4)


def test_own_preprocessing_changes_nothing() -> None:
    crops = jax.random.normal(jax.random.key(0), (2, 4, 4, 5))
    np.testing.assert_array_equal(prepared(crops, own(5)), crops)


def test_low_and_high_become_the_ends() -> None:
    spec = Preprocessing("given", (0,), (0.0,), (1.0,), top=255.0, low=-1.0, high=3.0)
    crops = jnp.asarray([-1.0, 3.0]).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(prepared(crops, spec).ravel(), [0.0, 255.0], atol=1e-3)


def test_preprocessing_for_other_channels() -> None:
    mean = TORCH.for_channels(2, "mean")
    assert mean.order == (0, 1)
    np.testing.assert_allclose(mean.mean, [(0.485 + 0.456 + 0.406) / 3] * 2)
    turn = KERAS.for_channels(4, "repeat")
    assert turn.mean == (103.939, 116.779, 123.68, 103.939)
    assert TORCH.for_channels(3, "refuse") == TORCH
    with pytest.raises(ValueError, match="for 3 channels, not 2"):
        TORCH.for_channels(2, "refuse")
    with pytest.raises(ValueError, match="for 3 channels, not 2"):
        prepared(jnp.zeros((1, 2, 2, 2)), TORCH)


@pytest.mark.parametrize("spec", [TORCH, KERAS, own(4)])
def test_preprocessing_survives_its_file(spec: Preprocessing) -> None:
    assert Preprocessing.from_dict(spec.as_dict()) == spec


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sd": [0.0, 1.0, 1.0]}, "sd and top above 0"),
        ({"mean": [float("nan")] * 3}, "must be finite"),
        ({"mean": [0.0]}, "one entry for each channel"),
        ({"order": [0, 1, 3]}, "order names channels 0 to 2"),
        ({"low": 1.0}, "low must be below high"),
        ({"sd": 3}, "lacks or misnames"),
        ({"colour": "rgb"}, "preprocessing has no colour"),
    ],
)
def test_impossible_preprocessing_is_refused(
    change: dict[str, object], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        Preprocessing.from_dict(TORCH.as_dict() | change)
