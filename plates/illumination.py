"""Uneven light: a profile a channel, estimated from a plate's own fields or given as a file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plates.json_text import strict_json
from plates.planes import PlaneError
from plates.problems import InputError, Problem
from plates.readers import tiff
from plates.store_metadata import PlateSpec
from plates.store_plate import Plate

GRID_PX = 48  # longest side of an estimated profile: light changes slowly
PROFILE = "illumination.npy"
FACTS = "illumination.json"
LEAST_FIELDS = 8  # of fewer, cells stay in the median and pass for light
_LARGEST_GRID_PX = 64
_DEGREE = 4
_LARGEST_FACTS_BYTES = 1_000_000

Profile = np.ndarray[Any, np.dtype[np.float32]]


def on_grid(planes: np.ndarray[Any, Any]) -> Profile:
    """Planes (c, y, x) as means over square tiles, at most `GRID_PX` a side."""
    c, y, x = planes.shape
    size = -(-max(y, x) // GRID_PX)
    n, m = max(1, y // size), max(1, x // size)
    size_y, size_x = min(size, y), min(size, x)
    tiles = planes[:, : n * size_y, : m * size_x].reshape(c, n, size_y, m, size_x)
    return np.asarray(tiles.mean(axis=(2, 4)), np.float32)


def estimate(samples: np.ndarray[Any, Any]) -> Profile:
    """Profile (y, x) of mean 1 from one channel of many fields, (field, y, x).

    Each field is divided by its own median, and each place takes the median of all
    fields: cells lie elsewhere in each, the light does not. A surface of fourth degree
    and the smoothed rest of it remove what noise is left. The camera's offset is not
    taken off, so the profile is flatter than the light by the offset's share. All NaN
    if no field can be used.
    """
    whole = samples[np.isfinite(samples).all(axis=(1, 2))]
    levels = np.array([np.median(sample) for sample in whole])
    whole, levels = whole[levels > 0], levels[levels > 0]
    if not len(whole):
        return np.full(samples.shape[1:], np.nan, np.float32)
    light = np.median(whole / levels[:, None, None], axis=0)
    surface = _surface(light)
    smooth = surface + _blurred(light - surface)
    return np.asarray(smooth / smooth.mean(), np.float32)


def _surface(light: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The least-squares polynomial of at most fourth degree through a map (y, x)."""
    y, x = (
        np.polynomial.legendre.legvander(np.linspace(-1, 1, n), min(_DEGREE, n - 1))
        for n in light.shape
    )
    powers = [
        (i, j) for i in range(y.shape[1]) for j in range(x.shape[1]) if i + j <= _DEGREE
    ]
    terms = np.stack([np.outer(y[:, i], x[:, j]).ravel() for i, j in powers], axis=1)
    # Legendre's polynomials are nearly orthogonal here, so the short way is exact enough.
    weights = np.linalg.solve(terms.T @ terms, terms.T @ light.ravel())
    return np.asarray((terms @ weights).reshape(light.shape))


