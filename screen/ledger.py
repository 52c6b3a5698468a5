"""The ledger of a run: which wells are done, kept so that no kill can undo it."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from plates.campaign import slug
from screen.cell_tables import SCHEMA as CELL_SCHEMA
from screen.cell_tables import cell_table
from screen.doubles import first_wins
from screen.durable import fsync_folder, make_folder, write_new, write_whole
from screen.records import RecordError, WellRecord, decode, encode, header_json
from screen.score_columns import SCORE_COLUMNS as SCORE_COLUMNS
from screen.score_columns import scores_of as scores_of

SUFFIX = ".rec"
_DOUBTED = ".differs"
_TEMPORARY = ".tmp-"
_RECORD_SCHEMA = pa.schema([("well", pa.string()), ("header", pa.string())])


class IntegrityError(ValueError):
    """A finished file of the run no longer is what was written."""


@dataclass(frozen=True)
class Ledger:
    """The ledger below one run folder: open records while a plate is under way,
    one Parquet file of headers (and one of cells) when it is whole."""

    run: Path

    def folder(self, plate: str) -> Path:
        """Where the plate's open records lie."""
        return self.run / "ledger" / slug(plate)

    def table(self, plate: str) -> Path:
        """The compacted headers of a plate."""
        return self.run / "ledger" / f"{slug(plate)}.parquet"

    def cells(self, plate: str) -> Path:
        """The per-cell scores of a plate."""
        return self.run / "cells" / f"{slug(plate)}.parquet"

    def commit(self, record: WellRecord) -> str:
        """Keep a record for good: "committed", "same" or "differs".

        Temp file, fsync, link, fsync of the folder. The first commit wins: a second
        one with other bytes changes nothing and is told as "differs". An existing
        file that is no whole record (a torn write) is replaced.
        """
        folder = self.folder(record.plate)
        make_folder(folder)
        data, final = encode(record), folder / f"{record.well}{SUFFIX}"
        name = f".{record.well}{_TEMPORARY}{os.getpid()}-{threading.get_ident()}"
        temporary = folder / name
        write_new(temporary, data)
        try:
            os.link(temporary, final)
            verdict = "committed"
        except FileExistsError:
            verdict = _against_existing(temporary, final, data)
        finally:
            temporary.unlink(missing_ok=True)
        if verdict == "differs":
            (folder / f"{record.well}{_DOUBTED}").touch()
        fsync_folder(folder)
        return verdict

    def open_records(self, plate: str) -> Iterator[WellRecord]:
        """The plate's records not yet compacted, in well order; torn files are none."""
        folder = self.folder(plate)
        paths = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
        for path in paths:
            with contextlib.suppress(RecordError):
                yield decode(path.read_bytes())

    def record(self, plate: str, well: str) -> WellRecord | None:
        """The well's record not yet compacted; None when there is none or it is torn."""
        path = self.folder(plate) / f"{well}{SUFFIX}"
        with contextlib.suppress(RecordError, FileNotFoundError, NotADirectoryError):
            return decode(path.read_bytes())
        return None

    def headers(self, plate: str) -> list[dict[str, Any]]:
        """Every finished well's header, in well order (compacted and open ones)."""
        found = {h["well"]: h for h in self._compacted(plate)}
        found.update({r.well: r.header for r in self.open_records(plate)})
        return [found[well] for well in sorted(found)]

    def header_texts(self, plate: str) -> pl.Series:
        """The same as the text of each header, which `header_columns` parses."""
        rows = pl.DataFrame(schema={"well": pl.String, "header": pl.String})
        if (path := self.table(plate)).exists():
            rows = pl.concat([rows, pl.DataFrame(read_parquet(path))])
        found = {r.well: header_json(r.header) for r in self.open_records(plate)}
        if found:
            kept = rows.filter(~pl.col("well").is_in(list(found)))
            added = {"well": list(found), "header": list(found.values())}
            rows = pl.concat([kept, pl.DataFrame(added)])
        return rows.sort("well")["header"]

    def _compacted(self, plate: str) -> list[dict[str, Any]]:
        path = self.table(plate)
        if not path.exists():
            return []
        rows = read_parquet(path).column("header").to_pylist()
        return [json.loads(row) for row in rows]

    def compact(self, plate: str) -> None:
        """Fold a whole plate's open records into its two Parquet files.

        Write, fsync, verify, only then unlink the records; killed at any point, the
        next call ends in the same bytes.
        """
        found = {r.well: r for r in self.open_records(plate)}
        doubted = [p.stem for p in self.folder(plate).glob(f"*{_DOUBTED}")]
        if not found and not doubted:
            return
        old_headers = {h["well"]: h for h in self._compacted(plate)}
        headers, records = first_wins(old_headers, found, doubted)
        old_cells = self._old_cells(plate, set(records))
        cells = pa.concat_tables([old_cells, cell_table(list(records.values()))])
        cells = cells.sort_by([("well", "ascending"), ("cell", "ascending")])
        _publish(cells, self.cells(plate))
        wells = sorted(headers)
        table = pa.table(
            [wells, [header_json(headers[w]) for w in wells]], schema=_RECORD_SCHEMA
        )
        _publish(table, self.table(plate))
        done = [f"{w}{SUFFIX}" for w in found] + [f"{w}{_DOUBTED}" for w in doubted]
        for name in done:
            (self.folder(plate) / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder(plate).rmdir()

    def _old_cells(self, plate: str, replaced: set[str]) -> pa.Table:
        path = self.cells(plate)
        if not path.exists():
            return CELL_SCHEMA.empty_table()
        table = read_parquet(path)
        keep = [well not in replaced for well in table.column("well").to_pylist()]
        return table.filter(pa.array(keep, pa.bool_()))

    def sweep(self) -> int:
        """Remove what dead writers left; call it under the run's lock."""
        found = [
            path
            for place in ("", ".hydra/", "ledger/", "ledger/*/", "cells/")
            for path in self.run.glob(f"{place}.*{_TEMPORARY}*")
        ]
        found += self.run.glob(".probe-*")
        for path in found:
            path.unlink(missing_ok=True)
        return len(found)


def _against_existing(temporary: Path, final: Path, data: bytes) -> str:
    existing = final.read_bytes()
    if existing == data:
        return "same"
    try:
        decode(existing)
    except RecordError:
        os.replace(temporary, final)
        return "committed"
    return "differs"


def read_parquet(path: Path) -> pa.Table:
    """A Parquet file of ours, page checksums verified; raises IntegrityError."""
    try:
        return pq.ParquetFile(path, page_checksum_verification=True).read()
    except (OSError, pa.ArrowInvalid) as error:
        # With a number it is the disk's own fault; what is damaged has none.
        if getattr(error, "errno", None) not in (None, errno.ENOENT):
            raise
        text = f"{path} must read back as written: {error}"
        again = "remove it and run score again, which scores its wells anew"
        raise IntegrityError(f"{text} - {again}") from error


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a Parquet file whole or not at all, with page checksums and fsync."""
    make_folder(path.parent)
    sink = io.BytesIO()
    # One chunk a column: pages, and so bytes, must not depend on how it was built.
    pq.write_table(
        table.combine_chunks(), sink, compression="zstd", write_page_checksum=True
    )
    write_whole(path, sink.getvalue())


def _publish(table: pa.Table, path: Path) -> None:
    write_parquet(table, path)
    if not read_parquet(path).equals(table):
        raise IntegrityError(f"{path} must read back as written")


def score_table(run: Path, plates: Iterable[str]) -> pl.DataFrame:
    """The scores of every finished well of ``plates``, no field left out."""
    return scores_of(headers_of(run, plates))


def headers_of(run: Path, plates: Iterable[str]) -> list[dict[str, Any]]:
    """The header of every finished well of ``plates``."""
    ledger = Ledger(run)
    return [header for plate in plates for header in ledger.headers(plate)]
