"""Rows C01-C14 and C19-C24 of the catalogue: plate maps as labs really write them."""

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openpyxl
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plates.maps import PlateMap
from plates.problems import InputError
from plates.wells import PlateFormat, Well
from screen.called_records import CalledRecords
from screen.field_table import field_tables
from tests.catalogue import HEADER, Ended, Lab, make_lab, map_lines, run_verb, told
from tests.map_files import workbook
from tests.score_tables import Screen, draw

WELLS = ("A01", "A02", "A03", "B01", "B02", "B03")
LINES = map_lines(("P1",), WELLS)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """One export whose images are fine; only its map is spoiled, and nothing is written."""
    return make_lab(tmp_path_factory.mktemp("lab"), n_fields=1)


def refused(lab: Lab, path: Path, *words: str, more: Sequence[str] = ()) -> Ended:
    """Ingest with this map, which must be refused with these words and write nothing."""
    ended = lab.ingest(f"map={path}", *more)
    told(ended, 3, *words)
    assert not lab.out.exists()
    return ended


def accepted(lab: Lab, path: Path, *more: str) -> Ended:
    """A dry ingest with this map, which must be accepted."""
    ended = lab.ingest(f"map={path}", "dry_run=true", *more)
    told(ended, 0)
    return ended


def text(folder: Path, lines: Sequence[str], header: str = HEADER) -> Path:
    path = folder / "map.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def cells(lines: Sequence[str] = LINES, header: str = HEADER) -> list[list[Any]]:
    """Rows for a workbook: numbers are numbers only where a map wants them."""
    rows: list[list[Any]] = [list(header.split(","))]
    for line in lines:
        row: list[Any] = [cell or None for cell in line.split(",")]
        row[3] = None if row[3] is None else float(row[3])
        row[6] = int(row[6])
        rows.append(row)
    return rows


@settings(deadline=None, max_examples=60)
@given(st.sampled_from((6, 12, 24, 48, 96, 384, 1536)), st.data())
def test_C01_every_way_to_write_a_well_is_the_same_well(
    n_wells: int, data: st.DataObject
) -> None:
    well = data.draw(st.sampled_from(PlateFormat.of(n_wells).wells()))
    row, column = well.row_name, well.column + 1
    ways = (f"{row}{column}", f"{row}{column:02d}", f"{row}{column:03d}", well.path)
    for way in (*ways, *(way.lower() for way in ways), f" {ways[0]} "):
        assert Well.parse(way) == well
        assert str(Well.parse(way)) == str(well)


@pytest.mark.parametrize("way", ["A1", "a1", "a01", "A/1"])
def test_C01_a_map_with_other_names_joins(lab: Lab, tmp_path: Path, way: str) -> None:
    path = text(tmp_path, [LINES[0].replace("A01", way), *LINES[1:]])
    ended = accepted(lab, path)
    assert "WELL_" not in ended.text


def test_C02_a_well_off_the_plate_is_refused_with_its_line(
    lab: Lab, tmp_path: Path
) -> None:
    path = text(tmp_path, [*LINES[:5], LINES[5].replace("B03", "Q25")])
    words = ("MAP_WELL_RANGE", "map.csv:7 column well", "'Q25'", "ends at B03")
    refused(lab, path, *words)


def test_C03_a_well_given_twice_is_refused_with_both_lines(
    lab: Lab, tmp_path: Path
) -> None:
    path = text(tmp_path, [*LINES, LINES[2].replace("C02", "C99")])
    refused(lab, path, "MAP_DUPLICATE_WELL", "map.csv:4, 8", "well A03 of plate P1")


def test_C03_lines_that_agree_are_one_with_a_warning(lab: Lab, tmp_path: Path) -> None:
    path = text(tmp_path, [*LINES, LINES[2]])
    ended = accepted(lab, path)
    told(ended, 0, "MAP_DUPLICATE_WELL", "map.csv:4, 8", "one is used")


