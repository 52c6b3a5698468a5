"""Catalogue of bad inputs, part D: compounds, through the verbs to the tables."""

import ast
import csv
import gzip
import io
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl
import pytest

from plates.compounds import Library
from plates.killable import KillablePool
from plates.structure_pool import PoolLimits
from plates.structures import RDKIT_VERSION
from tests.catalogue import Ended, Lab, make_lab, run_verb, told
from tests.deadly_items import read_or_die

ALANINE = "C[C@H](N)C(=O)O"
FORMULA, SCRIPT = "=HYPERLINK(1)", "<script>alert(1)</script>"
LONG = "long " * 6000
# id: name, SMILES. Every one of them is in a well.
ROWS = {
    "ok": ("ethanol", "CCO"),
    "unclosed": ("unclosed", "C1CC"),
    "empty": ("empty", ""),
    "nan": ("nan", "NaN"),
    "number": ("number", "12.5"),
    "named": ("named", "CCCO propanol"),
    "minus": ("minus", "CC(=O)[O\N{MINUS SIGN}]"),
    "nbsp": ("nbsp", "\u00a0CCN\u200b"),
    "salt": ("sodium acetate", "CC(=O)[O-].[Na+]"),
    "acid": ("acetic acid", "CC(=O)O"),
    "characters": ("characters", "C" * 2001),
    "endless": ("endless", "C" * 300_000),
    "atoms": ("atoms", "C" * 501),
    "bomb": ("bomb", "(" * 2000),
    "slow": ("slow", "[U]CC"),
    "deadly": ("deadly", "[Pu]CC"),
    "phosphate": ("hexafluorophosphate", "F[P-](F)(F)(F)(F)F"),
    "same": ("alcohol", "OCC"),
    "twin1": ("twin", "CCCC"),
    "twin2": ("twin", "CCCCC"),
    "pyridone": ("pyridone", "O=c1cccc[nH]1"),
    "hydroxypyridine": ("hydroxypyridine", "Oc1ccccn1"),
    "polymer1": ("polymer 1", "*CC*"),
    "polymer2": ("polymer 2", "*CC*"),
    "unicode": ("cafe\u0301 \u202e\U0001f9ea", "CCCCO"),
    "control": ("bell\a and\nline", "CCCCCO"),
    "long": (LONG, "CCCCCCO"),
    "formula": (FORMULA, "CCCCCCCO"),
    "script": (SCRIPT, "CCCCCCCCO"),
    "L": ("L-alanine", ALANINE),
    "racemate": ("DL-alanine", f"{ALANINE} |&1:1|"),
    "stereo": ("some alanine", "CC(N)C(=O)O"),
    "isotope": ("heavy methane", "[13CH4]"),
}
MAPPED = [*ROWS, "unlisted", "Sodium Acetate hydrate"]


@dataclass(frozen=True)
class Screen:
    """A screen of the compounds above from ingest to call."""

    lab: Lab
    ingested: Ended
    called: Ended
    seconds: float
    library: pl.DataFrame
    compounds: pl.DataFrame

    def row(self, compound: str) -> dict[str, Any]:
        """A compound's row of the table that call wrote."""
        return self.compounds.row(
            by_predicate=pl.col("compound") == compound, named=True
        )

    def line(self, code: str, compound: str) -> str:
        """What ingest said of a compound, with its code."""
        (line,) = [x for x in self.ingested.lines(code) if f"{compound!r}" in x]
        return line


