"""Explaining: matched wells, honest intervals, exact pixels, and checks that can fail."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
import polars as pl
import pytest
from flax import nnx
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from kernels.centres import FinderSpec
from kernels.explanation import as_scored, make_answer, output_of
from kernels.intensity import IntensitySpec
from kernels.networks import build
from kernels.networks.heads import BINARY
from plates.campaign import Campaign
from plates.problems import InputError
from plates.store import open_plate, read_field
from plates.wells import Well
from screen.crop_channels import CHANNELS as CROP_CHANNELS
from screen.crop_channels import crop_channels
from screen.explain_settings import METHODS, ExplainVerb
from screen.explanation import sanity
from screen.explanation.campaign_cells import CampaignCells
from screen.explanation.contrast import contrast
from screen.explanation.crop_cells import CropCells, crop_set, crop_subjects
from screen.explanation.explained import explained
from screen.explanation.looking import Looking, method_of
from screen.explanation.measures import (
    measure_names,
    measured,
    part_masks,
    parts_of,
)
from screen.explanation.planted import plant, taught
from screen.explanation.subjects import subjects_of
from screen.explanation.views import Pool, drawn
from screen.feature_plane import PLANES
from screen.groups import AnchorsSettings
from screen.models import (
    ModelSpec,
    NetworkSpec,
    load_model,
    network_weights,
    save_model,
)
from screen.report.explained_cells import explained_cells
from screen.scoring import JaxScorer
from tests.catalogue import run_verb, told
from tests.tiny_screen import CHANNELS, make_screen

SIDE = 16
FINDER = FinderSpec("centres", 0, 2.0, 0.5, 64, SIDE)
LIGHT = asdict(IntensitySpec(("fluorescence",) * 2, (1000.0,) * 2))
PLATES = ("P01", "P02")
LOG_ODDS = output_of(BINARY)


def spec_of(**changed: Any) -> ModelSpec:
    networks = (
        NetworkSpec("half0", "half0.safetensors", "", (("P01", "A01"),), "well"),
        NetworkSpec("half1", "half1.safetensors", "", (("P01", "B01"),), "well"),
    )
    spec = ModelSpec(
        architecture="compact",
        crop_px=SIDE,
        window=True,
        channels=CHANNELS,
        pixel_size_um=1.0,
        finder=asdict(FINDER),
        intensity=LIGHT | {"illumination": "none"},
        anchors=asdict(AnchorsSettings()),
        threshold=0.5,
        split="halves",
        networks=networks,
        summary={},
    )
    return replace(spec, **changed)


def write_model(folder: Path, spec: ModelSpec) -> Path:
    """A model whose networks never learnt anything."""
    weights = {
        network.name: network_weights(
            build("compact", len(spec.channels), SIDE, key=jax.random.key(i))
        )
        for i, network in enumerate(spec.networks)
    }
    save_model(folder, spec, weights)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny campaign and a model for it."""
    root = tmp_path_factory.mktemp("explain")
    make_screen(root / "campaign", PLATES)
    write_model(root / "model", spec_of())
    return root


@pytest.fixture(scope="module", autouse=True)
def one_finder() -> Iterator[None]:
    """The finder compiled once for all tests: every verb would compile its own."""
    compiled: dict[Any, Any] = {}
    usual = CampaignCells._finder

    def shared(self: CampaignCells, pixels: NDArray[Any]) -> Any:
        key = (repr(self.spec.finder), pixels.shape, pixels.dtype.name)
        if key not in compiled:
            compiled[key] = usual(self, pixels)
        return compiled[key]

    with mock.patch.object(CampaignCells, "_finder", shared):
        yield


def explain(place: Path, out: Path, *more: str) -> Any:
    usual = [f"model={place}/model", f"campaign={place}/campaign", f"out={out}"]
    quick = ["sanity=[randomisation]", "steps=4", "wells=2", "cells_per_well=3"]
    quick += ["stages=[fourth]", "draws=100", "shown=1", "minibatch=8"]
    given = {word.partition("=")[0] for word in more}
    kept = [w for w in (*usual, *quick) if w.partition("=")[0] not in given]
    return run_verb("explain", *kept, *more)


# --- intervals ---------------------------------------------------------------


def contrasted(
    wells: Sequence[float], plates: str, controls: Sequence[float], at: str, **more: Any
) -> Any:
    own, others = (np.asarray(v, np.float64)[:, None] for v in (wells, controls))
    settings = {"draws": 400, "level": 0.95, "seed": 3} | more
    return contrast(own, plates.split(), others, at.split(), **settings)