@pytest.mark.slow
def test_C04_without_controls_training_is_refused_and_robust_z_stays(
    tmp_path: Path,
) -> None:
    own = make_lab(tmp_path / "lab", n_fields=1)
    treated = [
        line.replace(",,vehicle", f"X{i},10,treatment") for i, line in enumerate(LINES)
    ]
    own.write_map(treated)
    told(own.ingest("library="), 0)
    ended = run_verb("train", f"campaign={own.out}", f"out={tmp_path / 'model'}")
    told(ended, 3, "PLATE_NO_CONTROLS", "no healthy control wells", "mark such wells")
    told(own.score(), 0)
    told(own.call("decision.min_cells=1"), 0)
    assert own.hits()["rescue"].is_null().all()
    assert own.hits()["robust_z"].is_not_null().any()


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("dmso ", "did you mean 'vehicle'?"),
        ("Dimethyl sulfoxide", "did you mean 'vehicle'?"),
        ("neg", "did you mean 'vehicle'?"),
        ("vehicel", "did you mean 'vehicle'?"),
        ("poscon", "did you mean 'reference'?"),
    ],
)
def test_C05_a_control_spelled_otherwise_is_refused_with_a_suggestion(
    lab: Lab, tmp_path: Path, written: str, hint: str
) -> None:
    path = text(tmp_path, [line.replace("vehicle", written) for line in LINES])
    refused(lab, path, "MAP_ROLE_UNKNOWN", "map.csv:2-3, 6-7 column role", hint)


def test_C05_the_lab_may_say_what_its_word_means(lab: Lab, tmp_path: Path) -> None:
    path = text(tmp_path, [line.replace("vehicle", "neg") for line in LINES])
    accepted(lab, path, "map_aliases=[neg:vehicle]")
    more = ("map_aliases=[neg:vehicel]",)
    refused(lab, path, "MAP_OPTION_INVALID", "'vehicel'", "'vehicle'", more=more)


def test_C06_merged_cells_are_refused_with_their_range(
    lab: Lab, tmp_path: Path
) -> None:
    def merge(book: openpyxl.Workbook) -> None:
        book["Map"].merge_cells("A2:A7")

    path = workbook(tmp_path / "map.xlsx", {"Map": cells()}, merge)
    refused(lab, path, "MAP_MERGED_CELLS", "map.xlsx sheet Map A2:A7", "unmerge them")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "bom"])
def test_C07_marks_line_ends_and_empty_rows_do_no_harm(
    lab: Lab, tmp_path: Path, newline: str, mark: str
) -> None:
    rows = [HEADER + ",,", *(line + ",," for line in LINES), ",,,,,,,,,", "", ""]
    path = tmp_path / "map.csv"
    path.write_bytes((mark + newline.join(rows)).encode())
    accepted(lab, path)


@pytest.mark.parametrize("row", ["P1,B03", LINES[5] + ",x"], ids=["short", "long"])
def test_C07_a_ragged_row_is_refused_with_its_line(
    lab: Lab, tmp_path: Path, row: str
) -> None:
    path = text(tmp_path, [*LINES[:5], row])
    refused(lab, path, "TABLE_RAGGED", "map.csv:7", "cells where the header has 8")


@pytest.mark.parametrize("separator", [";", "\t"], ids=["semicolon", "tab"])
def test_C08_other_separators_are_told_by_the_headers(
    lab: Lab, tmp_path: Path, separator: str
) -> None:
    path = tmp_path / "map.csv"
    lines = [HEADER, *LINES, ""]
    path.write_text("\n".join(lines).replace(",", separator))
    accepted(lab, path)


def test_C08_what_shows_no_headers_is_refused_with_what_was_seen(
    lab: Lab, tmp_path: Path
) -> None:
    path = tmp_path / "map.csv"
    path.write_text("\n".join([HEADER, *LINES, ""]).replace(",", "|"))
    refused(lab, path, "MAP_FORMAT_UNKNOWN", "'plate|well|compound", "plate, well")


def test_C09_a_decimal_comma_is_refused_unless_declared(
    lab: Lab, tmp_path: Path
) -> None:
    lines = [line.replace(",", ";").replace(";10;", ";1,5;") for line in LINES]
    path = text(tmp_path, lines, HEADER.replace(",", ";"))
    refused(lab, path, "MAP_NUMBER_AMBIGUOUS", "map.csv:4-5 column", "'1,5'")
    accepted(lab, path, "map_defaults=['decimal:,']")


