"""What a network with weights from elsewhere expects of its pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

FirstConv = Literal["refuse", "mean", "repeat"]


@dataclass(frozen=True)
class Preprocessing:
    """Crop values ``low`` and ``high`` become 0 and ``top``, then mean and sd leave.

    ``order`` says which of our channels is each channel that the network takes;
    ``mean`` and ``sd`` have an entry for each of those, in units of ``top``. ``kind``
    names the origin: torch, keras, own (a network of ours) or given (by the user).
    """

    kind: str
    order: tuple[int, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    top: float = 1.0
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        """Raise ValueError for unequal lengths, numbers that are none, sd or range of 0."""
        n = len(self.order)
        if not n or len(self.mean) != n or len(self.sd) != n:
            raise ValueError("order, mean and sd need one entry for each channel")
        if min(self.order) < 0 or max(self.order) >= n:
            raise ValueError(f"order names channels 0 to {n - 1}, not {self.order}")
        numbers = (*self.mean, *self.sd, self.top, self.low, self.high)
        if not all(map(isfinite, numbers)) or min(self.sd) <= 0 or self.top <= 0:
            raise ValueError("mean, sd and top must be finite, sd and top above 0")
        if self.low >= self.high:
            raise ValueError(f"low must be below high, not {self.low} and {self.high}")

    def as_dict(self) -> dict[str, Any]:
        """As a model file keeps it."""
        return {
            k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, text: Mapping[str, Any]) -> "Preprocessing":
        """From a model file; raises ValueError for unknown keys or values of another type."""
        if unknown := sorted(set(text) - set(cls.__dataclass_fields__)):
            raise ValueError(f"preprocessing has no {', '.join(unknown)}")
        try:
            return cls(
                str(text["kind"]),
                tuple(int(k) for k in text["order"]),
                tuple(float(v) for v in text["mean"]),
                tuple(float(v) for v in text["sd"]),
                **{k: float(text[k]) for k in ("top", "low", "high") if k in text},
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"preprocessing lacks or misnames {error}") from error

    def for_channels(self, n_channels: int, first_conv: FirstConv) -> "Preprocessing":
        """For images of another number of channels: all alike, or these in turn."""
        n = len(self.order)
        if n_channels == n:
            return self
        if first_conv == "refuse":
            raise ValueError(f"preprocessing is for {n} channels, not {n_channels}")
        own = tuple(range(n_channels))
        turn = [k % n for k in own]
        if first_conv == "mean":
            mean, sd = [sum(self.mean) / n] * n, [sum(self.sd) / n] * n
        else:
            mean, sd = list(self.mean), list(self.sd)
        return Preprocessing(
            self.kind,
            own,
            tuple(mean[k] for k in turn),
            tuple(sd[k] for k in turn),
            self.top,
            self.low,
            self.high,
        )


TORCH = Preprocessing("torch", (0, 1, 2), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""ImageNet as torchvision's weights saw it: red, green, blue in 0 to 1."""

KERAS = Preprocessing(
    "keras", (2, 1, 0), (103.939, 116.779, 123.68), (1.0, 1.0, 1.0), top=255.0
)
"""ImageNet as the VGG authors' weights saw it: blue, green, red in 0 to 255."""


def own(n_channels: int) -> Preprocessing:
    """That of our networks: crops as they are."""
    return Preprocessing(
        "own", tuple(range(n_channels)), (0.0,) * n_channels, (1.0,) * n_channels
    )


def prepared(
    crops: Float[Array, "b s s c"], spec: Preprocessing
) -> Float[Array, "b s s c"]:
    """Crops as the network expects them; raises ValueError for another channel count."""
    if crops.shape[3] != len(spec.order):
        raise ValueError(
            f"preprocessing is for {len(spec.order)} channels, not {crops.shape[3]}"
        )
    factor = [spec.top / (spec.high - spec.low) / sd for sd in spec.sd]
    pairs = zip(factor, spec.mean, spec.sd, strict=True)
    shift = [-spec.low * f - mean / sd for f, mean, sd in pairs]
    turned = jnp.stack([crops[..., k] for k in spec.order], axis=-1)
    scale = jnp.asarray(factor, crops.dtype)[None, None, None, :]
    return turned * scale + jnp.asarray(shift, crops.dtype)[None, None, None, :]
