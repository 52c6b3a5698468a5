"""The report page: whole, safe and honest for good, poor and empty runs."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import polars as pl
import pytest

from plates.wells import PlateFormat
from screen.report import smallest_format
from screen.report.packed import opened
from screen.report.page import Extras, render
from screen.report.tables import RunTables
from screen.report.verdict import set_aside, verdict
from tests.report_example import example_galleries, example_tables

F384, F96 = PlateFormat.of(384), PlateFormat.of(96)
PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(3)",
    "\u202egnp.exe\u2028\u2029\x00",
    "' onmouseover='alert(4)",
    "]]></svg><svg onload=alert(5)>",
    "&lt;script&gt;" * 30,
)


class Page(HTMLParser):
    """Collects tags, attributes and the text of script elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(k, v or "") for k, v in attrs]
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data


def island(page: str, name: str) -> Any:
    """The data of one island of a page."""
    found = re.search(rf'id="data-{name}">([^<]*)<', page)
    assert found is not None
    return opened(found[1])


@pytest.fixture(scope="module")
def tables() -> RunTables:
    return example_tables()


@pytest.fixture(scope="module")
def page(tables: RunTables) -> str:
    extras = Extras(lambda smiles: "<svg></svg>", example_galleries(tables))
    return render("example", tables, F384, extras)


@pytest.fixture(scope="module")
def small() -> RunTables:
    return example_tables(1, 96)


@pytest.fixture(scope="module")
def plain(small: RunTables) -> Page:
    return Page(render("plain", small, F96, Extras(remarks=("plain",))))


def changed(tables: RunTables, **frames: Any) -> RunTables:
    parts = {
        k: getattr(tables, k)
        for k in ("hits", "plates", "compounds", "call", "manifest")
    }
    return RunTables.complete(**(parts | frames))


def test_page_says_the_verdict_and_every_plate(page: str) -> None:
    assert re.search(r"2 of 2 plates pass", page)
    assert "8 of 106 tested compounds are called hits" in page
    assert [p["name"] for p in island(page, "plates")["plates"]] == ["P01", "P02"]


def test_page_loads_and_runs_nothing_but_its_own(page: str) -> None:
    found = Page(page)
    sources = [v for k, v in found.attributes if k in ("src", "href")]
    assert all(v.startswith(("data:image/", "#")) for v in sources)
    islands = [v for k, v in found.attributes if k == "id" and v.startswith("data-")]
    assert {"data-plates", "data-wells-0", "data-compounds-0"} <= set(islands)
    assert len(found.scripts) == len(islands) + 1
    assert not [k for k, _ in found.attributes if k.startswith("on") or k == "style"]


