"""Classes where no scale joins a healthy and a senescent vehicle: by score and cell number against the one vehicle there is."""

from screen.statistics.calls import Decision, Evidence, is_below
from screen.statistics.rules import CallRules

SAYS = {
    "toxic": "cells are lost",
    "proliferative": "more cells than in the vehicle",
    "inducer": "the cells look more senescent than the vehicle's, at a like number",
    "inducer_with_loss": "the cells that are left look more senescent, and many are lost",
    "younger": "the cells look less senescent than the vehicle's, at a like number",
}
_FEW = "so few cells are left that their look says nothing"
_LOST_TOO = "the cells look less senescent, but many are lost"
_SMALL = "significant, but smaller than what counts as an effect"
_NONE = "no effect beyond the spread of the vehicle"


def decide_one_vehicle(e: Evidence, rules: CallRules) -> Decision:
    """The class of a compound on one vehicle; a hit where it goes the way of `direction`.

    With a score: inducer, inducer_with_loss, younger or toxic; rescue is never said,
    for it needs both vehicles. With cell numbers alone: toxic or proliferative.
    """
    if e.effect is None and e.relative_count is None:
        return Decision("failed", False, "no well gave a usable measurement")
    if e.effect is None:
        return _by_count(e, rules)
    if _is_dead(e, rules):
        return Decision("toxic", False, _FEW)
    if is_below(e.q, rules.fdr):
        return _by_score(e, rules)
    return Decision("toxic", False, SAYS["toxic"]) if _loses(e, rules) else _inactive()


def _by_score(e: Evidence, rules: CallRules) -> Decision:
    effect = e.effect if e.effect is not None else 0.0
    loses = _loses(e, rules)
    if abs(effect) < rules.min_z:
        reason = SAYS["toxic"] if loses else _SMALL
        return Decision("toxic" if loses else "inactive", False, reason)
    more_senescent = (effect > 0) == (rules.direction == "higher")
    if more_senescent:
        name = "inducer_with_loss" if loses else "inducer"
    elif loses:
        return Decision("toxic", False, _LOST_TOO)
    else:
        name = "younger"
    return _wanted(name, effect > 0)


def _by_count(e: Evidence, rules: CallRules) -> Decision:
    if not is_below(e.q_count, rules.fdr) or e.relative_count is None:
        return _inactive()
    wanted = rules.direction == "higher"
    if e.relative_count < rules.min_relative_count:
        return _wanted("toxic", not wanted)
    if e.relative_count > rules.min_relative_gain:
        return _wanted("proliferative", wanted)
    return Decision("inactive", False, _SMALL)


def _wanted(name: str, is_hit: bool) -> Decision:
    return Decision(name, is_hit, SAYS[name], candidate=is_hit)


def _is_dead(e: Evidence, rules: CallRules) -> bool:
    known = e.relative_count is not None and is_below(e.q_count, rules.fdr)
    return known and is_below(e.relative_count, rules.dead_below)


def _loses(e: Evidence, rules: CallRules) -> bool:
    known = e.relative_count is not None and is_below(e.q_count, rules.fdr)
    return known and is_below(e.relative_count, rules.min_relative_count)


def _inactive() -> Decision:
    return Decision("inactive", False, _NONE)
