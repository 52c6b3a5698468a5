"""Segmenters of other packages: found by name, run in the worker, their faults contained."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from plates.problems import FieldError
from screen.cell_centres import CentreSource, centre_sources
from screen.errors import Refusal
from screen.segmenters import GuardedSegmenter, installed, version_of

MODULE = '''
import numpy as np

class Blocks:
    """Everything brighter than 100 in the first channel, by quarters of the field."""
    def __call__(self, image):
        y, x = np.indices(image.shape[1:])
        quarter = 1 + 2 * (y >= image.shape[1] // 2) + (x >= image.shape[2] // 2)
        return np.where(image[0] > 100, quarter, 0).astype(np.int32)

def broken(image):
    raise RuntimeError("no weights found")

def wide(image):
    return np.zeros((3, 3), np.int32)

def soft(image):
    return np.zeros(image.shape[1:], np.float32)

number = 7
'''
ENTRIES = """[screen.segmenters]
blocks = quarters_of_blocks:Blocks
broken = quarters_of_blocks:broken
wide = quarters_of_blocks:wide
soft = quarters_of_blocks:soft
number = quarters_of_blocks:number
gone = quarters_of_nothing:Gone
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with segmenters: a module and its dist-info."""
    facts = tmp_path / "quarters-1.2.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: quarters\nVersion: 1.2\n"
    )
    (facts / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "quarters_of_blocks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("quarters_of_blocks", None)


def image() -> np.ndarray:
    pixels = np.zeros((2, 20, 30), np.uint16)
    pixels[0, 2:5, 4:7] = 500
    pixels[0, 12:14, 20:26] = 900
    return pixels


@pytest.mark.usefixtures("package")
def test_installed_segmenters_are_known_by_name_and_version() -> None:
    assert "blocks" in installed()
    assert version_of("blocks") == "blocks quarters 1.2"


@pytest.mark.usefixtures("package")
def test_a_cell_is_the_middle_of_its_label() -> None:
    centres = GuardedSegmenter("blocks").centres(image(), "P1/A01/f0")
    np.testing.assert_array_equal(centres, [[3.0, 5.0], [12.5, 22.5]])
    assert centres.dtype == np.float32


@pytest.mark.usefixtures("package")
def test_a_field_without_labels_holds_no_cell() -> None:
    empty = np.zeros((1, 20, 30), np.uint16)
    assert GuardedSegmenter("blocks").centres(empty, "P1/A01/f0").shape == (0, 2)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "SEGMENTER_FAILED P1/A01/f0: broken: RuntimeError: no weights"),
        ("wide", r"SEGMENTER_LABELS P1/A01/f0: wide: int32\[3, 3\]"),
        ("soft", r"SEGMENTER_LABELS P1/A01/f0: soft: float32\[20, 30\]"),
    ],
)
def test_a_fault_of_a_segmenter_costs_one_field(name: str, message: str) -> None:
    with pytest.raises(FieldError, match=message):
        GuardedSegmenter(name).centres(image(), "P1/A01/f0")


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cellpose", "no segmenter 'cellpose'; installed: .*blocks, broken"),
        ("gone", "quarters_of_nothing:Gone does not load: No module named"),
        ("number", "quarters_of_blocks:number cannot be called"),
    ],
)
def test_a_segmenter_that_cannot_be_had_is_refused_by_name(
    name: str, message: str
) -> None:
    finder = {"kind": "given", "segmenter": name}
    with pytest.raises(Refusal, match=f"SEGMENTER_UNKNOWN .*{message}"):
        centre_sources(finder, Path(), ())


@pytest.mark.usefixtures("package")
def test_a_source_says_which_segmenter_it_is() -> None:
    source = CentreSource(version_of("blocks"), segmenter="blocks")
    centres = source(image(), "P1", "A01", 0)
    np.testing.assert_array_equal(centres, [[3.0, 5.0], [12.5, 22.5]])
    assert "1.2" in source.identity


def test_the_finder_of_the_kernels_needs_no_source() -> None:
    assert centre_sources({"kind": "centres"}, Path(), ()) == {}
