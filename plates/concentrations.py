"""Concentrations with their units, stored as micromoles per litre."""

import re
from decimal import Decimal

# Factors to micromolar. Decimal keeps 300 nM at exactly the float 0.3.
TO_UM = {
    "nm": Decimal("1e-3"),
    "um": Decimal(1),
    "mm": Decimal("1e3"),
    "m": Decimal("1e6"),
}
UNITS = "nM, uM, mM or M"
_NUMBER = re.compile(r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def unit_key(text: str) -> str:
    """The unit without case and kind of micro sign, such as `um`; '' when unknown.

    The micro sign (U+00B5) and the Greek mu (U+03BC) are the same letter here.
    """
    key = text.strip().casefold().replace("\N{GREEK SMALL LETTER MU}", "u")
    return key if key in TO_UM else ""


def parse_number(text: str) -> Decimal:
    """Reads a plain number that is not negative; raises ValueError saying what is wrong."""
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    if text.startswith(("-", "\N{MINUS SIGN}")):
        raise ValueError("a negative number")
    raise ValueError("not a plain number")


def parse_concentration_um(text: str, unit: str) -> float:
    """A concentration in micromolar, from its text and a `unit_key`; raises ValueError."""
    value = float(parse_number(text) * TO_UM[unit])
    if value == float("inf"):
        raise ValueError("too large a number")
    return value
