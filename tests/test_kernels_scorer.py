"""The scorer of a model that is large, wide, of many classes, or pretrained elsewhere."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import kernels.scorer
from kernels.centres import FinderSpec, make_finder
from kernels.intensity import IntensitySpec
from kernels.networks import NETWORKS, build
from kernels.networks.folding import fold
from kernels.networks.resnet import BasicBlock, Bottleneck
from kernels.preprocessing import TORCH, prepared
from kernels.scorer import PRODUCTS, make_scorer, score_crops

IMAGE = jax.random.uniform(jax.random.key(5), (64, 64, 3), jnp.float32)
CENTRES = jnp.asarray(
    [[20.0, 20.0], [40.0, 33.0], [8.0, 50.0], [0.0, 0.0]], jnp.float32
)
VALID = jnp.asarray([True, True, True, False])


def network(seed: int, **choices: Any) -> Any:
    """A compact network with random weights, split."""
    module = build("compact", 3, 16, key=jax.random.key(seed), **choices)
    module.eval()
    return nnx.split(module)


def test_weights_as_arguments_score_as_weights_as_constants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    networks = [network(1), network(2)]
    inside = make_scorer(networks, crop_px=16, bin=1, minibatch=4)
    monkeypatch.setattr(kernels.scorer, "MOST_CONSTANTS", 0)
    outside = make_scorer(networks, crop_px=16, bin=1, minibatch=4)
    for a, b in zip(
        inside(IMAGE, CENTRES, VALID), outside(IMAGE, CENTRES, VALID), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_weights_from_elsewhere_see_prepared_crops() -> None:
    pair = network(1)
    score = make_scorer([pair], crop_px=16, bin=1, minibatch=4, preprocessing=TORCH)
    plain = make_scorer([pair], crop_px=16, bin=1, minibatch=4)
    told, untold = score(IMAGE, CENTRES, VALID), plain(IMAGE, CENTRES, VALID)
    assert float(jnp.abs(told.probability - untold.probability).max()) > 1e-4
    np.testing.assert_array_equal(told.profile, untold.profile)
    crops = jax.random.uniform(jax.random.key(2), (2, 16, 16, 3), jnp.float32)
    expected = score_crops([pair], prepared(crops, TORCH))[0]
    by_hand = (np.asarray(crops) - np.asarray(TORCH.mean)) / np.asarray(TORCH.sd)
    found = score_crops([pair], jnp.asarray(by_hand, jnp.float32))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("n_out", [2, 3, 4])
def test_of_many_classes_the_second_is_scored(n_out: int) -> None:
    graphdef, params = network(3, n_out=n_out, width=0.5)
    crops = jax.random.uniform(jax.random.key(2), (5, 16, 16, 3), jnp.float32)
    (probability,), (embedding,) = score_crops([(graphdef, params)], crops)
    logits = np.asarray(nnx.merge(graphdef, params)(crops), np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(probability, shares[:, 1], rtol=1e-5)
    assert embedding.shape == (5, 64)


EVERYWHERE = ("cpu", "cuda", "tpu")


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_scorer_of_every_network_lowers_for_every_platform(name: str) -> None:
    def blank() -> Any:
        return build(name, 3, 32, key=jax.random.key(0), width=0.125)

    module = nnx.eval_shape(blank)
    module.eval()
    graphdef, shapes = nnx.split(module)
    state = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    score: Any = make_scorer([(graphdef, state)], crop_px=32, bin=1, minibatch=4)
    exported = jax.export.export(score, platforms=EVERYWHERE)(IMAGE, CENTRES, VALID)
    assert exported.platforms == EVERYWHERE
    assert "callback" not in exported.mlir_module()
    assert exported.out_avals[0].shape == (1, 4)


@pytest.mark.parametrize(
    ("kind", "polarity", "is_lit_evenly"),
    [
        ("centres", "bright", False),
        ("centres", "texture", True),
        ("tiles", "bright", True),
        ("given", "bright", True),
    ],
)
def test_every_finder_lowers_for_every_platform(
    kind: Any, polarity: Any, is_lit_evenly: bool
) -> None:
    spec = FinderSpec(kind, 0, 6.0, 3.0, 16, 32, polarity)
    light = IntensitySpec(("fluorescence", "transmitted"), (100.0, 100.0))
    find: Any = make_finder(spec, light, (2, 128, 128), "uint16")
    gain = None if is_lit_evenly else jnp.ones((2, 4, 4), jnp.float32)
    given = (jnp.zeros((16, 2)), jnp.ones(16, bool)) if kind == "given" else None
    fields = jnp.zeros((2, 128, 128), jnp.uint16)
    exported = jax.export.export(jax.jit(find), platforms=EVERYWHERE)(
        fields, gain, given
    )
    assert exported.platforms == EVERYWHERE
    assert "callback" not in exported.mlir_module()


def with_statistics(module: Any, seed: int) -> Any:
    """The network with running means and variances as a teaching would leave them."""
    state = nnx.state(module, nnx.BatchStat)
    leaves, tree = jax.tree.flatten(state)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    drawn = [
        jax.random.uniform(k, leaf.shape, leaf.dtype, 0.5, 1.5)
        for k, leaf in zip(keys, leaves, strict=True)
    ]
    nnx.update(module, jax.tree.unflatten(tree, drawn))
    module.eval()
    return module


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_folded_norms_leave_the_numbers_as_they_are(block: Any) -> None:
    module = with_statistics(block(4, 4, stride=2, rngs=nnx.Rngs(3)), 4)
    x = jax.random.normal(jax.random.key(6), (3, 12, 12, 4), jnp.float32)

    @partial(jax.jit, static_argnums=0)
    def run(graphdef: Any, state: Any) -> jax.Array:
        made: jax.Array = nnx.merge(graphdef, state)(x, jax.nn.relu)
        return made

    before = run(*nnx.split(module))
    fold(module)
    fold(module)  # once folded, a second time changes nothing
    assert not jax.tree.leaves(nnx.state(module, nnx.BatchStat))
    after = run(*nnx.split(module))
    assert float(jnp.abs(before).max()) > 0.1
    np.testing.assert_allclose(after, before, rtol=2e-4, atol=2e-5)


def test_a_network_may_compute_in_fewer_digits() -> None:
    """A CPU multiplies whole, whatever matrix units would do; bfloat16 keeps 8 bits."""
    found = {
        name: make_scorer(
            [network(1)],
            crop_px=16,
            bin=1,
            minibatch=4,
            precision=name,  # type: ignore[arg-type]
        )(IMAGE, CENTRES, VALID)
        for name in PRODUCTS
    }
    whole = found["float32"]
    np.testing.assert_array_equal(found["tf32"].probability, whole.probability)
    far = np.abs(found["bfloat16"].probability - whole.probability).max()
    assert 1e-6 < far < 0.03
    for one in found.values():
        np.testing.assert_array_equal(one.profile, whole.profile)
        assert one.probability.dtype == one.embedding.dtype == jnp.float32
