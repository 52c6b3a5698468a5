"""Well tables with profiles of known truth, for what is told of odd looks."""

from dataclasses import dataclass

import numpy as np
import polars as pl

D = 20


@dataclass(frozen=True)
class Lay:
    """Plates with both vehicles and compounds in one well each, always the same one."""

    n_plates: int = 2
    n_zero: int = 32
    n_one: int = 32
    n_compounds: int = 150
    place_sd: float = 0.0  # what stays with a place
    odd: int = 0  # compounds that look like neither vehicle
    healed: int = 0  # compounds that make half of the way to the healthy vehicle


def wells(seed: int, lay: Lay) -> pl.DataFrame:
    """One row a well: centred counts, profiles of correlated features, nothing flagged."""
    rng = np.random.default_rng(seed)
    n = lay.n_zero + lay.n_one + lay.n_compounds
    mixing, axis = rng.normal(0, 0.5, (D, 4)), rng.normal(0, 1, D)
    crowding, look = rng.normal(0, 0.6, D), rng.normal(0, 1, D)
    number = np.arange(n)
    compound = number - lay.n_zero - lay.n_one
    is_one = (number >= lay.n_zero) & (compound < 0)
    is_odd = (compound >= 0) & (compound < lay.odd)
    is_healed = (compound >= lay.odd) & (compound < lay.odd + lay.healed)
    shift = np.outer(is_one + 0.5 * is_healed, axis) + np.outer(is_odd, look)
    shift = shift + rng.normal(0, lay.place_sd, (n, D))
    parts = []
    for plate in range(lay.n_plates):
        count = rng.normal(0, 0.08, n)
        noise = rng.normal(0, 1, (n, 4)) @ mixing.T + 0.3 * rng.normal(0, 1, (n, D))
        profile = rng.normal(0, 1, D) + np.outer(count, crowding) + noise + shift
        parts.append(
            pl.DataFrame(
                {
                    "plate": [f"P{plate}"] * n,
                    "row": number // 24,
                    "column": number % 24,
                    "compound": [f"C{c:03d}" if c >= 0 else "" for c in compound],
                    "role": np.where(compound < 0, "vehicle", "treatment"),
                    "state": np.where(is_one, "unstressed", "stressed"),
                    "log_count": count,
                    "profile": profile.tolist(),
                }
            )
        )
    return pl.concat(parts).with_columns(
        line=pl.lit(None, dtype=pl.String),
        time_h=pl.lit(None, dtype=pl.Float64),
        status=pl.lit("SCORED"),
        flags=pl.lit([], dtype=pl.List(pl.String)),
        networks=pl.lit(["fold0"]),
    )


def rows_of(table: pl.DataFrame) -> list[np.ndarray]:
    """The rows of every compound's wells, compounds in order."""
    treated = table.with_row_index("i").filter(role="treatment").sort("compound", "i")
    lists = treated.group_by("compound", maintain_order=True).agg("i")["i"].to_list()
    return [np.array(rows, dtype=np.int64) for rows in lists]
