"""Numbers of a cell kept in a plane of its crop, and the network that reads them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from kernels.augment import AugmentSpec, augment
from kernels.feature_cells import cell_numbers, first_pixels
from kernels.networks import build
from kernels.networks.stages import voices_of
from kernels.step import make_train_step, sgd_clipped, start_training
from screen.baselines import FEATURES
from screen.feature_plane import PLANES, with_features
from screen.feature_units import LINEAR, LOGARITHMIC, PLAIN, linear_units, near_units

SPEC = AugmentSpec(shift_px=2, gain=0.5, noise=0.5, rotate=30.0, zoom=0.2)


def _table(n: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.1, 50, (n, len(FEATURES)))


def _windows(n: int, side: int = 24) -> np.ndarray:
    rng = np.random.default_rng(4)
    return rng.standard_normal((n, side, side, 3)).astype(np.float32)


@pytest.mark.parametrize("side", [16, 23, 24])
def test_a_plane_tells_the_same_from_all_eight_sides(side: int) -> None:
    cells = cell_numbers(side)
    half = (side + 1) // 2

    for turned in (np.rot90(cells), cells[::-1], cells.T):
        assert np.array_equal(turned, cells)
    assert len(np.unique(cells)) == cells.max() + 1 == half * (half + 1) // 2


def test_numbers_lie_where_they_are_looked_for() -> None:
    table = _table(5)
    given = with_features(_windows(5), table)
    places = first_pixels(24, len(FEATURES))

    cells = given.reshape(5, -1, 5)[:, places]

    assert given.shape == (5, 24, 24, 3 + len(PLANES))
    assert np.array_equal(cells[..., -2], near_units(table))
    assert np.array_equal(cells[..., -1], linear_units(table))
    assert np.array_equal(given[..., :-2], _windows(5))


def test_more_numbers_than_a_plane_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="holds 36"):
        first_pixels(16, 37)
    with pytest.raises(ValueError, match="a window of 16 pixels holds 36 features"):
        with_features(_windows(1, 16), _table(1))


def test_every_feature_has_a_middle_and_a_unit() -> None:
    assert not LOGARITHMIC.keys() & PLAIN.keys()
    assert LOGARITHMIC.keys() | PLAIN.keys() == LINEAR.keys() == set(FEATURES)


def test_units_by_hand() -> None:
    table = np.zeros((2, len(FEATURES)))
    table[0, FEATURES.index("area")] = np.exp(7.6 + 0.54) - 1e-3
    table[0, FEATURES.index("mean")] = 171
    told = dict(zip(FEATURES, near_units(table).T, strict=True))

    # arcsinh(1) / 4 = 0.22034; log(0.001) lies 26.866 units of 0.54 under 7.6.
    assert told["area"] == pytest.approx([0.22034, -0.99609], abs=1e-4)
    assert told["mean"][0] == pytest.approx(0.22034, abs=1e-4)


def test_linear_units_by_hand() -> None:
    table = np.zeros((2, len(FEATURES)))
    table[:, FEATURES.index("area")] = 600, 1e6
    told = dict(zip(FEATURES, linear_units(table).T, strict=True))

    assert told["area"] == pytest.approx([-1, 8])  # (600 - 2400) / 1800; at most 8
    assert told["mean"][0] == pytest.approx(-150 / 26)


def test_augmentation_changes_pictures_and_leaves_numbers() -> None:
    given = jnp.asarray(with_features(_windows(6), _table(6)))
    seen = augment(
        jax.random.key(2), given, AugmentSpec(**vars(SPEC) | {"n_numbers": 2})
    )

    assert jnp.array_equal(seen[..., -2:], given[..., -2:])
    assert (jnp.abs(seen[..., :-2] - given[..., :-2]).max((1, 2, 3)) > 0.1).all()


def _wide(n_out: int = 2) -> nnx.Module:
    return build("compact_wide", 5, 24, key=jax.random.key(0), n_out=n_out, width=0.25)


def test_the_wide_network_reads_numbers_from_any_side() -> None:
    network = _wide(3)
    dark = np.zeros((4, 24, 24, 3), np.float32)
    given = with_features(dark, _table(4))
    told = network(jnp.asarray(given))
    turned = network(jnp.asarray(np.rot90(given, 1, (1, 2)).copy()))

    assert told.shape == (4, 3)
    assert np.allclose(told, turned, atol=1e-5)
    assert float(np.ptp(np.asarray(told), axis=0).min()) > 1e-3


def test_the_network_says_the_mean_of_its_voices() -> None:
    network = _wide(3)
    given = jnp.asarray(with_features(_windows(4), _table(4)))
    voices = voices_of(network, given)

    assert voices.shape == (2, 4, 3)
    assert jnp.allclose(voices.mean(0), network(given), atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "voice"),
    [(slice(0, 3), 0), (slice(3, 4), 1), (slice(4, 5), 1)],
    ids=["picture", "features", "features_linear"],
)
def test_each_voice_hears_its_own_part_alone(channels: slice, voice: int) -> None:
    network = _wide()
    given = jnp.asarray(with_features(_windows(4), _table(4)))
    other = given.at[..., channels].multiply(0.5)
    change = jnp.abs(voices_of(network, given) - voices_of(network, other)).max((1, 2))

    assert float(change[voice]) > 1e-3
    assert float(change[1 - voice]) == 0


def test_a_network_of_one_voice_says_its_logits() -> None:
    network = build("compact", 3, 24, key=jax.random.key(0), width=0.25)
    given = jnp.asarray(_windows(4))

    assert jnp.array_equal(voices_of(network, given)[0], network(given))


def test_a_voice_learns_as_if_it_were_alone() -> None:
    network = _wide()
    given = jnp.asarray(with_features(_windows(16), _table(16)))
    labels = jnp.arange(16) % 2
    graphdef, params = nnx.split(network)
    (before,) = (
        np.asarray(leaf)
        for path, leaf in jax.tree.leaves_with_path(params)
        if "read" in str(path) and leaf.ndim == 2
    )
    step = make_train_step(graphdef, sgd_clipped(0.1, clip_norm=1e6), None)

    def taught(crops: jax.Array) -> np.ndarray:
        state = start_training(jax.tree.map(jnp.copy, params), sgd_clipped())
        weights = jnp.ones(16, jnp.float32)
        after, _ = step(state, jax.random.key(1), crops, labels, weights)
        return np.asarray(after.params["read"]["kernel"][...])

    silent = given.at[..., :3].set(0.0)  # the picture says something else
    assert np.allclose(taught(given), taught(silent), atol=1e-6)
    assert not np.allclose(taught(given), before, atol=1e-6)


def test_the_wide_network_is_random_with_a_key_only() -> None:
    network = _wide()
    given = jnp.asarray(with_features(_windows(4), _table(4)))

    assert jnp.array_equal(network(given), network(given))
    drawn = [network(given, jax.random.key(k)) for k in (1, 2)]
    assert float(jnp.abs(drawn[0] - drawn[1]).max()) > 1e-3


def test_the_wide_network_refuses_what_it_cannot_take() -> None:
    for n_channels, side in ((2, 24), (5, 20)):
        with pytest.raises(ValueError, match="compact_wide"):
            build("compact_wide", n_channels, side, key=jax.random.key(0))
