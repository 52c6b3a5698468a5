"""Every form of plate map gives the same table; every fault is named with its place."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from plates.map_formats import FORMATS, read_map
from plates.maps import PlateMap
from plates.problems import InputError
from plates.wells import PlateFormat
from tests.map_files import HEADER, block, csv, read, workbook

REAL = Path(__file__).parents[1].parent / "shared/data"
DEFAULTS = {"state": "stressed", "batch": "b", "replicate": "1"}
LONG: list[list[Any]] = [
    HEADER.split(","),
    ["P1", "A01", None, None, "vehicle", "stressed", 1, "b"],
    ["P1", "A02", "C-1", 2.5, "treatment", "stressed", 1, "b"],
    ["P1", "B01", "C-2", 10, "treatment", "stressed", 1, "b"],
]


def problems(path: Path | Sequence[Path], n_wells: int = 96, **more: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(path, n_wells, **more)
    return [str(problem) for problem in caught.value.problems]


def expected() -> PlateMap:
    columns = dict(zip(LONG[0], zip(*LONG[1:], strict=True), strict=True))
    return PlateMap.from_frame(pl.DataFrame(columns), PlateFormat.of(96))


def blocks(n_rows: int = 8, n_columns: int = 12) -> dict[str, list[list[Any]]]:
    """The cells of LONG as a rectangle for each column."""
    found = {}
    for column, name in ((2, "compound"), (3, "concentration_um"), (4, "role")):
        rectangle: list[list[Any]] = [[None] * n_columns for _ in range(n_rows)]
        for row in LONG[1:]:
            well = str(row[1])
            rectangle[ord(well[0]) - 65][int(well[1:]) - 1] = row[column]
        found[name] = rectangle
    return found


def matrix(**change: list[list[Any]]) -> list[list[Any]]:
    """One sheet with every block under the other, an empty row between."""
    parts = {name: block(name, cells) for name, cells in blocks().items()} | change
    return [row for part in parts.values() for row in (*part, [None] * 13)]


PLATE = DEFAULTS | {"plate": "P1"}


def test_text_workbook_and_parquet_give_the_same_map(tmp_path: Path) -> None:
    one = csv(tmp_path / "map.csv", LONG)
    two = workbook(tmp_path / "map.xlsx", {"notes": [["by me"]], "Map": LONG})
    three = tmp_path / "map.parquet"
    columns = dict(zip(LONG[0], zip(*LONG[1:], strict=True), strict=True))
    pl.DataFrame(columns).write_parquet(three)
    for path in (one, two, three):
        assert read(path).frame.equals(expected().frame), path


@pytest.mark.parametrize("kind", ["one sheet", "a sheet each", "csv", "semicolons"])
def test_blocks_give_the_same_map_as_lines(tmp_path: Path, kind: str) -> None:
    sheets = {name: block(name, cells) for name, cells in blocks().items()}
    path = tmp_path / "map.xlsx"
    if kind == "one sheet":
        workbook(path, {"Layout": matrix()})
    elif kind == "a sheet each":
        workbook(path, sheets)
    else:
        csv(path, matrix(), ";" if kind == "semicolons" else ",")
    assert read(path, defaults=PLATE).frame.equals(expected().frame)


def test_blocks_may_name_their_plates(tmp_path: Path) -> None:
    rows: list[list[Any]] = []
    for plate in ("P1", "P2"):
        rows.append(["plate", plate])
        rows += matrix()
    two = read(csv(tmp_path / "a.csv", rows), defaults=DEFAULTS)
    assert two.plates == ("P1", "P2")
    assert two.for_plate("P1").frame.equals(expected().frame)
    named = {n: block(f"P1: {n}", c) for n, c in blocks().items()}
    named["role"][0][0] = "*: role"
    path = csv(tmp_path / "b.csv", matrix(**named))
    assert read(path, defaults=DEFAULTS).frame.equals(expected().frame)


@pytest.mark.parametrize("n_wells", [6, 24, 384, 1536])
def test_blocks_of_every_format_are_found(tmp_path: Path, n_wells: int) -> None:
    shape = PlateFormat.of(n_wells)
    cells: list[list[Any]] = [
        [f"C-{row}-{column}" for column in range(shape.n_columns)]
        for row in range(shape.n_rows)
    ]
    path = csv(tmp_path / "map.csv", block("compound", cells))
    defaults = PLATE | {"concentration_um": "1", "role": "treatment"}
    frame = read(path, n_wells, defaults=defaults).frame
    assert frame.height == n_wells
    assert frame["compound"].to_list() == [c for row in cells for c in row]


def shifted() -> list[list[Any]]:
    return block("compound", blocks()["compound"], first_column=2)


def transposed() -> list[list[Any]]:
    head: list[Any] = ["compound", *"ABCDEFGH"]
    return [head, *([number, *["x"] * 8] for number in range(1, 13))]


def from_row(letter: str) -> list[list[Any]]:
    rows = block("compound", blocks()["compound"])
    start = "ABCDEFGH".index(letter)
    return [rows[0], *rows[1 + start :]]


BLOCK_FAULTS: dict[str, tuple[list[list[Any]], str]] = {
    "shifted columns": (shifted(), "the columns start at 2"),
    "transposed": (transposed(), "the block is transposed"),
    "rows from B": (from_row("B"), "the rows start with 'B'"),
    "row missing": (block("compound", blocks()["compound"])[:4] + block("compound", blocks()["compound"])[5:], "labels of 3 rows and 12 columns, then 'E'"),
    "cut off": (block("compound", blocks()["compound"])[:6], "labels of 5 rows and 12 columns"),
    "too wide": (block("compound", [[None] * 24] * 16), "the plates are 96-well ones"),
    "nameless": (block("", blocks()["compound"]), "a block without a name"),
    "cell beyond": ([row + (["x"] if i == 3 else []) for i, row in enumerate(block("compound", blocks()["compound"]))], "'x' beside the block's last column"),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "found"), BLOCK_FAULTS.values(), ids=BLOCK_FAULTS)
def test_a_block_that_does_not_fit_is_refused(
    tmp_path: Path, rows: list[list[Any]], found: str
) -> None:
    listed = problems(csv(tmp_path / "map.csv", matrix(compound=rows)), defaults=PLATE)
    assert any(p.startswith("MAP_BLOCK_INVALID") and found in p for p in listed), listed


def test_a_fault_in_a_block_names_its_cell(tmp_path: Path) -> None:
    cells = blocks()
    cells["concentration_um"][1][0] = ">10"
    sheets = {name: block(name, found) for name, found in cells.items()}
    (problem,) = problems(workbook(tmp_path / "m.xlsx", sheets), defaults=PLATE)
    assert "m.xlsx sheet concentration_um B3 column concentration_um" in problem


def test_a_second_block_of_a_column_is_refused(tmp_path: Path) -> None:
    rows = [*matrix(), *block("role", blocks()["role"])]
    (problem,) = problems(csv(tmp_path / "m.csv", rows), defaults=PLATE)
    assert "a second block role" in problem


BROAD: list[list[Any]] = [
    ["plate_map_name", "well_position", "broad_sample", "mmoles_per_liter", "solvent"],
    ["L1", "A01", None, None, "DMSO"],
    ["L1", "A02", "BRD-1", 10, "DMSO"],
    ["L2", "A01", "BRD-2", "3.3333", "DMSO"],
]
BARCODES: list[list[Any]] = [
    ["Assay_Plate_Barcode", "Plate_Map_Name", "Batch_Number"],
    ["SQ2", "L1", "7"],
    ["SQ1", "L1", "7"],
    ["SQ3", "L2", "8"],
]


def test_a_layout_is_spread_over_its_plates(tmp_path: Path) -> None:
    barcodes = csv(tmp_path / "barcodes.csv", BARCODES)
    defaults = {"state": "unstressed", "dilution": "1000"}
    path = csv(tmp_path / "map.csv", BROAD)
    frame = read(path, barcodes=barcodes, defaults=defaults).frame
    wanted = [
        "plate",
        "well",
        "compound",
        "concentration_um",
        "role",
        "replicate",
        "batch",
    ]
    assert frame.select(wanted).rows() == [
        ("SQ1", "A01", "DMSO", None, "vehicle", 1, "7"),
        ("SQ1", "A02", "BRD-1", 10.0, "treatment", 1, "7"),
        ("SQ2", "A01", "DMSO", None, "vehicle", 2, "7"),
        ("SQ2", "A02", "BRD-1", 10.0, "treatment", 2, "7"),
        ("SQ3", "A01", "BRD-2", 3.3333, "treatment", 1, "8"),
    ]


def test_a_stock_without_its_dilution_is_refused(tmp_path: Path) -> None:
    path = csv(tmp_path / "map.csv", BROAD)
    (problem,) = problems(path, defaults=DEFAULTS)
    assert problem.startswith("MAP_DILUTION_MISSING map.csv")


def test_a_layout_without_plates_is_told_and_a_plate_of_two_refused(
    tmp_path: Path,
) -> None:
    path = csv(tmp_path / "map.csv", BROAD)
    defaults = {"state": "unstressed", "dilution": "1000"}
    one = csv(tmp_path / "one.csv", BARCODES[:3])
    (warning,) = read(path, barcodes=one, defaults=defaults).warnings
    assert "MAP_LAYOUT_UNUSED" in str(warning)
    assert "'L2'" in str(warning)
    two = csv(tmp_path / "two.csv", [*BARCODES, ["SQ3", "L1", "7"]])
    listed = problems(path, barcodes=two, defaults=defaults)
    assert "MAP_CONFLICT two.csv:4-5: plate SQ3 has the layouts L1, L2" in listed[0]


def cellhts(folder: Path) -> list[Path]:
    config = "Wells: 6\nPlates: 1\nPlate\tWell\tContent\n*\t*\tsample\n*\tA0[1-2]\tneg\n1\tB01\tpos\n"
    listed = "Filename\tPlate\tReplicate\nF1-G1.txt\t1\t1\nF1-G2.txt\t1\t2\n"
    log = "Plate\tSample\tWell\tFlag\tComment\n1\t2\tA03\tNA\tContamination\n"
    genes = [
        "Plate\tWell\tHFAID\tGeneID",
        *(f"1\t{w}\tNA\tNA" for w in ("A01", "A02", "B01")),
    ]
    genes += [f"1\t{w}\tR-{w}\tCG1" for w in ("A03", "B02")] + ["1\tB03\tNA\tNA", ""]
    texts = {"Plateconf.txt": config, "Platelist.txt": listed, "Screenlog.txt": log}
    texts["Genes.txt"] = "\n".join(genes)
    for name, content in texts.items():
        (folder / name).write_text(content)
    return [folder / name for name in texts]


def test_a_cellhts2_screen_is_one_map(tmp_path: Path) -> None:
    defaults = {"state": "stressed", "batch": "b", "concentration_um": "0.1"}
    plate_map = read(cellhts(tmp_path), 6, defaults=defaults)
    assert plate_map.plates == ("F1-G1", "F1-G2")
    frame = plate_map.for_plate("F1-G2").frame
    roles = ["vehicle", "vehicle", "treatment", "reference", "treatment", "untreated"]
    assert frame["role"].to_list() == roles
    assert frame["replicate"].to_list() == [2] * 6
    assert frame["excluded"].to_list() == [
        None,
        None,
        "Contamination",
        None,
        None,
        None,
    ]
    assert plate_map.for_plate("F1-G1").frame["excluded"].is_null().all()
    assert any("2 sample wells have no reagent" in str(w) for w in plate_map.warnings)


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("Plateconf.txt", "A0[1-2]", "A0[1-2", "Plateconf.txt:5: 'A0[1-2' is no pattern"),
        ("Plateconf.txt", "Wells: 6", "Wells: 96", "96-well plates, the campaign has 6-well"),
        ("Plateconf.txt", "\t*\tsample", "\tA.*\tsample", "fit no rule"),
        ("Plateconf.txt", "\tpos", "\tkiller", "MAP_ROLE_UNKNOWN Plateconf.txt:6"),
        ("Platelist.txt", "F1-G2", "F1-G1", "plate F1-G1 twice"),
        ("Screenlog.txt", "1\t2\tA03", "9\t2\tA03", "Screenlog.txt:2: a plate that is not"),
        ("Genes.txt", "1\tB03", "1\tQ99", "MAP_WELL_RANGE Genes.txt:7"),
    ],
)  # fmt: skip
def test_a_faulty_cellhts2_file_is_refused_with_its_line(
    tmp_path: Path, name: str, old: str, new: str, found: str
) -> None:
    paths = cellhts(tmp_path)
    (tmp_path / name).write_text((tmp_path / name).read_text().replace(old, new, 1))
    defaults = {"state": "stressed", "batch": "b", "concentration_um": "0.1"}
    listed = problems(paths, 6, defaults=defaults)
    assert any(found in problem for problem in listed), listed


ECHO: list[list[Any]] = [
    ["Run ID", "17"],
    ["[EXCEPTIONS]"],
    ["Source Plate Barcode", "Source Well", "Destination Plate Barcode", "Destination Well", "Transfer Volume", "Actual Volume", "Sample ID", "Source Concentration", "Source Concentration Units", "Transfer Status"],
    ["S1", "A3", "P1", "B01", 50, 0, "C-2", 10, "mM", "MM1302007: empty well"],
    ["[DETAILS]"],
    ["Source Plate Barcode", "Source Well", "Destination Plate Barcode", "Destination Well", "Transfer Volume", "Actual Volume", "Sample ID", "Source Concentration", "Source Concentration Units", "Transfer Status"],
    ["S1", "A1", "P1", "A01", 25, 25, "C-1", 10, "mM", None],
    ["S1", "A2", "P1", "A01", 25, 25, "C-1", 2, "mM", None],
    ["S1", "B1", "P1", "A02", 50, 50, "DMSO", None, None, None],
    ["Instrument Name", "E5XX"],
]  # fmt: skip


def test_transfers_add_up_to_a_dose(tmp_path: Path) -> None:
    path = csv(tmp_path / "echo.csv", ECHO)
    plate_map = read(path, defaults=DEFAULTS | {"well_volume_ul": "50"})
    rows = plate_map.frame.select("well", "compound", "role", "concentration_um").rows()
    dose = (25 * 10_000 + 25 * 2_000) / 50_050
    assert rows[0] == ("A01", "C-1", "treatment", pytest.approx(dose, rel=1e-8))
    assert rows[1] == ("A02", "DMSO", "vehicle", None)
    assert rows[2][:3] == ("B01", "C-2", "treatment")
    excluded = plate_map.frame["excluded"].to_list()
    assert excluded[:2] == [None, None]
    assert "MM1302007" in excluded[2]
    assert "MAP_TRANSFER_FAILED" in [w.code for w in plate_map.warnings]


def test_a_source_table_and_an_alias_complete_a_log(tmp_path: Path) -> None:
    rows = [[c for i, c in enumerate(r) if i not in (6, 7, 8)] for r in ECHO[5:9]]
    rows[-1][0] = "BULK"
    log = csv(tmp_path / "log.csv", rows)
    listed = problems(log, defaults=DEFAULTS | {"well_volume_ul": "50"})
    assert any("source BULK B1 holds something unknown" in p for p in listed)
    sources: list[list[Any]] = [
        ["Source Plate Barcode", "Source Well", "Compound", "Concentration", "Concentration Unit"],
        ["S1", "A1", "C-1", 10, "mM"],
        ["S1", "A2", "C-1", 2, "mM"],
    ]  # fmt: skip
    table = csv(tmp_path / "sources.csv", sources)
    frame = read(
        [log, table],
        defaults=DEFAULTS | {"well_volume_ul": "50"},
        aliases={"BULK": "vehicle"},
    ).frame
    assert frame["role"].to_list() == ["treatment", "vehicle"]
    assert frame["compound"].to_list() == ["C-1", "BULK"]


@pytest.mark.parametrize(
    ("row", "column", "value", "found"),
    [
        (7, 6, "C-9", "MAP_MIXTURE echo.csv:7, 8: well A01 of plate P1 got C-1, C-9"),
        (7, 4, "many", "MAP_TRANSFER_INVALID echo.csv:8 column transfer_volume"),
        (7, 8, "mg", "MAP_CONC_INVALID echo.csv:8: stock '2' 'mg', an unknown unit"),
        (7, 3, "Z99", "MAP_WELL_RANGE"),
    ],
)
def test_a_faulty_transfer_is_refused_with_its_line(
    tmp_path: Path, row: int, column: int, value: str, found: str
) -> None:
    rows = [list(r) for r in ECHO]
    rows[row][column] = value
    path = csv(tmp_path / "echo.csv", rows)
    listed = problems(path, defaults=DEFAULTS | {"well_volume_ul": "50"})
    assert any(found in problem for problem in listed), listed


def test_transfers_without_the_wells_volume_are_refused(tmp_path: Path) -> None:
    (problem,) = problems(csv(tmp_path / "echo.csv", ECHO), defaults=DEFAULTS)
    assert problem.startswith("MAP_DILUTION_MISSING")
    assert "well_volume_ul" in problem


@pytest.mark.parametrize(
    ("unit", "number", "micromolar"),
    [
        ("log10 M", "-6.301029996", 0.5),
        ("log[M]", "-7", 0.1),
        ("mol/L", "0.001", 1000.0),
        ("mM", "0.3", 300.0),
    ],
)
def test_units_become_micromolar(
    tmp_path: Path, unit: str, number: str, micromolar: float
) -> None:
    header = [*LONG[0][:3], "concentration", "concentration_unit", *LONG[0][4:]]
    row = ["P1", "A1", "C", number, unit, "treatment", "stressed", 1, "b"]
    frame = read(csv(tmp_path / "m.csv", [header, row])).frame
    assert frame["concentration_um"].item() == micromolar


def test_a_dose_is_the_same_however_its_thirds_were_written(tmp_path: Path) -> None:
    rows = [
        [*LONG[2][:3], number, *LONG[2][4:]]
        for number in ("0.04115226337448558", "0.04115226337692308")
    ]
    rows[1][1] = "A03"
    frame = read(csv(tmp_path / "m.csv", [LONG[0], *rows])).frame
    assert frame["concentration_um"].to_list() == [0.0411522634] * 2


def test_a_mass_needs_the_molar_mass(tmp_path: Path) -> None:
    header = [*LONG[0][:3], "concentration mg/mL", *LONG[0][4:]]
    row: list[Any] = ["P1", "A1", "C", "0.5", "treatment", "stressed", 1, "b"]
    (problem,) = problems(csv(tmp_path / "m.csv", [header, row]))
    assert problem.startswith("MAP_UNIT_INVALID m.csv:2")
    assert "molar_mass" in problem
    path = csv(tmp_path / "m.csv", [[*header, "molar_mass"], [*row, 500]])
    assert read(path).frame["concentration_um"].item() == 1000.0


def test_a_percent_is_a_vehicle_and_no_dose(tmp_path: Path) -> None:
    header = ["row", "col", "drug", "concentration", "unit"]
    path = csv(tmp_path / "m.csv", [header, ["C", 3, "DMSO", 0.125, "%"]], ";")
    row = read(path, defaults=PLATE).frame.row(0, named=True)
    assert (row["well"], row["role"], row["concentration_um"]) == (
        "C03",
        "vehicle",
        None,
    )
    csv(path, [header, ["C", 3, "taxol", 0.125, "%"]], ";")
    (problem,) = problems(path, defaults=PLATE)
    assert problem.startswith("MAP_UNIT_INVALID m.csv:2")


def test_invisible_signs_are_taken_out_and_told(tmp_path: Path) -> None:
    rows = [list(row) for row in LONG]
    rows[2][2], rows[3][0] = "C-1\u200b", "P1\u00a0"
    plate_map = read(csv(tmp_path / "m.csv", rows))
    assert plate_map.frame.equals(expected().frame)
    assert {"MAP_INVISIBLE", "MAP_PADDED"} <= {w.code for w in plate_map.warnings}


@pytest.mark.parametrize(
    ("row", "column", "value", "code"),
    [
        (3, 2, "c-1", "MAP_NAMES_ALIKE"),
        (3, 7, "c", "MAP_VALUES_VARY"),
        (3, 8, None, "MAP_PARTLY_FILLED"),
    ],
)
def test_what_looks_like_a_slip_is_told(
    tmp_path: Path, row: int, column: int, value: str | None, code: str
) -> None:
    rows = [[*LONG[0], "line"], *([*row, "A549"] for row in LONG[1:])]
    rows[row][column] = value
    assert code in [w.code for w in read(csv(tmp_path / "m.csv", rows)).warnings]


def test_a_file_that_may_be_cut_off_is_told(tmp_path: Path) -> None:
    path = csv(tmp_path / "m.csv", LONG)
    path.write_text(path.read_text().rstrip("\n"))
    (warning,) = read(path).warnings
    assert str(warning).startswith("MAP_NO_LINE_END m.csv:4")


def test_an_old_workbook_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "m.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    (problem,) = problems(path)
    assert problem.startswith("TABLE_FORMAT m.xls")
    assert "save it as .xlsx or CSV" in problem


def _bomb(path: Path, part: str, content: bytes) -> Path:
    """A workbook in which one part is replaced."""
    source = workbook(path.with_name("whole.xlsx"), {"Map": LONG})
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", 8) as new:
        for info in old.infolist():
            data = content if info.filename == part else old.read(info)
            new.writestr(info.filename, data)
    return path


def test_entities_in_a_workbook_are_refused(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]><worksheet>&c;</worksheet>'
    path = _bomb(tmp_path / "m.xlsx", "xl/worksheets/sheet1.xml", bomb)
    (problem,) = problems(path)
    assert problem.startswith("LIMIT_EXCEEDED m.xlsx")
    assert "XML entities" in problem


def test_a_workbook_that_unpacks_a_thousandfold_is_refused(tmp_path: Path) -> None:
    path = _bomb(tmp_path / "m.xlsx", "xl/worksheets/sheet1.xml", bytes(40_000_000))
    (problem,) = problems(path)
    assert problem.startswith("LIMIT_EXCEEDED m.xlsx")


def test_a_cell_at_the_far_corner_is_refused_before_it_costs_memory(
    tmp_path: Path,
) -> None:
    def far(book: openpyxl.Workbook) -> None:
        book["Map"].cell(1_048_576, 16_384, "x")

    (problem,) = problems(workbook(tmp_path / "m.xlsx", {"Map": LONG}, far))
    assert problem.startswith("LIMIT_EXCEEDED m.xlsx: sheet Map of 1,048,576 rows")


def test_hidden_sheets_are_not_read_and_told(tmp_path: Path) -> None:
    def hide(book: openpyxl.Workbook) -> None:
        book["Old"].sheet_state = "hidden"

    path = workbook(tmp_path / "m.xlsx", {"Map": LONG, "Old": LONG}, hide)
    (warning,) = read(path).warnings
    assert "MAP_SHEET_IGNORED m.xlsx sheet Old" in str(warning)


def test_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    rows = [list(row) for row in LONG]
    rows[1][1] = "Z1"
    one, two = csv(tmp_path / "a.csv", rows), csv(tmp_path / "b.csv", [["x", "y"]])
    listed = problems([one, two, tmp_path / "c.csv"])
    assert [p.split(":")[0].split("/")[0] for p in listed] == [
        "TABLE_UNREADABLE ",
        "MAP_FORMAT_UNKNOWN b.csv",
        "MAP_WELL_RANGE a.csv",
    ]


def test_unknown_defaults_and_aliases_are_refused(tmp_path: Path) -> None:
    path = csv(tmp_path / "m.csv", LONG)
    listed = problems(path, defaults={"stat": "x"}, aliases={"a": "vehicel"})
    assert "did you mean 'state'?" in listed[0]
    assert "did you mean 'vehicle'?" in listed[1]


def test_every_format_says_what_it_needs() -> None:
    assert list(FORMATS) == ["broad", "echo", "layout", "cellhts2", "long", "matrix"]
    assert all(form.NEEDS for form in FORMATS.values())


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="no real data in ../shared/data")
class TestReal:
    """The maps of real screens."""

    def test_repurposing_wells_join_to_their_map(self) -> None:
        folder = REAL / "repurposing_screen"
        plate_map = read_map(
            [folder / "platemaps.csv.gz"],
            PlateFormat.of(384),
            barcodes=folder / "barcode_platemap.csv",
            defaults={"state": "unstressed", "dilution": "1000"},
        )
        wells = pl.read_csv(folder / "cell_counts.csv.gz", infer_schema_length=0)
        joined = plate_map.join(wells)
        counts = {"MATCHED": 52_223, "WELL_MISSING": 1, "WELL_NOT_IN_MAP": 0}
        assert joined.counts() == counts
        missing = joined.rows.filter(pl.col("join") == "WELL_MISSING")
        assert missing.select("plate", "well").rows() == [("SQ00015207", "P01")]
        named = tuple(f"SQ000152{n}" for n in range(25, 29))
        assert joined.plates_without_data == named
        assert joined.plates_without_map == ()
        per_plate = plate_map.frame.filter(role="vehicle").group_by("plate").len()
        assert set(per_plate["len"]) == {24}

    def test_the_lopac_table_is_read_with_its_own_words(self) -> None:
        aliases = {
            "Barcode": "plate", "chemical_name": "compound", "Annotation": "role",
            "Conc LOG[M]": "concentration_log10_m", "neg": "vehicle",
            "pos": "reference", "sample": "treatment",
        }  # fmt: skip
        defaults = {"state": "unstressed", "batch": "1", "replicate": "1"}
        path = REAL / "lopac_screen/wells.csv.gz"
        frame = read(path, 384, aliases=aliases, defaults=defaults).frame
        assert frame.height == 9216
        roles = dict(frame.group_by("role").len().rows())
        assert roles == {"vehicle": 1152, "reference": 384, "treatment": 7680}
        doses = frame.filter(role="treatment")["concentration_um"].unique().sort()
        assert doses.to_list() == [0.5, 3.0]

    def test_the_kcviab_screen_is_read_from_its_own_files(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(REAL / "kcviab/KcViab.zip") as packed:
            names = {Path(n).name: n for n in packed.namelist()}
            for name in (*OLD, *NEW):
                (tmp_path / name).write_bytes(packed.read(names[name]))
        defaults = {"state": "stressed", "batch": "b", "concentration_um": "0.1"}
        frames = []
        for files in (NEW, (*OLD, *NEW[2:])):
            paths = [tmp_path / name for name in files]
            more = {"defaults": defaults, "aliases": {"other": "untreated"}}
            frames.append(read(paths, 384, **more).frame)
        assert frames[0].height == 57 * 2 * 384
        assert frames[0]["excluded"].is_not_null().sum() == 48
        content = [c for c in frames[0].columns if c != "excluded"]
        assert frames[0].select(content).equals(frames[1].select(content))

    def test_the_operetta_layout_joins(self) -> None:
        defaults = PLATE | {"plate": "op"}
        plate_map = read(REAL / "operetta/drug_layout.csv", 384, defaults=defaults)
        joined = plate_map.join(pl.DataFrame({"plate": ["op"], "well": ["C3"]}))
        row = joined.rows.row(0, named=True)
        assert (row["join"], row["well"], row["role"]) == ("MATCHED", "C03", "vehicle")


NEW = ("Plateconf.txt", "Screenlog.txt", "Platelist.txt", "GeneIDs_Dm_HFA_1.1.txt")
OLD = ("old-Plateconf.txt", "old-Screenlog.txt")
