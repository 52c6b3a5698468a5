"""Hits over several ways to call them: shares, ranges of rank, and the choice that flips."""

import polars as pl

from screen.sweeps.stability import Pipeline, stability, varied


def pipeline(fdr: str, effect: str, hits: str) -> Pipeline:
    """A way to call with these hits among compounds a to d."""
    names = list("abcd")
    frame = pl.DataFrame(
        {
            "compound": names,
            "line": [None] * 4,
            "time_h": [None] * 4,
            "class": ["rescue" if n in hits else "inactive" for n in names],
            "is_hit": [n in hits for n in names],
            "rank": [1, 2, 3, 4],
        },
        schema_overrides={"line": pl.String, "time_h": pl.Float64},
    )
    settings = {"decision.fdr": fdr, "decision.min_effect": effect, "merge": "False"}
    return Pipeline(settings, frame)


WAYS = [
    pipeline("0.05", "0.2", "ab"),
    pipeline("0.1", "0.2", "abc"),
    pipeline("0.05", "0.3", "a"),
    pipeline("0.1", "0.3", "a"),
]


def test_shares_and_flips_by_hand() -> None:
    table = stability(WAYS)

    assert table.select("compound", "hit_share", "flips").rows() == [
        ("a", 1.0, ""),
        ("b", 0.5, "decision.min_effect"),
        ("c", 0.25, "decision.fdr;decision.min_effect"),
        ("d", 0.0, ""),
    ]
    assert table["classes"].to_list() == [
        "rescue",
        "inactive;rescue",
        "inactive;rescue",
        "inactive",
    ]


def test_the_order_of_the_ways_changes_nothing_but_the_order_of_keys() -> None:
    one, two = stability(WAYS), stability(WAYS[::-1])

    assert one.drop("flips").equals(two.drop("flips"))
    assert [set(f.split(";")) for f in one["flips"]] == [
        set(f.split(";")) for f in two["flips"]
    ]


def test_only_keys_that_differ_are_named() -> None:
    assert varied(WAYS) == ["decision.fdr", "decision.min_effect"]
