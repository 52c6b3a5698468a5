"""A fit on disk after an epoch, in one file, whole or absent; and how it is taken up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from plates.json_text import strict_json
from plates.problems import InputError, Problem
from screen.durable import write_whole
from screen.teaching.lesson import Lesson
from screen.teaching.plan import FitPlan

SCHEMA = 2
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy")
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to: the plan, the sha256 of all it is taught with, and
    the libraries and kind of device, without which the bytes are others."""

    plan: dict[str, Any]
    data: str
    made_with: dict[str, str]


@dataclass(frozen=True)
class Snapshot:
    """A fit between two epochs: arrays by name, and facts that JSON can hold."""

    arrays: Arrays
    facts: dict[str, Any]


def identity_of(
    plan: FitPlan, lesson: Lesson, others: Mapping[str, NDArray[Any]]
) -> Identity:
    """Which plan and data a fit is of; ``others`` are watched crops, first weights ..."""
    given: dict[str, NDArray[Any] | None] = {
        "crops": lesson.crops,
        "targets": lesson.targets,
        "told": lesson.told,
        "weights": lesson.weights,
        "bags": lesson.bags,
    }
    text = json.loads(strict_json(asdict(plan)))
    return Identity(text, _sum_of({**given, **others}), _made_with())


def _made_with() -> dict[str, str]:
    (device,) = jnp.zeros(()).devices()
    return {name: version(name) for name in LIBRARIES} | {"device": device.device_kind}


def _sum_of(arrays: Mapping[str, NDArray[Any] | None]) -> str:
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        if array is None:
            continue
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _sealed(arrays: Arrays, facts: str) -> str:
    return hashlib.sha256((_sum_of(arrays) + facts).encode()).hexdigest()


@dataclass(frozen=True)
class Store:
    """One checkpoint file and the fit that it belongs to."""

    path: Path
    identity: Identity

    def write(self, snapshot: Snapshot) -> None:
        """Write or replace the file whole, on the disk itself."""
        text = {"schema": SCHEMA, **asdict(self.identity), **snapshot.facts}
        facts = strict_json(text)
        arrays = {k: np.asarray(v, order="C") for k, v in snapshot.arrays.items()}
        metadata = {"fit": facts, "sha256": _sealed(arrays, facts)}
        write_whole(self.path, save(arrays, metadata))

    def read(self) -> Snapshot | None:
        """The snapshot; None where there is no file yet.

        Raises InputError: CHECKPOINT_INVALID when the file is cut or changed,
        CHECKPOINT_MISMATCH when it belongs to another plan, other data, libraries of
        other versions or another kind of device.
        """
        if not self.path.exists():
            return None
        try:
            snapshot, is_whole = _loaded(self.path)
        except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
            found = f"it does not read as a checkpoint: {error}"
            raise _invalid(self.path, found) from error
        if not is_whole:
            raise _invalid(self.path, "its checksum does not agree")
        if changed := _changed(self.identity, snapshot.facts):
            raise InputError(
                Problem(
                    "CHECKPOINT_MISMATCH",
                    str(self.path),
                    changed,
                    "a fit can only go on as it was begun",
                    "undo the change, or delete the file to begin anew",
                )
            )
        return snapshot

    def fitted(self, tree: Any, prefix: str, arrays: Arrays) -> Any:
        """The tree with the stored leaves; raises InputError (CHECKPOINT_INVALID)."""
        try:
            return refilled(tree, prefix, arrays)
        except ValueError as error:
            raise _invalid(self.path, str(error)) from error


def _loaded(path: Path) -> tuple[Snapshot, bool]:
    with safe_open(path, "np") as file:
        metadata = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    is_whole = metadata["sha256"] == _sealed(arrays, metadata["fit"])
    return Snapshot(arrays, json.loads(metadata["fit"])), is_whole


def _changed(identity: Identity, facts: dict[str, Any]) -> str:
    if facts["schema"] != SCHEMA:
        return f"schema {facts['schema']}, this version writes {SCHEMA}"
    if moved := _moved(facts["plan"], identity.plan):
        return f"begun with another plan: {moved}"
    if moved := _moved(facts["made_with"], identity.made_with):
        return f"begun with other libraries or another device: {moved}"
    return (
        ""
        if facts["data"] == identity.data
        else "begun with other crops, labels or weights"
    )


def _moved(old: dict[str, Any], new: dict[str, Any]) -> str:
    names = sorted({*old, *new})
    pairs = [(name, old.get(name), new.get(name)) for name in names]
    return ", ".join(f"{name} {a} -> {b}" for name, a, b in pairs if a != b)


def _invalid(path: Path, found: str) -> InputError:
    why, remedy = "a fit cannot go on from it", "delete the file to begin anew"
    return InputError(Problem("CHECKPOINT_INVALID", str(path), found, why, remedy))


def flat(tree: Any, prefix: str) -> Arrays:
    """The leaves of a tree of arrays as copies on the host, by the path to each."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        prefix + jax.tree_util.keystr(path, simple=True, separator="."): np.array(leaf)
        for path, leaf in leaves
    }


def refilled(tree: Any, prefix: str, arrays: Arrays) -> Any:
    """The tree with its leaves replaced by arrays; raises ValueError when names, shapes
    or types are not those of the tree."""
    expected = {name: (v.shape, v.dtype) for name, v in flat(tree, prefix).items()}
    found = {n: (v.shape, v.dtype) for n, v in arrays.items() if n.startswith(prefix)}
    if expected != found:
        odd = sorted(set(expected) ^ set(found))[:3] or "other shapes"
        raise ValueError(f"its arrays do not fit the network: {odd}")
    structure = jax.tree.structure(tree)
    return jax.tree.unflatten(structure, [jnp.array(arrays[name]) for name in expected])
