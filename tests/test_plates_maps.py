"""Plate maps: nothing is guessed, nothing is dropped, every fault is named at once."""

from pathlib import Path
from string import ascii_letters

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plates.maps import ROLES, SCHEMA, STATES, PlateMap
from plates.problems import InputError
from plates.wells import PlateFormat

HEADER = "plate,well,compound,concentration_um,role,state,replicate,batch"
GOOD = ("P1,A01,DMSO,,vehicle,stressed,1,B1", "P1,B1,C-1,10,treatment,stressed,1,B1")
FORMAT = PlateFormat.of(384)


def write(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "map.csv"
    path.write_bytes("\n".join((header, *lines)).encode())
    return path


def read(folder: Path, *lines: str, header: str = HEADER) -> PlateMap:
    return PlateMap.read(write(folder, *lines, header=header), FORMAT)


def refused(folder: Path, *lines: str, header: str = HEADER) -> list[str]:
    path = write(folder, *lines, header=header)
    with pytest.raises(InputError) as caught:
        PlateMap.read(path, FORMAT)
    return [str(problem) for problem in caught.value.problems]


def test_a_good_map_has_every_column_typed(tmp_path: Path) -> None:
    plate_map = read(tmp_path, *reversed(GOOD))
    assert plate_map.frame.schema == SCHEMA
    assert plate_map.frame["well"].to_list() == ["A01", "B01"]
    assert plate_map.frame["concentration_um"].to_list() == [None, 10.0]
    assert plate_map.frame["teaching"].to_list() == [None, None]
    assert plate_map.warnings == ()


def test_wells_sort_by_row_then_column_past_z(tmp_path: Path) -> None:
    rows = [
        f"P1,{well},,,untreated,stressed,1,B" for well in ("AA1", "B10", "B2", "A1")
    ]
    plate_map = PlateMap.read(write(tmp_path, *rows), PlateFormat.of(1536))
    assert plate_map.frame["well"].to_list() == ["A01", "B02", "B10", "AA01"]


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("nM", 1e-3), ("uM", 1.0), ("µM", 1.0), ("μM", 1.0), ("mM", 1e3), ("M", 1e6)],
)
@pytest.mark.parametrize("place", ["header", "brackets", "column"])
def test_units_become_micromolar(
    tmp_path: Path, unit: str, factor: float, place: str
) -> None:
    header = {
        "header": HEADER.replace("concentration_um", f"concentration_{unit}"),
        "brackets": HEADER.replace("concentration_um", f"Concentration [{unit}]"),
        "column": HEADER.replace("concentration_um", "concentration")
        + ",concentration_unit",
    }[place]
    row = "P1,A1,C-1,300,treatment,stressed,1,B1" + (f",{unit}" * (place == "column"))
    plate_map = read(tmp_path, row, header=header)
    assert plate_map.frame["concentration_um"].item() == pytest.approx(300 * factor)


def test_300_nanomolar_is_the_float_nearest_0_3(tmp_path: Path) -> None:
    header = HEADER.replace("_um", "_nM")
    row = "P1,A1,C-1,300,treatment,stressed,1,B1"
    assert read(tmp_path, row, header=header).frame["concentration_um"].item() == 0.3


@pytest.mark.parametrize(
    "separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_export_gives_the_same_map(
    tmp_path: Path, separator: str, newline: str, encoding: str
) -> None:
    plain = read(tmp_path, *GOOD)
    header = " Plate , WELL,Compound,Concentration (µM),role,State,replicate,batch,,"
    text = newline.join((header, *(row + ",," for row in GOOD), ",,,,,,,,,", ""))
    path = tmp_path / "export.csv"
    path.write_bytes(text.replace(",", separator).encode(encoding))
    assert PlateMap.read(path, FORMAT).sha256() == plain.sha256()


