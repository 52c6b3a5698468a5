"""From which weights a network begins: those of a file, where one is named."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plates.problems import InputError
from screen.groups import NetworkSettings
from screen.models import SPEC_FILE
from screen.weight_files import WeightFile, read_weight_file
from screen.weight_files.reading import weights_problem

if TYPE_CHECKING:
    from flax import nnx

    from kernels.preprocessing import Preprocessing
    from kernels.pretrained import Loaded

SIDECAR = ".preprocessing.json"
"""Ending of the file beside weights that says what their network expects."""
MAX_SPEC_BYTES = 1 << 20


@dataclass(frozen=True)
class Pretrained:
    """Weights to begin from, what they expect of crops (None: crops as they are), and
    what differs from the file, for the person and the summary."""

    state: nnx.State[Any, Any]
    preprocessing: Preprocessing | None
    told: tuple[str, ...]


def start_of(
    settings: NetworkSettings, n_channels: int, n_out: int, seed: int
) -> Pretrained | None:
    """The state that ``network.weights`` gives a network; None where that is empty.

    Layers that the file has not are drawn by the seed. Raises InputError
    (WEIGHTS_UNSAFE, WEIGHTS_INVALID, WEIGHTS_MISMATCH, INPUT_MISSING), and ValueError
    for a crop that the network cannot take.
    """
    if not settings.weights:
        return None
    path = Path(settings.weights)
    file = read_weight_file(path)
    found = _loaded(settings, path, file, n_channels, n_out, seed)
    spec = preprocessing_of(path, file)
    try:
        fitted = spec and spec.for_channels(n_channels, _first_conv(settings))
    except ValueError as error:
        raise _mismatch(path, str(error), "set network.first_conv=mean") from error
    told = (f"{path.name} (sha256 {file.sha256[:12]}…, {file.layout})", *found.told)
    return Pretrained(found.state, fitted, told)


def _first_conv(settings: NetworkSettings) -> Any:
    return settings.first_conv


def _loaded(
    settings: NetworkSettings,
    path: Path,
    file: WeightFile,
    n_channels: int,
    n_out: int,
    seed: int,
) -> Loaded:
    import jax
    from flax import nnx

    from kernels.networks import build
    from kernels.pretrained import drawn_where_missing, loaded
    from kernels.weight_names import WeightsMismatch

    def new() -> nnx.Module:
        return build(
            settings.name,
            n_channels,
            settings.crop_px,
            key=jax.random.key(seed),
            n_out=n_out,
            width=settings.width,
        )

    try:
        found = loaded(
            nnx.eval_shape(new),
            settings.name,
            file.arrays,
            file.layout,
            first_conv=_first_conv(settings),
            new_dense=settings.new_dense,
        )
    except WeightsMismatch as error:
        raise _mismatch(path, error.found, error.remedy) from error
    return drawn_where_missing(found, new)


def _mismatch(path: Path, found: str, remedy: str) -> InputError:
    why = "these weights are of another network"
    return weights_problem("WEIGHTS_MISMATCH", path, found, why, remedy)


def preprocessing_of(path: Path, file: WeightFile) -> Preprocessing | None:
    """What the weights expect: the file ``NAME.preprocessing.json`` beside them, else
    the model spec beside weights of ours, else that of their origin (ImageNet).

    Raises InputError (WEIGHTS_INVALID).
    """
    from kernels.preprocessing import KERAS, TORCH, Preprocessing

    sidecar, spec = path.with_suffix(SIDECAR), path.with_name(SPEC_FILE)
    if sidecar.is_file():
        text: Any = _json(sidecar)
    elif file.layout == "own" and spec.is_file():
        text = _json(spec).get("preprocessing")
    else:
        return {"torch": TORCH, "keras": KERAS}.get(file.layout)
    if not text:
        return None
    try:
        return Preprocessing.from_dict(text)
    except (ValueError, AttributeError, TypeError) as error:
        raise _spoiled(sidecar if sidecar.is_file() else spec, str(error)) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise ValueError("it is too large")
        text = json.loads(path.read_bytes())
        if not isinstance(text, dict):
            raise ValueError("it holds no keys")
    except (OSError, ValueError, RecursionError) as error:
        raise _spoiled(path, str(error)) from error
    return text


def _spoiled(path: Path, found: str) -> InputError:
    return weights_problem(
        "WEIGHTS_INVALID",
        path,
        f"preprocessing: {found}",
        "pictures prepared otherwise than the weights expect give wrong scores",
        "write kind, order, mean, sd (and top, low, high), or remove the file",
    )
