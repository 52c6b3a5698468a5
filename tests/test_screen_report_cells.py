"""Cell pictures of the report: which cells, how they are cut, printed, stored and found again."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from plates.problems import FieldError, Problem
from screen.errors import Refusal
from screen.report import cell_pictures
from screen.report.cell_histograms import N_BINS, cell_histograms
from screen.report.explained_cells import FILE, explained_cells, map_islands
from screen.report.gallery import Galleries, Gallery, PlatePixels, typical_wells
from screen.report.gallery_store import stored_galleries, write_galleries
from screen.report.listed_cells import gallery_islands, wanted_wells
from screen.report.tables import RunTables
from tests.report_example import example_cutter, example_galleries, example_tables


@pytest.fixture(scope="module")
def tables() -> RunTables:
    return example_tables(1, 96)


@pytest.fixture(scope="module")
def galleries(tables: RunTables) -> dict[str, Gallery]:
    return example_galleries(tables, 3)


def test_typical_cells_lie_nearest_to_the_median_of_the_fullest_field() -> None:
    cells = pl.DataFrame(
        {
            "field": [0, 0, 1, 1, 1, 1],
            "cell": [0, 1, 2, 3, 4, 5],
            "probability": [0.5, 0.5, 0.1, 0.45, 0.9, None],
        }
    )
    # Fields 0 and 1 hold 2 and 3 scored cells; the median of all five is 0.5.
    assert cell_pictures.pick_cells(cells, 2)["cell"].to_list() == [3, 2]
    assert cell_pictures.pick_cells(cells.clear(), 2).is_empty()


def test_crops_are_pushed_inside_the_field() -> None:
    pixels = np.arange(100, dtype=np.uint16).reshape(1, 10, 10)
    crops = cell_pictures.cut(pixels, [(0, 0), (9, 9), (5, 5)], 4)
    assert crops.shape == (3, 1, 4, 4)
    assert [c[0, 0, 0] for c in crops] == [0, 66, 33]
    assert cell_pictures.cut(pixels, [(5, 5)], 40).shape == (1, 1, 10, 10)


def test_one_channel_is_printed_grey_between_its_ends() -> None:
    crops = np.array([[[[0.0, 100.0, 50.0]]]], np.float32)
    ends = np.array([0.0], np.float32), np.array([100.0], np.float32)
    found = cell_pictures.compose(
        crops, *ends, cell_pictures.channel_colours(["phase"])
    )
    assert found[0, 0].tolist() == [[0] * 3, [255] * 3, [128] * 3]


@pytest.mark.parametrize(
    ("channels", "names"),
    [
        (["nucleus", "body"], ["blue", "grey"]),
        (["brightfield", "GFP"], ["grey", "green"]),
        (["BF"], ["grey"]),
        (["DAPI", "GFP", "RFP"], ["blue", "green", "magenta"]),
    ],
    ids=str,
)
def test_channel_colours(channels: list[str], names: list[str]) -> None:
    found = cell_pictures.channel_colours(channels)
    assert [cell_pictures.colour_name(c) for c in found] == names


def test_extreme_cells_are_the_ends_of_one_field() -> None:
    cells = pl.DataFrame(
        {
            "field": [0, 1, 1, 1, 1, 1, 1],
            "cell": range(7),
            "probability": [0.0, 0.4, 0.1, 0.9, 0.5, 0.7, None],
        }
    )
    found = cell_pictures.extreme_cells(cells, 1, 4)
    assert found["cell"].to_list() == [2, 1, 5, 3]
    assert cell_pictures.extreme_cells(cells, 0, 4)["cell"].to_list() == [0]


def test_a_gallery_has_the_compound_and_both_vehicles_of_its_plate(
    tables: RunTables, galleries: dict[str, Gallery]
) -> None:
    found = galleries["1"]
    assert [s.title for s in found.shared.controls] == [
        "Stressed vehicle",
        "Healthy vehicle",
    ]
    own = tables.hits.filter(pl.col("well") == found.own.well).row(0, named=True)
    best = tables.compounds["best_concentration_um"][0]
    assert (own["compound"], own["concentration_um"]) == ("C0001", best)
    pictures = [found.own.typical, found.own.extreme]
    sizes = [Image.open(io.BytesIO(p)).size for p in pictures]
    assert sizes == [(6 * 84 + 5 * 3, 84)] * 2
    assert "nucleus (blue)" in found.shared.scale
    assert found.shared.crop_um == pytest.approx(40, abs=0.65)


def test_hits_and_the_first_of_the_ranking_are_wanted(tables: RunTables) -> None:
    order = dict(tables.compounds.select("rank", "is_hit").iter_rows())
    wanted = wanted_wells(tables, 10)
    hits = {str(r) for r, h in order.items() if h}
    assert set(wanted) == hits | {str(r) for r in range(1, 11)}
    assert wanted_wells(tables, 0) == {}


def test_typical_wells_begin_at_the_median() -> None:
    wells = [
        {"plate": "P", "well": w, "score": s}
        for w, s in (("A01", 0.1), ("A02", 0.5), ("A03", 0.6), ("A04", None))
    ]
    # The median of 0.1, 0.5 and 0.6 is 0.5.
    assert [w for _, w in typical_wells(wells)] == ["A02", "A03", "A01"]


def broken(tables: RunTables, is_lost: Callable[[str], bool]) -> Galleries:
    """A cutter whose fields of some wells cannot be read."""
    cutter = example_cutter(tables)
    source = cutter.sources["P01"]

    def read(
        well: str, field: int
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
        if is_lost(well):
            raise FieldError(
                Problem("CHUNK_MISSING", well, "gone", "no pixels", "copy")
            )
        return source.read(well, field)

    pixels = PlatePixels(source.channels, source.pixel_size_um, read, source.cells)
    return Galleries(tables.hits, {"P01": pixels})


def test_the_next_well_is_taken_where_one_cannot_be_read(tables: RunTables) -> None:
    wells = {"1": [("P01", "C05"), ("P02", "A01"), ("P01", "C06")]}
    found = broken(tables, lambda well: well == "C05").all_of(wells)
    assert found["1"].own.well == "C06"
    assert broken(tables, lambda well: True).all_of(wells) == {}


def test_each_field_is_read_once(tables: RunTables) -> None:
    asked = list[str]()

    def is_lost(well: str) -> bool:
        asked.append(well)
        return False

    cutter = broken(tables, is_lost)
    wanted = wanted_wells(tables, 12)
    found = cutter.all_of(wanted)
    assert len(found) == len(wanted)
    assert len(asked) == len(set(asked)) == len(wanted) + 2


def test_stored_galleries_come_back_as_they_were(
    tables: RunTables, galleries: dict[str, Gallery], tmp_path: Path
) -> None:
    (path,) = write_galleries(galleries.values(), tmp_path)
    assert path == tmp_path / "gallery" / "P01.parquet"
    wanted = wanted_wells(tables, 3)
    assert stored_galleries(tmp_path, wanted) == galleries
    assert stored_galleries(tmp_path / "elsewhere", wanted) == {}


def test_islands_hold_each_gallery_once(galleries: dict[str, Gallery]) -> None:
    islands = gallery_islands(galleries)
    index = islands["gallery"]
    assert set(index["at"]) == set(galleries)
    own = {k for name in set(index["at"].values()) for k in islands[name]}
    assert own == set(galleries)
    assert islands[index["plate"]["1"]]["plate"] == "P01"
    assert gallery_islands({}) == {}


def test_histograms_hold_every_scored_cell_once() -> None:
    cells = pl.DataFrame(
        {
            "well": ["A01", "A01", "A01", "B02", "B02"],
            "probability": [0.0, 1.0, 0.5, 0.49, None],
        }
    )
    found = cell_histograms({"P": lambda: cells})
    assert found is not None
    assert found.wells["P", "A01"].tolist() == [1] + [0] * 11 + [1] + [0] * 10 + [1]
    both = found.of([("P", "A01"), ("P", "B02"), ("P", "C03")])
    assert both.sum() == 4
    assert both[N_BINS // 2 - 1] == 1  # 0.49 lies under the middle
    assert cell_histograms({"P": lambda: cells.clear()}) is None


def test_scores_beyond_a_probability_widen_the_range() -> None:
    cells = pl.DataFrame({"well": ["A01"] * 3, "probability": [-2.0, 0.5, 4.0]})
    found = cell_histograms({"P": lambda: cells})
    assert found is not None
    assert (found.low, found.high) == (-2.0, 4.0)
    assert found.of([("P", "A01")]).sum() == 3


def cells_of(compound: str) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"compound": compound, "of": of, "name": name, "method": "m", "output": "o",
             "crop": b"crop", "map": b"map", "answer": "+1.00"}
            for of, name in (("compound", compound), ("control", "stressed vehicle"))
        ]
    )  # fmt: skip


def test_maps_go_to_the_compounds_of_the_run(tables: RunTables) -> None:
    cells = pl.concat([cells_of("C0002"), cells_of("no such compound")])
    islands = map_islands(tables, cells)
    assert islands["maps"] == {"2": "maps-0"}
    assert [c["of"] for c in islands["maps-0"]["cells"]] == ["compound", "control"]
    assert islands["maps-0"]["cells"][0]["crop"] == "Y3JvcA=="
    assert map_islands(tables, None) == {}
    assert map_islands(tables, cells.tail(2)) == {}


def test_an_explanation_is_read_where_one_is_named(tmp_path: Path) -> None:
    assert explained_cells("") is None
    with pytest.raises(Refusal, match="explanation_cells"):
        explained_cells(str(tmp_path))
    cells_of("C0001").write_parquet(tmp_path / FILE)
    found = explained_cells(str(tmp_path))
    assert found is not None
    assert found.height == 2
