"""Vehicle wells of two published screens, as the error model and the tests of `call` take them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats

from screen.statistics.robust import Floats

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def e31_vehicle(data: Path = DATA) -> pl.DataFrame:
    """DMSO wells of lopac_screen's line E31: plate, score, score_sd (of cells) and n_cells; 8 plates x 48."""
    scores = pl.read_csv(data / "lopac_screen" / "e31_senescence_scores.csv")
    wells = pl.read_csv(data / "lopac_screen" / "wells.csv.gz", infer_schema_length=0)
    vehicle = wells.filter(pl.col("Annotation") == "neg").select(
        pl.col("Barcode").str.replace(r"-0\.5", "-0-5").alias("plate"),
        pl.col("Well").alias("well"),
    )
    return (
        scores.select(
            plate="Metadata_platename",
            well="Metadata_well",
            score="sen_score",
            score_sd="std_sen_score",
            n_cells="cell_no",
        )
        .join(vehicle, on=["plate", "well"], how="semi")
        .sort("plate", "well")
    )


def repurposing_wells(data: Path = DATA) -> pl.DataFrame:
    """Wells of repurposing_screen: plate, map, well, row, column, n_cells, sample (null in DMSO wells), dose; 52,223."""
    folder = data / "repurposing_screen"
    maps = pl.read_csv(folder / "platemaps.csv.gz")
    plates = pl.read_csv(folder / "barcode_platemap.csv")
    counts = pl.read_csv(folder / "cell_counts.csv.gz")
    return (
        counts.join(
            plates.select(plate="Assay_Plate_Barcode", map="Plate_Map_Name"), on="plate"
        )
        .join(
            maps.select(
                map="plate_map_name",
                well="well_position",
                sample="broad_sample",
                dose="mmoles_per_liter",
            ),
            on=["map", "well"],
        )
        .select(
            "plate",
            "map",
            "well",
            row=pl.col("well").str.head(1).str.to_integer(base=36) - 10,
            column=pl.col("well").str.slice(1).cast(pl.Int64) - 1,
            n_cells="cell_count",
            sample="sample",
            dose="dose",
        )
        .sort("plate", "row", "column")
    )


def pseudo_screens(wells: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """For each map and each half of its vehicle places: all wells, that half as compounds, and the plates' anchors.

    The wells are scaled by the plates' remaining vehicle wells, so a pseudo-compound
    never takes part in its own scale or in any estimate of spread.
    """
    wells = vehicle_halves(wells)
    for name in wells["map"].unique().sort():
        for half in (0, 1):
            tested = (pl.col("map") == name) & (pl.col("half") == half)
            tested = (tested & pl.col("sample").is_null()).fill_null(False)
            yield _scaled(wells.with_columns(tested=tested))


def vehicle_halves(wells: pl.DataFrame) -> pl.DataFrame:
    """The wells with `half`, 0 or 1 by turns over the places that vehicle wells lie at; null elsewhere."""
    vehicle = wells.filter(pl.col("sample").is_null())
    places = vehicle.select("row", "column").unique().sort("row", "column")
    halves = places.with_row_index("half").with_columns(pl.col("half") % 2)
    return wells.join(halves, on=["row", "column"], how="left", maintain_order="left")


def _scaled(wells: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    anchor = pl.col("sample").is_null() & ~pl.col("tested")
    kept = pl.when(anchor).then("n_cells")
    centre = kept.median().over("plate")
    spread = 1.4826 * (kept - centre).abs().median().over("plate")
    z = (pl.col("n_cells") - centre) / spread
    name = pl.concat_str("map", "well", separator=" ")
    text = pl.lit(None, dtype=pl.String)
    wells = wells.with_columns(
        compound=pl.when("tested").then(name).otherwise(pl.col("sample").fill_null("")),
        role=pl.when(anchor).then(pl.lit("vehicle")).otherwise(pl.lit("treatment")),
        state=pl.lit("stressed"),
        status=pl.lit("SCORED"),
        line=text,
        time_h=pl.lit(None, dtype=pl.Float64),
        concentration_um=pl.col("dose").fill_null(1.0),
        networks=pl.lit(["table"]),
        flags=pl.lit([], dtype=pl.List(pl.String)),
        effect=z,
        robust_z=z,
        log_count=((pl.col("n_cells") + 0.5) / centre).log(),
        relative_count=pl.col("n_cells") / centre,
        background_z=pl.lit(0.0),
        n_zero_worth=anchor.sum().over("plate").cast(pl.Float64),
    )
    anchors = wells.group_by("plate", maintain_order=True).agg(
        n_zero=(pl.col("role") == "vehicle").sum().cast(pl.Int64)
    )
    anchors = anchors.with_columns(
        line=text,
        time_h=pl.lit(None, dtype=pl.Float64),
        verdict=pl.lit("pass"),
        n_one=pl.col("n_zero"),
    )
    return wells, anchors


def plain_t_p(wells: pl.DataFrame) -> Floats:
    """What a t test of a pseudo-compound's log counts against nought says, its place left out of account."""
    means = (
        wells.filter("tested")
        .group_by("compound", maintain_order=True)
        .agg(n=pl.len(), mean=pl.col("log_count").mean(), sd=pl.col("log_count").std())
    )
    n = means["n"].to_numpy()
    t = means["mean"].to_numpy() / (means["sd"].to_numpy() / np.sqrt(n))
    return np.asarray(2 * stats.t.sf(np.abs(t), n - 1))
