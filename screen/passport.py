"""How one compound's row came to be: from the records of its wells to its verdict, in words."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl

from plates.json_text import strict_json
from plates.tables import nearest
from screen.codes import ExitCode
from screen.counterfactual import change_words
from screen.errors import Outcome, refusal
from screen.ledger import Ledger, headers_of
from screen.paths import existing_run_dir
from screen.provenance import read_manifest

Row = dict[str, Any]


def explain_compound(runs: str, run: str, compound: str) -> Outcome:
    """The passport of a compound of a called run, one for each line and time it was in.

    Raises Refusal when the run was not called or holds no such compound.
    """
    folder = existing_run_dir(runs, run)
    if not (folder / "compounds.parquet").exists():
        why, remedy = (
            "its tables say how a row came to be",
            f"senoscreen call run={run}",
        )
        raise refusal("INPUT_MISSING", folder, "the run is not called", why, remedy)
    tables = {
        name: pl.read_parquet(folder / f"{name}.parquet")
        for name in ("compounds", "doses", "hits", "plates")
    }
    found = tables["compounds"].filter(pl.col("compound") == compound)
    if found.is_empty():
        near = nearest(compound, tables["compounds"]["compound"].to_list())
        remedy = f"did you mean {near!r}?" if near else "see compounds.csv"
        why = "only a compound of the screen has a row"
        raise refusal("INPUT_MISSING", folder, f"no compound {compound!r}", why, remedy)
    summary = json.loads((folder / "call.json").read_text(encoding="utf-8"))
    pages = [_page(row, tables, summary, folder) for row in found.to_dicts()]
    return Outcome(ExitCode.COMPLETE, "\n\n".join(pages))


def _page(row: Row, tables: dict[str, pl.DataFrame], summary: Row, folder: Path) -> str:
    key = [pl.col(c).eq_missing(pl.lit(row[c])) for c in ("compound", "line", "time_h")]
    doses = tables["doses"].filter(key)
    wells = tables["hits"].filter(*key, pl.col("role") == "treatment")
    plates = tables["plates"].filter(
        pl.col("plate").is_in(wells["plate"].unique().implode()), *key[1:]
    )
    return "\n".join(
        [
            *_verdict(row, summary),
            *_doses(doses),
            *_wells(wells, folder),
            *_plates(plates),
            *_quality_control(row, _removed(folder, wells)),
            *_overturn(row, summary["settings"]),
            *_sources(folder),
        ]
    )


def _verdict(row: Row, summary: Row) -> list[str]:
    place = ", ".join(
        f"{c} {row[c]:g}" if isinstance(row[c], float) else f"{c} {row[c]}"
        for c in ("line", "time_h")
        if row[c] is not None
    )
    ranks = (
        f" (rank {row['rank_low']:.0f} to {row['rank_high']:.0f} of {summary['family_size']})"
        if row.get("rank_low") is not None
        else ""
    )
    lines = [
        f"{row['compound']}{f' ({place})' if place else ''}:"
        f" {row['class']}{', a hit' if row['is_hit'] else ''}, row {row['rank']}{ranks}",
        f"  why: {row['why']}",
        f"  test: {summary['unit']}; p {_number(row['p'])}, q {_number(row['q'])}"
        f" ({summary['adjustment']} over {summary['family']}, {summary['family_size']})",
    ]
    if row["flags"]:
        lines.append(f"  flags: {row['flags'].replace(';', ', ')}")
    if row.get("interference"):
        lines.append(f"  structure or name: {row['interference']}")
    if row.get("by_hand"):
        lines.append(f"  {row['by_hand']} by hand: {row['by_hand_reason']}")
    return lines


def _doses(doses: pl.DataFrame) -> list[str]:
    lines = ["  doses:"]
    for d in doses.sort("concentration_um", nulls_last=True).iter_rows(named=True):
        dose = (
            "no dose"
            if d["concentration_um"] is None
            else f"{d['concentration_um']:g} uM"
        )
        count = "" if d["log_count"] is None else f", log count {d['log_count']:.2f}"
        lines.append(
            f"    {dose}: {d['class']}, effect {_number(d['effect'])}"
            f" ({_number(d['low'])} to {_number(d['high'])}){count},"
            f" p {_number(d['p'])}, cells p {_number(d['p_count'])};"
            f" {d['n_used']} of {d['n_wells']} wells"
        )
    return lines


def _wells(wells: pl.DataFrame, folder: Path) -> list[str]:
    digests = _digests(folder, wells)
    lines = ["  wells:"]
    for w in wells.sort("concentration_um", "plate", "row", "column").iter_rows(
        named=True
    ):
        left_out = w["excluded"] or w["flags"] or w["codes"]
        lines.append(
            f"    {w['plate']}/{w['well']} {_number(w['concentration_um'])} uM:"
            f" {w['status']}, {_number(w['n_cells'])} cells, score {_number(w['score'])},"
            f" rescue {_number(w['rescue'])}, robust z {_number(w['robust_z'])}"
            f"{f'; {left_out}' if left_out else ''}{digests.get((w['plate'], w['well']), '')}"
        )
    return lines


def _digests(folder: Path, wells: pl.DataFrame) -> dict[tuple[str, str], str]:
    """The beginning of the SHA-256 of every well's record, none of an imported table."""
    plates = wells["plate"].unique().sort().to_list()
    ledger = Ledger(folder)
    known = [p for p in plates if ledger.table(p).exists() or ledger.folder(p).exists()]
    return {
        (h["plate"], h["well"]): "; record "
        + hashlib.sha256(strict_json(h).encode()).hexdigest()[:16]
        for h in headers_of(folder, known)
    }


