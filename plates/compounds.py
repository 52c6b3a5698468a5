"""Compound libraries: one row a compound, with its structure or the reason for none."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from plates.identities import identities
from plates.json_text import strict_json
from plates.killable import KillablePool
from plates.library_files import Source, from_table, read_source
from plates.library_rows import SCHEMA as SCHEMA
from plates.library_rows import library_rows
from plates.problems import InputError, Problem
from plates.structure_pool import Drawing, PoolLimits, read_structures
from plates.structures import (
    RDKIT_VERSION,
    STRUCTURE_VERSION,
    Structure,
    StructureError,
)
from plates.tables import content_sha256, frame_table

FILE_SCHEMA = 1
_META = "senoscreen_library"
# Spreadsheets and pandas write these words for an empty cell; none is a SMILES.
_NO_SMILES = ("nan", "none", "null", "n/a", "na")


@dataclass(frozen=True)
class Library:
    """The compounds of a campaign in the order of the file, each id once.

    Columns as in `SCHEMA`, then those carried. Texts are '' and descriptors null where
    there is no structure; `code` and `reason` say why, or what was taken off a SMILES.
    Keys, alerts and descriptors are those of the parent; `same_as` is the first compound
    with the same `parent_key` (InChIKey, racemates apart), '' when it is the first. `warnings` are faults that do
    not keep the library from being used. `rdkit` is the version behind the keys.
    """

    frame: pl.DataFrame
    source: str
    warnings: tuple[Problem, ...] = ()
    rdkit: str = RDKIT_VERSION

    @classmethod
    def read(
        cls,
        path: Path,
        columns: Mapping[str, str] | None = None,
        carry: Iterable[str] = (),
        *,
        limits: PoolLimits | None = None,
        pool: KillablePool | None = None,
    ) -> "Library":
        """Reads SDF, CSV, TSV, Excel or Parquet, gzipped or not, told by the content.

        A file that `write` made is read as it is, unless RDKit is another one by now.
        `columns` gives headers by compound, name, smiles and synonyms where they are
        uncommon, `carry` further ones to keep. Each structure is read in a process that
        may die. Raises InputError with every problem and its place.
        """
        computed = _read_computed(path)
        if computed is not None and _is_current(computed[1]):
            return cls(computed[0], path.name, rdkit=computed[1]["rdkit"])
        if computed is not None:
            return _again(computed[0], path.name, limits, pool)
        return _library(read_source(path, columns, carry), limits, pool)

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame,
        source: str = "library",
        *,
        limits: PoolLimits | None = None,
        pool: KillablePool | None = None,
    ) -> "Library":
        """Reads a frame of text with the columns compound, smiles and, if any, name."""
        table = frame_table(frame, source, lambda column: column == "smiles")
        return _library(from_table(table, {}), limits, pool)

    def unknown(self, compounds: Iterable[str]) -> tuple[str, ...]:
        """Those of these ids that the library does not hold, each once; '' is no id."""
        known = {"", *self.frame["compound"]}
        return tuple(name for name in dict.fromkeys(compounds) if name not in known)

    def identities(self) -> pl.DataFrame:
        """Every merge, split and conflict of compounds with its reason and remedy."""
        return identities(self.frame)

    def sha256(self) -> str:
        """The checksum of the content, whatever file it came from."""
        return _checksum(self.frame)

    def write(self, path: Path) -> None:
        """Writes the computed library so that `read` need not compute it; whole or not at all."""
        about = {
            "schema": FILE_SCHEMA,
            "rdkit": self.rdkit,
            "structures": STRUCTURE_VERSION,
            "sha256": self.sha256(),
        }
        table = self.frame.to_arrow()
        table = table.replace_schema_metadata({_META: strict_json(about)})
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        pq.write_table(table, temporary)
        temporary.replace(path)


def _checksum(frame: pl.DataFrame) -> str:
    return content_sha256(
        frame.with_columns(pl.col("fingerprint").bin.encode("base64"))
    )


def _library(
    source: Source, limits: PoolLimits | None, pool: KillablePool | None
) -> Library:
    drawings = source.table.frame["drawing"].unique(maintain_order=True).to_list()
    structures = {text: _told_apart(text, source.is_block) for text in drawings}
    open_ones = [text for text, found in structures.items() if found is None]
    asked = [Drawing(text, source.is_block) for text in open_ones]
    read = read_structures(asked, limits, pool)
    # The same text is the same structure: each is read once.
    known = {text: found for text, found in structures.items() if found is not None}
    known |= dict(zip(open_ones, read, strict=True))
    frame, faults, warnings = library_rows(source, known)
    if faults:
        raise InputError(faults)
    ignored = _column_warnings(source)
    return Library(frame, source.table.source, tuple(ignored + warnings))


def _told_apart(text: str, is_block: bool) -> Structure | StructureError | None:
    """Why a cell is no drawing, None where it may be one."""
    if is_block:
        invalid = StructureError("CMPD_RECORD_INVALID", "no molecule in the record")
        return None if text else invalid
    if not text:
        return StructureError("CMPD_NO_STRUCTURE", "no SMILES given")
    if text.casefold() in _NO_SMILES:
        return StructureError("CMPD_NO_STRUCTURE", f"{text!r} stands for no SMILES")
    if text.replace(".", "", 1).isdecimal():
        return StructureError("CMPD_NO_STRUCTURE", f"the number {text}, not a SMILES")
    return None


def _column_warnings(source: Source) -> list[Problem]:
    names = source.ignored
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    found = f"columns {', '.join(names[:12])}{more}"
    why = "they are no columns of a library and are not carried to the results"
    fault = Problem("CMPD_COLUMN_IGNORED", source.table.source, found, why, "nothing")
    return [fault] if names else []


def _read_computed(path: Path) -> tuple[pl.DataFrame, dict[str, str]] | None:
    """A library that `write` made, and what stands about it; None for any other file."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":
                return None
        metadata = pq.read_schema(path).metadata or {}
        if _META.encode() not in metadata:
            return None
        about = json.loads(metadata[_META.encode()])
        frame = pl.read_parquet(path)
        is_whole = frame.columns[: len(SCHEMA)] == list(SCHEMA) and (
            _checksum(frame) == about["sha256"]
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        raise InputError(_changed(path, str(error)[:200])) from error
    if not is_whole:
        raise InputError(_changed(path, "its checksum does not agree"))
    return frame, about


def _changed(path: Path, found: str) -> Problem:
    why = "structures and keys may be wrong"
    return Problem("LIBRARY_CHANGED", path.name, found, why, "ingest the library again")


def _is_current(about: Mapping[str, object]) -> bool:
    wanted = {
        "schema": FILE_SCHEMA,
        "rdkit": RDKIT_VERSION,
        "structures": STRUCTURE_VERSION,
    }
    return wanted.items() <= about.items()


def _again(
    frame: pl.DataFrame,
    source: str,
    limits: PoolLimits | None,
    pool: KillablePool | None,
) -> Library:
    """The library computed anew from its own SMILES, by another RDKit."""
    carried = [name for name in frame.columns if name not in SCHEMA]
    text = frame.select(
        "compound", "name", pl.col("synonyms").list.join("\n"), "smiles", *carried
    )
    table = frame_table(text, source, lambda _: False)
    made = _library(from_table(table, {}, carried), limits, pool)
    # A record of an SD file that had no structure has no SMILES to say why.
    no_text = pl.Series(frame["smiles"] == "")
    kept = {
        name: pl.when(no_text).then(frame[name]).otherwise(made.frame[name])
        for name in ("code", "reason")
    }
    found = f"computed by another RDKit than {RDKIT_VERSION}"
    why, remedy = "keys were computed anew, at each start", "ingest the library again"
    warning = Problem("LIBRARY_CHANGED", source, found, why, remedy)
    return Library(made.frame.with_columns(**kept), source, (warning, *made.warnings))
