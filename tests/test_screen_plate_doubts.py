"""What the message says of plates in doubt, and what ends a call as partial."""

from dataclasses import replace
from functools import cache

import polars as pl
import pytest

from screen.call import call_tables
from screen.called_tables import CallTables, exit_code, plate_words
from screen.codes import ExitCode
from screen.plate_doubts import doubt_words, plate_doubts
from screen.statistics.rules import CallRules
from tests.score_tables import Screen, draw

RULES = CallRules()


@cache
def called() -> CallTables:
    """A virtual screen of two good plates."""
    return call_tables(*draw(Screen(seed=0))[:2], None, RULES)


def with_values(plate: int, **values: object) -> pl.DataFrame:
    """The plate table with some columns of one plate replaced."""
    table = called().plates.with_row_index("i")
    return table.with_columns(
        pl.when(pl.col("i") == plate).then(pl.lit(v)).otherwise(k).alias(k)
        for k, v in values.items()
    ).drop("i")


def test_good_plates_say_nothing() -> None:
    quiet = called().plates.with_columns(
        *(pl.lit(0.5).alias(f"{e}_p") for e in ("edge", "row", "column", "gradient"))
    )

    assert plate_doubts(quiet) == ()
    assert doubt_words(()) == []


@pytest.mark.parametrize(
    ("values", "kind", "word"),
    [
        ({"flags": "VEHICLE_EMPTY"}, "VEHICLE_EMPTY", "VEHICLE_EMPTY"),
        ({"drift": "z_prime: nelson_1"}, "drift", "z_prime: nelson_1"),
        ({"edge_p": 0.002, "edge_share": 0.31}, "edge effect", "0.31 of the window"),
        ({"gradient_p": 0.002, "gradient_share": None}, "gradient", "p 0.002"),
        ({"verdict": "fail", "reason": "PLATE_NORM_IMPOSSIBLE"}, "PLATE_NORM_IMPOSSIBLE", ""),
        ({"verdict": "fail", "reason": "PLATE_SWAP_SUSPECT: fits P2"}, "PLATE_SWAP_SUSPECT", "fits P2"),
        ({"verdict": "fail", "reason": "Z' -1.00"}, "failed", "Z' -1.00"),
    ],
)  # fmt: skip
def test_each_doubt_is_told_of_its_plate(
    values: dict[str, object], kind: str, word: str
) -> None:
    effects = ("edge", "row", "column", "gradient")
    quiet: dict[str, object] = {f"{e}_p": 0.9 for e in effects}
    doubts = plate_doubts(with_values(1, **(quiet | values)))
    own = [d for d in doubts if d.plate == called().plates["plate"][1]]

    assert [d.kind for d in own] == [kind]
    assert word in own[0].words


def test_a_sure_effect_of_no_size_is_no_doubt() -> None:
    table = with_values(0, edge_p=0.002, edge_share=0.01)

    assert "edge effect" not in {d.kind for d in plate_doubts(table, 0.1)}


def test_the_line_names_three_plates_and_counts_the_rest() -> None:
    one = called().plates.head(1).with_columns(flags=pl.lit("VEHICLE_EMPTY"))
    five = pl.concat([one.with_columns(plate=pl.lit(f"P{i}")) for i in range(5)])
    line = doubt_words([d for d in plate_doubts(five) if d.kind == "VEHICLE_EMPTY"])

    assert line == ["plates in doubt: VEHICLE_EMPTY (P0, P1, P2 and 2 more)"]


def test_the_message_of_a_call_holds_the_line() -> None:
    tables = replace(called(), plates=with_values(0, flags="VEHICLE_EMPTY"))
    plate = called().plates["plate"][0]

    assert f"VEHICLE_EMPTY ({plate}" in plate_words(tables)[0]


@pytest.mark.parametrize(
    ("values", "codes", "code"),
    [
        ({}, (), ExitCode.COMPLETE),
        ({"verdict": "fail", "reason": "Z' -1.00 (-2 to 0)"}, (), ExitCode.COMPLETE),
        ({"verdict": "fail", "reason": "MAP_ORIENTATION_SUSPECT: turned"}, (), ExitCode.COMPLETE),
        ({"reason": "NO_HEALTHY_SCALE"}, (), ExitCode.COMPLETE),
        ({"verdict": "fail", "reason": "PLATE_NORM_IMPOSSIBLE"}, (), ExitCode.PARTIAL),
        ({"n_quarantined": 1}, (), ExitCode.PARTIAL),
        ({"n_not_scored": 1}, (), ExitCode.PARTIAL),
        ({}, ("MAP_PADDED", "PLATE_NOT_IMAGED"), ExitCode.PARTIAL),
        ({}, ("MAP_PADDED",), ExitCode.COMPLETE),
    ],
)  # fmt: skip
def test_E05_the_exit_code_is_that_of_the_catalogue(
    values: dict[str, object], codes: tuple[str, ...], code: ExitCode
) -> None:
    clean = {"n_quarantined": 0, "n_not_scored": 0}
    plates = pl.concat(
        [with_values(i, **clean)[i : i + 1] for i in range(called().plates.height)]
    )
    table = plates.with_row_index("i").with_columns(
        pl.when(pl.col("i") == 0).then(pl.lit(v)).otherwise(k).alias(k)
        for k, v in values.items()
    )

    assert exit_code(table, codes) == code
