"""Laws of training and scoring: planted signals are learnt, neighbours and padding do not matter."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]
import pytest
from flax import nnx

from kernels.augment import AugmentSpec, augment, turned
from kernels.crops import gather_crops, make_gatherer
from kernels.features import feature_names, profile
from kernels.networks import NETWORKS, GraphDef, Params, build, n_parameters
from kernels.networks.sesmo import Sesmo
from kernels.objective import cross_entropy
from kernels.scorer import make_scorer
from kernels.step import (
    TrainState,
    adamw_cosine,
    make_predict,
    make_train_step,
    sgd_clipped,
    start_training,
)

pytestmark = pytest.mark.usefixtures("strict_arrays")
SMALL = {"compact": 16, "sesmo": 20}


def small(name: str, seed: int = 0) -> tuple[GraphDef, Params]:
    network = build(name, 2, SMALL[name], key=jax.random.key(seed))
    return nnx.split(network)


def planted(n: int, seed: int, side: int = 16) -> tuple[jax.Array, jax.Array]:
    """Discs of two sizes in noise: the label is the size."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    at = np.arange(side) - side / 2 + 0.5
    radius = np.hypot(at[:, None], at[None, :])
    discs = radius[None] < np.where(labels, 5.0, 3.5)[:, None, None]
    crops = discs[..., None] + rng.normal(0.0, 0.3, (n, side, side, 2))
    return jnp.asarray(crops, jnp.float32), jnp.asarray(labels, jnp.int32)


def test_sesmo_has_the_published_number_of_parameters() -> None:
    network = build("sesmo", 3, 50, key=jax.random.key(0))
    assert n_parameters(network) == 2_757_474


def test_sesmo_layers_have_the_published_shapes() -> None:
    shapes = {
        ".".join(map(str, path[:-1])): leaf.shape
        for path, leaf in nnx.to_flat_state(
            nnx.state(build("sesmo", 3, 50, key=jax.random.key(0)), nnx.Param)
        )
        if path[-1] == "kernel"
    }
    assert shapes == {
        "conv1": (3, 3, 3, 32),
        "conv2": (3, 3, 32, 32),
        "conv3": (3, 3, 32, 64),
        "conv4": (3, 3, 64, 128),
        "dense": (10368, 256),
        "head": (256, 2),
    }


@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_network_gives_two_logits_and_its_embedding(name: str) -> None:
    network: Any = build(name, 2, SMALL[name], key=jax.random.key(1))
    crops = jnp.zeros((3, SMALL[name], SMALL[name], 2))
    assert network(crops).shape == (3, 2)
    assert network.embed(crops).shape == (3, NETWORKS[name].n_embedding)


