"""Phenotypic activity: hand values, its null with ties, unequal replicates and shared controls, and a planted look."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest

from screen.statistics.average_precision import retrieval
from screen.statistics.labels import labellings, n_labellings
from screen.statistics.phenotypic_activity import (
    activity_p,
    average_precisions,
    compound_activity,
    dose_activity,
    mean_similarities,
    similarities,
    similarity_ranks,
)
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

D = 12


def test_average_precision_by_hand() -> None:
    """Three replicates among six wells; they find each other at ranks (1, 3), (2, 5) and (1, 2)."""
    rank = np.zeros((1, 6, 6), dtype=np.int64)
    rank[0, 0] = [0, 1, 3, 2, 4, 5]
    rank[0, 1] = [2, 0, 5, 1, 3, 4]
    rank[0, 2] = [1, 2, 0, 3, 4, 5]
    # (1/1 + 2/3) / 2, (1/2 + 2/5) / 2, (1/1 + 2/2) / 2
    by_hand = (5 / 6 + 9 / 20 + 1) / 3

    found = average_precisions(rank, np.array([[0, 1, 2]]))
    assert found[0, 0] == pytest.approx(by_hand)


def test_similarity_on_one_plate_by_hand() -> None:
    """Wells at 0, 60, 180 and 240 degrees about their mean: each is nearest to its neighbour."""
    angle = np.radians([0, 60, 180, 240])
    profiles = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    near = similarities(profiles[None], np.zeros(4, np.int64))
    rank = similarity_ranks(near, np.arange(4))[0]

    assert rank[0, 1] == rank[1, 0] == rank[2, 3] == rank[3, 2] == 1
    assert np.diag(rank).tolist() == [4] * 4
    assert mean_similarities(near, np.array([[0, 1], [0, 2]]))[0] == pytest.approx(
        [near[0, 0, 1], -1.0]
    )


def test_all_labellings_of_few_wells() -> None:
    plate = np.array([0, 0, 1, 0, 0, 1, 1, 2])
    sets, is_whole = labellings(plate, 3, np.random.default_rng(0), 100)
    expected = {
        (*pair, one) for pair in combinations([0, 1, 3, 4], 2) for one in (2, 5, 6)
    }
    assert is_whole
    assert {tuple(s) for s in sets.tolist()} == expected
    assert n_labellings(plate, 3) == len(sets) == 18


def test_drawn_labellings_keep_to_their_plates() -> None:
    plate = np.repeat([0, 1], 20)[np.argsort(np.tile(np.arange(20), 2), kind="stable")]
    sets, is_whole = labellings(plate, 5, np.random.default_rng(0), 300)
    on_first = (plate[sets] == 0).sum(axis=1)

    assert not is_whole
    assert sets.shape == (300, 5)
    assert (on_first == (plate[:5] == 0).sum()).all()
    assert all(len(set(s)) == 5 for s in sets.tolist())


@pytest.mark.parametrize("n", [2, 3, 5])
def test_one_plate_agrees_with_wells_taken_one_by_one(n: int) -> None:
    rng = np.random.default_rng(n)
    pool = rng.normal(0, 1, (n + 14, 6)) + np.repeat([0.8, 0.0], [n, 14])[:, None]
    pool = (pool - pool.mean(axis=0)) / pool.std(axis=0)
    found, p = activity_p(pool[None], np.zeros(n + 14, np.int64), n, seed=0)
    other = retrieval(pool[:n], pool[n:], seed=0, draws=4000)

    assert found[0] == pytest.approx(other.value)
    assert p[0] == pytest.approx(other.p, abs=0.03)


def null_p(n_by_plate: list[int], n_vehicle: int, ties: bool, seed: int) -> Floats:
    """p of inert doses that share their vehicle wells, on many independent plates."""
    rng = np.random.default_rng(seed)
    plate = np.repeat(np.arange(len(n_by_plate)), n_by_plate)
    plate = np.append(plate, np.repeat(np.arange(len(n_by_plate)), n_vehicle))
    mixing, p = rng.normal(0, 1, (4, D)), []
    for screen in range(40):
        level = rng.normal(0, 3, (len(n_by_plate), D))
        shared = rng.normal(0, 1, (len(n_by_plate) * n_vehicle, 4))
        treated = rng.normal(0, 1, (25, sum(n_by_plate), 4))
        both = np.concatenate([treated, np.tile(shared, (25, 1, 1))], axis=1)
        looks = (
            both @ mixing + level[plate] + 0.3 * rng.normal(0, 1, (*both.shape[:2], D))
        )
        looks = np.sign(looks - level[plate]) if ties else looks
        p.append(activity_p(looks, plate, sum(n_by_plate), seed=screen, draws=499)[1])
    return np.concatenate(p)


@pytest.mark.parametrize(
    ("n_by_plate", "n_vehicle"),
    [([1, 1], 16), ([2], 16), ([2, 1], 12), ([1, 1, 1, 1], 16), ([4, 4], 12)],
)
def test_inert_doses_are_active_as_often_as_said(
    n_by_plate: list[int], n_vehicle: int
) -> None:
    p = null_p(n_by_plate, n_vehicle, False, seed=sum(n_by_plate))

    assert 0.04 <= (p <= 0.05).mean() <= 0.06
    assert (p <= 0.2).mean() == pytest.approx(0.2, abs=0.04)


@pytest.mark.parametrize(
    ("n_by_plate", "n_vehicle"), [([1, 1], 6), ([3], 5), ([2, 1], 12)]
)
def test_ties_and_few_labellings_never_make_too_many_active(
    n_by_plate: list[int], n_vehicle: int
) -> None:
    p = null_p(n_by_plate, n_vehicle, True, seed=n_vehicle)

    assert 0.01 <= (p <= 0.05).mean() <= 0.06
    assert (p <= 0.2).mean() <= 0.23


def wells_of(planted: Floats, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Wells and doses of a screen: each row of `planted` [c d] is a compound at two doses on two plates."""
    rng = np.random.default_rng(seed)
    rows, doses = [], []
    for plate in ("P1", "P2"):
        level = rng.normal(0, 2, D)
        looks = [("vehicle", np.zeros(D))] * 20
        looks += [("treatment", look) for look in planted for _ in range(2)]
        rows += [
            {
                "plate": plate,
                "line": None,
                "time_h": None,
                "role": role,
                "state": "stressed",
                "compound": "",
                "status": "SCORED",
                "networks": ["a"],
                "flags": [],
                "profile": (look + level + rng.normal(0, 1, D)).tolist(),
            }
            for role, look in looks
        ]
    n = 20 + 2 * len(planted)
    for i in range(len(planted)):
        for d in range(2):
            at = 20 + 2 * i + d
            doses.append(
                {
                    "compound": f"C{i:03d}",
                    "concentration_um": 10.0 / 3**d,
                    "index": [at, n + at],
                }
            )
    keys = {"line": pl.String, "time_h": pl.Float64}
    wells = pl.DataFrame(rows, schema_overrides=keys | {"flags": pl.List(pl.String)})
    table = pl.DataFrame(doses).with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in keys.items()
    )
    return wells, table


