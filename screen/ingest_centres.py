"""Cell centres of another program, taken into the campaign beside the plates."""

import json
from pathlib import Path

from plates.campaign import Campaign
from plates.centre_tables import read_centres
from plates.given_centres import write_centres
from plates.problems import InputError, Problem
from plates.store import Plate, open_plate
from screen.ingest_plan import Plan


def take_centres(plan: Plan, campaign: Campaign) -> list[Problem]:
    """Keep the centres of every plate that is there, or say why there are none."""
    settings = plan.settings
    if not settings.centres:
        return []
    plates = [open_plate(entry.path) for entry in campaign.plates]
    try:
        table = read_centres(
            Path(settings.centres),
            plates,
            pattern=settings.centres_pattern,
            field_names={plate.plate: _field_names(plate) for plate in plates},
        )
    except InputError as error:
        return list(error.problems)
    write_centres(campaign.root, table)
    plan.warnings += table.warnings

    return []


def _field_names(plate: Plate) -> list[str]:
    """What the plate's fields were called in its source, in their order."""
    notes = json.loads((plate.path / "ingest.json").read_bytes())

    return [str(name) for name in notes.get("field_names", [])]
