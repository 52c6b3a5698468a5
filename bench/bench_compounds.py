"""Compounds per second through the killable pool, its overhead, and what hostile ones cost.

Usage: python bench/bench_compounds.py [--quick] [--n=100000]. Normal compounds are the
parsed SMILES of the repurposing set, each written anew from random atoms, so that no
text comes twice (without that set: chains with a ring). `core` is parse, parent, InChIKeys,
alerts and fingerprint, `all` is what a library keeps: descriptors, QED, scaffold too. Overhead is against
two bare spawned processes that do the same halves and send nothing back. Hostile are
bombs, giants, nonsense, and a few that kill or hang. Overhead is told in seconds of the
clock and of the processors (parent and children, start-up taken off): the second holds on a
machine that others use too. The last line is one JSON object.
"""

import json
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from rdkit import Chem, rdBase

from bench.compound_work import WORK, is_read, read_or_harm, work_all
from bench.machine import ROOT, facts
from plates.killable import Died, Done, KillablePool, Result, TimedOut
from plates.structure_pool import Drawing, PoolLimits, prepare

N_PROCESSES = 2
BATCH = 32
FEW = 256
SET = ROOT.parent / "shared/data/repurposing_screen/repurposing_info.tsv.gz"


def normal(n: int) -> list[Drawing]:
    """So many SMILES, none twice."""
    rdBase.DisableLog("rdApp.*")
    if SET.is_file():
        table = pl.read_csv(SET, separator="\t", infer_schema=False, quote_char=None)
        texts = table["smiles"].drop_nulls().unique(maintain_order=True).to_list()
    else:
        texts = [
            f"{'C' * k}c1ccc(N{'C' * m}O)cc1" for k in range(1, 60) for m in range(60)
        ]
    molecules = [m for m in (Chem.MolFromSmiles(text) for text in texts if text) if m]
    found: dict[str, None] = {}
    seed = 0
    while len(found) < n:
        seed += 1
        for molecule in molecules:
            found.setdefault(
                Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seed)[0]
            )
    return [Drawing(text) for text in list(found)[:n]]


def pooled(name: str, drawings: list[Drawing]) -> tuple[int, float]:
    """Structures read through the pool, and seconds since its processes were ready."""
    with KillablePool(N_PROCESSES, initializer=prepare, memory_bytes=2 * 2**30) as pool:
        work = WORK[name]
        list(pool.map(work, drawings[: 4 * BATCH], timeout_s=60, batch=BATCH))
        start = time.perf_counter()
        results = pool.map(work, drawings, timeout_s=5, batch=BATCH, in_flight=2048)
        n = sum(isinstance(r, Done) and is_read(r.value) for r in results)
        return n, time.perf_counter() - start


