"""Positive cells against a background threshold, by hand values and by a published table."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from screen.statistics.positive_share import (
    background_threshold,
    positive_shares,
    wilson_interval,
)

REAL = Path(__file__).parents[1].parent / "shared/data/sabgal_cells"
THRESHOLDS = {
    ("CTL", "FS"): 17.30,
    ("CTL", "SS"): 23.28,
    ("IR", "FS"): 41.27,
    ("IR", "SS"): 37.47,
}


def cells(**columns: object) -> pl.DataFrame:
    """One row per cell of two wells of one plate."""
    return pl.DataFrame({"plate": "P", **columns})


def test_a_threshold_lies_between_ranks() -> None:
    # Rank 0.95 * 3 = 2.85 of 0, 1, 2, 10.
    assert background_threshold(np.array([2.0, 0, 10, 1])) == pytest.approx(8.8)


@pytest.mark.parametrize(("n_positive", "n"), [(0, 7), (3, 7), (7, 7), (98, 145)])
def test_the_interval_is_wilsons(n_positive: int, n: int) -> None:
    low, high = wilson_interval(np.array([float(n_positive)]), np.array([float(n)]))
    other = stats.binomtest(n_positive, n).proportion_ci(0.95, method="wilson")

    assert (low[0], high[0]) == pytest.approx((other.low, other.high), abs=1e-12)


def test_without_cells_the_share_may_be_anything() -> None:
    low, high = wilson_interval(np.zeros(1), np.zeros(1))

    assert (low[0], high[0]) == (0.0, 1.0)


def test_cells_above_the_threshold_are_positive_and_ties_are_not() -> None:
    table = positive_shares(
        cells(
            well=["A01"] * 3 + ["A02"] * 4,
            line="x",
            value=[5.0, 5, 5, 4, 5, 6, 7],
            is_background=[True] * 3 + [False] * 4,
        ),
        ["line"],
    )

    assert table["threshold"].to_list() == [5.0, 5.0]
    assert table["n_positive"].to_list() == [0, 2]
    assert table["share"].to_list() == [0.0, 0.5]


def test_every_group_without_background_is_named() -> None:
    table = cells(
        well=["A01", "A02", "A03"],
        line=["x", "y", "z"],
        value=[1.0, 2, 3],
        is_background=[True, False, False],
    )
    with pytest.raises(ValueError, match="no background cells in y; z"):
        positive_shares(table, ["line"])


def test_a_cell_without_a_value_is_no_negative_cell() -> None:
    table = cells(well="A01", line="x", value=[1.0, None], is_background=True)
    with pytest.raises(ValueError, match="finite value"):
        positive_shares(table, ["line"])


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="no real data in ../shared/data")
def test_stained_cells_are_positive_as_published() -> None:
    raw = pl.read_csv(REAL / "single_cells.csv.gz", infer_schema_length=None)
    table = positive_shares(
        raw.with_columns(
            kind=pl.col("Condition").str.strip_suffix("_background"),
            is_background=pl.col("Condition").str.ends_with("_background"),
        ).rename({"SABGal": "value"}),
        ["kind", "Serum"],
    )
    found = {
        (kind, serum): round(threshold, 2)
        for kind, serum, threshold in table.select(
            "kind", "Serum", "threshold"
        ).iter_rows()
    }
    assert found == THRESHOLDS

    report = pl.read_csv(REAL / "reference_report.csv", infer_schema_length=None)
    both = report.join(table, on=["plate", "well"], validate="1:1")
    assert both.height == report.height == 30
    assert both["n_cells"].equals(both["cell_counts"])
    assert both["n_positive"].equals(both["counts_SABGal_positive"])
    published = both["percentage_SABGal_positive"].str.strip_chars().cast(pl.Float64)
    gap = (100 * both["share"] - published).to_numpy()
    assert np.abs(gap).max() <= 0.006
    assert ((both["low"] < both["share"]) & (both["share"] < both["high"])).all()

    stained = raw.select("plate", "well", "Condition").unique()
    # Wells weigh alike, however many cells they hold.
    means = (
        table.join(stained, on=["plate", "well"], validate="1:1")
        .group_by("Condition")
        .agg(100 * pl.col("share").mean())
    )
    shares = {name: round(share, 1) for name, share in means.iter_rows()}
    assert (shares["IR"], shares["CTL"]) == (84.1, 24.0)
