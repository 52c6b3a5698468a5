"""Laws of the networks: shapes, published sizes, stages, and torch's outputs."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from bench.peers.seeded_weights import SMALL, Case, seeded_crops, seeded_weights
from kernels.networks import NETWORKS, build, n_parameters
from kernels.networks.stages import run_stages
from kernels.pretrained import flat_variables, loaded
from kernels.weight_names import foreign_names

pytestmark = pytest.mark.usefixtures("strict_arrays")
GOLDEN = Path(__file__).parent / "golden" / "networks"
CROP_PX = {"sesmo": 20, "vgg16": 37, "resnet18": 37, "resnet50": 33}
COMPACT = ("compact", "compact_small", "compact_large")
TORCH_AXES = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
QUICK = {"xla_backend_optimization_level": 0}
EVERY = (*CROP_PX, *COMPACT)


def abstract(name: str, n_channels: int, crop_px: int, **sizes: Any) -> Any:
    """The network's shapes, no numbers."""
    key = jax.random.key(0)
    return nnx.eval_shape(lambda: build(name, n_channels, crop_px, key=key, **sizes))


def tiny(name: str, n_channels: int = 2, **sizes: Any) -> Any:
    """An eighth of the network, filled by name: quicker than to draw each weight."""
    crop_px = CROP_PX.get(name, 16)
    network = abstract(name, n_channels, crop_px, width=0.125, **sizes)
    return filled(network, name)


def filled(network: Any, name: str) -> Any:
    """The network with the seeded weights, read by torch's names."""
    ours = {n: tuple(v.shape) for n, v in flat_variables(network).items()}
    names = foreign_names(name, list(ours), "torch")
    shapes = {
        names[n]: tuple(shape[axis] for axis in TORCH_AXES[len(shape)])
        for n, shape in ours.items()
    }
    state = loaded(network, name, seeded_weights(shapes), "torch").state
    nnx.update(network, state)
    return network


def crops_for(name: str, n_channels: int = 2, n: int = 2) -> jax.Array:
    shape = (n, CROP_PX[name], CROP_PX[name], n_channels)
    return jnp.asarray(np.random.default_rng(5).standard_normal(shape, np.float32))


def run(network: nnx.Module, function: Any, *inputs: Any) -> Any:
    """function(network, *inputs), compiled quickly rather than to run quickly."""
    graphdef, state = nnx.split(network)

    def called(state: Any, *inputs: Any) -> Any:
        return function(nnx.merge(graphdef, state), *inputs)

    return jax.jit(called, compiler_options=QUICK)(state, *inputs)


def test_the_registry_holds_every_network() -> None:
    assert set(NETWORKS) == {*EVERY, "compact_wide"}


@pytest.mark.parametrize(
    ("name", "crop_px", "n_out", "n"),
    [
        ("sesmo", 50, 2, 2_757_474),
        ("resnet18", 224, 1000, 11_689_512),
        ("resnet50", 224, 1000, 25_557_032),
        ("vgg16", 224, 1000, 138_357_544),
    ],
)
def test_published_numbers_of_parameters(
    name: str, crop_px: int, n_out: int, n: int
) -> None:
    assert n_parameters(abstract(name, 3, crop_px, n_out=n_out)) == n


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    ("n_channels", "n_out", "width"), [(1, 1, 0.125), (4, 5, 0.25)]
)
def test_any_channels_outputs_and_width_give_their_shapes(
    name: str, n_channels: int, n_out: int, width: float
) -> None:
    crop_px = CROP_PX.get(name, 16)
    network = abstract(name, n_channels, crop_px, n_out=n_out, width=width)
    crops = jnp.zeros((3, crop_px, crop_px, n_channels))
    graphdef, state = nnx.split(network)
    logits = jax.eval_shape(lambda s, x: nnx.merge(graphdef, s)(x), state, crops)
    embedding = jax.eval_shape(
        lambda s, x: nnx.merge(graphdef, s).embed(x), state, crops
    )
    assert logits.shape == (3, n_out)
    assert embedding.shape == (3, network.head.in_features)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_registry_knows_each_embedding(name: str) -> None:
    entry = NETWORKS[name]
    network = abstract(name, 1 + entry.n_numbers, entry.crop_px)
    assert network.head.in_features == entry.n_embedding


