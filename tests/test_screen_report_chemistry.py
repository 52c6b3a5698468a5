"""Families, cliffs and the map: statistics against hand and scipy, the section in a browser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem, DataStructs
from scipy import stats

from plates.descriptors import fingerprint
from plates.structure_pool import drawer, structure_pool
from plates.structure_records import fingerprints
from plates.wells import PlateFormat
from screen.report.chemistry import Chemistry, find_chemistry
from screen.report.chemistry.cliffs import cliffs, sali
from screen.report.chemistry.enrichment import enrichment, enrichment_p, odds_ratio
from screen.report.chemistry.parents import parents
from screen.report.chemistry.similarity import Plane, nearest, plane, tanimoto
from screen.report.packed import packed
from screen.report.page import Extras, render
from screen.report.section import Facts
from screen.report.sections.chemistry import chemistry_island, section
from screen.report.tables import RunTables
from tests.browser import NARROW, WIDE, Browser
from tests.called_run import with_structures
from tests.report_example import example_tables

TEXTS = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "O=C(O)c1ccccc1O",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "CCO",
)


@pytest.fixture(scope="module")
def tables() -> RunTables:
    made = example_tables(1, 384)
    return replace(made, compounds=with_structures(made.compounds))


@pytest.fixture(scope="module")
def found(tables: RunTables) -> Chemistry:
    with structure_pool(1) as pool:
        chemistry = find_chemistry(tables.compounds, pool)
    assert chemistry is not None
    return chemistry


def compounds(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A compound table of rows that name only what matters."""
    usual = {
        "rank": None, "compound": "", "name": "", "class": "inactive", "is_hit": False,
        "scaffold": "", "smiles": "", "parent_smiles": "", "rescue": None,
        "rescue_low": None, "rescue_high": None,
    }  # fmt: skip
    numbered = [
        usual | {"rank": i + 1, "compound": f"C{i}"} | r for i, r in enumerate(rows)
    ]
    return RunTables.complete(
        pl.DataFrame(), pl.DataFrame(), pl.DataFrame(numbered, infer_schema_length=None), {}, {}
    ).compounds  # fmt: skip


def test_salts_lines_and_times_of_a_parent_are_one() -> None:
    rows: list[dict[str, Any]] = [
        {"parent_smiles": "CCO", "class": "inactive", "line": "a"},
        {"parent_smiles": "CCO", "is_hit": True, "line": "b"},
        {"parent_smiles": "CCN", "class": "failed"},
        {"smiles": "CCC"},
        {"parent_smiles": ""},
    ]
    table = parents(compounds(rows))
    assert table["structure"].to_list() == ["CCO", "CCC"]
    assert table["is_hit"].to_list() == [True, False]
    assert table["rank"].to_list() == [1, 4]


def test_enrichment_by_hand() -> None:
    # 3 of 4 in the family are hits, 5 of 10 in all: (C(5,3) C(5,1) + C(5,4)) / C(10,4).
    assert enrichment_p(3, 4, 5, 10) == pytest.approx((10 * 5 + 5) / 210)
    assert enrichment_p(0, 4, 5, 10) == pytest.approx(1.0)


@given(st.integers(1, 60), st.data())
def test_enrichment_is_the_exact_test_of_scipy(n_all: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n_all))
    n = data.draw(st.integers(1, n_all))
    inside = data.draw(st.integers(max(0, n + hits - n_all), min(n, hits)))
    table = [[inside, n - inside], [hits - inside, n_all - n - hits + inside]]
    wanted = stats.fisher_exact(table, alternative="greater").pvalue
    assert enrichment_p(inside, n, hits, n_all) == pytest.approx(wanted, rel=1e-9)


def test_odds_ratio_by_hand() -> None:
    odds = odds_ratio(3, 4, 5, 10)
    a, b, c, d = 3.5, 1.5, 2.5, 4.5
    error = math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    assert odds.value == pytest.approx(a * d / (b * c))
    assert odds.low == pytest.approx(odds.value * math.exp(-1.959964 * error), rel=1e-6)
    assert odds.high == pytest.approx(odds.value * math.exp(1.959964 * error), rel=1e-6)


