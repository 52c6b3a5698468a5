"""A fit goes on where it was, freezes what it should, stops in time, and sees through wrong labels."""

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from kernels.augment import AugmentSpec
from kernels.networks import build
from kernels.networks.heads import HeadSpec
from kernels.pretrained import backbone_names
from kernels.step import make_train_step
from plates.problems import InputError
from screen.fitting import FitPlan, Fitted, fit, predict, predict_all
from screen.models import network_weights
from screen.teaching import checkpoints
from screen.teaching.course import Course

PX = 16
LIGHT = AugmentSpec(turn=False, shift_px=0)
PLAN = FitPlan(crop_px=PX, epochs=4, batch=32, learning_rate=3e-3, augment=LIGHT)
GRADES = HeadSpec("ordinal", 3)
VALUE = HeadSpec("regression", 1)

Pair = tuple[np.ndarray, np.ndarray]


def spots(brightness: np.ndarray, seed: int, side: int = PX) -> np.ndarray:
    """Noise with a square of this brightness in the middle."""
    rng = np.random.default_rng(seed)
    crops = rng.standard_normal((len(brightness), side, side, 1)).astype(np.float32)
    crops[:, 5:11, 5:11] += brightness[:, None, None, None]
    return crops


def lesson(n: int = 96, seed: int = 0) -> Pair:
    labels = (np.arange(n) % 4 == 0).astype(np.int64)
    return spots(2.0 * labels, seed), labels


def same(one: Fitted, other: Fitted) -> None:
    first, second = network_weights(one.module), network_weights(other.module)
    assert first.keys() == second.keys()
    for name, weights in first.items():
        np.testing.assert_array_equal(weights, second[name], err_msg=name)
    assert timeless(one.history) == timeless(other.history)


@cache
def plain() -> Fitted:
    """The unbroken fit with which others are compared."""
    return fit(*lesson(), PLAN)


def timeless(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in told.items() if k != "seconds"} for told in history]


def test_grades_are_learnt_and_their_probabilities_add_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []

    def noted(*given: Any, **named: Any) -> Any:
        made.append(make_train_step(*given, **named))
        return made[-1]

    monkeypatch.setattr("screen.teaching.course.make_train_step", noted)
    grades = np.arange(120) % 3
    crops = spots(2.0 * grades, 0)
    fitted = fit(crops, grades, replace(PLAN, head=GRADES, epochs=9, augment=None))
    p = predict_all(fitted.module, crops, GRADES)
    np.testing.assert_allclose(p.sum(1), 1.0, rtol=1e-5)
    assert (p.argmax(1) == grades).mean() > 0.9
    assert fitted.history[-1]["accuracy"] > 0.9
    assert [step.n_compiled() for step in made] == [1]


@pytest.mark.slow
def test_three_classes_are_learnt_with_rare_ones_as_heavy() -> None:
    labels = np.repeat([0, 1, 2], [80, 20, 8])
    crops = spots(np.array([0.0, 2.0, -2.0])[labels], 0)
    head = HeadSpec("classes", 3)
    fitted = fit(crops, labels, replace(PLAN, head=head, epochs=10, augment=None))
    p = predict_all(fitted.module, crops, head)
    assert [(p[labels == k].argmax(1) == k).mean() > 0.85 for k in range(3)] == [
        True
    ] * 3


@pytest.mark.slow
def test_values_come_back_in_their_own_unit() -> None:
    values = np.random.default_rng(1).uniform(0, 1, 160)
    years = 60.0 + 20.0 * values
    crops = spots(4.0 * values, 0)
    fitted = fit(crops, years, replace(PLAN, head=VALUE, epochs=12, augment=None))
    found = predict_all(fitted.module, crops, VALUE)
    assert found.shape == (160, 1)
    assert np.abs(found[:, 0] - years).mean() < 2.0
    last = fitted.history[-1]
    assert last["mae"] == pytest.approx(np.abs(found[:, 0] - years).mean(), rel=1e-3)
    assert "accuracy" not in last


@pytest.mark.parametrize(
    ("targets", "head", "found"),
    [
        (np.ones(8), VALUE, "all target values are alike: 1.0"),
        (np.arange(8) % 2, GRADES, "labels must hold 0 to 2, every one of them"),
        (np.array([np.nan, *range(7)]), VALUE, "1 of 8 target values hold NaN"),
    ],
)
def test_targets_that_teach_nothing_are_refused(
    targets: np.ndarray, head: HeadSpec, found: str
) -> None:
    with pytest.raises(ValueError, match=found):
        fit(spots(np.zeros(8), 0), targets, replace(PLAN, head=head))


