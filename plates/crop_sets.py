"""Labelled crops: a table of files with a label and a group, and the pictures beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plates.crop_labels import label_typos, number_faults
from plates.crop_pictures import Form, Opener, decoded, header_form, opened, reason
from plates.problems import InputError, Problem
from plates.tables import TextTable, distinct_rows, nearest, read_text_table

TABLE_ENDINGS = (".csv", ".tsv")
MAX_PLACES = 8  # places of one kind of fault that are spelt out

Crop = NDArray[np.uint8] | NDArray[np.uint16]
Crops = NDArray[Any]  # u8 or u16, [n y x] or [n y x 3]


@dataclass(frozen=True)
class CropSet:
    """Crops of one form, each with a label and the group it must be held out with.

    ``frame`` holds the table's text columns, one row a crop, in the table's order.
    """

    source: Path
    pictures: Path
    frame: pl.DataFrame
    label: str
    group: str
    form: Form

    @classmethod
    def read(
        cls,
        folder: Path,
        *,
        label: str = "state",
        group: str = "source_image",
        known: Collection[str] = (),
        is_number: bool = False,
    ) -> CropSet:
        """Read the table of a folder and the headers of the pictures it names.

        The folder holds one CSV with a column `file`, and the pictures in one zip (read
        in place) or lying beside the table. ``known`` labels are no typing errors; of
        ``is_number`` every label is a number. Raises InputError with every fault found.
        """
        path, pictures = _table_of(folder), _pictures_of(folder)
        table = read_text_table(path, {"file", label, group})
        _refuse_columns(table, label, group)
        problems = _row_faults(table, label, group)
        if is_number:
            problems += number_faults(table, label)
        else:
            problems += label_typos(table, label, known)
        with opened(pictures) as read:
            forms, faults = _headers(table, read)
        problems += faults
        if not problems:
            problems += _form_faults(table, forms)
        if problems:
            raise InputError(problems)
        form = next(iter(forms.values()))
        return cls(path, pictures, table.frame, label, group, form)

    def __len__(self) -> int:
        """Number of crops."""
        return self.frame.height

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of every crop, pixels."""
        return self.form.height, self.form.width

    @property
    def values(self) -> NDArray[np.float64]:
        """The label of each crop as a number f64[n]; raises ValueError for text."""
        return np.asarray([float(text) for text in self.frame[self.label]], np.float64)

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each crop."""
        return tuple(self.frame[self.label])

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each crop."""
        return tuple(self.frame[self.group])

    def where(self, column: str, value: str) -> CropSet:
        """The crops whose column holds the value; raises InputError when none does."""
        if column not in self.frame.columns:
            raise InputError(_no_column(self.source.name, column, self.frame.columns))
        kept = self.frame.filter(pl.col(column) == value)
        if kept.is_empty():
            seen = ", ".join(sorted(set(self.frame[column]))[:MAX_PLACES])
            raise InputError(
                Problem(
                    "CROPS_NONE",
                    f"{self.source.name} column {column}",
                    f"no crop has {value!r}",
                    "there is nothing to learn from",
                    f"choose one of: {seen}",
                )
            )
        return replace(self, frame=kept)

    def stream(self, block: int = 256) -> Iterator[Crops]:
        """The crops [b y x] or [b y x 3] in order, a block at a time, none kept.

        Raises InputError naming every picture of a block that does not decode.
        """
        with opened(self.pictures) as read:
            for start in range(0, len(self), block):
                names = self.frame["file"][start : start + block].to_list()
                yield _whole(list(_decode(names, read, self.source.name)))

    def images(self) -> Crops:
        """All crops [n y x] or [n y x 3], of 8 or 16 bits as they are stored; raises
        InputError naming every one that does not decode."""
        with opened(self.pictures) as read:
            names = self.frame["file"].to_list()
            return _whole(list(_decode(names, read, self.source.name)))

    def sha256(self) -> str:
        """Hash of the table's rows and of the bytes of their pictures."""
        digest = hashlib.sha256(self.frame.write_csv().encode())
        with opened(self.pictures) as read:
            for name in self.frame["file"].to_list():
                digest.update(hashlib.sha256(read(name)).digest())
        return digest.hexdigest()