def test_a_difference_is_taken_within_plates_and_weighed_by_the_wells() -> None:
    found = contrasted(
        [5.0, 7.0, 20.0], "a a b", [1.0, 3.0, 10.0, 12.0, 14.0], "a a b b b"
    )

    assert found.value[0] == pytest.approx(32 / 3)
    assert found.control[0] == pytest.approx((2 + 2 + 12) / 3)
    assert found.difference[0] == pytest.approx((3 + 5 + 8) / 3)


@pytest.mark.parametrize("n_wells", [1, 3, 8])
def test_intervals_hold_the_truth_as_often_as_they_say(n_wells: int) -> None:
    rng = np.random.default_rng(n_wells)
    plates = [str(i % 3) for i in range(n_wells)]
    at = [str(i % 3) for i in range(24)]
    held = []
    for trial in range(300):
        shift = dict(zip("012", rng.normal(0, 3, 3), strict=True))
        wells = rng.normal(1.0, 1.0, n_wells) + [shift[p] for p in plates]
        controls = rng.normal(0.0, 1.0, 24) + [shift[p] for p in at]
        found = contrasted(wells, " ".join(plates), controls, " ".join(at), seed=trial)
        low, high = found.difference_interval[0]
        held.append(low <= 1.0 <= high)

    assert 0.88 <= np.mean(held) <= 0.99


def test_where_no_two_wells_show_a_spread_there_is_no_interval() -> None:
    found = contrasted([1.0], "a", [2.0], "a")

    assert found.difference[0] == -1.0
    assert np.isnan(found.difference_interval).all()


# --- measures ----------------------------------------------------------------


def disc_crops() -> NDArray[np.float32]:
    """Two crops: a nucleus of radius 3 in the middle, and another at the rim."""
    at = np.arange(SIDE) - (SIDE - 1) / 2
    far = np.hypot(at[:, None], at[None, :])
    aside = np.hypot(at[:, None] - 6.5, at[None, :] - 6.5)
    nuclei = ((far < 3) + (aside < 1.5)).astype(np.float32)
    return np.stack([np.stack([nuclei, far < 7], -1)] * 2).astype(np.float32)


@pytest.mark.parametrize("channels", [("nucleus", "body"), ("phase", "actin")])
def test_every_pixel_lies_in_one_part(channels: tuple[str, str]) -> None:
    parts = parts_of(channels, is_cell_crop=True)
    masks = part_masks(disc_crops(), parts)

    np.testing.assert_array_equal(masks.sum(1), np.ones((2, SIDE, SIDE)))


def test_the_nucleus_is_the_one_in_the_middle() -> None:
    parts = parts_of(("nucleus", "body"), is_cell_crop=True)
    masks = part_masks(disc_crops(), parts)
    at = np.arange(SIDE) - (SIDE - 1) / 2

    assert parts.names == ("nucleus", "body", "periphery")
    np.testing.assert_array_equal(masks[0, 0], np.hypot(at[:, None], at[None, :]) < 3)


def test_without_a_nuclear_channel_rings_are_called_rings() -> None:
    assert parts_of(("phase",), is_cell_crop=True).names[0] == "centre"
    assert "not outlines" in parts_of(("phase",), is_cell_crop=True).words


def test_shares_and_sums_of_a_map_made_by_hand() -> None:
    parts = parts_of(("phase", "actin"), is_cell_crop=True)
    maps = np.zeros((1, SIDE, SIDE, 2), np.float32)
    maps[0, 8, 8, 0], maps[0, 0, 0, 1], maps[0, 8, 12, 1] = 3.0, -1.0, 4.0
    names = measure_names(("phase", "actin"), parts, 2)
    numbers = measured(maps, part_masks(np.ones_like(maps), parts))[0]

    assert dict(zip(names, numbers, strict=True)) == pytest.approx(
        {
            "channel_share:phase": 3 / 8,
            "channel_share:actin": 5 / 8,
            "part_share:centre": 3 / 8,
            "part_share:body": 4 / 8,
            "part_share:periphery": 1 / 8,
            "channel_net:phase": 3.0,
            "channel_net:actin": 3.0,
            "part_net:centre": 3.0,
            "part_net:body": 4.0,
            "part_net:periphery": -1.0,
        }
    )


