"""Two plain classifiers on hand-made features; both give P(positive) of the tested rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Table = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]
Scores = NDArray[np.float64]
Classifier = Callable[[Table, Labels, Table, int], Scores]

N_TREES = 200
INVERSE_PENALTY = 0.1  # scikit-learn's C, on standardised features


def forest_scores(taught: Table, labels: Labels, tested: Table, seed: int) -> Scores:
    """Random forest of 200 trees with balanced classes: P(label 1) f64[n tested]."""
    forest = RandomForestClassifier(
        N_TREES,
        min_samples_leaf=3,
        class_weight="balanced",
        random_state=seed,
        n_jobs=1,
    )
    return _positive(forest.fit(taught, labels), tested)


def logistic_scores(taught: Table, labels: Labels, tested: Table, seed: int) -> Scores:
    """Logistic regression on standardised features, L2, balanced classes: P(label 1)."""
    regression = make_pipeline(
        StandardScaler(),
        LogisticRegression(
            C=INVERSE_PENALTY,
            class_weight="balanced",
            max_iter=2000,
            random_state=seed,
        ),
    )
    return _positive(regression.fit(taught, labels), tested)


def _positive(fitted: Any, tested: Table) -> Scores:
    return np.asarray(fitted.predict_proba(tested)[:, 1], np.float64)


CLASSIFIERS: dict[str, Classifier] = {
    "forest": forest_scores,
    "logistic": logistic_scores,
}
