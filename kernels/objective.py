"""What training makes small."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from kernels.networks.heads import HeadSpec
from kernels.shapes import Labels, Scalar, Weights

Logits = Float32[Array, "b n"]
Shares = Float32[Array, "b n"]
Targets = Labels | Shares | Weights
"""Class or grade of each row, its row of shares or likelihoods, or its measured value."""

Objective = Callable[[Logits, Targets, Weights], Scalar]
"""(logits, targets, weights) -> weighted mean loss; rows of weight 0 do not count."""

LEAST = 1e-7
"""Shares are kept this far from 0 before a logarithm: float32 has no smaller 1 - p."""


def smoothed_targets(
    labels: Labels, n_classes: int, smoothing: float
) -> Float32[Array, "b n"]:
    """One-hot labels drawn towards the uniform by smoothing (0 to 1)."""
    hot = jax.nn.one_hot(labels, n_classes, dtype=jnp.float32)
    return hot * (1.0 - smoothing) + smoothing / n_classes


def weighted_mean(each: Weights, weights: Weights) -> Scalar:
    """Mean loss of a minibatch; one whose weights are all 0 costs 0."""
    safe = jnp.where(weights > 0.0, each, 0.0)
    return (safe * weights).sum() / jnp.maximum(weights.sum(), 1e-6)


def cross_entropy(
    logits: Logits, labels: Labels, weights: Weights, *, smoothing: float = 0.0
) -> Scalar:
    """Weighted mean of -sum q log p in nats; rows of weight 0 do not count.

    A minibatch whose weights are all 0 costs 0. Class weights enter through weights.
    """
    targets = smoothed_targets(labels, logits.shape[1], smoothing)
    each = -(targets * jax.nn.log_softmax(logits)).sum(1)
    return weighted_mean(each, weights)


def border_cross_entropy(
    logits: Float32[Array, "b k"],
    grades: Labels,
    weights: Weights,
    *,
    smoothing: float = 0.0,
) -> Scalar:
    """Binary cross entropy of grade > 0, > 1 ... in nats, mean over the k borders.

    Frank and Hall, ECML 2001: n ordered grades are n - 1 yes-or-no questions.
    """
    borders = jnp.arange(logits.shape[1], dtype=jnp.int32)
    above = (grades[:, None] > borders[None, :]).astype(jnp.float32)
    above = above * (1.0 - smoothing) + smoothing / 2
    log_yes, log_no = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    each = -(above * log_yes + (1.0 - above) * log_no).mean(1)
    return weighted_mean(each, weights)


def squared_error(
    values: Float32[Array, "b 1"],
    targets: Weights,
    weights: Weights,
    *,
    huber: float = 0.0,
) -> Scalar:
    """Half the squared error; linear beyond ``huber`` (Huber 1964), 0 = nowhere linear."""
    error = jnp.abs(values[:, 0] - targets)
    each = 0.5 * jnp.square(error)
    if huber:
        each = jnp.where(error <= huber, each, huber * (error - 0.5 * huber))
    return weighted_mean(each, weights)


def forward_cross_entropy(
    logits: Logits, likelihoods: Shares, weights: Weights, *, smoothing: float = 0.0
) -> Scalar:
    """-log sum_k P(seen | k) P(k | x): loss against labels that are partly wrong.

    Row i of ``likelihoods`` is the column of the noise matrix of what was seen of crop
    i. The network itself then tells the true classes ("forward" correction: Patrini et
    al., CVPR 2017, theorem 2). ``smoothing`` is the share of cross entropy against the
    uniform.
    """
    log_p = jax.nn.log_softmax(logits)
    seen = jax.nn.logsumexp(log_p, axis=1, b=likelihoods)
    each = -(1.0 - smoothing) * seen - smoothing * log_p.mean(1)
    return weighted_mean(each, weights)


def bag_cross_entropy(
    logits: Logits,
    shares: Shares,
    weights: Weights,
    *,
    bag: int,
    smoothing: float = 0.0,
) -> Scalar:
    """Cross entropy of each bag's expected shares and its mean probabilities, in nats.

    Rows come ``bag`` at a time; all of a bag carry its shares. A row of weight 0 is no
    member; a bag counts by the mean weight of its members (learning from label
    proportions: the batch-averaged loss of Ardehaly and Culotta, ICDM
    Workshops 2017).
    """
    p = jax.nn.softmax(logits).reshape(-1, bag, logits.shape[1])
    member = weights.reshape(-1, bag)
    share = member / jnp.maximum(member.sum(1, keepdims=True), 1e-6)
    mean = jnp.clip((p * share[:, :, None]).sum(1), LEAST, 1.0)
    expected = shares.reshape(-1, bag, logits.shape[1])[:, 0]
    expected = expected * (1.0 - smoothing) + smoothing / logits.shape[1]
    each = -(expected * jnp.log(mean)).sum(1)
    n_members = (member > 0.0).astype(jnp.float32).sum(1)
    return weighted_mean(each, member.sum(1) / jnp.maximum(n_members, 1.0))


def objective_of(
    head: HeadSpec, *, smoothing: float = 0.0, huber: float = 0.0
) -> Objective:
    """What is made small under a head whose labels are taken as they are."""
    if head.kind == "classes":
        return partial(cross_entropy, smoothing=smoothing)
    if head.kind == "ordinal":
        return partial(border_cross_entropy, smoothing=smoothing)
    return partial(squared_error, huber=huber)
