"""Where a training on wells begins: with weights that fit and do not leak, on a device."""

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from kernels.preprocessing import KERAS
from plates.crop_sets import CropSet
from plates.problems import InputError
from screen.compose import settings_of
from screen.fit_plans import check_network, check_plan, check_source
from screen.fold_fitting import as_expected, check_cells, expected_of
from screen.folds import AnchorWell, Fold
from screen.leaking_weights import refuse_leaking, refuse_leaking_crops
from screen.lessons import Lessons
from screen.pretrained import Pretrained
from screen.settings import TrainVerb
from screen.train_wells import judged_by_cells

WELLS = (AnchorWell("P1", "A01", 0), AnchorWell("P2", "A01", 1))


def weights_of(folder: Path, plates: list[str]) -> str:
    """A weight file with the spec of a model that learnt from some plates."""
    networks = [{"learnt": [[plate, "C03"] for plate in plates]}]
    (folder / "model.json").write_text(json.dumps({"networks": networks}))
    return str(folder / "half0.safetensors")


def test_weights_that_learnt_from_these_plates_are_refused(tmp_path: Path) -> None:
    weights = weights_of(tmp_path, ["P2", "P9"])
    with pytest.raises(InputError, match=r"WEIGHTS_LEAK.*1 of these plates: P2"):
        refuse_leaking(weights, WELLS)


@pytest.mark.parametrize(
    ("table", "group", "is_refused"),
    [("crops", "img1", True), ("crops", "img9", False), ("others", "img1", False)],
)
def test_weights_that_learnt_from_these_groups_are_refused(
    table: str, group: str, is_refused: bool, tmp_path: Path
) -> None:
    networks = {"networks": [{"learnt": [[table, group]]}]}
    (tmp_path / "model.json").write_text(json.dumps(networks))
    crops = cast(CropSet, SimpleNamespace(source=Path("crops.csv"), groups=("img1",)))
    found = pytest.raises(InputError, match=r"WEIGHTS_LEAK.*1 of these groups: img1")
    with found if is_refused else nullcontext():
        refuse_leaking_crops(str(tmp_path / "all.safetensors"), crops)


def test_weights_of_other_plates_and_of_elsewhere_pass(tmp_path: Path) -> None:
    refuse_leaking("", WELLS)
    refuse_leaking(str(tmp_path / "vgg16.pth"), WELLS)
    refuse_leaking(weights_of(tmp_path, ["P8", "P9"]), WELLS)


@pytest.mark.parametrize(
    ("name", "crop_px"), [("compact", 30), ("sesmo", 15), ("vgg16", 20)]
)
def test_a_crop_that_no_network_takes_is_refused(name: str, crop_px: int) -> None:
    settings = TrainVerb(campaign="c")
    settings.network.name, settings.network.crop_px = name, crop_px
    with pytest.raises(InputError, match=f"NETWORK_INVALID.*crop_px={crop_px}"):
        check_network(settings)
    settings.network.crop_px = 64
    check_network(settings)


def test_lessons_are_prepared_as_the_weights_expect() -> None:
    crops = np.linspace(0, 1, 5 * 8 * 8 * 3, dtype=np.float32).reshape(5, 8, 8, 3)
    lessons = Lessons(crops, np.zeros(5, np.int64), WELLS[:1])
    begun = Pretrained(cast(Any, SimpleNamespace()), KERAS, ())
    seen = as_expected(lessons, begun).crops
    by_hand = 255 * crops[..., ::-1] - np.asarray([103.939, 116.779, 123.68])
    np.testing.assert_allclose(seen, by_hand, rtol=1e-4, atol=1e-3)
    assert expected_of(begun)["kind"] == "keras"
    assert as_expected(lessons, None) is lessons
    assert expected_of(None) == {}


@pytest.mark.parametrize(
    ("areas", "value"), [((0.8, 0.9), 0.85), ((None, 0.9), 0.9), ((None,), None)]
)
def test_a_model_is_judged_by_what_was_held_out_alone(
    areas: tuple[float | None, ...], value: float | None
) -> None:
    networks = {f"n{k}": {"cell_auc": area} for k, area in enumerate(areas)}
    spec = SimpleNamespace(summary={"networks": networks}, split="teaching")
    found = judged_by_cells(cast(Any, spec))
    assert found.value == pytest.approx(value)
    assert ("split=teaching" in found.why) == (value is None)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["campaign=c", "head=regression", "crops_value=x"], "crops_value, head go"),
        (["campaign=c", "ensemble=3"], "campaign=: ensemble go with crops= alone"),
        (["campaign=c", "evaluation.n_folds=3"], "evaluation go with crops="),
        (["crops=c", "split=plates"], "crops=: split go with campaign= alone"),
    ],
)
def test_a_key_of_the_other_source_is_not_passed_over(
    words: list[str], found: str
) -> None:
    settings = settings_of("train", words)
    with pytest.raises(InputError, match=f"CFG_INVALID.*{found}"):
        check_source(settings)


def test_a_plan_that_cannot_be_is_refused_before_anything_is_read() -> None:
    settings = settings_of("train", ["campaign=c", "fit.mil=100", "batch=16"])
    with pytest.raises(InputError, match=r"CFG_INVALID.*no two bags of 100 cells"):
        check_plan(settings)


def test_a_network_that_would_see_one_state_only_is_refused() -> None:
    crops = np.zeros((3, 8, 8, 1), np.float32)
    lessons = Lessons(crops, np.zeros(3, np.int64), WELLS)
    folds = (Fold("half0", WELLS, "well"), Fold("half1", WELLS[1:], "well"))
    found = (
        "(?s)network half0: no cell was found in the senescent wells"
        ".*network half1: .* healthy wells.*network half1: .* senescent wells"
    )
    with pytest.raises(InputError, match=found):
        check_cells(lessons, folds)
