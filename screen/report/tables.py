"""The stored results of a run as the page reads them, every column present."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from screen.errors import refusal
from screen.ledger import read_parquet
from screen.provenance import FILE, read_manifest
from screen.statistics.plate_effects import EFFECTS
from screen.verify import check_shown

HITS = {
    **dict.fromkeys(("plate", "well", "compound", "role", "state", "line"), pl.String),
    **dict.fromkeys(("batch", "status", "codes", "flags"), pl.String),
    **dict.fromkeys(("replicate", "n_cells", "n_fields"), pl.Int64),
    **dict.fromkeys(("concentration_um", "score", "score_sd", "fraction"), pl.Float64),
    **dict.fromkeys(("rescue", "robust_z", "relative_count"), pl.Float64),
    "time_h": pl.Float64,
}
PLATES = {
    **dict.fromkeys(("plate", "line", "verdict", "reason", "scale"), pl.String),
    **dict.fromkeys(("n_wells", "n_scored", "n_quarantined", "n_no_cells"), pl.Int64),
    **dict.fromkeys(("z_prime", "z_prime_low", "z_prime_high"), pl.Float64),
    **dict.fromkeys(("robust_z_prime", "ssmd", "ssmd_low", "ssmd_high"), pl.Float64),
    **dict.fromkeys(("n_healthy", "n_senescent"), pl.Int64),
    **dict.fromkeys(("senescent_median", "healthy_median"), pl.Float64),
    **dict.fromkeys(("vehicle_count_median", "time_h"), pl.Float64),
    **dict.fromkeys(("flags", "drift"), pl.String),
    **{f"{e}_{end}": pl.Float64 for e in EFFECTS for end in ("share", "p")},
}
COMPOUNDS = {
    "rank": pl.Int64,
    **dict.fromkeys(("compound", "line", "name", "class", "flags", "why"), pl.String),
    "is_hit": pl.Boolean,
    **dict.fromkeys(("p", "q", "rescue", "rescue_low", "rescue_high"), pl.Float64),
    **dict.fromkeys(("best_concentration_um", "relative_count"), pl.Float64),
    **dict.fromkeys(("n_sen_ratio", "n_non_ratio", "robust_z"), pl.Float64),
    **dict.fromkeys(("off_axis_z", "background_z", "q_rescue", "time_h"), pl.Float64),
    **dict.fromkeys(("n_wells", "n_replicates"), pl.Int64),
    **dict.fromkeys(("smiles", "inchikey", "scaffold", "code"), pl.String),
    **dict.fromkeys(("parent_smiles", "salt", "marks", "alerts"), pl.String),
    **dict.fromkeys(("matched_by", "aliases", "merged"), pl.String),
    **dict.fromkeys(("mol_weight", "logp", "qed"), pl.Float64),
    **dict.fromkeys(("n_removed", "n_not_put_back"), pl.Int64),
    "without_qc_class": pl.String,
    "without_qc_is_hit": pl.Boolean,
}
FIELDS = {
    **dict.fromkeys(("plate", "well", "flags", "why"), pl.String),
    **dict.fromkeys(("row", "column", "field", "n_cells"), pl.Int64),
    "used": pl.Boolean,
}
_SERIES = {"compound": pl.String, "line": pl.String, "time_h": pl.Float64}
DOSES = {
    **_SERIES,
    **dict.fromkeys(("concentration_um", "effect", "low", "high"), pl.Float64),
    **dict.fromkeys(("p", "log_count", "se_log_count"), pl.Float64),
    **dict.fromkeys(("n_wells", "n_used"), pl.Int64),
    **dict.fromkeys(("class", "why"), pl.String),
}
_POTENCY = tuple(
    f"{name}_{end}"
    for name in ("ec50", "absolute_ec50")
    for end in ("um", "low_um", "high_um")
)
CURVES = {
    **_SERIES,
    **dict.fromkeys(("role", "readout", "model", "codes", "why"), pl.String),
    **dict.fromkeys(("ec50_relation", "absolute_ec50_relation"), pl.String),
    **dict.fromkeys((*_POTENCY, "slope", "asymmetry", "auc", "p", "q"), pl.Float64),
    **dict.fromkeys(("level_without_dose", "full_effect", "lowest_um"), pl.Float64),
    **{f"top_dose_effect{e}": pl.Float64 for e in ("", "_low", "_high")},
    "highest_um": pl.Float64,
}
PICKS = {
    "rank": pl.Int64,
    **dict.fromkeys(("source_plate", "source_well", "source"), pl.String),
}
OPTIONAL = ("fields", "curves", "doses", "picks")
SCORED = ("SCORED", "SCORED_DEGRADED")


@dataclass(frozen=True)
class RunTables:
    """What a page is made of: tables of wells, plates and compounds, the call's facts and
    the manifest; then those that are empty where the run has none: fields, curves, doses
    of compounds and the wells that picked compounds are taken from."""

    hits: pl.DataFrame
    plates: pl.DataFrame
    compounds: pl.DataFrame
    call: dict[str, Any]
    manifest: dict[str, Any]
    fields: pl.DataFrame
    curves: pl.DataFrame = field(default_factory=lambda: _with(None, CURVES))
    doses: pl.DataFrame = field(default_factory=lambda: _with(None, DOSES))
    picks: pl.DataFrame = field(default_factory=lambda: _with(None, PICKS))

    @classmethod
    def complete(
        cls,
        hits: pl.DataFrame,
        plates: pl.DataFrame,
        compounds: pl.DataFrame,
        call: dict[str, Any],
        manifest: dict[str, Any],
        fields: pl.DataFrame | None = None,
        **others: pl.DataFrame | None,
    ) -> RunTables:
        """Tables with every column the page names; a column never made is all null."""
        return cls(
            _with(hits, HITS),
            _with(plates, PLATES),
            _with(compounds, COMPOUNDS),
            call,
            manifest,
            _with(fields, FIELDS),
            _with(others.get("curves"), CURVES),
            _with(others.get("doses"), DOSES),
            _with(others.get("picks"), PICKS),
        )

    @property
    def plate_ids(self) -> list[str]:
        """Every plate with a row anywhere, in the order of the plate table."""
        listed = self.plates["plate"].to_list()
        return list(dict.fromkeys([*listed, *self.hits["plate"].to_list()]))


def read_tables(tables: Path, run: Path) -> RunTables:
    """The tables of a called run from ``tables`` and its manifest from ``run``.

    Refuses with INPUT_MISSING when the run was not called yet, with OUTPUT_CHANGED when
    a table is not what the call wrote.
    """
    names = ("hits", "plates", "compounds")
    for name in (*(f"{n}.parquet" for n in names), "call.json"):
        if not (tables / name).is_file():
            why, remedy = "the report is made of it", "run the verb call first"
            raise refusal("INPUT_MISSING", tables / name, "no such file", why, remedy)
    shown = [f"{n}.parquet" for n in (*names, *OPTIONAL)]
    check_shown(tables, [*shown, "call.json"])
    hits, plates, compounds = (_read(tables / f"{n}.parquet") for n in names)
    paths = {n: tables / f"{n}.parquet" for n in OPTIONAL}
    found = {n: _read(path) for n, path in paths.items() if path.is_file()}
    call = json.loads((tables / "call.json").read_text("utf-8"))
    manifest = read_manifest(run)
    if (tables / FILE).is_file():  # tables called into a folder of their own
        manifest["verbs"] = manifest["verbs"] | read_manifest(tables)["verbs"]
    return RunTables.complete(hits, plates, compounds, call, manifest, **found)


def of_line(hits: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    """The wells of the line and time that a row of another table is about."""
    for column in ("line", "time_h"):
        if row[column] is not None:
            hits = hits.filter(pl.col(column) == row[column])
    return hits


def _read(path: Path) -> pl.DataFrame:
    frame = pl.from_arrow(read_parquet(path))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _with(frame: pl.DataFrame | None, schema: dict[str, Any]) -> pl.DataFrame:
    frame = pl.DataFrame() if frame is None else frame
    columns = [
        (pl.col(name) if name in frame.columns else pl.lit(None))
        .cast(dtype)
        .alias(name)
        for name, dtype in schema.items()
    ]
    if frame.is_empty():
        columns = [pl.lit(None).cast(dtype).alias(n) for n, dtype in schema.items()]
        return frame.select(columns).clear()
    # NaN means "no number" here as null does; the page must not compare against it.
    return frame.with_columns(columns).with_columns(pl.selectors.float().fill_nan(None))
