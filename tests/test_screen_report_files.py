"""The files beside the page: whole, typed, readable by others, proved by verify."""

from __future__ import annotations

import csv
import errno
import shutil
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from plates.structure_pool import structure_pool
from plates.structure_records import (
    SdCompound,
    sd_name,
    sd_records,
    sd_value,
)
from plates.wells import PlateFormat, Well
from screen.__main__ import main
from screen.chemistry import SCHEMA as CHEMISTRY
from screen.compounds import SCHEMA as COMPOUNDS
from screen.hits import HIT_COLUMNS
from screen.plate_table import PLATE_SCHEMA
from screen.report.files import BESIDE, PickRules
from screen.report.files.cherry_picks import SCHEMA, layout_wells, pick_words, transfers
from screen.report.files.columns import LEFT_OUT, meaning, ordered
from screen.report.files.stored import read_stored
from screen.report.files.structure_file import sd_file
from screen.report.files.workbook import plain, write_workbook
from screen.report.methods_text import methods_text
from screen.report.tables import RunTables
from tests.called_run import with_sources, with_structures, write_called
from tests.catalogue import run_verb
from tests.report_example import example_tables


@pytest.fixture(scope="module")
def tables() -> RunTables:
    made = example_tables(2, 96)
    hits, compounds = with_sources(made.hits), with_structures(made.compounds)
    return replace(made, hits=hits, compounds=compounds)


