"""A called run on the disk as the verbs leave it: tables, cells, plates of pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from plates.campaign import Campaign, PlateEntry, write_campaign
from plates.compounds import Library
from plates.maps import PlateMap
from plates.store import PlateSpec, plate_writer
from plates.wells import PlateFormat, Well
from screen.by_hand import judged_by_hand
from screen.call import call_tables
from screen.called_tables import CallTables, write_tables
from screen.cell_tables import SCHEMA as CELLS
from screen.compose import settings_of
from screen.curve_settings import CurveSettings
from screen.ledger import Ledger, write_parquet
from screen.picks import pick_list
from screen.provenance import record_outputs
from screen.statistics.rules import CallRules
from tests.made_structures import structures
from tests.score_tables import Screen, draw

FORMAT = PlateFormat.of(384)
FIELD_PX, PIXEL_UM, CHANNELS = 192, 0.65, ("nucleus", "body")
_CENTRES = tuple((y, x) for y in (34, 96, 158) for x in (34, 96, 158))
_N_FIELDS_PAINTED = 8  # of each look; painting every well anew would take minutes
_OTHERS = ("toxic", "senolytic", "dilution", "cytostatic", "inducer", "other")
_WORDS = ("stat", "mab", "zole", "pril", "olol", "ine", "idone", "afil", "mycin", "ol")


@dataclass(frozen=True)
class Made:
    """What a made-up run holds. Every plate has 64 vehicle wells and compounds of its
    own, each at three or four doses."""

    n_plates: int = 1
    n_compounds: int = 100
    seed: int = 0
    has_pixels: bool = True
    has_structures: bool = True


@dataclass(frozen=True)
class MadeRun:
    """Where a made-up run lies and what was written there."""

    folder: Path
    campaign: Path
    tables: CallTables

    @property
    def words(self) -> list[str]:
        """What names it on a command line."""
        return [f"run={self.folder.name}", f"runs={self.folder.parent}"]


def make_run(root: Path, made: Made = Made(), model: Path | None = None) -> MadeRun:
    """Draw scores of a screen, call them, and write a run with its campaign in ``root``;
    its manifest names the folder of a ``model`` if one is given."""
    scores, plate_map = drawn(made)
    library = library_of(plate_map, made)
    tables = call_tables(
        scores,
        plate_map,
        None if library is None else library.frame,
        CallRules(),
        curves=CurveSettings(),
    )
    compounds = judged_by_hand(tables.compounds, "")
    picks = pick_list(compounds, tables.hits)
    tables = replace(tables, compounds=compounds, picks=picks)
    campaign, folder = root / "campaign", root / "runs" / "made"
    folder.mkdir(parents=True)
    write_plates(campaign, tables.hits, plate_map, library, made)
    if made.has_pixels:
        for plate, wells in tables.hits.group_by("plate"):
            table = cells_of(str(plate[0]), wells).to_arrow().cast(CELLS)
            write_parquet(table, Ledger(folder).cells(str(plate[0])))
    inputs = {"campaign": str(campaign)} if made.has_pixels else {}
    if model is not None:
        inputs["model"] = str(model)
    scored = settings_of("score", [f"campaign={campaign}", "model=none", "run=made"])
    record_outputs(folder, "score", scored, inputs=inputs)
    write_tables(tables, folder, FORMAT)
    called = settings_of("call", ["run=made", f"runs={root / 'runs'}"])
    record_outputs(folder, "call", called, inputs=inputs)
    return MadeRun(folder, campaign, tables)


def drawn(made: Made) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Score table and plate map; compounds of a plate lie on no other."""
    each = -(-made.n_compounds // made.n_plates)
    scores, maps = [], []
    for number in range(made.n_plates):
        n = min(each, made.n_compounds - number * each)
        screen = Screen(seed=made.seed + number, n_plates=1, kinds=_kinds(n))
        score, well, _ = draw(screen)
        plate = pl.lit(f"P{number + 1:02d}").alias("plate")
        index = pl.col("compound").str.slice(1).cast(pl.Int64, strict=False)
        own = pl.format("C{}", (index + number * each).cast(pl.String).str.zfill(4))
        named = pl.when(pl.col("compound") != "").then(own).otherwise(pl.lit(""))
        scores.append(score.with_columns(plate))
        maps.append(well.with_columns(plate, compound=named, batch=pl.lit("B1")))
    return pl.concat(scores), pl.concat(maps)


def _kinds(n: int) -> dict[str, int]:
    """About a tenth of rescues and of each other kind a twenty-fifth."""
    some = {"rescue": max(n // 10, 1), **dict.fromkeys(_OTHERS, n // 25)}
    return {"inert": n - sum(some.values()), **some}


def library_of(plate_map: pl.DataFrame, made: Made) -> Library | None:
    """Names and structures of all compounds; None where the run is to have none."""
    if not made.has_structures:
        return None
    ids = sorted(set(plate_map["compound"]) - {""})
    rng = np.random.default_rng(made.seed)
    names = [
        "".join(rng.choice(list("bdfgklmnprstvz"), 3)).capitalize()
        + f"{_WORDS[i % len(_WORDS)]}-{i}"
        for i in range(len(ids))
    ]
    smiles = structures(len(ids), made.seed)
    frame = pl.DataFrame({"compound": ids, "name": names, "smiles": smiles})
    return Library.from_frame(frame)


def write_plates(
    root: Path,
    hits: pl.DataFrame,
    plate_map: pl.DataFrame,
    library: Library | None,
    made: Made,
) -> None:
    """A campaign with one field of small cells a well; no plate without pixels."""
    if not made.has_pixels:
        return
    (root / "plates").mkdir(parents=True)
    painted = _painted(made.seed)
    entries = []
    for (plate,), wells in hits.sort("plate", "row", "column").group_by(
        "plate", maintain_order=True
    ):
        entries.append(PlateEntry(str(plate), root / "plates" / f"{plate}.ome.zarr"))
        _write_plate(entries[-1], wells, painted)
    PlateMap.from_frame(plate_map.drop("teaching").cast(pl.String), FORMAT).write_csv(
        root / "map.csv"
    )
    if library is not None:
        library.write(root / "library.parquet")
    write_campaign(
        root,
        name="made",
        plate_format=FORMAT,
        plates=entries,
        map_path=root / "map.csv",
        library_path=None if library is None else root / "library.parquet",
    )
    Campaign.open(root)


def _write_plate(entry: PlateEntry, wells: pl.DataFrame, painted: list[Any]) -> None:
    names = [Well.parse(w) for w in wells["well"]]
    shape = (len(CHANNELS), FIELD_PX, FIELD_PX)
    spec = PlateSpec(
        entry.plate, FORMAT, tuple(names), 1, CHANNELS, PIXEL_UM, shape, "uint16"
    )
    with plate_writer(entry.path, spec) as write:
        for number, (well, score) in enumerate(
            zip(names, wells["score"].fill_null(0.5), strict=True)
        ):
            looks = painted[min(int(score * len(painted)), len(painted) - 1)]
            write(well, 0, looks[number % len(looks)])


def _painted(seed: int) -> list[list[NDArray[np.uint16]]]:
    """Fields by the share of senescent cells, a few of each."""
    rng = np.random.default_rng(seed)
    return [
        [_field(share, rng) for _ in range(_N_FIELDS_PAINTED)]
        for share in np.linspace(0, 1, 6)
    ]


def _field(share: float, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Bright nuclei on dim bodies [c y x]; senescent ones are larger and flatter."""
    y, x = np.mgrid[0:FIELD_PX, 0:FIELD_PX].astype(np.float32)
    field = np.stack([np.full_like(y, 120), np.full_like(y, 200)])
    for cy, cx in _CENTRES:
        size = (14 if rng.random() < share else 9) * rng.uniform(0.85, 1.2)
        stretch = rng.uniform(0.75, 1.3)
        d = (y - cy) ** 2 * stretch + (x - cx) ** 2 / stretch
        field[0] += 1500 * special.expit((size - np.sqrt(d)) / 1.2)
        field[1] += 700 * np.exp(-d / (2 * (2.1 * size) ** 2))
    return rng.poisson(field).astype(np.uint16)


def cells_of(plate: str, wells: pl.DataFrame) -> pl.DataFrame:
    """Nine cells a scored well, their probabilities spread about the well's score."""
    scored = wells.filter(pl.col("score").is_not_null()).sort("well")
    n, k = scored.height, len(_CENTRES)
    spread = np.tile(np.linspace(-0.2, 0.2, k), n)
    p = np.clip(np.repeat(scored["score"].to_numpy(), k) + spread, 0, 1)
    return pl.DataFrame(
        {
            "plate": [plate] * (n * k),
            "well": [w for w in scored["well"] for _ in range(k)],
            "field": [0] * (n * k),
            "cell": list(range(k)) * n,
            "y": [float(y) for y, _ in _CENTRES] * n,
            "x": [float(x) for _, x in _CENTRES] * n,
            "probability": p,
            "networks": [[v] for v in p],
        }
    )
