"""The parts of a virtual screen: compounds, layout, populations, optics."""

import dataclasses
from collections import Counter

import numpy as np
import polars as pl
import pytest
from rdkit import Chem

from plates.synthetic import KINDS, SimulateSettings
from plates.synthetic.bank import split_images
from plates.synthetic.biology import draw_cells, effect_of, scatter
from plates.synthetic.cells import CellPainter, draw_looks
from plates.synthetic.chemistry import draw_structures
from plates.synthetic.layout import WellPlan
from plates.synthetic.optics import box_blur, expose, gaussian_blur, light_field
from plates.synthetic.screen import Design, draw_design
from plates.wells import Well

REFERENCE = SimulateSettings()


@pytest.fixture(scope="module")
def design() -> Design:
    """The reference screen on paper, seed 5."""
    return draw_design(REFERENCE, 5)


def test_all_structures_parse_and_differ() -> None:
    """Each of the combinations that can be drawn is a molecule of its own."""
    pairs = draw_structures(1440, np.random.default_rng(0))
    molecules = [Chem.MolFromSmiles(smiles) for _, smiles in pairs]
    assert None not in molecules
    assert len({Chem.MolToSmiles(m) for m in molecules}) == 1440
    assert len({name for name, _ in pairs}) == 1440


def test_too_many_structures_are_refused() -> None:
    """The limit is named."""
    with pytest.raises(ValueError, match="at most 1440 virtual compounds"):
        draw_structures(1441, np.random.default_rng(0))


def test_reference_classes(design: Design) -> None:
    """At least 60 % inert, 15 rescues from 0.3 to 1, eight of every other class."""
    counts = Counter(c.kind for c in design.compounds)
    assert counts == {k: {"inert": 107, "rescue": 15}.get(k, 8) for k in KINDS}
    effects = sorted(c.strength for c in design.compounds if c.kind == "rescue")
    assert effects[0] >= 0.3
    assert effects[-1] <= 1.0
    assert sum(e < 0.5 for e in effects) == 4
    assert Counter(len(c.doses_um) for c in design.compounds) == {2: 142, 1: 36}


def test_the_top_dose_has_the_whole_effect(design: Design) -> None:
    """Responses fall with the dose and stay well above nothing."""
    for compound in design.compounds:
        responses = [compound.response(dose) for dose in compound.doses_um]
        assert responses[0] == pytest.approx(1.0)
        assert responses == sorted(responses, reverse=True)
        assert responses[-1] > 0.5


def test_replicates_hold_the_same_treatments(design: Design) -> None:
    """Laid out differently, with the same controls."""
    first, second = (
        [(p.planted.compound if p.planted else "", p.dose_um) for p in plans]
        for plans in design.plans
    )
    assert sorted(first) == sorted(second)
    assert first != second


def test_layouts_are_shared_on_demand() -> None:
    """randomise_replicates=false puts each treatment in the same well."""
    settings = dataclasses.replace(REFERENCE, randomise_replicates=False)
    first, second = draw_design(settings, 5).plans
    assert [p.planted for p in first] == [p.planted for p in second]


def test_controls_are_balanced(design: Design) -> None:
    """Both states lie in every row, on both sides and equally often in rim columns."""
    controls = [p for p in design.plans[0] if p.planted is None]
    assert Counter(p.state for p in controls) == {"stressed": 32, "unstressed": 32}
    assert set(Counter((p.well.row, p.state) for p in controls).values()) == {2}
    assert set(Counter((p.well.column, p.state) for p in controls).values()) == {8}
    assert set(
        Counter((p.well.row, p.well.column < 12, p.state) for p in controls).values()
    ) == {1}


def plan_of(design: Design, kind: str, index: int = 0) -> WellPlan:
    """A well at the top dose of the class."""
    found = [
        p
        for p in design.plans[0]
        if p.planted and p.planted.kind == kind and p.dose_um == 10.0
    ]
    return dataclasses.replace(found[index], is_dead=False, is_edge=False, crowd=0.0)


def populations(design: Design, kind: str) -> tuple[float, float]:
    """Mean senescent and other cells at the top dose, over 200 wells."""
    plan, rng = plan_of(design, kind), np.random.default_rng(1)
    effect = effect_of(REFERENCE, plan)
    cells = [
        draw_cells(REFERENCE, plan, effect, effect.rate, rng).senescent
        for _ in range(200)
    ]
    n_senescent = float(np.mean([s.sum() for s in cells]))
    return n_senescent, float(np.mean([s.size for s in cells])) - n_senescent


