"""The catalogue's own small lab: whole, it goes through every verb without a word."""

from pathlib import Path

import numpy as np
import pytest

from plates.store import open_plate, read_field
from plates.wells import Well
from tests.catalogue import make_lab, merged, pixels_of, told


def test_a_whole_lab_is_ingested_scored_and_called(tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "lab")
    told(lab.ingest(), 0)
    told(lab.score(), 0)
    told(lab.call(), 0)

    assert lab.omitted() == {}
    assert set(lab.rows()["status"]) <= {"SCORED", "TEACHING"}
    assert lab.hits().height == 6
    plate = open_plate(lab.campaign().plates[0].path)
    expected = [pixels_of("P1", "B02", 2, name) for name in plate.channels]
    np.testing.assert_array_equal(
        read_field(plate, Well.parse("B02"), 1), np.stack(expected)
    )


def test_a_missing_file_costs_its_field(tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "lab")
    lab.file("P1", "A02", 1, "body").unlink()
    told(lab.ingest(), 4, "FIELD_CHANNEL_MISSING", "P1/A02/f00")
    told(lab.score("min_fields_share=0.5"), 0)

    assert lab.omitted() == {"P1/A02/f00": "FIELD_CHANNEL_MISSING"}
    assert lab.status("A02")[0] == "SCORED_DEGRADED"


def test_a_later_word_replaces_an_earlier_one() -> None:
    assert merged(["a=1", "b=2", "a=3", "b="]) == ["a=3"]


@pytest.mark.parametrize("words", [("pixel_size_um=zero",), ("wrong=1",)])
def test_a_wrong_word_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    lab = make_lab(tmp_path / "lab")
    told(lab.ingest(*words), 2, "CFG_", words[0].partition("=")[0])