def test_C09_a_point_that_may_mark_thousands_is_refused(
    lab: Lab, tmp_path: Path
) -> None:
    path = text(tmp_path, [line.replace(",10,", ",1.000,") for line in LINES])
    refused(lab, path, "MAP_NUMBER_AMBIGUOUS", "'1.000'", "decimal")
    accepted(lab, path, "map_defaults=['decimal:.']")


def test_C10_a_concentration_needs_its_unit(lab: Lab, tmp_path: Path) -> None:
    path = text(tmp_path, LINES, HEADER.replace("_um", ""))
    refused(lab, path, "MAP_UNIT_INVALID", "map.csv:1", "concentration_um")


@pytest.mark.parametrize("unit", ["uM", "µM", "μM"])
def test_C10_three_kinds_of_micro_are_one(lab: Lab, tmp_path: Path, unit: str) -> None:
    accepted(lab, text(tmp_path, LINES, HEADER.replace("_um", f" ({unit})")))


def test_C10_a_dose_far_from_its_peers_is_told(lab: Lab, tmp_path: Path) -> None:
    path = text(tmp_path, [LINES[2].replace(",10,", ",0.00001,"), *LINES[3:]])
    told(accepted(lab, path), 0, "CONC_SUSPECT", "compound C", "check the unit")


def test_C10_mixed_units_are_told_with_their_lines(lab: Lab, tmp_path: Path) -> None:
    header = HEADER.replace("_um", "") + ",concentration_unit"
    units = [*["uM"] * 3, "nM", *["uM"] * 2]
    lines = [f"{line},{unit}" for line, unit in zip(LINES, units, strict=True)]
    ended = accepted(lab, text(tmp_path, lines, header))
    told(ended, 0, "MAP_UNITS_MIXED", "map.csv:4 column concentration_unit", "um here")


