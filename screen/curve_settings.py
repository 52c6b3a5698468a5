"""The group of settings that says how responses over doses become curves."""

# ruff: noqa: RUF009 - key() returns a dataclass field, made once a class

from dataclasses import dataclass

from screen.groups import key

LOGISTICS = ("logistic3", "logistic4", "logistic5")
CURVE_MODELS = (*LOGISTICS, "gain_loss")


@dataclass
class CurveSettings:
    """Which curves may be drawn through a compound's doses, and when none is."""

    models: list[str] = key(
        ["logistic4", "gain_loss"],
        "curves to choose from: logistic3 (slope 1), logistic4, logistic5 (asymmetric),"
        " gain_loss (a bell; lets a series be cut at its peak)",
    )
    choice: str = key(
        "f_test",
        "f_test = a curve with more numbers must fit better at alpha; aic = the least"
        " AIC, corrected for few points",
        choices=("f_test", "aic"),
    )
    alpha: float = key(
        0.05,
        "a curve must beat no effect, or a simpler curve, at this p",
        low=0,
        high=1,
    )
    loss: str = key(
        "squares",
        "squares; or student = t with 4 degrees of freedom, which forgives wild wells"
        " but wants 20 or more of them",
        choices=("squares", "student"),
    )
    weights: str = key(
        "equal",
        "equal wells, or variance = doses whose replicates scatter more count less",
        choices=("equal", "variance"),
    )
    prior_df: float = key(
        8.0,
        "the vehicle wells' scatter joins that about the curve with at most this"
        " weight; 0 = not at all",
        "degrees of freedom",
        low=0,
        high=1000,
    )
    min_doses: int = key(
        4, "fewest doses of a curve; 10 in threefold steps are good", "doses", low=4
    )
    min_count: float = key(
        0.5,
        "a dose that leaves fewer cells is toxic: it and all higher ones are left out"
        " of the score's curve, not of the cell number's",
        "vehicle",
        low=0,
        high=1,
    )
    bell: str = key(
        "truncate",
        "a response that falls back: cut the doses beyond its peak, or refuse it",
        choices=("truncate", "refuse"),
    )
    bell_drop: float = key(
        0.3,
        "a bell has lost at least this share of its peak",
        "share",
        low=0.05,
        high=1,
    )

    def check(self) -> None:
        """Raise ValueError when a model is unknown, or none is left to name an EC50."""
        unknown = sorted(set(self.models) - set(CURVE_MODELS))
        if unknown:
            raise ValueError(
                f"curves.models has no {', '.join(unknown)}; there are"
                f" {', '.join(CURVE_MODELS)}"
            )
        if not set(self.models) & set(LOGISTICS):
            raise ValueError("curves.models needs one of " + ", ".join(LOGISTICS))
