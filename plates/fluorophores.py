"""Compounds likely to shine or to drive out a DNA stain: dyes and minor-groove binders.

Structures are told by their chromophore (Lakowicz 2006, chapter 3; Simeonov 2008 for
what glows in screens), DNA binders by their two amidines (Neidle 2001), and a few by
name where no structure is given. A match is a suspicion, never a verdict.
"""

import re
from functools import cache, lru_cache

from rdkit import Chem

_CHROMOPHORES = {
    "aromatic diamidine (binds DNA as DAPI does)": (
        "[CX3;!$(C=O)](=[NX2,NX3+])([NX3])-c1ccc(-,:*)cc1.[CX3;!$(C=O)](=[NX2,NX3+])([NX3])-c1ccc(-,:*)cc1",
        "NC(=N)c1ccc(cc1)-[#6,#7,#8].NC(=N)c1ccc(cc1)-[#6,#7,#8]",
    ),
    "bisbenzimidazole (Hoechst)": ("c1ccc2[nH]c(nc2c1)-c1ccc2[nH]cnc2c1",),
    "acridine": ("c1ccc2nc3ccccc3cc2c1", "c1ccc2[nH+]c3ccccc3cc2c1"),
    "phenanthridinium (ethidium)": ("c1ccc2c(c1)c1ccccc1c[n+]2",),
    "benzophenanthridinium or protoberberine": (
        "c1ccc2c(c1)c[n+]c1c2ccc2ccccc12",
        "c1ccc2c(c1)cc1-c3ccccc3CC[n+]1c2",
    ),
    "xanthene (fluorescein, rhodamine)": (
        "O=C1C=CC2=C(c3ccccc3)c3ccccc3OC2=C1",
        "[#7,#8]~c1ccc2c(-c3ccccc3)c3ccc(~[#7,#8])cc3oc2c1",
        "O=C1OC2(c3ccccc13)c1ccc([#7,#8])cc1Oc1cc([#7,#8])ccc12",
        "[#7+]=C1C=CC2=C(c3ccccc3)c3ccc([#7])cc3OC2=C1",
    ),
    "phenothiazinium or phenoxazinium": ("[#7]c1ccc2nc3ccc(=[N+])cc-3sc2c1", "c1ccc2nc3ccc(=[N+])cc-3oc2c1", "c1ccc2nc3ccccc3[s,o;+]c2c1"),
    "cyanine": ("[#7]C=CC=CC=[#7+]", "c1ccc2c(c1)[n+]c(s2)C=C"),
    "BODIPY": ("[B-](F)(F)(n)~[#7+]", "FB(F)(n)n"),
    "anthracycline or aminoanthraquinone": (
        "O=C1c2ccccc2C(=O)c2c(O)c3C[C]CCc3c(O)c12",
        "O=C1c2ccccc2C(=O)c2c([NX3])cccc12",
    ),
    "aminocoumarin or hydroxycoumarin": (
        "O=c1ccc2ccc([NX3,OX2H])cc2o1",
    ),
    "camptothecin": ("c1ccc2nc3c(cc2c1)Cn1c(=O)cccc1-3",),
    "ellipticine": ("c1ccc2c(c1)nc1cc3ccncc3cc12", "c1ccc2c(c1)nc1cc3cnccc3cc12"),
    "isoalloxazine (riboflavin)": ("O=c1[nH]c(=O)c2nc3ccccc3nc2n1", "O=c1nc2-c(nc3ccccc3n2)c(=O)[nH]1", "O=C1NC(=O)c2nc3ccccc3n([#6])c2=N1"),
    "porphyrin": ("c1cc2cc3ccc(cc4ccc(cc5ccc(cc1n2)[nH]5)n4)[nH]3",),
    "curcuminoid": ("c1ccccc1C=CC(=O)CC(=O)C=Cc1ccccc1", "c1ccccc1C=CC(=O)C=C(O)C=Cc1ccccc1"),
}  # fmt: skip
_NAMES = {
    "DNA stain": ("dapi", "hoechst", "propidium", "ethidium", "draq5", "sybr"),
    "aromatic diamidine (binds DNA as DAPI does)": (
        "furamidine", "pentamidine", "stilbamidine", "berenil", "diminazene", "pafuramidine",
    ),
    "fluorescent dye": (
        "fluorescein", "rhodamine", "acridine orange", "quinacrine", "mepacrine", "proflavin",
        "acriflavin", "doxorubicin", "daunorubicin", "idarubicin", "epirubicin", "mitoxantrone",
        "sanguinarine", "chelerythrine", "berberine", "coralyne", "nitidine", "camptothecin",
        "topotecan", "ellipticine", "riboflavin", "curcumin", "methylene blue", "nile red",
    ),
}  # fmt: skip
_FLAT_RINGS = 5  # fused aromatic rings of one sheet


def suspicion(molecule: Chem.Mol | None, *names: str) -> str:
    """What makes a compound a suspect, such as `acridine`; '' where nothing does.

    `molecule` is sanitised, or None where only the names are known.
    """
    if molecule is not None:
        for kind, patterns in _patterns().items():
            if any(molecule.HasSubstructMatch(p) for p in patterns):
                return kind
        if _widest_sheet(molecule) >= _FLAT_RINGS:
            return "aromatic rings in a large flat sheet"
    said = " ".join(f" {re.sub(r'[^a-z0-9]+', ' ', n.casefold())} " for n in names)
    for kind, words in _NAMES.items():
        if any(f" {word} " in said for word in words):
            return kind
    return ""


@lru_cache(maxsize=2**16)
def suspicion_of(smiles: str | None, *names: str | None) -> str:
    """As `suspicion`, of the SMILES of a library, which has been read before."""
    molecule = Chem.MolFromSmiles(smiles) if smiles else None
    return suspicion(molecule, *(name for name in names if name))


@cache
def _patterns() -> dict[str, tuple[Chem.Mol, ...]]:
    return {
        kind: tuple(Chem.MolFromSmarts(smarts) for smarts in several)
        for kind, several in _CHROMOPHORES.items()
    }


def _widest_sheet(molecule: Chem.Mol) -> int:
    """The number of aromatic rings that share bonds, of the largest such group."""
    info = molecule.GetRingInfo()
    rings = [
        set(bonds)
        for bonds in info.BondRings()
        if all(molecule.GetBondWithIdx(b).GetIsAromatic() for b in bonds)
    ]
    widest = 0
    while rings:
        sheet, n = rings.pop(), 1
        while near := [ring for ring in rings if ring & sheet]:
            for ring in near:
                sheet |= ring
                rings.remove(ring)
            n += len(near)
        widest = max(widest, n)
    return widest
