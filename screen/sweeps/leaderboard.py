"""Trainings ranked by how they did on groups they never saw, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from plates.problems import InputError, Problem
from screen.errors import Outcome
from screen.models import SPEC_FILE
from screen.sheets import write_csv
from screen.sweeps.trained import Training, read_training

FILE = "leaderboard.csv"
FIXED = (
    "rank",
    "model",
    "metric",
    "value",
    "low",
    "high",
    "best_baseline",
    "n_parameters",
    "seconds",
    "why",
)


def leaderboard(trainings: Sequence[Training]) -> pl.DataFrame:
    """A row a training, the best first, with every setting in which they differ.

    Ties are ordered by size, then by folder; a training without a value stands last
    and has no rank, and ``why`` says what kept it from being judged. Raises InputError
    (COMPARE_METRICS) when they were judged by different measures, and (COMPARE_DATA)
    when on different data: such figures do not stand in one order.
    """
    _refuse_unlike(trainings)
    ranked = sorted(trainings, key=_order)
    differing = varied(ranked)
    rows = [
        {
            "rank": None if one.judged.value is None else rank,
            "model": str(one.model),
            "metric": one.judged.metric,
            "value": one.judged.value,
            "low": one.judged.low,
            "high": one.judged.high,
            "best_baseline": None if one.baseline is None else one.baseline.value,
            "n_parameters": one.n_parameters,
            "seconds": one.seconds,
            "why": one.judged.why,
            **{key: _cell(one.settings.get(key)) for key in differing},
        }
        for rank, one in enumerate(ranked, 1)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _order(one: Training) -> tuple[bool, float, int, str]:
    value, sign = one.judged.value, -1 if one.judged.is_higher_better else 1
    standing = 0.0 if value is None else sign * value
    return value is None, standing, one.n_parameters, str(one.model)


def varied(trainings: Sequence[Training]) -> tuple[str, ...]:
    """The keys whose values are not the same in all trainings, in order of settings."""
    keys = dict.fromkeys(key for one in trainings for key in one.settings)
    return tuple(
        key
        for key in keys
        if len({str(one.settings.get(key)) for one in trainings}) > 1
    )


def summing_up(paths: Sequence[Path]) -> Outcome:
    """The leaderboard of the models among these files, shown and written beside them.

    Raises InputError when they do not stand in one order.
    """
    folders = [path.parent for path in paths if path.name == SPEC_FILE]
    table = leaderboard([read_training(folder) for folder in folders])
    written = write_leaderboard(table, folders[0].parent)
    return Outcome(0, shown(table), (written,))


def write_leaderboard(table: pl.DataFrame, folder: Path) -> Path:
    """Write the table as `leaderboard.csv` of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    write_csv(table, path)
    return path


def shown(table: pl.DataFrame, *, width: int = 160, most: int = 40) -> str:
    """The first rows of the table as text for a terminal."""
    metric = table["metric"][0]
    extra = [c for c in table.columns if c not in FIXED]
    sheet = Table("rank", metric, "interval", "baseline", "parameters", "s", *extra)
    sheet.add_column("model", overflow="fold")
    for row in table.head(most).iter_rows(named=True):
        interval = "-" if row["low"] is None else f"{row['low']:.3f}-{row['high']:.3f}"
        sheet.add_row(
            "-" if row["rank"] is None else str(row["rank"]),
            _figure(row["value"]),
            interval,
            _figure(row["best_baseline"]),
            f"{row['n_parameters']:,}",
            f"{row['seconds']:.0f}",
            *(str(row[c]) for c in extra),
            row["model"],
        )
    console = Console(width=width, no_color=True, highlight=False)
    with console.capture() as text:
        console.print(sheet)
    more = f"and {table.height - most} more rows\n" if table.height > most else ""
    unjudged = table.filter(pl.col("value").is_null()).select("model", "why").rows()
    reasons = "".join(f"not ranked: {model}: {why}\n" for model, why in unjudged)
    return (text.get() + more + reasons).rstrip("\n")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _refuse_unlike(trainings: Sequence[Training]) -> None:
    problems = []
    for code, what, kinds in (
        ("COMPARE_METRICS", "measures", {t.judged.metric for t in trainings}),
        ("COMPARE_DATA", "data sets", {t.data_sha256[:12] for t in trainings}),
    ):
        if len(kinds) > 1:
            found = f"{len(kinds)} {what}: {', '.join(sorted(kinds)[:4])}"
            why = "their figures do not stand in one order"
            remedy = "compare them apart"
            problems.append(Problem(code, "runs", found, why, remedy))
    if not trainings:
        why, remedy = "there is nothing to rank", "name folders of trained models"
        problems.append(Problem("COMPARE_NONE", "runs", "no model", why, remedy))
    if problems:
        raise InputError(problems)


def _cell(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list) else value