def _plates(plates: pl.DataFrame) -> list[str]:
    return ["  plates:"] + [
        f"    {p['plate']}: {p['verdict']}, {p['reason']}; scale: {p['scale']}"
        for p in plates.sort("plate").iter_rows(named=True)
    ]


def _removed(folder: Path, wells: pl.DataFrame) -> pl.DataFrame | None:
    """What quality control removed of these wells; None for runs called before it was told."""
    path = folder / "qc_counterfactual.parquet"
    if not path.exists():
        return None
    keys = ["plate", "well"]
    return pl.read_parquet(path).join(wells.select(keys), on=keys, how="semi")


def _quality_control(row: Row, removed: pl.DataFrame | None) -> list[str]:
    if removed is None or "n_removed" not in row:
        return []
    lines = ["  quality control:"]
    for w in removed.iter_rows(named=True):
        value = (
            f"score {_number(w['without_qc_score'])}, rescue"
            f" {_number(w['without_qc_rescue'])}, robust z"
            f" {_number(w['without_qc_robust_z'])} if put back"
            if w["put_back"]
            else "no number that could be put back"
        )
        lines.append(f"    {w['plate']}/{w['well']} removed: {w['why']}; {value}")
    if row["without_qc_class"] is None:
        return [*lines, "    no well with a number was removed"]
    same = (row["class"], row["is_hit"]) == (
        row["without_qc_class"],
        row["without_qc_is_hit"],
    )
    fate = "the same" if same else f"otherwise: {change_words(row)}"
    return [*lines, f"    with every removed well put back it is called {fate}"]


def _overturn(row: Row, rules: Row) -> list[str]:
    """How far the numbers are from the limits that they were held against."""
    limits = [
        ("q", row["q"], rules["fdr"], "at most"),
        ("q of cells", row["q_count"], rules["fdr"], "at most"),
        ("rescue", row["rescue"], rules["min_effect"], "at least"),
        ("lower bound of rescue", row["rescue_low"], 0.0, "above"),
        ("cells of the vehicle", row["relative_count"], rules["min_relative_count"], "at least"),
        ("lead over the next class", row["lead"], rules["margin_min"], "at least"),
        ("off axis", row["off_axis_z"], rules["off_axis_max"], "at most"),
        ("light of a channel", row.get("channel_z"), rules["background_z_max"], "at most"),
    ]  # fmt: skip
    told = [
        f"    {name} {_number(value)}, asked for: {word} {limit:g}"
        for name, value, limit, word in limits
        if value is not None
    ]
    return ["  what would overturn it:", *told] if told else []


def _sources(folder: Path) -> list[str]:
    verbs = read_manifest(folder)["verbs"]
    lines = ["  from:"]
    for verb in ("score", "call"):
        for name, one in verbs.get(verb, {}).get("inputs", {}).items():
            digests = one.get("sha256", {})
            text = ", ".join(
                f"{file} {sha[:16]}" for file, sha in list(digests.items())[:3]
            )
            more = f" and {len(digests) - 3} more" if len(digests) > 3 else ""
            lines.append(f"    {verb} {name}: {text}{more}")
    return lines


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
