"""Chemical structures: SMILES to molecule, parent, descriptors and drawing, by RDKit."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors
from rdkit.Chem.Draw import rdMolDraw2D

from plates.alerts import alerts
from plates.descriptors import (
    DESCRIPTORS as DESCRIPTORS,
)
from plates.descriptors import (
    descriptors,
    fingerprint,
    scaffold_smiles,
)
from plates.parents import Parent, has_open_atoms, layered_keys, marks, standard_parent
from plates.structure_ink import Sketch, sketch

MAX_CHARACTERS = 2000
MAX_HEAVY_ATOMS = 500
RDKIT_VERSION: str = rdBase.rdkitVersion
# Raised by hand when the same text gives other results with the same RDKit.
STRUCTURE_VERSION = 2

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_QUOTES = "\"'\u2018\u2019\u201c\u201d"
_log_lock = RLock()


class StructureError(ValueError):
    """A SMILES that gives no usable molecule: a CMPD code and RDKit's own reason."""

    def __init__(self, code: str, reason: str) -> None:
        """Takes the code and the reason."""
        super().__init__(code, reason)  # both, so that the error survives pickling
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        """`CODE: reason`."""
        return f"{self.code}: {self.reason}"


@dataclass(frozen=True)
class Structure:
    """A compound's structure as given and its standard parent with keys and descriptors.

    `given_smiles` is the canonical form of what was given. Keys are '' where there is
    none. `salt` are names of what the parent lost, `marks` what is not fully told (stereo,
    isotopes, open atoms), `alerts` structural alerts. `fingerprint` is of 2048 bits.
    `note_code` and `note` say what was put right in the SMILES, '' when nothing was.
    """

    given_smiles: str
    parent_smiles: str
    inchikey: str
    inchikey_no_stereo: str
    connectivity: str
    scaffold: str
    formula: str
    is_salt: bool
    salt: tuple[str, ...]
    charge: int
    marks: tuple[str, ...]
    alerts: tuple[str, ...]
    fingerprint: bytes
    descriptors: dict[str, float | None]
    note_code: str
    note: str


def read_structure(smiles: str) -> Structure:
    """The structure of a SMILES; raises StructureError with RDKit's own reason."""
    text, note_code, note = clean_smiles(smiles)
    with _rdkit_messages() as messages:
        return _structure(_parse(text, messages), note_code, note)


def read_molblock(block: str) -> Structure:
    """The structure of a molecule in MDL form; raises StructureError with RDKit's reason."""
    with _rdkit_messages() as messages:
        return _structure(_parse_block(block, messages), "", "")


def _structure(molecule: Chem.Mol, note_code: str, note: str) -> Structure:
    parent = _parent(molecule)
    main = parent.molecule
    keys, has_open = layered_keys(main), has_open_atoms(main)
    notes = [note] if note else []
    if has_open:
        notes.append("atoms left open by *: no descriptors")
    found, n_qed = alerts(main)
    return Structure(
        given_smiles=parent.given_smiles,
        parent_smiles=parent.smiles,
        inchikey=keys.full,
        inchikey_no_stereo=keys.no_stereo,
        connectivity=keys.connectivity,
        scaffold=scaffold_smiles(main),
        formula=rdMolDescriptors.CalcMolFormula(main),
        is_salt=parent.is_salt,
        salt=parent.salt,
        charge=Chem.GetFormalCharge(molecule),
        marks=marks(molecule, main),
        alerts=found,
        fingerprint=fingerprint(main),
        descriptors=dict.fromkeys(DESCRIPTORS)
        if has_open
        else descriptors(main, n_qed),
        note_code=note_code,
        note="; ".join(notes),
    )


def structure_sketch(smiles: str) -> Sketch:
    """The drawing and the fingerprint of a structure as written.

    Raises StructureError for a SMILES that gives no molecule.
    """
    with _rdkit_messages() as messages:
        return sketch(_parse(clean_smiles(smiles)[0], messages))


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


def _parse(text: str, messages: list[str]) -> Chem.Mol:
    # Each heavy atom takes a letter, so that only a long text can hold too many.
    if len(text) > MAX_HEAVY_ATOMS:
        _check_size(Chem.MolFromSmiles(text, _parser(is_checked=False)), messages)
    molecule = Chem.MolFromSmiles(text, _parser(is_checked=True))
    if molecule is None:
        raise _refused(text, messages)
    if molecule.GetNumAtoms() == 0:
        raise StructureError("CMPD_NO_STRUCTURE", "a molecule without atoms")
    return molecule


def _refused(text: str, messages: list[str]) -> StructureError:
    """Why RDKit reads no molecule: its extension, its grammar or its chemistry."""
    reason = _reason(messages)
    smiles, _, extension = text.partition(" ")
    if extension and Chem.MolFromSmiles(smiles, _parser(is_checked=True)) is not None:
        reason = f"RDKit reads the SMILES but not its extension {extension[:120]}"
        return StructureError("CMPD_SMILES_INVALID", reason)
    if Chem.MolFromSmiles(smiles, _parser(is_checked=False)) is None:
        return StructureError("CMPD_SMILES_INVALID", reason)
    return StructureError("CMPD_SANITIZE_FAILED", reason)


def _parser(is_checked: bool) -> Chem.SmilesParserParams:
    parser = Chem.SmilesParserParams()
    parser.sanitize = is_checked  # type: ignore[assignment]
    parser.removeHs = is_checked  # type: ignore[assignment]
    return parser


def _parse_block(block: str, messages: list[str]) -> Chem.Mol:
    _check_size(Chem.MolFromMolBlock(block, False, False), messages)
    molecule = Chem.MolFromMolBlock(block)
    if molecule is None:
        raise StructureError("CMPD_SANITIZE_FAILED", _reason(messages))
    if molecule.GetNumAtoms() == 0:
        raise StructureError("CMPD_NO_STRUCTURE", "a molecule without atoms")
    return molecule


def _check_size(unchecked: Chem.Mol | None, messages: list[str]) -> None:
    """Raises StructureError for a text that cannot be parsed, or for too many atoms."""
    if unchecked is None:
        raise StructureError("CMPD_SMILES_INVALID", _reason(messages))
    n_heavy = unchecked.GetNumHeavyAtoms()
    if n_heavy > MAX_HEAVY_ATOMS:
        reason = f"{n_heavy} heavy atoms, the limit is {MAX_HEAVY_ATOMS}"
        raise StructureError("CMPD_TOO_LARGE", reason)


def _parent(molecule: Chem.Mol) -> Parent:
    try:
        return standard_parent(molecule)
    except (ValueError, RuntimeError) as error:
        raise StructureError("CMPD_SANITIZE_FAILED", str(error)) from error


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
