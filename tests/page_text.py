"""All that a page or a folder of files says, packed parts opened."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from screen.report.packed import opened

_ISLAND = re.compile(r'<script type="text/plain" id="data-([^"]+)">([^<]*)</script>')


def islands(page: str) -> dict[str, Any]:
    """Every island of a page by its name."""
    return {m[1]: opened(m[2]) for m in _ISLAND.finditer(page)}


def strings(value: Any) -> Iterator[str]:
    """Every text in JSON data that a page may show, keys too; an ``id`` is an address."""
    if isinstance(value, dict):
        yield from value
        value = [one for key, one in value.items() if key != "id"]
    if isinstance(value, list):
        for one in value:
            yield from strings(one)
    if isinstance(value, str):
        yield value


def everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file below, members of archives and islands of pages."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data, name = path.read_bytes(), path.relative_to(folder).as_posix()
        yield name, data
        if path.suffix == ".html":
            for key, island in islands(data.decode("utf-8")).items():
                yield f"{name}#{key}", json.dumps(island, ensure_ascii=False).encode()
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for member in archive.namelist():
                    yield f"{name}#{member}", archive.read(member)
