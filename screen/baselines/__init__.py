"""Baselines: hand-made features and plain learners, shown beside every network."""

from screen.baselines.classifiers import CLASSIFIERS as CLASSIFIERS
from screen.baselines.classifiers import REGRESSORS as REGRESSORS
from screen.baselines.classifiers import SEVERAL_CLASSES as SEVERAL_CLASSES
from screen.baselines.classifiers import forest_scores as forest_scores
from screen.baselines.classifiers import logistic_scores as logistic_scores
from screen.baselines.hand_features import FEATURES as FEATURES
from screen.baselines.hand_features import hand_features as hand_features
from screen.baselines.picture_features import (
    picture_feature_names as picture_feature_names,
)
from screen.baselines.picture_features import picture_features as picture_features
