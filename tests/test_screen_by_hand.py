"""Decisions by hand: masked wells, approved and rejected compounds, and what is picked."""

from pathlib import Path

import polars as pl
import pytest

from plates.hand_tables import read_exclusions, read_verdicts
from plates.problems import InputError
from screen.by_hand import judged_by_hand, masked
from screen.picks import pick_list

MAP = pl.DataFrame(
    {"plate": ["P1", "P1", "P2"], "well": ["A01", "A02", "A01"], "excluded": [None, "bubble", None]},
    schema_overrides={"excluded": pl.String},
)  # fmt: skip
COMPOUNDS = pl.DataFrame(
    {
        "rank": [1, 2, 3],
        "compound": ["a", "b", "c"],
        "line": [None, None, None],
        "time_h": [None, None, None],
        "class": ["rescue", "rescue", "inactive"],
        "is_hit": [True, True, False],
        "best_concentration_um": [1.0, 3.0, None],
    },
    schema_overrides={"line": pl.String, "time_h": pl.Float64},
)


def file(folder: Path, text: str) -> str:
    """A table written by a person."""
    path = folder / "hand.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_masked_well_says_why_by_whom_and_when(tmp_path: Path) -> None:
    text = "plate,well,reason,who,when\nP1,a1,dust,Ada,2026-11-20\n"
    found = masked(MAP, file(tmp_path, text))

    assert found["excluded"].to_list() == ["dust (Ada, 2026-11-20)", "bubble", None]
    assert masked(MAP, "").equals(MAP)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plate,well,reason,who\nP1,A01,x,y\n", "no column when"),
        ("plate,well,reason,who,when\nP9,A01,x,y,2026-01-01\n", "no well 'A01' on a plate 'P9'"),
        ("plate,well,reason,who,when\nP1,A01,,y,2026-01-01\n", "no reason"),
        ("plate,well,reason,who,when\nP1,A01,x,,2026-01-01\n", "no who"),
        ("plate,well,reason,who,when\nP1,A01,x,y,soon\n", "when 'soon'"),
        ("plate,well,reason,who,when\nP1,A01,x,y,2026-01-01\nP1,A1,x,y,2026-01-01\n", "P1/A01 2 times"),
    ],
)  # fmt: skip
def test_a_mask_that_does_not_fit_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InputError, match="HAND_TABLE_INVALID") as error:
        read_exclusions(Path(file(tmp_path, text)), MAP)

    assert said in str(error.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("d,approved,x,y,2026-01-01,", "no compound 'd'"),
        ("a,maybe,x,y,2026-01-01,", "verdict 'maybe'"),
        ("a,approved,x,y,2026-01-01,famous", "stage 'famous'"),
        ("a,approved,x,y,2026-01-01,\na,rejected,x,y,2026-01-01,", "a 2 times"),
    ],
)
def test_a_verdict_that_does_not_fit_is_refused(
    tmp_path: Path, line: str, said: str
) -> None:
    text = f"compound,verdict,reason,who,when,stage\n{line}\n"
    with pytest.raises(InputError, match="HAND_TABLE_INVALID") as error:
        read_verdicts(Path(file(tmp_path, text)), ["a", "b", "c"])

    assert said in str(error.value)


def test_verdicts_pick_and_keep_the_statistics(tmp_path: Path) -> None:
    text = (
        "compound,verdict,reason,who,when,stage\n"
        "a,rejected,known dye,Ada,2026-11-20,\n"
        "c,approved,literature,Bo,2026-11-21,confirmed\n"
    )
    found = judged_by_hand(COMPOUNDS, file(tmp_path, text))

    assert found["is_hit"].to_list() == COMPOUNDS["is_hit"].to_list()
    assert found["is_picked"].to_list() == [False, True, True]
    assert found["stage"].to_list() == ["", "primary", "confirmed"]
    assert found["by_hand"].to_list() == ["rejected", "", "approved"]
    assert found["by_hand_reason"][2] == "literature (Bo, 2026-11-21)"


def test_without_verdicts_the_hits_are_picked() -> None:
    found = judged_by_hand(COMPOUNDS, "")

    assert found["is_picked"].to_list() == found["is_hit"].to_list()


def test_picks_come_from_the_library_or_else_from_the_assay() -> None:
    wells = pl.DataFrame(
        [
            ("a", 1.0, "P1", "B02", "L7", "C03"),
            ("a", 1.0, "P2", "B02", "L7", "C03"),
            ("b", 1.0, "P1", "B03", None, None),
            ("b", 3.0, "P1", "B04", None, None),
            ("c", 1.0, "P1", "B05", None, None),
        ],
        schema=["compound", "concentration_um", "plate", "well", "source_plate", "source_well"],
        orient="row",
    ).with_columns(
        role=pl.lit("treatment"),
        line=pl.lit(None, dtype=pl.String),
        time_h=pl.lit(None, dtype=pl.Float64),
    )  # fmt: skip
    picks = pick_list(judged_by_hand(COMPOUNDS, ""), wells)

    assert picks.select("compound", "source_plate", "source_well", "source").rows() == [
        ("a", "L7", "C03", "library"),
        ("b", "P1", "B04", "assay"),
    ]
