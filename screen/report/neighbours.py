"""The nearest compounds: by structure, and by what the cells look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_NEAREST = 6
MOST = 5_000  # compounds that are asked for theirs; among all
_BLOCK = 512
Matrix = NDArray[np.float32]
Nearest = list[list[tuple[int, float]]]


def by_structure(fingerprints: Sequence[bytes | None], n: int = N_NEAREST) -> Nearest:
    """Of every compound the ``n`` of greatest Tanimoto similarity as (index, similarity).

    Shared bits over all bits (Tanimoto 1957, of Morgan fingerprints); none for a
    compound without one. Ties go to the lower index; similarity 0 is no neighbour.
    """
    nearest: Nearest = [[] for _ in fingerprints]
    known = np.array([i for i, f in enumerate(fingerprints) if f is not None], np.int64)
    if known.size < 2:
        return nearest
    joined = b"".join(f for f in fingerprints if f is not None)
    packed = np.frombuffer(joined, np.uint8).reshape(known.size, -1)
    bits = np.unpackbits(packed, axis=1).astype(np.float32)
    total = bits.sum(1)
    for start in range(0, min(known.size, MOST), _BLOCK):
        rows = slice(start, start + _BLOCK)
        shared = bits[rows] @ bits.T
        either = total[rows, None] + total[None] - shared
        similarity = shared / np.maximum(either, 1)
        _keep(nearest, similarity, known, start, n)
    return nearest


def by_profile(profiles: Matrix, n: int = N_NEAREST) -> Nearest:
    """Of every row [compound feature] the ``n`` of greatest cosine; a row with NaN, or
    of zeros, has and is no neighbour."""
    nearest: Nearest = [[] for _ in profiles]
    length = np.linalg.norm(profiles, axis=1)
    known = np.flatnonzero(np.isfinite(length) & (length > 0))
    unit = profiles[known] / length[known, None]
    for start in range(0, min(known.size, MOST), _BLOCK):
        cosine = unit[start : start + _BLOCK] @ unit.T
        _keep(nearest, cosine, known, start, n)
    return nearest


def _keep(
    nearest: Nearest, similarity: Matrix, known: NDArray[np.int64], start: int, n: int
) -> None:
    """Enter the best of a block of rows, which begins at ``start``."""
    own = np.arange(len(similarity))
    similarity[own, start + own] = -np.inf
    few = min(n, similarity.shape[1] - 1)
    best = np.argpartition(-similarity, few, axis=1)[:, : few + 1]
    for row, found in enumerate(best):
        columns = sorted(found, key=lambda c: (-similarity[row, c], c))[:few]
        nearest[known[start + row]] = [
            (int(known[c]), round(float(similarity[row, c]), 3))
            for c in columns
            if similarity[row, c] > 0
        ]


PLAIN = ("rescue", "robust_z", "relative_count", "n_sen_ratio", "n_non_ratio")


def plain_profiles(rows: Sequence[dict[str, Any]]) -> Matrix:
    """Effect and cell numbers of compounds, each less its median over 1.4826 MAD.

    Ratios as logarithms. What no compound has is left out; a compound that lacks one of
    the others is all NaN.
    """
    columns = list[NDArray[np.float64]]()
    for name in PLAIN:
        values = np.array(
            [np.nan if r[name] is None else r[name] for r in rows], np.float64
        )
        if name.endswith(("count", "ratio")):
            values = np.log(np.maximum(values, 0.01))
        if np.isfinite(values).any():
            columns.append(standardised(values))
    if not columns:
        return np.full((len(rows), 1), np.nan, np.float32)
    return np.stack(columns, axis=1).astype(np.float32)


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values less their median, over 1.4826 times their median absolute deviation."""
    centre = np.nanmedian(values, axis=0)
    width = 1.4826 * np.nanmedian(np.abs(values - centre), axis=0)
    return np.asarray((values - centre) / np.where(width > 0, width, 1.0))