@pytest.mark.parametrize(
    ("name", "crop_px", "message"),
    [
        ("resnet", 32, "no network 'resnet'; known: compact, compact_large"),
        ("compact", 30, "crops of 16, 24, 32"),
        ("sesmo", 14, "at least 16 pixels, not 14"),
    ],
)
def test_unknown_networks_and_crops_are_refused(
    name: str, crop_px: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(name, 2, crop_px, key=jax.random.key(0))


def test_dropout_needs_a_key_and_follows_it() -> None:
    network: Any = build("sesmo", 2, 20, key=jax.random.key(1))
    crops = jnp.ones((2, 20, 20, 2))
    assert bool((network(crops) == network(crops)).all())
    one, same, other = (network(crops, jax.random.key(seed)) for seed in (1, 1, 2))
    assert bool((one == same).all())
    assert bool((one != other).any())


@pytest.mark.parametrize(
    ("name", "optimiser"),
    [
        ("compact", adamw_cosine(5e-3, n_steps=40)),
        ("sesmo", sgd_clipped(0.032, momentum=0.9)),
    ],
    ids=["compact-adamw", "sesmo-sgd"],
)
def test_training_learns_a_planted_size(
    name: str, optimiser: optax.GradientTransformation
) -> None:
    graphdef, params = small(name)
    crops, labels = planted(64, 1, SMALL[name])
    step = make_train_step(graphdef, optimiser, AugmentSpec(shift_px=1))

    def body(state: TrainState, i: int) -> TrainState:
        return step(state, jax.random.key(i), crops, labels, jnp.ones(64))[0]

    state = start_training(params, optimiser)
    for i in range(40):
        state = body(state, i)
    fresh, truth = planted(64, 2, SMALL[name])
    called = make_predict(graphdef)(state.params, fresh) > 0.5
    assert float((called == (truth == 1)).mean()) > 0.85


def test_padded_rows_change_nothing() -> None:
    graphdef, params = small("compact")
    optimiser = adamw_cosine(5e-3, n_steps=10)
    step = make_train_step(graphdef, optimiser, None)
    crops, labels = planted(8, 3)
    weights = jnp.where(jnp.arange(8) < 5, 1.0, 0.0)
    wild = crops.at[5:].set(1e3)

    def after(rows: jax.Array) -> tuple[Params, jax.Array]:
        copy = jax.tree.map(jnp.copy, params)
        state = start_training(copy, optimiser)
        state, _ = step(state, jax.random.key(0), rows, labels, weights)
        state, loss = step(state, jax.random.key(0), rows, labels, weights)
        return state.params, loss

    (one, loss), (other, same) = after(crops), after(wild)
    assert float(loss) == float(same)
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [([1.0, 1.0], np.log(2) / 2 + np.log(4) / 2), ([0.0, 2.0], np.log(4))],
)
def test_cross_entropy_by_hand(weights: list[float], expected: float) -> None:
    logits = jnp.log(jnp.array([[0.5, 0.5], [0.75, 0.25]]))
    labels = jnp.array([0, 1], jnp.int32)
    loss = cross_entropy(logits, labels, jnp.array(weights))
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_a_minibatch_of_padding_costs_nothing() -> None:
    logits = jnp.full((2, 2), jnp.inf)
    labels = jnp.zeros(2, jnp.int32)
    assert float(cross_entropy(logits, labels, jnp.zeros(2))) == 0.0


def test_smoothing_by_hand() -> None:
    logits = jnp.log(jnp.array([[0.8, 0.2]]))
    loss = cross_entropy(logits, jnp.zeros(1, jnp.int32), jnp.ones(1), smoothing=0.2)
    np.testing.assert_allclose(loss, -0.9 * np.log(0.8) - 0.1 * np.log(0.2), rtol=1e-5)


def test_turning_keeps_every_pixel_and_reaches_all_eight() -> None:
    crop = jnp.arange(16.0).reshape(1, 4, 4, 1)
    out = np.asarray(turned(jax.random.key(0), jnp.tile(crop, (200, 1, 1, 1))))
    assert len(np.unique(out.reshape(200, -1), axis=0)) == 8
    np.testing.assert_array_equal(np.sort(out.reshape(200, -1), axis=1)[7], range(16))


def test_augmentation_repeats_with_its_key() -> None:
    crops, _ = planted(4, 0)
    look = jax.jit(lambda key: augment(key, crops, AugmentSpec()))
    one, same, other = (look(jax.random.key(seed)) for seed in (1, 1, 2))
    assert bool((one == same).all())
    assert bool((one != other).any())


def test_crops_sit_on_their_centres_and_repeat_the_rim() -> None:
    image = jnp.arange(100.0).reshape(10, 10, 1)
    crops = gather_crops(image, jnp.array([[5.0, 4.0], [0.0, 9.0]]), crop_px=4, bin=1)
    np.testing.assert_array_equal(crops[0, :, :, 0], image[3:7, 2:6, 0])
    np.testing.assert_array_equal(crops[1, 0, :, 0], [7.0, 8.0, 9.0, 9.0])


def test_binned_crops_take_full_resolution_centres() -> None:
    image = jnp.arange(100.0).reshape(10, 10, 1)
    crops = make_gatherer(4, 2)(image, jnp.array([[10.5, 8.5]]))
    np.testing.assert_array_equal(crops[0, :, :, 0], image[3:7, 2:6, 0])