def test_families_are_adjusted_together_and_ordered() -> None:
    scaffolds = ["A"] * 4 + ["B"] * 5 + ["C"] * 3 + ["D"] + [""] * 7
    hit = [True, True, True, True, *[True] + [False] * 15]
    rows = [
        {"scaffold": s, "parent_smiles": "C" * (i + 1), "is_hit": h}
        for i, (s, h) in enumerate(zip(scaffolds, hit, strict=True))
    ]
    table = enrichment(parents(compounds(rows)))
    p = [stats.hypergeom.sf(k - 1, 20, 5, n) for k, n in ((4, 4), (1, 5), (0, 3))]
    q = stats.false_discovery_control(p)
    assert table["scaffold"].to_list() == ["A", "B", "C"]
    assert table["n_hits"].to_list() == [4, 1, 0]
    assert table["expected"].to_list() == pytest.approx([1.0, 1.25, 0.75])
    assert table["p"].to_list() == pytest.approx(p)
    assert table["q"].to_list() == pytest.approx(list(q))


def test_without_hits_nothing_is_enriched() -> None:
    rows = [{"scaffold": "A", "parent_smiles": "C" * (i + 1)} for i in range(4)]
    table = enrichment(parents(compounds(rows)))
    assert table["p"].to_list() == [1.0]
    assert enrichment(parents(compounds([{"parent_smiles": "C"}]))).is_empty()


def bits(smiles: str) -> bytes:
    return fingerprint(Chem.MolFromSmiles(smiles))


def test_similarity_is_that_of_rdkit() -> None:
    table = tanimoto([bits(s) for s in TEXTS])
    made = [
        DataStructs.CreateFromBitString("".join(f"{b:08b}" for b in bits(s)))
        for s in TEXTS
    ]
    wanted = [[DataStructs.TanimotoSimilarity(a, b) for b in made] for a in made]
    assert table == pytest.approx(np.array(wanted), abs=1e-6)


def test_fingerprints_come_from_a_child_and_name_the_unreadable() -> None:
    with structure_pool(1) as pool:
        found = list(fingerprints(pool, ["CCO", "not a molecule", "", "c1ccccc1"]))
    assert found == [bits("CCO"), b"", b"", bits("c1ccccc1")]


def test_the_nearest_is_another_one() -> None:
    table = alike(4, _01=0.8, _02=0.9, _12=0.5)
    found = nearest(table)
    assert [row for row, _ in found] == [2, 0, 0, 0]
    assert [s for _, s in found] == pytest.approx([0.9, 0.8, 0.9, 0.0])
    assert nearest(np.ones((1, 1), np.float32)) == []


