"""What a call takes from a run's records, plate by plate: the headers of a whole night
at once would take more memory than a worker has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from screen.field_groups import QualitySettings
from screen.field_table import FieldTables, channel_names, field_tables, judge_plate
from screen.ledger import headers_of, scores_of

Header = dict[str, Any]
_MEASURED = ("plate", "well", "channels")
_OF_FIELD = ("field", "used", "mean")


@dataclass(frozen=True)
class CalledRecords:
    """The flat scores of the fields that stay, and of all fields; the tables of the
    fields; and of the control wells' headers what their measures need."""

    scores: pl.DataFrame
    whole: pl.DataFrame
    tables: FieldTables
    controls: list[Header]


def called_records(
    run: Path, plates: Sequence[str], qc: QualitySettings, controls: pl.DataFrame
) -> CalledRecords:
    """Judge the fields of every plate; ``controls`` names the wells by plate and well."""
    names = channel_names(headers_of(run, [plate]) for plate in plates)
    wanted: dict[str, set[str]] = {}
    for plate, well in controls.select("plate", "well").iter_rows():
        wanted.setdefault(plate, set()).add(well)
    scores, whole = [scores_of([])], [scores_of([])]
    fields, kept = list[pl.DataFrame](), list[Header]()
    for plate in plates:
        headers = headers_of(run, [plate])
        judged, table = judge_plate(headers, names, qc)
        fields.append(table)
        scores.append(scores_of(judged))
        is_same = all(a is b for a, b in zip(headers, judged, strict=True))
        whole.append(scores[-1] if is_same else scores_of(headers))
        own = wanted.get(plate, set())
        kept += [_measured(header) for header in judged if header["well"] in own]
    tables = field_tables(fields, names)
    return CalledRecords(_joined(scores), _joined(whole), tables, kept)


def _joined(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    # In one piece: what runs over a thousand pieces takes several times as long.
    return pl.concat(parts, rechunk=True)


def _measured(header: Header) -> Header:
    fields = [{k: f[k] for k in _OF_FIELD if k in f} for f in header["fields"]]
    return {k: header[k] for k in _MEASURED if k in header} | {"fields": fields}
