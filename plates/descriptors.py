"""Numbers of a molecule: weight, logP, polar surface, drug-likeness, scaffold, fingerprint."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import QED, rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

DESCRIPTORS = (
    "mol_weight",
    "logp",
    "tpsa",
    "h_donors",
    "h_acceptors",
    "rotatable_bonds",
    "qed",
)
FINGERPRINT_BITS, FINGERPRINT_RADIUS = 2048, 2
_morgan = rdFingerprintGenerator.GetMorganGenerator(
    radius=FINGERPRINT_RADIUS, fpSize=FINGERPRINT_BITS
)
_strict = rdMolDescriptors.NumRotatableBondsOptions.Strict


def descriptors(molecule: Chem.Mol, n_alerts: int) -> dict[str, float | None]:
    """Values by `DESCRIPTORS`: logP by Crippen 1999, TPSA by Ertl 2000, QED by Bickerton 2012.

    `n_alerts` is the number of QED's own alerts.
    """
    weight = rdMolDescriptors._CalcMolWt(molecule)
    logp = rdMolDescriptors.CalcCrippenDescriptors(molecule)[0]
    tpsa = rdMolDescriptors.CalcTPSA(molecule)
    donors = rdMolDescriptors.CalcNumHBD(molecule)
    bonds = rdMolDescriptors.CalcNumRotatableBonds(molecule, _strict)
    # The properties of QED share what is known already.
    properties = QED.QEDproperties(  # type: ignore[no-untyped-call]
        weight,
        logp,
        sum(len(molecule.GetSubstructMatches(acceptor)) for acceptor in QED.Acceptors),
        donors,
        tpsa,
        bonds,
        _n_aromatic_rings(molecule),
        n_alerts,
    )
    qed = QED.qed(molecule, qedProperties=properties)  # type: ignore[no-untyped-call]
    acceptors = rdMolDescriptors.CalcNumHBA(molecule)
    values = (weight, logp, tpsa, donors, acceptors, bonds, qed)
    return {name: float(value) for name, value in zip(DESCRIPTORS, values, strict=True)}


def _n_aromatic_rings(molecule: Chem.Mol) -> int:
    """Rings left when aliphatic ring atoms are gone, which is how QED counts them."""
    if not molecule.HasSubstructMatch(QED.AliphaticRings):
        return molecule.GetRingInfo().NumRings()
    return len(
        Chem.GetSSSR(Chem.DeleteSubstructs(Chem.Mol(molecule), QED.AliphaticRings))
    )


def scaffold_smiles(molecule: Chem.Mol) -> str:
    """The Murcko scaffold, '' for a molecule without a ring."""
    if not molecule.GetRingInfo().NumRings():
        return ""
    scaffold = MurckoScaffold.GetScaffoldForMol(molecule)  # type: ignore[no-untyped-call]
    return Chem.MolToSmiles(scaffold)


def fingerprint(molecule: Chem.Mol) -> bytes:
    """The Morgan fingerprint as 256 bytes, the first bit highest in the first byte."""
    bits = _morgan.GetFingerprintAsNumPy(molecule)
    return np.packbits(bits.astype(bool)).tobytes()
