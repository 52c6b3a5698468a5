"""What goes wrong in the rounds of a soak: each fault begins a command, does its harm,
mends what it broke and leaves a run that the same command can end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.recovery_stops import end_worker
from bench.soak_command import GOOD, Command
from plates.campaign import Campaign
from plates.store import open_plate, read_field
from plates.store_metadata import LEVEL, SHARD
from plates.wells import Well
from screen.ledger import Ledger
from tests.test_screen_kill import events

LIMIT_S = 600.0
PAUSE_S = 0.06
DEATHS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)
REFUSED, STOPPED, FULL, NOT_BEGUN = 6, 143, 5, 3


@dataclass
class Round:
    """One command and the campaign it scores; ``n`` counts what was done to it."""

    command: Command
    campaign: Campaign
    rng: random.Random
    n: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def ended(self, process: subprocess.Popen[str], *codes: int) -> int:
        """Wait for the end of a process; another exit code than these is written down."""
        try:
            process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode not in codes:
            said = self.command.log.read_text(errors="replace")[-600:]
            self.wrong.append(f"exit {process.returncode}, not one of {codes}: {said}")
        return process.returncode

    def underway(self, n_wells: int, **harm: Any) -> subprocess.Popen[str]:
        """The command begun, once it has committed so many wells more, or ended."""
        before = n_committed(self.command.run)
        process = self.command.start(pause=PAUSE_S, **harm)
        end = time.monotonic() + LIMIT_S
        while n_committed(self.command.run) < before + n_wells:
            if process.poll() is not None or time.monotonic() > end:
                break
            time.sleep(0.02)
        return process

    def left(self) -> list[tuple[str, str]]:
        """The wells that have no record yet."""
        ledger = Ledger(self.command.run)
        done = {
            (entry.plate, header["well"])
            for entry in self.campaign.plates
            for header in ledger.headers(entry.plate)
        }
        wells = self.campaign.map.frame.select("plate", "well").iter_rows()
        return sorted(set(wells) - done)


def n_committed(run: Path) -> int:
    """Wells that the run's events tell of."""
    return sum(event == "well_committed" for event, _, _ in events(run))


def worker_deaths(it: Round) -> None:
    """Two deaths of the worker at exponential times; a third in one place would be a
    well that kills, and rightly quarantined."""
    process = it.underway(1)
    first = it.rng.randrange(3)
    for number in (*DEATHS, *DEATHS)[first : first + 2]:
        time.sleep(it.rng.expovariate(0.7))
        it.n["worker deaths"] += end_worker(process, number)
    it.ended(process, 0)


def kill_all(it: Round) -> None:
    """Kill -9 of the whole tree, once to three times."""
    for _ in range(it.rng.randint(1, 3)):
        process = it.underway(it.rng.randrange(8))
        time.sleep(it.rng.uniform(0, 0.2))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            it.n["kills"] += 1
        it.ended(process, 0, -signal.SIGKILL)


def stop(it: Round) -> None:
    """SIGTERM to the client alone."""
    process = it.underway(it.rng.randrange(1, 12))
    process.send_signal(signal.SIGTERM)
    it.n["stops"] += it.ended(process, 0, STOPPED) == STOPPED


def refused(it: Round) -> None:
    """A second run tries the same folder."""
    first = it.underway(1)
    second = it.command.start()
    it.n["refused"] += it.ended(second, 0, REFUSED) == REFUSED
    it.ended(first, 0)


def full(it: Round) -> None:
    """No file may grow beyond a limit, as on a disk without room."""
    process = it.command.start(file_bytes=it.rng.randint(6_000, 24_000))
    it.n["full"] += it.ended(process, 0, FULL) == FULL


def away(it: Round) -> None:
    """A plate's folder is gone for a while in mid-run."""
    entry = it.rng.choice(it.campaign.plates)
    hidden = entry.path.with_name(f"{entry.path.name}.away")
    process = it.underway(it.rng.randrange(1, 6))
    os.rename(entry.path, hidden)
    time.sleep(it.rng.uniform(0.2, 3))
    os.rename(hidden, entry.path)
    it.n["plates away"] += 1
    it.ended(process, 0)


def unreadable(it: Round) -> None:
    """A field's file is gone, or is a folder, for a whole run; later it is back. What
    cannot be a file of a plate is refused before anything is scored."""
    with _spoilt(it, it.rng.choice((_hide, _cover))):
        code = it.ended(it.command.start(), *GOOD, NOT_BEGUN)
        it.n["files unreadable"] += code != 0


def corrupted(it: Round) -> None:
    """A byte of a field's chunk is another one for a whole run; later it is back."""
    with _spoilt(it, _flip):
        it.n["chunks corrupted"] += it.ended(it.command.start(), *GOOD) != 0


def poisoned(it: Round) -> None:
    """A well ends its worker each time: it alone is set aside."""
    wells = it.left()
    values = {(p, w): _first_pixels(it.campaign, p, w) for p, w in wells}
    alone = [well for well in wells if _is_alone(values, well)]
    plate, well = it.rng.choice(alone)
    it.ended(it.command.start(poison=values[plate, well][0]), *GOOD)
    headers = Ledger(it.command.run).headers(plate)
    lost = [h["well"] for h in headers if "WORKER_KILLED" in h["codes"]]
    it.n["poisoned"] += 1
    if lost != [well]:
        it.wrong.append(f"poison in {plate}/{well}: {lost} set aside")


def nothing(it: Round) -> None:
    """Nobody disturbs the run."""
    it.ended(it.command.start(), 0)


Fault = Callable[[Round], None]
FAULTS: dict[str, Fault] = {
    "worker deaths": worker_deaths,
    "kill all": kill_all,
    "stop": stop,
    "refused": refused,
    "full": full,
    "away": away,
    "unreadable": unreadable,
    "corrupted": corrupted,
    "poisoned": poisoned,
    "nothing": nothing,
}


def _first_pixels(campaign: Campaign, plate: str, well: str) -> list[int]:
    store = campaign.open_plate(plate)
    at = Well.parse(well)
    return [int(read_field(store, at, f)[0, 0, 0]) for f in store.fields(at)]


def _is_alone(values: dict[tuple[str, str], list[int]], well: tuple[str, str]) -> bool:
    first = values[well][0]
    return not any(first in them for other, them in values.items() if other != well)


@contextmanager
def _spoilt(it: Round, spoil: Callable[[Path], Callable[[], None]]) -> Iterator[None]:
    """The file of one field of a well that is left, spoilt for as long."""
    plate, well = it.rng.choice(it.left())
    store = open_plate(next(e.path for e in it.campaign.plates if e.plate == plate))
    place = store.path / Well.parse(well).path / "0" / LEVEL / SHARD
    mend = spoil(place)
    try:
        yield
    finally:
        mend()


def _hide(path: Path) -> Callable[[], None]:
    hidden = path.with_name(f"{path.name}.away")
    os.rename(path, hidden)
    return lambda: os.replace(hidden, path)


def _cover(path: Path) -> Callable[[], None]:
    hidden = path.with_name(f"{path.name}.away")
    os.rename(path, hidden)
    path.mkdir()

    def mend() -> None:
        path.rmdir()
        os.rename(hidden, path)

    return mend


def _flip(path: Path) -> Callable[[], None]:
    bad = bytearray(path.read_bytes())
    bad[len(bad) // 3] ^= 0xFF
    hidden = path.with_name(f"{path.name}.away")
    os.rename(path, hidden)  # its other names keep the good bytes
    path.write_bytes(bad)
    return lambda: os.replace(hidden, path)
