"""Parts of the compound room: files, alerts, descriptors, identities, names, storage."""

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import QED, DataStructs, rdFingerprintGenerator, rdinchi
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams
from rdkit.Chem.MolStandardize import rdMolStandardize

from plates import compounds, library_rows
from plates.alerts import CATALOGS, alerts, is_screened
from plates.compounds import SCHEMA, Library
from plates.descriptors import descriptors, fingerprint
from plates.killable import KillablePool
from plates.names import resolve, spelling, without_salt
from plates.parents import layered_keys, standard_parent
from plates.problems import InputError, Problem
from plates.structure_pool import PoolLimits, drawer, structure_pool
from screen.chemistry import shortened

REAL = Path(__file__).parents[1].parent / "shared/data"
SMILES = (
    "CC(=O)Oc1ccccc1C(=O)O", "CN1CCC[C@H]1c1cccnc1", "O=C1C=CC(=O)C=C1", "C1CO1",
    "CCN(CC)CCNC(=O)c1ccc(N)cc1.Cl", "[O-][N+](=O)c1ccccc1", "CS(=O)c1ccc(Br)cc1",
    "N#[N+]c1ccccc1", "C[n+]1ccccc1.[I-]", "OC(=O)CC(O)(CC(O)=O)C(O)=O", "CC#CC(=O)C",
    "FC(F)(F)c1cc(NC(=S)N2CCNCC2)ccc1", "O=C(/C=C/c1ccccc1)c1ccccc1", "C=CC(=O)OC",
    "Oc1ccc2ccccc2c1N=Nc1ccc(S(=O)(=O)[O-])cc1.[Na+]", "C1CC2CCC1C2", "CCCCCCCCCC",
    "O=c1[nH]c2ccccc2s1", "Clc1ccc(C=NNc2ccccc2)cc1", "NC(=N)NCCC[C@H](N)C(O)=O",
    "CN=[N+]=[N-]", "C12C3C4C1C5C2C3C45", "c1ccc2c(c1)ccc1ccccc12", "[Pt](Cl)(Cl)(N)N",
)  # fmt: skip


@pytest.fixture(scope="module")
def pool() -> Iterator[KillablePool]:
    with PoolLimits(processes=1).pool() as pool:
        yield pool


def molecule(smiles: str) -> Chem.Mol:
    return standard_parent(Chem.MolFromSmiles(smiles)).molecule


@pytest.mark.parametrize("smiles", SMILES)
def test_what_is_left_out_for_speed_changes_nothing(smiles: str) -> None:
    given = Chem.MolFromSmiles(smiles)
    clean = rdMolStandardize.Cleanup(given)
    main = rdMolStandardize.FragmentParent(clean, skipStandardize=True)
    whole = rdMolStandardize.Uncharger().uncharge(main)
    parent = standard_parent(given)
    assert parent.smiles == Chem.MolToSmiles(whole)
    keys = layered_keys(parent.molecule)
    assert keys.full == rdinchi.MolToInchiKey(parent.molecule)
    flat = rdinchi.MolToInchi(parent.molecule, "-SNon")[0]
    assert keys.no_stereo == rdinchi.InchiToInchiKey(flat)
    assert keys.connectivity == keys.full[:14]


def catalog() -> FilterCatalog:
    params = FilterCatalogParams()
    for name in CATALOGS:
        params.AddCatalog(getattr(FilterCatalogParams.FilterCatalogs, name))
    return FilterCatalog(params)


def told_by_rdkit(whole: FilterCatalog, parent: Chem.Mol) -> set[str]:
    found = whole.GetMatches(parent)
    return {f"{one.GetProp('FilterSet')}:{one.GetDescription()}" for one in found}


def test_the_screen_finds_the_alerts_of_the_whole_catalog() -> None:
    whole = catalog()
    assert is_screened()
    for smiles in SMILES:
        parent = molecule(smiles)
        assert set(alerts(parent)[0]) == told_by_rdkit(whole, parent), smiles


@pytest.mark.parametrize("smiles", SMILES)
def test_drug_likeness_is_that_of_rdkit(smiles: str) -> None:
    parent = molecule(smiles)
    ours = descriptors(parent, alerts(parent)[1])
    assert ours["qed"] == pytest.approx(QED.qed(parent), abs=1e-12)  # type: ignore[no-untyped-call]


def test_the_fingerprint_is_morgan_of_2048_bits() -> None:
    parent = molecule(SMILES[1])
    bits = np.unpackbits(np.frombuffer(fingerprint(parent), np.uint8))
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    expected = np.zeros(2048, np.uint8)
    DataStructs.ConvertToNumpyArray(generator.GetFingerprint(parent), expected)
    assert np.array_equal(bits, expected)


def library(pool: KillablePool, *rows: tuple[str, str, str]) -> Library:
    schema = ("compound", "name", "smiles")
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return Library.from_frame(frame, pool=pool)


