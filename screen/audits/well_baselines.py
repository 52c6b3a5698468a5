"""Baselines of a well: what cell number, brightness and crowding tell without any network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl

from screen.audits.separation import Pair, auc_difference, within_auc
from screen.audits.vehicle import by_unit, control_wells, name_of
from screen.statistics.quality import Interval, z_prime_quality
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

NETWORK = "network"
CELLS = "cell number"
POOLED = "all plates"
SCHEMA: dict[str, Any] = {
    "line": pl.String,
    "time_h": pl.Float64,
    "plate": pl.String,
    "measure": pl.String,
    "n_healthy": pl.Int64,
    "n_senescent": pl.Int64,
    "auc": pl.Float64,
    "auc_low": pl.Float64,
    "auc_high": pl.Float64,
    "z_prime": pl.Float64,
    "z_prime_low": pl.Float64,
    "z_prime_high": pl.Float64,
}
Row = dict[str, Any]


def well_baselines(
    wells: pl.DataFrame, rules: CallRules, measures: pl.DataFrame | None
) -> tuple[pl.DataFrame, list[Row]]:
    """A row a plate and measure, pooled rows last, and one comparison a line and time.

    `measures` has plate, well and a column for each more measure, such as crowding. A
    baseline's AUC is turned to the side on which all plates together have it above a
    half, which is to its favour; the network's is not.
    """
    controls = _with_measures(control_wells(wells, rules), measures)
    names = {NETWORK: "_network", CELLS: "_cells"}
    names |= {c: c for c in _columns(measures)}
    rows, told = list[Row](), list[Row]()
    for key, part in by_unit(controls):
        unit = _network_values(part, rules)
        sides = {name: _pairs(unit, column) for name, column in names.items()}
        sides = {n: p if n == NETWORK else _turned(p) for n, p in sides.items()}
        for name, pairs in sides.items():
            rows += [name_of(key) | r for r in _rows(name, pairs, rules)]
        pooled = [r for r in rows if r["plate"] == POOLED]
        own = [r for r in pooled if all(r[k] == v for k, v in name_of(key).items())]
        told.append(name_of(key) | {"pooled": own} | _comparison(sides, rules))
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return table, told


def _columns(measures: pl.DataFrame | None) -> list[str]:
    if measures is None:
        return []
    return [c for c in measures.columns if c not in ("plate", "well")]


def _with_measures(
    controls: pl.DataFrame, measures: pl.DataFrame | None
) -> pl.DataFrame:
    per_field = pl.col("n_cells") / pl.col("n_fields").clip(lower_bound=1)
    controls = controls.with_columns(_cells=per_field)
    if measures is None:
        return controls
    return controls.join(measures, on=["plate", "well"], how="left", validate="1:1")


def _network_values(wells: pl.DataFrame, rules: CallRules) -> pl.DataFrame:
    """Rescue, or where a plate has no scale the raw score, high in healthy wells."""
    if wells["rescue"].is_not_null().all():
        return wells.with_columns(_network=pl.col("rescue"))
    sign = -1.0 if rules.direction == "lower" else 1.0
    return wells.with_columns(_network=sign * pl.col("score"))


def _pairs(wells: pl.DataFrame, column: str) -> dict[str, Pair]:
    """Each plate with two wells or more of both states that hold the measure."""
    found = {}
    known = wells.filter(pl.col(column).is_not_null())
    for (plate,), part in known.group_by("plate", maintain_order=True):
        pair = Pair(*(_values(part, column, s) for s in ("healthy", "senescent")))
        if min(pair.healthy.size, pair.senescent.size) >= 2:
            found[str(plate)] = pair
    return found


def _values(wells: pl.DataFrame, column: str, state: str) -> Floats:
    chosen = wells.filter(pl.col("state_group") == state)[column]
    return chosen.cast(pl.Float64).to_numpy()


def _turned(pairs: dict[str, Pair]) -> dict[str, Pair]:
    wins = sum(float((p.wins - 0.5).sum()) for p in pairs.values())
    if wins >= 0:
        return pairs
    return {k: Pair(-p.healthy, -p.senescent) for k, p in pairs.items()}


def _rows(name: str, pairs: dict[str, Pair], rules: CallRules) -> list[Row]:
    if not pairs:
        return []
    plates = [_row(plate, name, [pair], rules) for plate, pair in pairs.items()]
    return [*plates, _row(POOLED, name, list(pairs.values()), rules)]


def _row(plate: str, name: str, pairs: Sequence[Pair], rules: CallRules) -> Row:
    auc = within_auc(pairs, rules.level)
    z = _z_prime(pairs, rules.seed, rules.level)
    z_row = (None, None, None) if z is None else (z.value, z.low, z.high)
    return {
        "plate": plate,
        "measure": name,
        "n_healthy": sum(p.healthy.size for p in pairs),
        "n_senescent": sum(p.senescent.size for p in pairs),
        "auc": auc.value,
        "auc_low": auc.low,
        "auc_high": auc.high,
    } | dict(zip(("z_prime", "z_prime_low", "z_prime_high"), z_row, strict=True))


def _z_prime(pairs: Sequence[Pair], seed: int, level: float) -> Interval | None:
    """Z' of all wells, each plate's level (midway between its two means) taken away."""
    middle = [(p.healthy.mean() + p.senescent.mean()) / 2 for p in pairs]
    healthy = np.concatenate(
        [p.healthy - m for p, m in zip(pairs, middle, strict=True)]
    )
    senescent = np.concatenate(
        [p.senescent - m for p, m in zip(pairs, middle, strict=True)]
    )
    if healthy.mean() == senescent.mean():
        return None
    return z_prime_quality(healthy, senescent, seed=seed, level=level)


def _comparison(sides: dict[str, dict[str, Pair]], rules: CallRules) -> Row:
    """The network against each baseline on the plates and wells that both know."""
    others = [
        (name, pairs)
        for name, pairs in sides.items()
        if name != NETWORK and pairs and sides[NETWORK]
    ]
    # Draws, each measure's from a seed of its own, leave the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        told = [
            threads.submit(_against, name, sides[NETWORK], pairs, rules)
            for name, pairs in others
        ]
    against = [row for one in told if (row := one.result())]
    best = max(against, key=lambda r: r["auc"], default=None)
    return {
        "auc": against[0]["network_auc"] if against else None,
        "best_baseline": best["measure"] if best else None,
        "against": against,
    }


def _against(
    name: str, network: dict[str, Pair], other: dict[str, Pair], rules: CallRules
) -> Row:
    both = [
        (network[plate], other[plate])
        for plate in network
        if plate in other and _same_wells(network[plate], other[plate])
    ]
    if not both:
        return {}
    ours, theirs = [a for a, _ in both], [b for _, b in both]
    seed = (rules.seed, crc32(name.encode()))
    gain = auc_difference(ours, theirs, level=rules.level, seed=seed)
    better = "yes" if gain.low > 0 else "no" if gain.high < 0 else "not told apart"
    return {
        "measure": name,
        "auc": within_auc(theirs, rules.level).value,
        "network_auc": within_auc(ours, rules.level).value,
        "gain": gain.value,
        "gain_low": gain.low,
        "gain_high": gain.high,
        "network_is_better": better,
    }


def _same_wells(a: Pair, b: Pair) -> bool:
    sizes = (a.healthy.size, a.senescent.size)
    return sizes == (b.healthy.size, b.senescent.size)
