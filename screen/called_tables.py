"""The tables of a call: what they hold, how they are written, and what is said of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from plates.wells import PlateFormat
from screen import hits
from screen.audits import audit_message
from screen.codes import CODES, ExitCode
from screen.ledger import write_parquet
from screen.plate_doubts import doubt_words, plate_doubts
from screen.provenance import write_json
from screen.sheets import write_csv
from screen.statistics.fields import FLAGS


@dataclass(frozen=True)
class CallTables:
    """All that a call says: a row per well, compound, plate and dose, how it was reached, baselines of the controls, and a row per field where a run was called."""

    hits: pl.DataFrame
    compounds: pl.DataFrame
    plates: pl.DataFrame
    doses: pl.DataFrame
    summary: dict[str, Any]
    baselines: pl.DataFrame
    fields: pl.DataFrame | None = None
    curves: pl.DataFrame | None = None  # where a compound has doses enough
    picks: pl.DataFrame | None = None  # where the picked compounds are taken from
    controls: pl.DataFrame | None = None  # by pair of control groups and read-out
    qc_counterfactual: pl.DataFrame | None = None  # wells that quality control removed


TABLES = (
    "hits",
    "compounds",
    "doses",
    "plates",
    "baselines",
    "fields",
    "curves",
    "controls",
    "picks",
    "qc_counterfactual",
)


def write_tables(
    tables: CallTables, out: Path, plate_format: PlateFormat
) -> tuple[Path, ...]:
    """Write every table of a call into a folder and return what was written."""
    paths = []
    for name in TABLES:
        table = getattr(tables, name)
        if table is None:
            continue
        write_parquet(table.to_arrow(), out / f"{name}.parquet")
        write_csv(table, out / f"{name}.csv")
        paths += [out / f"{name}.parquet", out / f"{name}.csv"]
    dataset = hits.hit_dataset(
        tables.hits,
        tables.doses,
        n_rows=plate_format.n_rows,
        n_columns=plate_format.n_columns,
    )
    hits.write_zarr(dataset, out / "hits.zarr")
    write_json(out / "call.json", tables.summary)
    return (*paths, out / "hits.zarr", out / "call.json")


def call_message(tables: CallTables) -> str:
    """Two lines for the person: hits and classes, then plate quality."""
    found = {k: n for k, n in tables.summary["classes"].items() if n}
    classes = ", ".join(f"{n} {name}" for name, n in found.items())
    plates = tables.plates
    verdicts = ", ".join(
        f"{(plates['verdict'] == v).sum()} {v}" for v in ("pass", "undecided", "fail")
    )
    z = plates["z_prime"].median()
    median = f", median Z' {z:.2f}" if isinstance(z, float) else ""
    reasons = sorted(set(plates.filter(pl.col("z_prime").is_null())["reason"]))
    refused = f"; no rescue scale: {', '.join(reasons)}" if reasons else ""
    return (
        f"{tables.summary['n_hits']} hits among {tables.compounds.height} compounds"
        f" ({classes})\n{plates.height} plates: {verdicts}{median}{refused}"
        f"{_field_words(tables)}{audit_message(tables.summary)}"
    )


def exit_code(plates: pl.DataFrame, codes: Iterable[str] = ()) -> ExitCode:
    """PARTIAL where a well is quarantined or not scored yet, or where a plate's reason,
    or one of `codes` that were told beside the tables, ends so; else COMPLETE.

    A plate that fails for its Z' is all scored, and so complete.
    """
    reasons = [str(r).split(":")[0] for r in plates["reason"].drop_nulls()]
    told = [CODES[c].exit for c in (*reasons, *codes) if c in CODES]
    lost = ((plates["n_quarantined"] + plates["n_not_scored"]) > 0).any()
    partial = lost or ExitCode.PARTIAL in told
    return ExitCode.PARTIAL if partial else ExitCode.COMPLETE


def plate_words(tables: CallTables) -> list[str]:
    """A line on what stands against plates, none where nothing does."""
    least = tables.summary["settings"]["shortcut_min_share"]
    return doubt_words(plate_doubts(tables.plates, least))


def hand_words(tables: CallTables) -> list[str]:
    """A line on what people decided, none where they decided nothing."""
    masked = tables.hits["excluded"].is_not_null().sum()
    told = [f"{masked} wells left out"] if masked else []
    if "by_hand" in tables.compounds.columns:
        for word in ("approved", "rejected"):
            if n := (tables.compounds["by_hand"] == word).sum():
                told.append(f"{n} compounds {word} by hand")
    return [", ".join(told)] if told else []


def _field_words(tables: CallTables) -> str:
    """A line on flagged fields, empty where every field is fine."""
    quality = tables.summary.get("quality", {})
    found = {flag: quality[flag] for flag in FLAGS if quality.get(flag)}
    if not found or tables.fields is None:
        return ""
    listed = ", ".join(f"{n} {flag}" for flag, n in found.items())
    left, mode = quality["left_out"], quality["settings"]["mode"]
    fate = f"{left} left out" if mode == "enforce" else "shown only (qc.mode=show)"
    n = quality["flagged"]
    return f"\n{n} of {tables.fields.height} fields flagged ({listed}); {fate}"
