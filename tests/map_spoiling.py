"""Ways in which plate maps get spoiled on their way out of a lab, each from a seed.

A way is a mutator with a carrier: the table is spoiled, or the text of its file, or the
bytes. `spoil` writes the file; `verdict` holds what `read_map` made of it to the clean map.
"""

import contextlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl

from plates.map_formats import read_map
from plates.maps import PlateMap
from plates.problems import InputError
from plates.wells import PlateFormat
from tests.map_mutators import BYTES, HEADER, TABLE, TEXT, Draw, Table

CONTENT = (*HEADER[2:], "time_h", "lot", "excluded", "teaching")
FORMAT = PlateFormat.of(384)
SEPARATORS = {"csv": ",", "semicolons": ";", "tabs": "\t"}
CARRIERS = (*SEPARATORS, "xlsx", "parquet")


@dataclass(frozen=True)
class Spoiled:
    """A spoiled file; `may_differ` says in how many rows a byte may have changed one
    column's cell into another good one. Nothing can see that: text has no checksum, and
    Parquet has one only where its writer was asked for it (a page may serve all rows).
    """

    path: Path
    way: str
    may_differ: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


WAYS: tuple[tuple[str, str], ...] = (
    *((name, carrier) for name in TABLE for carrier in CARRIERS),
    *((name, "csv") for name in TEXT),
    *((name, carrier) for name in BYTES for carrier in ("csv", "xlsx", "parquet")),
)


def spoil(
    clean: Table, way: tuple[str, str], seed: int, folder: Path, *, then: str = ""
) -> Spoiled:
    """Writes the table spoiled in one way; `then` names a second mutator of tables."""
    name, carrier = way
    d = Draw(random.Random(f"{name} {carrier} {seed}"), [[*row] for row in clean])
    if name in TABLE:
        TABLE[name](d)
    if then in TABLE and tuple(d.table[0]) == HEADER:
        # The second must find its columns where they were, or it would edit others;
        # cells that the first has made unreadable it leaves alone.
        with contextlib.suppress(ValueError, IndexError):
            TABLE[then](d)
    path = folder / f"map.{carrier}"
    if carrier in SEPARATORS:
        text = "".join(SEPARATORS[carrier].join(row) + d.newline for row in d.table)
        text = TEXT[name](d, text) if name in TEXT else text
        path.write_bytes(text.encode(d.encoding, errors="replace"))
    elif carrier == "xlsx":
        _write_workbook(d, path)
    else:
        _write_parquet(d, path)
    may_differ = 0
    if name in BYTES:
        path.write_bytes(BYTES[name](d.rng, path.read_bytes()))
        may_differ = {"csv": 1, "parquet": len(clean)}.get(carrier, 0)
    return Spoiled(path, f"{name} {carrier} {seed} {then}".strip(), may_differ)


def _write_workbook(d: Draw, path: Path) -> None:
    book = openpyxl.Workbook()
    tab = book.active
    for row in d.table:
        tab.append([_value(d.table[0], i, cell) for i, cell in enumerate(row)])
    book.save(path)


def _value(header: Sequence[str], place: int, cell: str) -> Any:
    """Numbers are numbers in a workbook wherever a person types them."""
    name = header[place] if place < len(header) else ""
    # Three decimals are what a mark of thousands looks like: that cell stays text.
    if re.fullmatch(r"[0-9]+(\.[0-9]{1,2}|\.[0-9]{4,})?", cell) and name[
        :4
    ].casefold() in (
        "conc",
        "repl",
    ):
        return float(cell)
    clean = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f]", "", cell)
    return clean or None


def _write_parquet(d: Draw, path: Path) -> None:
    width = max(map(len, d.table))
    header = [*d.table[0], *(f"more{i}" for i in range(width))][:width]
    names = [f"{n}{i}" if n in header[:i] else n for i, n in enumerate(header)]
    columns = {
        name: [row[i] if i < len(row) else None for row in d.body]
        for i, name in enumerate(names)
    }
    pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).write_parquet(path)


def clean_map(table: Table) -> PlateMap:
    """The map that the clean table is."""
    columns = dict(zip(HEADER, zip(*table[1:], strict=True), strict=True))
    return PlateMap.from_frame(pl.DataFrame(columns), FORMAT)


def verdict(clean: PlateMap, spoiled: Spoiled) -> tuple[str, str]:
    """How reading ended: `refused`, `equal`, `told` or `WRONG`, and why; any other
    exception than a refusal goes on to the caller."""
    try:
        found = read_map([spoiled.path], FORMAT, **spoiled.options)
    except InputError as error:
        bad = [p for p in error.problems if not (p.code and p.where and p.remedy)]
        return (
            ("WRONG", f"a problem without place or remedy: {bad}")
            if bad
            else ("refused", "")
        )
    joined = found.join(clean.frame.select("plate", "well"))
    rows = joined.rows.filter(pl.col("join") == "MATCHED")
    both = rows.join(clean.frame, on=["plate", "well"], suffix=" clean", how="left")
    differing = {name for name in CONTENT if not _same(found, both, name)}
    if not differing:
        return "equal", ""
    words = " ".join(f"{w.where} {w.found} {w.why}" for w in found.warnings)
    named = {name for name in differing if name.removesuffix("_um") in words}
    strangers = set(found.frame["compound"]) - set(clean.frame["compound"])
    if named or "last line" in words or ("compound" in differing and strangers):
        # A name that no library knows is told by ingest as CMPD_UNKNOWN.
        return "told", ""
    unlike = pl.any_horizontal(~_equal(name) for name in differing)
    if both.filter(unlike).height <= spoiled.may_differ and len(differing) == 1:
        return "unseen", ""
    return "WRONG", f"{sorted(differing)} differ without a word: {words}"


def _equal(name: str) -> pl.Expr:
    if name == "concentration_um":
        near = (pl.col(name) - pl.col(f"{name} clean")).abs() <= 2e-8 * pl.col(name)
        return pl.col(name).eq_missing(pl.col(f"{name} clean")) | near.fill_null(False)
    return pl.col(name).eq_missing(pl.col(f"{name} clean"))


def _same(found: PlateMap, both: pl.DataFrame, name: str) -> bool:
    """Whether a column says what the clean one says, or nothing on any row."""
    if found.frame[name].is_null().all() and name not in ("concentration_um",):
        return True
    return bool(both.select(_equal(name).all()).item())
