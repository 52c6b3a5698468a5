"""What a call takes from a run's records, plate by plate: the headers of a whole night
at once would take more memory than a worker has."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from screen.field_groups import QualitySettings
from screen.field_table import (
    FieldTables,
    channel_names,
    field_tables,
    judge_plate,
    left_by,
)
from screen.header_columns import columns_of
from screen.ledger import Ledger, scores_of
from screen.score_columns import score_columns

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
    ledger = Ledger(run)
    names = channel_names(columns_of(ledger.header_texts(plate)) for plate in plates)
    wanted: dict[str, set[str]] = {}
    for plate, well in controls.select("plate", "well").iter_rows():
        wanted.setdefault(plate, set()).add(well)
    scores, whole = [scores_of([])], [scores_of([])]
    fields, kept = list[pl.DataFrame](), list[Header]()
    for plate in plates:
        texts = ledger.header_texts(plate)
        headers = columns_of(texts)
        leaving, table = judge_plate(headers, names, qc)
        fields.append(table)
        whole.append(score_columns(headers))
        left = {
            h["well"]: left_by(h, leaving, qc) for h in _parsed(texts, headers, leaving)
        }
        scores.append(_replaced(whole[-1], left) if left else whole[-1])
        own = _parsed(texts, headers, wanted.get(plate, ()))
        kept += [_measured(left.get(h["well"], h)) for h in own]
    tables = field_tables(fields, names)
    all_fields = _joined(whole)
    is_same = all(a is b for a, b in zip(scores[1:], whole[1:], strict=True))
    return CalledRecords(
        all_fields if is_same else _joined(scores), all_fields, tables, kept
    )


def _parsed(
    texts: pl.Series, headers: pl.DataFrame, wells: Collection[str]
) -> list[Header]:
    """The headers of some wells, whole."""
    own = texts.filter(headers["well"].is_in(list(wells)))
    return [json.loads(text) for text in own]


def _replaced(scores: pl.DataFrame, left: dict[str, Header]) -> pl.DataFrame:
    """The scores of a plate with those of the wells that some field has left."""
    stay = scores.filter(~pl.col("well").is_in(list(left)))
    return pl.concat([stay, scores_of(left.values())]).sort("well")


def _joined(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    # In one piece: what runs over a thousand pieces takes several times as long.
    return pl.concat(parts, rechunk=True)


def _measured(header: Header) -> Header:
    fields = [{k: f[k] for k in _OF_FIELD if k in f} for f in header["fields"]]
    return {k: header[k] for k in _MEASURED if k in header} | {"fields": fields}
