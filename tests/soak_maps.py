"""The long run of spoiled plate maps: `python -m tests.soak_maps N [SEED]`.

Reads N spoiled copies of a real plate map (a drawn one where ../shared/data is absent),
two mutators deep, and ends with 1 on the first traceback or silently wrong table.
"""

import itertools
import json
import random
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from pathlib import Path

import polars as pl

from plates.map_formats import read_map
from plates.maps import PlateMap
from tests.map_grids import GRID_WAYS, GRIDS, spoil_grid
from tests.map_mutators import HEADER, TABLE, Table
from tests.map_spoiling import FORMAT, WAYS, clean_map, spoil, verdict

EVERY_WAY = (*WAYS, *GRID_WAYS)
REAL = Path(__file__).parents[1].parent / "shared/data/repurposing_screen"


@cache
def real_table() -> Table:
    """Plate SQ00015201 of the real repurposing screen as a long table."""
    whole = read_map(
        [REAL / "platemaps.csv.gz"],
        FORMAT,
        barcodes=REAL / "barcode_platemap.csv",
        defaults={"state": "unstressed", "dilution": "1000", "line": "A549"},
    )
    return _table(whole.for_plate("SQ00015201"))


@cache
def drawn_table() -> Table:
    """A plate of 384 wells in the likeness of the real one."""
    rows = [["plate", "well", "compound", "concentration_um", "role"]]
    for number, well in enumerate(FORMAT.wells()):
        is_vehicle = number % 16 == 0
        what = ["DMSO", "", "vehicle"] if is_vehicle else []
        dose = repr(round(10 / 3.0 ** (number % 6), 6))
        name = f"BRD-K{1000 + number // 6}-001"
        rows.append(["SQ00017", str(well), *(what or [name, dose, "treatment"])])
    columns = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
    frame = pl.DataFrame(columns).with_columns(
        state=pl.lit("stressed"),
        replicate=pl.lit("1"),
        batch=pl.lit("b1"),
        line=pl.lit("A549"),
    )
    return _table(PlateMap.from_frame(frame, FORMAT))


def _table(plate_map: PlateMap) -> Table:
    """Text cells in the order of HEADER; every well has a sample of its own."""
    frame = plate_map.frame.with_columns(
        batch=pl.lit("b1"), sample=pl.format("S-{}", pl.int_range(pl.len()) + 1)
    )
    cells = frame.select(pl.col(HEADER).cast(pl.String).fill_null("")).rows()
    return [list(HEADER), *(list(row) for row in cells)]


def main(words: list[str]) -> int:
    """Run and print one JSON line of counts; 1 where something is wrong."""
    n, seed = int(words[0]), int(words[1]) if len(words) > 1 else 1
    table = real_table() if REAL.exists() else drawn_table()
    clean, rng, ends = clean_map(table), random.Random(seed), Counter[str]()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, way in zip(range(n), itertools.cycle(EVERY_WAY), strict=False):
            draw, then = rng.randrange(2**31), rng.random() < 0.6
            if way in GRID_WAYS:
                second = rng.choice([*GRIDS]) if then else ""
                spoiled = spoil_grid(table, way, draw, folder, then=second)
            else:
                second = rng.choice([*TABLE]) if then else ""
                spoiled = spoil(table, way, draw, folder, then=second)
            end, why = verdict(clean, spoiled)
            ends[end] += 1
            if end == "WRONG":
                print(f"{number}: {spoiled.way}: {why}", file=sys.stderr)
    seconds = round(time.perf_counter() - start, 1)
    print(json.dumps({"maps": n, "seed": seed, "seconds": seconds, **ends}))
    return 1 if ends["WRONG"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
