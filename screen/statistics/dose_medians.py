"""Doses by the median of their wells, where one stray replicate should count no more than another."""

from dataclasses import replace

import numpy as np

from screen.statistics.dose_errors import Means, Wells
from screen.statistics.medians import median_variance


def as_medians(means: Means, wells: Wells) -> Means:
    """The doses' means replaced by medians of their wells, all wells alike.

    A median of n normal wells varies more than their mean (by pi / 2 for many, not at
    all for two): the wells' own part of the variance grows so. What wells share, their
    anchors and places, counts as in the mean.
    """
    order = np.lexsort((wells.values, wells.dose))
    n = means.n.astype(np.int64)
    first = np.cumsum(n) - n
    some = n > 0
    low, high = (first + np.maximum(k, 0) for k in ((n - 1) // 2, n // 2))
    ordered = np.append(wells.values[order], np.nan)  # no well at all
    low, high = (np.where(some, k, ordered.size - 1) for k in (low, high))
    factor = n * median_variance(np.maximum(n, 1))
    return replace(
        means,
        mean=(ordered[low] + ordered[high]) / 2,
        own=np.where(some, means.own * factor, np.nan),
    )