def test_a_planted_look_is_active_and_inert_compounds_are_not() -> None:
    planted = np.zeros((40, D))
    planted[:8] = 3.0 * np.random.default_rng(1).normal(0, 1, (8, D))
    found = compound_activity(dose_activity(*wells_of(planted), CallRules()))

    assert found["map"][:8].min() > 0.9  # type: ignore[operator]
    assert (found["map_q"][:8] <= 0.05).all()
    assert (found["map_q"][8:] <= 0.05).sum() <= 1


def test_the_p_of_a_compound_is_that_of_its_surest_dose_paid_for_both() -> None:
    doses = dose_activity(*wells_of(np.zeros((5, D))), CallRules())
    found = compound_activity(doses)
    least = doses.group_by("compound", maintain_order=True).agg(pl.col("map_p").min())

    assert found["map_p"].to_list() == pytest.approx(
        (1 - (1 - least["map_p"]) ** 2).to_list()
    )


def test_without_profiles_there_is_no_activity() -> None:
    wells, doses = wells_of(np.zeros((3, D)))
    bare = wells.with_columns(profile=pl.lit(None, dtype=pl.List(pl.Float64)))
    found = compound_activity(dose_activity(bare, doses, CallRules()))

    assert found.select(pl.col("map", "map_p", "map_q").is_null().all()).row(0) == (
        True,
        True,
        True,
    )


def test_a_single_replicate_has_no_partner() -> None:
    wells, doses = wells_of(np.zeros((3, D)))
    alone = doses.with_columns(pl.col("index").list.head(1))

    assert dose_activity(wells, alone, CallRules())["map_p"].is_null().all()
