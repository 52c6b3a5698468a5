"""The verb train: networks that learn from control wells or from labelled crops."""

from __future__ import annotations

import time
from pathlib import Path

from screen.errors import Outcome
from screen.fit_plans import check_network, check_source
from screen.settings import TrainVerb
from screen.sweeps.trained import OnJudged, ignore, write_training


def run(settings: TrainVerb, on_judged: OnJudged = ignore) -> Outcome:
    """Train, judge on groups never seen, and write the model and what it was.

    ``on_judged`` is told the measure so far after each fold, and may raise to stop.
    Raises InputError before any compute when the data do not allow it.
    """
    from screen.devices import device_for, precision_note

    check_source(settings)
    device = device_for(settings.device)
    check_network(settings)
    begun = time.perf_counter()
    if settings.crops:
        from screen.train_crops import run_crops

        taught = run_crops(settings, on_judged)
    else:
        from screen.train_wells import run_wells

        taught = run_wells(settings, on_judged)
    seconds = time.perf_counter() - begun
    write_training(Path(taught.paths[0]).parent, settings, taught, seconds=seconds)
    note = precision_note(settings.fit.precision, device)
    words = f"{taught.words}\n  taught on {device}" + (f"; {note}" if note else "")
    return Outcome(0, words, taught.paths)
