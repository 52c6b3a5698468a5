"""Read-outs of other programs: what is read, and every problem with its line."""

from pathlib import Path

import polars as pl
import pytest

from plates.problems import InputError
from plates.readouts import Readouts
from plates.wells import PlateFormat

TABLE = """Barcode;Well_Name;sen_score;std;Cell No;number_sen
P2;B1;-0.5;0.2;100;10
P1;a2;;;0;0
P1;A10;1.5e-1;0.1;7;7
P1;A01;nan;NA;;
"""
COLUMNS = {"value": "sen_score", "cells": "Cell No"}


def written(folder: Path, text: str, name: str = "table.csv") -> Path:
    """A text file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, **columns: str) -> list[str]:
    """What is said of a table that is refused."""
    with pytest.raises(InputError) as error:
        Readouts.read(written(folder, text), columns)
    return [str(problem) for problem in error.value.problems]


def test_a_table_is_read_by_its_headers_and_ordered_by_place(tmp_path: Path) -> None:
    table = Readouts.read(written(tmp_path, TABLE), COLUMNS)

    assert table.frame.rows() == [
        ("P1", "A01", None, None, None, None),
        ("P1", "A02", None, None, 0.0, 0.0),
        ("P1", "A10", 0.15, 0.1, 7.0, 7.0),
        ("P2", "B01", -0.5, 0.2, 100.0, 10.0),
    ]
    assert table.columns == {
        "plate": "barcode",
        "well": "well_name",
        "value": "sen_score",
        "sd": "std",
        "cells": "cell_no",
        "positive": "number_sen",
    }


def test_parquet_gives_the_same_as_text(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"plate": ["007", "007"], "well": ["A1", "A2"], "value": [0.25, None]}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")

    one = Readouts.read(tmp_path / "t.parquet", {})
    two = Readouts.read(tmp_path / "t.csv", {})

    assert one.frame.equals(two.frame)
    assert one.frame["plate"].to_list() == ["007", "007"]


def test_plates_that_are_numbers_have_lost_their_zeros(tmp_path: Path) -> None:
    frame = pl.DataFrame({"plate": [7], "well": ["A1"], "value": [0.25]})
    frame.write_parquet(tmp_path / "t.parquet")

    with pytest.raises(InputError, match=r"TABLE_FORMAT .* must hold text"):
        Readouts.read(tmp_path / "t.parquet", {})


def test_cell_numbers_alone_are_a_readout(tmp_path: Path) -> None:
    text = "plate,well,cell_count\nP,A1,12\n"
    table = Readouts.read(written(tmp_path, text), {})

    assert table.frame["cells"].to_list() == [12.0]
    assert table.frame["value"].null_count() == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plate,well\nP,A1\n", "READOUT_COLUMN_MISSING table.csv:1"),
        ("plate,valu,well\nP,1,A1\n", "did you mean 'valu'"),
        ("plate,well,value\nP,A1,1\nP,A01,2\n", "READOUT_DUPLICATE_WELL table.csv:2-3"),
        ("plate,well,value\nP,A99,1\n", "READOUT_WELL_INVALID table.csv:2 column well"),
        ("plate,well,value\nP,,1\n", "no well"),
        ("plate,well,value\n,A1,1\n", "no plate"),
        ("plate,well,value\nP,A1,high\n", "value 'high' is no number"),
        ("plate,well,value\nP,A1,inf\n", "no finite number"),
        ("plate,well,value\nP,A1,1_0\n", "no finite number"),
        ("plate,well,value,sd\nP,A1,1,-2\n", "sd -2 is negative"),
        ("plate,well,cells\nP,A1,1.5\n", "no whole number"),
        ("plate,well,cells,positive\nP,A1,3,4\n", "more positive cells than cells"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    assert any(said in one for one in problems(tmp_path, text))


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = "plate,well,value\nP,A1,x\nP,ZZ9,1\nP,A1,3\n,A4,1\n"
    codes = {one.split()[0] for one in problems(tmp_path, text)}

    assert codes == {
        "READOUT_NUMBER_INVALID",
        "READOUT_WELL_INVALID",
        "READOUT_DUPLICATE_WELL",
    }


def test_a_named_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    said = problems(tmp_path, "plate,well,value\nP,A1,1\n", cells="Nuclei")

    assert len(said) == 1
    assert "no column 'nuclei'" in said[0]
    assert "table_columns=[cells:HEADER]" in said[0]


def test_a_well_beyond_the_plate_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "plate,well,value\nP,H12,1\nP,I1,1\n")

    with pytest.raises(InputError, match="I1 is not on a plate of 96 wells"):
        Readouts.read(path, {}, PlateFormat.of(96))