@pytest.mark.parametrize(
    ("name", "crop_px", "sizes", "message"),
    [
        ("resnet18", 31, {}, "residual network takes crops of at least 32 pixels"),
        ("resnet50", 8, {}, "at least 32 pixels, not 8"),
        ("vgg16", 31, {}, "vgg16 network takes crops of at least 32 pixels, not 31"),
        ("vgg16", 64, {"n_out": 0}, r"must be above 0, not 2, 0 and 1\.0"),
        ("sesmo", 50, {"width": -1.0}, r"must be above 0, not 2, 2 and -1\.0"),
        ("vgg19", 64, {}, "no network 'vgg19'; known: .*resnet50, sesmo, vgg16"),
    ],
)
def test_impossible_networks_are_refused(
    name: str, crop_px: int, sizes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        abstract(name, 2, crop_px, **sizes)


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_outputs_are_those_of_torch(case: Case) -> None:
    sizes = {"n_out": case.n_out, "width": case.width}
    network = abstract(case.name, case.n_channels, case.crop_px, **sizes)
    crops = jnp.asarray(seeded_crops(case))
    found = np.asarray(run(filled(network, case.name), lambda net, x: net(x), crops))
    with np.load(GOLDEN / f"{case}.npz", allow_pickle=False) as golden:
        theirs = golden["logits"]
    assert found.shape == theirs.shape
    assert np.abs(found - theirs).max() <= 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize(
    ("name", "n_rectifiers"), [("vgg16", 15), ("resnet18", 17), ("resnet50", 49)]
)
def test_stages_are_the_network_and_use_the_rectifier_they_are_given(
    name: str, n_rectifiers: int
) -> None:
    seen: list[tuple[int, ...]] = []

    def counted(x: jax.Array) -> jax.Array:
        seen.append(x.shape)
        return jax.nn.relu(x)

    def both(network: Any, x: jax.Array) -> tuple[jax.Array, ...]:
        stages = network.stages(counted)
        assert stages[-1].name == "head"
        by_stage = run_stages(stages[:-1], x)
        return by_stage, network.embed(x), stages[-1].run(by_stage, None), network(x)

    embedding, same, logits, as_called = run(tiny(name), both, crops_for(name))
    np.testing.assert_array_equal(embedding, same)
    np.testing.assert_array_equal(logits, as_called)
    assert len(seen) == n_rectifiers


@pytest.mark.parametrize(
    ("name", "maps"),
    [
        ("vgg16", ["block1", "block2", "block3", "block4", "block5"]),
        ("resnet18", ["conv1", "pool", "layer1", "layer2", "layer3", "layer4"]),
    ],
)
def test_blocks_are_maps(name: str, maps: list[str]) -> None:
    stages = tiny(name).stages()
    assert [stage.name for stage in stages if stage.is_map] == maps


@pytest.mark.parametrize("name", ["resnet18"])
def test_a_crop_does_not_read_its_neighbours(name: str) -> None:
    def both(network: Any, x: jax.Array, other: jax.Array) -> tuple[Any, Any]:
        return network(x), network(other)

    crops = crops_for(name, n=3)
    one, same = run(tiny(name), both, crops, crops.at[1:].set(7.0))
    np.testing.assert_array_equal(one[0], same[0])
    assert bool((one[1] != same[1]).any())


def test_dropout_of_vgg16_follows_its_key() -> None:
    def three(network: Any, x: jax.Array, key: jax.Array) -> tuple[Any, ...]:
        dense = network.stages()[5:]
        flat = run_stages(network.stages()[:5], x)
        return run_stages(dense, flat, key), run_stages(dense, flat, key), network(x)

    one, same, fixed = run(tiny("vgg16"), three, crops_for("vgg16"), jax.random.key(3))
    np.testing.assert_array_equal(one, same)
    assert bool((one != fixed).any())


def test_batch_norm_gathers_a_tenth_of_a_minibatch_only_while_it_learns() -> None:
    network, crops = tiny("resnet18"), crops_for("resnet18", n=4)

    def stem(network: Any, x: jax.Array) -> tuple[Any, ...]:
        first = network.stages()[0].run
        norm = network.conv1.norm
        fixed, before = first(x, None), {"mean": norm.mean[...], "var": norm.var[...]}
        network.train()
        learning, after = first(x, None), {"mean": norm.mean[...], "var": norm.var[...]}
        network.eval()
        return fixed, learning, first(x, None), before, after

    fixed, learning, later, before, after = run(network, stem, crops)
    maps = jax.lax.conv_general_dilated(
        crops,
        network.conv1.kernel[...],
        (2, 2),
        [(3, 3)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    expected = {"mean": maps.mean((0, 1, 2)), "var": maps.var((0, 1, 2))}
    for name, measured in expected.items():
        expected_end = 0.9 * before[name] + 0.1 * measured
        np.testing.assert_allclose(after[name], expected_end, rtol=1e-4)
    assert bool((fixed != learning).any())
    assert bool((fixed != later).any())


@pytest.mark.parametrize("name", ["resnet18"])
def test_lower_precision_passes_through(name: str) -> None:
    def coarse(network: Any, x: jax.Array) -> jax.Array:
        weights = nnx.state(network, nnx.Param)
        low = jax.tree.map(lambda a: a.astype(jnp.bfloat16), weights)
        nnx.update(network, low)
        found: jax.Array = network(x.astype(jnp.bfloat16))
        return found

    network, crops = tiny(name), crops_for(name)
    found = run(network, coarse, crops)
    fine = run(network, lambda net, x: net(x), crops)
    assert found.dtype == jnp.bfloat16
    gap = np.abs(np.asarray(found, np.float32) - fine).max()
    assert gap <= 0.1 * float(jnp.abs(fine).max())


@pytest.mark.parametrize("name", ["vgg16"])
def test_networks_export_without_a_call_back_to_the_host(name: str) -> None:
    graphdef, state = nnx.split(tiny(name))
    forward = jax.jit(lambda x: nnx.merge(graphdef, state)(x))
    exported = jax.export.export(forward)(crops_for(name))
    assert "callback" not in exported.mlir_module()
    assert exported.out_avals[0].shape == (2, 2)


@pytest.mark.long
@pytest.mark.parametrize("name", ["resnet18"])
def test_every_weight_learns(name: str) -> None:
    def slopes(network: Any, x: jax.Array) -> Any:
        graphdef, *states = nnx.split(network, nnx.Param, ...)
        params, rest = states

        def loss(params: Any) -> jax.Array:
            return jnp.square(nnx.merge(graphdef, params, rest)(x)).sum()

        return jax.grad(loss)(params)

    found = run(tiny(name), slopes, crops_for(name, n=8))
    dead = [
        path
        for path, leaf in nnx.to_flat_state(found)
        if not bool((leaf[...] != 0).any())
    ]
    assert not dead


def test_new_weights_are_drawn_by_the_key() -> None:
    def drawn(key: jax.Array) -> jax.Array:
        network: Any = build("resnet18", 1, 32, key=key, width=1 / 64)
        found: jax.Array = network.layer4[1].conv2.kernel[...]
        return found

    run_quick = jax.jit(drawn, compiler_options=QUICK)
    one, same, other = (run_quick(jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert bool((one != other).any())
