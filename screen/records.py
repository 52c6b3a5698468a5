"""The well record: one well's scores as bytes that prove themselves."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plates.json_text import strict_json

SCHEMA = 1
_MAGIC = b"SENOREC1"
_DIGEST = 32
_CELL_COLUMNS = (("field", "<u2"), ("y", "<f4"), ("x", "<f4"))


class RecordError(ValueError):
    """The bytes are not a whole well record; the well counts as not done."""


@dataclass(frozen=True)
class Cells:
    """The cells of one well in reading order of fields, then of the finder.

    ``field`` [n], ``y`` and ``x`` [n] in full-resolution pixels, ``probability``
    [n networks]: P(senescent) by each network of the record's header.
    """

    field: NDArray[np.uint16]
    y: NDArray[np.float32]
    x: NDArray[np.float32]
    probability: NDArray[np.float32]

    @staticmethod
    def empty(n_networks: int = 0) -> Cells:
        """No cells, scored by ``n_networks`` networks."""
        return Cells(
            np.zeros(0, np.uint16),
            np.zeros(0, np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, n_networks), np.float32),
        )

    def __len__(self) -> int:
        return len(self.field)


@dataclass(frozen=True)
class WellRecord:
    """What is known of one well: a JSON header and its packed cell columns."""

    header: dict[str, Any]
    cells: Cells

    @property
    def plate(self) -> str:
        """Plate id."""
        return str(self.header["plate"])

    @property
    def well(self) -> str:
        """Well name, such as ``A01``."""
        return str(self.header["well"])

    @property
    def status(self) -> str:
        """SCORED, SCORED_DEGRADED, NO_CELLS, TEACHING, QUARANTINED or ABSENT."""
        return str(self.header["status"])


def header_json(header: dict[str, Any]) -> str:
    """Canonical JSON: sorted keys, no spaces; NaN and infinity are refused."""
    return strict_json(header, sort_keys=True, separators=(",", ":"))


def encode(record: WellRecord) -> bytes:
    """Magic, header length, header, cell columns, sha256 of all that stands before."""
    cells = record.cells
    header = {**record.header, "schema": SCHEMA, "n_cells": len(cells)}
    header["n_networks"] = cells.probability.shape[1]
    text = header_json(header).encode()
    parts = [_MAGIC, struct.pack("<I", len(text)), text]
    for name, dtype in _CELL_COLUMNS:
        parts.append(np.ascontiguousarray(getattr(cells, name), dtype).tobytes())
    parts.append(np.ascontiguousarray(cells.probability, "<f4").tobytes())
    body = b"".join(parts)
    return body + hashlib.sha256(body).digest()


def decode(data: bytes) -> WellRecord:
    """The record in ``data``; raises RecordError unless every byte is as written."""
    if len(data) < len(_MAGIC) + 4 + _DIGEST or not data.startswith(_MAGIC):
        raise RecordError(f"a well record must start with {_MAGIC!r}")
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        raise RecordError("a well record must match its sha256")
    start = len(_MAGIC) + 4
    (length,) = struct.unpack("<I", body[len(_MAGIC) : start])
    header = json.loads(body[start : start + length])
    if header["schema"] != SCHEMA:
        raise RecordError(
            f"well records of schema {SCHEMA} are read, found {header['schema']}"
        )
    return WellRecord(header, _unpack(body[start + length :], header))


def _unpack(body: bytes, header: dict[str, Any]) -> Cells:
    n, k = int(header["n_cells"]), int(header["n_networks"])
    columns: dict[str, NDArray[Any]] = {}
    at = 0
    for name, dtype in _CELL_COLUMNS:
        columns[name] = np.frombuffer(body, dtype, n, at)
        at += n * np.dtype(dtype).itemsize
    probability = np.frombuffer(body, "<f4", n * k, at).reshape(n, k)
    return Cells(columns["field"], columns["y"], columns["x"], probability)
