"""The one convolution: the library's numbers and slopes, by products of matrices."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from kernels.networks import build, columns, convolution, winograd
from kernels.networks.convolution import convolve, max_pool

pytestmark = pytest.mark.usefixtures("strict_arrays")
Conv = Callable[[jax.Array, jax.Array], jax.Array]

SHAPES = [
    # kernel, stride, padding, rows, columns, in, out
    (3, 1, 1, 9, 8, 16, 17),
    (3, 1, "VALID", 8, 11, 20, 16),
    (3, 1, "SAME", 3, 5, 16, 16),
    (3, 1, 1, 9, 8, 3, 16),
    (3, 1, "VALID", 8, 10, 8, 5),
    (5, 1, "SAME", 7, 6, 2, 3),
    (3, 1, 1, 9, 7, 3, 16),  # no pairs in a row
    (3, 2, 1, 9, 8, 5, 4),
    (3, 2, "SAME", 9, 8, 5, 4),
    (1, 1, 0, 7, 6, 5, 4),
    (1, 2, 0, 7, 6, 5, 4),
    (7, 2, 3, 15, 12, 3, 4),
    (2, 3, 0, 10, 9, 3, 2),
    # kernels larger than what they make
    (3, 1, 1, 2, 3, 40, 40),
    (3, 2, 1, 4, 3, 40, 48),
    (3, 3, "SAME", 4, 5, 40, 40),
]


def drawn(*shape: int, seed: int = 0) -> jax.Array:
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(0.0, 1.0, shape), jnp.float32)


def library(stride: int, padding: str | int) -> Conv:
    """What JAX itself calls this convolution."""
    rim = padding if isinstance(padding, str) else [(padding, padding)] * 2
    names = ("NHWC", "HWIO", "NHWC")
    return lambda x, k: lax.conv_general_dilated(
        x, k, (stride, stride), rim, dimension_numbers=names
    )


def ours(stride: int, padding: Any) -> Conv:
    return lambda x, k: convolve(x, k, stride=stride, padding=padding)


def with_slopes(conv: Conv, x: jax.Array, kernel: jax.Array) -> list[jax.Array]:
    """The result, and the slopes by picture and by kernel along a fixed direction."""

    @jax.jit
    def both(x: jax.Array, kernel: jax.Array) -> list[jax.Array]:
        found, back = jax.vjp(conv, x, kernel)
        direction = jnp.cos(jnp.arange(found.size, dtype=jnp.float32))
        return [found, *back(direction.reshape(found.shape).astype(found.dtype))]

    found: list[jax.Array] = both(x, kernel)
    return found


def assert_close(found: jax.Array, expected: jax.Array, part: float = 1e-5) -> None:
    assert found.shape == expected.shape
    most = float(jnp.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=part * most)


@pytest.mark.parametrize("case", SHAPES, ids=lambda case: "-".join(map(str, case)))
def test_values_and_slopes_are_the_librarys(case: Any) -> None:
    side, stride, padding, y, w, c, d = case
    x, kernel = drawn(24, y, w, c), drawn(side, side, c, d, seed=1)
    found = with_slopes(ours(stride, padding), x, kernel)
    expected = with_slopes(library(stride, padding), x, kernel)
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


@pytest.mark.parametrize(("c", "stride"), [(16, 1), (4, 1), (4, 2)])
def test_groups_that_do_not_divide_the_pictures_change_nothing(
    c: int, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, kernel = drawn(5, 10, 9, c), drawn(3, 3, c, 16, seed=1)
    expected = with_slopes(library(stride, 1), x, kernel)
    monkeypatch.setattr(winograd, "CACHE_BYTES", 1 << 17)
    monkeypatch.setattr(winograd, "FEWEST_TILES", 1)
    monkeypatch.setattr(columns, "CACHE_BYTES", 1 << 15)
    monkeypatch.setattr(columns, "FEWEST_ROWS", 1)
    found = with_slopes(ours(stride, 1), x, kernel)
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


seeds = st.integers(0, 2**32 - 1)
CASES = {
    "transforms": (16, 1, 1),
    "columns": (3, 2, 1),
    "pairs": (3, 1, 1),
    "valid": (16, 1, 0),
}
FORWARD = {
    name: jax.jit(ours(stride, padding)) for name, (_, stride, padding) in CASES.items()
}
cases = st.sampled_from(sorted(CASES))


@settings(max_examples=20, deadline=None)
@given(cases, seeds, st.floats(-3, 3, width=32))
def test_a_sum_of_pictures_gives_the_sum_of_results(
    name: str, seed: int, gain: float
) -> None:
    c, conv = CASES[name][0], FORWARD[name]
    x, other, kernel = (
        drawn(*shape, seed=seed + i)
        for i, shape in enumerate([(16, 8, 8, c), (16, 8, 8, c), (3, 3, c, 16)])
    )
    scale = jnp.float32(gain)
    expected = conv(x, kernel) + scale * conv(other, kernel)
    found = conv(x + scale * other, kernel)
    np.testing.assert_allclose(found, expected, atol=2e-4)


@settings(max_examples=20, deadline=None)
@given(cases, st.integers(3, 4), st.integers(3, 4), seeds)
def test_one_bright_pixel_draws_the_kernel_turned(
    name: str, row: int, column: int, seed: int
) -> None:
    c, stride, padding = CASES[name]
    kernel = drawn(3, 3, c, 16, seed=seed)
    x = jnp.zeros((16, 8, 8, c)).at[1, row, column, 2].set(1.0)
    found = np.asarray(FORWARD[name](x, kernel))
    expected = np.zeros_like(found)
    for i in range(3):
        for j in range(3):
            u, v = row + padding - i, column + padding - j
            if u % stride == 0 and v % stride == 0:
                expected[1, u // stride, v // stride] = kernel[i, j, 2]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(cases, seeds)
def test_no_picture_reads_another(name: str, seed: int) -> None:
    c, conv = CASES[name][0], FORWARD[name]
    x, kernel = drawn(16, 8, 8, c, seed=seed), drawn(3, 3, c, 16, seed=1)
    order = np.random.default_rng(seed).permutation(16)
    np.testing.assert_array_equal(conv(x, kernel)[order], conv(x[order], kernel))


def test_the_same_input_gives_the_same_bytes() -> None:
    x, kernel = drawn(5, 12, 12, 16), drawn(3, 3, 16, 16, seed=1)
    one, other = (with_slopes(ours(1, 1), x, kernel) for _ in range(2))
    assert [part.tobytes() for part in map(np.asarray, one)] == [
        part.tobytes() for part in map(np.asarray, other)
    ]


@pytest.mark.parametrize("stride", [1, 2])
def test_half_precision_stays_and_is_near(stride: int) -> None:
    x, kernel = drawn(2, 8, 8, 16), drawn(3, 3, 16, 16, seed=1)
    half = with_slopes(ours(stride, 1), *(v.astype(jnp.bfloat16) for v in (x, kernel)))
    assert {part.dtype for part in half} == {jnp.dtype(jnp.bfloat16)}
    for one, other in zip(half, with_slopes(ours(stride, 1), x, kernel), strict=True):
        assert_close(one.astype(jnp.float32), other, 2e-2)


def test_slopes_can_be_mapped_and_pushed_forward() -> None:
    x, kernel = drawn(2, 3, 8, 8, 16), drawn(3, 3, 16, 16, seed=1)

    def slope(conv: Conv) -> Callable[[jax.Array], jax.Array]:
        return jax.grad(lambda x: (conv(x, kernel) ** 3).sum())

    mine, other = slope(ours(1, 1)), slope(library(1, 1))
    assert_close(jax.vmap(mine)(x), jax.vmap(other)(x))
    pushed, expected = (jax.jvp(f, (x[0],), (x[1],))[1] for f in (mine, other))
    assert_close(pushed, expected)


def test_every_platform_but_the_cpu_takes_the_librarys_convolution() -> None:
    x, kernel = drawn(2, 8, 8, 16), drawn(3, 3, 16, 16, seed=1)
    learn = jax.jit(jax.grad(lambda k: (convolve(x, k) ** 2).sum()))
    told = {
        name: jax.export.export(learn, platforms=[name])(kernel).mlir_module()
        for name in ("cpu", "cuda", "tpu")
    }
    assert [name for name in told if "stablehlo.convolution" in told[name]] == [
        "cuda",
        "tpu",
    ]
    both = jax.export.export(learn, platforms=["cpu", "cuda", "tpu"])(kernel)
    assert both.platforms == ("cpu", "cuda", "tpu")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"stride": 0}, "stride must be 1 or more, not 0"),
        (
            {"padding": "VALID"},
            r"picture of \(4, 4\) pixels is smaller than its kernel",
        ),
    ],
)
def test_what_cannot_be_convolved_is_refused(keywords: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        convolve(drawn(1, 4, 4, 2), drawn(5, 5, 2, 2), **keywords)


@pytest.mark.parametrize(
    ("side", "stride", "padding", "y", "w"),
    [(2, 2, 0, 8, 9), (3, 2, 1, 9, 8), (3, 3, 0, 9, 10), (3, 1, 1, 4, 5)],
)
def test_pools_are_the_librarys(
    side: int, stride: int, padding: int, y: int, w: int
) -> None:
    x = drawn(2, y, w, 3)
    rims = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    window, steps = (1, side, side, 1), (1, stride, stride, 1)

    def expected(x: jax.Array) -> jax.Array:
        pooled: jax.Array = lax.reduce_window(x, -jnp.inf, lax.max, window, steps, rims)
        return pooled

    def found(x: jax.Array) -> jax.Array:
        return max_pool(x, side, stride, padding)

    np.testing.assert_array_equal(found(x), expected(x))
    one, other = (
        jax.vjp(pool, x)[1](jnp.sin(2.0 + pool(x)))[0] for pool in (found, expected)
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "crop_px"),
    [
        ("sesmo", 30),
        pytest.param("vgg16", 40, marks=pytest.mark.long),
        pytest.param("resnet18", 40, marks=pytest.mark.long),
    ],
)
def test_whole_networks_are_those_of_the_library(
    name: str, crop_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network: Any = build(name, 3, crop_px, key=jax.random.key(0), width=0.5)
    crops = drawn(6, crop_px, crop_px, 3)
    found = jax.jit(lambda x: network(x))(crops)
    monkeypatch.setattr(convolution, "_products", convolution._library)
    assert_close(found, jax.jit(lambda x: network(x))(crops))
