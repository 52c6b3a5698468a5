"""What a training was and what it gave: `training.json` beside the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plates.problems import InputError, Problem
from screen.models import SPEC_FILE
from screen.provenance import sha256_file, write_json

SCHEMA = 1
FILE = "training.json"
PLACES = ("out", "campaign", "crops")

OnJudged = Callable[[int, float], None]


def ignore(step: int, value: float) -> None:
    """Nobody asks how a training goes on."""


@dataclass(frozen=True)
class Judged:
    """How a model did on groups it never saw, by one measure with its interval.

    ``value`` is None where nothing was held out to judge by, and ``why`` says so;
    ``low`` and ``high`` are None where no interval is possible; ``is_higher_better``
    says which end of the measure wins.
    """

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    is_higher_better: bool = True
    why: str = ""


@dataclass(frozen=True)
class Taught:
    """What a training hands back: words for the person, the files (the model's spec
    first), how it was judged beside which baseline, on what data, and its size."""

    words: str
    paths: tuple[Path, ...]
    judged: Judged
    baseline: Judged | None
    data_sha256: str
    n_parameters: int


@dataclass(frozen=True)
class Training:
    """One finished training: its model's folder and hash, its settings by key, the
    hash of what it learnt from, how it was judged, beside which best baseline, its
    size and seconds."""

    model: Path
    model_sha256: str
    settings: dict[str, Any]
    data_sha256: str
    judged: Judged
    baseline: Judged | None
    n_parameters: int
    seconds: float


def write_training(
    folder: Path, settings: Any, taught: Taught, *, seconds: float
) -> Path:
    """Write `training.json` beside a finished model; it names the model's hash."""
    text = {
        "schema": SCHEMA,
        "model_sha256": sha256_file(folder / SPEC_FILE),
        "settings": flat_settings(asdict(settings)),
        "data_sha256": taught.data_sha256,
        "judged": asdict(taught.judged),
        "baseline": None if taught.baseline is None else asdict(taught.baseline),
        "n_parameters": taught.n_parameters,
        "seconds": round(seconds, 1),
    }
    path = folder / FILE
    write_json(path, text)
    return path


def read_training(folder: Path) -> Training:
    """The training of a model folder; raises InputError (TRAINING_INVALID) when there
    is none, it is of another schema, or the model beside it is another one."""
    path = folder / FILE
    try:
        text = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
        if text.pop("schema") != SCHEMA:
            raise _invalid(path, f"not of schema {SCHEMA}")
        judged, baseline = text.pop("judged"), text.pop("baseline")
        training = Training(
            folder,
            judged=Judged(**judged),
            baseline=None if baseline is None else Judged(**baseline),
            **text,
        )
        found = sha256_file(folder / SPEC_FILE)
    except OSError as error:
        raise _invalid(path, str(error.strerror or error)) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise _invalid(path, "it does not read as a training") from error
    if found != training.model_sha256:
        raise _invalid(path, f"the model beside it is {found[:12]}…, another one")
    return training


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def find_trainings(folders: list[Path]) -> list[Training]:
    """The trainings in these folders and below, each once, by path.

    Raises InputError naming every folder that holds none, and every broken one.
    """
    problems: list[Problem] = []
    found: dict[Path, Training] = {}
    for folder in folders:
        places = sorted(path.parent for path in folder.rglob(FILE))
        if not places:
            problems += _invalid(folder, f"no {FILE} in it or below").problems
        for place in places:
            try:
                found.setdefault(place.resolve(), read_training(place))
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(problems)
    return [found[place] for place in sorted(found)]


def flat_settings(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level of dotted keys; places on the disk are left out."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= flat_settings(value, f"{prefix}{name}.")
        elif prefix or name not in PLACES:
            flat[prefix + name] = value
    return flat


def _invalid(path: Path, found: str) -> InputError:
    why = "models are compared by what their trainings wrote down"
    remedy = "name model folders, or a folder that holds some, of finished trainings"
    return InputError(Problem("TRAINING_INVALID", str(path), found, why, remedy))
