"""The parts of the report: scales, words, pictures and plots against hand-made answers."""

import base64
import io

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from plates.problems import FieldError, Problem
from screen.report import doses, gallery, svg, wording
from screen.report.controls import readout
from tests.report_example import example_galleries, example_tables


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e4))
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    axis = svg.Axis(low, low + span, 0, 100)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 6
    assert all(low - 1e-6 * span <= t <= low + span * (1 + 1e-6) for t in ticks)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, 2, "–"),
        (float("nan"), 2, "–"),
        (-0.001, 2, "0.00"),
        (-1.5, 1, "−1.5"),
        (12345.0, 0, "12\u202f345"),
    ],
    ids=str,
)
def test_number(value: float | None, digits: int, text: str) -> None:
    assert wording.number(value, digits) == text


@pytest.mark.parametrize(
    ("um", "text"),
    [
        (0.03, "30 nM"),
        (0.3, "0.3 µM"),
        (10.0, "10 µM"),
        (2500.0, "2.5 mM"),
        (None, "–"),
    ],
    ids=str,
)
def test_concentration(um: float | None, text: str) -> None:
    assert wording.concentration(um) == text


@given(st.text(max_size=400))
def test_shown_names_hold_no_hidden_character(text: str) -> None:
    found = wording.shown(text)
    assert found.isprintable() or all(c.isprintable() or c.isspace() for c in found)
    assert wording.shown(found) == found


def test_settings_hide_secrets_and_queries() -> None:
    rows = dict(
        wording.setting_rows({"a": {"api_key": "k"}, "u": "https://x.org/p?sig=1"})
    )
    assert rows == {"a.api_key": "hidden", "u": "https://x.org/p?…"}


@given(st.text(max_size=100))
def test_json_text_round_trips_and_closes_no_script(text: str) -> None:
    import json

    found = str(svg.json_text({"name": text.encode("utf-8", "replace").decode()}))
    assert not set("<>&\u2028\u2029") & set(found)
    assert json.loads(found) == {"name": text.encode("utf-8", "replace").decode()}


def test_elements_escape_text_and_attributes() -> None:
    found = svg.element("text", "<b>", data_x='"><script>')
    assert found == '<text data-x="&#34;&gt;&lt;script&gt;">&lt;b&gt;</text>'


def test_typical_cells_lie_nearest_to_the_median_of_the_fullest_field() -> None:
    cells = pl.DataFrame(
        {
            "field": [0, 0, 1, 1, 1, 1],
            "cell": [0, 1, 2, 3, 4, 5],
            "probability": [0.5, 0.5, 0.1, 0.45, 0.9, None],
        }
    )
    # Fields 0 and 1 hold 2 and 3 scored cells; the median of all five is 0.5.
    assert gallery.pick_cells(cells, 2)["cell"].to_list() == [3, 2]
    assert gallery.pick_cells(cells.clear(), 2).is_empty()


def test_crops_are_pushed_inside_the_field() -> None:
    pixels = np.arange(100, dtype=np.uint16).reshape(1, 10, 10)
    crops = gallery.cut(pixels, [(0, 0), (9, 9), (5, 5)], 4)
    assert crops.shape == (3, 1, 4, 4)
    assert [c[0, 0, 0] for c in crops] == [0, 66, 33]
    assert gallery.cut(pixels, [(5, 5)], 40).shape == (1, 1, 10, 10)


def test_one_channel_is_printed_grey_between_its_ends() -> None:
    crops = np.array([[[[0.0, 100.0, 50.0]]]], np.float32)
    ends = np.array([0.0], np.float32), np.array([100.0], np.float32)
    found = gallery.compose(crops, *ends, gallery.channel_colours(["phase"]))
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
    found = gallery.channel_colours(channels)
    assert [gallery.colour_name(c) for c in found] == names


def test_gallery_shows_compound_between_both_vehicles_of_its_plate() -> None:
    tables = example_tables(1, 96)
    wells = tables.hits.filter(pl.col("compound") == "C0001")
    found = example_galleries(tables).of(wells, 10.0)
    assert found is not None
    titles = [s.title for s in found.strips]
    assert titles == ["Stressed vehicle", "This compound", "Healthy vehicle"]
    data = base64.b64decode(found.strips[1].image.split(",")[1])
    assert Image.open(io.BytesIO(data)).size == (6 * 84 + 5 * 3, 84)
    assert "nucleus (blue)" in found.scale


def test_gallery_goes_without_pixels_that_cannot_be_read() -> None:
    tables = example_tables(1, 96)
    galleries = example_galleries(tables)
    source = galleries.sources["P01"]

    def read(
        well: str, field: int
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
        raise FieldError(Problem("CHUNK_MISSING", well, "gone", "no pixels", "copy"))

    broken = gallery.PlatePixels(
        source.channels, source.pixel_size_um, read, source.cells
    )
    wells = tables.hits.filter(pl.col("compound") == "C0001")
    assert gallery.Galleries(tables.hits, {"P01": broken}).of(wells, 10.0) is None


def test_a_plot_lives_without_numbers() -> None:
    empty = example_tables(1, 96).hits.clear()
    assert readout(empty).ends == (0.0, 1.0)
    assert "no scored well" in doses.dose_plot("x", empty, (None, None))
