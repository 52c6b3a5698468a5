"""Real and planted plates for the tests of normalisation: qhts, kcviab, the repurposing screen, and grids with known hits."""

import gzip
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from screen.statistics.normalizers.grid import Bools, PlateGrid, plate_grid
from screen.statistics.robust import Floats

SHAPE = (16, 24)


def qhts_plates(shared: Path) -> tuple[list[PlateGrid], list[Floats]]:
    """The 42 plates of 1,280 samples as grids, with the published Z of each."""
    with gzip.open(shared / "qhts" / "raw.csv.gz") as raw:
        values = pl.read_csv(raw.read())
    with gzip.open(shared / "qhts" / "z_scores_reference.csv.gz") as published:
        scores = pl.read_csv(published.read())
    rows, columns = values["Row"].to_numpy() - 1, values["Col"].to_numpy() - 1
    plates, expected = [], []
    for name in values.columns[2:]:
        concentration, replicate = re.fullmatch(r"Exp(\d+)R(\d+)", name).groups()  # type: ignore[union-attr]
        grid, known = np.full((32, 48), np.nan), np.full((32, 48), np.nan)
        grid[rows, columns] = values[name].to_numpy()
        z = scores[f"Z_Conc{concentration}_Rep{replicate}"].to_numpy()
        known[scores["Rows"].to_numpy() - 1, scores["Cols"].to_numpy() - 1] = z
        plates.append(plate_grid(grid))
        expected.append(known)
    return plates, expected


def kcviab(shared: Path) -> tuple[list[tuple[int, int, PlateGrid]], pl.DataFrame]:
    """(plate, replicate, grid) of the viability screen, A01-A02 and B01-B02 no samples, and the published scores."""
    with zipfile.ZipFile(shared / "kcviab" / "KcViab.zip") as archive:
        published = pl.read_csv(
            archive.read("Analysis2003.txt"), separator="\t", null_values="NA"
        )
        plates = []
        for name in sorted(n for n in archive.namelist() if n.startswith("FT")):
            plate, replicate = map(int, re.findall(r"\d+", name)[:2])
            grid = np.full(SHAPE, np.nan)
            for line in archive.read(name).decode().split("\n"):
                if line.strip():
                    _, well, value = line.split("\t")[:3]
                    grid[ord(well[0]) - 65, int(well[1:]) - 1] = float(value)
            treated = np.ones(SHAPE, dtype=bool)
            treated[:2, :2] = False
            plates.append((plate, replicate, plate_grid(grid, treated=treated)))
    return plates, published


def repurposing_plates(shared: Path) -> Iterator[tuple[str, PlateGrid]]:
    """The 136 plates of cell counts with their doses; DMSO wells are the vehicle."""
    folder = shared / "repurposing_screen"
    with gzip.open(folder / "cell_counts.csv.gz") as file:
        counts = pl.read_csv(file.read())
    with gzip.open(folder / "platemaps.csv.gz") as file:
        maps = pl.read_csv(file.read())
    barcodes = pl.read_csv(folder / "barcode_platemap.csv")
    table = counts.join(
        barcodes, left_on="plate", right_on="Assay_Plate_Barcode", how="inner"
    ).join(
        maps,
        left_on=["Plate_Map_Name", "well"],
        right_on=["plate_map_name", "well_position"],
        how="inner",
    )
    for (plate,), part in table.sort("plate", "well").group_by(
        "plate", maintain_order=True
    ):
        yield str(plate), _count_grid(part)


def _count_grid(part: pl.DataFrame) -> PlateGrid:
    at = (
        part["well"].str.head(1).to_numpy().astype("U1").view(np.uint32) - 65,
        part["well"].str.tail(2).cast(pl.Int64).to_numpy() - 1,
    )
    values, dose = np.full(SHAPE, np.nan), np.full(SHAPE, np.nan)
    values[at] = part["cell_count"].to_numpy()
    dose[at] = part["mg_per_ml"].cast(pl.Float64).log().to_numpy()
    vehicle = np.zeros(SHAPE, dtype=bool)
    vehicle[at] = part["broad_sample"].is_null().to_numpy()
    return plate_grid(values, vehicle=vehicle, log_dose=dose)


def planted_plate(
    seed: int,
    share: float,
    *,
    by_row: bool = False,
    shift: float = -6.0,
    place_sd: float = 0.0,
    scattered: bool = False,
) -> tuple[PlateGrid, Bools]:
    """A 384-well plate of unit noise with 32 vehicle wells, and where its hits are.

    Hits read the null's median plus `shift` and their place's effect. `by_row`: eight
    doses fall row by row, and the hits fill the rows from the top; else both are random.
    """
    rng = np.random.default_rng(seed)
    place = place_sd * (rng.normal(size=(16, 1)) + rng.normal(size=(1, 24)))
    noise = rng.normal(size=SHAPE)
    vehicle = np.zeros(SHAPE, dtype=bool)
    if scattered:
        vehicle.flat[rng.permutation(384)[:32]] = True
    else:
        vehicle[:, [0, 23]] = True
    wells = np.flatnonzero(~vehicle)
    rows = np.indices(SHAPE)[0].astype(np.float64)
    dose = np.where(vehicle, np.nan, -np.log(2.0) * (rows // 2))
    if not by_row:
        dose.flat[wells] = dose.flat[rng.permutation(wells)]
        wells = rng.permutation(wells)
    hits = np.zeros(SHAPE, dtype=bool)
    hits.flat[wells[: round(share * wells.size)]] = True
    values = np.where(hits, shift, noise) + place
    return plate_grid(values, vehicle=vehicle, log_dose=dose), hits
