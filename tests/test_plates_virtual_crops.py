"""Virtual crop sets: what they hold, what is hidden in them, and the best one can do."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import integrate, stats

from plates.crop_sets import CropSet
from plates.synthetic.crop_sets import (
    FILES,
    AgeSettings,
    ColourSettings,
    DonorSettings,
    simulate_ages,
    simulate_colours,
    simulate_donors,
)
from plates.synthetic.crop_sets.ages import usual_floor, whole_floor
from plates.synthetic.crop_sets.ceilings import (
    AgeReader,
    classes_accuracy,
    distance,
    two_normals,
)
from tests.catalogue import run_verb, told

DONORS = DonorSettings(n_donors=4, n_cells=6, crop_px=32)
AGES = AgeSettings(n_people=20, n_accelerated=10, picture_px=32)
COLOURS = ColourSettings(n_samples=3, n_cells=8, crop_px=24)
SETS = [
    pytest.param(simulate_donors, DONORS, "state", "donor", id="donors"),
    pytest.param(simulate_ages, AGES, "age", "person", id="ages"),
    pytest.param(simulate_colours, COLOURS, "state", "sample", id="colours"),
]


@pytest.mark.parametrize(("simulate", "settings", "label", "group"), SETS)
def test_a_set_is_a_crop_set_as_any_other(
    simulate: Any, settings: Any, label: str, group: str, tmp_path: Path
) -> None:
    made = simulate(settings, tmp_path, seed=1)
    crops = CropSet.read(tmp_path, label=label, group=group)

    assert len(crops) == made.n_pictures == len(crops.images())
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(FILES)
    assert crops.images().dtype == np.uint8


@pytest.mark.parametrize(("simulate", "settings", "label", "group"), SETS)
def test_the_same_seed_makes_the_same_bytes_and_another_others(
    simulate: Any, settings: Any, label: str, group: str, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, seed in zip(folders, (5, 5, 6), strict=True):
        simulate(settings, folder, seed=seed)
    first, again, other = (
        [(folder / name).read_bytes() for name in FILES] for folder in folders
    )

    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(("simulate", "settings", "label", "group"), SETS)
def test_the_answers_lie_beside_the_table_and_not_in_it(
    simulate: Any, settings: Any, label: str, group: str, tmp_path: Path
) -> None:
    simulate(settings, tmp_path, seed=1)
    table = pl.read_csv(tmp_path / "crops.csv")
    truth = pl.read_parquet(tmp_path / "truth.parquet")

    assert set(table.columns) & set(truth.columns) == {"file"}
    assert table["file"].to_list() == truth["file"].to_list()
    assert set(table.columns) <= {
        "file", "state", "donor", "age", "person", "cohort", "sample", "y_um", "x_um",
    }  # fmt: skip


def test_a_donor_has_one_kind_and_a_number_that_does_not_tell_it(
    tmp_path: Path,
) -> None:
    simulate_donors(replace(DONORS, n_donors=20, n_cells=1), tmp_path, seed=3)
    rows = pl.read_csv(tmp_path / "crops.csv").unique(["donor", "state"]).sort("donor")
    patients = (rows["state"] == "patient").to_numpy()

    assert rows.height == 40
    assert patients.sum() == 20
    assert 0 < patients[:20].sum() < 20


def test_traits_of_donors_have_the_spread_and_distance_that_truth_says(
    tmp_path: Path,
) -> None:
    settings = replace(DONORS, n_donors=80, n_cells=2, crop_px=16, donor_effect=3.0)
    simulate_donors(settings, tmp_path, seed=1)
    frame = pl.read_parquet(tmp_path / "truth.parquet").with_columns(
        pl.read_csv(tmp_path / "crops.csv")["state"]
    )
    own = frame["donor_background"].to_numpy()[::2]
    is_patient = (frame["state"] == "patient").to_numpy()
    size = frame["nucleus_size"].to_numpy()

    assert abs(own.std() - 3.0) < 4 * 3.0 / (2 * 160) ** 0.5
    gap = size[is_patient].mean() - size[~is_patient].mean()
    assert abs(gap - settings.class_effect) < 4 * (2 / 160 + 2 * 0.09 / 80) ** 0.5


def test_a_painted_trait_is_seen_in_the_picture(tmp_path: Path) -> None:
    simulate_donors(replace(DONORS, n_donors=6, n_cells=10), tmp_path, seed=2)
    crops = CropSet.read(tmp_path, label="state", group="donor").images()
    truth = pl.read_parquet(tmp_path / "truth.parquet")
    rim = np.concatenate([crops[:, :2].reshape(len(crops), -1)], 1).mean(1)
    middle = crops[:, 14:18, 14:18].mean((1, 2)) - rim
    bright = truth["nucleus_stain"].to_numpy() + 0.5 * truth["body_stain"].to_numpy()

    assert stats.spearmanr(rim, truth["background"].to_numpy()).statistic > 0.9
    assert stats.spearmanr(middle, bright).statistic > 0.8


def test_two_classes_reach_what_integrals_of_scipy_say() -> None:
    accuracy, area = two_normals(1.7)
    norm = stats.norm

    right, _ = integrate.quad(lambda x: norm.pdf(x, 1.7), 0.85, 12)
    above, _ = integrate.quad(lambda x: norm.pdf(x) * norm.sf(x - 1.7), -9, 9)
    assert accuracy == pytest.approx(right, abs=1e-8)
    assert area == pytest.approx(above, abs=1e-8)


def test_distance_is_that_of_mahalanobis() -> None:
    effect, variance = np.array([3.0, 4.0]), np.array([1.0, 4.0])

    assert distance(effect, variance) == pytest.approx(13**0.5)  # 9 + 16 / 4


def test_donors_that_differ_in_the_traits_of_the_kinds_lower_the_ceiling(
    tmp_path: Path,
) -> None:
    told = [
        simulate_donors(replace(DONORS, donor_overlap=s), tmp_path / str(s), seed=1)
        for s in (0.0, 1.0)
    ]
    ceilings = [one.facts["ceiling"]["accuracy"] for one in told]
    effect = DONORS.class_effect

    # Two traits: d = effect sqrt 2, and effect once the variance of each is 2.
    assert ceilings[0] == pytest.approx(NormalDist().cdf(effect / 2**0.5), abs=1e-6)
    assert ceilings[1] == pytest.approx(NormalDist().cdf(effect / 2), abs=1e-6)


def test_donors_in_other_traits_leave_the_ceiling_alone(tmp_path: Path) -> None:
    told = [
        simulate_donors(replace(DONORS, donor_effect=s), tmp_path / str(s), seed=1)
        for s in (0.0, 5.0)
    ]

    assert len({one.facts["ceiling"]["accuracy"] for one in told}) == 1


def test_the_bayes_rule_reaches_the_ceiling_on_a_large_set() -> None:
    rng = np.random.default_rng(0)
    settings, n = DonorSettings(), 40_000
    kind = np.arange(n) % 2
    spread = (1 + settings.donor_overlap**2) ** 0.5
    traits = settings.class_effect * (kind[:, None] - 0.5)
    traits = traits + spread * rng.standard_normal((n, 2))
    right = np.mean((traits.sum(1) > 0) == (kind == 1))
    far = settings.class_effect * 2**0.5 / spread

    assert abs(right - two_normals(far)[0]) < 4 * (0.15 / n) ** 0.5


def test_two_of_three_classes_far_away_leave_the_accuracy_of_a_pair() -> None:
    means = np.array([[0.0, 0.0], [0.0, 2.0], [60.0, 0.0]])
    accuracy, recall = classes_accuracy(means, 1.0)
    pair = stats.norm.cdf(1.0)

    assert accuracy == pytest.approx((2 * pair + 1) / 3, abs=2e-3)
    assert recall == pytest.approx([pair, pair, 1.0], abs=4e-3)


def test_the_accuracy_of_classes_is_that_of_a_large_draw() -> None:
    rng = np.random.default_rng(1)
    means, n = np.array([[0, 0], [1.5, 0], [0, 1.5]]), 60_000
    kind = np.arange(n) % 3
    drawn = means[kind] + 0.6 * rng.standard_normal((n, 2))
    nearest = ((drawn[:, None] - means) ** 2).sum(-1).argmin(1)
    accuracy, _ = classes_accuracy(means, 0.6)

    assert abs(np.mean(nearest == kind) - accuracy) < 4 * (0.1 / n) ** 0.5


@pytest.mark.parametrize("shown", [-10.0, 21.0, 55.0, 89.0, 130.0])
def test_a_reader_of_age_tells_mean_and_median_of_a_cut_normal(shown: float) -> None:
    reader = AgeReader(20, 90, 7)
    ends = (20 - shown) / 7, (90 - shown) / 7
    cut = stats.truncnorm(*ends, loc=shown, scale=7)
    at = np.array([shown])

    assert reader.mean(at)[0] == pytest.approx(cut.mean(), abs=1e-4)
    assert reader.median(at)[0] == pytest.approx(cut.median(), abs=1e-4)


def test_the_floor_of_age_is_that_of_a_large_draw() -> None:
    settings, n = AgeSettings(), 100_000
    rng = np.random.default_rng(2)
    age = rng.uniform(20, 90, n)
    noise = settings.age_noise * rng.standard_normal(n)
    reader, floor = AgeReader(20, 90, settings.age_noise), usual_floor(settings)
    best, mean = reader.median(age + noise), reader.mean(age + noise)
    slope = np.polyfit(age, mean - age, 1)[0]
    later = reader.mean(age + settings.gap + noise) - mean

    assert abs(np.abs(best - age).mean() - floor["mae"]) < 0.05
    assert floor["mae"] < floor["mae_of_mean"]
    assert slope == pytest.approx(floor["bias_slope"], abs=0.005)
    assert later.mean() == pytest.approx(floor["gap_level_corrected"], abs=0.05)


def test_a_reader_not_told_the_cohort_does_worse_and_sees_less_gap() -> None:
    settings = AgeSettings()
    usual, whole = usual_floor(settings), whole_floor(settings)
    alone = whole_floor(replace(settings, n_accelerated=0))

    assert whole["mae"] > usual["mae_of_mean"]
    assert whole["gap"] < settings.gap
    assert alone["mae"] == pytest.approx(usual["mae_of_mean"], abs=1e-6)


def test_the_gap_of_the_accelerated_is_in_what_their_pictures_show(
    tmp_path: Path,
) -> None:
    settings = replace(AGES, n_people=300, n_accelerated=300, picture_px=24, gap=9.0)
    simulate_ages(replace(settings, n_pictures=1), tmp_path, seed=1)
    table = pl.read_csv(tmp_path / "crops.csv")
    truth = pl.read_parquet(tmp_path / "truth.parquet")
    shown = truth.select("heart", "ribs", "grain").to_numpy().mean(1)
    error = shown - table["age"].to_numpy()
    fast = (table["cohort"] == "accelerated").to_numpy()

    assert abs(error[fast].mean() - error[~fast].mean() - 9) < 4 * 7 * (2 / 300) ** 0.5
    assert abs(error[~fast].std() - 7) < 4 * 7 / 600**0.5


def test_pictures_of_a_person_share_the_age_and_are_not_the_same(
    tmp_path: Path,
) -> None:
    simulate_ages(AGES, tmp_path, seed=1)
    table = pl.read_csv(tmp_path / "crops.csv")
    images = CropSet.read(tmp_path, label="age", group="person").images()

    assert table.group_by("person").agg(pl.col("age").n_unique())["age"].max() == 1
    assert (images[::2] != images[1::2]).any((1, 2)).all()


def test_secondary_cells_lie_near_primary_ones_and_the_rest_do_not(
    tmp_path: Path,
) -> None:
    settings = replace(COLOURS, n_samples=6, n_cells=40, crop_px=16, reach_um=30.0)
    simulate_colours(settings, tmp_path, seed=1)
    table = pl.read_csv(tmp_path / "crops.csv")
    near = {kind: _to_primary(table, kind) for kind in ("secondary", "none")}

    assert np.mean(near["secondary"]) < 40
    assert np.mean(near["none"]) > 2 * np.mean(near["secondary"])
    assert table.select("y_um", "x_um").to_numpy().min() >= 0
    assert table.select("y_um", "x_um").to_numpy().max() <= settings.sheet_um


def _to_primary(table: pl.DataFrame, kind: str) -> np.ndarray:
    """Distance of each cell of a kind to the nearest primary cell of its sheet, um."""
    found = []
    for sheet in table.partition_by("sample"):
        at, to = (
            sheet.filter(pl.col("state") == k).select("y_um", "x_um").to_numpy()
            for k in (kind, "primary")
        )
        found.append(np.hypot(*(at[:, None] - to[None]).transpose(2, 0, 1)).min(1))
    return np.concatenate(found)


def test_either_colour_bleeds_into_the_other_and_blue_stays_empty(
    tmp_path: Path,
) -> None:
    red = []
    for bleed in (0.0, 0.6):
        folder = tmp_path / str(bleed)
        simulate_colours(replace(COLOURS, bleed=bleed, n_cells=20), folder, seed=1)
        crops = CropSet.read(folder, label="state", group="sample")
        secondary = np.asarray(crops.labels) == "secondary"
        red.append(crops.images()[secondary, 8:16, 8:16, 0].mean())
        assert not crops.images()[..., 2].any()

    assert red[1] > 1.5 * red[0]


def test_names_and_rows_of_a_sheet_do_not_tell_the_kind(tmp_path: Path) -> None:
    simulate_colours(replace(COLOURS, n_cells=30), tmp_path, seed=1)
    table = pl.read_csv(tmp_path / "crops.csv")
    order = table["file"].str.extract(r"c(\d+)").cast(pl.Int64)
    by_kind = table.with_columns(order=order).group_by("state").agg(pl.mean("order"))
    spread = 90 / 12**0.5 / 90**0.5

    assert np.abs(by_kind["order"].to_numpy() - 45.5).max() < 4 * spread


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DonorSettings(n_donors=1), "n_donors must be at least 2: 1"),
        (lambda: DonorSettings(crop_px=4), "crop_px must be 16 to 512: 4"),
        (lambda: AgeSettings(youngest=90), "youngest < oldest"),
        (lambda: AgeSettings(age_noise=0), "age_noise must be above 0"),
        (lambda: ColourSettings(bleed=1.0), "bleed must be 0 to 1"),
        (lambda: ColourSettings(spread=-1), "spread must be above 0: -1"),
    ],
)
def test_settings_that_make_no_set_are_refused(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_the_verb_writes_a_set_and_says_the_best_there_is(tmp_path: Path) -> None:
    words = ("kind=donors", f"out={tmp_path}", "virtual.donors.n_donors=2")
    ended = run_verb("simulate", *words, "virtual.donors.n_cells=2")
    truth = json.loads((tmp_path / "truth.json").read_text())

    assert ended.code == 0, ended.text
    assert f"accuracy {truth['ceiling']['accuracy']}" in ended.text
    assert truth["settings"]["n_donors"] == 2


def test_a_crop_set_is_never_painted_over(tmp_path: Path) -> None:
    words = ("kind=colours", f"out={tmp_path}", "virtual.colours.n_samples=2")
    first = run_verb("simulate", *words, "virtual.colours.n_cells=1")
    before = (tmp_path / "crops.zip").read_bytes()
    again = run_verb("simulate", *words, "seed=2")

    assert first.code == 0
    told(again, 3, "OUTPUT_EXISTS", str(tmp_path))
    assert (tmp_path / "crops.zip").read_bytes() == before


def test_a_wrong_size_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "set"
    ended = run_verb("simulate", "kind=ages", f"out={out}", "virtual.ages.n_people=1")

    told(ended, 2, "CFG_INVALID", "n_people must be at least 2: 1")
    assert not out.exists()