def _blurred(rest: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A Gaussian of a tenth of the map's side, its weights made whole at the border."""
    blurs = []
    for n in rest.shape:
        at = np.arange(n)
        weights = np.exp(-0.5 * ((at[:, None] - at) / max(n / 10, 0.1)) ** 2)
        blurs.append(weights / weights.sum(axis=1, keepdims=True))
    return np.asarray(blurs[0] @ rest @ blurs[1].T)


def write_profile(
    folder: Path, profile: Profile, n_fields: Sequence[int], spec: PlateSpec
) -> None:
    """Put a profile (c, n, m) and what it is of into a plate's folder."""
    np.save(folder / PROFILE, profile.astype(np.float32), allow_pickle=False)
    facts = {
        "schema": 1,
        "method": "median over fields of field / its median, smoothed, mean 1",
        "channels": list(spec.channels),
        "field_shape": list(spec.field_shape),
        "n_fields": list(n_fields),
    }
    (folder / FACTS).write_text(strict_json(facts))


def read_profile(plate: Plate) -> Profile:
    """The plate's estimated profile (c, n, m), a coarse grid of equal tiles, mean 1.

    Raises InputError (ILLUM_INVALID) if there is none, if it is of fields of another
    size or of fewer than `LEAST_FIELDS`, or if a value is not finite and above zero.
    """
    facts = _read_facts(plate)
    due = (list(plate.field_shape), list(plate.channels))
    if (facts.get("field_shape"), facts.get("channels")) != due:
        found = f"a profile of {facts.get('field_shape')} {facts.get('channels')}, the plate has {due[0]} {due[1]}"
        raise _invalid(plate.plate, found)
    n_fields = dict(zip(plate.channels, facts.get("n_fields") or (), strict=False))
    few = [c for c in plate.channels if n_fields.get(c, 0) < LEAST_FIELDS]
    if few:
        counts = ", ".join(f"{n_fields.get(c, 0)} of {c}" for c in few)
        found = f"estimated from {counts}; {LEAST_FIELDS} usable fields are needed"
        raise _invalid(plate.plate, found)
    profile = _load(plate.path / PROFILE, plate.plate)
    _check(profile, plate, plate.plate)
    return np.asarray(profile, np.float32)


def read_given(path: Path, plate: Plate) -> Profile:
    """A given profile (c, y, x) from a .npy file or a TIFF with a page a channel, mean 1.

    It is as large as the fields, or a grid of at most 64 tiles a side. Raises
    InputError (ILLUM_INVALID) as `read_profile`.
    """
    where = str(path)
    if path.suffix.lower() in (".tif", ".tiff"):
        try:
            profile = np.stack(tiff.read_pages(path, [None]))
        except PlaneError as error:
            raise _invalid(where, str(error)) from error
    else:
        profile = _load(path, where)
    _check(profile, plate, where)
    means = profile.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    return np.asarray(profile / means, np.float32)


def _read_facts(plate: Plate) -> dict[str, Any]:
    path = plate.path / FACTS
    try:
        if path.stat().st_size > _LARGEST_FACTS_BYTES:
            raise _invalid(plate.plate, f"{path} is too large to be what it should")
        facts = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise _invalid(plate.plate, f"no profile, no file {path}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise _invalid(plate.plate, f"{path}: {error}") from error
    if not isinstance(facts, dict) or facts.get("schema") != 1:
        raise _invalid(plate.plate, f"{path} is not of schema 1")
    return facts


def _load(path: Path, where: str) -> np.ndarray[Any, Any]:
    try:
        # Mapped, so that a header which declares too much is seen before memory is taken.
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise _invalid(where, f"no profile, no file {path}") from None
    except (OSError, ValueError, EOFError) as error:
        raise _invalid(where, f"{path} is no .npy file: {error}") from error
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "fiu":
        raise _invalid(where, f"{path} holds no array of numbers")
    return stored


def _check(profile: np.ndarray[Any, Any], plate: Plate, where: str) -> None:
    c, y, x = plate.field_shape
    is_grid = profile.ndim == 3 and max(profile.shape[1:]) <= _LARGEST_GRID_PX
    if profile.ndim != 3 or len(profile) != c or 0 in profile.shape:
        found = f"a profile of shape {profile.shape}, {c} channels are due"
        raise _invalid(where, found)
    if profile.shape[1:] != (y, x) and not is_grid:
        found = f"a profile of {profile.shape[1]} x {profile.shape[2]} px, fields of {y} x {x}"
        raise _invalid(where, found)
    problems: list[Problem] = []
    for name, light in zip(plate.channels, profile, strict=True):
        if not np.isfinite(light).all():
            problems += _invalid(f"{where}/{name}", "values not finite").problems
        elif not (light > 0).all():
            n_dark = int(np.count_nonzero(light <= 0))
            found = f"{n_dark} of {light.size} values are not above zero"
            problems += _invalid(f"{where}/{name}", found).problems
    if problems:
        raise InputError(problems)


def _invalid(where: str, found: str) -> InputError:
    why = "counts divided by a wrong profile are wrong everywhere"
    remedy = (
        "ingest the plate again with illumination=true and stitch=false, give another"
        " profile, or use intensity.illumination=none"
    )
    return InputError(Problem("ILLUM_INVALID", where, found, why, remedy))
