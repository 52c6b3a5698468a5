"""How well a network tells the two kinds of control wells it never saw apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def judge(
    probability: NDArray[np.float32],
    labels: NDArray[np.int64],
    wells: NDArray[np.int64],
) -> dict[str, Any]:
    """AUC by cells and by wells (mean probability of each), with the wells' means.

    ``labels`` are those of the wells, so a perfect network does not reach 1 by cells:
    a stressed well holds healthy cells too. None where a kind is absent.
    """
    from sklearn.metrics import roc_auc_score

    if len(set(labels.tolist())) < 2:
        return {"cell_auc": None, "well_auc": None, "window": None, "n_held_out": 0}
    names, first = np.unique(wells, return_index=True)
    p = probability.astype(np.float64)
    means = np.asarray([p[wells == name].mean() for name in names])
    kinds = labels[first]
    return {
        "cell_auc": float(roc_auc_score(labels, p)),
        "well_auc": float(roc_auc_score(kinds, means)),
        "window": float(means[kinds == 1].mean() - means[kinds == 0].mean()),
        "n_held_out": len(names),
    }
