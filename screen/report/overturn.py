"""What would overturn a call: how far its numbers lie from the limits they were held
against, and what hangs on one plate alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from screen.report import wording

Row = Mapping[str, Any]


def overturn(row: Row, wells: Sequence[Row], rules: Row) -> list[str]:
    """Sentences on one compound; ``wells`` are its scored wells at the best dose, ``rules``
    the settings of the call. A limit that the call did not store is not spoken of."""
    if row["class"] == "failed":
        return [
            "Too few wells could be used: any well that is repeated may make a call."
        ]
    said = [
        *_false_discovery(row, rules),
        *_effect(row, rules),
        *_cell_number(row, rules),
        *_other_classes(row, rules),
        *_replicates(row, wells, rules),
        *_without_quality_control(row),
        *_one_plate(row, wells, rules),
    ]
    if row["flags"]:
        flags = ", ".join(wording.shown(f) for f in str(row["flags"]).split(";") if f)
        said.append(f"Flags to clear first: {flags}.")
    return said or ["No number of this call was stored beside its limit."]


def _false_discovery(row: Row, rules: Row) -> list[str]:
    q, fdr = row["q"], rules.get("fdr")
    if q is None or fdr is None:
        return []
    words = f"q {wording.probability(q)} against {fdr:g}"
    if q > fdr:
        return [f"The effect is not told from chance ({words})."]
    if q > fdr / 5:
        times = wording.number(fdr / q, 1)
        return [
            f"The false-discovery limit is near ({words}): {times} times more loses it."
        ]
    return [f"Chance hardly explains it ({words})."]


def _effect(row: Row, rules: Row) -> list[str]:
    if row["rescue"] is None:
        return _robust_z(row, rules)
    said, value, limit = list[str](), row["rescue"], rules.get("min_effect")
    if limit is not None:
        side = "above" if value >= limit else "below"
        gap = wording.number(abs(value - limit))
        said.append(
            f"Rescue {wording.number(value)} lies {gap} {side} the least of a hit"
            f" ({limit:g})."
        )
    low, high = row["rescue_low"], row["rescue_high"]
    if low is None or high is None:
        return said
    ends = wording.interval(low, high)
    if low <= 0 <= high:
        said.append(f"Its interval ({ends}) holds 0: no effect at all is possible.")
    elif limit is not None and low < limit <= value:
        said.append(
            f"Its interval ({ends}) reaches below {limit:g}: a repeat may fall short."
        )
    return said


def _robust_z(row: Row, rules: Row) -> list[str]:
    value, limit = row["robust_z"], rules.get("min_z")
    if value is None or limit is None:
        return []
    side = "above" if value >= limit else "below"
    return [
        f"Robust z {wording.number(value, 1)} lies {side} the least of a hit ({limit:g});"
        " there is no rescue scale to hold it against."
    ]


def _cell_number(row: Row, rules: Row) -> list[str]:
    count, least = row["relative_count"], rules.get("min_relative_count")
    if count is None or least is None:
        return []
    now = f"{100 * count:.0f} % of the vehicle's cells"
    if count < least:
        return [
            f"{now}, under the gate of {100 * least:.0f} %: cell loss rules rescue out."
        ]
    if count < least + 0.15:
        lost = 100 * (count - least)
        return [
            f"{now}: {lost:.0f} points fewer and the toxicity gate"
            f" ({100 * least:.0f} %) closes."
        ]
    return []


def _other_classes(row: Row, rules: Row) -> list[str]:
    said = list[str]()
    lead, margin = row.get("lead"), rules.get("margin_min")
    if lead is not None and margin is not None and lead < 3 * margin:
        said.append(
            f"The next class is close: a lead of {wording.number(lead, 1)} where"
            f" {margin:g} is asked for."
        )
    limits = (
        ("off_axis_z", "off_axis_max", "farther from the healthy-senescent axis"),
        ("background_z", "background_z_max", "brighter in the background"),
        ("channel_z", "background_z_max", "brighter in a channel"),
    )
    for column, setting, words in limits:
        value, limit = row.get(column), rules.get(setting)
        if value is not None and limit is not None and value > limit / 2:
            side = "over" if value > limit else "under"
            said.append(
                f"It is {words} than most vehicle wells (z {wording.number(value, 1)},"
                f" {side} the limit of {limit:g})."
            )
    return said


def _replicates(row: Row, wells: Sequence[Row], rules: Row) -> list[str]:
    least, n = rules.get("min_replicates"), len(wells)
    if least is not None and n <= least:
        wells_word = wording.count(n, "usable well")
        return [
            f"{wells_word.capitalize()} at the best dose where {least} are asked for:"
            " one well lost decides."
        ]
    return []


def _without_quality_control(row: Row) -> list[str]:
    other = row.get("without_qc_class")
    if other is None:
        return []
    is_hit = bool(row["without_qc_is_hit"])
    if (other, is_hit) == (row["class"], bool(row["is_hit"])):
        return []
    label = wording.label(wording.CLASSES, other).lower()
    return [
        "With every well that quality control removed put back it would be"
        f" {label}, {'a hit' if is_hit else 'no hit'}."
    ]


def _one_plate(row: Row, wells: Sequence[Row], rules: Row) -> list[str]:
    """Medians of the effect with each plate left out in turn."""
    column = "robust_z" if row["rescue"] is None else "rescue"
    limit = rules.get("min_z" if column == "robust_z" else "min_effect")
    found = [(str(w["plate"]), w[column]) for w in wells if w[column] is not None]
    plates = list(dict.fromkeys(p for p, _ in found))
    if not found:
        return []
    if len(plates) == 1:
        return [
            f"All wells at the best dose lie on one plate ({wording.shown(plates[0])})."
        ]
    word = "robust z" if column == "robust_z" else "rescue"
    left = {p: median(v for q, v in found if q != p) for p in plates}
    low, high = min(left.values()), max(left.values())
    spread = wording.interval(low, high)
    if limit is not None and row["is_hit"] and low < limit:
        worst = wording.shown(min(left, key=lambda p: left[p]))
        return [
            f"It hangs on one plate: without {worst} the median {word} is"
            f" {wording.number(low)}, under {limit:g}."
        ]
    return [f"With any one plate left out the median {word} stays within {spread}."]
