"""What is known of one well, in the words of the report, and where to look next."""

from __future__ import annotations

import polars as pl

from plates.problems import Problem
from plates.store import Plate
from plates.wells import Well
from screen.codes import CODES
from screen.report.wording import CLASSES, STATUSES, concentration, sentence, shown
from screen.viewer.answers import shown_problem
from screen.viewer.called import Called
from screen.viewer.viewed_run import Row, UnknownError, ViewedRun

_ROLES = {
    "vehicle": "Vehicle",
    "untreated": "Untreated",
    "reference": "Reference",
    "treatment": "Treatment",
    "no_cells": "No cells",
}


def map_rows(run: ViewedRun, plate: str) -> list[Row]:
    """The wells of a plate as its small map shows them."""
    return [
        {
            "well": row["well"],
            "score": _rounded(row["score"]),
            "status": row["status"],
            "role": row["role"],
            "state": row["state"],
            "label": label_of(row),
        }
        for row in run.rows(plate)
    ]


def label_of(row: Row) -> str:
    """What the well holds, in a few words."""
    if row["role"] != "treatment" or not row["compound"]:
        state = f", {row['state']}" if row["state"] else ""
        name = f" {shown(row['compound'])}" if row["compound"] else ""
        return f"{_ROLES.get(row['role'], 'Unknown role')}{name}{state}"
    dose = row.get("concentration_um")
    at = "" if dose is None else f", {concentration(dose)}"
    return f"{shown(row['compound'])}{at}"


def well_facts(run: ViewedRun, plate: str, well: str) -> Row:
    """Every fact of a well; UnknownError where the run has no such one."""
    rows = run.rows(plate)
    row = next((r for r in rows if r["well"] == well), None)
    if row is None:
        raise UnknownError(f"plate {plate} has no well {well}")
    called = run.tables.get()
    status = row["status"] or ""
    word, meaning = STATUSES.get(
        status, ("Not scored yet", "no record is there by now")
    )
    return {
        "plate": plate,
        "plateName": shown(plate),
        "well": well,
        "label": label_of(row),
        "status": {"code": status, "word": word, "meaning": meaning},
        "facts": _facts(row, _compound(called, row)),
        "remarks": _remarks(row, _compound(called, row)),
        "score": _rounded(row["score"]),
        "same": _same(run, plate, row),
    }


def _compound(called: Called | None, row: Row) -> Row:
    if called is None or not row["compound"]:
        return {}
    key = row["compound"], row["line"], row["time_h"]
    return called.of_compound.get(key, {})


def _facts(row: Row, compound: Row) -> list[list[str]]:
    """Name and value of what is known, in the order in which a person asks."""
    kind = CLASSES.get(compound.get("class") or "", ("", ""))[0]
    dose, rescue = row.get("concentration_um"), row.get("rescue")
    named = {
        "Compound": shown(row["compound"]),
        "Name": shown(compound.get("name")),
        "Dose": "" if dose is None else concentration(dose),
        "Class": kind,
        "Rank": str(compound.get("rank") or ""),
        "Role": _ROLES.get(row["role"], shown(row["role"])),
        "Cells are": shown(row["state"]),
        "Line": shown(row["line"]),
        "Time": "" if row["time_h"] is None else f"{row['time_h']:g} h",
        "Replicate": shown(row["replicate"]),
        "Batch": shown(row["batch"]),
        "Score": "" if row["score"] is None else f"{row['score']:.3f}",
        "Rescue": "" if rescue is None else f"{rescue:.2f}",
        "Cells": "" if row["n_cells"] is None else f"{row['n_cells']:,}",
    }
    return [[name, value] for name, value in named.items() if value]


def _remarks(row: Row, compound: Row) -> list[Row]:
    """Codes and flags with their meaning and what helps."""
    found = [_remark(code) for code in [*row["codes"], *row["flags"]]]
    if row.get("learnt"):
        found.append(_said("Taught the model", "the model learnt from this well"))
    if row.get("excluded"):
        found.append(_said("Left out by hand", sentence(row["excluded"])))
    if compound.get("flags"):
        flags = compound["flags"].split(";")
        found += [_remark(f) | {"of": "compound"} for f in flags if f]
    return found


def _remark(code: str) -> Row:
    known = CODES.get(code)
    meaning = known.meaning if known else ""
    remedy = known.remedy if known else ""
    return {"code": shown(code), "meaning": meaning, "remedy": remedy, "of": "well"}


def _said(word: str, meaning: str) -> Row:
    return {"code": word, "meaning": meaning, "remedy": "", "of": "well"}


def _same(run: ViewedRun, plate: str, own: Row) -> list[Row]:
    """The wells alike, by dose, plate and place."""
    alike = run.alike(own, plate)
    order = {p: n for n, p in enumerate(run.plate_ids())}
    alike.sort(key=lambda r: (r.get("concentration_um") or 0, order.get(r["plate"], 0)))
    return [
        {
            "plate": r["plate"],
            "well": r["well"],
            "label": label_of(r),
            "score": _rounded(r["score"]),
        }
        for r in alike
    ]


def fields_of(
    run: ViewedRun, plate: Plate, well: str, cells_of: dict[int, int]
) -> list[Row]:
    """The fields of a well: what was found in each, and why one is lost."""
    place = Well.parse(well)
    header = run.headers(plate.plate).get(well, {})
    told = {f["field"]: f for f in header.get("fields", ())}
    judged = _judged(run, plate.plate, well)
    return [
        _field(n, plate.omitted.get((place, n)), told.get(n), judged.get(n))
        | {"cells": cells_of.get(n, 0)}
        for n in plate.fields(place)
    ]


def _field(n: int, lost: Problem | None, told: Row | None, judged: Row | None) -> Row:
    codes = [] if told is None else list(told.get("codes", ()))
    codes += [] if lost is None else [lost.code]
    flags = [c for c in (judged or {}).get("flags", "").split(";") if c]
    return {
        "field": n,
        "problem": None if lost is None else shown_problem(lost),
        "used": None if told is None else bool(told.get("used", True)),
        "remarks": [_remark(c) for c in dict.fromkeys([*codes, *flags])],
        "why": sentence((judged or {}).get("why") or ""),
    }


def _judged(run: ViewedRun, plate: str, well: str) -> dict[int, Row]:
    called = run.tables.get()
    if called is None or called.fields.is_empty():
        return {}
    mine = (pl.col("plate") == plate) & (pl.col("well") == well)
    rows = called.fields.filter(mine).fill_null("").iter_rows(named=True)
    return {row["field"]: row for row in rows}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
