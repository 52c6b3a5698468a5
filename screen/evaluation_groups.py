"""The settings of how crops are held out, judged and calibrated."""

from dataclasses import dataclass

from screen.groups import key


@dataclass
class EvaluationSettings:
    """Which groups of crops are held out together, and how scores are judged on them."""

    scheme: str = key(
        "auto",
        "groups held out: n_folds folds of whole groups; leave_one_out; pairs = one of"
        " each label, all sets; leave_k_out = n_sets sets of per_label of each label;"
        " auto = five folds where each label has five groups, else pairs",
        choices=("auto", "folds", "leave_one_out", "pairs", "leave_k_out"),
    )
    n_folds: int = key(5, "folds of scheme=folds", "folds", low=2, high=1000)
    per_label: int = key(
        2, "groups of each label in a set of scheme=leave_k_out", "groups", low=1
    )
    n_sets: int = key(55, "sets of scheme=leave_k_out", "sets", low=1, high=10000)
    leakage: str = key(
        "network",
        "what is also judged by a split of single crops, to show what that split hides:"
        " network (and baselines), baselines alone, or none",
        choices=("network", "baselines", "none"),
    )
    bins: int = key(10, "equal bins of the calibration error", "bins", low=2, high=1000)
    resamples: int = key(
        1000, "draws of whole groups behind an interval", "draws", low=100, high=100000
    )
    level: float = key(0.95, "coverage of an interval", "share", low=0.5, high=0.999)
    seed: int = key(0, "seed of sets, draws and the crop split", low=0, high=2**31 - 1)
