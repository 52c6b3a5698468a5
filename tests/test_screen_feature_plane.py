"""Numbers of a cell kept in a plane of its crop, and the network that reads them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from kernels.augment import AugmentSpec, augment
from kernels.feature_cells import cell_numbers, first_pixels
from kernels.networks import build
from screen.baselines import FEATURES
from screen.feature_plane import LOGARITHMIC, PLAIN, in_units, with_features

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

    assert given.shape == (5, 24, 24, 4)
    assert np.array_equal(given[..., -1].reshape(5, -1)[:, places], in_units(table))
    assert np.array_equal(given[..., :-1], _windows(5))


def test_more_numbers_than_a_plane_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="holds 36"):
        first_pixels(16, 37)
    with pytest.raises(ValueError, match="a window of 16 pixels holds 36 features"):
        with_features(_windows(1, 16), _table(1))


def test_every_feature_has_a_middle_and_a_unit() -> None:
    assert not LOGARITHMIC.keys() & PLAIN.keys()
    assert LOGARITHMIC.keys() | PLAIN.keys() == set(FEATURES)


def test_units_by_hand() -> None:
    table = np.zeros((2, len(FEATURES)))
    table[0, FEATURES.index("area")] = np.exp(7.6 + 0.54) - 1e-3
    table[0, FEATURES.index("mean")] = 171
    told = dict(zip(FEATURES, in_units(table).T, strict=True))

    # arcsinh(1) = 0.88137; log(0.001) lies 26.866 units of 0.54 under 7.6.
    assert told["area"] == pytest.approx([0.88137, -3.98436], abs=1e-4)
    assert told["mean"][0] == pytest.approx(0.88137, abs=1e-4)


def test_augmentation_changes_pictures_and_leaves_numbers() -> None:
    given = jnp.asarray(with_features(_windows(6), _table(6)))
    seen = augment(
        jax.random.key(2), given, AugmentSpec(**vars(SPEC) | {"n_numbers": 1})
    )

    assert jnp.array_equal(seen[..., -1], given[..., -1])
    assert (jnp.abs(seen[..., :-1] - given[..., :-1]).max((1, 2, 3)) > 0.1).all()


def _wide(n_out: int = 2) -> nnx.Module:
    return build("compact_wide", 4, 24, key=jax.random.key(0), n_out=n_out, width=0.25)


def test_the_wide_network_reads_numbers_from_any_side() -> None:
    network = _wide(3)
    dark = np.zeros((4, 24, 24, 3), np.float32)
    given = with_features(dark, _table(4))
    told = network(jnp.asarray(given))
    turned = network(jnp.asarray(np.rot90(given, 1, (1, 2)).copy()))

    assert told.shape == (4, 3)
    assert np.allclose(told, turned, atol=1e-5)
    assert float(np.ptp(np.asarray(told), axis=0).min()) > 1e-3


def test_the_wide_network_is_random_with_a_key_only() -> None:
    network = _wide()
    given = jnp.asarray(with_features(_windows(4), _table(4)))

    assert jnp.array_equal(network(given), network(given))
    drawn = [network(given, jax.random.key(k)) for k in (1, 2)]
    assert float(jnp.abs(drawn[0] - drawn[1]).max()) > 1e-3


def test_the_wide_network_refuses_what_it_cannot_take() -> None:
    for n_channels, side in ((1, 24), (4, 20)):
        with pytest.raises(ValueError, match="compact_wide"):
            build("compact_wide", n_channels, side, key=jax.random.key(0))
