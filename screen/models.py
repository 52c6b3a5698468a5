"""A scoring model on disk: safetensors weights beside a JSON spec, hash-checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from plates.json_text import strict_json
from plates.problems import InputError, Problem
from screen.durable import write_whole

if TYPE_CHECKING:
    from flax import nnx

SCHEMA = 2
SPEC_FILE = "model.json"


@dataclass(frozen=True)
class NetworkSpec:
    """One trained network of a model and the wells it learnt from.

    ``learnt`` holds (plate, well) pairs. ``unit`` says what that rules out: "well"
    (these wells alone) or "plate" (every well of these plates).
    """

    name: str
    file: str
    sha256: str
    learnt: tuple[tuple[str, str], ...]
    unit: str

    def may_score(self, plate: str, well: str) -> bool:
        """Whether this network never learnt from the well (or its plate)."""
        return (plate if self.unit == "plate" else (plate, well)) not in self._taught

    @cached_property
    def _taught(self) -> frozenset[str | tuple[str, str]]:
        """What it learnt from, to be asked for each well of a campaign."""
        is_plate = self.unit == "plate"
        return frozenset(plate if is_plate else (plate, w) for plate, w in self.learnt)


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to score new pixels as the training pixels were scored.

    ``finder`` and ``intensity`` are the fields of the kernels' FinderSpec and
    IntensitySpec; ``anchors`` names the two classes the networks were taught;
    ``pixel_size_um`` is that of the images; ``threshold`` is the P(senescent) above
    which a cell counts as senescent; ``window`` says that crops are seen through the
    kernels' soft window. ``width`` and ``head`` (kind, n) are the network's; ``classes``
    names what it tells apart, the scored one second. ``calibration`` and
    ``preprocessing`` are empty where probabilities and pixels are left as they are.
    """

    architecture: str
    crop_px: int
    window: bool
    channels: tuple[str, ...]
    pixel_size_um: float
    finder: dict[str, Any]
    intensity: dict[str, Any]
    anchors: dict[str, Any]
    threshold: float
    split: str
    networks: tuple[NetworkSpec, ...]
    summary: dict[str, Any]
    width: float = 1.0
    head: dict[str, Any] = field(default_factory=lambda: {"kind": "classes", "n": 2})
    classes: tuple[str, ...] = ("healthy", "senescent")
    calibration: dict[str, Any] = field(default_factory=dict)
    preprocessing: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A loaded model: its spec, its folder, the sha256 of its spec, its weights by
    network name (flat dotted names → arrays)."""

    spec: ModelSpec
    folder: Path
    sha256: str
    weights: dict[str, dict[str, np.ndarray[Any, Any]]]


def save_model(
    folder: Path,
    spec: ModelSpec,
    weights: dict[str, dict[str, np.ndarray[Any, Any]]],
) -> Path:
    """Write the weight files, then the spec that names their hashes (last, so that a
    model is whole or absent). ``spec.networks`` need not carry hashes yet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SPEC_FILE).unlink(missing_ok=True)
    networks = []
    for network in spec.networks:
        data = save(
            {k: np.ascontiguousarray(v) for k, v in weights[network.name].items()}
        )
        write_whole(folder / network.file, data)
        networks.append({**asdict(network), "sha256": hashlib.sha256(data).hexdigest()})
    text = {"schema": SCHEMA, **asdict(spec), "networks": networks}
    path = folder / SPEC_FILE
    write_whole(path, (strict_json(text, indent=1, sort_keys=True) + "\n").encode())
    return path


