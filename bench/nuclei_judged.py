"""What the nuclei bench says of scores: AUC, spread, calibration, and the best baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screen.evaluation import (
    GroupFold,
    auc,
    cross_fitted,
    expected_calibration_error,
    fit_platt,
    group_bootstrap,
    held_out_scores,
    paired_group_bootstrap,
)

INTACT_PX = 300  # a smaller nucleus is a fragment
DRAWS = 1000

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]
ByFold = list[Scores]  # the scores of each fold's tested rows


@dataclass(frozen=True)
class Case:
    """Crops of one question: what they are, where they come from, how they are split."""

    labels: Labels
    groups: tuple[str, ...]
    area_px: Scores
    folds: tuple[GroupFold, ...]

    @property
    def intact(self) -> NDArray[np.bool_]:
        """Whether each crop shows a nucleus and no fragment."""
        return np.asarray(self.area_px >= INTACT_PX, np.bool_)


def judged(
    case: Case, given: dict[str, ByFold], calibrated: Scores | None = None
) -> dict[str, Any]:
    """The figures of scorer `network` beside the best of all others, on all crops and
    on intact nuclei.

    ``calibrated`` are its probabilities f64[n]; without them those of each fold are
    calibrated on the held-out scores of the other folds.
    """
    every = np.ones(len(case.labels), bool)
    if calibrated is None:
        calibrated = _calibrated(case, given["network"])
    return _figures(case, given, calibrated, every) | {
        "intact": _figures(case, given, calibrated, case.intact),
        "by_image": _by_image(case, given["network"]),
    }


def _figures(
    case: Case, given: dict[str, ByFold], calibrated: Scores, kept: NDArray[np.bool_]
) -> dict[str, Any]:
    areas = {name: fold_aucs(case, scores, kept) for name, scores in given.items()}
    plain = {name: float(np.mean(a)) for name, a in areas.items() if name != "network"}
    best = max(plain, key=lambda name: plain[name])
    ours = areas["network"]
    known = kept & np.isfinite(calibrated)
    ahead = ours - areas[best]
    return {
        "auc": _round(np.mean(ours)),
        "range": [_round(ours.min()), _round(ours.max())],
        "sd": _round(ours.std(ddof=1)) if len(ours) > 1 else 0.0,
        "folds": np.round(ours, 4).tolist(),
        "baseline": best,
        "baseline_auc": _round(plain[best]),
        "baselines": {name: _round(value) for name, value in plain.items()},
        "ahead": np.round(ahead, 4).tolist(),
        "folds_ahead": [int((ahead > 0).sum()), len(ahead)],
        "ece": _round(
            expected_calibration_error(case.labels[known], calibrated[known])
        ),
        **_pooled(case, given["network"], given[best], kept),
    }


def fold_aucs(case: Case, scores: ByFold, kept: NDArray[np.bool_]) -> Scores:
    """The AUC of each fold among the tested rows that are kept."""
    return np.array(
        [
            auc(case.labels[f.tested[kept[f.tested]]], s[kept[f.tested]])
            for f, s in zip(case.folds, scores, strict=True)
        ]
    )


def _pooled(
    case: Case, network: ByFold, best: ByFold, kept: NDArray[np.bool_]
) -> dict[str, Any]:
    """AUC of all held-out scores together and its lead, with intervals of whole images;
    none where an image is tested in several folds or a label has too few images."""
    ours, theirs = (
        np.where(kept, held_out_scores(len(kept), case.folds, scores), np.nan)
        for scores in (network, best)
    )
    groups = case.groups
    own = group_bootstrap(auc, case.labels, ours, groups, n=DRAWS)
    lead = paired_group_bootstrap(auc, case.labels, ours, theirs, groups, n=DRAWS)
    return {"pooled": _told(own), "pooled_ahead": _told(lead)}


def _calibrated(case: Case, scores: ByFold) -> Scores:
    if len(case.folds) == 1:
        return held_out_scores(len(case.labels), case.folds, scores)
    held_out = held_out_scores(len(case.labels), case.folds, scores)
    return cross_fitted(fit_platt, case.labels, held_out, case.folds, scores)


def _by_image(case: Case, scores: ByFold) -> dict[str, list[float]]:
    """Of each senescent image: crops, share of fragments, and AUC against the cycling
    crops that were held out with it (mean over folds)."""
    found: dict[str, list[float]] = {}
    names = np.asarray(case.groups)
    for image in sorted(set(names[case.labels == 1])):
        own = names == image
        areas = []
        for fold, score in zip(case.folds, scores, strict=True):
            if own[fold.tested].any():
                seen = own[fold.tested] | (case.labels[fold.tested] == 0)
                areas.append(auc(case.labels[fold.tested][seen], score[seen]))
        if areas:
            share = float(1 - case.intact[own].mean())
            found[str(image)] = [int(own.sum()), _round(share), _round(np.mean(areas))]
    return found


def _told(interval: Any) -> list[float | None]:
    ends = (interval.value, interval.low, interval.high)
    return [None if x is None else _round(x) for x in ends]


def _round(x: float | np.floating[Any]) -> float:
    return round(float(x), 4)


def case_of(
    labels: Labels,
    groups: Sequence[str],
    area_px: Scores,
    folds: Sequence[GroupFold],
) -> Case:
    """The case of these rows."""
    return Case(labels, tuple(groups), area_px, tuple(folds))
