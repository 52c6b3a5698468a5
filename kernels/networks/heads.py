"""What a network's last numbers mean: classes, ordered grades or one measured value."""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclass(frozen=True)
class HeadSpec:
    """``n`` classes, ``n`` ordered grades, or one value (``n`` is 1).

    Two classes are the binary case: 0 is healthy, 1 is senescent. Ordered grades have
    n - 1 logits, one for each border, of P(grade > k); borders share the slope only
    in so far as the network learns it (Frank and Hall, ECML 2001).
    """

    kind: Literal["classes", "ordinal", "regression"] = "classes"
    n: int = 2

    def __post_init__(self) -> None:
        """Raise ValueError for fewer than two classes or grades, or several values."""
        if self.kind == "regression" and self.n != 1:
            raise ValueError(f"a regression head gives one value, not {self.n}")
        if self.kind != "regression" and self.n < 2:
            raise ValueError(f"a head of {self.kind} needs two or more, not {self.n}")

    @property
    def n_out(self) -> int:
        """Numbers that the network's last layer gives."""
        return self.n - 1 if self.kind == "ordinal" else self.n


BINARY = HeadSpec()


def read_out(head: HeadSpec, logits: Float[Array, "b o"]) -> Float[Array, "b n"]:
    """Probabilities of classes or grades (rows sum to 1), or the value itself [b 1].

    Of grades: P(k) = P(> k - 1) - P(> k), where P(> k) is kept from rising with k.
    """
    if head.kind == "regression":
        return logits
    if head.kind == "classes":
        return jax.nn.softmax(logits)
    above = jax.lax.cummin(jax.nn.sigmoid(logits), axis=1)
    ones, zeros = jnp.ones_like(above[:, :1]), jnp.zeros_like(above[:, :1])
    steps = jnp.concatenate([ones, above, zeros], axis=1)
    return steps[:, :-1] - steps[:, 1:]
