"""Laws of the profiles of light: found again where planted, refused where wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from plates.illumination import (
    FACTS,
    PROFILE,
    estimate,
    on_grid,
    read_given,
    read_profile,
    write_profile,
)
from plates.problems import InputError
from plates.store import Plate, PlateSpec, open_plate, plate_writer
from plates.wells import PlateFormat, Well

Array = np.ndarray[Any, Any]
A1 = Well.parse("A01")


def planted(n: int = 24) -> Array:
    """Light that falls off to one corner, mean 1."""
    y, x = np.mgrid[-1 : 1 : n * 1j, -1 : 1 : n * 1j]
    light = 1 - 0.25 * (y**2 + x**2) - 0.1 * y + 0.05 * x * y
    return np.asarray(light / light.mean())


def fields(light: Array, n_fields: int, seed: int = 0) -> Array:
    """Fields of differing brightness with noise and a few bright cells each."""
    rng = np.random.default_rng(seed)
    levels = rng.uniform(200, 2000, (n_fields, 1, 1))
    samples = levels * light * rng.normal(1, 0.02, (n_fields, *light.shape))
    for sample in samples:
        for y, x in rng.integers(0, light.shape[0], (20, 2)):
            sample[y : y + 2, x : x + 2] *= 4
    return samples


def test_the_planted_light_is_found_below_the_cells() -> None:
    light = planted()
    found = estimate(fields(light, 60))
    assert found.mean() == pytest.approx(1, abs=1e-6)
    assert np.abs(found / light - 1).max() < 0.02


def test_brightness_of_single_fields_does_not_count() -> None:
    samples = fields(planted(), 40)
    louder = samples * np.geomspace(0.1, 100, 40)[:, None, None]
    np.testing.assert_allclose(estimate(samples), estimate(louder), rtol=1e-4)


def test_no_usable_field_gives_no_number() -> None:
    assert np.isnan(estimate(np.zeros((3, 4, 5)))).all()
    assert np.isnan(estimate(np.empty((0, 4, 5)))).all()


@pytest.mark.parametrize("shape", [(2, 90, 90), (1, 7, 300), (1, 2, 2), (3, 96, 70)])
def test_grid_is_of_square_tiles_and_small(shape: tuple[int, int, int]) -> None:
    planes = np.full(shape, 7.0)
    grid = on_grid(planes)
    assert max(grid.shape[1:]) <= 48
    np.testing.assert_allclose(grid, 7.0)


@pytest.fixture
def plate(tmp_path: Path) -> Plate:
    """One field of two channels, 96 x 80 px, with a written profile."""
    spec = PlateSpec(
        plate="P1",
        format=PlateFormat.of(6),
        wells=(A1,),
        n_fields=1,
        channels=("DNA", "phase"),
        pixel_size_um=0.5,
        field_shape=(2, 96, 80),
        dtype="uint8",
    )
    with plate_writer(tmp_path / "p.ome.zarr", spec) as write:
        write(A1, 0, np.ones(spec.field_shape, np.uint8))
        write_profile(write.path_tmp, profile_of(), (9, 9), spec)
    return open_plate(tmp_path / "p.ome.zarr")


def profile_of() -> Array:
    """A profile of two channels on a grid."""
    return np.stack([planted(12)[:, :10], planted(12)[::-1, :10]])


def test_a_written_profile_is_read(plate: Plate) -> None:
    np.testing.assert_allclose(read_profile(plate), profile_of(), rtol=1e-6)


def spoil(change: Any) -> Any:
    """Put a changed array in the profile's place."""

    def spoiled(folder: Path) -> None:
        np.save(folder / PROFILE, change(np.load(folder / PROFILE)))

    return spoiled


def other_size(folder: Path) -> None:
    """Say that the profile is of other fields."""
    facts = json.loads((folder / FACTS).read_text())
    facts["field_shape"] = [2, 512, 512]
    (folder / FACTS).write_text(json.dumps(facts))


def few_fields(folder: Path) -> None:
    """Say that hardly any field was usable."""
    facts = json.loads((folder / FACTS).read_text())
    facts["n_fields"] = [9, 3]
    (folder / FACTS).write_text(json.dumps(facts))


def one_zero(profile: Array) -> Array:
    """A single value of zero."""
    profile[1, 3, 3] = 0
    return profile


SPOILED: dict[str, tuple[Any, str]] = {
    "missing": (lambda f: (f / PROFILE).unlink(), "no profile"),
    "no facts": (lambda f: (f / FACTS).unlink(), "no profile"),
    "other size": (other_size, "512"),
    "few fields": (few_fields, "estimated from 3 of phase; 8 usable"),
    "channels": (spoil(lambda p: p[:1]), "2 channels are due"),
    "zero": (spoil(one_zero), r"P1/phase: 1 of 120 values are not above zero"),
    "not finite": (spoil(lambda p: p * np.nan), r"P1/DNA.*not finite"),
    "pickle": (lambda f: np.save(f / PROFILE, np.array([{}]), True), r"no \.npy file"),
    "cut off": (lambda f: (f / PROFILE).write_bytes(b"\x93NUMPY"), r"no \.npy file"),
    "text": (spoil(lambda p: p.astype(str)), "no array of numbers"),
    "bad facts": (lambda f: (f / FACTS).write_text("{"), "ILLUM_INVALID"),
}


@pytest.mark.parametrize(("change", "match"), SPOILED.values(), ids=SPOILED)
def test_a_wrong_profile_is_refused(plate: Plate, change: Any, match: str) -> None:
    change(plate.path)
    with pytest.raises(InputError, match=match) as raised:
        read_profile(plate)
    assert {problem.code for problem in raised.value.problems} == {"ILLUM_INVALID"}


def test_a_given_profile_has_mean_one(plate: Plate, tmp_path: Path) -> None:
    whole = np.random.default_rng(0).uniform(1, 3, (2, 96, 80)).astype(np.float32)
    np.save(tmp_path / "light.npy", whole)
    tifffile.imwrite(tmp_path / "light.tif", whole, photometric="minisblack")
    for name in ("light.npy", "light.tif"):
        given = read_given(tmp_path / name, plate)
        np.testing.assert_allclose(given.mean(axis=(1, 2)), 1, rtol=1e-5)
        np.testing.assert_allclose(
            given / given[:, :1, :1], whole / whole[:, :1, :1], rtol=1e-5
        )


@pytest.mark.parametrize("shape", [(2, 95, 80), (1, 96, 80), (96, 80)])
def test_a_given_profile_of_another_size_is_refused(
    plate: Plate, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    np.save(tmp_path / "light.npy", np.ones(shape))
    with pytest.raises(InputError, match="ILLUM_INVALID"):
        read_given(tmp_path / "light.npy", plate)
    with pytest.raises(InputError, match="ILLUM_INVALID"):
        read_given(tmp_path / "absent.tif", plate)
