"""Virtual screens at table level, through the very call: how well its ranking of compounds fares beside an oracle's.

A part of bench_statistics.py. 1,000 compounds at 3 doses
on 2 replicate plates each; noise is drawn from real vehicle wells. The oracle sees the same
measured wells but knows offset and variance of their plate and the effect of their place.
One figure a bar.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from scipy.special import logsumexp

from bench.real_vehicle_wells import DATA
from bench.virtual_screens import (
    DOSES,
    LARGEST,
    PLACE_SD,
    REPLICATES,
    SHAPES,
    Drawn,
    draw,
    noises,
)
from plates.readouts import Readouts
from screen.call import CallTables, call_tables
from screen.readouts import score_table
from screen.statistics.dose_family import family_p
from screen.statistics.normalizers.grid import Bools
from screen.statistics.position import Codes
from screen.statistics.rates import q_values, two_sided_p
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

Figure = dict[str, Any]
BAR = "mean >= 0.95 of the oracle's, the oracle's in 0.6 to 0.9"
RULES = CallRules(direction="higher")


def average_precision(order: Codes, true: Floats | Bools) -> float:
    """Mean precision at every true compound of the ranking."""
    found = true[order].astype(bool)
    ranks = np.flatnonzero(found) + 1
    return float((np.arange(1, ranks.size + 1) / ranks).mean())


def known_z(known: Floats) -> Floats:
    """Scores of the doses [compound dose] for a known variance of one."""
    return np.asarray(known.sum(axis=2) / np.sqrt(known.shape[2]))


def oracle_p(z: Floats) -> Floats:
    """p of the call's own test, the largest dose or the common shift, from known scores [compound dose]."""
    shift = np.abs(z.sum(axis=1)) / np.sqrt(z.shape[1])
    largest = np.maximum(np.abs(z).max(axis=1), shift)
    n = np.full(largest.size, float(z.shape[1]))
    p = two_sided_p(largest, np.full(largest.size, 1e9))
    return family_p(p, n, np.zeros(largest.size))


def likelihood_ratio(z: Floats) -> Floats:
    """Log ratio [compound] of true to no effect, the prior of shapes and sizes known: no ranking does better in normal noise."""
    sizes = np.linspace(*LARGEST, 25) * np.sqrt(REPLICATES)
    means = (sizes[:, None, None] * SHAPES).reshape(-1, DOSES.size)
    means = np.concatenate([means, -means])
    gain = z @ means.T - (means**2).sum(axis=1) / 2
    return np.asarray(logsumexp(gain, axis=1) - np.log(len(means)))


def oracles(drawn: Drawn) -> Figure:
    """Average precision of rankings that know more than the call does.

    `oracle` makes the call's test of what is left without plate and place, its variance
    known; `best` knows the sizes and shapes of effects too. Of what it knows, the oracle
    lacks the places in `placeless`, the level of plates in `centred` (on the vehicle's
    median), and level and variance in `scaled` (by the vehicle's MAD).
    """
    centred = drawn.known - drawn.centre
    values = {
        "oracle": drawn.known,
        "placeless": drawn.known + drawn.place,
        "centred": centred,
        "scaled": centred / drawn.spread,
    }
    found = {
        name: average_precision(_order(oracle_p(known_z(x))), drawn.true)
        for name, x in values.items()
    }
    z = known_z(drawn.known)
    p, total = oracle_p(z), z.sum(axis=1)
    signed = _order(np.where(total > 0, p, 2 - p))
    return found | {
        "best": average_precision(_order(-likelihood_ratio(z)), drawn.true),
        "oracle_rank": average_precision(signed, drawn.true > 0),
    }


def _order(values: Floats) -> Codes:
    return np.argsort(values, kind="stable")


def called(tables: CallTables) -> pl.DataFrame:
    """The compounds of a call in the order of their numbers, with the largest |t| of their doses."""
    strongest = tables.doses.group_by("compound").agg(t=pl.col("t").abs().max())
    found = tables.compounds.join(strongest, on="compound", maintain_order="left")
    return found.sort("compound")


def judged(drawn: Drawn) -> tuple[Figure, pl.DataFrame]:
    """Average precision of the call and of the oracles, false discoveries and power of one screen; with the plates.

    `ours` ranks by p and then |t|, `ours_signed` the wanted effects by p, `ours_rank`
    as the call's own table does.
    """
    source = Readouts(drawn.table, "virtual", {})
    tables = call_tables(score_table(source), drawn.map, None, RULES)
    found = called(tables)
    columns = ("p", "t", "rank", "robust_z", "q", "is_hit")
    p, t, rank, z, q, hit = (found[c].to_numpy() for c in columns)
    some, higher = drawn.true != 0, drawn.true > 0
    ours = q <= RULES.fdr
    sure = q_values(oracle_p(known_z(drawn.known))) <= RULES.fdr
    return oracles(drawn) | {
        "ours": average_precision(np.lexsort((-t, p)), drawn.true),
        "ours_signed": average_precision(_order(np.where(z > 0, p, 2 - p)), higher),
        "ours_rank": average_precision(_order(rank), higher),
        "fdp": _false(ours, some),
        "oracle_fdp": _false(sure, some),
        "hit_fdp": _false(hit, higher),
        "power": float(ours[some].mean()),
        "oracle_power": float(sure[some].mean()),
        "hit_power": float(hit[higher].mean()),
    }, tables.plates


def _false(chosen: Bools, right: Bools) -> float:
    return float((chosen & ~right).sum() / max(chosen.sum(), 1))


def ranking(
    noise: Floats, layout: str, sd: float, seed: tuple[int, ...], n: int
) -> Figure:
    """All seeds of one kind of screen: average precision of each, and the means of all that is told."""
    rows, normalizers = [], set()
    for s in range(n):
        rng = np.random.default_rng([*seed, s])
        row, plates = judged(draw(noise, layout, sd, rng))
        rows.append(row)
        normalizers |= set(plates["normalizer"])
    mean = {k: float(np.mean([row[k] for row in rows])) for k in rows[0]}
    return {
        "figure": mean["ours"] / mean["oracle"],
        "of_best": mean["ours"] / mean["best"],
        **{
            f"{name}_of_oracle": mean[name] / mean["oracle"]
            for name in ("placeless", "centred", "scaled")
        },
        "of_oracle_rank": mean["ours_rank"] / mean["oracle_rank"],
        "mean": mean,
        "by_seed": {k: [row[k] for row in rows] for k in ("ours", "oracle", "best")},
        "normalizers": sorted(normalizers),
        "n": n,
        "bar": BAR,
    }


def figures(seed: int, quick: bool) -> dict[str, Figure]:
    """Every kind of screen with its figure, and the same without any effect of places; nothing where the data do not lie beside the checkout."""
    found: dict[str, Figure] = {}
    for i, (source, noise) in enumerate(noises().items() if DATA.is_dir() else ()):
        for j, layout in enumerate(("scattered", "columns")):
            for end, sd in (("", PLACE_SD), ("_without_place", 0.0)):
                found[f"screens_{source}_{layout}{end}"] = ranking(
                    noise, layout, sd, (seed, i, j), 1 if quick else 10
                )
    return found
