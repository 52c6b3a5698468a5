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
from rdkit.Chem import rdMolDescriptors

from plates.smarts_terms import (
    AtomFacts,
    BondFacts,
    atom_judge,
    bond_judge,
    is_recursion,
    split_terms,
)

K = TypeVar("K", bound=Hashable)
# RDKit's number for element, neighbours, hydrogens, charge, isotope and being in a ring;
# aromaticity; and size of the smallest ring.
AtomKind = tuple[int, bool, int]
# Kinds of both ends, order, and size of the smallest ring.
BondKind = tuple[int, int, float, int]
# SMARTS, number of neighbours and size of the smallest ring (0 for none) in the pattern.
AtomNeed = tuple[str, int, int]
# Both ends, SMARTS, and size of the smallest ring in the pattern.
BondNeed = tuple[AtomNeed, AtomNeed, str, int]
_AROMATIC = 1.5
_SIGNS = {1.0: "-", 2.0: "=", 3.0: "#", _AROMATIC: ":"}
_MAX_KINDS = 20_000
_LARGE_RING = 9


class PatternScreen:
    """A list of patterns ready to be looked for in molecules, one after the other."""

    def __init__(self, patterns: Sequence[Chem.Mol]) -> None:
        """Patterns as RDKit parses them from SMARTS."""
        forms: dict[str, Chem.Mol] = {}
        places: dict[str, list[int]] = {}
        for n, pattern in enumerate(patterns):
            for form in _forms(pattern):
                text = Chem.MolToSmarts(form)
                forms.setdefault(text, form)
                places.setdefault(text, []).append(n)
        self.places, self.patterns = list(places.values()), list(forms.values())
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
        found = [n for n in self.possible(molecule) if has(patterns[n])]
        return list(dict.fromkeys(place for n in found for place in places[n]))

    def possible(self, molecule: Chem.Mol) -> list[int]:
        """The forms of patterns for which the molecule has all the atoms and bonds."""
        judges = self.judges
        # One call for all atoms, one for all bonds: an object for each takes far longer.
        order = Chem.GetAdjacencyMatrix(molecule, useBO=True)
        firsts, seconds = np.nonzero(np.triu(order))
        if len(firsts) != molecule.GetNumBonds():  # bonds of order zero are not in it
            return list(range(len(self.patterns)))
        kinds = zip(
            rdMolDescriptors.GetConnectivityInvariants(molecule),
            (order == _AROMATIC).any(0).tolist(),
            strict=True,
        )
        of_atom, of_bond = _ring_sizes(molecule.GetRingInfo().AtomRings())
        atoms = [
            judges.atom(molecule, n, (*kind, of_atom.get(n, 0)))
            for n, kind in enumerate(kinds)
        ]
        bonds = [
            judges.bonds.place((atoms[a], atoms[b], size, of_bond.get((a, b), 0)))
            for a, b, size in zip(
                firsts.tolist(),
                seconds.tolist(),
                order[firsts, seconds].tolist(),
                strict=True,
            )
        ]
        there = np.concatenate([judges.atoms.total(atoms), judges.bonds.total(bonds)])
        if len(judges.bonds.known) > _MAX_KINDS:
            self.judges = self.make_judges()
        enough = there[self.whats] >= self.counts
        met = np.logical_and.reduceat(enough, self.starts)
        return np.flatnonzero(met).tolist()


def _ring_sizes(
    rings: Sequence[Sequence[int]],
) -> tuple[dict[int, int], dict[tuple[int, int], int]]:
    """The size of the smallest ring by atom and by bond, its lower atom first."""
    of_atom: dict[int, int] = {}
    of_bond: dict[tuple[int, int], int] = {}
    for ring in sorted(rings, key=len, reverse=True):
        size, last = min(len(ring), _LARGE_RING), ring[-1]
        for atom in ring:
            of_atom[atom] = size
            of_bond[(last, atom) if last < atom else (atom, last)] = size
            last = atom
    return of_atom, of_bond


class _Rows(Generic[K]):
    """For each kind of atom or bond met so far, the needs that it may serve."""

    def __init__(
        self, width: int, make: Callable[[K], list[bool]] | None = None
    ) -> None:
        self.make = make
        self.known: dict[K, int] = {}
        self.table = np.zeros((64, width), np.uint8)

    def place(self, key: K) -> int:
        """The row of a kind."""
        place = self.known.get(key)
        if place is None and self.make is not None:
            place = self.add(key, self.make(key))
        return -1 if place is None else place

    def add(self, key: K, row: list[bool]) -> int:
        """A row for a kind that is new."""
        n = len(self.known)
        if n == len(self.table):
            self.table = np.concatenate([self.table, np.zeros_like(self.table)])
        self.table[n] = row
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
        self.atoms = _Rows[AtomKind](len(atoms))
        self.bonds = _Rows[BondKind](len(bonds), self._bond)

    def atom(self, molecule: Chem.Mol, n: int, kind: AtomKind) -> int:
        """The row of an atom of a molecule."""
        place = self.atoms.known.get(kind)
        if place is not None:
            return place
        atom, ring = molecule.GetAtomWithIdx(n), kind[2]
        facts = AtomFacts(
            atom.GetAtomicNum(),
            kind[1],
            atom.GetTotalNumHs(),
            atom.GetDegree(),
            atom.GetFormalCharge(),
            ring > 0,
        )
        row = [
            facts.degree >= n and _fits(ring, size) and judge(facts) is not False
            for judge, n, size in self.atom_needs
        ]
        return self.atoms.add(kind, row)

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
