"""Losses by hand and by scikit-learn; schedules and rules by their own formulas."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from kernels.networks.heads import HeadSpec
from kernels.objective import (
    bag_cross_entropy,
    border_cross_entropy,
    cross_entropy,
    forward_cross_entropy,
    objective_of,
    squared_error,
)
from kernels.optimisers import OptimiserSpec, learning_rates, optimiser_of

pytestmark = pytest.mark.usefixtures("strict_arrays")
RNG = np.random.default_rng(0)


def logits(n: int, k: int) -> jax.Array:
    return jnp.asarray(RNG.normal(0, 2, (n, k)), jnp.float32)


def test_three_classes_are_scikit_learns_log_loss() -> None:
    z, labels = logits(20, 3), RNG.integers(0, 3, 20).astype(np.int32)
    weights = RNG.random(20).astype(np.float32)
    p = softmax(np.asarray(z, np.float64), axis=1)
    expected = log_loss(labels, p, sample_weight=weights)
    found = cross_entropy(z, jnp.asarray(labels), jnp.asarray(weights))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_grades_are_yes_or_no_at_each_border() -> None:
    z, grades = logits(30, 3), RNG.integers(0, 4, 30).astype(np.int32)
    weights = RNG.random(30).astype(np.float32)
    p = 1 / (1 + np.exp(-np.asarray(z, np.float64)))
    each = [
        log_loss(grades > k, p[:, k], sample_weight=weights, labels=[False, True])
        for k in range(3)
    ]
    found = border_cross_entropy(z, jnp.asarray(grades), jnp.asarray(weights))
    np.testing.assert_allclose(found, np.mean(each), rtol=1e-5)


@pytest.mark.parametrize(
    ("huber", "expected"),
    [(0.0, (0.5 * 0.25 + 3 * 0.5 * 16) / 4), (1.0, (0.125 + 3 * 3.5) / 4)],
)
def test_errors_are_squared_or_linear_beyond_huber(
    huber: float, expected: float
) -> None:
    values, weights = jnp.array([[1.5], [-2.0]]), jnp.array([1.0, 3.0])
    found = squared_error(values, jnp.array([1.0, 2.0]), weights, huber=huber)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_smoothing_by_hand_for_grades() -> None:
    loss = border_cross_entropy(
        jnp.log(jnp.array([[4.0]])), jnp.ones(1, jnp.int32), jnp.ones(1), smoothing=0.2
    )
    np.testing.assert_allclose(loss, -0.9 * np.log(0.8) - 0.1 * np.log(0.2), rtol=1e-5)


def test_labels_that_are_certain_need_no_correction() -> None:
    z, labels = logits(9, 3), jnp.asarray(RNG.integers(0, 3, 9), jnp.int32)
    sure = jnp.eye(3)[labels]
    for smoothing in (0.0, 0.3):
        plain = cross_entropy(z, labels, jnp.ones(9), smoothing=smoothing)
        found = forward_cross_entropy(z, sure, jnp.ones(9), smoothing=smoothing)
        np.testing.assert_allclose(found, plain, rtol=1e-5)


def test_the_corrected_loss_is_that_of_what_was_seen() -> None:
    # 30 % of class 0 are labelled 1: P(1 | x) = P(c1 | x) + 0.3 P(c0 | x).
    z = jnp.log(jnp.array([[0.8, 0.2], [0.4, 0.6]]))
    rows = jnp.array([[0.3, 1.0], [0.7, 0.0]])
    expected = (-np.log(0.2 + 0.3 * 0.8) - np.log(0.7 * 0.4)) / 2
    found = forward_cross_entropy(z, rows, jnp.ones(2))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    slope = jax.jit(jax.grad(lambda x: forward_cross_entropy(x, rows, jnp.ones(2))))(z)
    assert bool(jnp.isfinite(slope).all())


def test_a_bag_is_judged_by_its_mean() -> None:
    z = jnp.log(jnp.array([[0.9, 0.1], [0.3, 0.7], [0.8, 0.2], [0.5, 0.5]]))
    shares = jnp.array([[0.6, 0.4], [0.6, 0.4], [1.0, 0.0], [1.0, 0.0]])
    weights = jnp.array([1.0, 1.0, 3.0, 0.0])
    first = -0.6 * np.log(0.6) - 0.4 * np.log(0.4)
    expected = (first + 3 * -np.log(0.8)) / 4
    found = bag_cross_entropy(z, shares, weights, bag=2)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_sure_and_wrong_bag_costs_much_but_not_infinitely() -> None:
    z = jnp.tile(jnp.array([[200.0, -200.0]]), (2, 1))
    shares = jnp.tile(jnp.array([[0.0, 1.0]]), (2, 1))
    loss, slope = jax.value_and_grad(
        lambda x: bag_cross_entropy(x, shares, jnp.ones(2), bag=2)
    )(z)
    assert 10 < float(loss) < 20
    assert bool(jnp.isfinite(slope).all())


@pytest.mark.parametrize(
    ("head", "targets"),
    [
        (HeadSpec("classes", 3), np.zeros(4, np.int32)),
        (HeadSpec("ordinal", 3), np.zeros(4, np.int32)),
        (HeadSpec("regression", 1), np.zeros(4, np.float32)),
    ],
)
def test_rows_of_weight_zero_never_count(head: HeadSpec, targets: Any) -> None:
    z, weights = logits(4, head.n_out), jnp.array([1.0, 1.0, 0.0, 0.0])
    cost = objective_of(head)
    wild = z.at[2:].set(jnp.inf)
    plain = cost(z, jnp.asarray(targets), weights)
    np.testing.assert_array_equal(cost(wild, jnp.asarray(targets), weights), plain)
    assert float(cost(z, jnp.asarray(targets), jnp.zeros(4))) == 0.0


def rates(**given: Any) -> np.ndarray:
    schedule = learning_rates(OptimiserSpec(rate=0.1, **given), 100)
    return np.array([float(schedule(i)) for i in range(100)])


def test_a_cosine_rises_in_its_warm_up_and_falls_to_nothing() -> None:
    found = rates(schedule="cosine", warmup=0.1)
    np.testing.assert_allclose(found[:11], np.linspace(0, 0.1, 11), rtol=1e-5)
    later = 0.05 * (1 + np.cos(np.pi * np.arange(90) / 90))
    np.testing.assert_allclose(found[10:], later, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"rule": "sgd"}, [0.1, 0.1, 0.1, 0.1]),
        ({"schedule": "constant", "warmup": 0.0}, [0.1, 0.1, 0.1, 0.1]),
        ({"schedule": "constant", "warmup": 0.1}, [0.0, 0.1, 0.1, 0.1]),
        ({"schedule": "step", "warmup": 0.1}, [0.0, 0.1, 0.01, 0.001]),
        ({"schedule": "step", "warmup": 0.0}, [0.1, 0.1, 0.01, 0.001]),
    ],
)
def test_schedules_at_four_places(given: dict[str, Any], expected: list[float]) -> None:
    np.testing.assert_allclose(rates(**given)[[0, 49, 51, 76]], expected, rtol=1e-5)


def test_a_cosine_may_begin_at_once() -> None:
    found = 0.05 * (1 + np.cos(np.pi * np.arange(100) / 100))
    expected = rates(schedule="cosine", warmup=0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_by_hand(nesterov: bool) -> None:
    spec = OptimiserSpec("sgd", 0.1, momentum=0.9, nesterov=nesterov, clip_norm=0.0)
    rule, slope = optimiser_of(spec, 2), jnp.array([2.0])
    state = rule.init(slope)
    first, state = rule.update(slope, state)
    second, _ = rule.update(slope, state)
    # v1 = g, v2 = 1.9 g; with Nesterov the step is g + 0.9 v.
    expected = [-0.38, -0.542] if nesterov else [-0.2, -0.38]
    np.testing.assert_allclose([first[0], second[0]], expected, rtol=1e-5)


def test_a_long_gradient_is_cut_to_the_norm() -> None:
    spec = OptimiserSpec("sgd", 1.0, clip_norm=5.0)
    rule, slope = optimiser_of(spec, 1), jnp.array([30.0, 40.0])
    change, _ = rule.update(slope, rule.init(slope))
    np.testing.assert_allclose(change, [-3.0, -4.0], rtol=1e-5)


@pytest.mark.parametrize("n_steps", [1, 2, 3, 20, 140, 999])
def test_few_steps_have_a_schedule_too(n_steps: int) -> None:
    for schedule in ("cosine", "step", "constant"):
        spec = OptimiserSpec(rate=0.1, schedule=schedule)
        found = [float(learning_rates(spec, n_steps)(i)) for i in range(n_steps)]
        assert np.isfinite(found).all()
        assert max(found) <= 0.1 + 1e-7
