"""Control wells of two published screens, as plate quality is judged on them."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import polars as pl

from screen.statistics.mixups import Keys
from screen.statistics.robust import Floats

FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "data"
E31 = "E31"
COUNT = "Total Nuclei (CountNuclei)"


def lopac_nuclei(folder: Path = FOLDER) -> dict[str, tuple[Floats, Floats]]:
    """Nuclei of the vehicle and of the killing control wells, by plate of the line E31."""
    with gzip.open(folder / "lopac_screen" / "wells.csv.gz") as file:
        wells = pl.read_csv(io.BytesIO(file.read()))
    own = wells.filter(pl.col("Barcode").str.starts_with(E31)).sort("Barcode")
    return {
        str(part["Barcode"][0]): (_group(part, "neg"), _group(part, "pos"))
        for part in own.partition_by("Barcode", maintain_order=True)
    }


def _group(wells: pl.DataFrame, annotation: str) -> Floats:
    counts = wells.filter(pl.col("Annotation") == annotation)[COUNT]
    return counts.cast(pl.Float64).to_numpy()


def kcviab_controls(folder: Path = FOLDER) -> dict[int, tuple[Floats, Floats]]:
    """By replicate the value of B01 (negative) and B02 (positive) over its plate's sample median, of 57 plates."""
    found: dict[int, tuple[list[float], list[float]]] = {1: ([], []), 2: ([], [])}
    with zipfile.ZipFile(folder / "kcviab" / "KcViab.zip") as archive:
        for name in sorted(n for n in archive.namelist() if n.startswith("FT")):
            lines = archive.read(name).decode().splitlines()
            cells = [line.split("\t") for line in lines if line.strip()]
            values = {well: float(value) for _, well, value in cells}
            controls = ("A01", "A02", "B01", "B02")
            middle = np.median([v for w, v in values.items() if w not in controls])
            groups = found[int(name[len("FT01-G") : len("FT01-G02")])]
            for group, well in zip(groups, ("B01", "B02"), strict=True):
                group.append(values[well] / float(middle))
    return {k: (np.array(n), np.array(p)) for k, (n, p) in found.items()}


def repurposing_counts(folder: Path = FOLDER) -> tuple[Floats, Keys, list[str]]:
    """Log cells [1 plate place], what each well holds [plate place] and the map of each of 136 plates."""
    place = folder / "repurposing_screen"
    with gzip.open(place / "cell_counts.csv.gz") as file:
        counts = pl.read_csv(io.BytesIO(file.read()))
    with gzip.open(place / "platemaps.csv.gz") as file:
        maps = pl.read_csv(io.BytesIO(file.read()), infer_schema_length=None)
    barcodes = pl.read_csv(place / "barcode_platemap.csv").rename(
        {"Assay_Plate_Barcode": "plate", "Plate_Map_Name": "plate_map_name"}
    )
    table = (
        counts.join(barcodes, on="plate")
        .join(maps.rename({"well_position": "well"}), on=["plate_map_name", "well"])
        .with_columns(
            held=pl.struct("broad_sample", "mmoles_per_liter").rank("dense"),
            row=pl.col("well")
            .str.slice(0, 1)
            .replace_strict({chr(65 + i): i for i in range(16)}, return_dtype=pl.Int64),
            column=pl.col("well").str.slice(1).cast(pl.Int64) - 1,
        )
        .sort("plate", "row", "column")
    )
    plates = table["plate"].unique().sort().to_list()
    index = {p: i for i, p in enumerate(plates)}
    own = np.array([index[p] for p in table["plate"]], dtype=np.intp)
    at = table["row"].to_numpy() * 24 + table["column"].to_numpy()
    keys = np.full((len(plates), 384), -1, np.int64)
    keys[own, at] = table["held"].to_numpy().astype(np.int64)
    cells = np.full((1, len(plates), 384), np.nan)
    cells[0, own, at] = np.log(table["cell_count"].to_numpy() + 0.5)
    named = dict(table.select("plate", "plate_map_name").unique().rows())
    return cells, keys, [str(named[p]) for p in plates]
