"""The verb simulate: a virtual screen or crop set with known truth, painted into a folder."""

import os
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from plates.synthetic import simulate_campaign
from plates.synthetic.crop_sets import (
    FILES,
    VirtualSet,
    simulate_ages,
    simulate_colours,
    simulate_donors,
)
from plates.synthetic.crop_sets.archive import TABLE
from screen.codes import CODES
from screen.errors import Outcome, Refusal, refusal
from screen.preflight import check_writable
from screen.progress import bar
from screen.settings import SimulateVerb

PAINTERS: dict[str, Callable[..., VirtualSet]] = {
    "donors": simulate_donors,
    "ages": simulate_ages,
    "colours": simulate_colours,
}
REMEDY = "remove it or give another out="


def run(settings: SimulateVerb) -> Outcome:
    """Paint what is asked for; refuses (3) a folder that holds a campaign or a crop set,
    or is not writable."""
    out = Path(settings.out).resolve()
    for mark, found in (("campaign.json", "a campaign"), (TABLE, "a crop set")):
        if (out / mark).exists():
            why, remedy = f"{found} is never painted over", REMEDY
            raise refusal("OUTPUT_EXISTS", out, f"{found} is there", why, remedy)
    check_writable(out)
    return _crop_set(settings) if settings.crop_set() else _screen(settings, out)


def _crop_set(settings: SimulateVerb) -> Outcome:
    folder, chosen = Path(settings.out), settings.crop_set()
    done = 0
    with bar("painting", 1, "crops") as advance:

        def show(n_done: int, n_total: int) -> None:
            nonlocal done
            advance(n_done - done, total=n_total)
            done = n_done

        made = PAINTERS[settings.kind](
            chosen, folder, seed=settings.seed, progress=show
        )
    best = made.facts.get("ceiling") or made.facts["floor"]["usual"]
    figures = ", ".join(f"{k} {v}" for k, v in best.items() if isinstance(v, float))
    text = (
        f"crop set {folder}: {made.n_pictures} {settings.kind} crops\n  best: {figures}"
    )

    return Outcome(0, text, tuple(folder / name for name in FILES))


def _screen(settings: SimulateVerb, out: Path) -> Outcome:
    screen = settings.screen()
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
