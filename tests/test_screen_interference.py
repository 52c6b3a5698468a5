"""A compound's own light, saturation and blur in the pixels of its wells: told from biology, joined with its structure."""

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from screen.call import CallTables, call_tables
from screen.signs import Signs, sign_columns, signs_of
from screen.statistics.evidence import decide
from screen.statistics.interference import pixel_signs, with_dose_signs
from screen.statistics.rules import CallRules
from tests.score_tables import Screen, draw
from tests.test_screen_judgement import dose
from tests.test_screen_statistics_decision import RESCUE

RULES = CallRules()
N_VEHICLE = 32
# kind: share of cells, of the light in the second channel, saturated pixels
PLANTED = {
    "nothing": (1.0, 1.0, 0.001),
    "shining": (1.0, 2.0, 0.001),
    "dying": (0.3, 0.6, 0.001),
    "dividing": (3.0, 3.0, 0.001),
    "healed": (1.05, 0.7, 0.001),
    "aged": (1.0, 1.15, 0.001),
    "saturated": (1.0, 1.6, 0.06),
    "condensed": (0.3, 0.6, 0.06),
}


def plate(light: float = 150.0) -> pl.DataFrame:
    """One plate: vehicle wells of both states, then one well of each planted kind."""
    rng = np.random.default_rng(5)
    kinds = ["nothing"] * N_VEHICLE + ["healed"] * N_VEHICLE + list(PLANTED)
    cells, shine, over = np.array([PLANTED[k] for k in kinds]).T
    n = len(kinds)
    number = rng.poisson(200 * cells)
    own = light * np.exp(0.05 * rng.normal(size=(n, 2))) * (number / 200)[:, None]
    own[:, 1] *= shine / cells
    background = 200 * np.exp(0.01 * rng.normal(size=(n, 2)))
    saturated = np.stack([np.zeros(n), over * rng.uniform(0.9, 1.1, n)], axis=1)
    return pl.DataFrame(
        {
            "plate": ["P1"] * n,
            "compound": [""] * 2 * N_VEHICLE + list(PLANTED),
            "role": ["vehicle"] * 2 * N_VEHICLE + ["treatment"] * len(PLANTED),
            "state": ["stressed"] * N_VEHICLE
            + ["unstressed"] * N_VEHICLE
            + ["stressed"] * len(PLANTED),
            "status": ["SCORED"] * n,
            "n_cells": number,
            "n_fields": [1] * n,
            "mean": (background + own).tolist(),
            "background": background.tolist(),
            "saturated": saturated.tolist(),
        }
    )


def signs(wells: pl.DataFrame) -> pl.DataFrame:
    """The signs of the planted wells."""
    return pixel_signs(wells, RULES).filter(role="treatment")


@pytest.mark.parametrize("kind", PLANTED)
def test_only_light_of_its_own_makes_a_channel_bright(kind: str) -> None:
    row = signs(plate()).row(by_predicate=pl.col("compound") == kind, named=True)
    bright = kind in ("shining", "saturated")
    assert (row["channel_z"] > RULES.background_z_max) == bright
    assert not bright or row["bright_channel"] == 2


@pytest.mark.parametrize("kind", PLANTED)
def test_saturation_counts_where_the_light_rises(kind: str) -> None:
    row = signs(plate()).row(by_predicate=pl.col("compound") == kind, named=True)
    assert (row["saturation_z"] > RULES.background_z_max) == (kind == "saturated")


def test_vehicle_wells_show_no_sign() -> None:
    vehicle = pixel_signs(plate(), RULES).filter(role="vehicle")
    assert (vehicle["channel_z"] < RULES.background_z_max).all()
    assert (vehicle["saturation_z"] < RULES.background_z_max).all()


def test_transmitted_light_has_no_brightness_of_cells() -> None:
    assert signs(plate(light=-1.0))["channel_z"].is_null().all()


def test_without_vehicle_or_pixels_nothing_is_told() -> None:
    none = pl.lit([], dtype=pl.List(pl.Float64))
    alone = plate().filter(role="treatment")
    blind = plate().with_columns(mean=none, background=none, saturated=none)
    for wells in (alone, blind):
        found = signs(wells).select("channel_z", "bright_channel", "saturation_z")
        assert found.null_count().row(0) == (len(PLANTED),) * 3


def test_few_cells_say_nothing_of_light() -> None:
    wells = plate().with_columns(n_cells=pl.lit(RULES.min_cells - 1))
    assert signs(wells)["channel_z"].is_null().all()


def test_a_dose_has_the_mean_and_the_least_of_its_wells() -> None:
    wells = pl.DataFrame(
        {
            "compound": ["a", "a", "b", ""],
            "line": [None] * 4,
            "time_h": [None] * 4,
            "concentration_um": [1.0, 1.0, 2.0, None],
            "role": ["treatment"] * 3 + ["vehicle"],
            "state": ["stressed"] * 4,
            "channel_z": [4.0, 10.0, None, 0.0],
            "bright_channel": [2, 2, None, 1],
            "saturation_z": [0.0, 1.0, None, 0.0],
            "focus_z": [-1.0, -3.0, 0.0, 0.0],
        },
        schema_overrides={"line": pl.String, "time_h": pl.Float64},
    )
    key = ("compound", "line", "time_h", "concentration_um")
    doses = wells.filter(role="treatment").select(key).unique(maintain_order=True)
    a, b = with_dose_signs(doses, wells, RULES).to_dicts()

    assert (a["channel_z"], a["channel_z_low"], a["bright_channel"]) == (7.0, 4.0, 2)
    assert (a["saturation_z_low"], a["focus_z"]) == (0.0, -2.0)
    assert (b["channel_z"], b["focus_z"]) == (None, 0.0)