def library_text() -> str:
    """The library as CSV, quoted where it must be."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("Compound ID", "Name", "SMILES"))
    writer.writerows((key, *row) for key, row in ROWS.items())
    return text.getvalue()


def map_lines(wells: tuple[str, ...]) -> list[str]:
    """Two healthy and two stressed vehicle wells, then a well for each compound."""
    vehicles = ["unstressed", "unstressed", "stressed", "stressed"]
    lines = [
        f"P1,{well},,,vehicle,{state},1,b1"
        for well, state in zip(wells, vehicles, strict=False)
    ]
    lines += [
        f"P1,{well},{compound},10,treatment,stressed,1,b1"
        for well, compound in zip(wells[4:], MAPPED, strict=False)
    ]
    return lines + [
        f"P1,{w},,,no_cells,stressed,1,b1" for w in wells[4 + len(MAPPED) :]
    ]


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    """The screen, whose process ends at plutonium and takes for ever over uranium."""
    lab = make_lab(tmp_path_factory.mktemp("compounds"), n_wells=48, n_fields=1)
    lab.library.write_text(library_text(), encoding="utf-8", newline="")
    lab.write_map(map_lines(lab.wells))
    limits = partial(PoolLimits, seconds=1.0, processes=1)
    start = time.monotonic()
    with (
        mock.patch("plates.structure_pool.read_drawing", read_or_die),
        mock.patch("plates.structure_pool.PoolLimits", limits),
    ):
        ingested = lab.ingest()
    seconds = time.monotonic() - start
    lab.score()
    called = lab.call()
    table = pl.read_parquet(lab.runs / "r" / "compounds.parquet")
    library = pl.read_parquet(lab.out / "library.parquet")
    return Screen(lab, ingested, called, seconds, library, table)


def kept(screen: Screen, compound: str, code: str, reason: str) -> None:
    """The compound has its row, code and reason, no structure, and a scored well."""
    row = screen.row(compound)
    assert (row["code"], row["parent_smiles"], row["inchikey"]) == (code, "", "")
    assert reason in row["reason"]
    scored(screen, compound)


def scored(screen: Screen, compound: str) -> None:
    """The verbs ended well and the compound's well has a score."""
    told(screen.ingested, 0)
    told(screen.called, 0)
    hits = screen.lab.hits().filter(pl.col("compound") == compound)
    assert hits["status"].to_list() == ["SCORED"]
    assert hits["score"].null_count() == 0


def test_D01_an_invalid_smiles_keeps_its_row_and_rdkits_reason(screen: Screen) -> None:
    kept(screen, "unclosed", "CMPD_SMILES_INVALID", "unclosed ring")
    line = screen.line("CMPD_SMILES_INVALID", "unclosed")
    assert "library.csv:3" in line
    assert "correct its structure" in line


def test_D02_an_empty_smiles_is_no_structure(screen: Screen) -> None:
    kept(screen, "empty", "CMPD_NO_STRUCTURE", "no SMILES")


@pytest.mark.parametrize("compound", ["nan", "number"])
def test_D03_no_text_is_no_structure(screen: Screen, compound: str) -> None:
    kept(screen, compound, "CMPD_NO_STRUCTURE", ROWS[compound][1])


def test_D04_what_stands_around_a_smiles_is_taken_off_and_said(screen: Screen) -> None:
    named, clean = screen.row("named"), screen.row("nbsp")
    assert (named["parent_smiles"], named["code"]) == ("CCCO", "CMPD_SMILES_TRAILING")
    assert "'propanol'" in named["reason"]
    assert (clean["parent_smiles"], clean["code"]) == ("CCN", "")
    assert "invisible" in clean["reason"]
    kept(screen, "minus", "CMPD_SMILES_INVALID", "U+2212")


def test_D05_a_salt_keeps_its_form_and_gets_its_parent(screen: Screen) -> None:
    salt, acid = screen.row("salt"), screen.row("acid")
    assert salt["smiles"] == ROWS["salt"][1]
    assert (salt["is_salt"], salt["salt"]) == (True, "sodium")
    assert salt["inchikey"] == acid["inchikey"] != ""
    assert "acid" in salt["aliases"].split(";")
    pairs = pl.read_parquet(screen.lab.out / "identities.parquet")
    pair = pairs.row(by_predicate=pl.col("compound") == "acid", named=True)
    assert (pair["kind"], pair["reason"], pair["other"]) == ("merge", "salt", "salt")
    assert (screen.lab.out / "identities.csv").is_file()


@pytest.mark.parametrize(
    ("compound", "reason"),
    [
        ("characters", "2001 characters, the limit is 2000"),
        ("endless", "300000 characters"),
        ("atoms", "501 heavy atoms, the limit is 500"),
    ],
)
def test_D06_an_enormous_molecule_is_refused_by_its_size(
    screen: Screen, compound: str, reason: str
) -> None:
    kept(screen, compound, "CMPD_TOO_LARGE", reason)


def test_D07_a_parser_bomb_ends_and_a_slow_molecule_is_stopped(screen: Screen) -> None:
    kept(screen, "bomb", "CMPD_SMILES_INVALID", "syntax error")
    kept(screen, "slow", "CMPD_TIMEOUT", "not read within 1 s")


