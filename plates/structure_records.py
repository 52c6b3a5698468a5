"""Structures of a finished screen again: fingerprints to compare, records of an SD file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rdkit import Chem
from rdkit.Chem import rdDepictor

from plates.descriptors import FINGERPRINT_BITS, fingerprint
from plates.killable import Done, KillablePool
from plates.structure_pool import PoolLimits
from plates.structures import StructureError, clean_smiles

LONGEST_VALUE = 1000
_BATCH = 64


@dataclass(frozen=True)
class SdCompound:
    """A compound as it goes into an SD file: SMILES, title, and properties by name."""

    smiles: str
    title: str
    properties: dict[str, str] = field(default_factory=dict)


def fingerprints(pool: KillablePool, smiles: Iterable[str]) -> Iterator[bytes]:
    """The Morgan fingerprint (radius 2, 2048 bits) of each SMILES as 256 bytes; b'' for
    one that gives no molecule."""
    seconds = PoolLimits().seconds
    for result in pool.map(_fingerprint, smiles, timeout_s=seconds, batch=_BATCH):
        yield result.value if isinstance(result, Done) else b""


def sd_records(pool: KillablePool, compounds: Sequence[SdCompound]) -> Iterator[str]:
    """Each compound as one record of an SD file, `$$$$` included, drawn flat; '' for one
    whose SMILES gives no molecule."""
    seconds = PoolLimits().seconds
    for result in pool.map(_sd_record, compounds, timeout_s=seconds, batch=_BATCH):
        yield result.value if isinstance(result, Done) else ""


def sd_value(text: str, longest: int = LONGEST_VALUE) -> str:
    """A text that cannot end or change an SD record: one line of visible characters.

    A value's first characters could be taken for a header (`>`), the end of a molecule
    (`M  END`) or of a record (`$$$$`); a letter before them says that it is text.
    """
    plain = "".join(map(_plain, text))
    line = " ".join(plain.split())[:longest]
    return f"'{line}" if line.startswith((">", "$$$$", "M  ")) else line


def sd_name(text: str) -> str:
    """A property name: letters, digits and `_`, which every reader takes."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text) or "_"


def _plain(character: str) -> str:
    is_hidden = unicodedata.category(character)[0] in "CZ"
    return " " if is_hidden else character


def _molecule(smiles: str) -> Chem.Mol | None:
    try:
        text, _, _ = clean_smiles(smiles)
    except StructureError:
        return None
    molecule = Chem.MolFromSmiles(text)
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


def _fingerprint(smiles: str) -> bytes:
    molecule = _molecule(smiles)
    found = b"" if molecule is None else fingerprint(molecule)
    assert len(found) in (0, FINGERPRINT_BITS // 8)
    return found


def _sd_record(compound: SdCompound) -> str:
    molecule = _molecule(compound.smiles)
    if molecule is None:
        return ""
    rdDepictor.SetPreferCoordGen(False)  # the same flat drawing on every machine
    rdDepictor.Compute2DCoords(molecule)
    # What the SMILES carried along (its extension, too) is not ours to pass on.
    for name in list(molecule.GetPropNames(True, True)):
        molecule.ClearProp(name)
    molecule.SetProp("_Name", sd_value(compound.title, 80))
    for name, value in compound.properties.items():
        molecule.SetProp(sd_name(name), sd_value(value))
    text: str = Chem.SDWriter.GetText(molecule)
    return text