@pytest.mark.parametrize(
    "name", ["NA", "None", "null", "N/A", "TRUE", "000123", "1E05"]
)
def test_identifiers_stay_text(tmp_path: Path, name: str) -> None:
    safe = name.replace("/", "-")
    row = f"{safe},A1,{name},1,treatment,stressed,1,{name}"
    frame = read(tmp_path, row).frame
    assert frame.select("plate", "compound", "batch").row(0) == (safe, name, name)


ROW_FAULTS = {
    "off the plate": ("P1,Q25,,,vehicle,stressed,1,B", "MAP_WELL_RANGE map.csv:3 column well: well 'Q25'"),
    "no well": ("P1,1A,,,vehicle,stressed,1,B", "MAP_WELL_RANGE map.csv:3 column well: well '1A'"),
    "control misspelt": ("P1,A2,,,vehicel,stressed,1,B", "did you mean 'vehicle'?"),
    "solvent for role": ("P1,A2,,,dmso,stressed,1,B", "MAP_ROLE_UNKNOWN map.csv:3 column role: 'dmso'"),
    "empty means untreated": ("P1,A2,,,empty,stressed,1,B", "did you mean 'untreated'?"),
    "state misspelt": ("P1,A2,,,vehicle,stresed,1,B", "did you mean 'stressed'?"),
    "state missing": ("P1,A2,,,vehicle,,1,B", "MAP_STATE_UNKNOWN map.csv:3 column state"),
    "no dose": ("P1,A2,C,,treatment,stressed,1,B", "a treatment without a concentration"),
    "zero dose": ("P1,A2,C,0,treatment,stressed,1,B", "a treatment with concentration 0"),
    "bound": ("P1,A2,C,>10,treatment,stressed,1,B", "MAP_CONC_INVALID map.csv:3 column concentration_um: concentration '>10'"),
    "unit in cell": ("P1,A2,C,10 uM,treatment,stressed,1,B", "the unit belongs in the header"),
    "negative": ("P1,A2,C,-1,treatment,stressed,1,B", "a negative number"),
    "nan": ("P1,A2,C,nan,treatment,stressed,1,B", "MAP_CONC_INVALID"),
    "huge": ("P1,A2,C,1e999,treatment,stressed,1,B", "too large a number"),
    "decimal comma": ('P1,A2,C,"1,5",treatment,stressed,1,B', "MAP_NUMBER_AMBIGUOUS"),
    "no compound": ("P1,A2,,1,treatment,stressed,1,B", "a treatment without a compound"),
    "no plate": (",A2,C,1,treatment,stressed,1,B", "MAP_CELL_EMPTY map.csv:3 column plate"),
    "plate is a path": ("../P1,A2,C,1,treatment,stressed,1,B", "MAP_PLATE_NAME"),
    "no batch": ("P1,A2,C,1,treatment,stressed,1,", "fill in the batch"),
    "replicate": ("P1,A2,C,1,treatment,stressed,one,B", "MAP_VALUE_INVALID"),
    "twice": ("P1,a1,X,,vehicle,stressed,1,B1", "MAP_DUPLICATE_WELL map.csv:2-3: well A01 of plate P1 twice"),
    "too few cells": ("P1,A2,C,1,treatment", "TABLE_RAGGED map.csv:3: 5 cells where the header has 8"),
    "too many cells": ("P1,A2,C,1,treatment,stressed,1,B,x", "TABLE_RAGGED map.csv:3: 9 cells"),
    "open quote": ('P1,A2,"C,1,treatment,stressed,1,B', "TABLE_QUOTES map.csv:3"),
}  # fmt: skip


@pytest.mark.parametrize(("row", "message"), ROW_FAULTS.values(), ids=ROW_FAULTS)
def test_a_faulty_row_is_refused_with_its_line(
    tmp_path: Path, row: str, message: str
) -> None:
    (problem,) = refused(tmp_path, GOOD[0], row)
    assert message in problem


