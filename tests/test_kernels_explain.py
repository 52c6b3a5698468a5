"""Explanation maps against hand-computed answers: sums, gradients, squares and orders."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import Array

from kernels.explanation import (
    Explain,
    StagesOf,
    as_scored,
    logit_of,
    make_answer,
    make_grad_cam,
    make_guided_grad_cam,
    make_integrated_gradients,
    make_occlusion,
    make_removal,
    map_stages,
    output_of,
    redrawn,
)
from kernels.explanation.gradients import guided_relu
from kernels.networks import NETWORKS, GraphDef, Params, build
from kernels.networks.heads import HeadSpec
from kernels.networks.stages import Stage, run_stages
from kernels.preprocessing import Preprocessing, prepared
from kernels.shapes import PRNGKey

pytestmark = pytest.mark.usefixtures("strict_arrays")
Relu = Callable[[jax.Array], jax.Array]


class Two(nnx.Module):
    """Two convolutions, a norm, dropout where a key is given, and a dense head."""

    def __init__(self, n_channels: int, side: int, n_out: int, seed: int = 0) -> None:
        rngs = nnx.Rngs(params=seed)
        self.first = nnx.Conv(n_channels, 6, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(6, rngs=rngs)
        self.second = nnx.Conv(6, 5, (3, 3), rngs=rngs)
        self.head = nnx.Linear(5 * (side // 2) ** 2, n_out, rngs=rngs)

    def stages(self, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        def conv1(x: jax.Array, key: PRNGKey | None) -> jax.Array:
            return relu(self.norm(self.first(x)))

        def conv2(x: jax.Array, key: PRNGKey | None) -> jax.Array:
            return relu(self.second(x))

        def flat(x: jax.Array, key: PRNGKey | None) -> jax.Array:
            if key is not None:
                x = jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x, 0.0)
            return x.reshape(x.shape[0], -1)

        def head(x: jax.Array, key: PRNGKey | None) -> jax.Array:
            found: jax.Array = self.head(x)
            return found

        maps = (Stage("conv1", conv1, True), Stage("conv2", conv2, True))
        return (*maps, Stage("flat", flat, False), Stage("head", head, False))


class Straight(nnx.Module):
    """A network without a bend: one map stage that is the crop, and a dense head."""

    def __init__(self, n_channels: int, side: int) -> None:
        weights = jax.random.normal(jax.random.key(3), (side**2 * n_channels, 2))
        self.kernel = nnx.Param(weights)

    def stages(self, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        def head(x: jax.Array, key: PRNGKey | None) -> jax.Array:
            return x.reshape(x.shape[0], -1) @ self.kernel[...]

        return Stage("crop", lambda x, key: x, True), Stage("head", head, False)


def two(n_out: int = 2) -> tuple[GraphDef, Params]:
    return nnx.split(Two(3, 12, n_out))


def straight() -> tuple[GraphDef, Params]:
    return nnx.split(Straight(2, 8))


def drawn(side: int = 12, channels: int = 3, n: int = 4, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(0.0, 1.0, (n, side, side, channels)), jnp.float32)


LOG_ODDS = output_of(HeadSpec())
METHODS: dict[str, Callable[[StagesOf], Explain]] = {
    "grad_cam": make_grad_cam,
    "guided_grad_cam": make_guided_grad_cam,
    "integrated_gradients": make_integrated_gradients,
    "occlusion": lambda g: make_occlusion(g, patch_px=4, stride_px=2),
}
by_method = pytest.mark.parametrize("method", METHODS)


def heads() -> list[tuple[HeadSpec, int | None, list[float]]]:
    return [
        (HeadSpec(), None, [-1.0, 1.0]),
        (HeadSpec(), 0, [1.0, -1.0]),
        (HeadSpec("classes", 3), 1, [-0.5, 1.0, -0.5]),
        (HeadSpec("ordinal", 4), 2, [0.0, 1.0, 0.0]),
        (HeadSpec("ordinal", 4), None, [1.0, 1.0, 1.0]),
        (HeadSpec("regression", 1), None, [1.0]),
    ]


@pytest.mark.parametrize(("head", "which", "weights"), heads())
def test_an_output_is_a_weighted_sum_of_logits(
    head: HeadSpec, which: int | None, weights: list[float]
) -> None:
    np.testing.assert_allclose(output_of(head, which), weights)


@pytest.mark.parametrize(
    ("head", "which", "words"),
    [
        (HeadSpec(), 2, "classes are 0 to 1"),
        (HeadSpec("ordinal", 4), 0, "grades that can be reached are 1 to 3"),
        (HeadSpec("regression", 1), 1, "one value"),
    ],
)
def test_an_output_that_is_not_there_is_refused(
    head: HeadSpec, which: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        output_of(head, which)


def test_the_answer_is_the_networks_own_without_dropout_and_with_stored_statistics() -> (
    None
):
    network, crops = Two(3, 12, 2), drawn()
    graphdef, params = nnx.split(network)  # in teaching mode on purpose
    network.eval()  # type: ignore[no-untyped-call]
    logits = np.asarray(run_stages(network.stages(), crops))

    found = make_answer(as_scored(graphdef))(params, crops, logit_of(2, 1))

    np.testing.assert_allclose(found, logits[:, 1], rtol=1e-5)


@by_method
def test_a_row_of_a_batch_is_explained_as_if_alone(method: str) -> None:
    graphdef, params = two()
    explain, crops = METHODS[method](as_scored(graphdef)), drawn()

    together = explain(params, crops, LOG_ODDS)
    alone = explain(params, crops[2:3], LOG_ODDS)

    np.testing.assert_allclose(together[2:3], alone, rtol=1e-4, atol=1e-6)


SIGNED: dict[str, Callable[[StagesOf], Explain]] = {
    "grad_cam": lambda g: make_grad_cam(g, signed=True),
    "integrated_gradients": make_integrated_gradients,
    "occlusion": lambda g: make_occlusion(g, patch_px=4, stride_px=2),
}


@pytest.mark.parametrize("method", SIGNED)
def test_the_opposite_output_has_the_opposite_map(method: str) -> None:
    graphdef, params = two()
    explain, crops = SIGNED[method](as_scored(graphdef)), drawn()

    one, other = (explain(params, crops, sign * LOG_ODDS) for sign in (1.0, -1.0))

    np.testing.assert_allclose(one, -other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n_out", "baseline"), [(1, 0.0), (2, 0.4), (5, 0.0)])
def test_integrated_gradients_sum_to_the_change_of_the_output(
    n_out: int, baseline: float
) -> None:
    graphdef, params = two(n_out)
    crops, output = drawn(), logit_of(n_out, n_out - 1)
    explain = make_integrated_gradients(
        as_scored(graphdef), steps=200, baseline=baseline
    )
    answer = make_answer(as_scored(graphdef))
    blank = jnp.full_like(crops, baseline)

    change = answer(params, crops, output) - answer(params, blank, output)
    found = explain(params, crops, output).sum((1, 2, 3))

    np.testing.assert_allclose(found, change, atol=0.01 * float(np.abs(change).max()))


def test_integrated_gradients_of_a_straight_network_are_pixel_times_weight() -> None:
    graphdef, params = straight()
    crops = drawn(8, 2)
    weights = np.asarray(nnx.merge(graphdef, params).kernel[...])
    slope = (weights[:, 1] - weights[:, 0]).reshape(1, 8, 8, 2)

    found = make_integrated_gradients(as_scored(graphdef), steps=1)(
        params, crops, LOG_ODDS
    )

    np.testing.assert_allclose(found, np.asarray(crops) * slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("signed", [False, True])
def test_grad_cam_of_a_straight_network_is_maps_times_mean_weights(
    signed: bool,
) -> None:
    graphdef, params = straight()
    crops = np.asarray(drawn(8, 2))
    weights = np.asarray(nnx.merge(graphdef, params).kernel[...])
    mean = (weights[:, 1] - weights[:, 0]).reshape(8, 8, 2).mean((0, 1))
    expected = (crops * mean).sum(3, keepdims=True)
    expected = expected if signed else np.maximum(expected, 0.0)

    explain = make_grad_cam(as_scored(graphdef), signed=signed)
    found = explain(params, jnp.asarray(crops), LOG_ODDS)

    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_grad_cam_takes_the_last_map_stage_unless_told() -> None:
    graphdef, params = two()
    crops = drawn()
    shown = {
        name: np.asarray(
            make_grad_cam(as_scored(graphdef), stage=name)(params, crops, LOG_ODDS)
        )
        for name in (None, "conv1", "conv2")
    }

    assert map_stages(as_scored(graphdef), params) == ("conv1", "conv2")
    np.testing.assert_array_equal(shown[None], shown["conv2"])
    assert not np.allclose(shown["conv1"], shown["conv2"])
    assert shown[None].shape == (4, 12, 12, 1)
    assert shown[None].min() >= 0.0


@pytest.mark.parametrize("stage", ["flat", "conv9"])
def test_a_stage_without_a_map_is_refused(stage: str) -> None:
    graphdef, params = two()
    with pytest.raises(ValueError, match="known: conv1, conv2"):
        make_grad_cam(as_scored(graphdef), stage=stage)(params, drawn(), LOG_ODDS)


def test_a_guided_relu_lets_back_only_what_is_positive_twice() -> None:
    x = jnp.asarray([-1.0, 2.0, 3.0, -4.0])
    slopes = jnp.asarray([5.0, -6.0, 7.0, -8.0])

    value, back = jax.vjp(guided_relu, x)

    np.testing.assert_array_equal(value, [0.0, 2.0, 3.0, 0.0])
    np.testing.assert_array_equal(back(slopes)[0], [0.0, 0.0, 7.0, 0.0])


def test_guided_grad_cam_is_zero_where_grad_cam_is() -> None:
    graphdef, params = two()
    crops = drawn()
    cam = np.asarray(make_grad_cam(as_scored(graphdef))(params, crops, LOG_ODDS))
    found = np.asarray(
        make_guided_grad_cam(as_scored(graphdef))(params, crops, LOG_ODDS)
    )

    assert found.shape == crops.shape
    assert np.abs(found).max() > 0
    assert np.abs(found[np.broadcast_to(cam == 0, found.shape)]).max(initial=0.0) == 0


@pytest.mark.parametrize("by_channel", [True, False])
def test_occlusion_of_a_straight_network_is_what_the_squares_hold(
    by_channel: bool,
) -> None:
    graphdef, params = straight()
    crops = np.asarray(drawn(8, 2))
    weights = np.asarray(nnx.merge(graphdef, params).kernel[...])
    worth = crops * (weights[:, 1] - weights[:, 0]).reshape(1, 8, 8, 2)
    squares = worth.reshape(4, 2, 4, 2, 4, 2).sum((2, 4))  # patches that do not overlap
    squares = squares if by_channel else squares.sum(3, keepdims=True)
    expected = squares.repeat(4, axis=1).repeat(4, axis=2)

    explain = make_occlusion(
        as_scored(graphdef), patch_px=4, stride_px=4, by_channel=by_channel
    )
    found = explain(params, jnp.asarray(crops), LOG_ODDS)

    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_every_pixel_is_covered_when_strides_do_not_fit() -> None:
    graphdef, params = straight()
    explain = make_occlusion(as_scored(graphdef), patch_px=3, stride_px=3)
    found = np.asarray(explain(params, drawn(8, 2), LOG_ODDS))

    assert np.isfinite(found).all()
    assert (np.abs(found) > 0).all()


@pytest.mark.parametrize(
    ("patch", "stride", "words"), [(9, 3, "does not fit"), (3, 4, "a stride of 1 to 3")]
)
def test_squares_that_cannot_be_laid_are_refused(
    patch: int, stride: int, words: str
) -> None:
    graphdef, params = straight()
    with pytest.raises(ValueError, match=words):
        make_occlusion(as_scored(graphdef), patch_px=patch, stride_px=stride)(
            params, drawn(8, 2), LOG_ODDS
        )


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="one step or more"):
        make_integrated_gradients(as_scored(two()[0]), steps=0)


def test_removal_goes_square_by_square_in_the_order_of_the_map() -> None:
    graphdef, params = straight()
    crops = np.asarray(drawn(8, 2, n=1))
    weights = np.asarray(nnx.merge(graphdef, params).kernel[...])
    worth = crops * (weights[:, 1] - weights[:, 0]).reshape(1, 8, 8, 2)
    squares = worth.reshape(2, 4, 2, 4, 2).sum((1, 3, 4)).ravel()
    order = worth.sum(3)

    run = make_removal(as_scored(graphdef), square_px=4, n_steps=4)
    deleted, inserted = run(params, jnp.asarray(crops), jnp.asarray(order), LOG_ODDS)

    kept = np.cumsum([0.0, *sorted(squares, reverse=True)])
    np.testing.assert_allclose(inserted[:, 0], kept, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(deleted[:, 0], kept[-1] - kept, rtol=1e-3, atol=1e-4)


def test_a_redrawn_network_has_the_same_numbers_elsewhere_and_the_same_statistics() -> (
    None
):
    _, params = two()
    other = redrawn(params, jax.random.key(1))
    flat, mixed = (dict(nnx.to_flat_state(p)) for p in (params, other))
    kernel = ("first", "kernel")

    before = np.sort(np.ravel(flat[kernel][...]))
    after = np.sort(np.ravel(mixed[kernel][...]))

    np.testing.assert_array_equal(before, after)
    assert not np.allclose(flat[kernel][...], mixed[kernel][...])
    np.testing.assert_array_equal(flat["norm", "var"][...], mixed["norm", "var"][...])


def test_what_the_weights_expect_of_pictures_comes_before_the_network() -> None:
    graphdef, params = straight()
    crops, spec = drawn(8, 2), Preprocessing("given", (1, 0), (0.1, 0.2), (2.0, 4.0))
    shown = prepared(crops, spec)
    explain, plain = (
        make_integrated_gradients(as_scored(graphdef, p)) for p in (spec, None)
    )
    weights = np.asarray(plain(params, shown, LOG_ODDS)) / np.asarray(shown)
    expected = np.asarray(crops) * (weights / np.asarray([2.0, 4.0]))[..., ::-1]

    answers = [
        make_answer(as_scored(graphdef, p))(params, x, LOG_ODDS)
        for p, x in ((spec, crops), (None, shown))
    ]

    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-5)
    np.testing.assert_allclose(
        explain(params, crops, LOG_ODDS), expected, rtol=1e-3, atol=1e-4
    )


WITHOUT_MAPS = {"compact_wide"}  # its numbers go through every stage


SLOW = {"resnet50": [pytest.mark.long]}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=SLOW.get(n, [])) for n in NETWORKS]
)
def test_every_network_of_the_registry_can_be_explained(name: str) -> None:
    side = max(32, NETWORKS[name].crop_px // 4)

    def abstract() -> tuple[jax.Array, ...]:
        network = build(name, 3, side, key=jax.random.key(0), width=0.125)
        look = as_scored(nnx.split(network)[0])
        params, crops = nnx.split(network)[1], jnp.zeros((2, side, side, 3))
        stages = map_stages(look, params)
        cams = [make_grad_cam(look, stage=stage) for stage in stages]
        cams += [make_guided_grad_cam(look)] if stages else []
        methods = [
            *cams,
            make_integrated_gradients(look, steps=2),
            make_occlusion(look, patch_px=8, stride_px=8),
        ]
        return tuple(explain(params, crops, LOG_ODDS) for explain in methods)

    *maps, last, first = (m.shape for m in jax.eval_shape(abstract))

    whole = (2, side, side, 3)
    assert (last, first) == (whole, whole)
    if name not in WITHOUT_MAPS:
        assert maps[-1] == whole
        assert set(maps[:-1]) == {(2, side, side, 1)}
