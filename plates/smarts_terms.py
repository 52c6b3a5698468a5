"""What a SMARTS atom or bond asks for, judged by a few facts: no, yes or not to be told."""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
from rdkit import Chem

Facts = TypeVar("Facts")
Verdict = bool | None
Judge = Callable[[Facts], Verdict]


class AtomFacts(NamedTuple):
    """The facts of an atom that a term is judged by; atoms alike in them are alike."""

    number: int
    is_aromatic: bool
    n_hydrogens: int
    degree: int
    charge: int
    is_in_ring: bool


class BondFacts(NamedTuple):
    """The facts of a bond: its sign in SMARTS (- = # : or ?) and whether it is in a ring."""

    sign: str
    is_in_ring: bool


_SYMBOLS = {Chem.GetPeriodicTable().GetElementSymbol(n): n for n in range(1, 119)}
_TABLE = {
    **{symbol: (n, False) for symbol, n in _SYMBOLS.items()},
    **{s: (_SYMBOLS[s.title()], True) for s in ("b", "c", "n", "o", "p", "s", "se", "as", "te")},
}  # fmt: skip


def atom_judge(smarts: str) -> Judge[AtomFacts]:
    """Whether an atom of some facts can match; never False where it might."""
    return _expression(smarts[1:-1] if smarts.startswith("[") else smarts, _atom_term)


def bond_judge(smarts: str) -> Judge[BondFacts]:
    """Whether a bond of some facts can match; never False where it might."""
    if not smarts:
        return lambda bond: bond.sign in "-:?"
    return _expression(smarts, _bond_term)


def _expression(text: str, term: Callable[[str], Judge[Facts]]) -> Judge[Facts]:
    """SMARTS logic: `;` binds weaker than `,`, that weaker than `&` or nothing, `!` most."""
    for sign, join in ((";", _all), (",", _any), ("&", _all)):
        parts = split_terms(text, sign)
        if len(parts) > 1:
            return join([_expression(part, term) for part in parts])
    if text.startswith("!"):
        return _not(_expression(text[1:], term))
    return term(text)


def is_recursion(text: str) -> bool:
    """Whether a term is one `$(...)` and nothing else."""
    if not text.startswith("$("):
        return False
    depths = np.cumsum([(c == "(") - (c == ")") for c in text[1:]])
    return int(np.argmax(depths == 0)) == len(text) - 2


def split_terms(text: str, sign: str) -> list[str]:
    """The parts of a SMARTS text between a sign that stands in no bracket."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if letter == sign and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def _all(judges: list[Judge[Facts]]) -> Judge[Facts]:
    def judge(facts: Facts) -> Verdict:
        found = [one(facts) for one in judges]
        return False if False in found else None if None in found else True

    return judge


def _any(judges: list[Judge[Facts]]) -> Judge[Facts]:
    def judge(facts: Facts) -> Verdict:
        found = [one(facts) for one in judges]
        return True if True in found else None if None in found else False

    return judge


def _not(judge: Judge[Facts]) -> Judge[Facts]:
    def inverse(facts: Facts) -> Verdict:
        found = judge(facts)
        return None if found is None else not found

    return inverse


def _atom_term(text: str) -> Judge[AtomFacts]:
    if text.startswith("$("):
        first = atom_judge(_first_atom(text[2:-1]))
        return lambda atom: False if first(atom) is False else None
    if text in _TABLE and text != "H":
        number, is_aromatic = _TABLE[text]
        return lambda a: a.number == number and a.is_aromatic == is_aromatic
    if re.fullmatch(r"#\d+", text):
        n = int(text[1:])
        return lambda atom: atom.number == n
    if re.fullmatch(r"H\d+", text):
        n = int(text[1:])
        return lambda atom: atom.n_hydrogens == n
    if re.fullmatch(r"D\d*", text):
        n = int(text[1:] or 1)
        return lambda atom: atom.degree == n
    if re.fullmatch(r"X\d*", text):
        n = int(text[1:] or 1)
        return lambda atom: atom.degree + atom.n_hydrogens == n
    if re.fullmatch(r"\+\d*|-\d*", text):
        n = int(text[1:] or 1) * (1 if text[0] == "+" else -1)
        return lambda atom: atom.charge == n
    return _SIMPLE.get(text, lambda _: None)


_SIMPLE: dict[str, Judge[AtomFacts]] = {
    "*": lambda _: True,
    "a": lambda atom: atom.is_aromatic,
    "A": lambda atom: not atom.is_aromatic,
    "R": lambda atom: atom.is_in_ring,
    "r": lambda atom: atom.is_in_ring,
    "R0": lambda atom: not atom.is_in_ring,
}


def _bond_term(text: str) -> Judge[BondFacts]:
    if text in ("-", "=", "#", ":"):
        return lambda bond: bond.sign == text or (None if bond.sign == "?" else False)
    if text == "@":
        return lambda bond: bond.is_in_ring
    return lambda _: True if text == "~" else None


def _first_atom(smarts: str) -> str:
    """The first atom of a pattern, with its brackets."""
    if not smarts.startswith("["):
        found = re.match(r"Cl|Br|.", smarts)
        return found[0] if found else "*"
    depth = 0
    for place, letter in enumerate(smarts):
        depth += (letter == "[") - (letter == "]")
        if depth == 0:
            return smarts[: place + 1]
    return "*"
