"""Tables of other assays: joined by well or compound, correlated, and gating the hits."""

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats

from plates.problems import InputError
from plates.value_tables import read_values
from screen import call
from screen.by_hand import judged_by_hand
from screen.call import CallTables, call_tables
from screen.orthogonal import orthogonal_words, spearman, with_orthogonal
from screen.orthogonal_settings import Orthogonal, orthogonal_of
from screen.settings import CallVerb
from screen.statistics.rules import CallRules
from tests.score_tables import Screen, draw

WELLS = pl.DataFrame({"plate": ["P1", "P1", "P2"], "well": ["A01", "A02", "A01"]})


@cache
def called() -> CallTables:
    """The call of a virtual screen on two plates."""
    scores, plate_map, _ = draw(Screen(seed=0))
    return call_tables(scores, plate_map, None, CallRules())


def hits_of(tables: CallTables) -> list[str]:
    """The compounds that are hits, in the order of the ranking."""
    return tables.compounds.filter("is_hit")["compound"].to_list()


def row_of(table: pl.DataFrame, compound: str) -> dict[str, object]:
    """The row of one compound."""
    return table.row(by_predicate=pl.col("compound") == compound, named=True)


def file(folder: Path, text: str) -> str:
    """A table of another assay."""
    path = folder / "assay.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def by_compound(folder: Path, values: dict[str, float]) -> str:
    """A table with a line per compound."""
    lines = [f"{name},{value}" for name, value in values.items()]
    return file(folder, "compound,value\n" + "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("p16:a/p16.csv", Orthogonal("p16", "a/p16.csv")),
        ("sa_bgal:b.csv:max:0.5", Orthogonal("sa_bgal", "b.csv", "max", 0.5)),
        ("EdU:e.xlsx:min:-1e1", Orthogonal("EdU", "e.xlsx", "min", -10.0)),
    ],
)
def test_an_entry_names_a_table_and_perhaps_a_limit(
    entry: str, found: Orthogonal
) -> None:
    one = orthogonal_of([entry])[0]

    assert (one.name, one.file, one.op) == (found.name, found.file, found.op)
    assert one.limit == found.limit or (math.isnan(one.limit) and not one.is_gate)


@pytest.mark.parametrize(
    "entries",
    [
        ["bgal.csv"],
        [":bgal.csv"],
        ["b:"],
        ["sa-b:b.csv"],
        ["b:b.csv:max"],
        ["b:b.csv:under:0.5"],
        ["b:b.csv:max:half"],
        ["b:b.csv:max:nan"],
        ["b:b.csv", "B:c.csv"],
    ],
)
def test_an_entry_that_says_something_else_is_refused(entries: list[str]) -> None:
    verb = CallVerb(orthogonal=entries)
    with pytest.raises(ValueError, match="orthogonal"):
        verb.check()


def test_a_table_may_be_by_well_or_by_compound(tmp_path: Path) -> None:
    wells = Path(file(tmp_path, "Plate;Well;Value\nP1;a1;0.5\nP2;A01;\n"))
    found = read_values(wells, WELLS, ["x"])
    assert found.rows() == [("P1", "A01", 0.5), ("P2", "A01", None)]

    compounds = Path(file(tmp_path, "compound,value\nx,3\n"))
    assert read_values(compounds, WELLS, ["x"]).rows() == [("x", 3.0)]


def test_every_line_that_does_not_fit_is_told(tmp_path: Path) -> None:
    text = "plate,well,value\nP1,A01,1\nP1,A1,2\nP9,A01,3\nP1,A02,inf\nP2,A01,1_0\n"
    with pytest.raises(InputError) as refused:
        read_values(Path(file(tmp_path, text)), WELLS, [])

    said = str(refused.value)
    assert {p.code for p in refused.value.problems} == {"ORTHOGONAL_INVALID"}
    assert len(refused.value.problems) == 4
    for words in (
        "csv:2-3: P1/A01 2 times",
        "csv:4: no well 'A01' on a plate 'P9'",
        "csv:5 column value: value 'inf'",
        "csv:6 column value: value '1_0'",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("compound,value\nalpa,1\n", "no compound 'alpa'.*did you mean 'alpha'"),
        ("compound,score\nalpha,1\n", "columns compound, score"),
        ("plate,value\nP1,1\n", "plate, well, value, or compound, value"),
    ],
)
def test_a_table_of_something_else_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_values(Path(file(tmp_path, text)), WELLS, ["alpha"])


def test_without_tables_nothing_changes() -> None:
    assert with_orthogonal(called(), []) is called()


