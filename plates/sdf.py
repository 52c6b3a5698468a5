"""SD files: each molecule with its title and properties; a bad record is one bad record."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO

from plates.problems import InputError, Problem

MAX_FILE_BYTES = 4 * 2**30
MAX_RECORD_BYTES = 2 * 2**20
_END = b"$$$$"
_COUNTS = re.compile(r"[ \d]{6}.*V[23]000\s*$")
_PROPERTY = re.compile(r">.*?<([^>]*)>")


@dataclass(frozen=True)
class Record:
    """One molecule of an SD file, counted from 1.

    `block` is the molecule in MDL form, '' where there is none; `note` says what is
    wrong with the record or what was put right.
    """

    number: int
    title: str
    block: str
    properties: dict[str, str] = field(default_factory=dict)
    note: str = ""


def is_sdf(path: Path) -> bool:
    """Whether the first lines, unpacked where gzipped, are those of an MDL molecule."""
    try:
        with _opened(path) as file:
            head = file.read(4096).decode("latin-1").splitlines()
    except (OSError, EOFError, zlib.error):
        return False
    return any(_COUNTS.match(line) for line in head[:8]) or "$$$$" in head


def read_records(path: Path) -> Iterator[Record]:
    """The records in the order of the file; lines may end in CRLF, the last `$$$$` may lack.

    Where a `$$$$` between two molecules is missing they are told apart by their headers.
    Raises InputError for a file that cannot be unpacked or is above `MAX_FILE_BYTES`.
    """
    number = 0
    for lines, is_cut in _raw_records(path):
        for part in _molecules(lines):
            number += 1
            yield _record(number, part, is_cut)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        if file.peek(2)[:2] != b"\x1f\x8b":
            yield file
            return
        with gzip.GzipFile(fileobj=file) as packed:
            yield io.BufferedReader(packed)


def _raw_records(path: Path) -> Iterator[tuple[list[bytes], bool]]:
    """Lines of each record, and whether it was cut because it is far too long."""
    lines, size, total, is_cut = list[bytes](), 0, 0, False
    try:
        with _opened(path) as file:
            while line := file.readline(MAX_RECORD_BYTES):
                total += len(line)
                if total > MAX_FILE_BYTES:
                    raise InputError(_too_large(path))
                if line.startswith(_END):
                    yield lines, is_cut
                    lines, size, is_cut = [], 0, False
                    continue
                size += len(line)
                if size > MAX_RECORD_BYTES:
                    is_cut = True
                else:
                    lines.append(line)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        why, remedy = "its molecules cannot be read", "copy the file again"
        found = f"a packed file that cannot be unpacked: {error}"
        raise InputError(
            Problem("TABLE_UNREADABLE", path.name, found, why, remedy)
        ) from error
    if any(line.strip() for line in lines):
        yield lines, is_cut


def _too_large(path: Path) -> Problem:
    found = f"more than {MAX_FILE_BYTES:,} bytes when unpacked"
    why, remedy = "no library is that large", "split the file"
    return Problem("LIMIT_EXCEEDED", path.name, found, why, remedy)


def _molecules(lines: list[bytes]) -> list[list[bytes]]:
    """The lines of each molecule: a counts line has its header three lines before it."""
    starts = [
        max(place - 3, 0)
        for place, line in enumerate(lines)
        if line.rstrip().endswith((b"V2000", b"V3000"))
    ]
    starts = [0, *starts[1:]]
    return [lines[a:b] for a, b in zip(starts, chain(starts[1:], [None]), strict=True)]


def _record(number: int, raw: list[bytes], is_cut: bool) -> Record:
    text, note = _decoded(b"".join(raw))
    lines = text.splitlines()
    title = lines[0].strip() if lines else ""
    end = next((n for n, line in enumerate(lines) if line.startswith("M  END")), None)
    if is_cut:
        note = f"a record of more than {MAX_RECORD_BYTES:,} bytes"
        return Record(number, title, "", _properties(lines), note)
    if end is None:
        note = "no line `M  END`: the record is cut off"
        return Record(number, title, "", _properties(lines), note)
    block = "\n".join(lines[: end + 1]) + "\n"
    return Record(number, title, block, _properties(lines[end + 1 :]), note)


def _decoded(raw: bytes) -> tuple[str, str]:
    try:
        return raw.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace"), "not UTF-8, read as Windows-1252"


def _properties(lines: list[str]) -> dict[str, str]:
    """The data items; the lines of one value are joined by a line break."""
    found, name = dict[str, list[str]](), None
    for line in lines:
        header = _PROPERTY.match(line) if line.startswith(">") else None
        if header:
            name = header[1].strip()
            found.setdefault(name, [])
        elif not line.strip():
            name = None
        elif name is not None:
            found[name].append(line.strip())
    return {name: "\n".join(values) for name, values in found.items()}
