"""Catalogue A19-A30: fields and plates whose light, focus or optics cannot be believed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from kernels.image_quality import local_variance, power_slope
from kernels.intensity import (
    IntensitySpec,
    box_mean,
    mean_and_sd,
    normalise,
    saturated_share,
    to_float,
)
from plates.campaign import Campaign
from plates.store import open_plate
from screen.errors import Outcome
from screen.field_scores import FieldScores
from screen.models import save_model
from screen.score import score_campaign
from screen.settings import ScoreVerb
from tests.catalogue import Lab, make_lab, run_verb, told
from tests.tiny_screen import NumpyScorer, make_model

SIDE = 64
SLOPE, LOCAL = jax.jit(power_slope), jax.jit(local_variance)


class QualityScorer(NumpyScorer):
    """Scores like numpy's scorer and measures each field as the kernels do."""

    def __call__(
        self, pixels: NDArray[Any], networks: Sequence[str], **given: Any
    ) -> FieldScores:
        """Score one field [c y x]."""
        counts = jnp.asarray(pixels, jnp.float32)
        measures = {
            "background": np.percentile(pixels, 10, axis=(1, 2)),
            "mean": pixels.mean((1, 2)),
            "sd": pixels.std((1, 2)),
            "focus": np.ones(len(pixels)),
            "saturated": (pixels == 65535).mean((1, 2)),
            "slope": SLOPE(counts),
            "local_variance": LOCAL(counts),
            "debris": np.zeros(len(pixels)),
            "span": np.ptp(pixels, axis=(1, 2)),
        }
        lists = {k: np.asarray(v, np.float64).tolist() for k, v in measures.items()}
        return replace(super().__call__(pixels, networks), measures=lists)


def scored(settings: ScoreVerb) -> Outcome:
    """The verb score with the scorer that measures quality."""
    campaign = Campaign.open(Path(settings.campaign))
    plates = tuple(open_plate(entry.path) for entry in campaign.plates)
    model = make_model(campaign)
    return score_campaign(settings, campaign, plates, model, QualityScorer)


@pytest.fixture
def sharp(tmp_path: Path) -> Iterator[Lab]:
    """Six wells of four fields of sharp discs, scored with their quality measured."""
    lab = make_lab(tmp_path, n_fields=4)
    for number, path in enumerate(sorted(lab.source.glob("*.tif"))):
        plate, well, field, channel = path.stem.split("_")
        lab.spoil(plate, well, int(field[1:]), channel, discs(number))
    with mock.patch("tests.catalogue._score", scored):
        yield lab


def discs(seed: int, *, blur: float = 0.0) -> NDArray[np.uint16]:
    """Ten discs of 5 px radius on an even level, as a camera shows them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.full((SIDE, SIDE), 300.0)
    for cy, cx in rng.uniform(6, SIDE - 6, (10, 2)):
        image[np.hypot(y - cy, x - cx) < 5.0] = 3000.0
    seen = ndimage.gaussian_filter(image, max(blur, 0.5))
    return np.asarray(seen + rng.normal(0, 8, image.shape), np.uint16)


def fields(lab: Lab) -> dict[str, dict[str, Any]]:
    """The rows of fields.parquet by WELL/field."""
    table = pl.read_parquet(lab.runs / "r" / "fields.parquet")
    return {f"{r['well']}/{r['field']}": r for r in table.iter_rows(named=True)}


def test_A19_a_dead_lamp_holds_the_plate(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    blank = [("A01", 1), ("A01", 2), ("B02", 1)]
    for well, field in blank:
        lab.spoil("P1", well, field, "body", np.zeros((SIDE, SIDE), np.uint16))
    told(lab.ingest(), 4, "PLATE_DARK", "P1", "body", "check the lamp or filter")
    told(lab.score(), 4, "PLATE_DARK", "P1", "body: 25%", "lamp or filter")
    rows = {r["well"]: r for r in lab.rows().iter_rows(named=True)}
    assert {r["status"] for r in rows.values()} == {"QUARANTINED"}
    assert rows["A01"]["codes"] == ["IMG_BLANK"]
    assert rows["B02"]["codes"] == ["IMG_BLANK", "PLATE_DARK"]
    assert rows["A02"]["codes"] == ["PLATE_DARK"]
    assert sum(r["n_cells"] for r in rows.values()) == 0


def test_A19_a_few_blank_fields_hold_nothing(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    lab.spoil("P1", "A01", 1, "body", np.zeros((SIDE, SIDE), np.uint16))
    assert "PLATE_DARK" not in lab.ingest().text
    assert lab.score().code == 4
    assert lab.status("A01") == ("QUARANTINED", ["IMG_BLANK"])
    assert lab.status("A02")[0] == "SCORED"


def saturate(lab: Lab, well: str, share: float) -> None:
    """Bring a share of the pixels of field 2 to the camera's limit."""
    image = discs(7)
    image.ravel()[: round(share * image.size)] = 65535
    lab.spoil("P1", well, 2, "nucleus", image)