def test_a_table_without_a_limit_joins_and_judges_nothing(tmp_path: Path) -> None:
    before = called()
    kept = before.compounds.filter(pl.col("rescue").is_not_null()).head(30)
    values = {c: -(r**3) for c, r in kept.select("compound", "rescue").iter_rows()}
    tables = with_orthogonal(before, [f"p21:{by_compound(tmp_path, values)}"])

    assert_frame_equal(tables.compounds.drop("orthogonal_p21"), before.compounds)
    assert_frame_equal(tables.doses, before.doses)
    assert tables.compounds["orthogonal_p21"].is_not_null().sum() == 30
    told = tables.summary["orthogonal"]["p21"]
    assert (told["n"], told["effect"]) == (30, "rescue")
    assert told["rho"] == pytest.approx(-1)
    assert 0 < told["p"] < 1e-9
    assert "p21: 30 compounds, Spearman -1.00" in orthogonal_words(tables)[0]


def test_wells_give_their_compound_the_median_at_its_best_dose(tmp_path: Path) -> None:
    before = called()
    name = hits_of(before)[0]
    best = row_of(before.compounds, name)["best_concentration_um"]
    wells = before.hits.filter(compound=name)
    at_best = wells["concentration_um"] == best
    values = [float(i) if b else 100.0 for i, b in enumerate(at_best)]
    lines = [
        f"{p},{w},{v}"
        for (p, w), v in zip(wells.select("plate", "well").rows(), values, strict=True)
    ]
    path = file(tmp_path, "plate,well,value\n" + "\n".join(lines))
    tables = with_orthogonal(before, [f"edu:{path}"])

    found = tables.hits.filter(compound=name)["orthogonal_edu"].to_list()
    assert found == values
    assert_frame_equal(tables.hits.drop("orthogonal_edu"), before.hits)
    expected = float(np.median([v for v in values if v < 100]))
    assert row_of(tables.compounds, name)["orthogonal_edu"] == expected
    assert tables.compounds["orthogonal_edu"].is_not_null().sum() == 1


def test_masked_wells_are_left_out_and_merged_compounds_share(tmp_path: Path) -> None:
    before = called()
    name, other = hits_of(before)[:2]
    best = row_of(before.compounds, name)["best_concentration_um"]
    ours = before.hits.filter(compound=name, concentration_um=best)
    theirs = before.hits.filter(compound=other).head(1)
    places = pl.concat([ours, theirs]).select("plate", "well").rows()
    lines = [f"{plate},{well},{i}" for i, (plate, well) in enumerate(places)]
    path = file(tmp_path, "plate,well,value\n" + "\n".join(lines))

    masked = pl.struct("plate", "well") == pl.struct(
        plate=pl.lit(places[0][0]), well=pl.lit(places[0][1])
    )
    changed = before.hits.with_columns(
        excluded=pl.when(masked).then(pl.lit("dust")).otherwise("excluded"),
        concentration_um=pl.when(pl.col("compound") == other)
        .then(pl.lit(best))
        .otherwise("concentration_um"),
    )
    merged = before.compounds.filter(pl.col("compound") != other).with_columns(
        merged=pl.when(pl.col("compound") == name)
        .then(pl.lit(other))
        .otherwise("merged")
    )
    tables = with_orthogonal(
        replace(before, hits=changed, compounds=merged), [f"edu:{path}"]
    )
    expected = float(np.median(np.arange(1.0, len(places))))
    assert row_of(tables.compounds, name)["orthogonal_edu"] == expected


def test_limits_fail_confirm_and_leave_open(tmp_path: Path) -> None:
    before = called()
    bad, edge, *rest = hits_of(before)
    unmeasured = rest.pop()
    values = {bad: 0.8, edge: 0.5} | dict.fromkeys(rest, 0.1)
    tables = with_orthogonal(
        before, [f"sa_bgal:{by_compound(tmp_path, values)}:max:0.5"]
    )
    compounds = judged_by_hand(tables.compounds, "")

    failed = row_of(compounds, bad)
    assert failed["is_hit"] is False
    assert "ORTHOGONAL_FAILED" in str(failed["flags"]).split(";")
    assert str(failed["why"]).endswith("; sa_bgal 0.8 is above 0.5")
    assert (failed["stage"], failed["is_picked"]) == ("", False)
    assert failed["class"] == row_of(before.compounds, bad)["class"]
    assert not tables.doses.filter(compound=bad)["is_called"].any()

    assert row_of(compounds, edge)["stage"] == "confirmed"
    left = row_of(compounds, unmeasured)
    assert (left["is_hit"], left["stage"]) == (True, "primary")
    assert str(left["why"]).endswith("; sa_bgal was not measured")

    n_hits = len(rest) + 2
    assert tables.summary["n_hits"] == n_hits == compounds["is_hit"].sum()
    assert tables.summary["orthogonal"]["sa_bgal"]["n_failed"] == 1
    assert compounds["rank"].to_list() == list(range(1, compounds.height + 1))
    assert compounds["is_hit"].head(n_hits).all()
    others = ~pl.col("compound").is_in(hits_of(before))
    same = ["compound", "is_hit", "flags", "why"]
    assert_frame_equal(
        compounds.filter(others).select(same),
        before.compounds.filter(others).select(same),
    )