def test_the_plane_keeps_the_distances_it_can() -> None:
    # Three equally unlike structures are a triangle: two axes show everything.
    similar = np.full((3, 3), 0.2, np.float32) + 0.8 * np.eye(3, dtype=np.float32)
    made = plane(similar)
    sides = [
        np.linalg.norm(made.places[i] - made.places[j])
        for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    assert sides == pytest.approx([math.sqrt(2 - 2 * 0.2)] * 3, rel=1e-5)
    assert sum(made.shares) == pytest.approx(1.0, rel=1e-5)


def test_the_plane_is_the_same_by_either_solver(found: Chemistry) -> None:
    n = found.compared.height
    assert n > 64  # the sparse one; numpy is the witness
    with structure_pool(1) as pool:
        similar = tanimoto(
            list(fingerprints(pool, found.compared["structure"].to_list()))
        )
    centre = np.eye(n) - 1 / n
    values = np.linalg.eigvalsh(centre @ similar.astype(np.float64) @ centre)[::-1]
    assert found.plane.shares == pytest.approx(
        tuple(values[:2] / values.sum()), rel=1e-3
    )
    spread = (found.plane.places**2).sum(axis=0)
    assert spread == pytest.approx(values[:2], rel=1e-3)
    assert (plane(similar).places == plane(similar).places).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_plane_of_few_or_equal_structures_is_a_point(n: int) -> None:
    made = plane(np.ones((n, n), np.float32))
    assert not made.places.any()
    assert made.shares == (0.0, 0.0)


def pairs(*effects: tuple[float | None, float | None, float | None]) -> pl.DataFrame:
    rows = [
        {"parent_smiles": "C" * (i + 1), "rescue": e, "rescue_low": a, "rescue_high": b}
        for i, (e, a, b) in enumerate(effects)
    ]
    return parents(compounds(rows))


def alike(n: int, **at: float) -> Any:
    table = np.eye(n, dtype=np.float32)
    for key, value in at.items():
        i, j = map(int, key[1:])
        table[i, j] = table[j, i] = value
    return table


def test_a_cliff_by_hand() -> None:
    effects = pairs(
        (0.1, 0.0, 0.2), (0.9, 0.7, 1.1), (0.2, 0.1, 0.3), (None, None, None)
    )
    found = cliffs(effects, alike(4, _01=0.8, _02=0.9, _03=0.95, _12=0.5))
    assert (found.n_pairs, found.n_cliffs) == (2, 1)
    (cliff,) = found.steepest
    assert (cliff.high, cliff.low) == (1, 0)
    assert cliff.difference == pytest.approx(0.8)
    assert cliff.sali == pytest.approx(0.8 / 0.2, rel=1e-5)
    half = math.hypot(0.1, 0.2)
    assert cliff.difference_low == pytest.approx(0.8 - half)
    p = 2 * stats.norm.sf(0.8 / (half / 1.959964))
    other = 2 * stats.norm.sf(0.1 / (math.hypot(0.1, 0.1) / 1.959964))
    q = stats.false_discovery_control([p, other])[0]
    assert cliff.q == pytest.approx(q, rel=1e-4)


def test_without_a_rescue_scale_robust_z_of_the_best_dose_is_compared() -> None:
    rows = compounds(
        [
            {"parent_smiles": "CCO", "best_concentration_um": 3.0},
            {"parent_smiles": "CCN"},
        ]
    )
    low = '{"concentration_um": 0.5, "effect": 1.0, "low": 0.0, "high": 2.0}'
    best = '{"concentration_um": 3.0, "effect": 5.0, "low": 4.0, "high": 6.0}'
    scaled = rows.with_columns(doses=pl.Series([f"[{low}, {best}]", None]))
    table = parents(scaled)
    assert table["effect"].to_list() == [5.0, None]
    assert table["effect_high"].to_list() == [6.0, None]
    assert parents(rows)["effect"].to_list() == [None, None]
    with structure_pool(1) as pool:
        found = find_chemistry(scaled, pool)
    assert found is not None
    assert found.effect == "robust z"


def test_equal_fingerprints_come_first_and_have_no_index() -> None:
    effects = pairs((0.0, -0.1, 0.1), (1.0, 0.9, 1.1), (0.6, 0.5, 0.7))
    found = cliffs(effects, alike(3, _01=0.75, _02=1.0, _12=0.71))
    assert [(c.high, c.low) for c in found.steepest] == [(2, 0), (1, 0), (1, 2)]
    assert found.steepest[0].sali is None
    assert sali(0.5, 1.0) is None
    assert cliffs(effects, alike(3, _01=0.75, _02=1.0), most=1).n_cliffs == 2


def test_a_screen_without_structures_has_one_line(tables: RunTables) -> None:
    bare = tables.compounds.with_columns(
        smiles=pl.lit(""), parent_smiles=pl.lit(None, pl.String)
    )
    with structure_pool(1) as pool:
        assert find_chemistry(bare, pool) is None
    none = replace(tables, compounds=bare)
    made = section(Facts(none, PlateFormat.of(384), Extras()))
    assert made.islands == {}
    page = render("bare", none, PlateFormat.of(384), Extras())
    assert "No compound of this run has a structure" in page


def test_unreadable_structures_are_left_out_of_map_and_cliffs() -> None:
    rows = [{"parent_smiles": text} for text in ("xyz", "CCO", "C1CC(")]
    with structure_pool(1) as pool:
        found = find_chemistry(compounds(rows), pool)
        lost = find_chemistry(compounds(rows[:1]), pool)
    assert found is not None
    assert lost is not None
    assert found.compared["structure"].to_list() == ["CCO"]
    assert lost.compared.is_empty()
    made = section(
        Facts(example_tables(1, 96), PlateFormat.of(96), Extras(chemistry=lost))
    )
    assert made.context["map_words"] == "Too few structures for a map."


def test_the_island_holds_the_numbers_of_the_tables(
    found: Chemistry, tables: RunTables
) -> None:
    island = chemistry_island(found, lambda smiles: f"<svg>{len(smiles)}</svg>")
    first = island["families"][0]
    row = found.families.row(0, named=True)
    assert first[:3] == [row["scaffold"], row["n"], row["n_hits"]]
    assert first[8] == pytest.approx(row["q"], rel=1e-3)
    assert len(first[9]) == row["n"]
    assert len(island["points"]) == found.compared.height
    assert set(island["drawings"]) >= {row["scaffold"]}


def test_two_thousand_structures_stay_small() -> None:
    rows = [
        {"parent_smiles": f"C{i}", "scaffold": f"c1ccccc1{i // 8}", "name": f"name {i}",
         "rescue": i % 7, "rescue_low": i % 7 - 0.1, "rescue_high": i % 7 + 0.1}
        for i in range(2000)
    ]  # fmt: skip
    structures = parents(compounds(rows))
    similar = np.eye(2000, dtype=np.float32) + 0.8 * np.eye(2000, k=1, dtype=np.float32)
    steep = cliffs(structures, similar)
    families, places = enrichment(structures), Plane(np.eye(2000)[:, :2], (0.1, 0.1))
    found = Chemistry(structures, families, structures, places, steep)
    island = chemistry_island(
        found, lambda s: s.join(chr(33 + i * 7 % 90) for i in range(3000))
    )
    counts = [len(island[k]) for k in ("families", "cliffs", "points", "drawings")]
    assert counts == [
        250,
        30,
        2000,
        80 + len({i for c in steep.steepest for i in (c.high, c.low)}),
    ]
    assert len(packed(island)) < 1_000_000


@pytest.fixture(scope="module")
def page(
    found: Chemistry, tables: RunTables, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("chemistry") / "report.html"
    with structure_pool(1) as pool:
        extras = Extras(svg=drawer(pool, 220, 160), chemistry=found, top=1)
        path.write_text(render("x", tables, PlateFormat.of(384), extras), "utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, page: Path) -> Iterator[Browser]:
    browser.open(page)
    browser.js(
        "dispatchEvent(new Event('beforeprint'));"
        "return seno.data('chemistry').then(() => new Promise((r) => setTimeout(r, 200)));"
    )
    yield browser
    browser.resize(WIDE)


@pytest.mark.slow
def test_families_are_drawn_sorted_and_linked(
    opened: Browser, found: Chemistry
) -> None:
    rows = "[...document.querySelectorAll('#families tbody tr')]"
    sizes = opened.js(f"return {rows}.map((r) => +r.cells[1].textContent);")
    assert sizes == found.families["n"].to_list()
    assert opened.js(
        f"return {rows}.every((r) => r.querySelector('img').naturalWidth > 0);"
    )
    opened.js("document.querySelectorAll('#families th button')[1].click();")
    hits = opened.js(f"return {rows}.map((r) => +r.cells[2].textContent);")
    assert hits == sorted(found.families["n_hits"], reverse=True)
    link = opened.js(
        f"return {rows}[0].querySelector('.members a').getAttribute('href');"
    )
    assert link.startswith("#compound=")
    assert opened.complaints() == []


@pytest.mark.slow
def test_cliffs_show_both_structures(opened: Browser, found: Chemistry) -> None:
    shown = "document.querySelectorAll('#cliffs .cliff')"
    opened.js(
        "const more = document.getElementById('more-cliffs'); if (more) more.click();"
    )
    assert opened.js(f"return {shown}.length;") == len(found.cliffs.steepest) > 0
    assert opened.js(
        f"return [...{shown}].every((c) => c.querySelectorAll('img').length === 2);"
    )


@pytest.mark.slow
def test_points_name_themselves_and_open_their_compound(
    opened: Browser, found: Chemistry
) -> None:
    points = "document.querySelectorAll('#structure-map .point')"
    assert opened.js(f"return {points}.length;") == found.compared.height
    last = opened.js(
        f"const dot = [...{points}].at(-1);"
        "dot.dispatchEvent(new PointerEvent('pointerenter'));"
        "const told = document.getElementById('tip').textContent;"
        "dot.dispatchEvent(new MouseEvent('click')); return [told, location.hash];"
    )
    assert "called a hit" in last[0]
    assert "most alike: " in last[0]
    assert last[1].startswith("#compound=")
    hidden = opened.js(
        "const box = document.querySelector('#structure-keys input'); box.click();"
        f"return [...{points}].filter((d) => getComputedStyle(d).display === 'none').length;"
    )
    assert 0 < hidden < found.compared.height


@pytest.mark.slow
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_section_fits_its_window(opened: Browser, size: tuple[int, int]) -> None:
    opened.resize(size)
    assert opened.js("return document.documentElement.scrollWidth;") <= size[0]


@pytest.mark.slow
def test_methods_text_is_copied(opened: Browser) -> None:
    told = opened.js(
        "document.getElementById('copy-methods').click();"
        "return new Promise((r) => setTimeout(() => r(["
        "document.getElementById('copied').textContent, String(getSelection())]), 300));"
    )
    assert told[0] in ("copied", "marked: press Ctrl+C")
    assert told[1].startswith("Screen")
    assert "References" in told[1]
