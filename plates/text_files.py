"""Text files as people send them: encodings, packed files and quoted records."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from plates.problems import InputError, Problem

SEPARATORS = (",", ";", "\t")
MAX_TEXT_BYTES = 256 * 2**20
MAX_RECORDS = 2_000_000
_PIECE_BYTES = 2**20
_SAVE_AS = "save the table as UTF-8 CSV with one header line"
# Signs that no keyboard writes into a table; U+FFFD stands for a letter that was lost.
_BROKEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\N{REPLACEMENT CHARACTER}]")

_ZERO = re.compile("\0")


def fault(code: str, where: str, found: str, remedy: str = _SAVE_AS) -> Problem:
    """A fault for which a whole table cannot be read."""
    return Problem(
        code, where, found, "the table cannot be read with certainty", remedy
    )


def read_limited(path: Path, limit: int = MAX_TEXT_BYTES) -> bytes:
    """The bytes of a file, unpacked where it is gzipped; raises InputError above the limit."""
    raw = read_head(path, limit + 1)
    if raw.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = _read_up_to(packed, limit + 1)
        except (OSError, EOFError, zlib.error) as error:
            found = f"a packed file that cannot be unpacked: {error}"
            raise InputError(
                fault("TABLE_UNREADABLE", path.name, found, "copy the file again")
            ) from error
    if len(raw) > limit:
        found = f"more than {limit:,} bytes"
        remedy = "split the table, one file a plate"
        raise InputError(fault("LIMIT_EXCEEDED", path.name, found, remedy))
    return raw


def read_head(path: Path, n_bytes: int = 8) -> bytes:
    """The first bytes of a file; raises InputError where it cannot be read."""
    try:
        if path.exists() and not path.is_file():
            raise OSError(None, "it is no file")
        with path.open("rb") as file:
            return _read_up_to(file, n_bytes)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        remedy = "check the path and its rights"
        raise InputError(
            fault("TABLE_UNREADABLE", str(path), reason, remedy)
        ) from error


def _read_up_to(file: BinaryIO | gzip.GzipFile, n_bytes: int) -> bytes:
    """At most so many bytes, in pieces: a read reserves all it asks for at once."""
    pieces, left = [], n_bytes
    while left > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def decode(path: Path, *, is_strict: bool = True) -> str:
    """The text of a UTF-8 file, or of a UTF-16 file with a byte order mark.

    Raises InputError for any other encoding and for text with control characters, of
    which only the zero byte is refused where names may hold them (not `is_strict`).
    """
    raw = read_limited(path)
    if raw.startswith(b"PK\x03\x04") or raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError(
            fault("TABLE_FORMAT", path.name, "a workbook, not a text table")
        )
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is not {encoding.removesuffix('-sig').upper()}"
        raise InputError(fault("TABLE_ENCODING", path.name, found)) from error
    broken = (_BROKEN if is_strict else _ZERO).search(text)
    if broken:
        before = text[: broken.start()].replace("\r\n", "\n").replace("\r", "\n")
        found = f"the character U+{ord(broken[0]):04X}, which no table holds"
        where = f"{path.name}:{before.count(chr(10)) + 1}"
        raise InputError(fault("TABLE_ENCODING", where, found))
    return text


def records(text: str, separator: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """The records that hold text, each with the line it starts on; raises InputError."""
    # newline="" lets the csv module see CR, LF and CRLF, also inside quotes.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start, count = 1, 0
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                count += 1
                yield start, cells
            start = reader.line_num + 1
            if count > MAX_RECORDS:
                found = f"more than {MAX_RECORDS:,} lines"
                remedy = "split the table, one file a plate"
                raise InputError(fault("LIMIT_EXCEEDED", source, found, remedy))
    except csv.Error as error:
        where, remedy = f"{source}:{start}", "close or double every quote"
        raise InputError(fault("TABLE_QUOTES", where, str(error), remedy)) from error