def scored(networks: list[tuple[GraphDef, Params]], order: np.ndarray) -> Any:
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.normal(0.0, 1.0, (80, 80, 2)), jnp.float32)
    centres = rng.uniform(10.0, 70.0, (8, 2)).astype(np.float32)[order]
    score = make_scorer(networks, crop_px=16, bin=1, minibatch=8)
    return score(image, jnp.asarray(centres), jnp.asarray(order < 6))


def test_a_cell_scores_the_same_bits_beside_any_neighbours() -> None:
    networks = [small("compact", seed) for seed in (0, 1)]
    order = np.array([3, 7, 0, 5, 6, 2, 1, 4])
    plain, mixed = scored(networks, np.arange(8)), scored(networks, order)
    np.testing.assert_array_equal(plain.probability[:, order], mixed.probability)
    np.testing.assert_array_equal(plain.embedding[:, order], mixed.embedding)
    np.testing.assert_array_equal(plain.profile[order], mixed.profile)


def test_rows_that_are_no_cells_score_zero_and_cells_a_probability() -> None:
    out = scored([small("compact")], np.arange(8))
    probability = np.asarray(out.probability)
    assert (probability[:, 6:] == 0.0).all()
    assert ((probability[:, :6] > 0.0) & (probability[:, :6] < 1.0)).all()
    assert out.embedding.shape == (1, 8, 64)
    assert out.profile.shape == (8, len(feature_names(2)))


def test_a_scorer_agrees_with_its_network() -> None:
    graphdef, params = small("compact")
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.normal(0.0, 1.0, (80, 80, 2)), jnp.float32)
    centres = jnp.asarray(rng.uniform(10.0, 70.0, (8, 2)), jnp.float32)
    score = make_scorer([(graphdef, params)], crop_px=16, bin=1, minibatch=8)
    crops = gather_crops(image, centres, crop_px=16, bin=1)
    np.testing.assert_allclose(
        score(image, centres, jnp.ones(8, bool)).probability[0],
        make_predict(graphdef)(params, crops),
        rtol=1e-5,
    )


def test_a_scorer_needs_networks_and_its_own_minibatch() -> None:
    with pytest.raises(ValueError, match="at least one network"):
        make_scorer([], crop_px=16, bin=1)
    score = make_scorer([small("compact")], crop_px=16, bin=1, minibatch=4)
    with pytest.raises(ValueError, match="takes 4 centres at a time, not 5"):
        score(jnp.zeros((40, 40, 2)), jnp.zeros((5, 2)), jnp.ones(5, bool))


def test_the_profile_sees_size_holes_and_stain() -> None:
    at = np.arange(32) - 16.0
    radius = np.hypot(at[:, None], at[None, :])
    pictures = [radius < 10, radius < 5, (radius < 10) & (radius > 3), radius < 10]
    gains = [1.0, 1.0, 1.0, 1.5]
    crops = [g * p.astype(np.float32) for g, p in zip(gains, pictures, strict=True)]
    table = np.asarray(profile(jnp.asarray(np.stack(crops))[..., None]))
    names = feature_names(1)
    spread, core = (
        table[:, names.index(f"channel0_{n}")] for n in ("spread", "ring0_mean")
    )
    whole, shrunken, hollow, bright = range(4)
    assert spread[shrunken] < 0.6 * spread[whole]
    assert core[hollow] < 0.5 * core[whole]
    np.testing.assert_allclose(core[bright], 1.5 * core[whole], rtol=1e-5)
    np.testing.assert_allclose(spread[bright], spread[whole], rtol=1e-4)


def test_the_profile_of_nothing_is_finite() -> None:
    assert bool(jnp.isfinite(profile(jnp.zeros((2, 16, 16, 3)))).all())


def test_groups_of_crops_give_what_the_whole_gives() -> None:
    network = Sesmo(2, 30, rngs=nnx.Rngs(params=jax.random.key(3)))
    crops = jax.random.normal(jax.random.key(4), (6, 30, 30, 2))
    np.testing.assert_allclose(
        network._in_groups(crops), network._whole(crops), rtol=2e-4, atol=2e-5
    )
