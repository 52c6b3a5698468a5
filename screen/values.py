"""Text of the command line to typed values: ids and paths stay exactly as typed."""

import math
import re
from collections.abc import Callable

from screen.groups import REQUIRED
from screen.keys import Key

Scalar = str | int | float | bool | None
Value = Scalar | list[Scalar]

_OPEN, _CLOSE = "[({", "])}"
_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def choices_of(key: Key, text: str, *, is_sweep: bool) -> list[Value]:
    """The values that a text stands for: one, or several of a sweep.

    Raises TypeError when it is of another type, ValueError when not allowed.
    """
    text = text.strip()
    if not is_sweep:
        return [_value(key, text)]
    if key.type in (int, float) and not key.is_list and text.startswith("range("):
        return [_value(key, part) for part in _steps(text)]
    if text.startswith("choice(") and text.endswith(")"):
        text = text[len("choice(") : -1]
    return [_value(key, part) for part in split_top(text)]


def split_top(text: str) -> list[str]:
    """Split at the commas that stand outside quotes and brackets."""
    parts, depth, quote = [""], 0, ""
    for ch in text:
        if quote:
            quote = "" if ch == quote else quote
        elif ch in "'\"" and not parts[-1].strip():
            quote = ch
        elif ch in _OPEN + _CLOSE:
            depth += 1 if ch in _OPEN else -1
        if ch == "," and not quote and depth <= 0:
            parts.append("")
        else:
            parts[-1] += ch
    return [part.strip() for part in parts]


def expected(key: Key) -> str:
    """What a key takes, in words."""
    if key.choices:
        kind = " or ".join(str(choice) or "empty" for choice in key.choices)
    else:
        kind = _KINDS[key.type] + _limits(key)
    return f"a list, each {kind}" if key.is_list else kind


def _limits(key: Key) -> str:
    low = "" if key.low is None else f" from {key.low:.10g}"
    high = "" if key.high is None else f" to {key.high:.10g}"

    return low + high


def _value(key: Key, text: str) -> Value:
    if key.is_optional and text in ("null", "None"):
        return None
    if not key.is_list:
        return _allowed(key, _READERS[key.type](text))
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    parts = split_top(inner) if inner.strip() else []

    return [_allowed(key, _READERS[key.type](part)) for part in parts]


def _allowed(key: Key, value: Scalar) -> Scalar:
    if key.choices and value not in key.choices:
        raise ValueError("not among the allowed values")
    if key.is_required and value in ("", REQUIRED):
        raise ValueError("the key needs a value")
    if isinstance(value, int | float) and not isinstance(value, bool):
        is_low = key.low is not None and value < key.low
        is_high = key.high is not None and value > key.high
        if is_low or is_high:
            raise ValueError("outside the allowed range")
    return value


def _text(text: str) -> str:
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    text = text[1:-1] if is_quoted else text
    if any(ord(ch) < 32 or ord(ch) == 127 for ch in text):
        raise ValueError("holds a control character")
    return text


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise TypeError("not a whole number")
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise TypeError("not a number")
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("too large for a number")
    return number


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise TypeError("neither true nor false")
    return text.lower() == "true"


_READERS: dict[type, Callable[[str], Scalar]] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _truth,
}


def _steps(text: str) -> list[str]:
    """The numbers of range(start, stop[, step]), stop excluded, as text."""
    if not text.endswith(")"):
        raise TypeError("range( is not closed")
    numbers = [_number(part) for part in split_top(text[len("range(") : -1])]
    start, stop, step = (
        (*numbers, 1.0)[:3] if len(numbers) > 1 else (0.0, *numbers, 1.0)
    )
    n_steps = math.ceil((stop - start) / step - 1e-9) if step else 0
    if not 0 < n_steps <= 10_000:
        raise ValueError("a range of no steps, or of more than 10,000")
    return [f"{start + i * step:.12g}" for i in range(n_steps)]
