"""A well that was scored twice: the first record stays, and a difference is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from plates.problems import Problem
from screen.codes import CODES
from screen.records import WellRecord

CODE = "NONDETERMINISM"
Header = dict[str, Any]


def first_wins(
    old: Mapping[str, Header],
    records: Mapping[str, WellRecord],
    doubted: Collection[str],
) -> tuple[dict[str, Header], dict[str, WellRecord]]:
    """Every well's header, and the records that are new, of compacted headers and open
    records. A record of the same input that differs from its well's header, and the
    wells ``doubted``, are marked NONDETERMINISM; a quarantined well may be tried again.
    """
    rivals = {w: r for w, r in records.items() if w in old and _is_same(old[w], r)}
    new = {well: record for well, record in records.items() if well not in rivals}
    headers = {**old, **{well: record.header for well, record in new.items()}}
    differ = {w for w, r in rivals.items() if _bare(old[w]) != _bare(r.header)}
    for well in {*doubted, *differ} & headers.keys():
        codes = sorted({*headers[well]["codes"], CODE})
        headers[well] = {**headers[well], "codes": codes}
    return headers, new


def doubled(run: Path, n: int) -> Problem:
    """What is said of the ``n`` wells of a run that were scored twice and differ."""
    code, found = CODES[CODE], f"{n} wells, of which the first score stays"
    return Problem(CODE, str(run), found, code.meaning, code.remedy)


def _is_same(header: Header, record: WellRecord) -> bool:
    """Whether a record claims what a header already says: the same input and settings."""
    names = ("input", "fingerprint")
    is_equal = all(header.get(name) == record.header.get(name) for name in names)
    return is_equal and header["status"] != "QUARANTINED"


def _bare(header: Header) -> Header:
    return {**header, "codes": [code for code in header["codes"] if code != CODE]}
