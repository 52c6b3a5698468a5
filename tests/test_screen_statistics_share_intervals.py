"""Shares of positive cells: hand values, coverage with wells that vary, and the way from a table to hits and doses."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plates.readouts import Readouts
from screen.call import call_tables
from screen.readouts import score_table
from screen.statistics.positive_share import wilson_interval
from screen.statistics.rules import CallRules
from screen.statistics.share_intervals import ShareSpread, share_spread
from tests.score_tables import map_frame

REAL = Path(__file__).parents[1].parent / "shared/data/sabgal_cells"


def test_the_correlation_by_hand() -> None:
    """Two groups of two wells with ten cells: 2 and 6 positive, then 5 and 5."""
    x, n = np.array([2.0, 6, 5, 5]), np.full(4, 10.0)
    # Squares about the groups 2 * 10 * 0.2^2 = 0.8 over 2; within (1.6 + 2.4 + 5) / 36
    between, within = 0.8 / 2, 9 / 36
    doubled = share_spread(np.tile(x, 2), np.tile(n, 2), np.repeat([0, 1, 2, 3], 2))

    assert doubled.df == 4
    assert doubled.rho == pytest.approx((between - within) / (between + 9 * within))


def test_cells_that_are_all_alike_are_worth_one_a_well() -> None:
    x, n = np.tile([0.0, 8.0], 4), np.full(8, 8.0)
    found = share_spread(x, n, np.zeros(8, np.int64))

    assert found.rho == pytest.approx(1.0)
    assert found.worth(n) == pytest.approx(np.ones(8))


@given(share=st.floats(0, 1), n=st.integers(1, 5000))
def test_without_correlation_the_interval_is_wilsons(share: float, n: int) -> None:
    x, cells = np.array([share * n]), np.array([float(n)])
    spread = ShareSpread(0.0, float("inf"))

    found = spread.interval(x / n, spread.worth(cells), 0.95)
    np.testing.assert_allclose(found, wilson_interval(x, cells, 0.95), atol=1e-12)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("rho", [0.0, 0.02, 0.1])
def test_intervals_of_doses_cover(share: float, rho: float) -> None:
    """30 doses of three wells with 40 to 200 cells; one spread for all."""
    rng, inside = np.random.default_rng(int(100 * share + 1000 * rho)), []
    group = np.repeat(np.arange(30), 3)
    for _ in range(60):
        n = rng.integers(40, 200, 90).astype(np.float64)
        size = 1 / rho - 1 if rho else 1e9
        own = rng.beta(share * size, (1 - share) * size, 90)
        x = rng.binomial(n.astype(int), own).astype(np.float64)
        spread = share_spread(x, n, group)
        worth = spread.worth(n)
        total = np.bincount(group, worth).astype(np.float64)
        mean = np.bincount(group, worth * x / n) / total
        low, high = spread.interval(mean, total, 0.95)
        inside.append((low <= share) & (share <= high))

    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def screen_of(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read-outs with positive cells only, and their map: two plates, one compound that rescues."""
    rng, rows, wells = np.random.default_rng(seed), [], []
    for plate in ("P1", "P2"):
        for i in range(60):
            name = f"{'ABCDEF'[i // 10]}{i % 10 + 1:02d}"
            kind = "healthy" if i < 12 else "stressed" if i < 28 else f"C{i % 16:02d}"
            share = 0.15 if kind in ("healthy", "C05") else 0.7
            n = int(rng.integers(150, 250))
            own = rng.beta(share * 60, (1 - share) * 60)
            rows.append((plate, name, float(n), float(rng.binomial(n, own))))
            control = kind in ("healthy", "stressed")
            wells.append(
                {
                    "plate": plate,
                    "well": name,
                    "compound": "" if control else kind,
                    "concentration_um": None if control else 1.0,
                    "role": "vehicle" if control else "treatment",
                    "state": "unstressed" if kind == "healthy" else "stressed",
                    "replicate": 1,
                    "batch": "B",
                }
            )
    table = pl.DataFrame(rows, ["plate", "well", "cells", "positive"], orient="row")
    nothing = pl.lit(None, dtype=pl.Float64)
    return table.with_columns(value=nothing, sd=nothing), map_frame(wells)


def test_a_table_of_positive_cells_alone_is_called_by_their_share() -> None:
    table, plate_map = screen_of(0)
    scores = score_table(Readouts(table, "t.csv", {}))
    tables = call_tables(scores, plate_map, None, CallRules())
    hits = tables.hits.join(table, on=["plate", "well"], validate="1:1")
    shares = hits["positive"] / hits["cells"]
    best = tables.doses.filter(compound="C05").row(0, named=True)

    assert (hits["fraction"] - shares).abs().max() == pytest.approx(0.0, abs=1e-12)
    assert (hits["score"] - shares).abs().max() == pytest.approx(0.0, abs=1e-12)
    assert ((hits["fraction_low"] < shares) & (shares < hits["fraction_high"])).all()
    assert tables.compounds.filter("is_hit")["compound"].to_list() == ["C05"]
    assert best["fraction_low"] < 0.15 < best["fraction_high"] < 0.35
    assert tables.summary["positive_share"]["rho"] == pytest.approx(1 / 61, rel=0.6)


def test_a_well_without_positive_cells_counted_is_told() -> None:
    table, _ = screen_of(1)
    lost = table.with_columns(
        positive=pl.when(pl.col("well") != "A01").then("positive")
    )
    scores = score_table(Readouts(lost, "t.csv", {}))

    assert scores.filter(well="A01")["codes"].to_list() == [["READOUT_MISSING"]] * 2


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="no real data in ../shared/data")
def test_published_percentages_reach_the_hits() -> None:
    report = pl.read_csv(REAL / "reference_report.csv", infer_schema_length=None)
    nothing = pl.lit(None, dtype=pl.Float64)
    frame = report.select(
        "plate",
        "well",
        value=nothing,
        sd=nothing,
        cells=pl.col("cell_counts").cast(pl.Float64),
        positive=pl.col("counts_SABGal_positive").cast(pl.Float64),
    )
    treated = pl.col("Condition").str.starts_with("IR")
    wells = report.select(
        "plate",
        "well",
        compound=pl.lit(""),
        concentration_um=nothing,
        role=pl.lit("vehicle"),
        state=pl.when(treated).then(pl.lit("stressed")).otherwise(pl.lit("unstressed")),
        replicate=1,
        batch=pl.lit("B"),
    )
    scores = score_table(Readouts(frame, "report.csv", {}))
    found = call_tables(scores, map_frame(wells.to_dicts()), None, CallRules()).hits
    both = found.join(report, on=["plate", "well"], validate="1:1")
    published = both["percentage_SABGal_positive"].str.strip_chars().cast(pl.Float64)

    assert both.height == 30
    assert (100 * both["fraction"] - published).abs().max() <= 0.006  # type: ignore[operator]
    assert (both["fraction_low"] <= both["fraction"]).all()
    assert (both["fraction"] <= both["fraction_high"]).all()
