"""A second run that is refused, runs that are asked to stop, and workers that die."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from bench.recovery_kills import N_WELLS
from tests.test_screen_cluster import family, wait_for
from tests.test_screen_kill import finish, results
from tests.tiny_run import start

LIMIT_S = 120.0
KINDS = ("inline", "local")


def refused(n: int, campaign: Path, folder: Path) -> dict[str, Any]:
    """Seconds from the start of a second run's process to its end with exit code 6,
    while a first one holds the folder; and of a process that only imports its verb."""
    first = start(campaign, folder, "inline", pause=0.5)
    wait_for(first, folder / "tiny", "well_committed", 1)
    seconds, codes, imports = [], [], []
    for _ in range(n):
        begun = time.perf_counter()
        second = start(campaign, folder, "inline")
        errors = second.communicate(timeout=LIMIT_S)[1]
        seconds.append(time.perf_counter() - begun)
        codes.append(second.returncode)
        if "RUN_LOCKED" not in errors:
            raise RuntimeError(f"a second run must be refused with its code: {errors}")
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import tests.tiny_run"], check=True)
        imports.append(time.perf_counter() - begun)
    is_undisturbed = first.poll() is None
    first.kill()
    first.communicate()
    return {
        "codes": codes,
        "seconds": sorted(round(s, 2) for s in seconds),
        "imports_alone": sorted(round(s, 2) for s in imports),
        "first_went_on": is_undisturbed,
    }


def stops(n: int, seed: int, campaign: Path, folder: Path) -> dict[str, Any]:
    """SIGTERM at random wells: seconds to the exit and to that of every child, exit
    codes, processes left, and whether the run goes on to the same tables."""
    rng = random.Random(seed)
    finish(start(campaign, folder / "whole", "inline"))
    whole = results(folder / "whole" / "tiny")
    seconds, orphans, identical, codes = [], 0, 0, []
    for i in range(n):
        runs = folder / f"stop-{i}"
        process = start(campaign, runs, KINDS[i % 2], pause=0.03)
        wait_for(process, runs / "tiny", "well_started", rng.randrange(1, N_WELLS - 8))
        members = family(process)
        begun = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LIMIT_S)
        _, alive = psutil.wait_procs(members[1:], timeout=10)
        seconds.append(round(time.perf_counter() - begun, 2))
        orphans += len(alive)
        codes.append(process.returncode)
        finish(start(campaign, runs, "inline"))
        identical += results(runs / "tiny") == whole
    return {
        "stops": n,
        "codes": codes,
        "most_seconds": max(seconds),
        "seconds": seconds,
        "orphans": orphans,
        "identical": identical,
    }


def worker_deaths(n: int, seed: int, campaign: Path, folder: Path) -> dict[str, Any]:
    """Runs on a local cluster whose worker is ended at exponential times by SIGKILL,
    by SIGSEGV or by SIGTERM: the tables against those of a run left alone."""
    rng = random.Random(seed + 2)
    finish(start(campaign, folder / "whole", "inline"))
    whole = results(folder / "whole" / "tiny")
    ways = (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)
    deaths, identical, codes = 0, 0, []
    for i in range(n):
        runs = folder / f"deaths-{i}"
        process = start(campaign, runs, "local", pause=0.08)
        wait_for(process, runs / "tiny", "well_started", 1)
        # Thrice in one place would be a well that kills, and rightly quarantined.
        for number in (*ways, *ways)[i % 3 :][:2]:
            time.sleep(rng.expovariate(1.0))
            deaths += end_worker(process, number)
        process.communicate(timeout=LIMIT_S)
        codes.append(process.returncode)
        identical += results(runs / "tiny") == whole
    return {
        "runs": n,
        "deaths": deaths,
        "identical": identical,
        "codes": sorted(set(codes)),
    }


def end_worker(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    """End the process that scores, if there is one just now."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
        workers = [c for c in children if "spawn_main" in " ".join(c.cmdline())]
        if workers:
            workers[-1].send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return bool(workers)
