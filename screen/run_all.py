"""The verb run: score, call and report, one after the other."""

from screen import call, report, score
from screen.codes import USABLE
from screen.errors import Outcome, worst
from screen.settings import RunVerb


def run(settings: RunVerb) -> Outcome:
    """Do the three steps; stop after one that failed. Ends with the worst exit code."""
    outcomes: list[Outcome] = []
    for step in (score.run, call.run, report.run):
        outcomes.append(step(settings))
        if outcomes[-1].code not in USABLE:
            break
    code = worst(outcome.code for outcome in outcomes)
    text = "\n".join(outcome.message for outcome in outcomes)
    paths = dict.fromkeys(path for outcome in outcomes for path in outcome.paths)

    return Outcome(code, text, tuple(paths))
