"""The finished wells of a plate, told without parsing their headers: a night has 384,000."""

from __future__ import annotations

import json
from dataclasses import dataclass

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


def statuses(rows: pa.Table) -> list[str | None]:
    """The status of each row of a plate's table; None where its header names none."""
    found = pc.extract_regex(rows.column("header"), _STATUS).to_pylist()
    return [None if match is None else match["status"] for match in found]


def _doubled(rows: pa.Table) -> set[str]:
    named = pc.match_substring(rows.column("header"), f'"{DOUBLED}"')
    few = rows.filter(named).to_pylist()
    return {r["well"] for r in few if DOUBLED in json.loads(r["header"])["codes"]}