def test_a_method_without_channels_has_no_channel_share() -> None:
    parts = parts_of(CHANNELS, is_cell_crop=True)
    names = measure_names(CHANNELS, parts, 1)
    maps = np.ones((1, SIDE, SIDE, 1), np.float32)

    assert not [n for n in names if n.startswith("channel")]
    assert measured(maps, part_masks(disc_crops()[:1], parts)).shape == (1, len(names))


# --- which wells, which networks, which pixels -------------------------------


def subjects(place: Path, **settings: Any) -> Any:
    campaign = Campaign.open(place / "campaign")
    plates = [open_plate(e.path) for e in campaign.plates]
    imaged = {(p.plate, str(w)) for p in plates for w in p.wells}
    verb = ExplainVerb(model="m", campaign="c", **settings)
    return subjects_of(verb, campaign, spec_of().anchors, imaged)[0]


def test_a_compound_is_matched_with_stressed_vehicle_of_its_own_plates(
    place: Path,
) -> None:
    controls, compound = subjects(place, compounds=["C3"], wells=3)

    assert controls.name == "stressed controls"
    assert compound.name == "C3"
    assert {w[1][1:] for w in compound.wells} == {"04"}
    assert {w[1][1:] for w in compound.controls} == {"02"}
    assert len(compound.wells) == 3
    assert len(compound.controls) == 3 * len({p for p, _ in compound.wells})
    assert {p for p, _ in compound.controls} == {p for p, _ in compound.wells}


def test_top_hits_and_their_best_dose_come_from_the_run(
    place: Path, tmp_path: Path
) -> None:
    run = tmp_path / "r"
    run.mkdir()
    pl.DataFrame(
        {
            "compound": ["C4", "C2", "C5"],
            "is_hit": [True, False, True],
            "best_concentration_um": [10.0, 10.0, 3.0],
        }
    ).write_parquet(run / "compounds.parquet")

    found = subjects(place, run="r", runs=str(tmp_path), top=1)

    assert [s.name for s in found] == ["stressed controls", "C4, 10 µM"]


def test_a_well_is_explained_only_by_networks_that_did_not_learn_from_it(
    place: Path,
) -> None:
    plates = {e.plate: open_plate(e.path) for e in campaign_of(place).plates}
    source = CampaignCells(spec_of(), plates, {}, {})

    assert source.networks(("P01", "A01")) == ("half1",)
    assert source.networks(("P01", "B01")) == ("half0",)
    assert source.networks(("P01", "A02")) == ("half0", "half1")


def campaign_of(place: Path) -> Campaign:
    return Campaign.open(place / "campaign")


def test_a_well_that_every_network_learnt_from_is_never_read() -> None:
    class Source:
        def networks(self, place: tuple[str, str]) -> tuple[str, ...]:
            return ()

        def cells(self, place: tuple[str, str]) -> NDArray[np.float32]:
            raise AssertionError("read")

    parts = parts_of(CHANNELS, is_cell_crop=True)
    look: Any = None
    given = (look, CHANNELS, parts, ExplainVerb(), Pool(1), lambda n: None)

    assert explained([("P01", "A01")], Source(), *given) == {}


@pytest.mark.slow
def test_cells_are_seen_as_scoring_sees_them(place: Path) -> None:
    model = load_model(place / "model")
    campaign = campaign_of(place)
    plates = {e.plate: open_plate(e.path) for e in campaign.plates}
    nothing: dict[str, Any] = dict.fromkeys(plates)
    cells = CampaignCells(model.spec, plates, nothing, nothing).cells(("P02", "C05"))
    scorer, well = JaxScorer(model, 64), Well.parse("C05")
    scored = [
        scorer(read_field(plates["P02"], well, i), ("half0",)).probability[:, 0]
        for i in (0, 1)
    ]
    graphdef, params = scorer._networks["half0"]

    found = make_answer(as_scored(graphdef))(params, jax.device_put(cells), LOG_ODDS)

    expected = np.concatenate(scored)
    np.testing.assert_allclose(
        1 / (1 + np.exp(-np.asarray(found))), expected, atol=1e-5
    )


def test_which_cells_are_drawn_depends_on_seed_and_well_alone() -> None:
    cells = np.arange(40, dtype=np.float32).reshape(40, 1, 1, 1)
    one, again, other, seed = (
        drawn(cells, 8, s, ("P", w)).ravel().tolist()
        for s, w in ((1, "A01"), (1, "A01"), (1, "A02"), (2, "A01"))
    )

    assert one == again
    assert len(set(one)) == 8
    assert one != other
    assert one != seed


