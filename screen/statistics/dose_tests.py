"""The tests of a call: every dose against no effect, and one p for a compound over its doses."""

import numpy as np
import polars as pl

from screen.statistics.dose_family import family_p
from screen.statistics.noise import UNIT, Noise
from screen.statistics.position import FIXED
from screen.statistics.robust import Floats
from screen.statistics.tails import tailed_p, tailed_quantile
from screen.statistics.well_places import numbers

SHIFT = ("t_shift", "df_shift", "tail_shift", "rho")


def dose_tests(doses: pl.DataFrame, noise: Noise | None, level: float) -> pl.DataFrame:
    """The dose table with t, p, t_count, p_count, p_moved, p_moved_count and the interval of the effect; null where no noise is known.

    p_moved and p_moved_count are what p and p_count would be, had the replicates not lain in the same wells.
    """
    found = {
        c: numbers(doses, c)
        for c in (
            "effect",
            "se",
            "se_null",
            "se_moved",
            "df",
            "log_count",
            "se_log_count",
            "se_moved_count",
            "df_count",
            "tail",
            "tail_count",
        )
    }
    t = _ratio(found["effect"], found["se_null"])
    tc = _ratio(found["log_count"], found["se_log_count"])
    shape, shape_count = ((found[f"df{s}"], found[f"tail{s}"]) for s in ("", "_count"))
    half = tailed_quantile(*shape, level) * found["se"]
    new = {
        "t": t,
        "p": tailed_p(t, *shape),
        "t_count": tc,
        "p_count": tailed_p(tc, *shape_count),
        "p_moved": tailed_p(_ratio(found["effect"], found["se_moved"]), *shape),
        "p_moved_count": tailed_p(
            _ratio(found["log_count"], found["se_moved_count"]), *shape_count
        ),
        "low": found["effect"] - half,
        "high": found["effect"] + half,
    }
    return doses.with_columns(
        pl.Series(k, v, dtype=pl.Float64).fill_nan(None) for k, v in new.items()
    )


def _ratio(effect: Floats, error: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error > 0, effect / error, np.nan)


def unit_tests(doses: pl.DataFrame) -> pl.DataFrame:
    """One p per unit over its doses and one over their counts, with the sign of their shift, in the order of the table: columns of UNIT, p, p_count, sign, sign_count.

    The null of the largest dose score and the doses' common shift carries the
    correlation that the plates' shared controls give the doses.
    """
    shifts = {"p": "", "p_count": "_count"}
    first = [f"{c}{s}" for s in shifts.values() for c in SHIFT]
    table = doses.group_by(UNIT, maintain_order=True).agg(
        *(pl.col(c).first() for c in first),
        *(pl.col(p).drop_nulls().min().alias(f"least_{p}") for p in shifts),
        *(pl.col(p).is_not_null().sum().alias(f"n_{p}") for p in shifts),
    )
    found = {p: _unit_p(table, p, suffix) for p, suffix in shifts.items()}
    if "p_joint" in doses.columns:
        found = {p: _joint_p(doses, found[p], s) for p, s in shifts.items()}
    found |= {f"sign{s}": numbers(table, f"t_shift{s}") for s in shifts.values()}
    found |= {k: np.sign(v) for k, v in found.items() if k.startswith("sign")}
    return table.select(UNIT).with_columns(
        pl.Series(k, v, dtype=pl.Float64) for k, v in found.items()
    )


def _joint_p(doses: pl.DataFrame, placed: Floats, suffix: str) -> Floats:
    """The units' permutation p; where wells always lie in one place, not below that of the t tests, which hold places."""
    table = doses.group_by(UNIT, maintain_order=True).agg(
        joint=pl.col(f"p_joint{suffix}").first(),
        is_fixed=(pl.col("position") == FIXED).any(),
    )
    joint, is_fixed = numbers(table, "joint"), table["is_fixed"].fill_null(False)
    return np.where(is_fixed.to_numpy(), np.fmax(joint, placed), joint)


def _unit_p(table: pl.DataFrame, p: str, suffix: str) -> Floats:
    least, n, t, df, rho = (
        numbers(table, c)
        for c in (
            f"least_{p}",
            f"n_{p}",
            f"t_shift{suffix}",
            f"df_shift{suffix}",
            f"rho{suffix}",
        )
    )
    tail = numbers(table, f"tail_shift{suffix}")
    shift = np.where(n > 1, tailed_p(t, df, tail), np.nan)
    return family_p(np.fmin(least, shift), n, rho)
