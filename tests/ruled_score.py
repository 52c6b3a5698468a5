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
from tests.storage_shim import Policy, storage
from tests.tiny_screen import NumpySource, make_model


def score_here(
    root: Path, runs: Path, policy: Policy, *, ruled: Path | None = None
) -> Outcome:
    """Score with the numpy scorer; the policy rules all calls below ``ruled``, which is
    the folder around the runs (and the campaign's, where it lies there) unless given."""
    words = [f"campaign={root}", "model=none", f"runs={runs}", "cluster=inline"]
    settings = settings_of("score", [*words, "quarantine.retry=true"])
    with storage(runs.parent if ruled is None else ruled, policy):
        campaign = Campaign.open(root)
        plates = tuple(open_plate(entry.path) for entry in campaign.plates)
        model = make_model(campaign)
        return score_campaign(settings, campaign, plates, model, NumpySource())


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