def test_frozen_weights_keep_every_bit_and_then_learn_at_their_own_rate() -> None:
    plan = replace(PLAN, schedule="constant", warmup=0.0, unfreeze_rate=0.1)
    frozen = fit(*lesson(), replace(plan, frozen_epochs=4))
    later = fit(*lesson(), replace(plan, frozen_epochs=2))
    first = network_weights(build("compact", 1, PX, key=first_key(plan.seed)))
    kept, moved = network_weights(frozen.module), network_weights(later.module)
    backbone = backbone_names(frozen.module)
    assert {n for n in first if np.array_equal(first[n], kept[n])} == backbone
    assert [n for n in first if np.array_equal(first[n], moved[n])] == []
    rates = [told["learning_rate"] for told in later.history]
    np.testing.assert_allclose(rates, [3e-3, 3e-3, 3e-4, 3e-4], rtol=1e-6)


def first_key(seed: int) -> jax.Array:
    """The key from which a fit of this seed draws its first weights."""
    words = np.random.SeedSequence(seed).spawn(2)[0].generate_state(1)
    return jax.random.split(jax.random.key(int(words[0])))[0]


@pytest.mark.slow
def test_bfloat16_learns_with_weights_of_full_width() -> None:
    crops, labels = lesson()
    fitted = fit(crops, labels, replace(PLAN, precision="bfloat16"))
    scores = predict(fitted.module, crops)
    assert scores[labels == 1].min() > scores[labels == 0].max()
    weights = network_weights(fitted.module).values()
    assert {w.dtype for w in weights} == {np.dtype(np.float32)}
    exact, rounded = network_weights(plain().module), network_weights(fitted.module)
    assert any((exact[name] != rounded[name]).any() for name in exact)


def test_a_fit_begins_from_given_weights_and_leaves_them_alone() -> None:
    before = network_weights(plain().module)
    start = nnx.state(plain().module)
    none = fit(*lesson(), replace(PLAN, epochs=0), start=start)
    some = fit(*lesson(), PLAN, start=start)
    begun, after, kept = (network_weights(f.module) for f in (none, some, plain()))
    for name, weights in before.items():
        np.testing.assert_array_equal(weights, begun[name])
        np.testing.assert_array_equal(weights, kept[name])
        assert (weights != after[name]).any(), name
    assert some.history[0]["loss"] < plain().history[0]["loss"]


def test_weights_of_another_network_or_none_at_all_are_refused() -> None:
    state = nnx.state(plain().module)
    other = jax.tree.map(lambda w: np.asarray(w)[..., :1], state)
    with pytest.raises(InputError, match="MODEL_INVALID"):
        fit(*lesson(), PLAN, start=other)
    holed = jax.tree.map(lambda w: np.full(w.shape, np.nan, np.float32), state)
    with pytest.raises(InputError, match="MODEL_INVALID first weights: NaN or Inf in"):
        fit(*lesson(), PLAN, start=holed)


def test_a_fit_stops_when_watched_groups_get_worse_and_gives_the_best_weights() -> None:
    # Labels of the watched are turned round: the better the fit, the worse for them.
    crops, labels = lesson()
    seen, turned = lesson(40, seed=1)
    plan = replace(PLAN, epochs=30, patience=3, augment=None)
    fitted = fit(crops, labels, plan, watch=(seen, 1 - turned))
    losses = [told["watch_loss"] for told in fitted.history]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3
    p = np.clip(predict(fitted.module, seen), 1e-7, 1 - 1e-7)
    weight = np.where(turned == 1, 1 / turned.sum(), 1 / (1 - turned).sum()) / 2
    loss = -(weight * np.log(np.where(turned == 1, 1 - p, p))).sum()
    assert loss == pytest.approx(losses[best], rel=1e-4)


def test_without_patience_the_watched_are_only_told() -> None:
    crops, labels = lesson()
    seen, turned = lesson(40, seed=1)
    told = fit(crops, labels, PLAN, watch=(seen, 1 - turned))
    assert len(told.history) == 4
    assert all("watch_loss" in epoch for epoch in told.history)
    np.testing.assert_array_equal(
        predict(told.module, crops), predict(plain().module, crops)
    )


@pytest.mark.parametrize(
    ("shape", "n", "found"),
    [((3, 8, 8, 1), 3, "watched crops must be"), ((0, PX, PX, 1), 0, "holds no crops")],
)
def test_watched_crops_must_fit(shape: tuple[int, ...], n: int, found: str) -> None:
    watch = np.zeros(shape, np.float32), np.zeros(n, np.int64)
    with pytest.raises(ValueError, match=found):
        fit(*lesson(), PLAN, watch=watch)


class Cut(Exception):
    """What ends a fit in the middle of an epoch."""


