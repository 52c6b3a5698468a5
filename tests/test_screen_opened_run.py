"""A run in a notebook: what it gives is what is stored, and its figures say so."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

import screen
from screen.errors import Refusal
from screen.figures import Figure
from screen.figures.colours import colour_of
from screen.figures.dose_curve import drawn_line
from screen.figures.plate_map import plate_map, scale_of
from screen.figures.plate_quality import z_primes
from screen.ledger import Ledger
from screen.opened_run import OpenedRun
from screen.report.svg import BROWN_TEAL, VIRIDIS, Scale
from tests.report_run import MadeRun

pytestmark = pytest.mark.slow
GOLDEN = Path(__file__).parent / "golden" / "figure_plate_map.svg"
EVIL = "</title><script>alert(1)</script>\u202e\x1b[31m"


@pytest.fixture(scope="module")
def run(made_run: MadeRun) -> OpenedRun:
    return screen.open_run(made_run.folder)


@pytest.fixture
def copied(made_run: MadeRun, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_run.folder, tmp_path / "copied"))


def test_importing_the_package_imports_no_library() -> None:
    heavy = "polars", "xarray", "numpy", "jax"
    script = f"import screen, sys; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("wells", "hits"),
        *((n, n) for n in ("compounds", "plates", "doses", "curves")),
    ],
)
def test_tables_are_those_of_the_files(run: OpenedRun, name: str, file: str) -> None:
    stored = pl.read_parquet(run.folder / f"{file}.parquet")
    assert getattr(run, name).equals(stored)


def test_cells_are_those_of_the_ledger(run: OpenedRun) -> None:
    stored = pl.read_parquet(Ledger(run.folder).cells("P01"))
    assert run.cells("P01").equals(stored)
    assert run.plate_ids == ("P01",)


def test_the_dataset_holds_the_rescue_of_every_well(run: OpenedRun) -> None:
    rescue = run.hits["rescue"]
    assert rescue.dims == ("plate", "row", "column")
    assert rescue.shape == (1, 16, 24)
    wells = run.wells
    found = rescue.values[0, wells["row"].to_numpy(), wells["column"].to_numpy()]
    wanted = wells["rescue"].fill_null(math.nan).to_numpy()
    np.testing.assert_array_equal(found, wanted)


def test_a_run_says_in_a_few_lines_what_is_there(run: OpenedRun) -> None:
    text = repr(run)
    n_hits = int(run.compounds["is_hit"].sum())
    assert f"run made: 1 plates, 40 compounds, {n_hits} hits" in text
    assert "curves" in text
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda r: r.plate_map("P02"), "no plate 'P02'.*nearest: P01"),
        (lambda r: r.plate_map("P01", "rescu"), "nearest: rescue"),
        (lambda r: r.plate_map("P01", "status"), "no number of wells 'status'"),
        (lambda r: r.curve("C004"), "no compound 'C004'.*nearest: .*C0004"),
        (lambda r: r.curve("C0004", line="HeLa"), "0 rows.*line=None"),
        (lambda r: r.curve("C0004", "score"), "there are: rescue, robust_z"),
        (lambda r: r.cells("p01"), "no plate 'p01'.*nearest: P01"),
        (lambda r: r.table("hit"), "no table 'hit'.*nearest: hits"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(
    run: OpenedRun, ask: Callable[[OpenedRun], Any], words: str
) -> None:
    with pytest.raises(Refusal, match=words):
        ask(run)


def test_a_wrong_path_names_the_runs_near_by(made_run: MadeRun) -> None:
    with pytest.raises(Refusal, match=r"no such folder.*runs found: .*/made"):
        screen.open_run(made_run.folder.with_name("mad"))
    with pytest.raises(Refusal, match=r"no run in this folder.*runs found: .*/made"):
        screen.open_run(made_run.folder.parent)


@pytest.mark.parametrize(
    ("file", "ask", "verb"),
    [
        ("plates.parquet", lambda r: r.plates, "call"),
        ("curves.parquet", lambda r: r.curves, "call"),
        ("hits.zarr", lambda r: r.hits, "call"),
        ("cells/P01.parquet", lambda r: r.cells("P01"), "score"),
    ],
)
def test_a_missing_table_names_the_verb_that_makes_it(
    copied: Path, file: str, ask: Callable[[OpenedRun], Any], verb: str
) -> None:
    (copied / file).rename(copied / "gone")
    with pytest.raises(Refusal, match=f"the verb {verb} makes it"):
        ask(screen.open_run(copied))


@pytest.mark.parametrize(
    ("file", "ask"),
    [
        ("compounds.parquet", lambda r: r.compounds),
        ("hits.zarr/rescue/c/0/0/0", lambda r: r.hits),
        ("cells/P01.parquet", lambda r: r.cells("P01")),
    ],
)
def test_a_changed_file_is_never_shown(
    copied: Path, file: str, ask: Callable[[OpenedRun], Any]
) -> None:
    data = bytearray((copied / file).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / file).write_bytes(data)
    with pytest.raises(Refusal, match="OUTPUT_CHANGED"):
        ask(screen.open_run(copied))


FIGURES: dict[str, Callable[[OpenedRun], Figure]] = {
    "map": lambda r: r.plate_map("P01"),
    "counts": lambda r: r.plate_map("P01", "n_cells"),
    "curve": lambda r: r.curve("C0000"),
    "by name": lambda r: r.curve(r.compounds["name"][0].upper()),
    "cells": lambda r: r.curve("C0000", "relative_count"),
    "quality": lambda r: r.z_primes(),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_drawings_that_stand_alone(
    run: OpenedRun, name: str, tmp_path: Path
) -> None:
    drawn = FIGURES[name](run)
    root = fromstring(drawn._repr_svg_())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("aria-label") == str(drawn)
    assert not {"class", "style", "href"} & {k for e in root.iter() for k in e.attrib}
    saved = drawn.save(tmp_path / "figure.svg")
    assert saved.read_text("utf-8").strip() == drawn.svg
    with pytest.raises(Refusal, match=r"end the name with \.svg"):
        drawn.save(tmp_path / "figure.png")
    with pytest.raises(Refusal, match="make the folder first"):
        drawn.save(tmp_path / "none" / "figure.svg")


def test_the_map_shows_every_number_of_the_plate(run: OpenedRun) -> None:
    titles = fromstring(run.plate_map("P01").svg).iterfind(".//{*}rect/{*}title")
    shown = dict(str(t.text).split(": ") for t in titles)
    wells = run.wells.select("well", "compound", "role", "rescue").iter_rows()
    wanted = {
        f"{w} {c or r}": "none" if v is None else f"{v:.4g}" for w, c, r, v in wells
    }
    assert shown == wanted


def few_wells() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "well": ["A01", "A02", "A03", "B01", "B02"],
            "compound": ["", "", "C1", "C2 & <co>", "C3"],
            "role": ["vehicle", "vehicle", "treatment", "reference", "treatment"],
            "state": ["unstressed", *["stressed"] * 4],
            "status": [*["SCORED"] * 4, "QUARANTINED"],
            "rescue": [1.0, 0.0, -0.5, None, 0.4],
        }
    )


def test_a_small_map_is_drawn_as_it_always_was() -> None:
    drawn = plate_map("P 1", few_wells(), "rescue", Scale(-1, 1, BROWN_TEAL))
    assert drawn.svg + "\n" == GOLDEN.read_text("utf-8")


def test_names_of_the_run_stay_text_in_figures() -> None:
    wells = few_wells().with_columns(compound=pl.lit(EVIL))
    drawn = plate_map(EVIL, wells, "rescue", scale_of(wells, "rescue"))
    tags = {e.tag.rpartition("}")[2] for e in fromstring(drawn.svg).iter()}
    assert tags == {"svg", "title", "rect", "text"}
    assert not {"\u202e", "\x1b"} & set(drawn.svg + str(drawn))


@given(st.floats(-1e6, 1e6), st.floats(-5, 5))
def test_a_value_has_a_colour_and_the_ends_are_the_anchors(
    value: float, low: float
) -> None:
    scale = Scale(low, low + 2, VIRIDIS)
    assert len(colour_of(scale, value)) == 7
    assert colour_of(scale, low - 1) == "#440154"
    assert colour_of(scale, low + 3) == "#fde725"


def test_scales_are_even_about_the_vehicle() -> None:
    wells = pl.DataFrame({"rescue": [-0.4, 0.0, 1.2], "n_cells": [3, 50, 90]})
    ends = scale_of(wells, "rescue"), scale_of(wells, "n_cells")
    assert ends[0].low == -ends[0].high
    assert ends[1].low == 0
    assert scale_of(wells.clear(), "rescue").high == 1


def curve_row(**more: Any) -> dict[str, Any]:
    row = {"model": "logistic4", "level_without_dose": 0.1, "full_effect": 0.8}
    row |= {"slope": 1.5, "asymmetry": 1.0, "ec50_um": 2.0, "ec50_relation": "="}
    return row | {"highest_um": 10.0, "top_dose_effect": None} | more


@pytest.mark.parametrize("asymmetry", [0.4, 1.0, 3.0])
def test_half_the_effect_lies_at_the_ec50(asymmetry: float) -> None:
    line = dict(drawn_line(curve_row(asymmetry=asymmetry), math.log10(2.0), 4.0))
    assert line[math.log10(2.0)] == pytest.approx(0.1 + 0.4)
    assert line[4.0] == pytest.approx(0.9, abs=0.01)


def test_the_usual_logistic_is_drawn() -> None:
    for x, y in drawn_line(curve_row(), -2, 2):
        assert y == pytest.approx(0.1 + 0.8 / (1 + (2.0 / 10**x) ** 1.5))


def test_an_ec50_beyond_the_doses_comes_from_the_effect_at_the_top() -> None:
    def effect(place: float) -> float:
        return 0.8 / float(1 + (10**place / 10.0) ** 1.5)

    place = brentq(lambda p: effect(p) - 0.2, 0, 3)
    row = curve_row(ec50_relation=">", ec50_um=10.0, top_dose_effect=0.2)
    line = drawn_line(row, place, 3)
    assert line[0][1] == pytest.approx(0.1 + 0.4)


@pytest.mark.parametrize("model", [None, "flat", "gain_loss"])
def test_no_line_is_made_up_without_a_logistic(model: str | None) -> None:
    assert drawn_line(curve_row(model=model), -1, 1) == []


def test_quality_says_how_many_plates_pass() -> None:
    base = {"line": None, "time_h": None, "z_prime_low": 0.1, "z_prime_high": 0.6}
    rows = [
        base | {"plate": "A", "verdict": "pass", "z_prime": 0.5, "reason": ""},
        base | {"plate": "B", "verdict": "fail", "z_prime": -3.0, "reason": ""},
        base | {"plate": "C", "verdict": "undecided", "z_prime": None, "reason": "one"},
    ]
    drawn = z_primes(pl.DataFrame(rows))
    assert str(drawn) == "Z' of 3 plates: 1 pass, from -3.00 to 0.50, 1 without one"
    assert drawn.svg.count("<circle") == 2
