"""The rules for single cells of a plate map: text in, a typed value or a refusal out."""

import re
from collections.abc import Callable
from typing import NamedTuple

from plates.concentrations import (
    MASS,
    PERCENT,
    UNITS,
    parse_concentration_um,
    parse_number,
    unit_key,
)
from plates.tables import nearest
from plates.wells import PlateFormat, Well

ROLES = ("vehicle", "untreated", "reference", "treatment", "no_cells")
STATES = ("stressed", "unstressed")

# What people write for a word of ours; only ever suggested, never put in its place.
_MEANT = {
    **dict.fromkeys(("dmso", "dimethyl_sulfoxide", "solvent", "neg"), "vehicle"),
    **dict.fromkeys(("negative", "negcon", "negative_control", "control"), "vehicle"),
    **dict.fromkeys(("pos", "poscon", "positive", "positive_control"), "reference"),
    **dict.fromkeys(("trt", "sample", "compound", "test", "drug"), "treatment"),
    **dict.fromkeys(("empty", "none", "media", "medium"), "untreated"),
    **dict.fromkeys(("blank", "background", "cell_free"), "no_cells"),
    **dict.fromkeys(("senescent", "aged", "old", "induced"), "stressed"),
    **dict.fromkeys(("healthy", "young", "proliferating", "cycling"), "unstressed"),
}
_PLATE_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,99}")


class Refusal(ValueError):
    """One value that breaks a rule, and what to do about it."""

    def __init__(self, code: str, found: str, remedy: str) -> None:
        """Takes the problem's code, what was found, and the remedy."""
        super().__init__(found)
        self.code, self.found, self.remedy = code, found, remedy


def filled(column: str) -> Callable[[str], str]:
    """The rule that a cell of this column is not empty."""

    def rule(text: str) -> str:
        if not text:
            raise Refusal("MAP_CELL_EMPTY", "an empty cell", f"fill in the {column}")
        return text

    return rule


def plate_name(text: str) -> str:
    """A plate's id; raises Refusal where it could not name a folder safely."""
    filled("plate")(text)
    if not _PLATE_NAME.fullmatch(text) or len(text.encode()) > 200:
        remedy = "use at most 100 characters, no slash, no leading point"
        raise Refusal("MAP_PLATE_NAME", f"plate {text!r}", remedy)
    return text


def well_on(plate_format: PlateFormat | None) -> Callable[[str], Well]:
    """The rule that a cell names a well of this plate format."""

    def rule(text: str) -> Well:
        try:
            well = Well.parse(text)
        except ValueError as error:
            remedy = "write the well as A01 to AF48"
            raise Refusal("MAP_WELL_RANGE", f"well {text!r}", remedy) from error
        if plate_format is not None and not plate_format.contains(well):
            last = plate_format.wells()[-1]
            remedy = f"a {plate_format} plate ends at {last}: correct the well or the plate format"
            raise Refusal("MAP_WELL_RANGE", f"well {text!r}", remedy)
        return well

    return rule


def word_of(vocabulary: tuple[str, ...], code: str) -> Callable[[str], str]:
    """The rule that a cell holds one of these words; case and blanks do not matter."""

    def rule(text: str) -> str:
        key = re.sub(r"[\s_-]+", "_", text.casefold())
        if key in vocabulary:
            return key
        meant = _MEANT.get(key, "")
        near = meant if meant in vocabulary else nearest(key, vocabulary)
        hint = f"did you mean {near!r}? " if near else ""
        remedy = f"{hint}Use one of {', '.join(vocabulary)}"
        remedy += f", or say map_aliases {text}:WORD" if text else ""
        raise Refusal(code, f"{text!r}" if text else "an empty cell", remedy)

    return rule


def compound_for(cell: tuple[str, str | None]) -> str:
    """The compound of a (compound, role) pair; only a treatment must name one."""
    compound, role = cell
    if role == "treatment" and not compound:
        remedy = "name the compound, or give the well another role"
        raise Refusal("MAP_CELL_EMPTY", "a treatment without a compound", remedy)
    return compound


class Dose(NamedTuple):
    """What a map says of one well's concentration: all of it text but the role."""

    number: str
    unit: str
    role: str | None
    molar_mass: str = ""


def concentration_um(dose: Dose) -> float | None:
    """The micromolar value of a dose; None for an empty control and a percent of solvent.

    A treatment needs a concentration above zero.
    """
    number, role = dose.number, dose.role
    if not number and role == "treatment":
        remedy = "give the concentration, or give the well another role"
        raise Refusal("MAP_CONC_INVALID", "a treatment without a concentration", remedy)
    if not number:
        return None
    unit = unit_key(dose.unit)
    if not unit:
        raise Refusal("MAP_UNIT_INVALID", f"unit {dose.unit!r}", f"use {UNITS}")
    if "," in number:
        remedy = "write decimals with a point and thousands without a mark"
        raise Refusal("MAP_NUMBER_AMBIGUOUS", f"concentration {number!r}", remedy)
    value = _micromolar(number, unit, dose)
    if value == 0 and role == "treatment":
        remedy = "give the true concentration, or give the well another role"
        raise Refusal("MAP_CONC_INVALID", "a treatment with concentration 0", remedy)
    return value


def _micromolar(number: str, unit: str, dose: Dose) -> float | None:
    remedy = "write a number only; the unit belongs in the header or its own column"
    try:
        if unit == PERCENT and dose.role == "vehicle":
            parse_number(number)
            return None
        return parse_concentration_um(number, unit, dose.molar_mass)
    except ValueError as error:
        code = "MAP_CONC_INVALID"
        if unit == PERCENT:
            code, remedy = "MAP_UNIT_INVALID", f"give doses in {UNITS}"
        elif unit == MASS and not dose.molar_mass:
            code = "MAP_UNIT_INVALID"
            remedy = f"add a column molar_mass in g/mol, or give doses in {UNITS}"
        found = f"concentration {number!r}, {error}"
        raise Refusal(code, found, remedy) from error


def whole_number(text: str) -> int:
    """A replicate's number, zero or above."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        found = f"replicate {text!r}"
        raise Refusal("MAP_VALUE_INVALID", found, "write a whole number such as 1")
    return int(text)


def hours(text: str) -> float | None:
    """A time in hours, None for the empty cell."""
    try:
        return float(parse_number(text)) if text else None
    except ValueError as error:
        found = f"time {text!r}, {error}"
        raise Refusal("MAP_VALUE_INVALID", found, "write hours such as 72") from error


def seeded(text: str) -> float | None:
    """The cells put into a well, above zero; None for the empty cell."""
    try:
        value = float(parse_number(text)) if text else None
    except ValueError as error:
        found = f"seeding {text!r}, {error}"
        raise Refusal("MAP_VALUE_INVALID", found, "write cells such as 2000") from error
    if value is not None and value <= 0:
        remedy = "write the cells put into the well, or map it as no_cells"
        raise Refusal("MAP_VALUE_INVALID", f"seeding {text!r}", remedy)
    return value


def truth(text: str) -> bool | None:
    """True, false, or None for the empty cell."""
    words = {"true": True, "false": False, "": None}
    if text.casefold() not in words:
        found = f"{text!r}"
        raise Refusal("MAP_VALUE_INVALID", found, "write true, false or nothing")
    return words[text.casefold()]