def test_policy_hashes_match_style_and_script(page: str) -> None:
    policy = re.search(r'Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert style is not None
    assert script is not None
    digests = [
        base64.b64encode(hashlib.sha256(m[1].encode()).digest()).decode()
        for m in (style, script)
    ]
    wanted = policy[1].replace("&#39;", "'").replace("&#43;", "+")
    assert f"style-src 'sha256-{digests[0]}'" in wanted
    assert f"script-src 'sha256-{digests[1]}'" in wanted
    assert wanted.startswith("default-src 'none'")


def test_page_is_small_and_repeatable(page: str, tables: RunTables) -> None:
    extras = Extras(lambda smiles: "<svg></svg>", example_galleries(tables))
    assert len(page) < 6_000_000
    assert render("example", tables, F384, extras) == page


def test_numbers_in_the_table_are_those_of_the_run(
    page: str, tables: RunTables
) -> None:
    values = island(page, "compounds")["values"]
    for name in ("rescue", "q", "relative_count", "best_concentration_um"):
        wanted = tables.compounds[name].to_list()
        assert values[name] == pytest.approx(wanted, rel=1e-6)
    assert values["class"] == tables.compounds["class"].to_list()


def test_wells_point_at_their_words(page: str) -> None:
    words, wells = island(page, "plates")["words"], island(page, "wells-0")[0]
    c11, a03 = 2 * 24 + 10, 2
    assert words["compounds"][wells["c"][a03]] == ["example-1", "C0001", 1]
    assert words["doses"][wells["d"][a03]] == "0.3 µM"
    assert words["fates"][wells["f"][c11]] == ["Quarantined", False, ["CHUNK_CORRUPT"]]
    assert words["purposes"][wells["p"][0]] == ["healthy vehicle", "healthy"]
    assert words["codes"]["CHUNK_CORRUPT"][1] == "copy the plate again"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_s14_names_of_the_run_stay_text(
    payload: str, small: RunTables, plain: Page
) -> None:
    text = pl.lit(payload)
    hits = small.hits.with_columns(
        plate=text + pl.col("plate"), compound=text + pl.col("compound"), flags=text
    )
    hits = hits.with_columns(codes=pl.when(pl.col("codes") != "").then(text))
    compounds = small.compounds.with_columns(
        compound=text + pl.col("compound"), name=text, flags=text, why=text, code=text
    )
    compounds = compounds.with_columns(smiles=pl.lit(""), inchikey=text)
    plates = small.plates.with_columns(plate=text + pl.col("plate"), reason=text)
    call = small.call | {"notes": [payload], "family": payload}
    run = changed(
        small,
        hits=hits,
        compounds=compounds,
        plates=plates,
        call=call,
        manifest={"verbs": {payload: payload}},
    )
    found = Page(render(payload, run, F96, Extras(remarks=(payload,))))
    assert set(found.tags) <= set(plain.tags)
    islands = [v for k, v in found.attributes if k == "id" and v.startswith("data-")]
    assert islands == [v for k, v in plain.attributes if k == "id" and v in islands]
    assert len(found.scripts) == len(islands) + 1
    assert found.scripts[-1] == plain.scripts[-1]
    assert not [k for k, _ in found.attributes if k.startswith("on")]
    assert not any("<" in island for island in found.scripts[:-1])


def no_hits(t: RunTables) -> RunTables:
    return changed(t, compounds=t.compounds.with_columns(is_hit=False))


def no_library(t: RunTables) -> RunTables:
    bare = t.compounds.drop("smiles", "name", "inchikey", "mol_weight", "logp", "qed")
    return changed(t, compounds=bare)


def no_controls(t: RunTables) -> RunTables:
    hits = t.hits.with_columns(rescue=pl.lit(None))
    hits = hits.filter(pl.col("role") == "treatment")
    numbers = [c for c, d in t.plates.schema.items() if d == pl.Float64]
    plates = t.plates.with_columns(pl.lit(None).alias(c) for c in numbers)
    plates = plates.with_columns(
        verdict=pl.lit("undecided"), reason=pl.lit("no controls")
    )
    compounds = t.compounds.with_columns(
        pl.lit(None).alias(c) for c in ("rescue", "rescue_low", "rescue_high")
    )
    return changed(t, hits=hits, plates=plates, compounds=compounds)


def all_lost(t: RunTables) -> RunTables:
    numbers = [c for c, d in t.hits.schema.items() if d == pl.Float64]
    hits = t.hits.with_columns(pl.lit(None).alias(c) for c in numbers)
    hits = hits.with_columns(
        status=pl.lit("QUARANTINED"), codes=pl.lit("IMG_BLANK"), n_cells=0
    )
    plates = t.plates.with_columns(verdict=pl.lit("fail"))
    return changed(t, hits=hits, plates=plates, compounds=t.compounds.clear())


def no_plates(t: RunTables) -> RunTables:
    return changed(
        t, hits=t.hits.clear(), plates=t.plates.clear(), compounds=t.compounds.clear()
    )


def one_failed(t: RunTables) -> RunTables:
    fails = (
        pl.when(pl.col("plate") == "P01").then(pl.lit("fail")).otherwise(pl.lit("pass"))
    )
    return changed(t, plates=t.plates.with_columns(verdict=fails))


@pytest.mark.parametrize(
    ("change", "tone", "words"),
    [
        (no_hits, "good", "none of 106 tested compounds are called hits"),
        (no_library, "good", "8 of 106 tested compounds"),
        (no_controls, "care", "plate quality is not proven"),
        (all_lost, "bad", "no well could be scored"),
        (no_plates, "bad", "the run holds no plate"),
        (one_failed, "care", "1 of 2 plates pass, 1 fail"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_h07_poor_runs_get_a_whole_page(
    change: Any, tone: str, words: str, tables: RunTables
) -> None:
    run = change(tables)
    found = verdict(run)
    assert found.tone == tone
    assert words in found.sentence
    page = render("poor", run, F384, Extras())
    assert page.rstrip().endswith("</html>")
    for island in Page(page).scripts[:-1]:
        opened(island)


def test_small_plate_without_compounds_is_whole() -> None:
    tables = example_tables(1, 96)
    hits = tables.hits.filter(pl.col("role") == "vehicle")
    run = changed(tables, hits=hits, compounds=tables.compounds.clear())
    page = render("small", run, F96, Extras(galleries=example_galleries(run)))
    assert "no treatment compound was on the plates" in page
    told = island(page, "plates")["plates"]
    assert "64 not on the plate map" in told[0]["unscored"]


def test_wells_set_aside_carry_code_and_remedy(tables: RunTables) -> None:
    groups = {(g.status, g.code): g for g in set_aside(tables.hits)}
    lost = groups["Quarantined", "CHUNK_CORRUPT"]
    assert lost.wells == [("P01", "C11")]
    assert lost.remedy == "copy the plate again"
    assert ("Scored, fields missing", "FIELD_MISSING") in groups
    assert len(groups) == 6


def test_h08_plates_cost_little_and_none_is_left_out(small: RunTables) -> None:
    names = [f"B{i:04d}" for i in range(120)]
    hits = pl.concat(small.hits.with_columns(plate=pl.lit(n)) for n in names)
    plates = pl.concat(small.plates.with_columns(plate=pl.lit(n)) for n in names)
    bad = pl.when(pl.col("plate") == "B0029").then(pl.lit("fail")).otherwise("verdict")
    run = changed(small, hits=hits, plates=plates.with_columns(verdict=bad))
    page = render("large", run, F96, Extras())
    told = island(page, "plates")["plates"]
    assert [p["id"] for p in told] == names
    assert [p["turn"] for p in told if p["id"] == "B0029"] == [0]
    sizes = [len(island(page, f"wells-{k}")) for k in range(3)]
    assert sizes == [50, 50, 20]
    assert page.count("<svg") < 20


@pytest.mark.parametrize(
    ("wells", "n"),
    [(["A01"], 6), (["H12"], 96), (["P24"], 384), (["AF48"], 1536)],
    ids=str,
)
def test_smallest_format_holds_every_well(wells: list[str], n: int) -> None:
    assert smallest_format(pl.DataFrame({"well": wells})).n_wells == n
