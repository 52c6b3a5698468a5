"""What the compound bench runs in its processes: library work, and molecules that harm."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from rdkit import Chem

from plates.alerts import alerts
from plates.descriptors import fingerprint
from plates.parents import Keys, layered_keys, standard_parent
from plates.structure_pool import Drawing, prepare, read_drawing
from plates.structures import Structure, StructureError, clean_smiles

Core = tuple[str, Keys, tuple[str, ...], bytes]


def read_core(drawing: Drawing) -> Core:
    """Standard parent, keys, alerts and fingerprint alone, of what RDKit surely parses."""
    parent = standard_parent(Chem.MolFromSmiles(clean_smiles(drawing.text)[0]))
    main = parent.molecule
    return parent.smiles, layered_keys(main), alerts(main)[0], fingerprint(main)


WORK: dict[str, Callable[[Drawing], Any]] = {"core": read_core, "all": read_drawing}


def is_read(result: object) -> bool:
    """Whether a structure came out."""
    return isinstance(result, tuple | Structure)


def work_all(name: str, drawings: Sequence[Drawing]) -> tuple[int, float]:
    """How many structures were read, and seconds since this process was ready."""
    prepare()
    work, start = WORK[name], time.perf_counter()
    n = sum(is_read(work(drawing)) for drawing in drawings)
    return n, time.perf_counter() - start


def read_or_harm(drawing: Drawing) -> Structure | StructureError:
    """Reads a structure; the words die and hang do as they say."""
    if drawing.text == "die":
        os.abort()
    if drawing.text == "hang":
        while True:
            pass
    return read_drawing(drawing)
