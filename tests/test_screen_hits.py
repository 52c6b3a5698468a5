"""The hit table on disk: places, text, spreadsheets and swaps."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr

from screen.hits import hit_dataset, write_zarr
from screen.sheets import write_csv

HITS = pl.DataFrame(
    {
        "plate": ["P2", "P1"],
        "well": ["B03", "A01"],
        "row": [1, 0],
        "column": [2, 0],
        "status": ["SCORED", "NO_CELLS"],
        "n_cells": [120, 0],
        "rescue": [0.5, None],
        "learnt": [False, True],
    }
)
DOSES = pl.DataFrame(
    {
        "compound": ["C1", "C1", "C2"],
        "line": [None, None, "L"],
        "time_h": [None, None, 24.0],
        "concentration_um": [1.0, 10.0, None],
        "effect": [0.1, 0.4, 0.2],
        "se": [0.1, 0.1, 0.1],
        "n_used": [2, 2, 1],
    },
    schema_overrides={"line": pl.String, "time_h": pl.Float64},
)


def dataset() -> xr.Dataset:
    """The dataset of the two wells on a 6-well plate."""
    return hit_dataset(HITS, DOSES, n_rows=2, n_columns=3)


def test_wells_lie_at_their_place() -> None:
    data = dataset()
    assert dict(data.sizes) == {
        "plate": 2,
        "row": 2,
        "column": 3,
        "compound_unit": 2,
        "dose_um": 2,
    }
    assert data["rescue"].sel(plate="P2", row="B", column=3) == 0.5
    assert data["status"].sel(plate="P1", row="A", column=1) == "NO_CELLS"
    assert int(np.isfinite(data["rescue"]).sum()) == 1
    assert int((data["status"] != "").sum()) == 2


def test_doses_lie_at_compound_and_concentration() -> None:
    data = dataset()
    assert data["dose_effect"].sel(compound_unit="C1", dose_um=10.0) == 0.4
    assert np.isnan(data["dose_effect"].sel(compound_unit="C2 | L | 24.0")).all()


def test_zarr_reads_back_and_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "hits.zarr"
    write_zarr(dataset(), path)
    write_zarr(dataset(), path)
    with xr.open_zarr(path, consolidated=False) as back:
        xr.testing.assert_equal(back.load(), dataset())
    assert [p.name for p in tmp_path.iterdir()] == ["hits.zarr"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@A", "\tx", "＝x"])
def test_a_formula_becomes_text(tmp_path: Path, text: str) -> None:
    table = pl.DataFrame({"name": [text, "plain-name", None], "x": [-1.5, 2.0, 3.0]})
    write_csv(table, tmp_path / "t.csv")
    back = pl.read_csv(tmp_path / "t.csv")
    assert back["name"].to_list() == [f"'{text}", "plain-name", None]
    assert back["x"].to_list() == [-1.5, 2.0, 3.0]
