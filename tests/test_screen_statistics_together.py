"""What is worked out for all compounds, doses or draws together is what each gives alone."""

import os
import subprocess
import sys

import numpy as np
import pytest

from screen.statistics.axis import AxisModel, dose_distances, fit_axis, thin_variance
from screen.statistics.decision import (
    DosePoints,
    Shares,
    class_curves,
    nearest_class,
    nearest_classes,
)
from screen.statistics.off_axis import squared_distances
from screen.statistics.phenotypic_activity import similarities, similarity_ranks
from screen.statistics.quality import plate_quality, z_prime_quality
from screen.statistics.ranking import _falling_ranks
from screen.statistics.robust import Floats, median, medians_without_own

CURVES = class_curves(Shares(0.75, 0.13))
TOLERANCE = np.array([0.06, 0.03])


def points(seed: int, n: int) -> tuple[Floats, Floats]:
    """Doses in the plane of the classes, and their covariances."""
    rng = np.random.default_rng(seed)
    sd = rng.uniform(0.05, 0.2, (n, 2))
    covariances = sd[:, :, None] * sd[:, None] * np.array([[1.0, 0.3], [0.3, 1.0]])
    return rng.normal(0, 0.5, (n, 2)), covariances


def test_compounds_classed_together_are_classed_as_alone() -> None:
    found, covariances = points(0, 700)
    owner = np.random.default_rng(1).integers(0, 150, 700)
    together = nearest_classes(
        CURVES, DosePoints(found, covariances, owner), TOLERANCE, 151
    )
    assert together[150] is None
    for i in range(150):
        here = np.flatnonzero(owner == i)
        if here.size:
            alone = nearest_class(CURVES, found[here], covariances[here], TOLERANCE)
            assert together[i] == alone


def test_a_class_needs_a_dose() -> None:
    with pytest.raises(ValueError, match="one dose at least"):
        nearest_class(CURVES, *points(0, 0), TOLERANCE)


def axis_of_random_wells(seed: int, n: int, d: int) -> AxisModel:
    """A model of wells of which some have no profile and some no count."""
    rng = np.random.default_rng(seed)
    profiles, count = rng.normal(0, 1, (n, d)), rng.normal(0, 0.3, n)
    axis = fit_axis(profiles[:200], count[:200], np.tile([0.0, 1.0], 100))
    profiles[rng.random(n) < 0.05] = np.nan
    count[rng.random(n) < 0.05] = np.nan
    white, along = axis.split(profiles, count)
    return AxisModel(
        axis=axis,
        centre=1.0,
        spread=0.5,
        profiles=profiles,
        held_out=np.full(n, np.nan),
        white=white,
        along=along,
        log_count=count,
        own_variance=thin_variance(count),
        centre_variance=rng.random(n),
        direction_variance=0.1,
        group=rng.integers(0, 5, n),
        place=rng.integers(0, 9, n),
    )


def variance_by_hand(rows: np.ndarray, model: AxisModel, place: float) -> float:
    """Of the mean of wells, part by part."""
    own = model.own_variance[rows]
    places = model.place[rows]
    alike = sum(np.sqrt(own[places == p]).sum() ** 2 for p in np.unique(places))
    wells = place * alike + (1 - place) * own.sum()
    groups = model.group[rows]
    centres = sum(
        (groups == g).sum() ** 2 * model.centre_variance[rows[groups == g][0]]
        for g in np.unique(groups)
    )
    fitted = model.along[rows].mean() ** 2 * model.direction_variance
    fitted += model.log_count[rows].mean() ** 2 / model.axis.count_information
    return float((wells + centres) / rows.size**2 + fitted)


def test_doses_of_unlike_sizes_are_as_far_off_the_axis_as_by_hand() -> None:
    model = axis_of_random_wells(0, 600, 5)
    rng = np.random.default_rng(1)
    groups = [rng.integers(0, 600, n) for n in rng.choice([0, 1, 2, 4, 9, 20], 80)]
    squared, z = squared_distances(groups, model, 0.3), dose_distances(model, groups)
    finite = np.asarray(np.isfinite(model.white).all(axis=1))
    for rows, square, one in zip(groups, squared, z, strict=True):
        known = rows[finite[rows]]
        if known.size == 0:
            assert np.isnan(square)
            assert np.isnan(one)
            continue
        mean = model.white[known].mean(axis=0)
        by_hand = mean @ mean / variance_by_hand(known, model, 0.3)
        assert square == pytest.approx(by_hand, rel=1e-12)
        profile = model.profiles[known].mean(axis=0)[None]
        count, n = model.log_count[known].mean(keepdims=True), float(known.size)
        distance = model.axis.distance(profile, count, np.array([n]))
        assert one == pytest.approx((float(distance[0]) - 1.0) / 0.5, rel=1e-12)


def test_ranks_by_similarity_are_those_of_a_stable_sort() -> None:
    rng = np.random.default_rng(0)
    looks = np.sign(rng.normal(0, 1, (7, 40, 4)))  # many ties
    near = similarities(looks, np.repeat([0, 1], 20))
    order = rng.permutation(40)
    ranks = similarity_ranks(near, order)
    for c in range(7):
        for well in range(40):
            falling = -near[c, well, order]
            falling[order == well] = np.inf
            assert order[np.argsort(falling, kind="stable")].tolist() == (
                np.argsort(ranks[c, well]).tolist()
            )


@pytest.mark.parametrize("values", [[3.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0], [5.0]])
def test_equal_effects_rank_in_their_order(values: list[float]) -> None:
    ranked = sorted(range(len(values)), key=lambda i: (-values[i], i))
    due = [ranked.index(i) + 1 for i in range(len(values))]
    assert _falling_ranks(np.array(values)).tolist() == due


@pytest.mark.parametrize("n", [2, 3, 8, 9])
def test_medians_without_own_are_those_of_the_other_rows(n: int) -> None:
    values = np.random.default_rng(n).integers(0, 5, (n, 3)).astype(np.float64)
    due = [np.median(np.delete(values, i, axis=0), axis=0) for i in range(n)]
    assert np.array_equal(medians_without_own(values), np.stack(due))


@pytest.mark.parametrize("values", [[], [2.0], [3.0, 1.0], [1.0, np.nan, 2.0]])
def test_the_fast_median_is_the_median(values: list[float]) -> None:
    due = np.median(values) if values else np.nan
    assert np.array_equal(median(np.array(values)), due, equal_nan=True)


def test_z_prime_alone_is_that_of_all_measures() -> None:
    rng = np.random.default_rng(0)
    healthy, senescent = rng.normal(1, 0.1, 12), rng.normal(0, 0.1, 9)
    whole = plate_quality(healthy, senescent, seed=3)
    assert whole is not None
    assert z_prime_quality(healthy, senescent, seed=3) == whole.z_prime
    assert z_prime_quality(healthy, senescent[:1], seed=3) is None


@pytest.mark.parametrize(("verb", "threads"), [("call", "1"), ("score", "none")])
def test_a_call_multiplies_with_one_thread(verb: str, threads: str) -> None:
    """Asked in a process of its own, for here numpy is loaded."""
    lines = [
        "import os, sys",
        "from screen.__main__ import main",
        f"main(['{verb}', '--cfg', 'job'])",
        "assert 'numpy' not in sys.modules",
        "print(os.environ.get('OPENBLAS_NUM_THREADS', 'none'))",
    ]
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    found = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split()[-1] == threads
