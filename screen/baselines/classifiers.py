"""Plain learners on hand-made features: a forest and a linear one, for every head."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Table = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]
Values = NDArray[np.float64]
Scores = NDArray[np.float64]
Classifier = Callable[[Table, Labels, Table, int], Scores]
Regressor = Callable[[Table, Values, Table, int], Scores]

N_TREES = 200
INVERSE_PENALTY = 0.1  # scikit-learn's C, on standardised features
RIDGE_PENALTY = 10.0  # scikit-learn's alpha, on standardised features


def forest_classes(taught: Table, labels: Labels, tested: Table, seed: int) -> Scores:
    """Random forest of 200 trees with balanced classes: f64[n k] of the k labels."""
    forest = RandomForestClassifier(
        N_TREES,
        min_samples_leaf=3,
        class_weight="balanced",
        random_state=seed,
        n_jobs=1,
    )
    return _probabilities(forest.fit(taught, labels), tested)


def logistic_classes(taught: Table, labels: Labels, tested: Table, seed: int) -> Scores:
    """Logistic regression on standardised features, L2, balanced classes, of several
    labels the multinomial one: f64[n k]."""
    regression = make_pipeline(
        StandardScaler(),
        LogisticRegression(
            C=INVERSE_PENALTY,
            class_weight="balanced",
            max_iter=2000,
            random_state=seed,
        ),
    )
    return _probabilities(regression.fit(taught, labels), tested)


def forest_scores(taught: Table, labels: Labels, tested: Table, seed: int) -> Scores:
    """P(label 1) f64[n tested] of the forest."""
    return forest_classes(taught, labels, tested, seed)[:, 1]


def logistic_scores(taught: Table, labels: Labels, tested: Table, seed: int) -> Scores:
    """P(label 1) f64[n tested] of the logistic regression."""
    return logistic_classes(taught, labels, tested, seed)[:, 1]


def forest_values(taught: Table, values: Values, tested: Table, seed: int) -> Scores:
    """Values f64[n tested] by a random forest of 200 trees."""
    forest = RandomForestRegressor(
        N_TREES, min_samples_leaf=3, max_features=1 / 3, random_state=seed, n_jobs=1
    )
    return np.asarray(forest.fit(taught, values).predict(tested), np.float64)


def ridge_values(taught: Table, values: Values, tested: Table, seed: int) -> Scores:
    """Values f64[n tested] by ridge regression on standardised features."""
    ridge = make_pipeline(StandardScaler(), Ridge(RIDGE_PENALTY, random_state=seed))
    return np.asarray(ridge.fit(taught, values).predict(tested), np.float64)


def _probabilities(fitted: Any, tested: Table) -> Scores:
    return np.asarray(fitted.predict_proba(tested), np.float64)


CLASSIFIERS: dict[str, Classifier] = {
    "forest": forest_scores,
    "logistic": logistic_scores,
}
"""By name, P(label 1) f64[n]."""

SEVERAL_CLASSES: dict[str, Classifier] = {
    "forest": forest_classes,
    "logistic": logistic_classes,
}
"""By name, the probability of each label f64[n k]."""

REGRESSORS: dict[str, Regressor] = {"forest": forest_values, "ridge": ridge_values}
"""By name, values f64[n]."""
