"""Structural alerts (PAINS A, B, C, Brenk, NIH) as named flags; they filter nothing out.

The patterns are those of RDKit's FilterCatalog (Baell 2010, Brenk 2008, Jadhav 2010).
"""

import re
from functools import cache

from rdkit import Chem
from rdkit.Chem import QED
from rdkit.Chem.FilterCatalog import (
    FilterCatalog,
    FilterCatalogEntry,
    FilterCatalogParams,
)

from plates.pattern_screen import PatternScreen

CATALOGS = ("PAINS_A", "PAINS_B", "PAINS_C", "BRENK", "NIH")


def alerts(molecule: Chem.Mol) -> tuple[tuple[str, ...], int]:
    """The alerts of a sanitised molecule, such as `PAINS_A:quinone_A(370)`, sorted.

    The number is that of the alerts that QED counts, which are others.
    """
    names, screen = _catalog()
    found = screen.found_in(molecule)
    n_qed = sum(place >= len(names) for place in found)
    if not is_screened():
        entries = _entries().GetMatches(molecule)
        return tuple(sorted({_name(entry) for entry in entries})), n_qed
    return tuple(sorted({names[p] for p in found if p < len(names)})), n_qed


def is_screened() -> bool:
    """Whether this RDKit's patterns can be screened, which takes a fifth of the time."""
    return bool(_catalog()[0])


@cache
def _entries() -> FilterCatalog:
    params = FilterCatalogParams()
    for catalog in CATALOGS:
        params.AddCatalog(getattr(FilterCatalogParams.FilterCatalogs, catalog))
    return FilterCatalog(params)


@cache
def _catalog() -> tuple[list[str], PatternScreen]:
    """Names of the catalogues' patterns, none where they cannot be had, and the screen."""
    catalog = _entries()
    entries = [catalog.GetEntryWithIdx(n) for n in range(catalog.GetNumEntries())]
    patterns = [_pattern(entry) for entry in entries]
    known = [pattern for pattern in patterns if pattern is not None]
    if len(known) < len(entries):
        return [], PatternScreen(QED.StructuralAlerts)
    names = [_name(entry) for entry in entries]
    return names, PatternScreen([*known, *QED.StructuralAlerts])


def _name(entry: FilterCatalogEntry) -> str:
    return f"{entry.GetProp('FilterSet')}:{entry.GetDescription()}"


def _pattern(entry: FilterCatalogEntry) -> Chem.Mol | None:
    """The pattern of an entry that asks for one match; RDKit gives it in this form only."""
    data, name = bytes(entry.Serialize()), entry.GetDescription().encode()
    head = re.search(rb" %d %s (\d+) " % (len(name), re.escape(name)), data)
    if head is None:
        return None
    end = head.end() + int(head[1])
    at_least_once = data[end:].startswith(b" 1 %d 0" % (2**32 - 1))
    packed = data[head.end() : end]
    return Chem.Mol(packed) if at_least_once else None  # type: ignore[call-overload]
