"""The fitting function learns, repeats itself and refuses what cannot be learnt."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels.networks.heads import HeadSpec
from plates.problems import InputError
from screen.fitting import FitPlan, fit, predict

PLAN = FitPlan(crop_px=16, epochs=4, batch=32, learning_rate=3e-3, augment=None)


def _lesson(n: int = 96) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = (np.arange(n) % 4 == 0).astype(np.int64)
    crops = rng.standard_normal((n, 16, 16, 1)).astype(np.float32)
    crops[labels == 1, 5:11, 5:11] += 2
    return crops, labels


def test_a_fit_learns_tells_and_repeats_itself() -> None:
    crops, labels = _lesson()
    told: list[dict[str, float]] = []
    fitted = fit(crops, labels, PLAN, on_epoch=told.append)
    scores = predict(fitted.module, crops, batch=40)
    again = fit(crops, labels, PLAN)

    assert scores[labels == 1].min() > scores[labels == 0].max()
    assert told == fitted.history
    assert [one["epoch"] for one in told] == [1, 2, 3, 4]
    assert told[-1]["loss"] < told[0]["loss"]
    assert np.array_equal(scores, predict(again.module, crops, batch=40))
    turned = np.rot90(crops, axes=(1, 2))
    both = (
        predict(fitted.module, crops, d4=True),
        predict(fitted.module, turned, d4=True),
    )
    np.testing.assert_allclose(*both, rtol=1e-5)
    assert predict(fitted.module, crops[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("crops", "labels", "plan", "found"),
    [
        ((4, 16, 16, 1), [0, 0, 0, 0], PLAN, "labels must hold 0 and 1"),
        ((4, 16, 16, 1), [0, 1], PLAN, "4 crops need as many labels"),
        ((4, 8, 8, 1), [0, 1, 0, 1], PLAN, r"crops must be \[n, 16, 16, c\]"),
        ((0, 16, 16, 1), [], PLAN, "there are no crops"),
    ],
    ids=["one class", "lengths", "size", "none"],
)
def test_a_fit_refuses(
    crops: tuple[int, ...], labels: list[int], plan: FitPlan, found: str
) -> None:
    with pytest.raises(ValueError, match=found):
        fit(np.zeros(crops, np.float32), np.array(labels), plan)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"optimizer": "x"}, "no optimizer 'x'; known: adamw, sgd"),
        ({"schedule": "x"}, "no schedule 'x'; known: auto, cosine"),
        ({"warmup": 1.0}, "warmup must be from 0 to below 1"),
        ({"precision": "float16"}, "precision must be float32 or bfloat16"),
        ({"positive_fraction": 0.0}, "positive_fraction must be above 0"),
        ({"mil": 20}, "a batch of 32 holds no two bags of 20 cells"),
        ({"mil": 4, "head": HeadSpec("ordinal", 3)}, "need classes, the head is ord"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_a_plan_refuses_what_cannot_be(change: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        replace(PLAN, **change)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_crops_that_are_no_numbers_are_refused_before_anything_is_taught(
    value: float,
) -> None:
    crops, labels = _lesson()
    crops[[3, 90], 0, 0] = value
    found = "CROPS_NONFINITE crops: 2 of 96 crops hold NaN or Inf, the first is row 3"
    with pytest.raises(InputError, match=found):
        fit(crops, labels, PLAN)


def test_a_loss_that_is_no_number_stops_the_fit() -> None:
    crops, labels = _lesson()
    wild = replace(PLAN, optimizer="sgd", learning_rate=1e30, clip_norm=0.0)
    with pytest.raises(FloatingPointError, match=r"TRAINING_DIVERGED.*in epoch 1"):
        fit(crops, labels, wild)


def test_weights_that_the_very_last_step_loses_stop_the_fit() -> None:
    crops, labels = _lesson()
    wild = replace(PLAN, optimizer="sgd", learning_rate=1e38, clip_norm=0.0)
    once = replace(wild, epochs=1, batch=len(labels))
    with pytest.raises(FloatingPointError, match=r"TRAINING_DIVERGED.*accuracy is nan"):
        fit(crops, labels, once)
