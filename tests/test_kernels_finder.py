"""Laws of the finder: it moves with the field and is blind to gain and offset."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.centres import Finder, FinderSpec, make_finder
from kernels.intensity import IntensitySpec
from tests.kernel_fields import (
    FINDER,
    INTENSITY,
    SHAPE,
    SIDE,
    as_counts,
    planted_field,
    planted_places,
)

Turn = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def find() -> Finder:
    return make_finder(FINDER, INTENSITY, SHAPE, "uint16")


def found_places(find: Finder, field: np.ndarray) -> np.ndarray:
    found = find(jnp.asarray(field))
    places: np.ndarray = np.asarray(found.centres)[np.asarray(found.valid)]
    return places


def ordered(places: np.ndarray) -> np.ndarray:
    return places[np.lexsort(np.round(places).T)]


def farthest(found: np.ndarray, planted: np.ndarray) -> float:
    gaps = np.abs(found[:, None] - planted[None]).max(-1)
    return float(max(gaps.min(1).max(), gaps.min(0).max()))


@pytest.mark.usefixtures("strict_arrays")
@settings(max_examples=8, deadline=None)
@given(n_cells=st.integers(0, 30), seed=st.integers(0, 99))
def test_every_planted_cell_is_found_once_and_in_its_place(
    find: Finder, n_cells: int, seed: int
) -> None:
    places = planted_places(n_cells, seed)
    found = found_places(find, as_counts(planted_field(places, seed=seed)))
    assert len(found) == n_cells
    assert farthest(np.vstack([found, [[0, 0]]]), np.vstack([places, [[0, 0]]])) <= 1.5


@pytest.mark.parametrize("noise", [0.0, 1.0, 8.0, 40.0], ids=lambda n: f"sd{n:.0f}")
@pytest.mark.parametrize("level", [0.0, 300.0, 60000.0], ids=lambda n: f"level{n:.0f}")
def test_an_empty_field_holds_no_cell(find: Finder, noise: float, level: float) -> None:
    rng = np.random.default_rng(3)
    field = as_counts(level + rng.normal(0.0, noise, SHAPE).round())
    assert int(find(jnp.asarray(field)).n_cells) == 0


@pytest.mark.parametrize(
    "turn",
    [
        lambda a: a[:, ::-1],
        lambda a: a[:, :, ::-1],
        lambda a: a.transpose(0, 2, 1),
        lambda a: a[:, ::-1, ::-1],
    ],
    ids=["up-down", "left-right", "transposed", "half-turn"],
)
def test_a_turned_field_gives_turned_centres(find: Finder, turn: Turn) -> None:
    field = as_counts(planted_field(planted_places(20, 5)))
    at = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"))
    before = found_places(find, field)
    after = found_places(find, np.ascontiguousarray(turn(field)))
    # Where each turned centre came from, read off turned coordinate planes.
    near = np.round(after).astype(int)
    source = turn(at)[:, near[:, 0], near[:, 1]].T
    assert len(before) == len(after) == 20
    assert farthest(source, np.round(before)) <= 1.0


def test_a_shifted_field_gives_shifted_centres(find: Finder) -> None:
    field = as_counts(planted_field(planted_places(12, 8), noise=4.0))
    moved = np.roll(field, (4, -2), (1, 2))
    before, after = found_places(find, field), found_places(find, moved)
    np.testing.assert_allclose(
        ordered(after), ordered(before + np.array([4.0, -2.0])), atol=1e-2
    )


@pytest.mark.parametrize(("gain", "offset"), [(2, 0), (1, 1000), (3, 500)])
def test_gain_and_offset_do_not_change_the_count(
    find: Finder, gain: int, offset: int
) -> None:
    field = planted_field(planted_places(25, 2), noise=20.0, radius=5.0)
    places = found_places(find, as_counts(field))
    changed = found_places(find, as_counts(gain * field + offset))
    assert len(changed) == len(places)
    assert farthest(changed, places) <= 1e-2


def test_the_rim_does_not_count(find: Finder) -> None:
    places = np.array([[3, 100], [100, 236], [120, 120]])
    found = found_places(find, as_counts(planted_field(places, noise=4.0)))
    assert farthest(found, places[2:]) <= 1.0


def test_a_full_list_is_flagged_and_keeps_the_strongest() -> None:
    few = FinderSpec("centres", 0, 6.0, 3.0, 5, 32)
    find = make_finder(few, INTENSITY, SHAPE, "uint16")
    found = find(jnp.asarray(as_counts(planted_field(planted_places(9, 1)))))
    assert (int(found.n_cells), bool(found.at_capacity)) == (5, True)


def test_equal_neighbouring_peaks_are_one_cell(find: Finder) -> None:
    field = np.full(SHAPE, 100.0)
    field[0, 100:113, 90:110] = 400.0
    assert int(find(jnp.asarray(as_counts(field))).n_cells) == 1


def test_tiles_count_only_where_something_lies() -> None:
    spec = FinderSpec("tiles", 0, 2.0, 1.0, 64, 40)
    find = make_finder(spec, INTENSITY, SHAPE, "uint16")
    rng = np.random.default_rng(0)
    field = 500.0 + rng.normal(0.0, 5.0, SHAPE)
    empty = find(jnp.asarray(as_counts(field)))
    field[0, 85:115, 45:75] += rng.normal(0.0, 200.0, (30, 30))
    held = find(jnp.asarray(as_counts(field)))
    assert int(empty.n_cells) == 0
    places = np.asarray(held.centres)[np.asarray(held.valid)]
    np.testing.assert_array_equal(places, [[100.0, 60.0]])


def test_one_shape_compiles_once(find: Finder) -> None:
    first = jnp.asarray(as_counts(planted_field(planted_places(3, 0))))
    second = jnp.asarray(as_counts(planted_field(planted_places(9, 4))))
    find(first).image.block_until_ready()
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "compile" in event else None
    )
    find(second).image.block_until_ready()
    assert compiled == []


@pytest.mark.parametrize(
    ("shape", "dtype", "channel", "message"),
    [
        (SHAPE, "float32", 0, "a field is uint8 or uint16, not float32"),
        ((3, 240, 240), "uint16", 0, "the field has 3 channels"),
        (SHAPE, "uint16", 2, "look at channel 2"),
        ((2, 20, 240), "uint16", 0, "smaller than one crop of 32"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    shape: tuple[int, int, int], dtype: str, channel: int, message: str
) -> None:
    spec = FinderSpec("centres", channel, 6.0, 3.0, 96, 32)
    with pytest.raises(ValueError, match=message):
        make_finder(spec, INTENSITY, shape, dtype)


def test_another_field_shape_is_refused(find: Finder) -> None:
    with pytest.raises(ValueError, match="this finder takes uint16"):
        find(jnp.zeros((2, 100, 100), jnp.uint16))


@pytest.mark.parametrize(
    ("kinds", "scales", "message"),
    [
        (("fluorescence",), (1.0, 2.0), "one kind and one scale"),
        (("infrared",), (1.0,), "not \\['infrared'\\]"),
        (("transmitted",), (0.0,), "every scale must be above 0"),
    ],
)
def test_intensity_settings_that_mean_nothing_are_refused(
    kinds: tuple[str, ...], scales: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        IntensitySpec(kinds, scales)


@pytest.mark.real
def test_of_a_real_plate_exactly_the_two_empty_wells_hold_no_tile(
    shared_data: Path,
) -> None:
    spec = FinderSpec("tiles", 0, 16.0, 4.5, 64, 32, bin=2, stride_px=16)
    light = IntensitySpec(("transmitted", "fluorescence"), (0.1, 20.0))
    find = make_finder(spec, light, (2, 270, 270), "uint8")
    files = sorted((shared_data / "gastruloid_plate" / "images").glob("*.tif"))
    counts = {f.stem: int(find(jnp.asarray(tifffile.imread(f))).n_cells) for f in files}
    assert len(counts) == 96
    assert {name for name, count in counts.items() if count == 0} == {"04H", "08F"}
