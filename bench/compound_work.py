"""What the compound bench runs in its processes: library work, and molecules that harm."""

import os
import time
from collections.abc import Sequence

from plates.structure_pool import Drawing, prepare, read_drawing
from plates.structures import Structure, StructureError


def read_all(drawings: Sequence[Drawing]) -> tuple[int, float]:
    """How many structures were read, and seconds since this process was ready."""
    prepare()
    start = time.perf_counter()
    n = sum(isinstance(read_drawing(drawing), Structure) for drawing in drawings)
    return n, time.perf_counter() - start


def read_or_harm(drawing: Drawing) -> Structure | StructureError:
    """Reads a structure; the words die and hang do as they say."""
    if drawing.text == "die":
        os.abort()
    if drawing.text == "hang":
        while True:
            pass
    return read_drawing(drawing)