@pytest.mark.parametrize(
    ("kind", "senescent", "other"),
    [
        ("inert", (0.95, 1.05), (0.95, 1.05)),
        ("rescue", (0.1, 0.8), (1.5, 4.5)),
        ("toxic", (0.04, 0.41), (0.04, 0.41)),
        ("senolytic", (0.04, 0.41), (0.95, 1.05)),
        ("dilution", (0.95, 1.05), (1.75, 3.1)),
        ("cytostatic", (0.95, 1.05), (0.24, 0.51)),
        ("inducer", (1.1, 1.3), (0.04, 0.5)),
        ("other", (0.95, 1.05), (0.95, 1.05)),
        ("artefact", (0.95, 1.05), (0.95, 1.05)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_classes_do_what_they_say(
    design: Design,
    kind: str,
    senescent: tuple[float, float],
    other: tuple[float, float],
) -> None:
    """Cell numbers relative to the stressed vehicle's."""
    n_senescent, n_other = populations(design, kind)
    all_cells = REFERENCE.cells_per_well
    ratio = n_senescent / (all_cells * REFERENCE.stressed_rate)
    assert senescent[0] < ratio < senescent[1]
    ratio = n_other / (all_cells * (1 - REFERENCE.stressed_rate))
    assert other[0] < ratio < other[1]


def test_a_dead_well_is_nearly_empty(design: Design) -> None:
    """Four cells at the most."""
    dead = [p for plans in design.plans for p in plans if p.is_dead]
    assert len(dead) == 2
    effect = effect_of(REFERENCE, dead[0])
    cells = draw_cells(REFERENCE, dead[0], effect, 0.8, np.random.default_rng(0))
    assert cells.age.size <= 4


def test_aged_cells_look_aged() -> None:
    """Bigger, dimmer, rougher, with more foci: on average, not each."""
    rng, nobody = np.random.default_rng(0), np.zeros(4000, bool)
    old = draw_looks(np.full(4000, 1.0, np.float32), nobody, "", rng)
    young = draw_looks(np.full(4000, -1.0, np.float32), nobody, "", rng)
    for name, sign in (
        ("nucleus_um", 1),
        ("body_um", 1),
        ("nucleus_bright", -1),
        ("body_bright", -1),
        ("nucleus_rough", 1),
        ("foci", 1),
    ):
        step = np.log(getattr(old, name)).mean() - np.log(getattr(young, name)).mean()
        assert sign * step > 0.1
    assert (old.nucleus_um < np.median(young.nucleus_um)).mean() > 0.001


def test_windows_hold_the_whole_cell() -> None:
    """Nothing touches the rim of a window, whatever its age."""
    painter = CellPainter(REFERENCE, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    looks = draw_looks(np.full(64, 4.0, np.float32), np.ones(64, bool), "", rng)
    for windows in (painter.nuclei(looks, rng), painter.bodies(looks, rng)):
        assert windows.shape[0] == 64
        assert windows.min() >= 0
        assert windows[:, 0].max() == 0
        assert windows[:, :, -1].max() == 0


def test_scatter_keeps_cells_apart_and_inside() -> None:
    """Nearest neighbours of 200 cells lie further apart than chance puts them."""
    points = scatter(200, 540, 24.0, np.random.default_rng(0)).astype(float)
    assert points.min() >= 0
    assert points.max() < 540
    gap = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(200)
    assert np.median(gap.min(axis=1)) > 19.0  # chance: 0.47 * 38 = 18


def test_blur_keeps_light_and_width() -> None:
    """A point becomes a Gaussian of the asked width."""
    image = np.zeros((41, 41), np.float32)
    image[20, 20] = 1.0
    out = gaussian_blur(image, 2.0)
    axis = np.arange(41) - 20
    assert out.sum() == pytest.approx(1.0, abs=1e-5)
    assert (out.sum(0) * axis**2).sum() == pytest.approx(4.0, rel=0.12)


def test_box_blur_of_a_step_by_hand() -> None:
    """Mean of three, the rim repeated."""
    image = np.tile(np.array([0, 0, 3, 3], np.float32), (3, 1))
    assert box_blur(image, 1)[1].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_exposure_noise_is_shot_and_read_noise() -> None:
    """Variance = signal * counts_per_photon + read noise squared."""
    counts = np.full((400, 400), 1000.0, np.float32)
    pixels = expose(REFERENCE, counts, np.random.default_rng(0))
    assert pixels.dtype == np.uint16
    assert pixels.mean() == pytest.approx(999.5, abs=0.5)
    assert pixels.var() == pytest.approx(1000 * 1.5 + 8.0**2, rel=0.02)


def test_light_is_brightest_where_asked() -> None:
    """One at the brightest point, 1 - loss in the farthest corner."""
    light = light_field(101, 0.2, (-0.4, 0.2))
    assert light.max() == pytest.approx(1.0)
    assert light[30, 60] == pytest.approx(1.0)
    assert light.min() == pytest.approx(light[100, 0]) == pytest.approx(0.8)


def test_images_are_split_in_even_halves() -> None:
    """Biggest image first, always to the emptier half; no image in both."""
    table = pl.DataFrame(
        {
            "state": ["cycling"] * 9 + ["senescent"] * 5,
            "source_image": list("aaaabbbcc") + list("ddefg"),
        }
    )
    half = split_images(table)
    assert half == {"a": 0, "b": 1, "c": 1, "d": 0, "e": 1, "f": 1, "g": 0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"style": "sketch"}, "style must be one of"),
        ({"style": "nuclei"}, "bank goes with style=nuclei"),
        ({"control_columns": (1, 2, 3)}, "even number of columns"),
        ({"control_columns": (1, 25)}, "even number of columns"),
        ({"n_inert": 400}, "compounds must be 1 to 320"),
        ({"n_toxic": -1}, "must not be negative"),
        ({"healthy_rate": 0.9}, "healthy_rate < stressed_rate"),
        ({"n_plates": 0}, "n_plates must be at least 1"),
        ({"field_px": 10}, "field_px must be at least 64"),
    ],
)
def test_unusable_settings_are_refused(change: dict[str, object], message: str) -> None:
    """Each message names the setting."""
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(REFERENCE, **change)  # type: ignore[arg-type]


def test_wells_of_a_plan_cover_the_plate(design: Design) -> None:
    """One plan a well, row by row."""
    wells = [p.well for p in design.plans[0]]
    assert wells == sorted(set(wells))
    assert len(wells) == 384
    assert wells[-1] == Well(15, 23)