HEADER_FAULTS = {
    "missing": (HEADER.replace(",batch", ",note"), "MAP_COLUMN_MISSING map.csv:1: no column 'batch'"),
    "misspelt": (HEADER.replace("compound", "compund"), "did you mean 'compund'?"),
    "no unit": (HEADER.replace("_um", ""), "MAP_UNIT_INVALID map.csv:1: concentration is given by concentration"),
    "two units": (HEADER.replace("_um", "_um,concentration_nm"), "MAP_UNIT_INVALID"),
    "no dose": (HEADER.replace("concentration_um", "dose"), "no column 'concentration_um'"),
    "optional misspelt": (HEADER + ",teachng", "MAP_COLUMN_UNKNOWN map.csv:1: column 'teachng'"),
    "twice": (HEADER + ",Plate", "TABLE_HEADER map.csv:1: header 'plate' twice"),
    "nameless": (HEADER.replace("compound", ""), "TABLE_HEADER map.csv:1: no header in column 3"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("header", "message"), HEADER_FAULTS.values(), ids=HEADER_FAULTS
)
def test_a_faulty_header_is_refused(tmp_path: Path, header: str, message: str) -> None:
    extra = header.count(",") - HEADER.count(",")
    row = "P1,A1,,,vehicle,stressed,1,B" + "," * extra
    assert any(message in problem for problem in refused(tmp_path, row, header=header))


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    rows = [
        "P1,Q25,C,-1,drug,old,x,",
        "P1,A1,C,1,treatment,stressed,1,B",
        "P1,A1,C,2,treatment,stressed,1,B",
    ]
    codes = [line.split()[0] for line in refused(tmp_path, *rows)]
    assert sorted(codes) == [
        "MAP_CELL_EMPTY",
        "MAP_CONC_INVALID",
        "MAP_DUPLICATE_WELL",
        "MAP_ROLE_UNKNOWN",
        "MAP_STATE_UNKNOWN",
        "MAP_VALUE_INVALID",
        "MAP_WELL_RANGE",
    ]


def test_a_missing_column_does_not_hide_the_rows_faults(tmp_path: Path) -> None:
    header = HEADER.replace("role,", "")
    problems = refused(tmp_path, "P1,Q25,,,stressed,1,B", header=header)
    assert [line.split()[0] for line in problems] == [
        "MAP_COLUMN_MISSING",
        "MAP_WELL_RANGE",
    ]


def test_one_mistake_on_many_lines_is_one_problem(tmp_path: Path) -> None:
    rows = [f"P1,A{i},,,dmso,stressed,1,B" for i in (1, 2, 3, 5)]
    (problem,) = refused(tmp_path, *rows, "", "P1,A9,,,dmso,stressed,1,B")
    assert "map.csv:2-5, 7 column role" in problem


def test_equal_rows_are_kept_once_with_a_warning(tmp_path: Path) -> None:
    plate_map = read(tmp_path, *GOOD, "P1,b01,C-1,10.0,Treatment,stressed,1,B1")
    assert plate_map.frame.height == 2
    assert [str(warning).split(":")[0] for warning in plate_map.warnings] == [
        "MAP_DUPLICATE_WELL map.csv"
    ]


@pytest.mark.parametrize(
    ("header", "rows", "code"),
    [
        (HEADER + ",plate_reader", [GOOD[0] + ",x"], "MAP_COLUMN_IGNORED"),
        (HEADER, ["P1,A1, C,1,treatment,stressed,1,B"], "MAP_PADDED"),
        (HEADER, [f"P1,A{i},C,{dose},treatment,stressed,1,B" for i, dose in ((1, "1e-4"), (2, "1e3"))], "CONC_SUSPECT"),
    ],
    ids=["extra column", "padded", "wide doses"],
)  # fmt: skip
def test_what_is_only_odd_is_a_warning(
    tmp_path: Path, header: str, rows: list[str], code: str
) -> None:
    assert code in [w.code for w in read(tmp_path, *rows, header=header).warnings]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "TABLE_EMPTY"),
        (b"PK\x03\x04rest", "TABLE_FORMAT"),
        ((HEADER + "\nP1,A1,\xb5,,vehicle,stressed,1,B").encode("latin-1"), "TABLE_ENCODING"),
        (HEADER.encode(), "MAP_EMPTY"),
    ],
    ids=["empty", "workbook", "latin-1", "header only"],
)  # fmt: skip
def test_other_files_are_refused(tmp_path: Path, raw: bytes, code: str) -> None:
    path = tmp_path / "map.csv"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=code):
        PlateMap.read(path, FORMAT)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TABLE_UNREADABLE"):
        PlateMap.read(tmp_path / "none.csv", FORMAT)


