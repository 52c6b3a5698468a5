"""What a study may try: `key=log(a,b)`, `key=linear(a,b)`, `key=range(a,b)`, `key=choice(x,y)`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plates.problems import InputError, Problem
from screen.keys import KeyTable
from screen.values import split_top

if TYPE_CHECKING:
    from optuna import Trial

TERM = re.compile(r"(?P<key>[\w.]+)=(?P<kind>log|linear|range|choice)\((?P<inner>.*)\)")
FORMS = "KEY=log(LOW,HIGH), linear(LOW,HIGH), range(FIRST,LAST) or choice(A,B,...)"


@dataclass(frozen=True)
class Dimension:
    """One key that is searched: over the logarithm, the line or the whole numbers
    between two ends (both included), or over a list of words."""

    key: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    words: tuple[str, ...] = ()

    def suggested(self, trial: Trial) -> str:
        """This trial's value, spelt as it stands behind `key=`."""
        if self.kind == "choice":
            return str(trial.suggest_categorical(self.key, self.words))
        if self.kind == "range":
            return str(trial.suggest_int(self.key, int(self.low), int(self.high)))
        is_log = self.kind == "log"
        return repr(trial.suggest_float(self.key, self.low, self.high, log=is_log))


def search_space(terms: Sequence[str], table: KeyTable) -> tuple[Dimension, ...]:
    """The dimensions of a study; raises InputError (TUNE_SEARCH) with every fault."""
    problems: list[Problem] = []
    found: dict[str, Dimension] = {}
    for term in terms:
        try:
            dimension = _dimension(term.strip(), table)
            if dimension.key in found:
                raise ValueError(f"{dimension.key} a second time")
            found[dimension.key] = dimension
        except ValueError as error:
            problems.append(_fault(term, str(error)))
    if not terms:
        problems.append(_fault("search", "nothing to search"))
    if problems:
        raise InputError(problems)
    return tuple(found.values())


def _dimension(term: str, table: KeyTable) -> Dimension:
    match = TERM.fullmatch(term)
    if match is None:
        raise ValueError("not of a known form")
    key, kind = match["key"], match["kind"]
    parts = [part for part in split_top(match["inner"]) if part]
    if key not in table.names:
        raise ValueError(f"no key {key}")
    if kind == "choice":
        if len(parts) < 2:
            raise ValueError("a choice needs two words or more")
        return Dimension(key, kind, words=tuple(parts))
    known = table.keys.get(key)
    wanted = (int,) if kind == "range" else (float,)
    if known is None or known.type not in wanted or known.is_list:
        raise ValueError(f"{key} takes no {'whole ' * (kind == 'range')}number")
    low, high = _ends(parts)
    if kind == "log" and low <= 0:
        raise ValueError("a logarithm starts above 0")
    if kind == "range" and not (low.is_integer() and high.is_integer()):
        raise ValueError("a range goes from one whole number to another")
    if (known.low is not None and low < known.low) or (
        known.high is not None and high > known.high
    ):
        raise ValueError(f"{key} takes {known.low} to {known.high}")
    return Dimension(key, kind, low, high)


def _ends(parts: Sequence[str]) -> tuple[float, float]:
    if len(parts) != 2:
        raise ValueError(f"two ends are needed, got {len(parts)}")
    low, high = (float(part) for part in parts)
    if not low < high:
        raise ValueError("the first end must lie below the second")
    return low, high


def _fault(term: str, found: str) -> Problem:
    why = "a study tries values within the limits that are given"
    return Problem("TUNE_SEARCH", term, found, why, f"write {FORMS}")


def spelt(values: dict[str, Any]) -> list[str]:
    """Values as words of the command line."""
    return [f"{key}={value}" for key, value in values.items()]
