"""Folds share out control wells fairly and never let a network judge its lessons."""

import numpy as np
import pytest

from plates.problems import InputError
from screen.folds import AnchorWell, halves, make_folds, random_halves


def control_wells(
    plates: tuple[str, ...] = ("P01",), *, teaching: bool = False
) -> list[AnchorWell]:
    """Two columns a side, states alternating by row and column: 64 wells a plate."""
    rows = "ABCDEFGHIJKLMNOP"
    return [
        AnchorWell(
            plate, f"{row}{column:02d}", (i + j) % 2, teaching=teaching and i % 2 == 0
        )
        for plate in plates
        for i, row in enumerate(rows)
        for j, column in enumerate((1, 2, 23, 24))
    ]


def test_halves_are_even_over_states_columns_and_plates() -> None:
    wells = control_wells(("P01", "P02"))
    half = halves(wells)
    for plate in ("P01", "P02"):
        for label in (0, 1):
            mine = [half[w.key] for w in wells if (w.plate, w.label) == (plate, label)]
            assert sum(mine) == len(mine) / 2
        for column in ("01", "02", "23", "24"):
            here = [half[w.key] for w in wells if w.well[1:] == column]
            assert sum(here) == len(here) / 2


def test_random_halves_are_even_and_differ_by_seed() -> None:
    wells = control_wells()
    one = random_halves(wells, np.random.default_rng(1))
    two = random_halves(wells, np.random.default_rng(2))
    assert one != two
    assert sum(one[w.key] for w in wells if w.label) == 16


def test_halves_teach_two_networks_that_share_no_well() -> None:
    first, second = make_folds(control_wells(), "halves")
    assert not {w.key for w in first.learnt} & {w.key for w in second.learnt}
    assert len(first.learnt) + len(second.learnt) == 64


def test_auto_takes_plates_from_four_plates_on() -> None:
    few = make_folds(control_wells(("P01", "P02")), "auto")
    many = make_folds(control_wells(("P1", "P2", "P3", "P4", "P5")), "auto")
    assert {f.unit for f in few} == {"well"}
    assert {f.unit for f in many} == {"plate"}


def test_each_plate_has_a_network_that_never_saw_it() -> None:
    plates = ("P1", "P2", "P3", "P4", "P5")
    folds = make_folds(control_wells(plates), "plates")
    for plate in plates:
        unseen = [f for f in folds if plate not in {w.plate for w in f.learnt}]
        assert len(unseen) == 1


def test_teaching_wells_alone_teach() -> None:
    (fold,) = make_folds(control_wells(teaching=True), "auto")
    assert fold.name == "taught"
    assert all(w.teaching for w in fold.learnt)


def test_a_fold_without_a_state_is_refused_by_name() -> None:
    healthy = [w for w in control_wells() if w.label == 0]
    with pytest.raises(InputError, match=r"half0: no senescent well to learn from"):
        make_folds(healthy, "halves")
