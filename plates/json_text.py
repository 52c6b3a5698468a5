"""The one way to JSON text: what is no number is refused, as no other reader takes NaN."""

from __future__ import annotations

import json
from typing import Any


def strict_json(value: Any, **form: Any) -> str:
    """A value as JSON, ``form`` being indent, sort_keys ... of ``json.dumps``.

    Raises ValueError where a number is NaN or infinite: None says that there is none.
    """
    return json.dumps(value, allow_nan=False, **form)
