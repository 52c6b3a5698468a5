"""Mixed-up plates: each kind found where it was planted, none on clean plates, doubts named, real plates."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bench.mixup_figures import accused, mixup_figure, planted
from bench.mixup_plates import COLUMNS, KINDS, ROWS, Kind, Plates, campaign, plant
from bench.quality_references import repurposing_counts
from plates.wells import Well
from screen.statistics.mixup_flags import mixed_up_plates
from screen.statistics.mixups import (
    SWAPPED,
    expected,
    find_mixups,
    kindred,
    standardised,
)
from screen.statistics.turns import SHIFTS, TURNS, sources

SHAPE = (ROWS, COLUMNS)


@pytest.fixture
def plates() -> Plates:
    """A clean campaign of 8 maps in 3 replicates."""
    return campaign(Kind(), np.random.default_rng(7))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_named(plates: Plates, kind: str) -> None:
    plant(plates, kind, 4, 10)
    swapped = {10: SWAPPED} if kind == SWAPPED else {}
    assert accused(plates) == {4: kind} | swapped


def test_clean_plates_are_left_alone(plates: Plates) -> None:
    assert find_mixups(plates.readouts, plates.keys, SHAPE) == ()


def test_several_at_once_do_not_accuse_their_replicates(plates: Plates) -> None:
    rng = np.random.default_rng(3)
    truth = planted(plates, [(0, 5), (7, 9), (13, 16), (20, 23)], rng)
    assert accused(plates) == truth


def test_recall_and_alarms() -> None:
    found = mixup_figure(Kind(), 100, 200, seed=5)
    assert found["right_kind"] >= 0.95
    assert found["alarms_on_clean_plates"] <= 2


def test_the_order_of_plates_does_not_matter(plates: Plates) -> None:
    plant(plates, KINDS[1], 4, 0)
    plant(plates, SWAPPED, 8, 17)
    order = np.random.default_rng(1).permutation(24)
    mixed = Plates(plates.readouts[:, order], plates.keys[order])
    told = {int(order[p]): kind for p, kind in accused(mixed).items()}
    assert told == accused(plates)


def test_unit_and_sign_of_a_readout_do_not_matter(plates: Plates) -> None:
    plant(plates, KINDS[0], 4, 0)
    other = Plates(-3 * plates.readouts + 11, plates.keys)
    assert accused(other) == accused(plates)


def test_two_plates_that_cannot_be_told_apart_are_both_named() -> None:
    rng = np.random.default_rng(4)
    plates = campaign(Kind(n_maps=4, n_replicates=2, n_controls=1), rng)
    plant(plates, KINDS[0], 2, 0)
    (found,) = find_mixups(plates.readouts, plates.keys, SHAPE)
    assert {found.plate, *found.instead} == {2, 3}


@pytest.mark.parametrize("name", [*TURNS, *SHIFTS])
def test_every_way_moves_each_well_once(name: str) -> None:
    found = sources((TURNS | SHIFTS)[name], 8, 12)
    inside = found[found >= 0]
    assert np.unique(inside).size == inside.size
    assert inside.size == (96 if name in TURNS else 88 if "column" in name else 84)


def test_what_is_expected_is_what_the_other_plates_gave() -> None:
    keys = np.array([[0, 1, 2, -1], [1, 0, 3, 0], [2, 1, 0, 1]])
    values = np.array(
        [[4.0, 8.0, 3.0, 9.0], [6.0, 5.0, 9.0, 7.0], [1.0, 4.0, 9.0, 6.0]]
    )
    found = expected(values, keys)
    # Key 0: 4, mean of 5 and 7, 9; each less the 2 robust sd within which nothing shows.
    assert found[0].tolist() == [(6 + 9) / 2 - 2, (6 + 5) / 2 - 2, 0.0, 0.0]
    assert found[1, 2] == 0.0
    assert found[1, 1] == found[1, 3] == (4 + 9) / 2 - 2


def test_replicates_share_what_few_plates_hold(plates: Plates) -> None:
    kin = kindred(plates.keys)
    assert kin.sum() == 24 * 2
    assert kin[0, 1]
    assert not kin[0, 3]


def test_plates_without_spread_or_numbers_say_nothing() -> None:
    values = np.array([[1.0, 1.0, 1.0, np.nan], [np.nan] * 4, [0.0, 1.0, 2.0, 900.0]])
    found = standardised(values)
    assert found[:2].tolist() == [[0.0] * 4] * 2
    assert found[2].max() == 6.0
    assert find_mixups(np.zeros((1, 1, 4)), np.zeros((1, 4), np.int64), (2, 2)) == ()


def frame(plates: Plates) -> pl.DataFrame:
    """A campaign as the wells of a call."""
    rows = []
    for p, keys in enumerate(plates.keys):
        for place, key in enumerate(keys):
            score, cells = plates.readouts[:, p, place]
            well = Well(place // COLUMNS, place % COLUMNS)
            rows.append(
                {
                    "plate": f"P{p:02d}",
                    "row": well.row,
                    "column": well.column,
                    "role": "vehicle" if key < 2 else "treatment",
                    "state": "unstressed" if key == 1 else "stressed",
                    "compound": "DMSO" if key < 2 else f"C{key}",
                    "concentration_um": None if key < 2 else 1.0,
                    "status": "SCORED" if np.isfinite(score) else "ABSENT",
                    "score": None if np.isnan(score) else -score,
                    "n_cells": 0 if np.isnan(cells) else round(500 * np.exp(cells)),
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def test_suspects_are_told_by_plate_and_code(plates: Plates) -> None:
    plant(plates, KINDS[3], 4, 0)
    plant(plates, SWAPPED, 8, 17)
    found = mixed_up_plates(frame(plates), frozenset())
    assert found == {
        "P04": ("MAP_ORIENTATION_SUSPECT", f"the wells fit the map {KINDS[3]}"),
        "P08": ("PLATE_SWAP_SUSPECT", "the wells fit the map of P17"),
        "P17": ("PLATE_SWAP_SUSPECT", "the wells fit the map of P08"),
    }


@pytest.mark.real
def test_real_plates_are_believed_and_mix_ups_in_them_found(shared_data: Path) -> None:
    cells, keys, maps = repurposing_counts(shared_data)
    assert accused(Plates(cells.copy(), keys)) == {}
    rng = np.random.default_rng(1)
    order = rng.permutation(len(maps))
    pairs = zip(order[:12].tolist(), order[12:24].tolist(), strict=True)
    places = [(a, b) for a, b in pairs if maps[a] != maps[b]]
    mixed = Plates(cells.copy(), keys)
    truth = planted(mixed, places, rng)
    found = accused(mixed)
    assert set(found) <= set(truth)
    assert sum(found.get(p) == kind for p, kind in truth.items()) >= 0.9 * len(truth)
