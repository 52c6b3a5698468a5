"""Lessons: what cannot be read teaches nothing, and is told."""

from pathlib import Path

from kernels.centres import FinderSpec
from kernels.intensity import IntensitySpec
from plates.store import open_plate
from plates.store_metadata import LEVEL, SHARD
from screen.folds import AnchorWell
from screen.lessons import gather_lessons
from tests.tiny_screen import make_screen


def test_a_broken_field_of_a_control_well_is_listed(tmp_path: Path) -> None:
    campaign = make_screen(tmp_path / "campaign", ("P01",))
    plate = open_plate(campaign.plates[0].path)
    shard = plate.path / "A/1/0" / LEVEL / SHARD
    shard.write_bytes(b"")
    lessons = gather_lessons(
        {"P01": plate},
        [AnchorWell("P01", "A01", 0), AnchorWell("P01", "A02", 1)],
        FinderSpec("centres", 0, 2.0, 0.5, 64, 16),
        IntensitySpec(("fluorescence", "fluorescence"), (1000.0, 1000.0)),
        window=True,
        max_cells=5,
        seed=1,
        on_well=lambda n: None,
    )
    assert [p.code for p in lessons.unread] == ["CHUNK_EMPTY"]
    assert "P01" in lessons.unread[0].where
    assert set(lessons.well) == {0, 1}
    assert lessons.crops.shape[1:] == (16, 16, 2)