def test_C11_utf16_is_read(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("\n".join([HEADER, *LINES, ""]), encoding="utf-16")
    accepted(lab, path)


def test_C11_another_encoding_is_refused(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    header = HEADER.replace("_um", " µM")
    path.write_text("\n".join([header, *LINES, ""]), encoding="latin-1")
    refused(lab, path, "TABLE_ENCODING", "byte 34", "save the table as UTF-8 CSV")


@pytest.mark.parametrize("name", ["000123", "1E05", "0012"])
def test_C12_a_plate_that_looks_like_a_number_stays_text(
    lab: Lab, tmp_path: Path, name: str
) -> None:
    path = text(tmp_path, [line.replace("P1,", f"{name},") for line in LINES])
    accepted(lab, path, f"plate=[P1:{name}]")


def test_C12_a_number_for_a_name_in_a_workbook_is_refused(
    lab: Lab, tmp_path: Path
) -> None:
    rows = cells()
    for row in rows[1:]:
        row[0] = 123
    path = workbook(tmp_path / "map.xlsx", {"Map": rows})
    words = ("MAP_CELL_TYPE", "sheet Map A2, A3", "leading zeros", "as text")
    refused(lab, path, *words)


@pytest.mark.parametrize("name", ["NA", "None", "null", "N/A", "TRUE", "nan"])
def test_C13_a_compound_may_be_called_anything(
    lab: Lab, tmp_path: Path, name: str
) -> None:
    path = text(tmp_path, [line.replace("C02", name) for line in LINES])
    ended = accepted(lab, path)
    assert name in ended.lines("CMPD_UNKNOWN")[0]


@pytest.mark.parametrize(
    ("address", "value", "found"),
    [
        ("C4", datetime.date(2026, 3, 1), "a date"),
        ("C4", "=A1&B1", "a formula without its value"),
        ("D4", "=2*5", "a formula without its value"),
        ("D4", datetime.datetime(2026, 1, 2), "a date"),
        ("C4", True, "a truth value"),
    ],
    ids=["MAR1", "formula-name", "formula-dose", "2-Jan", "TRUE"],
)
def test_C14_dates_and_formulas_are_refused_with_their_cell(
    lab: Lab, tmp_path: Path, address: str, value: object, found: str
) -> None:
    def spoil(book: openpyxl.Workbook) -> None:
        book["Map"][address] = value

    path = workbook(tmp_path / "map.xlsx", {"Map": cells()}, spoil)
    words = ("MAP_CELL_TYPE", f"map.xlsx sheet Map {address}", found, "as text")
    refused(lab, path, *words)


def test_C19_only_our_words_are_roles_and_states(lab: Lab, tmp_path: Path) -> None:
    lines = [*LINES[:3], LINES[3].replace("C03,10,treatment", ",,empty"), *LINES[4:]]
    path = text(tmp_path, lines)
    hint = "did you mean 'untreated'?"
    refused(lab, path, "MAP_ROLE_UNKNOWN", "map.csv:5", hint, "no_cells")
    accepted(lab, path, "map_aliases=[empty:untreated]")


def test_C19_an_unknown_state_is_refused(lab: Lab, tmp_path: Path) -> None:
    lines = [line.replace(",stressed", ",aged") for line in LINES]
    path = text(tmp_path, lines)
    refused(lab, path, "MAP_STATE_UNKNOWN", "column state", "did you mean 'stressed'?")


def test_C20_a_join_keeps_its_columns_and_their_names(tmp_path: Path) -> None:
    header = HEADER + ",score,plate_x,well_y,status"
    path = text(tmp_path, [f"{line},1,P9,H12,SCORED" for line in LINES], header)
    plate_map = PlateMap.read(path, PlateFormat.of(6))
    wells = pl.DataFrame({"plate": ["P1"] * 6, "well": WELLS, "score": [0.5] * 6})
    rows = plate_map.join(wells).rows
    assert rows.columns == ["plate", "well", "join", *plate_map.frame.columns[2:]]
    assert rows.height == 6
    assert "'plate_x', 'well_y', 'status'" in str(plate_map.warnings[0])


def test_C20_columns_of_other_tables_do_not_reach_the_results(
    lab: Lab, tmp_path: Path
) -> None:
    header = HEADER + ",score,plate_x"
    path = text(tmp_path, [f"{line},1,P9" for line in LINES], header)
    ended = accepted(lab, path)
    told(ended, 0, "MAP_COLUMN_IGNORED", "'score', 'plate_x'", "not carried")


def test_C21_every_row_is_counted_before_and_after(tmp_path: Path) -> None:
    plate_map = PlateMap.read(text(tmp_path, LINES), PlateFormat.of(6))
    measured = [("P1", "a1"), ("P1", "B3"), ("P2", "A01")]
    joined = plate_map.join(pl.DataFrame(measured, ["plate", "well"], orient="row"))
    counts = {"MATCHED": 2, "WELL_MISSING": 4, "WELL_NOT_IN_MAP": 0}
    assert joined.counts() == counts
    assert joined.plates_without_map == ("P2",)
    for empty in (("", "A02"), (None, "A02"), ("P1", None)):
        wells = pl.DataFrame([*measured, empty], ["plate", "well"], orient="row")
        with pytest.raises(InputError, match="1 rows without plate or well"):
            plate_map.join(wells)


def test_C21_an_empty_plate_is_refused_with_its_line(lab: Lab, tmp_path: Path) -> None:
    path = text(tmp_path, [*LINES[:5], LINES[5].replace("P1,", ",")])
    refused(lab, path, "MAP_CELL_EMPTY", "map.csv:7 column plate", "fill in the plate")


HEADERS: dict[str, Callable[[str], str]] = {
    "case": str.upper,
    "blanks": lambda header: header.replace(",", " , ").replace("_", " "),
    "brackets": lambda header: header.replace("_um", " [µM]"),
}


@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS)
def test_C23_case_and_blanks_of_headers_do_not_matter(
    lab: Lab, tmp_path: Path, change: Callable[[str], str]
) -> None:
    accepted(lab, text(tmp_path, LINES, change(HEADER)))


def test_C23_a_misspelt_column_is_refused_with_a_suggestion(
    lab: Lab, tmp_path: Path
) -> None:
    path = text(tmp_path, LINES, HEADER.replace("compound", "compuond"))
    refused(lab, path, "MAP_COLUMN_MISSING", "no column 'compound'", "'compuond'?")


@pytest.mark.parametrize("number", [">10", "10 uM", "0", "-1", "NaN", "", "inf"])
def test_C24_a_treated_well_needs_a_plain_positive_number(
    lab: Lab, tmp_path: Path, number: str
) -> None:
    path = text(tmp_path, [*LINES[:3], LINES[3].replace(",10,", f",{number},")])
    refused(lab, path, "MAP_CONC_INVALID", "map.csv:5 column concentration_um")


def test_C24_zero_is_fine_for_a_control(lab: Lab, tmp_path: Path) -> None:
    lines = [line.replace(",,vehicle", "DMSO,0,vehicle") for line in LINES]
    accepted(lab, text(tmp_path, lines))


def mirrored(frame: pl.DataFrame, plate: str) -> pl.DataFrame:
    """The map of 384-well plates, one plate's read from the wrong side."""
    wells = [
        str(Well(well.row, 23 - well.column)) if name == plate else str(well)
        for name, text in frame.select("plate", "well").rows()
        for well in [Well.parse(text)]
    ]
    return frame.with_columns(pl.Series("well", wells))


def called(
    monkeypatch: pytest.MonkeyPatch, folder: Path, plate_map: pl.DataFrame, *more: str
) -> tuple[Ended, pl.DataFrame, pl.DataFrame]:
    """Call a drawn screen of two plates under this map; what was said, hits, plates."""
    scores, _, _ = draw(Screen(seed=5))
    campaign = SimpleNamespace(
        root=folder,
        format=PlateFormat.of(384),
        plates=[SimpleNamespace(plate=p) for p in ("P01", "P02")],
        map=SimpleNamespace(frame=plate_map),
        library=None,
    )
    monkeypatch.setattr("screen.call.Campaign.open", lambda root: campaign)
    found = CalledRecords(scores, scores, field_tables([], []), [])
    monkeypatch.setattr("screen.call.called_records", lambda *given: found)
    (folder / "runs/r").mkdir(parents=True, exist_ok=True)
    words = (f"runs={folder / 'runs'}", "run=r", "campaign=c")
    ended = run_verb("call", *words, *more)
    tables = [
        pl.read_parquet(folder / f"runs/r/{n}.parquet") for n in ("hits", "plates")
    ]
    return ended, tables[0], tables[1]


def test_C22_a_plate_read_from_the_wrong_side_makes_no_hits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, plate_map, _ = draw(Screen(seed=5))
    ended, hits, plates = called(monkeypatch, tmp_path, mirrored(plate_map, "P02"))
    told(ended, 0, "MAP_ORIENTATION_SUSPECT", "P02", "mirrored left to right", "check")
    assert dict(plates.select("plate", "verdict").rows())["P02"] == "fail"
    flagged = hits.filter(pl.col("flags").str.contains("MAP_ORIENTATION_SUSPECT"))
    assert set(flagged["plate"]) == {"P02"}
    assert flagged.height == hits.filter(plate="P02").height


def test_C22_a_map_the_right_way_round_is_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, plate_map, _ = draw(Screen(seed=5))
    ended, hits, _ = called(monkeypatch, tmp_path, plate_map)
    told(ended, 0)
    assert "MAP_ORIENTATION_SUSPECT" not in ended.text
    assert not hits["flags"].str.contains("MAP_ORIENTATION").any()


def test_C22_wells_that_the_map_excludes_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, plate_map, _ = draw(Screen(seed=5))
    is_first = (pl.col("plate") == "P01") & (pl.col("well") == "C05")
    reason = pl.when(is_first).then(pl.lit("transfer failed"))
    marked = plate_map.with_columns(excluded=reason)
    _, hits, _ = called(monkeypatch, tmp_path, marked)
    flagged = hits.filter(pl.col("flags").str.contains("MAP_WELL_EXCLUDED"))
    assert flagged.select("plate", "well").rows() == [("P01", "C05")]