def test_merges_splits_and_conflicts_have_their_reasons(pool: KillablePool) -> None:
    made = library(
        pool,
        ("a", "x", "CC(=O)O"),
        ("b", "x salt", "CC(=O)[O-].[K+]"),
        ("c", "x", "CC(=O)[O-]"),
        ("d", "x again", "OC(C)=O"),
        ("e", "L", "C[C@H](N)C(=O)O"),
        ("f", "D", "C[C@@H](N)C(=O)O"),
        ("g", "DL", "C[C@H](N)C(=O)O |&1:1|"),
        ("h", "x", "CCCC"),
        ("i", "heavy", "[13CH3]C(=O)O"),
        ("j", "pyridone", "O=c1cccc[nH]1"),
        ("k", "pyridinol", "Oc1ccccn1"),
        ("l", "unknown", ""),
        ("m", "unknown", ""),
    )
    found = made.identities().select("kind", "reason", "compound", "other").rows()
    assert set(found) == {
        ("merge", "salt", "b", "a"),
        ("merge", "charge", "c", "a"),
        ("merge", "same structure", "d", "a"),
        ("merge", "drawing", "k", "j"),
        ("split", "stereo", "f", "e"),
        ("split", "racemate", "g", "e"),
        ("split", "isotope", "i", "a"),
        ("conflict", "same name, several structures", "h", "a"),
    }
    same = dict(made.frame.select("compound", "same_as").iter_rows())
    assert {k: v for k, v in same.items() if v} == {
        "b": "a",
        "c": "a",
        "d": "a",
        "k": "j",
    }


def test_a_computed_library_reads_as_it_was_without_computing(
    pool: KillablePool, tmp_path: Path
) -> None:
    made = library(pool, ("a", "one", "CCO"), ("b", "two", "C1CC"), ("c", "three", ""))
    made.write(tmp_path / "library.parquet")
    with mock.patch.object(compounds, "read_structures", side_effect=AssertionError):
        read = Library.read(tmp_path / "library.parquet")
    assert read.frame.equals(made.frame)
    assert read.sha256() == made.sha256()
    assert read.frame.schema == SCHEMA


def test_another_rdkit_computes_the_library_anew_and_says_so(
    pool: KillablePool, tmp_path: Path
) -> None:
    made = library(pool, ("a", "one", "CCO"), ("b", "two", "C1CC"), ("c", "three", ""))
    with mock.patch.object(compounds, "STRUCTURE_VERSION", 0):
        made.write(tmp_path / "library.parquet")
    read = Library.read(tmp_path / "library.parquet", pool=pool)
    assert read.frame.equals(made.frame)
    assert next(warning.code for warning in read.warnings) == "LIBRARY_CHANGED"


def test_a_changed_library_is_refused(pool: KillablePool, tmp_path: Path) -> None:
    made = library(pool, ("a", "one", "CCO"))
    other = Library(made.frame.with_columns(inchikey=pl.lit("X")), "other")
    path = tmp_path / "library.parquet"
    with mock.patch.object(Library, "sha256", made.sha256):
        other.write(path)
    with pytest.raises(InputError, match="its checksum does not agree"):
        Library.read(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError):
        Library.read(path)


def test_tables_of_every_form_are_one_library(
    pool: KillablePool, tmp_path: Path
) -> None:
    frame = pl.DataFrame(
        {"ID": ["001", "NA"], "Compound Name": ["a", "b"], "SMILES": ["CCO", "CC"]}
    )
    frame.write_csv(tmp_path / "a.csv")
    frame.write_csv(tmp_path / "a.tsv", separator="\t")
    frame.write_parquet(tmp_path / "a.parquet")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [tuple(frame.columns), *frame.iter_rows()]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    files = [tmp_path / f"a.{end}" for end in ("csv", "tsv", "parquet", "xlsx")]
    sums = {Library.read(path, pool=pool).sha256() for path in files}
    assert len(sums) == 1


def test_uncommon_headers_are_named_and_further_columns_carried(
    pool: KillablePool, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("CAT NO,Struct,Also,Other,Vendor\nx1,CCO,spirit; EtOH,alcohol,V\n")
    columns = {"compound": "cat no", "smiles": "struct", "synonyms": "also,other"}
    read = Library.read(path, columns, ["Vendor"], pool=pool)
    row = read.frame.row(0, named=True)
    assert (row["compound"], row["vendor"]) == ("x1", "V")
    assert row["synonyms"] == ["spirit", "EtOH", "alcohol"]
    assert read.warnings == ()


def test_an_id_that_was_a_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"compound": [1], "smiles": ["CC"]}).write_parquet(path)
    with pytest.raises(InputError, match="must hold text"):
        Library.read(path)