def test_A21_saturation_is_told_and_by_config_leaves(sharp: Lab) -> None:
    for well, share in (("A01", 0.004), ("A02", 0.02), ("B02", 0.2)):
        saturate(sharp, well, share)
    assert (sharp.ingest().code, sharp.score().code) == (0, 0)
    told(sharp.call(), 0)
    shown, hits = fields(sharp), sharp.hits()
    assert shown["A01/1"]["flags"] == ""
    assert "IMG_SATURATED: nucleus 2.0%" in shown["A02/1"]["why"]
    assert {k for k, r in shown.items() if "IMG_SATURATED" in r["flags"]} == {
        "A02/1",
        "B02/1",
    }
    assert all(row["used"] for row in shown.values())
    assert set(hits["status"]) == {"SCORED"}

    ended = sharp.call("qc.mode=enforce", "qc.enforced=[IMG_SATURATED]")
    assert "2 of 24 fields flagged (2 IMG_SATURATED); 1 left out" in ended.text
    by_well = {r["well"]: r for r in sharp.hits().iter_rows(named=True)}
    assert by_well["B02"]["status"] == "SCORED_DEGRADED"
    assert by_well["B02"]["n_fields"] == 3
    assert by_well["B02"]["codes"] == "IMG_SATURATED"
    assert by_well["A02"]["status"] == "SCORED"
    assert by_well["A02"]["field_flags"] == "IMG_SATURATED"


def test_A22_a_blurred_field_is_flagged_and_leaves_only_if_enforced(sharp: Lab) -> None:
    for channel in ("nucleus", "body"):
        sharp.spoil("P1", "A03", 1, channel, discs(99, blur=4.0))
    assert (sharp.ingest().code, sharp.score().code) == (0, 0)
    told(sharp.call(), 0)
    shown = fields(sharp)
    assert {k for k, r in shown.items() if r["flags"]} == {"A03/0"}
    assert shown["A03/0"]["flags"] == "OUT_OF_FOCUS"
    assert shown["A03/0"]["focus_z"] < -6
    assert shown["A03/0"]["used"]
    plain = sharp.hits()

    sharp.call("qc.mode=enforce")
    strict = sharp.hits()
    row = strict.filter(pl.col("well") == "A03").row(0, named=True)
    assert (row["status"], row["codes"]) == ("SCORED_DEGRADED", "OUT_OF_FOCUS")
    assert row["n_fields"] == 3
    assert not fields(sharp)["A03/0"]["used"]
    others = pl.col("well") != "A03"
    assert strict.filter(others)["score"].equals(plain.filter(others)["score"])

    sharp.call("qc.mode=enforce", "qc.min_fields_share=0.9")
    row = sharp.hits().filter(pl.col("well") == "A03").row(0, named=True)
    assert (row["status"], row["codes"]) == ("QUARANTINED", "OUT_OF_FOCUS")

    sharp.call()
    assert sharp.hits().equals(plain)


@settings(max_examples=25, deadline=None)
@given(low=st.sampled_from([0, 59990, 65000]), seed=st.integers(0, 99))
def test_A28_no_cast_sum_or_subtraction_overflows(low: int, seed: int) -> None:
    field = np.random.default_rng(seed).integers(low, 65536, (1, 48, 48), np.uint16)
    exact, planes = field.astype(np.float64), to_float(jnp.asarray(field))
    mean, sd = mean_and_sd(planes)
    assert float(mean[0]) == pytest.approx(exact.mean(), rel=1e-6)
    assert float(sd[0]) == pytest.approx(exact.std(), rel=1e-4)
    near = ndimage.uniform_filter(exact[0], 9, mode="nearest")
    np.testing.assert_allclose(box_mean(planes[0], 4), near, rtol=1e-5)
    image, level = normalise(planes, IntensitySpec(("fluorescence",), (50.0,)))
    below = exact[0] < float(level[0]) - 6000.0
    assert (np.asarray(image)[below, 0] < 0).all()


