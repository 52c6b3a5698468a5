"""Made-up compounds that look like a library's: scaffolds with substituents."""

from __future__ import annotations

import random
from itertools import product

from rdkit import Chem

# Rings have numbers of their own, so that parts with rings 1 and 2 fit inside.
_SCAFFOLDS = (
    "c5cc({a})ccc5NC(=O){b}",
    "c5nc(N{a})c6cc({b})ccc6n5",
    "O=C(N{a})c5cc({b})ccc5O",
    "c5ccc6c(c5)nc({a})n6C{b}",
    "CN5CCN(CC5)c5nc({a})cc({b})n5",
    "O=S(=O)(N{a})c5ccc({b})cc5",
    "c5c({a})sc(NC(=O){b})n5",
    "COc5cc6c(cc5O{a})ncnc6N{b}",
    "O=C5c6cc({a})ccc6OC(C5){b}",
    "CC5(C)C(=O)N({a})C(=O)N5{b}",
    "c5cc({a})n(n5)C5CCN(CC5){b}",
    "O=C(CSc5nnc({a})o5)N{b}",
)
_PARTS = [
    "C",
    "CC",
    "C(C)C",
    "C1CC1",
    "CCO",
    "CCOC",
    "CCN(C)C",
    "C1CCCC1",
    "C1CCOCC1",
    "Cc1ccccc1",
    "c1ccccc1",
    "c1ccc(F)cc1",
    "c1ccc(Cl)cc1",
    "c1ccc(OC)cc1",
    "c1cccc(C(F)(F)F)c1",
    "c1ccncc1",
    "c1cccnc1",
    "c1ccsc1",
    "CC(=O)OC",
    "CCC#N",
    "Cc1ccc(O)cc1",
    "c1ccc2[nH]ccc2c1",
    "CCc1ccc(F)c(Cl)c1",
]


def structures(n: int, seed: int = 0) -> list[str]:
    """``n`` distinct canonical SMILES in a random order; ValueError if there are fewer."""
    drawn = [s.format(a=a, b=b) for s, a, b in product(_SCAFFOLDS, _PARTS, _PARTS)]
    random.Random(seed).shuffle(drawn)
    found: dict[str, None] = {}
    for text in drawn:
        if len(found) == n:
            break
        found[Chem.CanonSmiles(text)] = None  # type: ignore[no-untyped-call]
    if len(found) < n:
        raise ValueError(
            f"only {len(found)} structures can be made, {n} were asked for"
        )
    return list(found)
