"""Which of many SMARTS patterns a molecule holds, told mostly without matching them.

Each pattern asks for atoms and bonds of some kinds, each a number of times. A molecule
that has too few of one cannot match. Only the patterns left over are matched by RDKit.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from plates.smarts_terms import (
    AtomFacts,
    BondFacts,
    atom_judge,
    bond_judge,
    is_recursion,
    split_terms,
)

Row = NDArray[np.uint8]
BondKey = tuple[AtomFacts, AtomFacts, BondFacts]
_SIGNS = {
    Chem.BondType.SINGLE: "-",
    Chem.BondType.DOUBLE: "=",
    Chem.BondType.TRIPLE: "#",
    Chem.BondType.AROMATIC: ":",
}
_MAX_KINDS = 20_000


class PatternScreen:
    """A list of patterns ready to be looked for in molecules, one after the other."""

    def __init__(self, patterns: Sequence[Chem.Mol]) -> None:
        """Patterns as RDKit parses them from SMARTS."""
        forms = [(n, form) for n, one in enumerate(patterns) for form in _forms(one)]
        self.places = [place for place, _ in forms]
        self.patterns = [form for _, form in forms]
        needs = [_needs(form) for form in self.patterns]
        atoms = sorted({key for atoms, _ in needs for key in atoms})
        bonds = sorted({key for _, bonds in needs for key in bonds})
        self.atom_judges = [atom_judge(key) for key in atoms]
        signs = sorted({sign for _, sign, _ in bonds})
        self.bond_judges = [bond_judge(sign) for sign in signs]
        at = {key: place for place, key in enumerate(atoms)}
        self.ends = (
            np.array([at[first] for first, _, _ in bonds], int),
            np.array([at[second] for _, _, second in bonds], int),
        )
        self.signs = np.array([signs.index(sign) for _, sign, _ in bonds], int)
        at_bond = {key: place for place, key in enumerate(bonds)}
        self.needs = (
            _Needs([{at[key]: n for key, n in need.items()} for need, _ in needs]),
            _Needs([{at_bond[key]: n for key, n in need.items()} for _, need in needs]),
        )
        self.atom_rows: dict[AtomFacts, Row] = {}
        self.bond_rows: dict[BondKey, Row] = {}

    def found_in(self, molecule: Chem.Mol) -> list[int]:
        """The places of the patterns that the molecule holds."""
        return list(
            dict.fromkeys(
                self.places[form]
                for form in self._possible(molecule)
                if molecule.HasSubstructMatch(self.patterns[form])
            )
        )

    def _possible(self, molecule: Chem.Mol) -> list[int]:
        if len(self.bond_rows) > _MAX_KINDS:
            self.bond_rows.clear()
        facts = [_atom_facts(atom) for atom in molecule.GetAtoms()]
        atoms: NDArray[np.int16] = np.sum(
            [self._atom_row(atom) for atom in facts], 0, np.int16
        )
        rows = [self._bond_row(bond, facts) for bond in molecule.GetBonds()]
        rows = rows or [np.zeros(len(self.signs), np.uint8)]
        bonds: NDArray[np.int16] = np.sum(rows, 0, np.int16)
        fits = self.needs[0].met_by(atoms) & self.needs[1].met_by(bonds)
        return [int(place) for place in np.flatnonzero(fits)]

    def _atom_row(self, atom: AtomFacts) -> Row:
        row = self.atom_rows.get(atom)
        if row is None:
            judged = [judge(atom) is not False for judge in self.atom_judges]
            row = self.atom_rows[atom] = np.array(judged, np.uint8)
        return row

    def _bond_row(self, bond: Chem.Bond, facts: list[AtomFacts]) -> Row:
        sign = _SIGNS.get(bond.GetBondType(), "?")
        ends = facts[bond.GetBeginAtomIdx()], facts[bond.GetEndAtomIdx()]
        key = (*ends, BondFacts(sign, bond.IsInRing()))
        row = self.bond_rows.get(key)
        if row is None:
            first, second = (self._atom_row(end) for end in ends)
            one, other = self.ends
            fits = first[one] & second[other] | second[one] & first[other]
            kind = [judge(key[2]) is not False for judge in self.bond_judges]
            row = self.bond_rows[key] = fits & np.array(kind, np.uint8)[self.signs]
        return row


def _forms(pattern: Chem.Mol) -> list[Chem.Mol]:
    """The whole patterns p, q of a single atom `[$(p),$(q)]`; else the pattern itself."""
    smarts = pattern.GetAtomWithIdx(0).GetSmarts()
    if pattern.GetNumAtoms() > 1 or not smarts.startswith("[$("):
        return [pattern]
    parts = split_terms(smarts[1:-1], ",")
    if not all(is_recursion(part) for part in parts):
        return [pattern]
    return [Chem.MolFromSmarts(part[2:-1]) for part in parts]


class _Needs:
    """How much of what each pattern needs; a pattern may need nothing."""

    def __init__(self, needs: Sequence[dict[int, int]]) -> None:
        self.whats = np.array([what for need in needs for what in need], int)
        self.counts = np.array([n for need in needs for n in need.values()], np.int16)
        ends = np.cumsum([len(need) for need in needs])
        self.bounds = np.concatenate([[0], ends])

    def met_by(self, there: NDArray[Any]) -> NDArray[np.bool_]:
        """Which patterns find as much of everything as they need."""
        lacking = np.concatenate([[0], np.cumsum(there[self.whats] < self.counts)])
        met: NDArray[np.bool_] = lacking[self.bounds[1:]] == lacking[self.bounds[:-1]]
        return met


def _needs(
    pattern: Chem.Mol,
) -> tuple[Counter[str], Counter[tuple[str, str, str]]]:
    """How many atoms and bonds of each kind a pattern asks for."""
    atoms = [atom.GetSmarts() for atom in pattern.GetAtoms()]
    bonds = Counter[tuple[str, str, str]]()
    for bond in pattern.GetBonds():
        ends = atoms[bond.GetBeginAtomIdx()], atoms[bond.GetEndAtomIdx()]
        sign = bond.GetSmarts()  # type: ignore[call-arg]
        bonds[min(ends), sign, max(ends)] += 1
    return Counter(atoms), bonds


def _atom_facts(atom: Chem.Atom) -> AtomFacts:
    return AtomFacts(
        atom.GetAtomicNum(),
        atom.GetIsAromatic(),
        atom.GetTotalNumHs(),
        atom.GetDegree(),
        atom.GetFormalCharge(),
        atom.IsInRing(),
    )
