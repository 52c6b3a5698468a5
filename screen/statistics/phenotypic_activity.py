"""Phenotypic activity: whether the profiles of a dose's replicates find each other among the vehicle wells of their plates (Kalinin 2025, Nat Commun 16:5181).

A replicate ranks all other wells by cosine similarity; its average precision is the mean,
over the other replicates found, of the share of replicates among the wells up to there,
and mAP is the mean over replicates. The null permutes the labels of treated and vehicle
wells within each plate and takes the mean anew for each labelling: a set of labels is as
large, and lies on the same plates, as the replicates themselves. With two replicates most
labellings that matter tie at mAP 1, so that equal mAP are told apart by the replicates'
mean similarity; the test stays exact, since both are taken of every labelling.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from screen.statistics.flags import channel_matrix
from screen.statistics.labels import labellings
from screen.statistics.noise import UNIT
from screen.statistics.normalize import GROUP, anchor_wells, usable
from screen.statistics.position import Codes
from screen.statistics.rates import q_values
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules
from screen.statistics.well_places import codes

MIN_REPLICATES = 2
MIN_VEHICLE = 4  # vehicle wells of a pool
MOST_VEHICLE = 96  # of a pool: more only cost time
DRAWS = 1999
CHUNK = 2_000_000  # numbers at a time
MOST_COMPARED = 6
DECIMALS = 9  # of a similarity
TIE = 1e-12
TIE_BREAK = 1e-6  # less than mAPs differ by
MAP_COLUMNS = ("map", "map_p")
ACTIVITY_WORDS = (
    "map is the mean average precision with which the profiles of a dose's replicates"
    " find each other among the vehicle wells of their plates (cosine), of the most"
    " active dose; map_p permutes labels within plates and pays for all doses, map_q is"
    " Benjamini-Hochberg's over all compounds with profiles; replicates that always lie"
    " in one place may find each other by their place, and no call rests on it"
)
Ranks = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Pool:
    """Doses of one layout, on the same plates with the same vehicle wells: rows of the well table, the treated ones first."""

    doses: Codes  # [c] rows of the dose table
    rows: Codes  # [c w]
    plate: Codes  # [w] the same for all doses
    n_treated: int


def average_precisions(rank: Ranks, chosen: npt.NDArray[np.int64]) -> Floats:
    """mAP [c s] of sets of wells: rank [c w w] of each well in the list of another, from 1 on; chosen [s n] wells."""
    n = chosen.shape[1]
    others = np.array([[j for j in range(n) if j != i] for i in range(n)])
    own = rank[:, chosen[:, :, None], chosen[:, others]]
    found = np.arange(1, n) / _sorted(own)
    return np.asarray(found.mean(axis=(-1, -2)))


def _sorted(values: Ranks) -> Ranks:
    """Sorted along the last axis; a few neighbours by comparing whole columns, since to
    sort one short row after the other takes several times as long."""
    n = values.shape[-1]
    if n > MOST_COMPARED:
        return np.sort(values, axis=-1)
    columns = [values[..., i] for i in range(n)]
    for turn in range(n):
        for i in range(turn % 2, n - 1, 2):
            a, b = columns[i], columns[i + 1]
            columns[i], columns[i + 1] = np.minimum(a, b), np.maximum(a, b)
    # In the memory order of the values: sums over them must not change a bit.
    found = np.empty_like(values)
    for i, column in enumerate(columns):
        found[..., i] = column
    return found


def mean_similarities(near: Floats, chosen: npt.NDArray[np.int64]) -> Floats:
    """Mean similarity [c s] between the wells of each set: near [c w w], chosen [s n]."""
    n = chosen.shape[1]
    total = np.zeros((len(near), len(chosen)))
    for i in range(n):
        for j in range(i):
            total += near[:, chosen[:, i], chosen[:, j]]
    return np.asarray(total / (n * (n - 1) / 2))


def similarities(profiles: Floats, plate: Codes) -> Floats:
    """Cosine similarity [c w w] of profiles [c w d] on plates [w].

    Profiles are centred on all wells of their plate and divided by each feature's spread,
    treated and vehicle alike: a centre of the vehicle alone would make the treated wells
    of a plate similar by its error, which is no effect.
    """
    rest = profiles.copy()
    for p in np.unique(plate):
        rest[:, plate == p] -= rest[:, plate == p].mean(axis=1, keepdims=True)
    spread = np.sqrt((rest**2).mean(axis=1, keepdims=True))
    rest = np.divide(rest, spread, out=np.zeros_like(rest), where=spread > 0)
    length = np.linalg.norm(rest, axis=2, keepdims=True)
    rest = np.divide(rest, length, out=np.zeros_like(rest), where=length > 0)
    return np.asarray(np.round(rest @ rest.swapaxes(1, 2), DECIMALS))


def similarity_ranks(near: Floats, order: npt.NDArray[np.int64]) -> Ranks:
    """Rank [c w w] from 1 on of each well by falling similarity to another, ties by their place in `order` [w]; a well is the last in its own list.

    `near` is rounded, as `similarities` gives it.
    """
    n, at = order.size, np.arange(order.size)
    # A whole number that carries the place has no ties, and sorts many times faster.
    key = np.rint(near * -(10.0**DECIMALS)).astype(np.int64)
    key[:, at, at] = 2 * 10**DECIMALS
    bits = n.bit_length()
    key <<= bits
    key |= np.argsort(order)
    key.sort(axis=2)
    key &= (1 << bits) - 1
    rank = np.empty(near.shape, dtype=np.min_scalar_type(n))
    places = (at + 1).astype(rank.dtype)
    np.put_along_axis(rank, order[key], places[None, None], axis=2)
    # What is looked up next are a few pairs of wells for all doses: these lie together.
    return np.ascontiguousarray(rank.transpose(1, 2, 0)).transpose(2, 0, 1)


def activity_p(
    profiles: Floats, plate: Codes, n_treated: int, *, seed: int, draws: int = DRAWS
) -> tuple[Floats, Floats]:
    """(mAP, p) [c] of doses of one layout: profiles [c w d], plate [w]; the first n_treated wells are the replicates.

    p is the share of labellings that do at least as well, all of them where they are few,
    and (1 + as good) / (1 + draws) otherwise: never too small, with ties and any numbers.
    """
    rng = np.random.default_rng([seed, plate.size, n_treated])
    order = rng.permutation(plate.size)
    sets, is_whole = labellings(plate, n_treated, rng, draws)
    found, p = np.zeros(len(profiles)), np.zeros(len(profiles))
    step = max(1, CHUNK // max(sets.size * n_treated, plate.size**2))
    for start in range(0, len(profiles), step):
        here = slice(start, start + step)
        near = similarities(profiles[here], plate)
        rank = similarity_ranks(near, order)
        own_set = np.arange(n_treated)[None]
        found[here] = average_precisions(rank, own_set)[:, 0]
        statistic, null = (
            average_precisions(rank, s) + TIE_BREAK * mean_similarities(near, s)
            for s in (own_set, sets)
        )
        at_least = (null >= statistic - TIE).sum(axis=1)
        own = 0 if is_whole else 1
        p[here] = (at_least + own) / (len(sets) + own)
    return found, p


def _pools(
    doses: pl.DataFrame, plate: Codes, vehicle: Codes, known: npt.NDArray[np.bool_]
) -> Iterator[Pool]:
    """The doses that can be tested, by layout: plates in order with the number of replicates on each."""
    layouts: dict[tuple[int, ...], list[tuple[int, Codes]]] = {}
    for dose, index in enumerate(doses["index"].to_list()):
        rows = np.array(index, dtype=np.int64)
        rows = rows[known[rows]]
        rows = rows[np.lexsort((rows, plate[rows]))]
        if rows.size >= MIN_REPLICATES:
            layouts.setdefault(tuple(plate[rows]), []).append((dose, rows))
    for layout in sorted(layouts):
        members, plates = layouts[layout], np.unique(layout)
        # Evenly thinned by their place on the plate, whatever they look like.
        each = max(MOST_VEHICLE // plates.size, MIN_VEHICLE)
        own = [vehicle[plate[vehicle] == p] for p in plates]
        own = [
            v[np.linspace(0, v.size - 1, min(v.size, each)).astype(int)] for v in own
        ]
        controls = np.concatenate(own)
        if controls.size < MIN_VEHICLE:
            continue
        rows = np.stack([np.append(r, controls) for _, r in members])
        yield Pool(np.array([d for d, _ in members]), rows, plate[rows[0]], len(layout))


def dose_activity(
    wells: pl.DataFrame, doses: pl.DataFrame, rules: CallRules
) -> pl.DataFrame:
    """The dose table with map and map_p; null without profiles, below 2 replicates or 4 vehicle wells."""
    found, p = (np.full(doses.height, np.nan) for _ in MAP_COLUMNS)
    profiles = channel_matrix(wells["profile"])
    if profiles.shape[1] > 1:
        known = np.asarray(np.isfinite(profiles).all(axis=1))
        zero = (
            usable(wells)
            & wells.select(anchor_wells(rules.anchors.senescent)).to_series()
        )
        vehicle = np.flatnonzero(zero.to_numpy() & known)
        pools = list(_pools(doses, codes(wells, *GROUP), vehicle, known))

        def one(pool: Pool) -> tuple[Floats, Floats]:
            own = profiles[pool.rows]
            return activity_p(own, pool.plate, pool.n_treated, seed=rules.seed)

        # Sorting and counting leave the interpreter's lock to the other threads.
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for pool, parts in zip(pools, threads.map(one, pools), strict=True):
                found[pool.doses], p[pool.doses] = parts
    return doses.with_columns(
        pl.Series(name, values, dtype=pl.Float64).fill_nan(None)
        for name, values in zip(MAP_COLUMNS, (found, p), strict=True)
    )


def without_activity(doses: pl.DataFrame) -> pl.DataFrame:
    """The dose table with map and map_p unknown."""
    return doses.with_columns(pl.lit(None, pl.Float64).alias(c) for c in MAP_COLUMNS)


def compound_activity(doses: pl.DataFrame) -> pl.DataFrame:
    """A row per unit: map of its most active dose, map_p for all its doses (Sidak 1967), map_q by Benjamini and Hochberg over all units tested."""
    n = pl.col("map_p").is_not_null().sum()
    surest = pl.col("map_p").min()
    table = doses.group_by(UNIT, maintain_order=True).agg(
        map=pl.col("map").filter(pl.col("map_p") == surest).max(),
        map_p=1 - (1 - surest) ** n,
    )
    p = table["map_p"].fill_null(float("nan")).to_numpy()
    q = pl.Series("map_q", q_values(p), dtype=pl.Float64)
    return table.with_columns(q.fill_nan(None))


def with_activity(compounds: pl.DataFrame, doses: pl.DataFrame) -> pl.DataFrame:
    """The compound table with map, map_p and map_q, from doses that have map and map_p."""
    return compounds.join(
        compound_activity(doses),
        on=list(UNIT),
        how="left",
        nulls_equal=True,
        validate="1:1",
        maintain_order="left",
    )
