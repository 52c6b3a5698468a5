"""Wells drawn towards those treated alike: by hand, and nearer the truth where cells are few."""

import numpy as np
import polars as pl
import pytest

from screen.statistics.noise import ErrorModel, Noise
from screen.statistics.position import UNKNOWN_POSITION
from screen.statistics.robust import Floats
from screen.statistics.shrunk_wells import shrunk_wells

MODEL = ErrorModel(1.0, 30.0, None, 0.1, UNKNOWN_POSITION, 1.0, 1.0, None, 0.0)
NOISE = Noise(1.0, 0.1, 0.0, 30.0, "", 1.0, 1.0, MODEL)


def wells_of(effect: Floats, variance: Floats, compound: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "role": "treatment",
            "state": "stressed",
            "compound": compound,
            "concentration_um": 1.0,
            "line": "L",
            "time_h": 0.0,
            "effect": effect,
            "effect_variance": variance,
        }
    )


def test_by_hand() -> None:
    """Weights 1/0.01 and 1/0.04: centre 0.2; the wells keep all and a quarter of what they are apart."""
    wells = wells_of(
        np.array([0.0, 1.0, 5.0]), np.array([0.01, 0.04, 0.01]), ["A", "A", "B"]
    )
    found = shrunk_wells(wells, NOISE)["effect_shrunk"].to_list()

    assert found[:2] == pytest.approx([0.0, 0.2 + 0.25 * 0.8])
    assert found[2] is None
    assert shrunk_wells(wells, None)["effect_shrunk"].is_null().all()


def test_shrunk_wells_are_nearer_the_truth_where_cells_are_few() -> None:
    rng = np.random.default_rng(0)
    sampling = np.tile([0.002, 0.002, 0.2, 0.002], 300)
    true = np.repeat(rng.normal(0, 1, 300), 4) + rng.normal(0, 0.1, 1200)
    effect = true + np.sqrt(sampling) * rng.standard_normal(1200)
    names = [f"C{i // 4}" for i in range(1200)]
    found = shrunk_wells(wells_of(effect, sampling + 0.01, names), NOISE)
    error, plain = found["effect_shrunk"].to_numpy() - true, effect - true
    few = sampling > 0.1

    assert (error[few] ** 2).mean() < 0.2 * (plain[few] ** 2).mean()
    assert (error[~few] ** 2).mean() < 1.1 * (plain[~few] ** 2).mean()
