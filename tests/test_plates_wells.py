"""Wells and plate formats: one name for every position, and back."""

import pickle

import pytest

from plates.problems import FieldError, InputError, Problem
from plates.wells import PlateFormat, Well

LARGEST = PlateFormat.of(1536)
PROBLEM = Problem("MAP_WELL_RANGE", "map.csv:3", "Q25", "no such well", "correct it")


def spellings(well: Well) -> tuple[str, ...]:
    plain = f"{well.row_name}{well.column_name}"
    padded_path = f" {well.row_name}/{well.column + 1:02d} "
    return (str(well), str(well).lower(), well.path, plain, padded_path)


def test_every_spelling_of_every_well_reads_back() -> None:
    read = {well: {Well.parse(t) for t in spellings(well)} for well in LARGEST.wells()}
    assert read == {well: {well} for well in LARGEST.wells()}


@pytest.mark.parametrize(
    ("text", "row", "column", "name"),
    [
        ("A1", 0, 0, "A01"),
        ("h12", 7, 11, "H12"),
        ("Z48", 25, 47, "Z48"),
        ("AA1", 26, 0, "AA01"),
        ("af48", 31, 47, "AF48"),
        ("P/24", 15, 23, "P24"),
    ],
)
def test_known_wells(text: str, row: int, column: int, name: str) -> None:
    well = Well.parse(text)
    assert (well.row, well.column, str(well)) == (row, column, name)


@pytest.mark.parametrize(
    "text",
    ["", "A", "1", "A0", "A49", "AG1", "BB1", "A1B", "1A", "A-1", "A 1", "A١", "A001x"],
)
def test_other_text_is_no_well(text: str) -> None:
    with pytest.raises(ValueError, match="well must be a row A-Z or AA-AF"):
        Well.parse(text)


def test_names_are_unique_on_the_largest_plate() -> None:
    assert len({str(well) for well in LARGEST.wells()}) == 1536


@pytest.mark.parametrize("n_wells", [6, 12, 24, 48, 96, 384, 1536])
def test_a_format_lists_its_wells_in_row_major_order(n_wells: int) -> None:
    plate_format = PlateFormat.of(n_wells)
    wells = plate_format.wells()
    assert plate_format.n_wells == len(wells) == n_wells
    assert list(wells) == sorted(wells)
    assert all(plate_format.contains(well) for well in wells)


def test_a_smaller_format_contains_the_corner_of_a_larger_one() -> None:
    small = PlateFormat.of(96)
    assert {w for w in LARGEST.wells() if small.contains(w)} == set(small.wells())


@pytest.mark.parametrize(("n_wells", "n_edge"), [(6, 6), (96, 36), (384, 76)])
def test_the_rim_of_a_plate(n_wells: int, n_edge: int) -> None:
    plate_format = PlateFormat.of(n_wells)
    assert sum(well.is_edge(plate_format) for well in plate_format.wells()) == n_edge


def test_other_formats_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be one of 6, 12, .* got 100"):
        PlateFormat.of(100)
    with pytest.raises(ValueError, match=r"must be one of 2x3, .* got 12x8"):
        PlateFormat(12, 8)


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (0, -1), (32, 0), (0, 48)])
def test_positions_off_the_largest_plate_are_refused(row: int, column: int) -> None:
    with pytest.raises(ValueError, match="well must lie in rows 0-31"):
        Well(row, column)


def test_a_problem_reads_as_one_line() -> None:
    line = "MAP_WELL_RANGE map.csv:3: Q25 - no such well - correct it"
    assert str(PROBLEM) == str(FieldError(PROBLEM)) == line
    assert str(InputError([PROBLEM, PROBLEM])) == f"{line}\n{line}"


@pytest.mark.parametrize("error", [InputError(PROBLEM), FieldError(PROBLEM)], ids=repr)
def test_errors_cross_process_borders(error: ValueError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_a_refusal_needs_a_reason() -> None:
    with pytest.raises(TypeError, match="at least one problem"):
        InputError([])
