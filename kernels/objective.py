"""What training makes small."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from kernels.shapes import Labels, Scalar, Weights


def smoothed_targets(
    labels: Labels, n_classes: int, smoothing: float
) -> Float32[Array, "b n"]:
    """One-hot labels drawn towards the uniform by smoothing (0 to 1)."""
    hot = jax.nn.one_hot(labels, n_classes, dtype=jnp.float32)
    return hot * (1.0 - smoothing) + smoothing / n_classes


def cross_entropy(
    logits: Float32[Array, "b n"],
    labels: Labels,
    weights: Weights,
    *,
    smoothing: float = 0.0,
) -> Scalar:
    """Weighted mean of -sum q log p in nats; rows of weight 0 do not count.

    A minibatch whose weights are all 0 costs 0. Class weights enter through weights.
    """
    targets = smoothed_targets(labels, logits.shape[1], smoothing)
    each = -(targets * jax.nn.log_softmax(logits)).sum(1)
    safe = jnp.where(weights > 0.0, each, 0.0)
    return (safe * weights).sum() / jnp.maximum(weights.sum(), 1e-6)
