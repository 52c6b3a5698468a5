"""A structure as few numbers: its lines, its filled wedges and its letters."""

from __future__ import annotations

import re
from typing import NamedTuple

from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from plates.descriptors import fingerprint

WIDTH, HEIGHT = 480, 340
_PATH = re.compile(r"<path[^>]* d='([^']*)' style='([^']*)'")
_LETTER = re.compile(
    r"<text x='([-\d.]+)' y='([-\d.]+)'[^>]*style='font-size:([\d.]+)px[^>]*>([^<]*)<"
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Ink(NamedTuple):
    """Path data of strokes and of fills, and letters as (x, y, size, text).

    In units of a picture of WIDTH by HEIGHT, to whole numbers, black for all atoms.
    """

    strokes: str
    fills: str
    letters: list[tuple[int, int, int, str]]


class Sketch(NamedTuple):
    """The drawing of a structure and its Morgan fingerprint (256 bytes)."""

    ink: Ink
    fingerprint: bytes


def sketch(molecule: Chem.Mol) -> Sketch:
    """Draws a molecule and takes its fingerprint."""
    # Without FreeType letters come as text, a tenth of the size of their outlines.
    canvas = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT, -1, -1, True)
    options = canvas.drawOptions()
    options.useBWAtomPalette()
    options.clearBackground = False  # type: ignore[assignment]
    options.fixedBondLength = 46  # type: ignore[assignment]
    options.padding = 0.04  # type: ignore[assignment]
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    return Sketch(ink_of(canvas.GetDrawingText()), fingerprint(molecule))


def ink_of(svg: str) -> Ink:
    """The ink of a drawing by RDKit."""
    strokes, fills = list[str](), list[str]()
    for data, style in _PATH.findall(svg):
        # Joins of two lines are left out: the page draws lines with round ends.
        if "stroke-miterlimit" in style and "fill:none" in style:
            continue
        plain = _NUMBER.sub(lambda m: str(round(float(m[0]))), data)
        plain = re.sub(r"\s*([A-Z])\s*", r"\1", plain).replace(",", " ")
        (strokes if "fill:none" in style else fills).append(plain)
    letters = [
        (round(float(x)), round(float(y)), round(float(size)), _plain(text))
        for x, y, size, text in _LETTER.findall(svg)
    ]
    return Ink("".join(strokes), "".join(fills), letters)


def _plain(text: str) -> str:
    for name, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(name, sign)
    return text
