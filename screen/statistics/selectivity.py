"""How much harder senescent cells are hit than others: the window between their two losses."""

import math
from dataclasses import dataclass

from screen.statistics.decision import Shares

EDGE = 1e-3  # shares this close to 0 or 1 say no more than that


@dataclass(frozen=True)
class Window:
    """log2 of (other cells kept / senescent cells kept) with its interval; 0 is no choice,
    1 is half as many senescent ones kept. `reason` says why there is none."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""


def selectivity(
    low: float | None, effect: float | None, high: float | None, shares: Shares
) -> Window:
    """The window at a rescue and the ends of its interval.

    N_non / N_sen relative to the vehicle is the odds of being other over the same odds
    in the vehicle, and falls out of the share alone: the cell number cancels. As the
    share runs down while rescue runs up, the interval's ends map to its ends.
    """
    if 1 - shares.stressed < 0.1:
        # Nearly all cells are senescent: what happens to the others is not seen.
        return Window(None, None, None, "SELECTIVITY_UNKNOWN")
    if effect is None or low is None or high is None:
        return Window(None, None, None, "")
    value, least, most = (_log_odds_ratio(r, shares) for r in (effect, low, high))
    return Window(value, least, most)


def _log_odds_ratio(rescue: float, shares: Shares) -> float:
    share = shares.stressed - rescue * shares.window
    share = min(max(share, EDGE), 1 - EDGE)
    vehicle = shares.stressed
    return math.log2((1 - share) / share) - math.log2((1 - vehicle) / vehicle)
