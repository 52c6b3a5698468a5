"""How alike structures are, and a plane in which the alike lie close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh

Similarities = NDArray[np.float32]  # structure structure
_SMALL = 64  # below that the whole spectrum is cheaper


@dataclass(frozen=True)
class Plane:
    """Coordinates [structure axis] of principal coordinate analysis and the share of
    variance that each of the axes shows."""

    places: NDArray[np.float64]
    shares: tuple[float, float]


def tanimoto(fingerprints: Sequence[bytes]) -> Similarities:
    """Tanimoto similarity of every pair of bit fingerprints of equal length, 0 to 1; two
    without any bit are alike."""
    n_bytes = len(fingerprints[0]) if fingerprints else 1
    packed = np.frombuffer(b"".join(fingerprints), dtype=np.uint8)
    bits = np.unpackbits(packed.reshape(-1, n_bytes), axis=1)
    table = bits.astype(np.float32)  # counts to 2048 are exact
    shared = table @ table.T
    n = np.diagonal(shared)
    union = n[:, None] + n[None, :] - shared
    found: Similarities = np.ones_like(shared)
    np.divide(shared, union, out=found, where=union > 0)
    return found


def nearest(similar: Similarities) -> list[tuple[int, float]]:
    """Of every structure the row of the one most like it and their similarity; the first
    of several, [] where there is no other."""
    n = similar.shape[0]
    if n < 2:
        return []
    others = similar.copy()
    np.fill_diagonal(others, -1.0)
    rows = others.argmax(axis=1)
    found = others[np.arange(n), rows]
    return list(zip(rows.tolist(), found.tolist(), strict=True))


def plane(similar: Similarities) -> Plane:
    """Principal coordinates of similarities (Gower 1966): the two leading axes of J S J.

    With the distance sqrt(2 - 2 s) this is classical scaling. The Tanimoto kernel is
    positive semidefinite (Ralaivola 2005), so shares add up to 1. The sign of an axis is
    set by its largest coordinate, so equal runs give equal planes.
    """
    n = similar.shape[0]
    if n < 3:
        return Plane(np.zeros((n, 2)), (0.0, 0.0))
    centred = similar - similar.mean(axis=0, keepdims=True)
    centred -= centred.mean(axis=1, keepdims=True)
    total = float(np.trace(centred.astype(np.float64)))
    if total <= 1e-6:
        return Plane(np.zeros((n, 2)), (0.0, 0.0))
    values, vectors = _leading(centred)
    values = np.maximum(values, 0.0)
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), [0, 1]])
    first, second = (values / total).tolist()
    return Plane(vectors * signs * np.sqrt(values), (first, second))


def _leading(
    centred: Similarities,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two largest eigenvalues, falling, and their vectors."""
    n = centred.shape[0]
    if n <= _SMALL:
        values, vectors = eigh(
            centred.astype(np.float64), subset_by_index=[n - 2, n - 1]
        )
    else:
        # A start of its own: the default is drawn anew by every process.
        start = np.cos(np.arange(n, dtype=np.float32))
        values, vectors = eigsh(centred, k=2, which="LA", v0=start, tol=1e-5)
    order = np.argsort(-values)
    return values[order].astype(np.float64), vectors[:, order].astype(np.float64)
