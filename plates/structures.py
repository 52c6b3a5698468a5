"""Chemical structures: SMILES to molecule, parent, descriptors and drawing, by RDKit."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock

from rdkit import Chem, rdBase
from rdkit.Chem import QED, rdinchi, rdMolDescriptors
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Chem.MolStandardize import rdMolStandardize
from rdkit.Chem.Scaffolds import MurckoScaffold

MAX_CHARACTERS = 2000
MAX_HEAVY_ATOMS = 500
RDKIT_VERSION: str = rdBase.rdkitVersion

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_QUOTES = "\"'\u2018\u2019\u201c\u201d"
_log_lock = RLock()


class StructureError(ValueError):
    """A SMILES that gives no usable molecule: a CMPD code and RDKit's own reason."""

    def __init__(self, code: str, reason: str) -> None:
        """Takes the code and the reason."""
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Structure:
    """The standard parent of a compound, its keys and descriptors (None where undefined).

    `note_code` and `note` say what was put right in the SMILES, '' when nothing was.
    """

    parent_smiles: str
    inchikey: str
    scaffold: str
    formula: str
    is_salt: bool
    descriptors: dict[str, float | None]
    note_code: str
    note: str


# RDKit's names of our columns: Crippen 1999 for logp, Ertl 2000 for tpsa.
_PROPERTIES = {
    "mol_weight": "amw",
    "logp": "CrippenClogP",
    "tpsa": "tpsa",
    "h_donors": "NumHBD",
    "h_acceptors": "NumHBA",
    "rotatable_bonds": "NumRotatableBonds",
}
DESCRIPTORS = (*_PROPERTIES, "qed")
_compute = rdMolDescriptors.Properties(list(_PROPERTIES.values())).ComputeProperties


def read_structure(smiles: str) -> Structure:
    """The structure of a SMILES; raises StructureError with RDKit's own reason."""
    text, note_code, note = clean_smiles(smiles)
    with _rdkit_messages() as messages:
        molecule = _parse(text, messages)
        parent = _parent(molecule)
        inchikey = rdinchi.MolToInchiKey(parent)
        scaffold = MurckoScaffold.GetScaffoldForMol(parent)  # type: ignore[no-untyped-call]
    has_dummy = any(atom.GetAtomicNum() == 0 for atom in parent.GetAtoms())
    notes = [note] if note else []
    if has_dummy:
        notes.append("atoms left open by *: no descriptors")
    return Structure(
        parent_smiles=Chem.MolToSmiles(parent),
        inchikey="" if has_dummy else inchikey,
        scaffold=Chem.MolToSmiles(scaffold),
        formula=rdMolDescriptors.CalcMolFormula(parent),
        is_salt=len(Chem.GetMolFrags(molecule)) > 1,
        descriptors=dict.fromkeys(DESCRIPTORS) if has_dummy else _descriptors(parent),
        note_code=note_code,
        note="; ".join(notes),
    )


def structure_svg(smiles: str, width: int, height: int) -> str:
    """A drawing as one self-contained `<svg>` element on a transparent background.

    Raises ValueError for a SMILES that gives no molecule.
    """
    with _rdkit_messages() as messages:
        molecule = _parse(clean_smiles(smiles)[0], messages)
        canvas = rdMolDraw2D.MolDraw2DSVG(width, height)
        canvas.drawOptions().clearBackground = False  # type: ignore[assignment]
        rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
        canvas.FinishDrawing()
    svg = canvas.GetDrawingText()
    svg = re.sub(r"<\?xml.*?\?>|<!--.*?-->", "", svg, flags=re.DOTALL)
    return re.sub(r"\s+xmlns:(rdkit|xlink)='[^']*'", "", svg).strip()


