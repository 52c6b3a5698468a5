"""Compound libraries: no row is lost, and a reason stands where a structure does not."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from plates.compounds import SCHEMA, Library
from plates.problems import InputError
from plates.structure_pool import PoolLimits
from plates.structures import DESCRIPTORS, structure_svg

REAL = Path(__file__).parents[1].parent / "shared/data/repurposing_screen"
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


# One process for all: it takes a moment to start.
POOL = PoolLimits(processes=1).pool()


@pytest.fixture(scope="module", autouse=True)
def _pool() -> Iterator[None]:
    with POOL:
        yield


def library(*rows: tuple[str, str], name: str = "") -> Library:
    columns = ("compound", "smiles")
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    return Library.from_frame(frame.with_columns(name=pl.lit(name)), pool=POOL)


def one(smiles: str) -> dict[str, object]:
    return library(("C-1", smiles)).frame.row(0, named=True)


def test_a_known_compound_has_its_published_numbers() -> None:
    frame = library(("C-1", ASPIRIN), name="aspirin").frame
    assert frame.schema == SCHEMA
    row = frame.row(0, named=True)
    assert row["inchikey"] == "BSYNRYMUTXBXSQ-UHFFFAOYSA-N"
    assert row["formula"] == "C9H8O4"
    assert row["scaffold"] == "c1ccccc1"
    assert row["mol_weight"] == pytest.approx(180.16, abs=0.01)
    assert row["tpsa"] == pytest.approx(63.6, abs=0.1)
    assert (row["h_donors"], row["h_acceptors"], row["rotatable_bonds"]) == (1, 3, 2)
    assert (row["name"], row["code"], row["reason"]) == ("aspirin", "", "")


BAD = {
    "unclosed ring": ("C1CC", "CMPD_SMILES_INVALID", "unclosed ring"),
    "parser bomb": ("(" * 1999, "CMPD_SMILES_INVALID", "syntax error"),
    "prose": ("see the note", "CMPD_SMILES_INVALID", "syntax error"),
    "unicode minus": ("CC(=O)[O\N{MINUS SIGN}]", "CMPD_SMILES_INVALID", "U+2212"),
    "five bonds": ("C(C)(C)(C)(C)C", "CMPD_SANITIZE_FAILED", "Explicit valence for atom # 0 C"),
    "no kekule form": ("c1cccc1", "CMPD_SANITIZE_FAILED", "Can't kekulize"),
    "empty": ("", "CMPD_NO_STRUCTURE", "no SMILES"),
    "blank": (" \u00a0\u200b", "CMPD_NO_STRUCTURE", "no SMILES"),
    "nan": ("NaN", "CMPD_NO_STRUCTURE", "stands for no SMILES"),
    "number": ("12.5", "CMPD_NO_STRUCTURE", "the number 12.5"),
    "too long": ("C" * 2001, "CMPD_TOO_LARGE", "2001 characters"),
    "too many atoms": ("C" * 501, "CMPD_TOO_LARGE", "501 heavy atoms"),
}  # fmt: skip


@pytest.mark.parametrize(("smiles", "code", "reason"), BAD.values(), ids=BAD)
def test_a_bad_smiles_keeps_its_row_with_a_reason(
    smiles: str, code: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = library(("C-1", "CCO"), ("C-2", smiles), ("C-3", "CCN")).frame
    assert frame["compound"].to_list() == ["C-1", "C-2", "C-3"]
    assert frame["code"].to_list() == ["", code, ""]
    assert reason in frame["reason"][1]
    assert len(frame["reason"][1]) <= 300
    assert frame.select(DESCRIPTORS).row(1) == (None,) * len(DESCRIPTORS)
    assert capfd.readouterr() == ("", "")


def test_null_smiles_is_no_structure() -> None:
    frame = pl.DataFrame({"compound": ["C-1"], "smiles": [None]})
    assert (
        Library.from_frame(frame, pool=POOL).frame["code"].item() == "CMPD_NO_STRUCTURE"
    )


@pytest.mark.parametrize(
    ("smiles", "code"),
    [
        ("CCO ethanol", "CMPD_SMILES_TRAILING"),
        ('"CCO"', ""),
        ("CC\u200bO", ""),
        ("\ufeffCCO", ""),
    ],
    ids=["name", "quotes", "zero width", "mark"],
)
def test_what_is_taken_off_a_smiles_is_said(smiles: str, code: str) -> None:
    row = one(smiles)
    assert (row["parent_smiles"], row["code"]) == ("CCO", code)
    assert row["reason"] != ""


@pytest.mark.parametrize("extension", ["|c:4|", "|&1:1,r|", "|t:1, c:3|"])
def test_an_extended_smiles_is_one_structure(extension: str) -> None:
    row = one(f"C[C@H](O)C1=CCCC1 {extension}")
    assert (row["code"], row["reason"]) == ("", "")
    assert row["inchikey"] == one("C[C@H](O)C1=CCCC1")["inchikey"]


@pytest.mark.parametrize(
    ("smiles", "parent", "is_salt"),
    [
        ("[Na+].CC(=O)[O-]", "CC(=O)O", True),
        ("C[NH3+].[Cl-]", "CN", True),
        ("O.CCO", "CCO", True),
        ("C[NH3+]", "CN", False),
        ("C[N+](C)(C)C", "C[N+](C)(C)C", False),
        ("CCO", "CCO", False),
    ],
)
def test_the_parent_is_the_uncharged_main_part(
    smiles: str, parent: str, is_salt: bool
) -> None:
    row = one(smiles)
    assert (row["smiles"], row["parent_smiles"], row["is_salt"]) == (
        smiles,
        parent,
        is_salt,
    )


def test_salts_of_one_parent_point_to_the_first() -> None:
    frame = library(("A", "CC(=O)O"), ("B", "CCO"), ("C", "[Na+].CC(=O)[O-]")).frame
    assert frame["same_as"].to_list() == ["", "", "A"]


def test_rows_without_key_are_alike_in_nothing() -> None:
    frame = library(("A", "*CC"), ("B", "*CC"), ("C", ""), ("D", "")).frame
    assert frame["same_as"].to_list() == [""] * 4


def test_an_open_atom_has_no_descriptors() -> None:
    row = one("*CC")
    assert (row["parent_smiles"], row["code"], row["mol_weight"]) == ("*CC", "", None)
    assert "no descriptors" in str(row["reason"])


def test_one_id_with_two_structures_is_refused() -> None:
    message = r"CMPD_ID_CONFLICT library:1-2: compound 'A' with 2 structures"
    with pytest.raises(InputError, match=message):
        library(("A", "CCO"), ("A", "CCN"))


@pytest.mark.parametrize("second", ["OCC", ""], ids=["same structure", "none given"])
def test_one_id_with_one_structure_is_merged_with_a_warning(second: str) -> None:
    merged = library(("A", second), ("A", "CCO"), ("B", "CCN"))
    assert merged.frame["compound"].to_list() == ["A", "B"]
    assert merged.frame["inchikey"][0] == "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"
    assert [warning.code for warning in merged.warnings] == ["CMPD_DUPLICATE"]


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(InputError) as caught:
        library(("A", "CCO"), ("A", "CCN"), ("", "CCO"))
    codes = {problem.code for problem in caught.value.problems}
    assert codes == {"CMPD_ID_CONFLICT", "CMPD_ID_MISSING"}


def test_a_file_reads_as_its_frame(tmp_path: Path) -> None:
    path = tmp_path / "library.csv"
    path.write_text(
        "Compound;SMILES;Supplier\nNA;CCO;x\n001;C1CC;y\n", encoding="utf-8"
    )
    read = Library.read(path, pool=POOL)
    assert read.frame["compound"].to_list() == ["NA", "001"]
    assert read.sha256() == library(("NA", "CCO"), ("001", "C1CC")).sha256()
    codes = [warning.code for warning in read.warnings]
    assert codes == ["CMPD_COLUMN_IGNORED", "CMPD_SMILES_INVALID"]


def test_a_missing_column_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    path = tmp_path / "library.csv"
    path.write_text("compound,smile\nA,CCO\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"CMPD_COLUMN_MISSING .* did you mean 'smile'"
    ):
        Library.read(path)


def test_compounds_without_a_row_are_named() -> None:
    assert library(("A", "CCO")).unknown(["", "B", "A", "B"]) == ("B",)


def test_hostile_names_stay_as_they_are() -> None:
    names = ("=HYPERLINK(1)", "<script>", "\u202eabc", "None")
    frame = library(*((name, "CCO") for name in names)).frame
    assert frame["compound"].to_list() == list(names)


def test_a_drawing_stands_alone() -> None:
    svg = structure_svg(ASPIRIN, 200, 150)
    root = ElementTree.fromstring(svg)
    assert svg.startswith("<svg")
    assert svg.endswith("</svg>")
    assert (root.get("width"), root.get("height")) == ("200px", "150px")
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert "<rect" not in svg


@pytest.mark.parametrize("smiles", ["", "C1CC", "C" * 501])
def test_nothing_is_drawn_of_a_bad_smiles(smiles: str) -> None:
    with pytest.raises(ValueError, match="CMPD_"):
        structure_svg(smiles, 100, 100)


@pytest.mark.real
def test_keys_agree_with_the_repurposing_hub() -> None:
    path = REAL / "repurposing_info.tsv.gz"
    if not path.is_file():
        pytest.skip(f"no real data at {path}")
    table = pl.read_csv(path, separator="\t", infer_schema=False, quote_char=None)
    table = table.filter(pl.col("smiles") != "").gather_every(120)
    frame = table.select(compound="broad_id", smiles="smiles")
    read = Library.from_frame(frame, pool=POOL).frame
    ours, theirs = read["inchikey"].str.head(14), table["InChIKey"].str.head(14)
    assert read.height == table.height
    n_keys = read.filter(ours != "").height
    assert n_keys >= 0.97 * table.height
    assert read.filter(ours == theirs).height >= 0.98 * n_keys
