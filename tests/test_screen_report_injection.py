"""Hostile names everywhere at once: the page runs and asks for nothing, files stay data."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import polars as pl
import pytest
from numpy.typing import NDArray
from rdkit import Chem

from plates.structure_pool import drawer, sketches, structure_pool
from plates.wells import PlateFormat
from screen.report.chemistry import find_chemistry
from screen.report.files import PickRules, write_beside
from screen.report.files.stored import read_stored
from screen.report.gallery import Galleries, Gallery, PlatePixels
from screen.report.listed_cells import wanted_wells
from screen.report.methods_text import methods_text
from screen.report.page import Extras, render
from screen.report.tables import RunTables
from screen.sheets import FORMULA_STARTS, write_csv
from tests.browser import Browser
from tests.called_run import write_called
from tests.report_example import example_tables
from tests.xss_payloads import FORMULAS, PAYLOADS

WELLS = ("A01", "A02", "A03", "A04", "B01", "B02")
TEXTS_OF_WELLS = ("codes", "flags", "batch", "sample", "lot", "excluded", "field_flags")
TEXTS_OF_COMPOUNDS = (
    "name", "flags", "why", "code", "reason", "inchikey", "scaffold", "salt", "marks",
    "alerts", "aliases", "matched_by", "merged", "by_hand", "by_hand_reason", "formula",
)  # fmt: skip
HOOK = """
window.__dialogs = []; window.__broken = [];
for (const name of ["alert", "confirm", "prompt", "print"])
  window[name] = (...words) => { window.__dialogs.push([name, ...words]); return null; };
addEventListener("securitypolicyviolation", (e) => window.__broken.push(e.violatedDirective + " " + e.blockedURI));
"""
ACT = """
const wait = (ms) => new Promise((r) => setTimeout(r, ms));
const all = (what) => [...document.querySelectorAll(what)];
return (async () => {
  dispatchEvent(new Event("beforeprint"));
  await wait(500);
  for (const button of all("th button, main button")) button.click();
  for (const box of all("input[type=checkbox]")) box.click();
  for (const find of all("input[type=search]"))
    for (const text of arguments[0].slice(0, 25)) {
      find.value = text;
      find.dispatchEvent(new Event("input", { bubbles: true }));
    }
  for (const chosen of all("select"))
    for (const option of [...chosen.options].slice(0, 40)) {
      chosen.value = option.value;
      for (const kind of ["input", "change"]) chosen.dispatchEvent(new Event(kind, { bubbles: true }));
    }
  for (const find of all("input[type=search]")) {
    find.value = "";
    find.dispatchEvent(new Event("input", { bubbles: true }));
  }
  for (let rank = 1; rank <= arguments[0].length; rank += 1) {
    history.replaceState(null, "", "#compound=" + rank);
    dispatchEvent(new HashChangeEvent("hashchange"));
    if (rank % 50 === 0) await wait(50);
  }
  for (const text of arguments[0])
    for (const key of ["", "compound=", "well=", "plate="]) {
      history.replaceState(null, "", "#" + key + encodeURIComponent(text));
      dispatchEvent(new HashChangeEvent("hashchange"));
    }
  history.replaceState(null, "", "#");
  const kinds = ["pointerenter", "pointerover", "pointermove", "mouseover", "focusin", "focus", "pointerleave"];
  for (const node of all("main a, main svg *, main td, main canvas, main img, main summary").slice(0, 20000))
    for (const kind of kinds) node.dispatchEvent(new PointerEvent(kind, { bubbles: true }));
  await wait(500);
  return [window.__dialogs, window.__broken, Object.keys(window).filter((k) => /^__x/.test(k))];
})();
"""
SHAPE = """
const names = {};
for (const node of document.querySelectorAll("*")) {
  const name = (node instanceof SVGElement ? "svg " : "") + node.localName;
  names[name] = (names[name] ?? 0) + 1;
}
const handlers = [...document.querySelectorAll("*")].flatMap((n) => [...n.attributes])
  .filter((a) => a.name.startsWith("on")).length;
