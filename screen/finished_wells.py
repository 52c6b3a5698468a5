"""The finished wells of a plate, told without parsing their headers: a night has 384,000."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from screen.doubles import CODE as DOUBLED
from screen.ledger import IntegrityError, Ledger, read_parquet

_STATUS = (
    r'"status":"(?P<status>[A-Z_]+)"'  # quotes inside a header's texts are escaped
)


@dataclass(frozen=True)
class Finished:
    """How one well ended, and whether it was scored twice with two results."""

    status: str
    is_doubled: bool


def finished_wells(ledger: Ledger, plate: str) -> dict[str, Finished]:
    """Every finished well of a plate, compacted and open ones, in well order.

    Raises IntegrityError when the plate's table is not what was written.
    """
    found: dict[str, Finished] = {}
    path = ledger.table(plate)
    if path.exists():
        rows = read_parquet(path)
        doubled = _doubled(rows)
        for well, status in zip(
            rows.column("well").to_pylist(), statuses(rows), strict=True
        ):
            if status is None:
                raise IntegrityError(f"{path} must name the status of {well}")
            found[well] = Finished(status, well in doubled)
    for record in ledger.open_records(plate):
        is_doubled = DOUBLED in record.header["codes"]
        found[record.well] = Finished(record.status, is_doubled)
    return dict(sorted(found.items()))


def not_done(
    wells: Iterable[str], found: Mapping[str, Finished], *, retry: bool
) -> list[str]:
    """The wells that have not ended; with ``retry`` also those set aside."""
    again = {w for w, end in found.items() if retry and end.status == "QUARANTINED"}
    return [well for well in wells if well not in found or well in again]


def tally(
    ledger: Ledger, plates: Iterable[str], known: Iterable[Counter[Finished]]
) -> tuple[dict[str, int], int]:
    """Wells by status, and how many were scored twice with two results, of ``plates``
    and of those whose ends are ``known``."""
    ends = Counter[Finished]()
    for found in known:
        ends.update(found)
    for plate in plates:
        ends.update(finished_wells(ledger, plate).values())
    counts = Counter[str]()
    for end, n in ends.items():
        counts[end.status] += n
    doubled = sum(n for end, n in ends.items() if end.is_doubled)
    return dict(sorted(counts.items())), doubled


def statuses(rows: pa.Table) -> list[str | None]:
    """The status of each row of a plate's table; None where its header names none."""
    found = pc.extract_regex(rows.column("header"), _STATUS)
    named: list[str | None] = pc.struct_field(found, "status").to_pylist()
    return named


def _doubled(rows: pa.Table) -> set[str]:
    # Arrow takes ten times as long to look for a word in long texts.
    headers = pl.Series(rows.column("header"))
    few = rows.filter(headers.str.contains(f'"{DOUBLED}"', literal=True).to_arrow())
    return {
        r["well"]
        for r in few.to_pylist()
        if DOUBLED in json.loads(r["header"])["codes"]
    }
