"""Baselines: hand-made features and plain classifiers, shown beside every network."""

from screen.baselines.classifiers import CLASSIFIERS as CLASSIFIERS
from screen.baselines.classifiers import forest_scores as forest_scores
from screen.baselines.classifiers import logistic_scores as logistic_scores
from screen.baselines.hand_features import FEATURES as FEATURES
from screen.baselines.hand_features import hand_features as hand_features
