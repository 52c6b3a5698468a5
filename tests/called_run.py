"""A called run on disk from made-up tables, for the verb report to read."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from screen.by_hand import judged_by_hand
from screen.ledger import write_parquet
from screen.picks import pick_list
from screen.provenance import record_outputs, write_json
from screen.report.tables import RunTables
from screen.settings import CallSettings
from screen.sheets import write_csv

RINGS = ("c1ccccc1", "c1ccncc1", "c1ccc2ncccc2c1", "C1CCNCC1", "c1ccoc1", "c1ccsc1")
_TAILS = (
    "C",
    "CC",
    "CCC",
    "O",
    "OC",
    "N",
    "NC",
    "F",
    "Cl",
    "Br",
    "C#N",
    "C(=O)O",
    "CO",
)


def with_sources(hits: pl.DataFrame) -> pl.DataFrame:
    """The wells with the library's plate and well of every treatment."""
    treated, number = pl.col("role") == "treatment", pl.col("compound").str.slice(1)
    index = number.cast(pl.Int64, strict=False) - 1
    well = pl.format(
        "{}{}",
        (index // 12 + 65).map_elements(chr, return_dtype=pl.String),
        (index % 12 + 1).cast(pl.String).str.zfill(2),
    )
    return hits.with_columns(
        source_plate=pl.when(treated).then(pl.lit("LIB1")),
        source_well=pl.when(treated).then(well),
    )


def with_structures(compounds: pl.DataFrame) -> pl.DataFrame:
    """Every compound with a distinct structure: families of one ring, hits in the first."""
    n = compounds.height
    rings = [RINGS[i % len(RINGS)] for i in range(n)]
    tails = [_TAILS[i // len(RINGS) % len(_TAILS)] for i in range(n)]
    more = ["" if i < len(RINGS) * len(_TAILS) else "S" for i in range(n)]
    smiles = [f"{t}{m}{r}" for t, m, r in zip(tails, more, rings, strict=True)]
    text = pl.Series(smiles)
    return compounds.with_columns(
        smiles=text, parent_smiles=text, scaffold=pl.Series(rings)
    )


def write_called(
    root: Path, tables: RunTables, name: str = "r", *, picks: bool = True
) -> Path:
    """The folder `root`/NAME with the tables that call writes, their picks and CSVs."""
    folder = root / name
    folder.mkdir(parents=True)
    compounds = tables.compounds
    if "is_picked" not in compounds.columns:
        compounds = judged_by_hand(compounds, "")
    found = {"hits": tables.hits, "plates": tables.plates, "compounds": compounds}
    missing = [c for c in ("source_plate", "source_well") if c not in tables.hits]
    hits = tables.hits.with_columns(pl.lit(None, pl.String).alias(c) for c in missing)
    if picks:
        found["picks"] = pick_list(compounds, hits)
    for table, frame in found.items():
        write_parquet(frame.to_arrow(), folder / f"{table}.parquet")
        write_csv(frame, folder / f"{table}.csv")
    write_json(folder / "call.json", tables.call)
    record_outputs(folder, "call", CallSettings(run=name, runs=str(root)))
    return folder
