"""How the numbers were made, in words for the reader of the page."""

from __future__ import annotations

from screen.report import wording
from screen.report.tables import RunTables

_UNKNOWN = "not recorded by the call"


def plate_limit(tables: RunTables) -> str:
    """The rule of the plate verdict with the limit the call used."""
    limit = tables.call.get("settings", {}).get("z_prime_min")
    below = f"below {limit:g}" if isinstance(limit, float) else "below the limit"
    return (
        "A plate passes when the lower bound of Z′ reaches 0 and fails when the whole "
        f"interval lies {below}; else it is undecided and its hits are flagged."
    )


def definitions(tables: RunTables) -> list[tuple[str, str]]:
    """Term and meaning of everything the page shows."""
    call = tables.call
    told = ("unit", "family", "adjustment")
    facts = {key: wording.sentence(call.get(key, _UNKNOWN)) for key in told}
    facts["size"] = wording.number(call.get("family_size"), 0)
    facts["limit"] = plate_limit(tables)
    return [(term, meaning.format(**facts)) for term, meaning in _TERMS]


_TERMS = [
    (
        "Senescence score",
        "Mean over the well's cells of the network's probability that the cell is "
        "senescent, 0 to 1. No well is scored by a network that learnt from it.",
    ),
    (
        "Rescue",
        "(S − x) / (S − H): x is the well's score, S and H the medians of the stressed "
        "and the healthy vehicle wells of the same plate. 0 is the stressed vehicle, "
        "1 is healthy.",
    ),
    ("Robust z", "(x − median) / (1.4826 × median absolute deviation)."),
    (
        "Z′",
        "1 − 3 (s₁ + s₂) / |m₁ − m₂| over the two vehicle groups of a plate (mean and "
        "sd; Zhang, Chung and Oldenburg 1999). At 0.5 and above single wells can be "
        "trusted; at 0 the groups touch and only replicates help.",
    ),
    (
        "Robust Z′",
        "Z′ with median and 1.4826 × median absolute deviation; none below 8 wells a "
        "side.",
    ),
    (
        "SSMD",
        "(m₁ − m₂) / √(s₁² + s₂²), method of moments, healthy minus stressed on the "
        "rescue scale (Zhang 2007).",
    ),
    ("Plate verdict", "{limit}"),
    (
        "q",
        "Adjusted p ({adjustment}). Tested unit: {unit}. Family: {family}, {size} in "
        "all. Among calls with q up to 0.05, about 1 in 20 is expected to be false.",
    ),
    (
        "Senescent and young cells",
        "Numbers of each kind relative to the plate's stressed vehicle: r·f and "
        "r·(1 − f), with r the relative cell number and f the senescent share. A rescue "
        "needs fewer senescent and more young cells, so dying wells never rank.",
    ),
]


def notes(tables: RunTables) -> list[str]:
    """The call's caveats: scale, position, identifiability and the like."""
    found = tables.call.get("notes", [])
    return [wording.sentence(n) for n in found] if isinstance(found, list) else []
