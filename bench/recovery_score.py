"""Scoring a tiny campaign in this very process, its storage calls ruled by a policy."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from plates.campaign import Campaign
from plates.store import open_plate
from screen.compose import settings_of
from screen.errors import Outcome
from screen.score import score_campaign
from tests.storage_shim import CHANGES, Call, Log, Policy, storage
from tests.tiny_screen import NumpySource, make_model


def score_here(
    root: Path, runs: Path, policy: Policy | None = None
) -> tuple[Outcome, list[Call]]:
    """Score with the numpy scorer; the outcome, and the calls below the run's folder
    and the campaign's unless another policy rules them."""
    log = Log()
    words = [f"campaign={root}", "model=none", f"runs={runs}", "cluster=inline"]
    settings = settings_of("score", [*words, "quarantine.retry=true"])
    with storage(runs.parent, log if policy is None else policy):
        campaign = Campaign.open(root)
        plates = tuple(open_plate(entry.path) for entry in campaign.plates)
        model = make_model(campaign)
        outcome = score_campaign(settings, campaign, plates, model, NumpySource())
    return outcome, log.calls


def changes_of(calls: list[Call]) -> list[Call]:
    """The calls that change what is stored."""
    return [call for call in calls if call.name in CHANGES]


def started(run: Path) -> list[str]:
    """The wells of a single plate whose scoring began, in order; torn lines are none."""
    path = run / "events.jsonl"
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        with contextlib.suppress(json.JSONDecodeError):
            event = json.loads(line)
            if event["event"] == "well_started":
                found.append(event["well"])
    return found


def is_as(path: Path, data: bytes) -> bool:
    """Whether a file is there and holds these bytes."""
    return path.is_file() and path.read_bytes() == data
