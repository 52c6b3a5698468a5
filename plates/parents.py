"""The standard parent of a molecule: salts, charges and drawing variants taken off."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rdkit import Chem
from rdkit.Chem import rdinchi, rdMolDescriptors
from rdkit.Chem.MolStandardize import rdMolStandardize

# Uncharged counter-ions and solvents by RDKit's canonical SMILES.
_SALTS = {
    "Cl": "hydrochloride",
    "Br": "hydrobromide",
    "I": "hydroiodide",
    "F": "hydrofluoride",
    "[Na+]": "sodium",
    "[K+]": "potassium",
    "[Li+]": "lithium",
    "[Ca+2]": "calcium",
    "[Mg+2]": "magnesium",
    "[Zn+2]": "zinc",
    "[Al+3]": "aluminium",
    "[Ba+2]": "barium",
    "[Ag+]": "silver",
    "[NH4+]": "ammonium",
    "N": "ammonium",
    "O": "hydrate",
    "CO": "methanolate",
    "CCO": "ethanolate",
    "CC(C)O": "isopropanolate",
    "CS(C)=O": "DMSO solvate",
    "O=S(=O)(O)O": "sulfate",
    "O=P(O)(O)O": "phosphate",
    "O=[N+]([O-])O": "nitrate",
    "[O-][Cl+3]([O-])([O-])O": "perchlorate",
    "O=C(O)O": "carbonate",
    "O=CO": "formate",
    "CC(=O)O": "acetate",
    "O=C(O)C(F)(F)F": "trifluoroacetate",
    "O=C(O)C(=O)O": "oxalate",
    "O=C(O)CC(=O)O": "malonate",
    "O=C(O)CCC(=O)O": "succinate",
    "O=C(O)/C=C/C(=O)O": "fumarate",
    "O=C(O)/C=C\\C(=O)O": "maleate",
    "O=C(O)CC(O)C(=O)O": "malate",
    "O=C(O)CC(O)(CC(=O)O)C(=O)O": "citrate",
    "O=C(O)C(O)C(O)C(=O)O": "tartrate",
    "CC(O)C(=O)O": "lactate",
    "CS(=O)(=O)O": "mesylate",
    "Cc1ccc(S(=O)(=O)O)cc1": "tosylate",
    "O=S(=O)(O)c1ccccc1": "besylate",
    "O=S(=O)(O)CCS(=O)(=O)O": "edisylate",
    "O=C(O)c1ccccc1": "benzoate",
    "O=C(O)c1ccccc1O": "salicylate",
    "CNC[C@H](O)[C@@H](O)[C@H](O)[C@H](O)CO": "meglumine",
    "NC(CO)(CO)CO": "tromethamine",
}
# What the steps below may change is an atom of these kinds; without one they are left
# out, which makes most molecules five times faster. The last line are the uncharged
# groups that Cleanup rewrites (pentavalent nitro, N-oxide, azide, diazo, sulfoxide).
_NOT_PLAIN = Chem.MolFromSmarts(
    "[!+0,!0*,!#6&!#7&!#8&!#9&!#15&!#16&!#17&!#35&!#53,"
    "$([N,P;X3](=[O,S])=[O,S]),$(n=O),$(N=N#N),$(N#N),$([S;X3](=O)([!O])[!O])]"
)
_ISOTOPE, _OPEN = Chem.MolFromSmarts("[!0*]"), Chem.MolFromSmarts("[#0]")
RACEMATE, ONE_OF = "racemate", "one of several stereo forms"
_uncharge = rdMolStandardize.Uncharger().uncharge


@dataclass(frozen=True)
class Parent:
    """A molecule's parent, and what was taken off: `salt` names counter-ions and solvents."""

    molecule: Chem.Mol
    smiles: str
    given_smiles: str
    is_salt: bool
    salt: tuple[str, ...]


@dataclass(frozen=True)
class Keys:
    """InChIKeys of a parent: whole, without stereo, and of the connectivity alone.

    Each is '' where InChI gives none; such a key is never used to join.
    """

    full: str
    no_stereo: str
    connectivity: str