def bare(name: str, drawings: list[Drawing]) -> tuple[int, float]:
    """The same in two spawned processes without any pool; seconds of the slower one."""
    halves = [drawings[n::N_PROCESSES] for n in range(N_PROCESSES)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(N_PROCESSES, context) as executor:
        done = list(executor.map(partial(work_all, name), halves))
    return sum(n for n, _ in done), max(seconds for _, seconds in done)


def processor_seconds() -> float:
    """What this process and all its ended children have used so far."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(one.ru_utime + one.ru_stime for one in used)


def hostile(n: int) -> list[Drawing]:
    """Bombs, giants, odd chemistry and nonsense; one in fifty dies, one in 200 hangs."""
    kinds = [
        "(" * 2000, "C(" * 999, "[" * 1999, "C1" * 900, "C" * 2001, "C" * 500,
        "c1" * 500, "C%99" * 400, "[Pt]" * 400, "*" * 499, "C" * 10**6, "\x00", "🧪",
        "[C" + "+" * 1900 + "]", "F[P-](F)(F)(F)(F)F", "N" * 500, "C=C" * 160,
        "." * 1999, "C." * 999, "[13CH4]", "C12C3C4C1C5C2C3C45" * 20,
        "c1ccc2" * 80 + "C" * 10, "[H]" * 600, "C/C=C\\C" * 90, "C" * 499 + "@",
    ]  # fmt: skip
    texts = [kinds[k % len(kinds)] + (" " * (k // len(kinds))) for k in range(n)]
    texts[::50] = ["die"] * len(texts[::50])
    texts[25::200] = ["hang"] * len(texts[25::200])
    return [Drawing(text) for text in texts]


def harm(n: int) -> dict[str, Any]:
    """What hostile molecules cost: rows, seconds, and how their rows end."""
    drawings = hostile(n)
    limits = PoolLimits(processes=N_PROCESSES)
    ends: list[Result[Any]] = []
    slowest, last = 0.0, time.perf_counter()
    start = last
    with limits.pool() as pool:
        results = pool.map(
            read_or_harm, drawings, timeout_s=limits.seconds, batch=BATCH, attempts=1
        )
        for result in results:
            now = time.perf_counter()
            slowest, last = max(slowest, now - last), now
            ends.append(result)
    seconds = time.perf_counter() - start
    return {
        "hostile": n,
        "hostile_rows": len(ends),
        "hostile_lost": n - len(ends),
        "hostile_seconds": round(seconds, 1),
        "hostile_longest_wait_s": round(slowest, 2),
        "hostile_died": sum(isinstance(r, Died) for r in ends),
        "hostile_timed_out": sum(isinstance(r, TimedOut) for r in ends),
        "dead_engines": 0,
    }


def measure(work: str, drawings: list[Drawing], rounds: int) -> dict[str, Any]:
    """Rates of both ways, taken in turn, the best of each."""
    n = len(drawings)
    ways: dict[str, list[float]] = {"pool": [], "bare": []}
    costs: dict[str, list[float]] = {"pool": [], "bare": []}
    counts = set()
    for _ in range(rounds):
        for name, way in (("bare", bare), ("pool", pooled)):
            before = processor_seconds()
            way(work, drawings[:FEW])
            started = processor_seconds()
            count, seconds = way(work, drawings)
            used = processor_seconds() - started - (started - before)
            counts.add(count)
            ways[name].append(n / seconds)
            costs[name].append(1000 * used / (n - FEW))
            print(
                f"{work}, {name}: {n / seconds:,.0f} compounds/s, {costs[name][-1]:.3f} ms of"
                " processor time each",
                flush=True,
            )
    if len(counts) > 1:
        raise SystemExit(f"the two ways read different numbers of structures: {counts}")
    pool, alone = max(ways["pool"]), max(ways["bare"])
    dear, cheap = min(costs["pool"]), min(costs["bare"])
    return {
        "structures": counts.pop(),
        "per_second_pool": round(pool),
        "per_second_bare": round(alone),
        "overhead": round(alone / pool - 1, 4),
        "processor_ms_pool": round(dear, 3),
        "processor_ms_bare": round(cheap, 3),
        "overhead_processor": round(dear / cheap - 1, 4),
        "per_second_if_alone": round(1000 * N_PROCESSES / dear),
        "rounds": {name: [round(v) for v in values] for name, values in ways.items()},
    }


def main(words: list[str]) -> None:
    """Measure and print; the last line is JSON."""
    is_quick = "--quick" in words
    given = [word.partition("=")[2] for word in words if word.startswith("--n=")]
    n = int(given[0]) if given else 2_000 if is_quick else 100_000
    drawings = normal(n)
    rounds = 1 if is_quick or n > 5_000 else 3
    row = facts() | {
        "bench": "compounds",
        "date": datetime.now().isoformat(timespec="seconds"),
        "processes": N_PROCESSES,
        "compounds": n,
        "core": measure("core", drawings, rounds),
        "all": measure("all", drawings, rounds),
        **harm(100 if is_quick else 1_000),
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main(sys.argv[1:])
