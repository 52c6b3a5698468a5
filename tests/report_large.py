"""Tables of a campaign too large for any one night, made by repeating one plate."""

from __future__ import annotations

import polars as pl

from screen.report.tables import RunTables
from tests.report_example import example_tables


def large_tables(
    n_plates: int, wells_per_plate: int, n_compounds: int, n_wells: int = 384
) -> RunTables:
    """``n_plates`` copies of the first wells of a plate with ``n_wells``; every other
    plate fails; compounds are repeated under new names and ranks."""
    one = example_tables(1, n_wells)
    names = pl.DataFrame({"plate": [f"B{i:05d}" for i in range(n_plates)]})
    wells = one.hits.drop("plate").head(wells_per_plate)
    hits = names.join(wells, how="cross").select(one.hits.columns)
    verdicts = pl.Series(["pass" if i % 2 else "fail" for i in range(n_plates)])
    own = one.plates.drop("plate", "verdict")
    plates = names.with_columns(verdict=verdicts).join(own, how="cross")
    copies = pl.DataFrame({"copy": range(-(-n_compounds // one.compounds.height))})
    compounds = copies.join(one.compounds, how="cross").head(n_compounds)
    compounds = compounds.with_columns(
        compound=pl.format("{}-{}", "compound", "copy"),
        rank=pl.int_range(1, n_compounds + 1, dtype=pl.Int64),
    ).drop("copy")
    return RunTables.complete(hits, plates, compounds, one.call, one.manifest)