@pytest.fixture(scope="module")
def folder(tables: RunTables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its report and everything beside it."""
    root = tmp_path_factory.mktemp("files")
    made = write_called(root, tables)
    assert main(["report", "run=r", f"runs={root}", "pick_replicates=3"]) == 0
    return made


def cells(path: Path, sheet: str) -> list[tuple[Any, ...]]:
    """Every row of a sheet, its head first."""
    book = openpyxl.load_workbook(path, read_only=True)
    return [tuple(row) for row in book[sheet].iter_rows(values_only=True)]


def transfer_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "cherry_picks.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_report_writes_every_file_and_verify_proves_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert all((folder / name).is_file() for name in ("report.html", *BESIDE))
    assert main(["verify", "run=r", f"runs={folder.parent}"]) == 0
    assert "all as they were written" in capsys.readouterr().out


@pytest.mark.parametrize("name", BESIDE)
def test_verify_names_a_file_that_was_changed(
    name: str, folder: Path, tmp_path: Path
) -> None:
    made = Path(shutil.copytree(folder, tmp_path / "r"))
    with (made / name).open("ab") as file:
        file.write(b"x")
    ended = run_verb("verify", "run=r", f"runs={tmp_path}")
    assert ended.code == 7
    assert name in ended.lines("OUTPUT_CHANGED")[0]


def test_report_says_what_it_wrote(tables: RunTables, tmp_path: Path) -> None:
    write_called(tmp_path, tables)
    ended = run_verb("report", "run=r", f"runs={tmp_path}", "top=1")
    for name, words in {
        "hits.xlsx": "hits, compounds, wells, plates",
        "hits.sdf": "8 of 8 called or picked compounds",
        "cherry_picks.csv": "16 transfers to 2 plates",
        "methods.txt": "methods in words",
    }.items():
        (line,) = (
            x for x in ended.out.splitlines() if x.strip().startswith(f"{name} (")
        )
        assert words in line
        assert "kB)" in line or "MB)" in line


def test_the_same_tables_give_the_same_bytes(folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in BESIDE}
    again = ["report", "run=r", f"runs={folder.parent}", "pick_replicates=3"]
    assert main(again) == 0
    assert {name: (folder / name).read_bytes() for name in BESIDE} == before


def test_sheets_hold_the_rows_of_the_tables(folder: Path, tables: RunTables) -> None:
    path = folder / "hits.xlsx"
    assert openpyxl.load_workbook(path, read_only=True).sheetnames == [
        "Hits", "Compounds", "Wells", "Plates", "Read me",
    ]  # fmt: skip
    head, *rows = cells(path, "Compounds")
    at = {name: place for place, name in enumerate(head)}
    assert [r[at["compound"]] for r in rows] == tables.compounds["compound"].to_list()
    wanted = pytest.approx(tables.compounds["rescue"].to_list(), rel=1e-14)
    assert [r[at["rescue"]] for r in rows] == wanted
    assert len(cells(path, "Hits")) == 1 + 8
    assert len(cells(path, "Wells")) == 1 + tables.hits.height
    assert len(cells(path, "Plates")) == 1 + tables.plates.height


def test_heads_are_frozen_and_filtered(folder: Path) -> None:
    book = openpyxl.load_workbook(folder / "hits.xlsx")
    for name in ("Hits", "Compounds", "Wells", "Plates"):
        assert book[name].freeze_panes[1:] == "2"
        assert book[name].auto_filter.ref.startswith("A1:")
    assert all(s.column_dimensions["A"].width >= 9 for s in book)


def test_text_is_text_and_numbers_are_numbers(folder: Path) -> None:
    book = openpyxl.load_workbook(folder / "hits.xlsx")
    sheet = book["Compounds"]
    at = {cell.value: cell.column for cell in sheet[1]}
    assert sheet.cell(2, at["compound"]).data_type == "s"
    assert sheet.cell(2, at["rescue"]).number_format == "0.00"
    assert sheet.cell(2, at["q"]).number_format == "0.0E+00"
    assert sheet.cell(2, at["is_hit"]).data_type == "b"
    kinds = {cell.data_type for s in book for row in s.iter_rows() for cell in row}
    assert kinds <= {"s", "n", "b", "inlineStr"}


def test_every_column_of_a_sheet_has_its_meaning(folder: Path) -> None:
    _, *rows = cells(folder / "hits.xlsx", "Read me")
    described = {(sheet, column): words for sheet, column, words in rows if column}
    for sheet in ("Compounds", "Wells", "Plates"):
        head = cells(folder / "hits.xlsx", sheet)[0]
        assert all((sheet, name) in described for name in head)
    assert described["Plates", "z_prime_low"] == "lower end of the interval of z_prime"
    assert described["Compounds", "q"].startswith("expected share of false calls")


def test_first_columns_are_what_a_reader_wants() -> None:
    assert ordered("compounds", ["zeta", "name", "doses", "rank"]) == [
        "rank",
        "name",
        "zeta",
    ]
    assert meaning("compounds", "nothing_known") == ""


def test_a_long_table_is_cut_and_says_so(
    tables: RunTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screen.report.files.workbook.MOST_ROWS", 50)
    stored = read_stored(write_called(tmp_path, tables))
    words = write_workbook(stored, tmp_path / "x.xlsx", "x")
    assert words == "first 50 rows of Wells"
    assert len(cells(tmp_path / "x.xlsx", "Wells")) == 51
    told = [
        row[2] for row in cells(tmp_path / "x.xlsx", "Read me") if row[0] == "Wells"
    ]
    assert "192 rows, the first 50 here" in told[0]


# The library leaves the files of its rows to the garbage collector then.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_told_and_leaves_the_old_workbook(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path(shutil.copytree(folder, tmp_path / "r"))
    before = (made / "hits.xlsx").read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("xlsxwriter.workbook.ZipFile", full)
    ended = run_verb("report", "run=r", f"runs={tmp_path}", "top=1")
    assert ended.code == 5
    assert "hits.xlsx" in ended.text
    assert "bytes free" in ended.text
    assert (made / "hits.xlsx").read_bytes() == before
    assert not list(made.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [("a\ufffeb\uffffc", "a\ufffdb\ufffdc"), ("x" * 40_000, "x" * 31_999 + "…")],
    ids=["not XML", "too long"],
)
def test_a_cell_holds_what_a_workbook_can(text: str, kept: str) -> None:
    assert plain(text) == kept


def test_sd_file_reads_back_with_its_numbers(folder: Path, tables: RunTables) -> None:
    found = list(Chem.SDMolSupplier(str(folder / "hits.sdf")))
    hits = tables.compounds.filter("is_hit")
    assert len(found) == 8
    for molecule, row in zip(found, hits.iter_rows(named=True), strict=True):
        assert Chem.MolToSmiles(molecule) == Chem.MolToSmiles(
            Chem.MolFromSmiles(row["smiles"])
        )
        assert molecule.GetProp("COMPOUND") == row["compound"]
        assert int(molecule.GetProp("RANK")) == row["rank"]
        assert float(molecule.GetProp("RESCUE")) == pytest.approx(
            row["rescue"], rel=1e-5
        )
        assert float(molecule.GetProp("Q")) == pytest.approx(row["q"], rel=1e-5)
        assert molecule.GetConformer().GetNumAtoms() == molecule.GetNumAtoms()
        assert not molecule.GetConformer().Is3D()


def test_compounds_without_a_structure_are_counted(tables: RunTables) -> None:
    none = pl.when(pl.col("rank") == 1).then(pl.lit("")).otherwise("smiles")
    broken = pl.when(pl.col("rank") == 2).then(pl.lit("C1CC((")).otherwise(none)
    chosen = tables.compounds.filter("is_hit").with_columns(smiles=broken)
    with structure_pool(1) as pool:
        text, missing = sd_file(pool, chosen)
    assert missing == 2
    assert text.count("$$$$\n") == 6


@given(st.text(max_size=300))
def test_a_property_is_one_line_that_opens_nothing(text: str) -> None:
    value = sd_value(text)
    assert len(value.splitlines()) <= 1
    assert not value.startswith((">", "$$$$", "M  "))
    assert value == "" or value.isprintable()


@given(st.text(max_size=50))
def test_a_property_name_is_plain(text: str) -> None:
    assert sd_name(text).isascii()
    assert sd_name(text).replace("_", "a").isalnum()


def test_a_record_carries_only_what_it_was_given() -> None:
    with structure_pool(1) as pool:
        compound = SdCompound("CCO |$R1;;$|", "$$$$\nM  END", {"A B>": ">x\n\n$$$$"})
        (text,) = sd_records(pool, [compound])
    block, _, properties = text.partition("M  END\n")
    assert block.splitlines()[0] == "'$$$$ M END"
    assert properties.split() == [">", "<A_B_>", "'>x", "$$$$", "$$$$"]


def rules(**keys: Any) -> PickRules:
    return PickRules(**keys)


def picks_of(n: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A pick list of n compounds, two source wells each, and their wells."""
    rows = [
        {
            "rank": i + 1, "compound": f"C{i}", "class": "rescue", "stage": "primary",
            "by_hand": "", "best_concentration_um": 10.0, "source_plate": "L",
            "source_well": str(PlateFormat.of(1536).wells()[2 * i + k]), "source": "library",
        }
        for i in range(n)
        for k in range(2)
    ]  # fmt: skip
    names = ("compound", "source_plate", "source_well")
    hits = [
        {name: row[name] for name in names}
        | {"concentration_um": 1.0 if i % 2 == 0 else 10.0}
        for i, row in enumerate(rows)
    ]
    return pl.DataFrame(rows), pl.DataFrame(hits)


@given(
    st.integers(1, 200),
    st.sampled_from([96, 384]),
    st.integers(1, 5),
    st.sampled_from(["inner", "all"]),
    st.floats(0.5, 5000),
)
def test_every_pick_is_made_once_a_replicate(
    n: int, wells: int, replicates: int, layout: str, volume: float
) -> None:
    chosen = PickRules(volume, wells, replicates, layout)
    found = transfers(*picks_of(n), chosen)
    assert found.height == n * replicates
    assert found.select("Sample Name", "Replicate").is_unique().all()
    places = found.select("Destination Plate Name", "Destination Well")
    assert places.is_unique().all()
    allowed = {str(w) for w in layout_wells(chosen)}
    assert set(found["Destination Well"]) <= allowed
    assert (found["Transfer Volume"] == volume).all()
    assert dict(found.schema) == SCHEMA


def test_the_source_is_the_well_of_the_best_dose() -> None:
    picks, hits = picks_of(3)
    found = transfers(picks, hits, rules(replicates=1))
    wells = [str(w) for w in PlateFormat.of(1536).wells()[:6]]
    assert found["Source Well"].to_list() == [wells[1], wells[3], wells[5]]


def test_replicates_lie_on_other_plates_at_other_places() -> None:
    found = transfers(*picks_of(40), rules(replicates=2))
    one, two = (found.filter(Replicate=r).sort("Rank") for r in (1, 2))
    assert set(one["Destination Plate Name"]) == {"picks_r1_1"}
    assert set(two["Destination Plate Name"]) == {"picks_r2_1"}
    assert (one["Destination Well"] != two["Destination Well"]).all()


@pytest.mark.parametrize(
    ("wells", "layout", "n", "first", "last"),
    [
        (96, "all", 96, "A01", "H12"),
        (96, "inner", 48, "B03", "G10"),
        (384, "inner", 280, "B03", "O22"),
        (1536, "all", 1536, "A01", "AF48"),
    ],
)
def test_layouts_leave_the_rim_and_controls_free(
    wells: int, layout: str, n: int, first: str, last: str
) -> None:
    found = layout_wells(rules(plate_format=wells, layout=layout))
    assert (len(found), str(found[0]), str(found[-1])) == (n, first, last)
    assert found[1] == Well(found[0].row + 1, found[0].column)


def test_the_list_of_a_run_names_library_wells(folder: Path, tables: RunTables) -> None:
    rows = transfer_rows(folder)
    assert len(rows) == 8 * 3
    assert {r["Source Plate Name"] for r in rows} == {"LIB1"}
    assert {r["Sample Name"] for r in rows} == set(
        tables.compounds.filter("is_hit")["compound"]
    )
    assert {r["Transfer Volume"] for r in rows} == {"25.0"}
    assert [*rows[0]][:5] == [
        "Source Plate Name", "Source Well", "Destination Plate Name",
        "Destination Well", "Transfer Volume",
    ]  # fmt: skip


def test_words_say_when_sources_are_wells_of_the_screen() -> None:
    picks, hits = picks_of(2)
    assay = transfers(picks.with_columns(source=pl.lit("assay")), hits, rules())
    assert pick_words(assay).startswith(
        "4 transfers to 2 plates; source wells are those"
    )
    assert pick_words(assay.clear()) == "no compound is picked"


def test_a_run_without_a_pick_list_loses_the_old_file(
    tables: RunTables, tmp_path: Path
) -> None:
    made = write_called(tmp_path, tables, picks=False)
    (made / "cherry_picks.csv").write_text("old")
    ended = run_verb("report", "run=r", f"runs={tmp_path}", "top=1")
    assert "no cherry_picks.csv: the run was called before picks" in ended.out
    assert not (made / "cherry_picks.csv").exists()
    assert main(["verify", "run=r", f"runs={tmp_path}"]) == 0


def test_nothing_is_written_from_damaged_picks(
    tables: RunTables, tmp_path: Path
) -> None:
    made = write_called(tmp_path, tables)
    with (made / "picks.parquet").open("r+b") as file:
        file.seek(40)
        file.write(b"\0\0\0\0")
    ended = run_verb("report", "run=r", f"runs={tmp_path}")
    assert ended.code == 7
    assert "picks.parquet" in ended.lines("OUTPUT_CHANGED")[0]
    assert not (made / "report.html").exists()


def no_one(t: RunTables) -> RunTables:
    return replace(t, compounds=t.compounds.with_columns(is_hit=False))


def test_a_run_without_hits_says_so(tables: RunTables, tmp_path: Path) -> None:
    made = write_called(tmp_path, no_one(tables))
    ended = run_verb("report", "run=r", f"runs={tmp_path}", "top=1")
    assert ended.code == 0
    assert "no hits.sdf: no compound is called or picked" in ended.out
    assert transfer_rows(made) == []
    assert len(cells(made / "hits.xlsx", "Hits")) == 1


def adjusted(name: str) -> Callable[[RunTables], RunTables]:
    def change(t: RunTables) -> RunTables:
        settings = t.call["settings"] | {"adjustment": name}
        return replace(t, call=t.call | {"settings": settings})

    return change


@pytest.mark.parametrize(
    ("name", "cited"), [("bh", "Hochberg"), ("by", "Yekutieli"), ("local", "Efron B")]
)
def test_methods_cite_what_the_run_used(
    tables: RunTables, name: str, cited: str
) -> None:
    text = methods_text(adjusted(name)(tables))
    references = text.partition("References\n")[2]
    assert cited in references
    assert sum(w in references for w in ("Hochberg", "Yekutieli", "Efron B")) == 1
    numbers = [line.split(".")[0] for line in references.splitlines()]
    assert all(f"[{n}]" in text for n in numbers)


def test_methods_hold_the_settings_and_counts_of_the_run(tables: RunTables) -> None:
    text = methods_text(tables)
    assert "2 plates with 192 mapped wells" in text
    assert "3 concentrations (0.3 µM to 10 µM)" in text
    assert "Hits have q up to 0.05 by the method of Benjamini and Hochberg" in text
    assert "whole interval of Z' lay below 0.3" in text
    assert "jax 0.10.2" in text
    assert "scaffold" not in text


def test_methods_of_one_vehicle_speak_of_robust_z(tables: RunTables) -> None:
    settings = tables.call["settings"] | {"min_z": 3.0, "min_effect": 0.2}
    call = tables.call | {"effect": "robust z", "settings": settings}
    bare = tables.plates.with_columns(z_prime=pl.lit(None, pl.Float64))
    text = methods_text(replace(tables, call=call, plates=bare))
    assert "a robust z of at least 3" in text
    assert "a rescue of at least" not in text
    assert "No plate has two vehicle groups" in text
    assert "Zhang" not in text


def test_methods_of_a_table_name_it_and_no_network(tables: RunTables) -> None:
    source = {"table": "plate\x1b[31m.csv", "columns": {}}
    text = methods_text(replace(tables, call=tables.call | {"source": source}))
    assert "the table plate\\u001b[31m.csv" in text
    assert "network" not in text


def test_the_method_section_shows_the_same_text(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    shown = (
        page.partition('id="methods-text"')[2].partition(">")[2].partition("</pre>")[0]
    )
    assert unescape(shown) == (folder / "methods.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("compounds", [*COMPOUNDS, *CHEMISTRY]),
        ("hits", HIT_COLUMNS),
        ("plates", [*PLATE_SCHEMA]),
    ],
    ids=["compounds", "hits", "plates"],
)
def test_columns_of_a_call_are_all_explained(table: str, names: list[str]) -> None:
    unknown = [n for n in names if not meaning(table, n) and n not in LEFT_OUT]
    assert unknown == []
