"""Uneven light from training to the report: given, estimated, and the camera's limit."""

import json
from pathlib import Path

import numpy as np
import pytest

from plates.campaign import Campaign
from plates.store import open_plate, read_field
from screen import call, report, score, train
from screen.compose import settings_of
from screen.illumination import gains_of
from screen.ledger import headers_of
from screen.models import load_model
from screen.optics import camera_limit
from tests.catalogue import Lab, make_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Six wells of a camera of 12 bits, ingested with an estimate of their light."""
    lab = make_lab(tmp_path_factory.mktemp("light"), n_fields=4)
    assert lab.ingest("level_max=65535").code == 0
    return lab


def test_the_limit_of_the_camera_is_what_ingest_was_told(lab: Lab) -> None:
    plate = open_plate(lab.campaign().plates[0].path)
    assert camera_limit(plate) == 65535
    notes = plate.path / "ingest.json"
    told = json.loads(notes.read_text())
    kept = notes.read_text()
    told["request"]["level_max"] = 4095
    notes.write_text(json.dumps(told))
    assert camera_limit(plate) == 4095
    notes.unlink()
    assert camera_limit(plate) is None
    notes.write_text(kept)


def test_an_estimate_makes_the_light_of_its_plate_even(lab: Lab) -> None:
    plate = open_plate(lab.campaign().plates[0].path)
    gains = gains_of({"illumination": "estimated"}, plate.channels[::-1], (plate,))
    turned = gains_of({"illumination": "estimated"}, plate.channels, (plate,))
    one, other = gains["P1"], turned["P1"]
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one[::-1], other)
    np.testing.assert_allclose((1 / one).mean((1, 2)), 1.0, rtol=1e-4)
    assert gains_of({}, plate.channels, (plate,)) == {"P1": None}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_given_light_goes_from_training_to_the_report(lab: Lab, tmp_path: Path) -> None:
    profile = np.broadcast_to(np.linspace(0.8, 1.2, 8), (2, 8, 8))
    np.save(tmp_path / "light.npy", profile)
    places = [f"campaign={lab.out}", f"out={tmp_path / 'model'}", "split=halves"]
    words = [*places, "epochs=1", "network.crop_px=16", "max_cells_per_well=4"]
    light = [
        "intensity.illumination=given",
        f"intensity.given={tmp_path / 'light.npy'}",
    ]
    found = {}
    for name, more in (("even", []), ("given", light)):
        train.run(settings_of("train", [*words, *more]))
        spec = load_model(tmp_path / "model").spec
        assert spec.intensity["illumination"] == ("none" if name == "even" else "given")
        assert spec.intensity["saturation_level"] == 65535
        run = [f"runs={tmp_path}", f"run={name}"]
        where = [f"campaign={lab.out}", f"model={tmp_path / 'model'}"]
        score.run(settings_of("score", [*where, *run, "cluster=inline"]))
        call.run(settings_of("call", run))
        report.run(settings_of("report", run))
        found[name] = headers_of(tmp_path / name, ["P1"])
        assert (tmp_path / name / "report.html").stat().st_size > 10_000
    plate = open_plate(Campaign.open(lab.out).plates[0].path)
    well = plate.wells[0]
    entry = next(h for h in found["given"] if h["well"] == str(well))["fields"][0]
    pixels = read_field(plate, well, 0).astype(np.float64)
    ramp = np.interp((np.arange(64) + 0.5) / 8 - 0.5, np.arange(8), 1 / profile[0, 0])
    assert entry["mean"] == pytest.approx((pixels * ramp).mean((1, 2)), rel=1e-4)
    plain = next(h for h in found["even"] if h["well"] == str(well))["fields"][0]
    assert plain["mean"] == pytest.approx(pixels.mean((1, 2)), rel=1e-5)
    assert set(entry) >= {"slope", "local_variance", "debris", "span", "sum_profile"}