def _table_of(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(_folder_fault(folder, "no such folder"))
    tables = sorted(p for p in folder.iterdir() if p.suffix.lower() in TABLE_ENDINGS)
    if len(tables) != 1:
        names = ", ".join(p.name for p in tables) or "none"
        raise InputError(_folder_fault(folder, f"tables found: {names}"))
    return tables[0]


def _pictures_of(folder: Path) -> Path:
    archives = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".zip")
    if len(archives) > 1:
        names = ", ".join(p.name for p in archives)
        raise InputError(_folder_fault(folder, f"archives found: {names}"))
    return archives[0] if archives else folder


def _folder_fault(folder: Path, found: str) -> Problem:
    return Problem(
        "CROPS_FOLDER",
        str(folder),
        found,
        "a crop set is one CSV, and one zip or the pictures themselves",
        "give a folder with one table and its pictures",
    )


def _refuse_columns(table: TextTable, label: str, group: str) -> None:
    missing = [c for c in ("file", label, group) if c not in table.frame.columns]
    if missing:
        columns = table.frame.columns
        raise InputError([_no_column(table.source, c, columns) for c in missing])
    if table.frame.is_empty():
        where, why = table.source, "there is nothing to learn from"
        raise InputError(Problem("TABLE_EMPTY", where, "no rows", why, "add rows"))


def _no_column(source: str, column: str, columns: list[str]) -> Problem:
    near = nearest(column, columns)
    hint = f"rename {near}" if near else f"name one of: {', '.join(columns)}"
    why = "it says what a crop shows or what it must be held out with"
    return Problem("CROPS_COLUMN_MISSING", source, f"no column {column}", why, hint)


def _row_faults(table: TextTable, label: str, group: str) -> list[Problem]:
    faults = []
    for column in ("file", label, group):
        empty = [i for i, value in enumerate(table.frame[column]) if not value]
        if empty:
            where, why = table.where(empty, column), "every crop needs one"
            faults.append(
                Problem("CROPS_CELL_EMPTY", where, "no value", why, "fill the cell")
            )
    for name, rows in distinct_rows(table.frame["file"].to_list()).items():
        if name and len(rows) > 1:
            where, why = table.where(rows, "file"), "a crop counts once"
            found, remedy = f"{name} {len(rows)} times", "keep one line"
            faults.append(Problem("IMG_DUPLICATE", where, found, why, remedy))
    return faults


def _headers(table: TextTable, read: Opener) -> tuple[dict[str, Form], list[Problem]]:
    forms: dict[str, Form] = {}
    faults: dict[tuple[str, str], list[int]] = {}
    for row, name in enumerate(table.frame["file"].to_list()):
        if not name or name in forms:
            continue
        try:
            forms[name] = header_form(read(name))
        except (OSError, ValueError) as error:
            faults.setdefault(reason(error), []).append(row)
    return forms, [
        _picture_fault(code, words, table, rows)
        for (code, words), rows in faults.items()
    ]


def _picture_fault(code: str, words: str, table: TextTable, rows: list[int]) -> Problem:
    names = table.frame["file"][rows[:MAX_PLACES]].to_list()
    more = f" and {len(rows) - MAX_PLACES} more" if len(rows) > MAX_PLACES else ""
    found = f"{', '.join(names)}{more}: {words}"
    where = table.where(rows, "file")
    why = "the table promises a crop that cannot be used"
    return Problem(code, where, found, why, "bring the picture or drop the line")


def _form_faults(table: TextTable, forms: dict[str, Form]) -> list[Problem]:
    rows_of: dict[Form, list[int]] = {}
    for row, name in enumerate(table.frame["file"].to_list()):
        rows_of.setdefault(forms[name], []).append(row)
    usual = max(rows_of, key=lambda form: len(rows_of[form]))
    return [
        Problem(
            "IMG_SHAPE_MISMATCH",
            table.where(rows, "file"),
            str(form),
            f"the other crops are {usual}",
            "bring all to one size and kind",
        )
        for form, rows in rows_of.items()
        if form != usual
    ]


def _decode(names: list[str], read: Opener, source: str) -> Iterator[Crop | Problem]:
    for name in names:
        try:
            yield decoded(read(name))
        except (OSError, ValueError) as error:
            code, found = reason(error)
            why, remedy = "the picture is damaged", "copy it again or drop its line"
            yield Problem(code, f"{source}: {name}", found, why, remedy)


def _whole(parts: list[Crop | Problem]) -> Crops:
    problems = [part for part in parts if isinstance(part, Problem)]
    if problems:
        raise InputError(problems)
    return np.stack([part for part in parts if not isinstance(part, Problem)])
