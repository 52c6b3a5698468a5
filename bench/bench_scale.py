"""A paper night made real: 4 stored plates of tiny images under 1,000 plate ids.

Usage: python bench/bench_scale.py [--quick] [--plates 1000] [--cluster inline|local]
[--folder PLACE] [--steps score,call,resume,status]. 384 wells a plate go through the
engine's own verbs: campaign, map, fingerprints, scheduler, blocks, one committed record
a well, compaction, manifest, `call`, a second `score` that finds all done, `status`.
In place of finder and network stands a numpy scorer of a fraction of a millisecond, for
it is the engine's own cost that is measured; jax is not compiled. `--steps` repeats some
of it on a finished folder, which is kept where `--folder` names it. Memory is the
resident size of all processes of a step, each sampled ten times a second. The last line
is one JSON object; the exit code is 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.machine import ROOT, facts
from bench.memory import children, resident
from bench.paper_night import (
    FORMAT,
    PaperSource,
    make_night,
    named_by_links,
    open_named,
    paper_model,
)

STEPS = ("score", "call", "resume", "status")
BARS = {
    "wells_per_s": 250.0,
    "overhead_ms_per_well": 4.0,
    "call_s": 180.0,
    "call_peak_mb": 4000.0,
    "resume_open_s": 30.0,
    "growth": 0.05,
}
_SCORER = ("decode", "compile", "copy", "find", "score")  # not the engine's own


@dataclass(frozen=True)
class Step:
    """One process and its children: clock and processor seconds, and memory over time."""

    began: float  # seconds of the epoch
    seconds: float
    cpu_s: float
    sizes: list[tuple[float, float]]  # seconds of the epoch, MB

    @property
    def peak_mb(self) -> float:
        """The most that all processes had together."""
        return max(mb for _, mb in self.sizes)

    def peak_between(self, start: float, end: float) -> float:
        """The most between two moments of the epoch."""
        return max((mb for t, mb in self.sizes if start <= t <= end), default=0.0)


def stepped(words: list[str], **environment: str) -> Step:
    """Run a command to its end and watch it; RuntimeError with its words if it fails."""
    before, began = _cpu_of_children(), time.time()
    sizes: list[tuple[float, float]] = []
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        tree = [process.pid]
        while process.poll() is None:
            if len(sizes) % 20 == 0:  # to ask for all processes takes longest
                tree = [process.pid, *children(process.pid)]
            sizes.append((time.time(), sum(map(resident, tree)) / 1e6))
            time.sleep(0.1)
        seconds = time.time() - began
        log.seek(0)
        said = log.read().decode(errors="replace")
    if process.returncode not in (0, 4, 8):
        raise RuntimeError(f"{words} ended with {process.returncode}: {said[-2000:]}")
    return Step(began, seconds, _cpu_of_children() - before, sizes)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def do_step(step: str, folder: Path, cluster: str) -> int:
    """What a process of this bench does: one verb on the night in ``folder``."""
    from screen.__main__ import main as command

    places = [f"runs={folder / 'runs'}", "run=night"]
    with named_by_links():
        if step == "call":
            return command(["call", *places])
        return _score(folder / "night", [*places, f"cluster={cluster}"])


def _score(root: Path, words: list[str]) -> int:
    """The verb score with the paper scorer in place of the model's."""
    from plates.campaign import Campaign
    from screen import score
    from screen.compose import settings_of
    from screen.preflight import check_inputs

    settings = settings_of("score", [f"campaign={root}", "model=paper", *words])
    campaign = Campaign.open(root)
    plates = tuple(open_named(entry.path) for entry in campaign.plates)
    model = paper_model(campaign)
    check_inputs(model.spec, plates)
    outcome = score.score_campaign(settings, campaign, plates, model, PaperSource())
    print(outcome.message)
    return int(outcome.code)


