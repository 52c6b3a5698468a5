"""Whole calls of real read-outs: what is found, how long it takes, how much memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared/data"
REPURPOSING = DATA / "repurposing_screen"


def figures(seed: int, quick: bool) -> dict[str, dict[str, Any]]:
    """The call of the repurposing screen's 52,223 wells, from its own files in a process
    of its own; nothing is drawn, so that ``seed`` and ``quick`` change nothing."""
    del seed, quick
    with tempfile.TemporaryDirectory() as folder:
        words = [
            f"table={REPURPOSING / 'cell_counts.csv.gz'}",
            f"map=[{REPURPOSING / 'platemaps.csv.gz'}]",
            f"barcodes={REPURPOSING / 'barcode_platemap.csv'}",
            "map_defaults=[state:unstressed,dilution:1000]",
            f"out={folder}",
        ]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        command = [sys.executable, "-m", "screen", "call", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        seconds = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        compounds = pl.read_parquet(Path(folder) / "compounds.parquet")
        wells = pl.read_parquet(Path(folder) / "hits.parquet", columns=["status"])
    scored = int((wells["status"] == "SCORED").sum())
    return {
        "repurposing_call_seconds": {
            "figure": round(seconds, 1),
            "cpu_seconds": round(after.ru_utime - before.ru_utime, 1),
            "exit": done.returncode,
            "n": scored,
            "bar": "at most 60 s on 2 cores, from table to ranked compounds",
        },
        "repurposing_call_gb": {
            "figure": round(after.ru_maxrss / 2**20, 2),
            "n": scored,
            "bar": "at most 2 GB",
        },
        "repurposing_classes": {
            "figure": dict(sorted(compounds["class"].value_counts().iter_rows())),
            "n": compounds.height,
            "bar": "toxic, proliferative and inactive only",
        },
    }


if __name__ == "__main__":
    print(json.dumps(figures(0, "--quick" in sys.argv)))
