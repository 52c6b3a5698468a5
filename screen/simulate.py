"""The verb simulate: a virtual drug screen with known truth, painted into a folder."""

import os
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from plates.synthetic import simulate_campaign
from screen.codes import CODES
from screen.errors import Outcome, Refusal, refusal
from screen.preflight import check_writable
from screen.progress import bar
from screen.settings import SimulateVerb


def run(settings: SimulateVerb) -> Outcome:
    """Paint the screen; refuses (3) a folder that holds a campaign or is not writable."""
    out, screen = Path(settings.out).resolve(), settings.screen()
    if (out / "campaign.json").exists():
        why, remedy = (
            "a campaign is never painted over",
            "remove it or give another out=",
        )
        raise refusal("OUTPUT_EXISTS", out, "a campaign is there", why, remedy)
    check_writable(out)
    n_workers = settings.workers or len(os.sched_getaffinity(0))
    done = 0
    with bar("painting", screen.n_plates * screen.n_wells, "wells") as advance:

        def show(n_done: int, n_total: int) -> None:
            nonlocal done
            advance(n_done - done, total=n_total)
            done = n_done

        try:
            campaign = simulate_campaign(
                screen, out, seed=settings.seed, n_workers=n_workers, progress=show
            )
        except BrokenProcessPool:
            raise _killed(out) from None
    text = f"campaign {campaign.name}: {len(campaign.plates)} plates of {screen.n_wells} wells"

    return Outcome(0, text, (Path(settings.out),))


def _killed(out: Path) -> Refusal:
    found = "a painting process was killed, for want of memory as a rule"
    remedy = "free memory or give fewer workers=, then run the same command again"
    return refusal("WORKERS_GONE", out, found, CODES["WORKERS_GONE"].meaning, remedy)