def test_a_hit_must_lie_within_every_limit(tmp_path: Path) -> None:
    first, second, *_ = hits_of(called())
    low = by_compound(tmp_path, {first: 1, second: 1})
    (tmp_path / "more").mkdir()
    high = by_compound(tmp_path / "more", {first: 2, second: 0})
    tables = with_orthogonal(called(), [f"a:{low}:max:1", f"b:{high}:min:1"])

    assert row_of(tables.compounds, first)["is_confirmed"] is True
    assert row_of(tables.compounds, second)["is_hit"] is False
    assert row_of(tables.compounds, second)["is_confirmed"] is False


def test_what_a_person_says_of_the_stage_stands(tmp_path: Path) -> None:
    first, second, third, *_ = hits_of(called())
    path = by_compound(tmp_path, dict.fromkeys((first, second, third), 0.1))
    tables = with_orthogonal(called(), [f"bgal:{path}:max:0.5"])
    said = tmp_path / "said.csv"
    said.write_text(
        "compound,verdict,reason,who,when,stage\n"
        f"{first},approved,as before,Ada,2026-11-21,primary\n"
        f"{second},rejected,known dye,Ada,2026-11-21,\n"
    )
    compounds = judged_by_hand(tables.compounds, str(said))
    stages = [row_of(compounds, name)["stage"] for name in (first, second, third)]

    assert stages == ["primary", "", "confirmed"]


def test_the_correlation_is_spearmans() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=40)
    y = np.round(x + rng.normal(size=40))
    rho, p, reason = spearman(x, y)
    # Pearson of mid-ranks, by hand.
    ranks = [stats.rankdata(v) for v in (x, y)]
    expected = np.corrcoef(ranks[0], ranks[1])[0, 1]
    t = expected * math.sqrt(38 / (1 - expected**2))

    assert rho == pytest.approx(expected)
    assert p == pytest.approx(2 * stats.t.sf(abs(t), 38))
    assert reason == ""


def test_a_perfect_order_of_a_few_is_no_proof() -> None:
    assert spearman(np.arange(4.0), np.arange(4.0))[1] == pytest.approx(2 / 24)
    assert spearman(np.arange(3.0), np.arange(3.0))[2].startswith("fewer than 4")
    assert spearman(np.arange(9.0), np.ones(9))[:2] == (None, None)


def test_a_call_writes_what_the_other_assay_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    table, layout = ["plate,well,value,cells"], []
    for plate in ("P1", "P2"):
        for i in range(96):
            well = f"{'ABCDEFGH'[i % 8]}{i // 8 + 1:02d}"
            name = "" if i % 4 == 0 else f"c{i % 12}"
            value = rng.normal(0.3, 0.03) + 0.4 * (name in ("c1", "c2"))
            table.append(f"{plate},{well},{value:.4f},{rng.poisson(400)}")
            role, dose = ("treatment", "1") if name else ("vehicle", "")
            layout.append(f"{plate},{well},{name},{dose},{role},unstressed,1,b")
    header = "plate,well,compound,concentration_um,role,state,replicate,batch"
    (tmp_path / "table.csv").write_text("\n".join(table))
    (tmp_path / "map.csv").write_text("\n".join([header, *layout]))
    bgal = by_compound(tmp_path, {"c1": 0.9, "c2": 0.1, "c3": 0.5, "c5": 0.4})
    out = tmp_path / "out"
    settings = CallVerb(
        table=str(tmp_path / "table.csv"),
        map=[str(tmp_path / "map.csv")],
        direction="higher",
        orthogonal=[f"bgal:{bgal}:min:0.5"],
        out=str(out),
    )
    settings.check()
    outcome = call.run(settings)

    compounds = pl.read_parquet(out / "compounds.parquet")
    assert row_of(compounds, "c1")["stage"] == "confirmed"
    assert "ORTHOGONAL_FAILED" in str(row_of(compounds, "c2")["flags"])
    told = json.loads((out / "call.json").read_text())
    assert (told["orthogonal"]["bgal"]["n"], told["n_hits"]) == (4, 1)
    assert "bgal: 4 compounds, Spearman" in outcome.message
    assert "1 hits among" in outcome.message
    manifest = json.loads((out / "manifest.json").read_text())
    assert "orthogonal_bgal" in manifest["verbs"]["call"]["inputs"]
    assert pl.read_parquet(out / "picks.parquet")["compound"].unique().to_list() == [
        "c1"
    ]