def load_model(folder: Path) -> Model:
    """Read a model folder; raises InputError (MODEL_INVALID) before anything of it is
    used when the spec or a weight file is missing, cut, of another schema or hash."""
    path = folder / SPEC_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        remedy = "train a model, or name its folder with model="
        raise _invalid(path, str(error.strerror), remedy) from error
    try:
        text = json.loads(data)
        schema = text.pop("schema")
        if schema not in (1, SCHEMA):
            raise _invalid(path, f"schema {schema}, this version reads 1 and {SCHEMA}")
        text = migrate_1_to_2(text) if schema == 1 else text
        names = {field.name for field in fields(ModelSpec)}
        if odd := sorted(names ^ set(text)):
            raise _invalid(path, f"keys missing or unknown: {', '.join(odd)}")
        spec = _spec(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise _invalid(path, "it does not read as a model spec") from error
    weights = {n.name: _weights(folder, n) for n in spec.networks}
    return Model(spec, folder, hashlib.sha256(data).hexdigest(), weights)


def _spec(text: dict[str, Any]) -> ModelSpec:
    networks = tuple(
        NetworkSpec(**{**n, "learnt": tuple((p, w) for p, w in n["learnt"])})
        for n in text.pop("networks")
    )
    channels, classes = tuple(text.pop("channels")), tuple(text.pop("classes"))
    return ModelSpec(**text, channels=channels, classes=classes, networks=networks)


def migrate_1_to_2(text: dict[str, Any]) -> dict[str, Any]:
    """A spec of schema 1, which knew two classes and nothing of calibration, as one of
    schema 2."""
    return text | {
        "width": 1.0,
        "head": {"kind": "classes", "n": 2},
        "classes": ["healthy", "senescent"],
        "calibration": {},
        "preprocessing": {},
    }


def _weights(folder: Path, network: NetworkSpec) -> dict[str, np.ndarray[Any, Any]]:
    path = folder / network.file
    if Path(network.file).name != network.file:
        raise _invalid(path, "a weight file outside the model folder")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _invalid(path, f"{error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != network.sha256:
        raise _invalid(path, f"sha256 {found[:12]}… instead of {network.sha256[:12]}…")
    try:
        return load(data)
    except SafetensorError as error:
        raise _invalid(path, f"not safetensors ({error})") from error


def _invalid(
    path: Path, found: str, remedy: str = "train the model again"
) -> InputError:
    problem = Problem(
        "MODEL_INVALID",
        str(path),
        found,
        "scores of a model that cannot be proven whole mean nothing",
        remedy,
    )
    return InputError((problem,))


def network_weights(module: nnx.Module) -> dict[str, np.ndarray[Any, Any]]:
    """The parameters and batch statistics of a network as flat dotted names."""
    from flax import nnx

    state = nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat))
    flat = nnx.to_flat_state(state)
    return {
        ".".join(map(str, path)): np.asarray(variable[...]) for path, variable in flat
    }


def check_fit(
    module: nnx.Module, weights: dict[str, np.ndarray[Any, Any]]
) -> nnx.State[Any, Any]:
    """The network's state; raises InputError (MODEL_INVALID) when names or shapes of
    the weights differ from the architecture's. The network may be abstract."""
    from flax import nnx

    state = nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat))
    expected = {name: tuple(v.shape) for name, v in _by_name(state).items()}
    found = {name: tuple(w.shape) for name, w in weights.items()}
    if expected != found:
        wrong = sorted(set(expected.items()) ^ set(found.items()))[:3]
        raise _invalid(Path(SPEC_FILE), f"weights do not fit the architecture: {wrong}")
    return state


def _by_name(state: nnx.State[Any, Any]) -> dict[str, Any]:
    from flax import nnx

    flat = nnx.to_flat_state(state)
    return {".".join(map(str, path)): variable for path, variable in flat}


def restore_network(
    module: nnx.Module, weights: dict[str, np.ndarray[Any, Any]]
) -> nnx.Module:
    """Put flat weights into a freshly built network; raises InputError
    (MODEL_INVALID) when names or shapes differ from the architecture's. The network
    may be abstract (``nnx.eval_shape``): to draw weights only to replace them is slow."""
    import jax
    from flax import nnx

    state = check_fit(module, weights)
    for name, variable in _by_name(state).items():
        # jnp.asarray would compile a program for each shape.
        variable.set_value(jax.device_put(weights[name]))
    nnx.update(module, state)
    return module
