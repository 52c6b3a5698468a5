"""The verb compare: trained models in one table, the best first."""

from __future__ import annotations

from pathlib import Path

from screen.errors import Outcome
from screen.settings import CompareVerb
from screen.sweeps.leaderboard import leaderboard, shown, write_leaderboard
from screen.sweeps.trained import find_trainings


def run(settings: CompareVerb) -> Outcome:
    """Show the leaderboard of the trainings in some folders, and write it where asked.

    Raises InputError when a folder holds none or they cannot stand in one order.
    """
    table = leaderboard(find_trainings([Path(folder) for folder in settings.runs]))
    paths = (write_leaderboard(table, Path(settings.out)),) if settings.out else ()
    return Outcome(0, shown(table), paths)