def measure(folder: Path, n_plates: int, cluster: str, steps: list[str]) -> Any:
    """Every step in turn, and what it took."""
    run, found = folder / "runs" / "night", dict[str, Any]()
    if not (folder / "night").exists():
        make_night(folder / "night", n_plates)
    mine = [__file__, "--folder", str(folder), "--cluster", cluster, "--do"]
    n_wells = len(
        json.loads((folder / "night" / "campaign.json").read_bytes())["plates"]
    )
    n_wells *= FORMAT.n_wells
    for name in steps:
        if name == "status":
            places = [f"runs={folder / 'runs'}", "run=night"]
            step = stepped(["-m", "screen", "status", *places])
        else:
            # The command sees to it before numpy is loaded; the bench has loaded it.
            one = {"OPENBLAS_NUM_THREADS": "1"} if name == "call" else {}
            step = stepped([*mine, name], **one)
        found |= {f"{name}_s": step.seconds, f"{name}_cpu_s": step.cpu_s}
        found[f"{name}_peak_mb"] = step.peak_mb
        if name == "score":
            found |= _scored(step, run, n_wells)
        if name == "resume":
            found["resume_open_s"] = _moments(run)[0] - step.began
        print({k: _round(v) for k, v in found.items()}, file=sys.stderr, flush=True)
    if "score_s" in found:
        spent = found["score_s"] + found.get("call_s", 0.0)
        found["wells_per_s"] = n_wells / spent
    return {"n_wells": n_wells, **{k: _round(v) for k, v in found.items()}}


def _scored(step: Step, run: Path, n_wells: int) -> dict[str, Any]:
    """What the run's own events say of where its time went, and memory early and late."""
    started, ended, told = _moments(run)
    span = ended - started
    early = step.peak_between(started + 0.1 * span, started + 0.3 * span)
    late = step.peak_between(ended - 0.2 * span, ended)
    stages, n_threads = dict(told["stages"]), told["threads"]
    n_bytes = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
    own = step.seconds - sum(stages[s] for s in _SCORER) / n_threads
    stages["start, scheduler, compaction"] = n_threads * step.seconds - sum(
        stages.values()
    )
    return {
        "score_open_s": started - step.began,
        "score_wells_per_s": n_wells / step.seconds,
        "overhead_ms_per_well": 1000 * own / n_wells,
        "cpu_ms_per_well": 1000 * step.cpu_s / n_wells,
        "stage_ms_per_well": {k: 1000 * s / n_wells for k, s in stages.items()},
        "near": max(stages, key=lambda k: stages[k]),
        "peak_mb_early": early,
        "peak_mb_late": late,
        "growth": late / early - 1 if early else None,
        "run_mb": n_bytes / 1e6,
    }


def _moments(run: Path) -> tuple[float, float, dict[str, Any]]:
    """When the last run's first well could begin and when it ended, of the epoch, and
    its stages with the number of its threads."""
    from screen.provenance import read_manifest
    from screen.run_state import story_of

    story = story_of(run)
    if story.started is None or story.ended is None:
        raise RuntimeError(f"the events of {run} must tell of a start and an end")
    cluster = read_manifest(run)["verbs"]["score"]["settings"]["cluster"]
    n_threads = cluster["threads"] if cluster["kind"] == "local" else 1
    start, end = (
        datetime.fromisoformat(event["time"]).timestamp()
        for event in (story.started, story.ended)
    )
    return start, end, {"stages": story.ended.get("stages", {}), "threads": n_threads}


def _round(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _round(v) for k, v in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def missed(found: dict[str, Any]) -> list[str]:
    """The bars that a measured figure misses."""
    worse = {k: found[k] - bar for k, bar in BARS.items() if found.get(k) is not None}
    worse |= {"wells_per_s": -worse["wells_per_s"]} if "wells_per_s" in worse else {}
    return [name for name, by in worse.items() if by > 0]


def main() -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 plate ids")
    parser.add_argument("--plates", type=int, default=1000)
    parser.add_argument("--cluster", default="inline", choices=("inline", "local"))
    parser.add_argument("--folder", type=Path, help="where it lies, and is kept")
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--do", choices=STEPS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.do:
        return do_step(asked.do, asked.folder, asked.cluster)
    n_plates, steps = 20 if asked.quick else asked.plates, asked.steps.split(",")
    with tempfile.TemporaryDirectory(prefix="scale-") as temporary:
        folder = asked.folder or Path(temporary)
        found = measure(folder.resolve(), n_plates, asked.cluster, steps)
    found |= {"scorer": "numpy, in place of finder and network", "bars": BARS}
    found |= {"cluster": asked.cluster, "missed": missed(found)}
    print(json.dumps({"bench": "scale", **found} | facts()))
    return 1 if found["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
