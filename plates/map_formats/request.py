"""What a person says beside the files: defaults, aliases and which plate has which layout."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from plates.map_cells import ROLES, STATES
from plates.map_rules import HEADERS
from plates.problems import InputError, Problem
from plates.tables import TextTable, header_key, nearest
from plates.wells import PlateFormat

# Facts of the handling that some formats need and no column holds.
HANDLING = ("decimal", "dilution", "well_volume_ul")
WORDS = (*ROLES, *STATES)


@dataclass(frozen=True)
class MapRequest:
    """How files are to be read: the plate format, values and words a lab states once.

    `defaults` fill columns that a file lacks; `aliases` map words and headers (in the
    form of `word_key` or `header_key`) to ours.
    """

    plate_format: PlateFormat | None
    defaults: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        plate_format: PlateFormat | None,
        defaults: Mapping[str, str],
        aliases: Mapping[str, str],
    ) -> "MapRequest":
        """Checks defaults and aliases; raises InputError with every one we do not know."""
        known = {header_key(name): value for name, value in defaults.items()}
        problems = [
            _unknown("map_defaults", name, (*HEADERS, *HANDLING))
            for name in known
            if name not in (*HEADERS, *HANDLING)
        ]
        problems += [
            _unknown("map_aliases", meant, (*WORDS, *HEADERS))
            for meant in aliases.values()
            if meant not in (*WORDS, *HEADERS)
        ]
        if known.get("decimal", ".") not in (".", ","):
            problems.append(_unknown("map_defaults decimal", known["decimal"], ".,"))
        if problems:
            raise InputError(problems)
        words = {word_key(word): meant for word, meant in aliases.items()}
        words |= {header_key(word): meant for word, meant in aliases.items()}
        words.pop("", None)
        return cls(plate_format, known, words)

    def word(self, text: str, allowed: Iterable[str] = WORDS) -> str:
        """Our word for a lab's word, '' where no alias says one of the allowed."""
        meant = self.aliases.get(word_key(text), "")
        return meant if meant in allowed else ""

    def header(self, name: str) -> str:
        """Our header for a lab's header, the lab's own where no alias names one."""
        meant = self.aliases.get(name, "")
        return meant if meant in HEADERS else name

    def headers(self, names: Iterable[str]) -> list[str]:
        """All headers of a row as `header` gives them."""
        return [self.header(name) for name in names]


def word_key(text: str) -> str:
    """A word without case and kinds of blank: `Dimethyl Sulfoxide` is `dimethyl_sulfoxide`."""
    return re.sub(r"[\s_-]+", "_", text.strip().casefold())


def _unknown(where: str, name: str, known: Iterable[str]) -> Problem:
    words = [*dict.fromkeys(known)]
    near = nearest(name, words)
    hint = f"did you mean {near!r}? " if near else ""
    return Problem(
        "MAP_OPTION_INVALID",
        where,
        f"{name!r}",
        "nothing of that name is in a plate map",
        f"{hint}use one of {', '.join(words)}",
    )


def translated(table: TextTable, request: MapRequest) -> TextTable:
    """The table with a lab's headers and words turned into ours.

    A role that no column gives comes from the compound's alias, else from the defaults.
    """
    table = _renamed(table, request)
    frame = table.frame
    for column, allowed in (("role", ROLES), ("state", STATES)):
        if column in frame.columns:
            cells = [request.word(c, allowed) or c for c in frame[column]]
            frame = frame.with_columns(pl.Series(column, cells, pl.String))
    if "role" not in frame.columns and "compound" in frame.columns:
        usual = request.defaults.get("role", "")
        roles = [request.word(c, ROLES) or usual for c in frame["compound"]]
        if any(roles):
            frame = frame.with_columns(pl.Series("role", roles, pl.String))
    return replace(table, frame=frame)


def _renamed(table: TextTable, request: MapRequest) -> TextTable:
    names = table.frame.columns
    new = {
        name: meant
        for name in names
        if (meant := request.header(name)) != name and meant not in names
    }
    if len(set(new.values())) != len(new):
        twice = ", ".join(name for name in new if [*new.values()].count(new[name]) > 1)
        why, remedy = "one would hide the other", "leave one of the aliases"
        where, found = f"{table.source} map_aliases", f"one meaning for {twice}"
        raise InputError(Problem("MAP_OPTION_INVALID", where, found, why, remedy))
    old = {meant: name for name, meant in new.items()}
    at = table.address
    return replace(
        table,
        frame=table.frame.rename(new),
        padded=tuple(new.get(name, name) for name in table.padded),
        typed=frozenset(new.get(name, name) for name in table.typed),
        address=at and (lambda row, column: at(row, old.get(column, column))),
    )


def filled(table: TextTable, defaults: Mapping[str, str]) -> TextTable:
    """The table with a column for every default that it lacks."""
    frame = table.frame
    doses = [n for n in frame.columns if n.startswith("concentration_")]
    for name, value in defaults.items():
        if name in HANDLING or name in frame.columns:
            continue
        if name.startswith("concentration") and name != "concentration_unit" and doses:
            continue
        if name == "concentration_unit" and "concentration" not in frame.columns:
            continue
        frame = frame.with_columns(pl.lit(value, pl.String).alias(name))
    return replace(table, frame=frame)
