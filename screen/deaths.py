"""What becomes of the wells of a block whose worker died, hung or ran out of memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from plates.store import open_plate
from plates.wells import Well
from screen.answers import check_roots, within
from screen.blocks import Block, WellDone, commit, done_of
from screen.events import Events
from screen.inputs import well_input
from screen.ledger import Ledger
from screen.records import Cells, WellRecord

MAX_DEATHS = 2


def is_last(block: Block) -> bool:
    """Whether a well gets no other attempt; this one is alone, in a fresh process."""
    return block.attempt > MAX_DEATHS


def after_death(
    block: Block, code: str = "WORKER_KILLED", **facts: object
) -> tuple[list[Block], list[WellDone]]:
    """What to do when the worker of ``block`` died: its uncommitted wells as blocks of
    one, or, after the last attempt of a well alone, its quarantine with ``code``. Also
    what is done. ``facts`` go into the event."""
    ledger, events = Ledger(block.run), Events(block.run)
    committed = [r for t in block.wells if (r := ledger.record(block.plate, t.well))]
    done = [done_of(record) for record in committed]
    wells = {record.well for record in committed}
    left = [task for task in block.wells if task.well not in wells]
    names = [task.well for task in left]
    told = {"plate": block.plate, "wells": names, "attempt": block.attempt, **facts}
    events.write("worker_died", **told)
    if len(block.wells) == 1 and is_last(block):
        return [], [*done, *(_lost(block, well, code) for well in names)]
    again = [replace(block, wells=(t,), attempt=block.attempt + 1) for t in left]
    return again, done


def _lost(block: Block, name: str, code: str) -> WellDone:
    record = unscored(block, name, "QUARANTINED", code)
    told = {"input": _source(block, name), "attempts": block.attempt}
    record = WellRecord({**record.header, **told}, record.cells)
    return commit(Ledger(block.run), Events(block.run), record)


def _source(block: Block, name: str) -> str:
    """What the well would be scored from, "" where its files give no answer; raises
    Refusal (MOUNT_GONE) where the plate gives none: then its wells are not to blame."""
    check_roots([block.path])
    well, light = Well.parse(name), block.illumination
    try:
        return within(
            lambda: well_input(open_plate(block.path), well, light, block.centres)
        )
    except TimeoutError:
        return ""


def unscored(block: Block, well: str, status: str, code: str) -> WellRecord:
    """The record of a well that got no scores, with the reason code."""
    header: dict[str, Any] = {
        "plate": block.plate,
        "well": well,
        "status": status,
        "codes": [code],
        "fingerprint": block.fingerprint,
        "networks": [],
        "n_fields_expected": 0,
        "fields": [],
        "profile": None,
        "embedding": {},
    }
    return WellRecord(header, Cells.empty())
