"""Hand-made features of drawn objects, and the plain classifiers on them."""

from pathlib import Path

import numpy as np
import pytest

from plates.crop_sets import CropSet
from screen.baselines import CLASSIFIERS, FEATURES, hand_features
from screen.baselines.hand_features import object_mask
from screen.crop_channels import CHANNELS, crop_channels
from screen.evaluation import auc, evaluate, group_folds


def _ellipse(a: float, b: float, level: int = 120, texture: float = 0) -> np.ndarray:
    y, x = np.mgrid[:80, :80] - 40.0
    inside = (y / a) ** 2 + (x / b) ** 2 <= 1
    rough = texture * np.random.default_rng(0).standard_normal(inside.shape)
    return np.where(inside, np.clip(level + rough, 20, 255), 0).astype(np.uint8)


def _named(crop: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, hand_features(crop[None])[0].tolist(), strict=True))


def test_there_are_enough_features_of_unique_names() -> None:
    assert len(set(FEATURES)) == len(FEATURES) >= 25


def test_the_features_of_an_ellipse_by_hand() -> None:
    told = _named(_ellipse(12, 20))

    assert told["area"] == pytest.approx(np.pi * 12 * 20, rel=0.02)
    assert told["major_axis"] == pytest.approx(40, rel=0.03)
    assert told["minor_axis"] == pytest.approx(24, rel=0.03)
    assert told["eccentricity"] == pytest.approx(0.8, abs=0.02)
    assert told["solidity"] > 0.95
    assert (told["mean"], told["sd"], told["p50"]) == (120, 0, 120)
    assert (told["ring0"], told["ring3"]) == pytest.approx((1, 1))


@pytest.mark.parametrize(
    "name", ["sd", "gradient", "entropy", "granules1", "glcm1_contrast"]
)
def test_a_rough_object_has_more_texture(name: str) -> None:
    assert _named(_ellipse(15, 15, texture=20))[name] > _named(_ellipse(15, 15))[name]


def test_a_quarter_turn_changes_no_shape_and_intensity() -> None:
    crop = _ellipse(12, 20, texture=15)
    told, turned = _named(crop), _named(np.rot90(crop))
    for_all = ("area", "solidity", "eccentricity", "mean", "sd", "ring0", "lbp8")

    assert [turned[n] for n in for_all] == pytest.approx([told[n] for n in for_all])


def test_an_empty_crop_is_all_zeros_and_a_speck_does_not_count() -> None:
    blank = np.zeros((80, 80), np.uint8)
    speck = _ellipse(12, 12)
    speck[:2, :2] = 255

    assert not hand_features(blank[None]).any()
    assert object_mask(speck).sum() == object_mask(_ellipse(12, 12)).sum()
    assert hand_features(np.zeros((0, 80, 80), np.uint8)).shape == (0, len(FEATURES))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_finds_a_signal_and_repeats_itself(name: str) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    table = rng.standard_normal((120, 4))
    table[:, 2] += 3 * labels
    scores = CLASSIFIERS[name](table[:80], labels[:80], table[80:], 7)

    assert auc(labels[80:], scores) > 0.85
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (scores == CLASSIFIERS[name](table[:80], labels[:80], table[80:], 7)).all()


def test_channels_centre_the_object_and_keep_its_area() -> None:
    crop = np.roll(_ellipse(9, 14, texture=20), (11, -7), (0, 1))
    windows = crop_channels(crop[None], 24, 2)

    assert windows.shape == (1, 24, 24, len(CHANNELS))
    assert windows[0, ..., 1].sum() * 4 == object_mask(crop).sum()
    assert windows[0, ..., 0].sum() * 4 * 128 == pytest.approx(
        float(crop.sum()), rel=1e-5
    )
    moved = np.roll(crop, (-11, 7), (0, 1))
    assert np.array_equal(windows, crop_channels(moved[None], 24, 2))


def test_channels_of_an_empty_crop_are_zero() -> None:
    assert not crop_channels(np.zeros((1, 40, 40), np.uint8), 16, 2).any()


@pytest.mark.real
def test_features_tell_states_in_images_never_seen(shared_data: Path) -> None:
    crops = CropSet.read(shared_data / "nuclei").where("species", "human")
    kept = np.arange(0, len(crops), 3)
    labels = np.array([s == "senescent" for s in crops.labels], int)[kept]
    groups = [crops.groups[i] for i in kept]
    table = hand_features(crops.images()[kept])
    logistic = CLASSIFIERS["logistic"]
    told, _ = evaluate(
        labels,
        group_folds(labels, groups),
        lambda f: logistic(table[f.taught], labels[f.taught], table[f.tested], 1),
    )

    assert told.mean > 0.8