LIT = {"channel_z": 20.0, "channel_z_low": 15.0, "bright_channel": 2}
GLOWING = {"background_z": 40.0, "background_z_low": 30.0}


@pytest.mark.parametrize(
    ("change", "chemistry", "artefact"),
    [
        ({}, "acridine", ""),
        (LIT, "", ""),
        (LIT, "acridine", "channel 2.*z 20.*the same: acridine"),
        (LIT | {"channel_z_low": 1.0}, "acridine", ""),
        (GLOWING, "", "background is brighter.*z 40"),
        (GLOWING, "acridine", "background.*the same: acridine"),
        ({"saturation_z": 9.0, "saturation_z_low": 8.0}, "", "saturated.*z 9"),
        ({"n_unfocused": 2}, "", "out of focus"),
        ({"n_unfocused": 1}, "", ""),
    ],
    ids=str,
)
def test_what_makes_an_artefact(
    change: dict[str, float], chemistry: str, artefact: str
) -> None:
    found = signs_of([dose(1, 0.0, 1.0), dose(3, 0.0, 1.0) | change], RULES, chemistry)
    assert (found.artefact == "") == (artefact == "")
    assert re.search(artefact, found.artefact)
    assert ("CHANNEL_BRIGHT" in found.flags) == (change == LIT)
    suspect = bool(chemistry) or change == GLOWING
    assert ("FLUORESCENCE_SUSPECT" in found.flags) == suspect
    assert found.agrees == (chemistry != "" and change in (LIT, GLOWING))


def test_an_alert_is_named_beside_the_light_and_makes_nothing_alone() -> None:
    alert = "PAINS_A:quinone_A(370)"
    assert signs_of([dose(1, 0.0, 1.0)], RULES, "", alert).artefact == ""
    found = signs_of([dose(1, 0.0, 1.0) | GLOWING], RULES, "", alert)
    assert found.artefact.endswith(f"structural alert {alert}")
    assert not found.agrees


def test_a_compound_has_the_worst_of_its_doses() -> None:
    part = [dose(1, 0.0, 1.0) | LIT, dose(3, 0.0, 1.0) | {"focus_z": -4.0}]
    row = sign_columns(part, Signs(channel="channel 2 is bright"))
    assert (row["channel_z"], row["bright_channel"], row["focus_z"]) == (20.0, 2, -4.0)
    assert row["interference_seen"] == "channel 2 is bright"


def test_a_rescue_in_a_brighter_channel_is_no_hit() -> None:
    decision = decide(replace(RESCUE, light="channel 2 is brighter"), RULES)
    assert (decision.name, decision.is_hit) == ("undecided", False)
    assert "own light" in decision.reason


def brightened(factor: float, *, named: str = "") -> tuple[CallTables, str]:
    """The call of a virtual screen with one more channel, in which an inert compound is
    brighter by a factor; it may bear another name."""
    scores, plate_map, truth = draw(Screen(seed=0))
    name = truth.filter(kind="inert")["compound"][0]
    wells = plate_map.filter(compound=name).select("plate", "well", lit=pl.lit(True))
    scores = scores.join(wells, on=["plate", "well"], how="left", maintain_order="left")
    rng = np.random.default_rng(0)
    light = 2.0 * scores["n_cells"] * np.exp(0.05 * rng.normal(size=scores.height))
    light = light * pl.Series(np.where(scores["lit"].fill_null(False), factor, 1.0))
    first, second = (scores["background"].list.get(c) for c in (0, 1))
    mean = pl.DataFrame({"a": first + 100.0, "b": second + light})
    scores = scores.with_columns(
        mean=mean.select(pl.concat_list("a", "b")).to_series(),
        saturated=pl.lit([0.0, 0.0]),
    ).drop("lit")
    new = named or name
    plate_map = plate_map.with_columns(pl.col("compound").replace({name: new}))
    return call_tables(scores, plate_map, None, RULES), new


def test_a_dye_that_shines_is_an_artefact_of_which_both_speak() -> None:
    tables, name = brightened(2.5, named="quinacrine")
    row = tables.compounds.row(by_predicate=pl.col("compound") == name, named=True)

    assert (row["class"], row["is_hit"]) == ("artefact", False)
    assert row["interference_agrees"] is True
    assert "channel 2" in row["why"]
    assert "fluorescent dye" in row["why"]
    assert {"CHANNEL_BRIGHT", "FLUORESCENCE_SUSPECT"} <= set(row["flags"].split(";"))
    doses = tables.doses.filter(compound=name)
    assert "artefact" in set(doses["class"])


def test_a_brighter_stain_alone_changes_no_class_but_is_told() -> None:
    plain, name = brightened(1.0)
    tables, _ = brightened(2.5)
    row = tables.compounds.row(by_predicate=pl.col("compound") == name, named=True)
    before = plain.compounds.row(by_predicate=pl.col("compound") == name, named=True)

    assert row["class"] == before["class"] == "inactive"
    assert (row["bright_channel"], row["interference_agrees"]) == (2, False)
    assert "CHANNEL_BRIGHT" in row["flags"]
    assert "CHANNEL_BRIGHT" not in before["flags"]
    lit = tables.hits.filter(compound=name)
    assert (lit["channel_z"] > RULES.background_z_max).all()


def test_no_planted_biology_shows_light() -> None:
    tables, _ = brightened(1.0)
    truth = draw(Screen(seed=0))[2]
    joined = tables.compounds.join(truth, on="compound")
    biology = joined.filter(pl.col("kind") != "artefact")
    assert not biology["flags"].str.contains("CHANNEL_BRIGHT").any()
    assert not (biology["class"] == "artefact").any()
    assert (joined.filter(kind="artefact")["class"] == "artefact").all()