def cut_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the step after so many raise Cut, as a crash between two steps would."""
    left, learn = iter(range(steps)), Course._weights_of

    def counted(self: Course, *given: Any) -> Any:
        if next(left, None) is None:
            raise Cut
        return learn(self, *given)

    monkeypatch.setattr(Course, "_weights_of", counted)


@pytest.mark.parametrize("steps", [3, 4, 11])
def test_a_fit_that_is_cut_goes_on_to_the_same_bytes(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fold.safetensors"
    told: list[dict[str, float]] = []
    with monkeypatch.context() as patch:
        cut_after(steps, patch)
        with pytest.raises(Cut):
            fit(*lesson(), PLAN, checkpoint=path, on_epoch=told.append)
    assert len(told) == steps // 3
    again: list[dict[str, float]] = []
    resumed = fit(*lesson(), PLAN, checkpoint=path, on_epoch=again.append)
    same(resumed, plain())
    assert again[: len(told)] == told
    assert timeless(again) == timeless(plain().history)
    same(fit(*lesson(), PLAN, checkpoint=path), plain())


def in_bags(**given: Any) -> Fitted:
    """A fit with all that a checkpoint must keep."""
    plan = replace(PLAN, frozen_epochs=2, patience=9, mil=4, positive_fraction=0.8)
    bags = np.arange(96) % 4 + 4 * (np.arange(96) // 24)
    return fit(*lesson(), plan, bags=bags, watch=lesson(24, 5), **given)


@cache
def straight() -> Fitted:
    """That fit, never cut."""
    return in_bags()


@pytest.mark.parametrize("cut", [1, 2, 3], ids="after epoch {}".format)
def test_resuming_keeps_frozen_phases_watch_and_bags(
    cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fold.safetensors"
    with monkeypatch.context() as patch:
        cut_after(3 * cut, patch)
        with pytest.raises(Cut):
            in_bags(checkpoint=path)
    same(in_bags(checkpoint=path), straight())


def spoil_nothing(path: Path) -> None:
    """Leave the file as it is."""


def spoil_end(path: Path) -> None:
    """Cut the file off."""
    path.write_bytes(path.read_bytes()[:-100])


def spoil_bit(path: Path) -> None:
    """Turn one bit of an array round."""
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def spoil_all(path: Path) -> None:
    """Write something else."""
    path.write_bytes(b"weights")


@pytest.mark.parametrize(
    ("spoil", "change", "label", "found"),
    [
        (spoil_end, {}, 0, "CHECKPOINT_INVALID .*does not read"),
        (spoil_bit, {}, 0, "CHECKPOINT_INVALID .*checksum"),
        (spoil_all, {}, 0, "CHECKPOINT_INVALID .*does not read"),
        (spoil_nothing, {"epochs": 9}, 0, "CHECKPOINT_MISMATCH .*plan: epochs 1 -> 9"),
        (spoil_nothing, {"seed": 2}, 0, "CHECKPOINT_MISMATCH .*plan: seed 1 -> 2"),
        (spoil_nothing, {}, 1, "CHECKPOINT_MISMATCH .*other crops, labels or weights"),
    ],
    ids=["cut", "bit", "other file", "epochs", "seed", "labels"],
)
def test_a_checkpoint_of_something_else_is_refused(
    spoil: Callable[[Path], None],
    change: dict[str, Any],
    label: int,
    found: str,
    tmp_path: Path,
) -> None:
    crops, labels = lesson()
    path = tmp_path / "fold.safetensors"
    plan = replace(PLAN, epochs=1)
    fit(crops, labels, plan, checkpoint=path)
    spoil(path)
    labels[1] = label
    with pytest.raises(InputError, match=found):
        fit(crops, labels, replace(plan, **change), checkpoint=path)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"optax": "0.0.1"}, r"other libraries or another device: optax 0\.0\.1 -> \d"),
        (
            {"device": "a GPU"},
            r"other libraries or another device: device a GPU -> cpu",
        ),
    ],
    ids=["library", "device"],
)
def test_a_checkpoint_made_with_other_tools_is_refused(
    changed: dict[str, str], found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, plan = tmp_path / "fold.safetensors", replace(PLAN, epochs=1)
    own = checkpoints._made_with()
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "_made_with", lambda: own | changed)
        fit(*lesson(), plan, checkpoint=path)
    with pytest.raises(InputError, match=f"CHECKPOINT_MISMATCH .*{found}"):
        fit(*lesson(), plan, checkpoint=path)


CHILD = """
import os, signal, sys
from pathlib import Path
from tests.test_screen_teaching import PLAN, lesson
from screen.fitting import fit

def end(told):
    if told["epoch"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)

fit(*lesson(), PLAN, checkpoint=Path(sys.argv[1]), on_epoch=end)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "fold.safetensors"
    root = Path(__file__).parents[1]
    ended = subprocess.run([sys.executable, "-c", CHILD, path], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    again: list[dict[str, float]] = []
    same(fit(*lesson(), PLAN, checkpoint=path, on_epoch=again.append), plain())
    assert [told["epoch"] for told in again] == [1, 2, 3, 4]
