"""The order in which crops are looked at, and what is needed to go on with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Draw:
    """Rows of a minibatch; ``counts`` f32[batch] is 0 where a row only fills up."""

    rows: Rows
    counts: NDArray[np.float32] | None = None


class Order(ABC):
    """Minibatches of one shape without end, the same for the same generator."""

    def __init__(self, rng: np.random.Generator, n: int) -> None:
        """Permutes 0 to n - 1 again and again: nothing is left out, no part is short."""
        self._rng = rng
        self._n = n
        self._rest = np.zeros(0, np.int64)

    def _next(self, n: int) -> Rows:
        while len(self._rest) < n:
            self._rest = np.concatenate([self._rest, self._rng.permutation(self._n)])
        taken, self._rest = self._rest[:n], self._rest[n:]
        return taken

    @abstractmethod
    def draw(self) -> Draw:
        """The rows of the next minibatch."""

    def state(self) -> tuple[dict[str, Any], Rows]:
        """The generator's state, which JSON can hold, and what is left of a permutation."""
        return dict(self._rng.bit_generator.state), self._rest

    def go_on(self, generator: dict[str, Any], rest: Rows) -> None:
        """Take up an order where ``state`` was asked for."""
        self._rng.bit_generator.state = generator
        self._rest = np.asarray(rest, np.int64)


class CellOrder(Order):
    """Each minibatch holds ``batch`` crops, whatever they belong to."""

    def __init__(self, rng: np.random.Generator, n: int, batch: int) -> None:
        """Of n crops."""
        super().__init__(rng, n)
        self._batch = batch

    def draw(self) -> Draw:
        """The next rows of the permutation."""
        return Draw(self._next(self._batch))


class BagOrder(Order):
    """Each minibatch holds as many bags as fit, and of each bag ``bag`` random crops."""

    def __init__(
        self, rng: np.random.Generator, bags: NDArray[np.int64], batch: int, bag: int
    ) -> None:
        """``bags`` int[n] are numbered from 0 on."""
        self._members = [np.flatnonzero(bags == i) for i in range(int(bags.max()) + 1)]
        super().__init__(rng, len(self._members))
        self._n_bags, self._bag = batch // bag, bag

    def draw(self) -> Draw:
        """Crops of a small bag come again to fill it up, and then count nothing."""
        rows, counts = [], []
        for bag in self._next(self._n_bags):
            chosen = self._rng.permutation(self._members[bag])[: self._bag]
            rows.append(np.resize(chosen, self._bag))
            counts.append(np.arange(self._bag) < len(chosen))
        return Draw(np.concatenate(rows), np.concatenate(counts).astype(np.float32))