def test_optional_columns_are_typed(tmp_path: Path) -> None:
    header = HEADER + ",line,time_h,Source Plate,teaching"
    rows = [GOOD[0] + ",A549,72,S1,TRUE", GOOD[1] + ",,,,"]
    frame = read(tmp_path, *rows, header=header).frame
    assert frame.select("line", "time_h", "source_plate", "teaching").rows() == [
        ("A549", 72.0, "S1", True),
        (None, None, None, None),
    ]


def test_wells_without_cells_need_no_state(tmp_path: Path) -> None:
    assert read(tmp_path, "P1,A1,,,no cells,,1,B").frame["state"].item() == ""


def test_one_plate_of_many(tmp_path: Path) -> None:
    plate_map = read(tmp_path, *GOOD, "24512,A1,,,untreated,stressed,1,B")
    assert plate_map.plates == ("24512", "P1")
    assert plate_map.for_plate("P1").frame.height == 2
    with pytest.raises(InputError, match=r"no plate '25412'; nearest is '24512'"):
        plate_map.for_plate("25412")


def test_a_number_for_an_identifier_is_an_error() -> None:
    frame = pl.DataFrame({"plate": [123], "well": ["A1"]})
    with pytest.raises(TypeError, match="column plate of plate map must hold text"):
        PlateMap.from_frame(frame, FORMAT)


names = st.text(ascii_letters + "µ- ,;\"'\n=0159", min_size=1, max_size=8).filter(
    lambda text: text == text.strip()
)
rows = st.fixed_dictionaries(
    {
        "plate": st.text(ascii_letters + "_-019", min_size=1, max_size=8),
        "well": st.sampled_from(FORMAT.wells()).map(str),
        "compound": names,
        "concentration_um": st.floats(1e-6, 1e6),
        "role": st.sampled_from(ROLES),
        "state": st.sampled_from(STATES),
        "replicate": st.integers(0, 99),
        "batch": names,
        "line": st.none() | names,
        "time_h": st.none() | st.floats(0, 1e4),
        "sample": st.none() | names,
        "lot": st.none(),
        "source_plate": st.none() | names,
        "source_well": st.none(),
        "teaching": st.none() | st.booleans(),
    }
)
maps = st.lists(
    rows, min_size=1, max_size=8, unique_by=lambda r: (r["plate"], r["well"])
)


@settings(deadline=None, max_examples=50)
@given(maps)
def test_a_written_map_reads_back(
    tmp_path_factory: pytest.TempPathFactory, content: list[dict[str, object]]
) -> None:
    frame = pl.DataFrame(content, schema=SCHEMA)
    plate_map = PlateMap.from_frame(frame, FORMAT)
    path = tmp_path_factory.mktemp("map") / "map.csv"
    plate_map.write_csv(path)
    again = PlateMap.read(path, FORMAT)
    assert again.frame.equals(plate_map.frame)
    assert again.sha256() == plate_map.sha256()


@settings(deadline=None, max_examples=25)
@given(maps, st.randoms())
def test_the_order_of_rows_does_not_matter(
    content: list[dict[str, object]], random: object
) -> None:
    shuffled = sorted(content, key=lambda _: random.random())  # type: ignore[attr-defined]
    first, second = (
        PlateMap.from_frame(pl.DataFrame(rows, schema=SCHEMA), FORMAT)
        for rows in (content, shuffled)
    )
    assert first.sha256() == second.sha256()
