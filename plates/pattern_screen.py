"""Which of many SMARTS patterns a molecule holds, told mostly without matching them.

Each pattern asks for atoms and bonds of some kinds, each a number of times. A molecule
that has too few of one cannot match. Only the patterns left over are matched by RDKit.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

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

K = TypeVar("K", bound=Hashable)
# Element, aromaticity, hydrogens, neighbours, charge and size of the smallest ring.
AtomKind = tuple[int, bool, int, int, int, int]
# Kinds of both ends, order, and size of the smallest ring.
BondKind = tuple[int, int, Chem.BondType, int]
# SMARTS, number of neighbours and size of the smallest ring (0 for none) in the pattern.
AtomNeed = tuple[str, int, int]
# Both ends, SMARTS, and size of the smallest ring in the pattern.
BondNeed = tuple[AtomNeed, AtomNeed, str, int]
_SIGNS = {
    Chem.BondType.SINGLE: "-",
    Chem.BondType.DOUBLE: "=",
    Chem.BondType.TRIPLE: "#",
    Chem.BondType.AROMATIC: ":",
}
_MAX_KINDS = 20_000
_LARGE_RING = 9


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
        self.make_judges = partial(_Judges, atoms, bonds)
        self.judges = self.make_judges()
        at_atom = {key: place for place, key in enumerate(atoms)}
        at_bond = {key: len(atoms) + place for place, key in enumerate(bonds)}
        wanted = [
            {at_atom[key]: n for key, n in of_atoms.items()}
            | {at_bond[key]: n for key, n in of_bonds.items()}
            for of_atoms, of_bonds in needs
        ]
        self.whats = np.array([what for need in wanted for what in need])
        self.counts = np.array([n for need in wanted for n in need.values()], np.int16)
        self.starts = np.cumsum([0, *(len(need) for need in wanted[:-1])])

    def found_in(self, molecule: Chem.Mol) -> list[int]:
        """The places of the patterns that the molecule holds; it must be sanitised."""
        has, places, patterns = molecule.HasSubstructMatch, self.places, self.patterns
        found = [places[n] for n in self.possible(molecule) if has(patterns[n])]
        return list(dict.fromkeys(found))

    def possible(self, molecule: Chem.Mol) -> list[int]:
        """The forms of patterns for which the molecule has all the atoms and bonds."""
        rings, judges = molecule.GetRingInfo(), self.judges
        atoms = [
            judges.atoms.place(
                (
                    atom.GetAtomicNum(),
                    atom.GetIsAromatic(),
                    atom.GetTotalNumHs(),
                    atom.GetDegree(),
                    atom.GetFormalCharge(),
                    min(rings.MinAtomRingSize(n), _LARGE_RING),
                )
            )
            for n, atom in enumerate(molecule.GetAtoms())
        ]
        bonds = [
            judges.bonds.place(
                (
                    atoms[bond.GetBeginAtomIdx()],
                    atoms[bond.GetEndAtomIdx()],
                    bond.GetBondType(),
                    min(rings.MinBondRingSize(n), _LARGE_RING),
                )
            )
            for n, bond in enumerate(molecule.GetBonds())
        ]
        there = np.concatenate([judges.atoms.total(atoms), judges.bonds.total(bonds)])
        if len(judges.bonds.known) > _MAX_KINDS:
            self.judges = self.make_judges()
        enough = there[self.whats] >= self.counts
        met = np.logical_and.reduceat(enough, self.starts)
        return np.flatnonzero(met).tolist()


class _Rows(Generic[K]):
    """For each kind of atom or bond met so far, the needs that it may serve."""

    def __init__(self, width: int, make: Callable[[K], list[bool]]) -> None:
        self.make = make
        self.known: dict[K, int] = {}
        self.table = np.zeros((64, width), np.uint8)

    def place(self, key: K) -> int:
        """The row of a kind."""
        place = self.known.get(key)
        return self._add(key) if place is None else place

    def _add(self, key: K) -> int:
        n = len(self.known)
        if n == len(self.table):
            self.table = np.concatenate([self.table, np.zeros_like(self.table)])
        self.table[n] = self.make(key)
        self.known[key] = n
        return n

    def total(self, places: list[int]) -> NDArray[np.int16]:
        """How many atoms or bonds may serve each need."""
        found: NDArray[np.int16] = np.add.reduce(self.table[places], 0, np.int16)
        return found


class _Judges:
    """Judges the kinds of atoms and bonds for the needs of all patterns."""

    def __init__(self, atoms: list[AtomNeed], bonds: list[BondNeed]) -> None:
        self.atom_needs = [(atom_judge(smarts), n, ring) for smarts, n, ring in atoms]
        at = {key: place for place, key in enumerate(atoms)}
        self.ends = [(at[one], at[other]) for one, other, _, _ in bonds]
        self.bond_needs = [(bond_judge(smarts), ring) for _, _, smarts, ring in bonds]
        self.atoms = _Rows(len(atoms), self._atom)
        self.bonds = _Rows(len(bonds), self._bond)

    def _atom(self, kind: AtomKind) -> list[bool]:
        number, is_aromatic, n_hydrogens, degree, charge, ring = kind
        facts = AtomFacts(number, is_aromatic, n_hydrogens, degree, charge, ring > 0)
        return [
            degree >= n and _fits(ring, size) and judge(facts) is not False
            for judge, n, size in self.atom_needs
        ]

    def _bond(self, kind: BondKind) -> list[bool]:
        first, second = self.atoms.table[kind[0]], self.atoms.table[kind[1]]
        facts = BondFacts(_SIGNS.get(kind[2], "?"), kind[3] > 0)
        return [
            bool(first[one] & second[other] | second[one] & first[other])
            and _fits(kind[3], size)
            and judge(facts) is not False
            for (one, other), (judge, size) in zip(
                self.ends, self.bond_needs, strict=True
            )
        ]


def _fits(ring: int, size: int) -> bool:
    """Whether a smallest ring may lie in a pattern's ring of this size (0: in none).

    What lies in a cycle of n bonds lies in a ring of at most n of any smallest set.
    """
    return size == 0 or 0 < ring <= min(size, _LARGE_RING)


def _needs(pattern: Chem.Mol) -> tuple[Counter[AtomNeed], Counter[BondNeed]]:
    """How many atoms and bonds of each kind a pattern asks for."""
    Chem.GetSymmSSSR(pattern)
    rings = pattern.GetRingInfo()
    atoms = [
        (atom.GetSmarts(), atom.GetDegree(), rings.MinAtomRingSize(n))
        for n, atom in enumerate(pattern.GetAtoms())
    ]
    bonds = Counter[BondNeed]()
    for n, bond in enumerate(pattern.GetBonds()):
        ends = atoms[bond.GetBeginAtomIdx()], atoms[bond.GetEndAtomIdx()]
        sign = bond.GetSmarts()  # type: ignore[call-arg]
        bonds[min(ends), max(ends), sign, rings.MinBondRingSize(n)] += 1
    return Counter(atoms), bonds


def _forms(pattern: Chem.Mol) -> list[Chem.Mol]:
    """The whole patterns p, q of a single atom `[$(p),$(q)]`; else the pattern itself."""
    smarts = pattern.GetAtomWithIdx(0).GetSmarts()
    if pattern.GetNumAtoms() > 1 or not smarts.startswith("[$("):
        return [pattern]
    parts = split_terms(smarts[1:-1], ",")
    if not all(is_recursion(part) for part in parts):
        return [pattern]
    return [Chem.MolFromSmarts(part[2:-1]) for part in parts]
