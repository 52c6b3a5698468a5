"""Hits over many reasonable ways to call them: how often each is one, and which choice decides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from screen.codes import ExitCode
from screen.errors import Outcome
from screen.ledger import write_parquet
from screen.sheets import write_csv

NAME = "stability"
UNIT = ["compound", "line", "time_h"]
Key = tuple[str | None, ...]


@dataclass(frozen=True)
class Pipeline:
    """One way to call: its settings as text by key, and its compounds."""

    settings: dict[str, str]
    compounds: pl.DataFrame


def read_pipeline(folder: Path) -> Pipeline:
    """A call from what it wrote: its manifest and its compounds."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    settings = manifest["verbs"]["call"]["settings"]
    return Pipeline(
        dict(_flat(settings, "")), pl.read_parquet(folder / "compounds.parquet")
    )


def _flat(settings: dict[str, Any], before: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, dict):
            found += _flat(value, f"{before}{name}.")
        elif (path := before + name) not in ("out", "run", "runs"):
            found.append((path, str(value)))
    return found


def varied(pipelines: Sequence[Pipeline]) -> list[str]:
    """The keys in which pipelines differ, in the order of the settings."""
    keys = list(dict.fromkeys(k for one in pipelines for k in one.settings))
    return [k for k in keys if len({one.settings.get(k) for one in pipelines}) > 1]


def stability(pipelines: Sequence[Pipeline]) -> pl.DataFrame:
    """A row per compound, line and time, the steadiest hits first.

    `hit_share` is the share of pipelines in which it is a hit, `rank_best` and
    `rank_worst` its range among them, `classes` what it was called, `flips` the keys
    of which a change alone, all others alike, makes or unmakes the hit.
    """
    every = pl.concat(
        one.compounds.select(*UNIT, "class", "is_hit", "rank").with_columns(
            pipeline=pl.lit(i, dtype=pl.Int64)
        )
        for i, one in enumerate(pipelines)
    )
    table = every.group_by(UNIT, maintain_order=True).agg(
        n_pipelines=pl.len(),
        hit_share=pl.col("is_hit").mean(),
        rank_best=pl.col("rank").min(),
        rank_worst=pl.col("rank").max(),
        classes=pl.col("class").unique().sort().str.join(";"),
        hits=pl.col("is_hit").sort_by("pipeline"),
        ways=pl.col("pipeline").sort(),
    )
    pairs = _pairs(pipelines)
    flips = [
        ";".join(_flips(dict(zip(ways, hits, strict=True)), pairs))
        for ways, hits in table.select("ways", "hits").iter_rows()
    ]
    ordered = table.drop("hits", "ways").with_columns(
        flips=pl.Series(flips, dtype=pl.String)
    )
    return ordered.sort(
        -pl.col("hit_share"), "rank_best", "rank_worst", *UNIT, nulls_last=True
    )


def _pairs(pipelines: Sequence[Pipeline]) -> list[tuple[str, int, int]]:
    """Two pipelines that differ in one key alone, with that key."""
    keys = varied(pipelines)
    found = []
    for i, one in enumerate(pipelines):
        for j in range(i + 1, len(pipelines)):
            two = pipelines[j]
            unlike = [k for k in keys if one.settings.get(k) != two.settings.get(k)]
            if len(unlike) == 1:
                found.append((unlike[0], i, j))
    return found


def _flips(hits: dict[int, bool], pairs: Sequence[tuple[str, int, int]]) -> list[str]:
    found = [
        key for key, i, j in pairs if i in hits and j in hits and hits[i] != hits[j]
    ]
    return list(dict.fromkeys(found))


def summing_up(folders: Sequence[Path]) -> Outcome:
    """Write stability.parquet and .csv beside the jobs and say it in a few lines."""
    pipelines = [read_pipeline(folder) for folder in folders]
    table = stability(pipelines)
    out = folders[0].parent
    paths = (out / f"{NAME}.parquet", out / f"{NAME}.csv")
    write_parquet(table.to_arrow(), paths[0])
    write_csv(table, paths[1])
    always = table.filter(pl.col("hit_share") == 1).height
    ever = table.filter(pl.col("hit_share") > 0).height
    keys = ", ".join(varied(pipelines)) or "nothing"
    flipping = table["flips"].str.split(";").explode().value_counts(sort=True, name="n")
    told = [
        f"{row['flips']} flips {row['n']}"
        for row in flipping.iter_rows(named=True)
        if row["flips"]
    ]
    lines = [
        f"{len(pipelines)} ways to call, which differ in {keys}:"
        f" {always} compounds are hits in all of them, {ever} in some"
    ]
    return Outcome(ExitCode.COMPLETE, "\n".join([*lines, *told]), paths)
