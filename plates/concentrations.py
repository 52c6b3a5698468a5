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
# The negative decimal logarithm's sign is the number's own: -6 is 1 uM.
LOG10_M = "log10_m"
# Grams per litre, which is mg/mL, over g/mol is mol/L.
MASS = "mg_ml"
PERCENT = "percent"
UNITS = "nM, uM, mM, M or log10 M"
_NUMBER = re.compile(r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_WRITTEN = {
    **dict.fromkeys(("nmol_l", "nmoles_per_liter", "nanomolar"), "nm"),
    **dict.fromkeys(("umol_l", "umoles_per_liter", "micromolar"), "um"),
    **dict.fromkeys(("mmol_l", "mmoles_per_liter", "millimolar"), "mm"),
    **dict.fromkeys(("mol_l", "moles_per_liter", "molar"), "m"),
    **dict.fromkeys(("log_m", "log10m", "logm", "log_10_m"), LOG10_M),
    **dict.fromkeys(("mg_per_ml", "g_l"), MASS),
}


def unit_key(text: str) -> str:
    """The unit without case and kind of micro sign, such as `um`; '' when unknown.

    The micro sign (U+00B5) and the Greek mu (U+03BC) are the same letter here. Beside
    the molar units there are `log10_m`, `mg_ml` and `percent`.
    """
    plain = text.strip().casefold().replace("\N{GREEK SMALL LETTER MU}", "u")
    if plain in ("%", "% (v/v)", "%v/v", "% v/v"):
        return PERCENT
    key = re.sub(r"[\W_]+", "_", plain).strip("_")
    # A word of these letters between other signs is no unit: `/m` is no molar.
    if key in TO_UM:
        return key if plain == key else ""
    return _WRITTEN.get(key, key if key in (LOG10_M, MASS) else "")


def parse_number(text: str) -> Decimal:
    """Reads a plain number that is not negative; raises ValueError saying what is wrong."""
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    if text.startswith(("-", "\N{MINUS SIGN}")):
        raise ValueError("a negative number")
    raise ValueError("not a plain number")


def parse_concentration_um(text: str, unit: str, molar_mass: str = "") -> float:
    """A concentration in micromolar to nine digits, from its text and a `unit_key`.

    Replicates join by dose, and thirds of a dilution differ in the last digits from one
    program and one plate to the next. Raises ValueError, also for a mass without its molar mass [g/mol] and for a percent,
    which counts no molecules.
    """
    if unit == LOG10_M:
        return float(f"{_from_log10(text):.8e}")
    number = parse_number(text)
    if unit == PERCENT:
        raise ValueError("a percent of solvent is no dose")
    factor = Decimal("1e6") / _mass(molar_mass) if unit == MASS else TO_UM[unit]
    value = float(number * factor)
    if value == float("inf"):
        raise ValueError("too large a number")
    return float(f"{value:.8e}")


def _mass(text: str) -> Decimal:
    if not text:
        raise ValueError("mg/mL without a molar mass")
    mass = parse_number(text)
    if not 10 <= mass <= 1_000_000:
        raise ValueError(f"molar mass {text} g/mol is not between 10 and 1,000,000")
    return mass


def _from_log10(text: str) -> float:
    negative = text.startswith(("-", "\N{MINUS SIGN}"))
    exponent = float(parse_number(text[1:] if negative else text))
    if exponent > 12 or (not negative and exponent > 1):
        raise ValueError("no logarithm of a molar concentration")
    power = 6 - exponent if negative else 6 + exponent
    # A logarithm of n decimals knows n digits: -5.522878745 is 3 uM, not 3.0000000003.
    decimals = len(text.partition(".")[2])
    return float(f"{10.0**power:.{max(decimals - 1, 3)}e}")
