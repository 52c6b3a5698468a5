"""The class and call that follow from what is known of one compound, and the reason in plain words."""

from screen.statistics.calls import Decision as Decision
from screen.statistics.calls import Evidence as Evidence
from screen.statistics.calls import is_below
from screen.statistics.decision import Verdict
from screen.statistics.one_vehicle import decide_one_vehicle
from screen.statistics.rules import CallRules

LOSS = ("toxic", "senolytic", "cytostatic")


def _active(e: Evidence, rules: CallRules) -> bool:
    return (
        is_below(e.q, rules.fdr)
        or is_below(e.q_count, rules.fdr)
        or _is_off_axis(e, rules)
    )


def _is_odd(e: Evidence, rules: CallRules) -> bool:
    return (e.off_axis_z or 0.0) > rules.off_axis_max


def _is_off_axis(e: Evidence, rules: CallRules) -> bool:
    """Far from the axis, and surely so where the screen can tell how sure that is."""
    unknown = e.off_axis_q is None
    return _is_odd(e, rules) and (unknown or is_below(e.off_axis_q, rules.fdr))


def _loses_cells(e: Evidence, rules: CallRules) -> bool:
    return (
        e.relative_count is not None
        and e.relative_count < rules.min_relative_count
        and is_below(e.q_count, rules.fdr)
    )


def decide(e: Evidence, rules: CallRules) -> Decision:
    """The joint decision: artefacts, dead wells and odd looks first, then the nearest class, rescue only with a lead."""
    if e.dead == "dead":
        return Decision("toxic", False, "no living cells left in any replicate")
    if e.artefact:
        return Decision("artefact", False, e.artefact)
    if e.dead == "failed":
        return Decision("failed", False, "no well gave a usable measurement")
    if not e.on_rescue_scale:
        return decide_one_vehicle(e, rules)
    if e.effect is None:
        return _without_score(e, rules)
    if not _active(e, rules):
        return Decision("inactive", False, "no effect beyond the spread of the vehicle")
    verdict = e.verdict
    if verdict is None:
        return Decision("undecided", False, "the cell number is unknown")
    if _is_off_axis(e, rules):
        if verdict.nearest in LOSS and _loses_cells(e, rules):
            return _named(e, verdict, rules)
        why = "the cells look like neither healthy nor senescent ones"
        return Decision("other", False, why)
    if verdict.misfit_p < rules.misfit_p_min and not _loses_cells(e, rules):
        why = "no class explains both cell number and score"
        return Decision("undecided", False, why)
    if verdict.nearest == "rescue":
        return _rescue(e, verdict, rules)
    if verdict.runner_up == "rescue" and verdict.lead < rules.margin_min:
        why = f"{verdict.nearest} or rescue: cell number and score fit both"
        return Decision("undecided", False, why)
    return _named(e, verdict, rules)


def _named(e: Evidence, verdict: Verdict, rules: CallRules) -> Decision:
    """The nearest class; one that spares no other cells is toxic, not senolytic."""
    name = verdict.nearest
    if name == "senolytic" and is_below(e.n_non, rules.min_other_kept):
        name = "toxic"
    return Decision(name, False, _LOOKS[name])


def _without_score(e: Evidence, rules: CallRules) -> Decision:
    if _loses_cells(e, rules):
        return Decision("toxic", False, "cells are lost; none gave a usable score")
    return Decision("failed", False, "no well gave a usable score")


def _rescue(e: Evidence, verdict: Verdict, rules: CallRules) -> Decision:
    doubts = [
        (_is_odd(e, rules), "the look is odd, though not significantly so"),
        (e.light != "", f"{e.light}: the score may be the compound's own light"),
        (not is_below(e.q, rules.fdr), "the rescue itself is not significant"),
        (
            e.relative_count is None or e.relative_count < rules.min_relative_count,
            "too few cells for a rescue",
        ),
        (
            verdict.lead < rules.margin_min,
            f"rescue or {verdict.runner_up}: cell number and score fit both",
        ),
        (
            e.n_used < min(rules.min_replicates, e.n_planned),
            f"only {e.n_used} of {e.n_planned} wells could be used",
        ),
    ]
    for doubtful, why in doubts:
        if doubtful:
            return Decision("undecided", False, why)
    short = [
        (
            e.effect is None or e.effect < rules.min_effect,
            f"below the least effect of {rules.min_effect:g}",
        ),
        (e.low is None or e.low <= 0, "its interval reaches 0"),
        (
            e.failed_plates and not rules.keep_failed_plates,
            "all its plates failed quality",
        ),
    ]
    for falls_short, why in short:
        if falls_short:
            return Decision("rescue", False, f"{_LOOKS['rescue']}, but {why}")
    return Decision("rescue", True, _LOOKS["rescue"], candidate=True)


def confirm(decision: Decision, q_rescue: float | None, rules: CallRules) -> Decision:
    """Keep a candidate as hit only at a q among candidates; strong effects of other kinds buy it no room."""
    if not decision.candidate or is_below(q_rescue, rules.fdr):
        return decision
    among = "rescues" if decision.name == "rescue" else "effects of its direction"
    why = f"{decision.reason}, but not significant among {among} (q {q_rescue:.2g})"
    name = "undecided" if decision.name == "rescue" else decision.name
    return Decision(name, False, why)


_LOOKS = {
    "rescue": "senescent cells become fewer and other cells more by about as much",
    "senolytic": "senescent cells are lost and other cells stay",
    "dilution": "senescent cells stay and other cells multiply",
    "toxic": "senescent and other cells are both lost",
    "cytostatic": "senescent cells stay and other cells are fewer",
    "inducer": "senescent cells become more at an equal cell number",
}


def why_text(e: Evidence, decision: Decision) -> str:
    """The call in plain words with the numbers behind it."""
    parts = [decision.reason]
    if e.effect is not None:
        scale = "rescue" if e.on_rescue_scale else "robust z"
        text = f"{scale} {e.effect:.2f}"
        if e.low is not None and e.high is not None:
            text += f" ({e.low:.2f} to {e.high:.2f})"
        if e.concentration_um is not None:
            text += f" at {e.concentration_um:g} uM"
        text += f" in {e.n_used} of {e.n_planned} wells"
        parts.append(text + (f", q {e.q:.2g}" if e.q is not None else ""))
    if e.relative_count is not None:
        parts.append(f"{100 * e.relative_count:.0f} % of the vehicle's cells")
    if e.n_sen is not None and e.n_non is not None:
        parts.append(f"senescent x{e.n_sen:.2f}, other x{e.n_non:.2f}")
    return "; ".join(parts)