def clean_smiles(smiles: str) -> tuple[str, str, str]:
    """The SMILES alone, with a code and a note on what was taken off around it.

    Raises StructureError for a blank, an overlong or a non-ASCII text.
    """
    visible = smiles.translate(_INVISIBLE).strip().strip(_QUOTES).strip()
    words = visible.split(maxsplit=1)
    if not words:
        raise StructureError("CMPD_NO_STRUCTURE", "no SMILES given")
    text = words[0]
    if len(text) > MAX_CHARACTERS:
        reason = f"{len(text)} characters, the limit is {MAX_CHARACTERS}"
        raise StructureError("CMPD_TOO_LARGE", reason)
    # RDKit ends reading at a sign such as U+2212 and keeps the part before it.
    if not text.isascii():
        strange = sorted({f"U+{ord(sign):04X}" for sign in text if ord(sign) > 127})
        reason = f"characters outside ASCII: {', '.join(strange)}"
        raise StructureError("CMPD_SMILES_INVALID", reason)
    # ChemAxon's extension between bars belongs to the structure (stereo groups).
    extension = re.fullmatch(r"\|[!-~ ]*\|", words[1]) if len(words) == 2 else None
    if extension and len(visible) <= MAX_CHARACTERS:
        text = visible
    elif len(words) == 2:
        reason = f"text after the SMILES was left out: {words[1][:80]!r}"
        return text, "CMPD_SMILES_TRAILING", reason
    note = "" if visible == smiles else "blanks, quotes or invisible signs taken off"
    return text, "", note


def _descriptors(molecule: Chem.Mol) -> dict[str, float | None]:
    # QED by Bickerton 2012.
    qed = QED.qed(molecule)  # type: ignore[no-untyped-call]
    values = [*_compute(molecule), qed]
    return {name: float(value) for name, value in zip(DESCRIPTORS, values, strict=True)}


def _parse(text: str, messages: list[str]) -> Chem.Mol:
    raw = Chem.SmilesParserParams()
    raw.strictCXSMILES = False  # type: ignore[assignment]
    raw.sanitize = False  # type: ignore[assignment]
    raw.removeHs = False  # type: ignore[assignment]
    unchecked = Chem.MolFromSmiles(text, raw)
    if unchecked is None:
        raise StructureError("CMPD_SMILES_INVALID", _reason(messages))
    if unchecked.GetNumAtoms() == 0:
        raise StructureError("CMPD_NO_STRUCTURE", "a molecule without atoms")
    n_heavy = unchecked.GetNumHeavyAtoms()
    if n_heavy > MAX_HEAVY_ATOMS:
        reason = f"{n_heavy} heavy atoms, the limit is {MAX_HEAVY_ATOMS}"
        raise StructureError("CMPD_TOO_LARGE", reason)
    checked = Chem.SmilesParserParams()
    checked.strictCXSMILES = False  # type: ignore[assignment]
    molecule = Chem.MolFromSmiles(text, checked)
    if molecule is None:
        raise StructureError("CMPD_SANITIZE_FAILED", _reason(messages))
    return molecule


def _parent(molecule: Chem.Mol) -> Chem.Mol:
    """The uncharged largest organic fragment in RDKit's standard form."""
    try:
        clean = rdMolStandardize.Cleanup(molecule)
        fragment = rdMolStandardize.FragmentParent(clean, skipStandardize=True)
        parent = rdMolStandardize.Uncharger().uncharge(fragment)
        # The uncharger leaves no ring information, which later calls need.
        Chem.SanitizeMol(parent)
    except (ValueError, RuntimeError) as error:
        raise StructureError("CMPD_SANITIZE_FAILED", str(error)) from error
    return parent


def _reason(messages: list[str]) -> str:
    # RDKit draws a caret under the place and says at the end that it failed: left out.
    stamp = re.compile(r"^\[[0-9:]+\] (SMILES Parse Error: )?")
    lines = [stamp.sub("", line).strip(" \n:") for line in messages]
    spoken = [
        line
        for line in dict.fromkeys(lines)
        if re.search(r"[a-z]{3} ", line) and not line.startswith("Failed parsing")
    ]
    return "; ".join(spoken)[:300] or "RDKit gives no reason"


class _Collector(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _rdkit_messages() -> Iterator[list[str]]:
    """Collects RDKit's errors, which otherwise go to stderr and tell no molecule."""
    logger, messages = logging.getLogger("rdkit"), list[str]()
    with _log_lock:
        handlers, propagate = logger.handlers, logger.propagate
        logger.handlers, logger.propagate = [_Collector(messages)], False
        rdBase.LogToPythonLogger()
        try:
            yield messages
        finally:
            rdBase.LogToCppStreams()
            logger.handlers, logger.propagate = handlers, propagate
