"""What networks said of the cells of one field, gathered from micro-batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kernels.scorer import ScoredBatch


class ScoredCells:
    """Probabilities [n k] of ``n_cells`` cells by ``n_networks`` networks, and the sums
    over cells of profile [d] and of each network's embedding [e], in double precision:
    0 where no cell was scored."""

    def __init__(self, n_cells: int, n_networks: int) -> None:
        """Nothing is scored yet."""
        # By network, so that sums over cells run along memory: numpy then adds pairwise.
        self.probability = np.zeros((n_networks, n_cells), np.float32).T
        self._profile: Any = 0
        self._embedding: list[Any] = [0] * n_networks

    def add(self, batch: ScoredBatch, cells: NDArray[np.intp]) -> None:
        """Take in a batch that is on the host, whose first rows are these cells."""
        self.probability[cells] = batch.probability.T[: len(cells)]
        self._profile = self._profile + np.asarray(batch.profile, float).sum(axis=0)
        for k, vectors in enumerate(batch.embedding):
            summed = np.asarray(vectors, float).sum(axis=0)
            self._embedding[k] = self._embedding[k] + summed

    @property
    def profile(self) -> NDArray[np.float64]:
        """Sum of the cells' profiles [d]."""
        return np.asarray(self._profile)

    def embedding(self, networks: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Sum of the cells' embeddings [e] by the first of the networks, by name."""
        named = zip(networks, self._embedding, strict=False)
        return {name: np.asarray(summed) for name, summed in named}