const links = [...document.querySelectorAll("[href], [src], [action], [formaction], [srcdoc]")]
  .flatMap((n) => ["href", "src", "action", "formaction", "srcdoc"].map((k) => n.getAttribute(k)))
  .filter((v) => v !== null && !v.startsWith("#") && !v.startsWith("data:image/"));
return [names, handlers, links];
"""


def nth(texts: tuple[str, ...], n: int, shift: int) -> pl.Series:
    """n texts from the given one on, round and round."""
    return pl.Series(
        [texts[(i + shift) % len(texts)] for i in range(n)], dtype=pl.String
    )


def spoiled(
    frame: pl.DataFrame, texts: tuple[str, ...], names: tuple[str, ...]
) -> pl.DataFrame:
    """Every named column made of the texts, each column from another one on."""
    n = frame.height
    return frame.with_columns(
        nth(texts, n, 7 * i).alias(c) for i, c in enumerate(names)
    )


def hostile(texts: tuple[str, ...]) -> RunTables:
    """A plate, a well, a compound and settings for each text, and texts in every cell."""
    made = example_tables(1, 96)
    n, wells = len(texts), made.hits.filter(pl.col("role") == "treatment").head(4)
    controls = made.hits.filter(pl.col("role") == "vehicle").head(2)
    one = pl.concat([controls, wells]).with_columns(well=pl.Series(WELLS))
    hits = pl.concat([one] * n).with_columns(
        plate=nth(texts, 6 * n, 0).gather([i // 6 for i in range(6 * n)])
    )
    treated = pl.col("role") == "treatment"
    compound = nth(texts, 6 * n, 0).gather([i // 6 for i in range(6 * n)])
    hits = spoiled(hits, texts, TEXTS_OF_WELLS).with_columns(
        compound=pl.when(treated).then(compound).otherwise(pl.lit(""))
    )
    first, plate = made.compounds.head(1), made.plates.head(1)
    compounds = spoiled(pl.concat([first] * n), texts, TEXTS_OF_COMPOUNDS)
    rings = pl.Series(
        [
            f"{'C' * (i // 9 + 1)}c1ccccc1{'O' * (i % 9 > 4)}{'C' * (i % 9)}"
            for i in range(n)
        ]
    )
    kinds = [c if i % 5 == 0 else "rescue" for i, c in enumerate(texts)]
    compounds = compounds.with_columns(
        rank=pl.int_range(1, n + 1, dtype=pl.Int64),
        compound=pl.Series(texts),
        is_hit=pl.int_range(n) % 3 == 0,
        is_picked=pl.int_range(n) % 3 == 0,
        stage=nth(texts, n, 1),
        smiles=pl.when(pl.int_range(n) % 2 == 0)
        .then(rings)
        .otherwise(pl.Series(texts)),
        parent_smiles=pl.lit(""),
        rescue=-pl.int_range(n) / n,
        **{"class": pl.Series(kinds)},
    )
    plates = spoiled(
        pl.concat([plate] * n), texts, ("reason", "scale", "flags", "drift")
    )
    plates = plates.with_columns(plate=pl.Series(texts))
    call = made.call | {
        "notes": list(texts), "family": texts[0], "unit": texts[1], "adjustment": texts[2],
        "settings": made.call["settings"] | dict(zip(texts, texts, strict=True)),
        "anchors": list(texts), "source": {"table": texts[3], "columns": {t: t for t in texts}},
    }  # fmt: skip
    verbs = {t: {"settings": {t: t}, "inputs": {t: {"path": t}}} for t in texts}
    score = {"settings": {"campaign": texts[4]}, "versions": dict.fromkeys(texts, texts[5]),
             "facts": {"model": texts[6], "device": texts[7], "precision": texts[8]}}  # fmt: skip
    manifest = {
        "verbs": verbs | {"score": score},
        "outputs": {t: {"verb": t} for t in texts},
    }
    fields = spoiled(
        pl.DataFrame({"plate": list(texts), "well": ["A01"] * n, "field": [0] * n}),
        texts, ("flags", "why"),
    )  # fmt: skip
    fields = fields.with_columns(row=0, column=0, n_cells=1, used=False)
    whole = RunTables.complete(hits, plates, compounds, call, manifest, fields)
    everything = set(hits.columns) - set(whole.hits.columns)
    return replace(
        whole, hits=whole.hits.with_columns(hits[c] for c in sorted(everything))
    )


def galleries(tables: RunTables) -> dict[str, Gallery]:
    """Small grey pictures on every plate; each plate's channels are the next two texts."""

    def source(at: int) -> PlatePixels:
        channels = (PAYLOADS[at], PAYLOADS[(at + 1) % len(PAYLOADS)])

        def read(well: str, field: int) -> NDArray[Any]:
            return (
                np.random.default_rng(field)
                .integers(0, 999, (2, 160, 160))
                .astype(np.uint16)
            )

        def cells() -> pl.DataFrame:
            rows = [
                (w, 0, i, 80.0, 80.0, 0.5 + i / 20) for w in WELLS for i in range(3)
            ]
            names = ["well", "field", "cell", "y", "x", "probability"]
            return pl.DataFrame(rows, schema=names, orient="row")

        return PlatePixels(channels, 0.65, read, cells)

    sources = {plate: source(at) for at, plate in enumerate(PAYLOADS)}
    cut = Galleries(tables.hits, sources, 2)
    return cut.all_of(wanted_wells(tables, len(PAYLOADS)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One page that carries every payload at every place."""
    tables = hostile(PAYLOADS)
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    told = {"remarks": PAYLOADS, "doubts": PAYLOADS, "top": len(PAYLOADS)}
    with structure_pool(1) as pool:
        chemistry = find_chemistry(tables.compounds, pool)
        inks = sketches(pool, tables.compounds["smiles"])
        drawn = {smiles: found.ink for smiles, found in inks.items()}
        extras = Extras(
            draw=drawn.get,
            galleries=galleries(tables),
            chemistry=chemistry,
            svg=drawer(pool, 220, 160),
            **told,  # type: ignore[arg-type]
        )
        path.write_text(render(PAYLOADS[2], tables, PlateFormat.of(6), extras), "utf-8")
    return path


@pytest.fixture
def hooked(browser: Browser) -> Iterator[Browser]:
    """The browser with every dialog and broken rule written down before a page runs."""
    asked = {"source": HOOK}
    made = browser.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", asked
    )
    yield browser
    browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", made)


def test_s14_there_are_payloads_enough() -> None:
    assert len(set(PAYLOADS)) >= 200


@pytest.mark.slow
def test_s14_a_page_of_payloads_runs_and_asks_for_nothing(
    hooked: Browser, page: Path
) -> None:
    hooked.open(page)
    assert hooked.js(ACT, list(PAYLOADS)) == [[], [], []]
    assert hooked.complaints() == []
    assert hooked.requests() == [page.resolve().as_uri()]


@pytest.mark.slow
def test_s14_the_page_has_its_own_elements_only(hooked: Browser, page: Path) -> None:
    hooked.open(page)
    hooked.js(
        "dispatchEvent(new Event('beforeprint')); return new Promise((r) => setTimeout(r, 500));"
    )
    names, handlers, links = hooked.js(SHAPE)
    foreign = {
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "template",
        "math",
        "script ",
    }
    assert not foreign & set(names)
    assert (names["style"], names["title"], names["body"]) == (1, 1, 1)
    assert handlers == 0
    assert links == []


@pytest.mark.slow
def test_s14_the_hook_sees_what_runs(hooked: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<script>alert(1); window.__x1 = 1</script><img src=x:y>")
    hooked.open(bad)
    seen = hooked.js("return [window.__dialogs.length, '__x1' in window];")
    assert seen == [1, True]


def test_s14_no_raw_script_but_its_own(page: Path) -> None:
    text = page.read_text("utf-8")
    opened = re.findall(r"<script[^>]*>", text, re.IGNORECASE)
    islands = text.count('<script type="text/plain" id="data-')
    assert opened.count("<script>") == 1
    assert len(opened) == islands + 1
    assert len(re.findall(r"</script", text, re.IGNORECASE)) == islands + 1


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files beside the page of a run whose every text is a payload or a formula."""
    texts = tuple(t for t in (*FORMULAS, *PAYLOADS) if "\x00" not in t)
    tables = hostile(texts)
    n = tables.hits.height
    hits = tables.hits.with_columns(
        source_plate=nth(texts, n, 3), source_well=nth(texts, n, 5)
    )
    folder = write_called(tmp_path_factory.mktemp("beside"), replace(tables, hits=hits))
    with structure_pool(1) as pool:
        chemistry = find_chemistry(tables.compounds, pool)
        methods = methods_text(tables, chemistry)
        rules = PickRules(layout="all")
        write_beside(read_stored(folder), folder, texts[0], methods, rules, pool)
    return folder


def test_s15_no_cell_of_the_workbook_is_a_formula_or_a_link(beside: Path) -> None:
    book = openpyxl.load_workbook(beside / "hits.xlsx")
    kinds = {cell.data_type for s in book for row in s.iter_rows() for cell in row}
    assert kinds == {"s", "n", "b"}
    assert not any(
        cell.hyperlink for s in book for row in s.iter_rows() for cell in row
    )
    assert not any(s._hyperlinks for s in book)


def test_s15_negative_numbers_stay_numbers(beside: Path) -> None:
    sheet = openpyxl.load_workbook(beside / "hits.xlsx")["Compounds"]
    at = {cell.value: cell.column - 1 for cell in sheet[1]}
    found = [row[at["rescue"]].value for row in sheet.iter_rows(min_row=2)]
    wanted = pl.read_parquet(beside / "compounds.parquet")["rescue"].to_list()
    assert found == pytest.approx(wanted)
    assert min(found) < -0.9


def test_s15_texts_of_the_workbook_are_those_of_the_run(beside: Path) -> None:
    sheet = openpyxl.load_workbook(beside / "hits.xlsx")["Compounds"]
    at = {cell.value: cell.column - 1 for cell in sheet[1]}
    found = {row[at["compound"]].value for row in sheet.iter_rows(min_row=2)}
    assert {"=1+1", "-1+1", "@A1", "＝1+1", "<script>alert(1)</script>"} <= found


@pytest.mark.parametrize(
    "name", ["hits.csv", "plates.csv", "compounds.csv", "picks.csv", "cherry_picks.csv"]
)
def test_s15_no_cell_of_a_csv_begins_as_a_formula(name: str, beside: Path) -> None:
    with (beside / name).open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert rows
    assert all(len(row) == len(head) for row in rows)
    cells = [c for row in rows for c in row if c.startswith(FORMULA_STARTS)]
    assert all(re.fullmatch(r"-\d[\d.e-]*", cell) for cell in cells)


def test_s15_numbers_of_a_csv_are_unharmed(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [-1.5, -0.0, 2.0], "t": ["-1", "+1", "a"]})
    write_csv(frame, tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().split() == [
        "x,t",
        "-1.5,'-1",
        "-0.0,'+1",
        "2.0,a",
    ]


def canonical(smiles: str) -> str:
    return Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


def test_s15_the_sd_file_has_a_record_per_structure(beside: Path) -> None:
    compounds = read_stored(beside).chosen
    found = [m for m in Chem.SDMolSupplier(str(beside / "hits.sdf")) if m is not None]
    text = (beside / "hits.sdf").read_text("utf-8")
    assert len(found) == text.split("\n").count("$$$$") > 30
    by_rank = {row["rank"]: row for row in compounds.iter_rows(named=True)}
    for molecule in found:
        row = by_rank[int(molecule.GetProp("RANK"))]
        assert Chem.MolToSmiles(molecule) == canonical(row["smiles"].split()[0])
        assert float(molecule.GetProp("RESCUE")) == pytest.approx(
            row["rescue"], rel=1e-5
        )


def test_s15_methods_show_what_is_hidden(beside: Path) -> None:
    text = (beside / "methods.txt").read_text("utf-8")
    assert all(c.isprintable() or c in "\n\u202f" for c in text)
