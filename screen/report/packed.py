"""Data islands: JSON as gzip in base64, which a page opens when it needs it."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from plates.json_text import strict_json

_LEVEL = 6  # of 9: level 9 costs three times as long for 1 % of the size


def packed(data: object) -> str:
    """JSON of ``data``, gzipped, in base64: no character of it can end a script element.

    The same data give the same text. Raises ValueError for NaN and infinities.
    """
    plain = strict_json(data, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(plain, _LEVEL, mtime=0)).decode()


def opened(text: str) -> Any:
    """The data of an island again, for tests and other readers."""
    return json.loads(gzip.decompress(base64.b64decode(text)))