def standard_parent(molecule: Chem.Mol) -> Parent:
    """The uncharged largest organic part in RDKit's standard form; no tautomer step.

    Raises ValueError or RuntimeError, as RDKit does, where there is no such form.
    """
    if not molecule.HasSubstructMatch(_NOT_PLAIN) and len(_parts(molecule)) == 1:
        smiles = Chem.MolToSmiles(molecule)
        return Parent(molecule, smiles, smiles, False, ())
    given = Chem.MolToSmiles(molecule)
    clean = rdMolStandardize.Cleanup(molecule)
    main = rdMolStandardize.FragmentParent(clean, skipStandardize=True)
    parent = _uncharge(main)
    # The uncharger leaves no ring information, which later calls need.
    Chem.SanitizeMol(parent)
    is_salt = len(_parts(molecule)) > 1 or len(_parts(clean)) > 1
    salt = _salt_names(clean, main) if is_salt else ()
    return Parent(parent, Chem.MolToSmiles(parent), given, is_salt, salt)


def _parts(molecule: Chem.Mol) -> tuple[tuple[int, ...], ...]:
    return Chem.GetMolFrags(molecule)


def _salt_names(clean: Chem.Mol, main: Chem.Mol) -> tuple[str, ...]:
    """Names of all parts but the main one, SMILES where a part has no name here."""
    kept = Chem.MolToSmiles(main)
    names = Counter[str]()
    for part in Chem.GetMolFrags(clean, asMols=True):
        if Chem.MolToSmiles(part) != kept:
            neutral = Chem.MolToSmiles(_uncharge(part))
            flat = Chem.MolToSmiles(_uncharge(part), isomericSmiles=False)
            name = _SALTS.get(neutral) or _SALTS.get(flat) or neutral
            names[name] += 1
    return tuple(name for name, _ in sorted(names.items()))


def layered_keys(parent: Chem.Mol) -> Keys:
    """The InChIKeys of a parent; all '' where an atom is left open by `*`."""
    if parent.HasSubstructMatch(_OPEN):
        return Keys("", "", "")
    inchi = rdinchi.MolToInchi(parent, "-AuxNone")[0]
    if not inchi:
        return Keys("", "", "")
    flat = "/".join(part for part in inchi.split("/") if part[0] not in "btms")
    full = rdinchi.InchiToInchiKey(inchi)
    no_stereo = full if flat == inchi else rdinchi.InchiToInchiKey(flat)
    return Keys(full, no_stereo, full[:14])


def stereo_kind(found: Iterable[str]) -> str:
    """Of `marks`, what tells two compounds of one InChIKey apart; '' for one form."""
    return next((mark for mark in found if mark in (RACEMATE, ONE_OF)), "")


def marks(molecule: Chem.Mol, parent: Chem.Mol) -> tuple[str, ...]:
    """What makes a structure less than fully told; flags, never a reason to refuse."""
    found = []
    n_open = rdMolDescriptors.CalcNumUnspecifiedAtomStereoCenters(parent)
    if n_open:
        found.append(f"stereo undefined at {n_open}")
    if molecule.GetStereoGroups():
        kinds = {str(group.GetGroupType()) for group in molecule.GetStereoGroups()}
        found += [RACEMATE] if "STEREO_AND" in kinds else []
        found += [ONE_OF] if "STEREO_OR" in kinds else []
    if parent.HasSubstructMatch(_ISOTOPE):
        found.append("isotopes")
    if parent.HasSubstructMatch(_OPEN):
        found.append("open atoms")
    if Chem.GetMolSubstanceGroups(molecule):
        found.append("polymer or substance group")
    return tuple(found)


def has_open_atoms(parent: Chem.Mol) -> bool:
    """Whether an atom is left open by `*`, so that descriptors have no meaning."""
    return bool(parent.HasSubstructMatch(_OPEN))
