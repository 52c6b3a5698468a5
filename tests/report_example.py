"""A made-up run that looks like a real one: tables, plates of pixels and a library."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plates.wells import PlateFormat, Well
from screen.report.gallery import Galleries, Gallery, PlatePixels
from screen.report.listed_cells import wanted_wells
from screen.report.tables import RunTables

FIELD_PX = 540
PIXEL_UM = 0.65
_SMILES = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "O=C(O)c1ccccc1O",
    "CN1CCC[C@H]1c1cccnc1",
    "Cc1ccc(cc1Nc1nccc(n1)-c1cccnc1)NC(=O)c1ccc(cc1)CN1CCN(C)CC1",
    "COc1cc2ncnc(Nc3ccc(F)c(Cl)c3)c2cc1OCCCN1CCOCC1",
    "OC(=O)CCCc1ccc(cc1)N(CCCl)CCCl",
)
_KINDS = (
    *(("rescue", r) for r in (0.95, 0.8, 0.7, 0.62, 0.55, 0.5, 0.44, 0.38)),
    *(("senolytic", 0.6),) * 5,
    *(("toxic", 0.1),) * 5,
    *(("dilution", 0.3),) * 3,
    *(("cytostatic", 0.0),) * 3,
    *(("inducer", -0.3),) * 3,
    *(("other", 0.3),) * 3,
    *(("artefact", 0.4),) * 2,
)
_DOSES = (0.3, 3.0, 10.0)
_CALL = {
    "schema": 1,
    "settings": {"fdr": 0.05, "z_prime_min": 0.3, "level": 0.95},
    "unit": "compound within a line and time; one p over its doses",
    "family": "all treatment compounds on stressed cells",
    "family_size": 106,
    "adjustment": "Benjamini-Hochberg",
    "notes": [
        "no position correction is applied",
        "N_sen and N_non rest on the assumed senescent shares of the two vehicles",
    ],
}


def kind_of(index: int) -> tuple[str, float]:
    """Class and largest rescue of the compound with this number."""
    return _KINDS[index] if index < len(_KINDS) else ("inactive", 0.0)


def example_tables(n_plates: int = 2, n_wells: int = 384, seed: int = 0) -> RunTables:
    """A finished 384-well screen: controls outside, compounds at three doses inside."""
    rng = np.random.default_rng(seed)
    fmt = PlateFormat.of(n_wells)
    rows = [
        _well(f"P{p + 1:02d}", w, fmt, p, rng)
        for p in range(n_plates)
        for w in fmt.wells()
    ]
    hits = pl.DataFrame(rows)
    plates = pl.DataFrame(
        [_plate(p, hits) for p in hits["plate"].unique(maintain_order=True)]
    )
    return RunTables.complete(hits, plates, _compounds(hits, rng), _CALL, _manifest())


def _manifest() -> dict[str, Any]:
    settings = {
        "campaign": "campaigns/example",
        "model": "models/example",
        "minibatch": 64,
    }
    versions = {"senoscreen": "0.1.0", "python": "3.11.2", "jax": "0.10.2"}
    score = {"settings": settings, "versions": versions, "device": {"cpus": 2}}
    return {"schema": 1, "name": "example", "verbs": {"score": score}, "outputs": {}}


def _treatment(well: Well, fmt: PlateFormat) -> tuple[str, str, str, float | None]:
    inner = fmt.n_columns - 4
    if well.column in (0, 1, fmt.n_columns - 2, fmt.n_columns - 1):
        is_healthy = (well.row + well.column) % 2 == 0
        return "vehicle", "unstressed" if is_healthy else "stressed", "", None
    at = well.row * inner + well.column - 2
    n_compounds = fmt.n_rows * inner // len(_DOSES)
    compound, dose = at % n_compounds, _DOSES[min(at // n_compounds, len(_DOSES) - 1)]
    return "treatment", "stressed", f"C{compound + 1:04d}", dose


def _well(
    plate: str, well: Well, fmt: PlateFormat, replicate: int, rng: np.random.Generator
) -> dict[str, Any]:
    role, state, compound, dose = _treatment(well, fmt)
    kind, top = kind_of(int(compound[1:]) - 1) if compound else ("vehicle", 0.0)
    strength = 0.0 if dose is None else dose / (dose + 1.5)
    true = 1.0 if state == "unstressed" else top * strength * 1.15
    rescue = true + rng.normal(0, 0.13)
    count = {"toxic": 1 - 0.8 * strength, "senolytic": 1 - 0.45 * strength}.get(
        kind, 1.0
    )
    n = int(rng.poisson(190 * count * (0.9 if well.is_edge(fmt) else 1.0)))
    status, codes = _fate(plate, str(well))
    scored = status.startswith("SCORED")
    return {
        "plate": plate,
        "well": str(well),
        "row": well.row,
        "column": well.column,
        "compound": compound,
        "concentration_um": dose,
        "role": role,
        "state": state,
        "replicate": replicate + 1,
        "batch": "b1",
        "line": None,
        "time_h": None,
        "status": status,
        "codes": codes,
        "flags": "LOW_CELLS" if scored and n < 60 else "",
        "n_cells": n if scored else 0,
        "n_fields": 1 if scored else 0,
        "score": 0.72 - 0.45 * rescue if scored else None,
        "score_sd": 0.2 if scored else None,
        "fraction": 0.75 - 0.5 * rescue if scored else None,
        "rescue": rescue if scored else None,
        "robust_z": 8 * rescue if scored else None,
        "relative_count": n / 190 if scored else None,
    }


def _fate(plate: str, well: str) -> tuple[str, str]:
    lost = {
        ("P01", "H08"): ("NO_CELLS", "NO_CELLS"),
        ("P01", "C11"): ("QUARANTINED", "CHUNK_CORRUPT"),
        ("P02", "C11"): ("QUARANTINED", "IMG_BLANK"),
        ("P02", "N20"): ("QUARANTINED", "CHUNK_MISSING;FIELD_MISSING"),
        ("P02", "F05"): ("SCORED_DEGRADED", "FIELD_MISSING"),
    }
    return lost.get((plate, well), ("SCORED", ""))


def _plate(plate: str, hits: pl.DataFrame) -> dict[str, Any]:
    own = hits.filter(pl.col("plate") == plate)
    healthy = own.filter(pl.col("state") == "unstressed")
    stressed = own.filter(
        (pl.col("role") == "vehicle") & (pl.col("state") == "stressed")
    )
    means = healthy["rescue"].mean(), stressed["rescue"].mean()
    sds = healthy["rescue"].std(), stressed["rescue"].std()
    z = 1 - 3 * (sds[0] + sds[1]) / abs(means[0] - means[1])  # type: ignore[operator, arg-type]
    return {
        "plate": plate,
        "n_wells": own.height,
        "n_scored": own["score"].count(),
        "n_quarantined": own.filter(pl.col("status") == "QUARANTINED").height,
        "n_no_cells": own.filter(pl.col("status") == "NO_CELLS").height,
        "verdict": "pass" if z - 0.14 > 0 else "undecided",
        "reason": f"Z' {z:.2f} ({z - 0.14:.2f} to {z + 0.11:.2f}): the lower bound reaches 0",
        "z_prime": z,
        "z_prime_low": z - 0.14,
        "z_prime_high": z + 0.11,
        "robust_z_prime": z + 0.03,
        "ssmd": 6.1,
        "ssmd_low": 4.9,
        "ssmd_high": 7.4,
        "vehicle_count_median": stressed["n_cells"].median(),
        "n_healthy": healthy.height,
        "n_senescent": stressed.height,
        "senescent_median": stressed["score"].median(),
        "healthy_median": healthy["score"].median(),
        "scale": "kept controls, medians of 32 senescent and 32 healthy wells; networks fold0",
    }


def _compounds(hits: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    ids = (
        hits.filter(pl.col("role") == "treatment")["compound"].unique().sort().to_list()
    )
    rows = [_compound(i, c, hits, rng) for i, c in enumerate(ids)]
    return pl.DataFrame(rows, infer_schema_length=None)


def _compound(
    index: int, compound: str, hits: pl.DataFrame, rng: np.random.Generator
) -> dict[str, Any]:
    kind, _ = kind_of(index)
    own = hits.filter((pl.col("compound") == compound) & pl.col("score").is_not_null())
    best = own.filter(pl.col("concentration_um") == own["concentration_um"].max())
    rescue = best["rescue"].mean()
    assert isinstance(rescue, float)
    q = float(1e-9 * 8**index) if kind == "rescue" else float(rng.uniform(0.06, 1))
    return {
        "rank": index + 1,
        "compound": compound,
        "name": f"example-{compound[1:].lstrip('0')}" if index != 2 else "",
        "class": kind,
        "is_hit": kind == "rescue",
        "p": q / 3,
        "q": q,
        "q_rescue": q if kind == "rescue" else None,
        "rescue": rescue,
        "rescue_low": rescue - 0.16,
        "rescue_high": rescue + 0.16,
        "best_concentration_um": own["concentration_um"].max(),
        "n_wells": own.height,
        "n_replicates": 2,
        "relative_count": best["relative_count"].mean(),
        "n_sen_ratio": 1 - 0.8 * rescue,
        "n_non_ratio": 1 + 1.9 * rescue,
        "flags": "PLATE_UNDECIDED" if index == 4 else "",
        "why": "senescent cells fall and young cells rise by about as much"
        if kind == "rescue"
        else f"judged {kind} by its senescent and young cell numbers",
        "smiles": "" if index == 3 else _SMILES[index % len(_SMILES)],
        "inchikey": "BSYNRYMUTXBXSQ-UHFFFAOYSA-N",
        "mol_weight": 180.2 + index,
        "logp": 1.3,
        "qed": 0.55,
        "code": "",
    }


def example_galleries(tables: RunTables, top: int = 12) -> dict[str, Gallery]:
    """Galleries over painted fields: bright nuclei on dim bodies, no file anywhere."""
    return example_cutter(tables).all_of(wanted_wells(tables, top))


def example_cutter(tables: RunTables) -> Galleries:
    """What cuts cells out of the painted fields."""
    rescue = {
        (r["plate"], r["well"]): r["rescue"] or 0.0
        for r in tables.hits.iter_rows(named=True)
    }
    sources = {p: _source(p, rescue) for p in tables.plate_ids}
    return Galleries(tables.hits, sources)


def _source(plate: str, rescue: dict[tuple[str, str], float]) -> PlatePixels:
    grid = [(y, x) for y in range(35, 520, 67) for x in range(35, 520, 67)]
    wells = sorted(w for p, w in rescue if p == plate)

    def cells() -> pl.DataFrame:
        n = len(grid)
        spread = np.linspace(-0.3, 0.3, n)
        return pl.DataFrame(
            {
                "well": [w for w in wells for _ in range(n)],
                "field": [0] * n * len(wells),
                "cell": list(range(n)) * len(wells),
                "y": [float(y) for y, _ in grid] * len(wells),
                "x": [float(x) for _, x in grid] * len(wells),
                "probability": np.concatenate(
                    [0.7 - 0.4 * rescue[plate, w] + spread for w in wells]
                ),
            }
        )

    def read(well: str, field: int) -> NDArray[Any]:
        return _paint(
            grid, rescue[plate, well], seed=sum(map(ord, plate + well)) + field
        )

    return PlatePixels(("nucleus", "body"), PIXEL_UM, read, cells)


def _paint(grid: list[tuple[int, int]], rescue: float, seed: int) -> NDArray[np.uint16]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:FIELD_PX, 0:FIELD_PX].astype(np.float32)
    field = np.stack([np.full_like(y, 120), np.full_like(y, 200)])
    for cy, cx in grid:
        size = (9 if rng.random() < rescue else 14) * rng.uniform(0.85, 1.2)
        stretch = rng.uniform(0.75, 1.3)
        part = np.s_[max(cy - 45, 0) : cy + 45, max(cx - 45, 0) : cx + 45]
        d = (y[part] - cy) ** 2 * stretch + (x[part] - cx) ** 2 / stretch
        field[0][part] += 1500 / (1 + np.exp((np.sqrt(d) - size) / 1.2))
        field[1][part] += 700 * np.exp(-d / (2 * (2.1 * size) ** 2))
    return rng.poisson(field).astype(np.uint16)