CROP_SPEC = spec_of(
    finder={"kind": "crops", "input": "masked", "bin": 2},
    channels=CROP_CHANNELS,
    window=False,
    anchors={"senescent": "old", "label": "state"},
    networks=(NetworkSpec("all", "a.safetensors", "", (("list", "img1"),), "well"),),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve grey cells on black of three images, old ones larger."""
    root, lines = tmp_path_factory.mktemp("crops"), ["file,state,source_image"]
    y, x = np.mgrid[:40, :40] - 19.5
    for i in range(12):
        picture = np.where(np.hypot(y, x) < 8 + 3 * (i % 2), 90 + i, 0)
        Image.fromarray(picture.astype(np.uint8)).save(root / f"{i}.png")
        lines.append(f"{i}.png,{'old' if i % 2 else 'young'},img{i % 3}")
    (root / "list.csv").write_text("\n".join(lines) + "\n")
    return root


def test_crops_of_a_label_and_group_are_seen_as_in_training(folder: Path) -> None:
    verb = ExplainVerb(model="m", crops=str(folder))
    crops, labels = crop_set(verb, CROP_SPEC)
    source = CropCells(CROP_SPEC, crops, labels)
    rows = [i for i in range(12) if i % 2 == 1 and i % 3 == 2]
    (subject,) = crop_subjects(verb, CROP_SPEC, crops, labels)

    found = source.cells(("old", "img2"))

    expected = crop_channels(crops.images()[rows], SIDE, 2)
    np.testing.assert_array_equal(found, expected)
    assert {label for label, _ in subject.wells} == {"old"}
    assert {label for label, _ in subject.controls} == {"young"}
    assert source.networks(("old", "img2")) == ("all",)
    assert source.taught == []
    assert source.networks(("old", "img1")) == ("all",)
    assert source.taught == ["img1"]


def test_a_label_that_no_crop_has_is_refused(folder: Path) -> None:
    verb = ExplainVerb(model="m", crops=str(folder), compounds=["yung"])
    crops, labels = crop_set(verb, CROP_SPEC)

    with pytest.raises(InputError, match="did you mean young"):
        crop_subjects(verb, CROP_SPEC, crops, labels)


def test_crops_of_another_kind_are_refused(folder: Path) -> None:
    finder = {"kind": "crops", "input": "plain", "bin": 1}
    spec = replace(CROP_SPEC, finder=finder, channels=("red", "green", "blue"))

    with pytest.raises(InputError, match="CROPS_PIXELS"):
        crop_set(ExplainVerb(model="m", crops=str(folder)), spec)


# --- the verb ----------------------------------------------------------------


@pytest.mark.slow
def test_the_verb_writes_table_and_page_the_same_bytes_each_time(
    place: Path, tmp_path: Path
) -> None:
    words = ("compounds=[C3]", "sanity=[]")
    ends = [explain(place, tmp_path / name, *words) for name in ("a", "b")]
    files = [f"explanation{end}" for end in (".parquet", ".csv", ".html")]
    files.append("explanation_cells.parquet")
    cells = explained_cells(str(tmp_path / "a"))
    table = pl.read_parquet(tmp_path / "a" / "explanation.parquet")
    shares = table.filter(kind="part_share").group_by("compound").agg(pl.sum("value"))
    page = (tmp_path / "a" / "explanation.html").read_text()

    told(ends[0], 0)
    assert [(tmp_path / "a" / f).read_bytes() for f in files] == [
        (tmp_path / "b" / f).read_bytes() for f in files
    ]
    assert set(table["compound"]) == {"stressed controls", "C3"}
    assert shares["value"].to_list() == pytest.approx([1.0, 1.0])
    np.testing.assert_allclose(
        table["value"] - table["control"], table["difference"], atol=1e-9
    )
    assert (tmp_path / "a" / "manifest.json").is_file()
    assert cells is not None
    assert set(cells["of"]) == {"compound", "control"}
    sizes = {Image.open(io.BytesIO(p)).size for k in ("crop", "map") for p in cells[k]}
    assert len(sizes) == 1  # a cell's map lies on its crop
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("word", "code", "more"),
    [
        ("compounds=[C33]", "EXPLAIN_COMPOUND_UNKNOWN", "did you mean C3?"),
        ("compounds=[zebra]", "EXPLAIN_COMPOUND_UNKNOWN", "name one of 4: C2"),
        ("stages=[dense]", "EXPLAIN_STAGE_UNKNOWN", "stem"),
        ("output=senesent", "EXPLAIN_OUTPUT_UNKNOWN", "did you mean senescent?"),
        ("output=7", "EXPLAIN_OUTPUT_UNKNOWN", "classes are 0 to 1"),
        ("run=never", "INPUT_MISSING", "no such run"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest_name(
    word: str, code: str, more: str, place: Path, tmp_path: Path
) -> None:
    told(explain(place, tmp_path, word, f"runs={tmp_path}"), 3, code, more)


def test_a_compound_at_a_dose_that_no_well_has_is_refused(
    place: Path, tmp_path: Path
) -> None:
    ended = explain(place, tmp_path, "compounds=[C3]", "dose_um=7")
    told(ended, 3, "EXPLAIN_WELLS_MISSING", "C3 at 7 uM")


def test_weights_of_another_architecture_are_refused(
    place: Path, tmp_path: Path
) -> None:
    write_model(tmp_path / "model", spec_of(architecture="compact_large"))
    ended = explain(place, tmp_path / "out", f"model={tmp_path}/model")
    told(ended, 3, "MODEL_INVALID", "do not fit the architecture")


def test_a_model_of_crops_does_not_look_at_wells(place: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "model", spec_of(finder={"kind": "crops", "bin": 1}))
    ended = explain(place, tmp_path / "out", f"model={tmp_path}/model")
    told(ended, 3, "EXPLAIN_SOURCE", "crops=FOLDER")


def test_wells_without_cells_are_refused(place: Path, tmp_path: Path) -> None:
    none = np.zeros((0, SIDE, SIDE, 2), np.float32)
    with mock.patch.object(CampaignCells, "cells", return_value=none):
        told(explain(place, tmp_path), 3, "EXPLAIN_NO_CELLS", "stressed controls")


def test_one_source_is_needed(place: Path) -> None:
    told(
        run_verb("explain", f"model={place}/model"), 2, "CFG_INVALID", "one of the two"
    )


# --- checks of maps ----------------------------------------------------------


def cells(n: int, seed: int) -> NDArray[np.float32]:
    """Round cells of several sizes in noise, two channels."""
    rng = np.random.default_rng(seed)
    at = np.arange(SIDE) - (SIDE - 1) / 2
    far = np.hypot(at[:, None], at[None, :])[None] - rng.uniform(3, 6, (n, 1, 1))
    body = 0.8 / (1 + np.exp(far))
    crops = np.stack([1.0 / (1 + np.exp(2 * (far + 1.5))), body], -1)
    noisy: NDArray[np.float32] = (crops + rng.normal(0, 0.1, crops.shape)).astype("f4")
    return noisy


@pytest.fixture(scope="module")
def learnt() -> nnx.Module:
    """A network that learnt to look for a bright square."""
    module, accuracy = taught(spec_of(), cells(600, 1), 1)
    assert accuracy > 0.95
    return module


def looking_of(module: nnx.Module, method: str) -> Looking:
    graphdef, params = nnx.split(module)
    look = as_scored(graphdef)
    explain = method_of(ExplainVerb(method=method, steps=64, patch_px=2), look)
    answer = make_answer(look)
    return Looking(explain, answer, {}, LOG_ODDS, "", {"all": params}, look)


@pytest.fixture(scope="module")
def marked() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    return plant(cells(48, 2), np.ones(48, np.int64), 5)


def test_the_usual_method_finds_a_planted_cue(
    learnt: nnx.Module, marked: tuple[NDArray[np.float32], NDArray[np.bool_]]
) -> None:
    look = looking_of(learnt, METHODS[0])
    maps = look.maps(look.params["all"], marked[0], 48)

    assert sanity.cue_shares(maps, marked[1])[0].mean() >= sanity.LEAST_CUE_SHARE


def test_the_usual_method_depends_on_what_was_learnt(
    learnt: nnx.Module, marked: tuple[NDArray[np.float32], NDArray[np.bool_]]
) -> None:
    look = looking_of(learnt, METHODS[0])
    found = sanity.randomisation(look, look.params["all"], marked[0], seed=1, size=48)

    assert found.value <= sanity.MOST_CORRELATION
    assert found.passed


def test_a_method_that_shows_the_picture_fails_the_randomisation(
    learnt: nnx.Module, marked: tuple[NDArray[np.float32], NDArray[np.bool_]]
) -> None:
    look = replace(
        looking_of(learnt, METHODS[0]), explain=lambda params, crops, output: crops
    )
    found = sanity.randomisation(look, look.params["all"], marked[0], seed=1, size=48)

    assert found.value == pytest.approx(1.0)
    assert not found.passed


def test_deletion_by_the_map_beats_random_and_random_does_not(
    learnt: nnx.Module, marked: tuple[NDArray[np.float32], NDArray[np.bool_]]
) -> None:
    look = looking_of(learnt, METHODS[0])
    noise = np.random.default_rng(0).random((48, SIDE, SIDE, 1), dtype=np.float32)
    blind = replace(look, explain=lambda params, crops, output: jax.device_put(noise))
    given = {"seed": 1, "size": 48, "steps": 16, "fill": 0.0}
    own, random = (
        sanity.deletion(one, look.params["all"], marked[0], **given)  # type: ignore[arg-type]
        for one in (look, blind)
    )

    assert own.passed
    assert own.value > 5 * abs(random.value)
    assert not random.passed


@pytest.mark.parametrize(
    ("method", "n_map"),
    [
        ("integrated_gradients", 2),
        ("grad_cam", 1),
        ("guided_grad_cam", 2),
        ("occlusion", 2),
    ],
)
def test_methods_tell_channels_apart_or_not(
    method: str, n_map: int, learnt: nnx.Module
) -> None:
    look = looking_of(learnt, method)
    maps = look.maps(look.params["all"], cells(3, 7), 2)

    assert maps.shape == (3, SIDE, SIDE, n_map)
    assert np.abs(maps).max() > 0


def test_completeness_is_measured(
    learnt: nnx.Module, marked: tuple[NDArray[np.float32], NDArray[np.bool_]]
) -> None:
    look = looking_of(learnt, METHODS[0])
    params = look.params["all"]
    good = sanity.completeness(look, params, marked[0], size=48, fill=0.0)
    wrong = sanity.completeness(look, params, marked[0], size=48, fill=1.0)

    assert good.passed
    assert not wrong.passed


def test_rank_correlation_is_spearmans_with_ties_and_constants() -> None:
    rng = np.random.default_rng(4)
    one, other = rng.integers(0, 4, (2, 5, 6, 6)).astype(np.float32)
    expected = [
        stats.spearmanr(a.ravel(), b.ravel()).statistic
        for a, b in zip(one, other, strict=True)
    ]

    np.testing.assert_allclose(sanity.rank_correlation(one, other), expected, atol=1e-9)
    assert sanity.rank_correlation(one[:1], np.zeros((1, 6, 6), "f4"))[0] == 0.0


def test_a_cue_is_where_it_was_planted() -> None:
    crops = np.full((6, SIDE, SIDE, 2), 0.5, np.float32)
    labels = np.asarray([0, 1, 0, 1, 1, 0])
    marked, cue = plant(crops, labels, 3)

    np.testing.assert_array_equal((marked != crops).all(3), cue)
    np.testing.assert_array_equal(cue.sum((1, 2)), 4 * labels)


def test_unknown_subjects_are_all_listed(place: Path) -> None:
    with pytest.raises(InputError) as caught:
        subjects(place, compounds=["X1", "C2", "X2"])

    assert [p.code for p in caught.value.problems] == ["EXPLAIN_COMPOUND_UNKNOWN"] * 2


def test_measured_numbers_lie_in_no_part_and_hold_no_cue() -> None:
    channels = ("grey", *PLANES)
    parts = parts_of(channels, is_cell_crop=False)
    maps = np.zeros((1, SIDE, SIDE, 3), np.float32)
    maps[0, 8, 8, 0], maps[0, 0, 0, 1], maps[0, 0, 0, 2] = 1.0, 2.0, 1.0
    masks = part_masks(np.ones_like(maps), parts)
    names = measure_names(channels, parts, 3)
    found = dict(zip(names, measured(maps, masks, 1)[0], strict=True))
    marked, _ = plant(np.ones_like(maps), np.ones(1, np.int64), 1, 1)

    assert [found[f"channel_share:{plane}"] for plane in PLANES] == [0.5, 0.25]
    assert found["part_share:centre"] == pytest.approx(1.0)
    np.testing.assert_array_equal(marked[..., 1], 1.0)
    assert marked[..., 0].max() > 1.0
