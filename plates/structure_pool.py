"""Structures read in processes that may die, so that no molecule can end the program."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from plates.killable import Died, Done, Failed, KillablePool, Result, TimedOut
from plates.structure_ink import Sketch
from plates.structures import (
    Structure,
    StructureError,
    read_molblock,
    read_structure,
    structure_sketch,
    structure_svg,
)

_BATCH = 32


@dataclass(frozen=True)
class Drawing:
    """The text of one structure: a SMILES, or a molecule in MDL form where `is_block`."""

    text: str
    is_block: bool = False


@dataclass(frozen=True)
class PoolLimits:
    """Seconds and bytes that one molecule may take, and how many are read at once."""

    seconds: float = 4.9  # with the end of the child, 5 s in all
    memory_bytes: int = 2 * 2**30
    processes: int = 0

    def pool(self) -> KillablePool:
        """A pool under these limits; as many processes as cores where none is said."""
        n = self.processes or os.cpu_count() or 1
        return KillablePool(n, initializer=prepare, memory_bytes=self.memory_bytes)


@contextmanager
def structure_pool(n_processes: int = 0) -> Iterator[KillablePool]:
    """Processes that may die over a molecule; as many as cores where none is said."""
    limits = PoolLimits()
    n = n_processes or min(os.cpu_count() or 1, 4)
    with KillablePool(n, memory_bytes=limits.memory_bytes) as pool:
        yield pool


def drawer(pool: KillablePool, width: int, height: int) -> Callable[[str], str]:
    """Draws SMILES as SVG in a process of the pool; '' where there is no drawing."""
    seconds, draw = PoolLimits().seconds, partial(_svg, width=width, height=height)

    def drawn(smiles: str) -> str:
        (result,) = pool.map(draw, [smiles], timeout_s=seconds, attempts=1)
        return result.value if isinstance(result, Done) else ""

    return drawn


def _svg(smiles: str, width: int, height: int) -> str:
    try:
        return structure_svg(smiles, width, height)
    except StructureError:
        return ""


def sketches(pool: KillablePool, smiles: Iterable[str]) -> dict[str, Sketch]:
    """Drawing and fingerprint of each SMILES; one that gives none is not among them."""
    wanted = list(dict.fromkeys(smiles))
    results = pool.map(
        _sketch, wanted, timeout_s=PoolLimits().seconds, attempts=1, batch=_BATCH
    )
    return {
        text: result.value
        for text, result in zip(wanted, results, strict=True)
        if isinstance(result, Done) and result.value is not None
    }


def _sketch(smiles: str) -> Sketch | None:
    try:
        return structure_sketch(smiles)
    except StructureError:
        return None


def prepare() -> None:
    """Reads one molecule, so that no other pays for the patterns made at first use."""
    read_structure("CC(=O)Oc1ccccc1C(=O)[O-].[Na+]")


def read_drawing(drawing: Drawing) -> Structure | StructureError:
    """The structure, or the reason for none; runs in a child."""
    try:
        if drawing.is_block:
            return read_molblock(drawing.text)
        return read_structure(drawing.text)
    except StructureError as error:
        return error


def read_structures(
    drawings: Iterable[Drawing],
    limits: PoolLimits | None = None,
    pool: KillablePool | None = None,
) -> Iterator[Structure | StructureError]:
    """One structure or reason per drawing, in order.

    A drawing that takes too long is CMPD_TIMEOUT, one that ends its process CMPD_CRASH.
    A `pool` that is given is used and left open.
    """
    limits = limits or PoolLimits()
    if pool is None:
        with limits.pool() as own:
            yield from read_structures(drawings, limits, own)
        return
    results = pool.map(
        read_drawing,
        drawings,
        timeout_s=limits.seconds,
        batch=_BATCH,
        in_flight=32 * _BATCH * pool.n_processes,
    )
    for result in results:
        yield _outcome(result)


def _outcome(result: Result[Structure | StructureError]) -> Structure | StructureError:
    match result:
        case Done(value):
            return value
        case TimedOut(seconds):
            return StructureError("CMPD_TIMEOUT", f"not read within {seconds:g} s")
        case Died() as died:
            return StructureError("CMPD_CRASH", f"RDKit ended its process: {died}")
        case Failed(MemoryError()):
            return StructureError("CMPD_CRASH", "RDKit wanted more memory than it may")
        case Failed(error):
            reason = f"RDKit failed: {type(error).__name__}: {error}"[:300]
            return StructureError("CMPD_CRASH", reason)