def test_a_packed_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sdf.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00 and no more")
    with pytest.raises(InputError, match="TABLE_UNREADABLE"):
        Library.read(path)


NAMES = [
    ("C1", "C1", "id"),
    ("Isoproterenol Hydrochloride", "C1", "name"),
    ("isoprenaline", "C1", "synonym"),
    ("(?)-Isoproterenol hydrochloride", "C1", "name, spelling"),
    ("ISOPROTERENOL", "C1", "salt stripped"),
    ("Isoproterenol (+)-bitartrate salt", "C1", "salt stripped"),
    ("Isoprenaline sulfate dihydrate", "C1", "salt stripped, synonym"),
    ('3"-Azido-3"-deoxythymidine', "C2", "name, spelling"),
    ("(+)-Verapamil hydrochloride", "", "none"),
    ("twin", "", "ambiguous"),
    ("batch", "C5", "name"),
    ("Cortisone", "", "none"),
    ("", "", "none"),
]


def test_names_are_found_and_how_is_told() -> None:
    rows = [
        ("C1", "Isoproterenol hydrochloride", ["Isoprenaline"], "K1"),
        ("C2", "3'-azido-3'-deoxythymidine", [], "K2"),
        ("C3", "twin", [], "K3"),
        ("C4", "Twin", [], "K4"),
        ("C5", "batch", [], "K5"),
        ("C6", "batch", [], "K5"),
        ("C7", "(-)-Verapamil hydrochloride", [], "K7"),
        ("C8", "Hydrocortisone acetate", [], "K8"),
    ]
    schema = ("compound", "name", "synonyms", "parent_key")
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    found = resolve([name for name, _, _ in NAMES], frame)
    assert found.select("name", "compound", "how").rows() == NAMES
    twins = found.row(by_predicate=pl.col("name") == "twin", named=True)
    assert twins["candidates"] == ["C3", "C4"]


def test_a_hostile_structure_is_not_drawn_and_harms_nobody() -> None:
    with structure_pool(1) as pool:
        draw = drawer(pool, 100, 80)
        drawn = [draw(smiles) for smiles in ("CCO", "(" * 2000, "", "CCN")]
    assert [text.startswith("<svg") for text in drawn] == [True, False, False, True]


def test_many_warnings_of_one_code_are_told_in_short() -> None:
    many = [Problem("A", f"x:{n}", "found", "why", "remedy") for n in range(100)]
    told = shortened([*many, Problem("B", "y", "found", "why", "remedy")])
    assert len(told) == 32
    assert "70 more" in str(told[30])


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40))
def test_any_text_is_a_name(name: str) -> None:
    assert spelling(spelling(name)) == spelling(name)
    assert len(without_salt(name)) <= 3 * len(name) + 3


def test_a_library_of_ten_takes_no_seconds(pool: KillablePool) -> None:
    assert library_rows.SCHEMA["fingerprint"] == pl.Binary()
    made = library(pool, *((f"C{n}", "", "C" * (n + 1)) for n in range(10)))
    assert made.frame["fingerprint"].bin.size().to_list() == [256] * 10


@pytest.mark.real
@pytest.mark.slow
def test_the_repurposing_library_tells_all_that_is_wrong(tmp_path: Path) -> None:
    path = REAL / "repurposing_screen" / "repurposing_info.tsv.gz"
    if not path.is_file():
        pytest.skip(f"no real data at {path}")
    read = Library.read(path)
    rows = read.frame.unique("smiles").filter(pl.col("smiles") != "")
    bad = rows.filter(pl.col("parent_smiles") == "")
    assert (rows.height, bad.height) == (6806, 22)
    assert set(bad["code"]) == {"CMPD_SMILES_INVALID"}
    assert all("RDKit" in reason for reason in bad["reason"])
    kinds = set(read.identities().select("kind", "reason").iter_rows())
    assert kinds >= {("merge", "salt"), ("split", "stereo"), ("merge", "charge")}
    lopac = Library.read(REAL / "lopac_screen" / "lopac.sdf.gz")
    assert lopac.frame.height == 1283
    assert lopac.frame.filter(pl.col("parent_smiles") != "").height == 1282
    wells = pl.read_csv(REAL / "lopac_screen" / "wells.csv.gz", infer_schema=False)
    samples = wells.filter(pl.col("Annotation") == "sample")["chemical_name"]
    names = samples.drop_nulls().unique().sort()
    found = resolve(names, lopac.frame, read.frame)
    assert names.len() == 1276
    assert found.filter(pl.col("compound") != "").height >= 1166
    assert found["how"].null_count() == 0
    whole = catalog()
    for smiles in rows["parent_smiles"].gather_every(40):
        parent = Chem.MolFromSmiles(smiles) if smiles else None
        if parent is not None:
            assert set(alerts(parent)[0]) == told_by_rdkit(whole, parent), smiles