def test_D07_a_bomb_ends_at_once_under_its_cap(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv"
    path.write_text("compound,smiles\n" + f"c1,{'(' * 2000}\n" + f"c2,{'C(' * 999}\n")
    limits = PoolLimits(memory_bytes=2 * 2**30, processes=1)
    start = time.process_time()
    frame = Library.read(path, limits=limits).frame
    assert time.process_time() - start < 2
    assert set(frame["code"]) == {"CMPD_SMILES_INVALID"}


def test_D08_a_crash_costs_one_molecule(screen: Screen) -> None:
    kept(screen, "deadly", "CMPD_CRASH", "SIGSEGV")
    assert "leave it out" not in screen.row("ok")["reason"]
    assert screen.row("ok")["parent_smiles"] == "CCO"
    assert screen.library.height == len(ROWS)


def test_D09_no_call_that_ignores_time_limits_is_in_the_run_path() -> None:
    root = Path(__file__).parents[1]
    slow = {"FindMCS", "EmbedMolecule", "EmbedMultipleConfs", "DetermineBondOrders"}
    called = set()
    for room in ("plates", "screen"):
        for path in (root / room).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            called |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
            called |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert not slow & called


def test_D10_chemistry_that_rdkit_refuses_keeps_its_row(screen: Screen) -> None:
    kept(screen, "phosphate", "CMPD_SANITIZE_FAILED", "Explicit valence")


def test_D11_one_structure_under_several_names_is_listed_not_pooled(
    screen: Screen,
) -> None:
    assert screen.row("same")["aliases"] == "ok"
    assert screen.row("ok")["aliases"] == "same"
    assert screen.row("ok")["merged"] == ""
    assert screen.row("ok")["n_wells"] == 1


def test_D11_doses_are_pooled_where_config_says_so(screen: Screen) -> None:
    out = screen.lab.root / "pooled"
    told(screen.lab.call("merge=true", f"out={out}"), 0)
    table = pl.read_parquet(out / "compounds.parquet")
    row = table.row(by_predicate=pl.col("compound") == "ok", named=True)
    assert (row["n_wells"], row["merged"]) == (2, "same")
    assert "same" not in table["compound"]
    hits = pl.read_parquet(out / "hits.parquet")
    assert set(hits["compound"]) >= {"ok", "same"}


def test_D12_one_id_with_several_structures_is_refused(screen: Screen) -> None:
    lab = screen.lab
    path = lab.root / "conflict.csv"
    path.write_text("compound,name,smiles\nx,one,CCO\ny,y,CC\nx,two,CCN\n")
    ended = lab.ingest(f"library={path}", f"out={lab.root / 'other'}", "dry_run=true")
    told(ended, 3, "CMPD_ID_CONFLICT", "conflict.csv:2, 4", "'x'", "one line")


def test_D12_one_name_with_several_structures_joins_nothing(screen: Screen) -> None:
    (line,) = screen.ingested.lines("CMPD_ID_CONFLICT")
    assert "'twin1'" in line
    assert "'twin2'" in line
    assert screen.row("twin1")["parent_smiles"] == "CCCC"
    scored(screen, "twin2")


def test_D13_no_tautomer_step_and_the_version_is_stored(
    screen: Screen, pool: KillablePool
) -> None:
    one, other = screen.row("pyridone"), screen.row("hydroxypyridine")
    assert one["parent_smiles"] != other["parent_smiles"]
    library = Library.read(screen.lab.out / "library.parquet")
    assert library.rdkit == RDKIT_VERSION
    parents = library.frame.filter(pl.col("parent_smiles") != "")
    again = Library.from_frame(
        parents.select("compound", smiles="parent_smiles"), pool=pool
    )
    assert again.frame["parent_smiles"].equals(parents["parent_smiles"])


def test_D14_an_empty_key_joins_nothing(screen: Screen) -> None:
    for compound in ("polymer1", "polymer2"):
        row = screen.row(compound)
        assert (row["inchikey"], row["aliases"]) == ("", "")
        assert row["parent_smiles"] == "*CC*"


def test_D15_any_name_is_stored_whole_and_shown_escaped(screen: Screen) -> None:
    names = dict(screen.library.select("compound", "name").iter_rows())
    assert names["unicode"] == "caf\u00e9 \u202e\U0001f9ea"
    assert names["control"] == "bell\a and\nline"
    assert names["long"] == LONG.strip()
    assert "\a" not in screen.ingested.text
    assert "\u202e" not in screen.ingested.text
    folders = [path.name for path in screen.lab.root.rglob("*")]
    assert not [name for name in folders if "caf" in name or "long" in name]


def test_D16_a_formula_and_html_are_raw_inside_and_escaped_outside(
    screen: Screen,
) -> None:
    assert screen.row("formula")["name"] == FORMULA
    assert screen.row("script")["name"] == SCRIPT
    text = (screen.lab.runs / "r" / "compounds.csv").read_text()
    assert f"'{FORMULA}" in text
    assert not re.search(rf"(^|,){re.escape(FORMULA)}", text)
    ended = run_verb("report", f"runs={screen.lab.runs}", "run=r")
    told(ended, 0)
    page = (screen.lab.runs / "r" / "report.html").read_text()
    assert SCRIPT not in page


def test_D17_a_compound_without_a_row_is_named_and_its_well_scored(
    screen: Screen,
) -> None:
    (line,) = screen.ingested.lines("CMPD_UNKNOWN")
    assert "unlisted" in line
    row = screen.row("unlisted")
    assert (row["code"], row["matched_by"]) == ("CMPD_UNKNOWN", "none")
    scored(screen, "unlisted")
    found = screen.row("Sodium Acetate hydrate")
    assert (found["library_id"], found["matched_by"]) == ("salt", "salt stripped")
    assert screen.row("ok")["matched_by"] == "id"


MOL = """{title}
  made by hand

  2  1  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.5000    0.0000    0.0000 {atom}   0  0
  1  2  {bond}  0
M  END
> <ID>
{id}

"""


def sd_file(*ends: str) -> str:
    """Four records: the second has a triple bond at oxygen; each is closed by its end."""
    atoms = [("one", "O", 1), ("two", "O", 3), ("three", "N", 1), ("four", "S", 1)]
    return "".join(
        MOL.format(title=title, atom=atom, bond=bond, id=f"S{n}") + end
        for n, ((title, atom, bond), end) in enumerate(zip(atoms, ends, strict=True), 1)
    )


GOOD = "$$$$\n"


@pytest.fixture(scope="module")
def pool() -> Iterator[KillablePool]:
    with PoolLimits(processes=1).pool() as pool:
        yield pool


def test_D18_an_sd_file_goes_through_the_verb(screen: Screen) -> None:
    path = screen.lab.root / "set.sdf"
    path.write_text(sd_file(GOOD, GOOD, GOOD, GOOD))
    words = (f"library={path}", f"out={screen.lab.root / 'other'}", "dry_run=true")
    told(screen.lab.ingest(*words), 0, "CMPD_SANITIZE_FAILED", "record 2 (two)", "'S2'")


@pytest.mark.parametrize(
    "text",
    [
        sd_file(GOOD, GOOD, GOOD, GOOD),
        sd_file(GOOD, GOOD, GOOD, ""),
        sd_file(GOOD, GOOD, "", GOOD),
        sd_file(GOOD, GOOD, GOOD, GOOD).replace("\n", "\r\n"),
    ],
    ids=["whole", "last end missing", "end missing", "CRLF"],
)
@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gz"])
def test_D18_a_bad_record_is_named_and_the_rest_read(
    pool: KillablePool, tmp_path: Path, text: str, is_packed: bool
) -> None:
    data = text.encode()
    path = tmp_path / ("set.sdf.gz" if is_packed else "set.sdf")
    path.write_bytes(gzip.compress(data) if is_packed else data)
    library = Library.read(path, pool=pool)
    frame = library.frame
    (warning,) = library.warnings
    assert "record 2 (two): compound 'S2'" in str(warning)
    assert frame["compound"].to_list() == ["S1", "S2", "S3", "S4"]
    assert frame["parent_smiles"].to_list() == ["CO", "", "CN", "CS"]


def test_D19_what_a_structure_leaves_open_is_marked(screen: Screen) -> None:
    marks = {name: screen.row(name)["marks"] for name in ROWS}
    assert marks["stereo"] == "stereo undefined at 1"
    assert marks["racemate"] == "racemate"
    assert marks["isotope"] == "isotopes"
    assert marks["polymer1"] == "open atoms"
    assert screen.row("polymer1")["mol_weight"] is None
    assert screen.row("L")["aliases"] == ""
    pairs = pl.read_parquet(screen.lab.out / "identities.parquet")
    split = pairs.filter(pl.col("kind") == "split")
    assert set(split["reason"]) >= {"stereo", "racemate"}
    scored(screen, "racemate")