def test_A28_a_whole_camera_of_60000s() -> None:
    planes = to_float(jnp.full((1, 2160, 2160), 60000, jnp.uint16))
    assert float(mean_and_sd(planes)[0][0]) == pytest.approx(60000.0, rel=1e-6)
    assert float(saturated_share(planes, 60000)[0]) == pytest.approx(1.0, rel=1e-6)


def trained(lab: Lab, *words: str) -> Any:
    """The verb train on a lab's campaign."""
    places = [f"campaign={lab.out}", f"out={lab.root / 'model'}", "split=halves"]
    return run_verb("train", *places, "epochs=1", "network.crop_px=16", *words)


PROFILES: dict[str, Any] = {
    "missing": None,
    "zeros": np.zeros((2, 8, 8)),
    "a zero": np.where(np.arange(128).reshape(2, 8, 8) == 5, 0.0, 1.0),
    "not a number": np.where(np.arange(128).reshape(2, 8, 8) == 5, np.nan, 1.0),
    "other size": np.ones((2, 80, 80)),
    "other channels": np.ones((3, 8, 8)),
    "nearly dark": np.where(np.arange(128).reshape(2, 8, 8) == 5, 0.01, 1.0),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab ingested without profiles."""
    lab = make_lab(tmp_path_factory.mktemp("plain"))
    assert lab.ingest("illumination=false").code == 0
    return lab


@pytest.mark.parametrize("kind", PROFILES)
def test_A29_a_wrong_light_profile_is_refused(
    plain: Lab, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "profile.npy"
    if PROFILES[kind] is not None:
        np.save(path, PROFILES[kind])
    ended = trained(plain, "intensity.illumination=given", f"intensity.given={path}")
    told(ended, 3, "ILLUM_INVALID", "intensity.illumination=none")
    assert not (plain.root / "model" / "model.json").exists()


def test_A29_a_plate_without_estimate_is_refused_by_train_and_score(
    plain: Lab, tmp_path: Path
) -> None:
    told(trained(plain, "intensity.illumination=estimated"), 3, "ILLUM_INVALID", "P1")
    ended = real_score(plain, tmp_path, {"illumination": "estimated"}, 0.65)
    told(ended, 3, "ILLUM_INVALID", "P1")
    assert not (tmp_path / "runs").exists()


def test_A29_a_profile_of_other_fields_is_refused_by_score(
    plain: Lab, tmp_path: Path
) -> None:
    even = np.ones((2, 4, 4)).tolist()
    light = {"illumination": "given", "given": even, "given_for": [2160, 2160]}
    told(real_score(plain, tmp_path, light, 0.65), 3, "ILLUM_INVALID", "2160 x 2160")


def real_score(
    lab: Lab, root: Path, intensity: dict[str, Any], pixel_size_um: float, *more: str
) -> Any:
    """The verb score itself, with a model of this optics and weights of nothing."""
    model = make_model(lab.campaign())
    spec = replace(model.spec, intensity=intensity, pixel_size_um=pixel_size_um)
    weights = {network.name: {"none": np.zeros(1)} for network in spec.networks}
    save_model(root / "model", spec, weights)
    words = [f"campaign={lab.out}", f"model={root / 'model'}", f"runs={root / 'runs'}"]

    @dataclass(frozen=True)
    class Source:
        folder: str
        sha256: str
        minibatch: int
        device: str
        precision: str
        max_field_px: float

        def __call__(self) -> NumpyScorer:
            return NumpyScorer()

    from screen import score

    with (
        mock.patch("screen.scoring.ModelScorer", Source),
        mock.patch("screen.model_networks.check_networks"),  # weights of nothing
        mock.patch("tests.catalogue._score", score.run),
    ):
        return run_verb("score", *words, "run=r", "cluster=inline", *more)


def test_A30_another_pixel_size_is_refused_unless_allowed(
    plain: Lab, tmp_path: Path
) -> None:
    ended = real_score(plain, tmp_path, {}, 1.3)
    told(ended, 3, "PIXEL_SIZE_MISMATCH", "P1", "0.65", "1.3", "allow_pixel_size=true")
    assert not (tmp_path / "runs").exists()
    ended = real_score(plain, tmp_path, {}, 1.3, "allow_pixel_size=true")
    assert ended.code == 0
    facts = json.loads((tmp_path / "runs" / "r" / "manifest.json").read_text())
    assert facts["verbs"]["score"]["settings"]["allow_pixel_size"] is True


def test_A30_a_small_difference_is_no_other_objective(
    plain: Lab, tmp_path: Path
) -> None:
    assert real_score(plain, tmp_path, {}, 0.66).code == 0
