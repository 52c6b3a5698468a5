"""What a scorer is asked for one field, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from screen.cell_centres import Centres
from screen.illumination import Gain


@dataclass(frozen=True)
class FieldScores:
    """One field's cells and measurements, on the host.

    ``y``, ``x`` [n] in full-resolution pixels; ``probability`` [n networks];
    ``profile`` [d] and ``embedding`` (network → [e]) are sums over the cells;
    ``measures`` holds one number a channel: background, mean, sd, focus, saturated,
    and where they were taken slope, local_variance, debris, span.
    """

    y: NDArray[np.float32]
    x: NDArray[np.float32]
    probability: NDArray[np.float32]
    profile: NDArray[np.float64]
    embedding: dict[str, NDArray[np.float64]]
    measures: dict[str, list[float]]
    codes: tuple[str, ...] = ()


class FieldScorer(Protocol):
    """What turns the pixels of one field [c y x] into its scores: an array, or of a
    large field a StoredField."""

    @property
    def threshold(self) -> float:
        """P(senescent) above which a cell counts as senescent."""

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels it reads, in its order."""

    def __call__(
        self,
        pixels: Any,
        networks: Sequence[str],
        *,
        illumination: Gain | None = None,
        centres: Centres | None = None,
    ) -> FieldScores: ...
