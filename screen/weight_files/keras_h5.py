"""Keras' HDF5 weight files: plain arrays in groups named after the layers."""

from collections.abc import Iterator
from io import BytesIO
from itertools import count
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from screen.weight_files.weight_file import Arrays, InvalidFile, UnsafeFile

MAX_DEPTH = 6
MAX_ITEMS = 10_000
ROLES = {"kernel": ("kernel", "W"), "bias": ("bias", "b")}
"""Our name of a weight, and Keras' newer and older ones."""


def read_keras_h5(data: bytes) -> Arrays:
    """Named arrays ``LAYER.kernel`` and ``LAYER.bias``; raises UnsafeFile or InvalidFile.

    The layer is the first group's name below ``model_weights`` where that is present.
    """
    try:
        with h5py.File(BytesIO(data), "r") as file:
            root = file
            if isinstance(file.get("model_weights", getlink=True), h5py.HardLink):
                root = file["model_weights"]
            found: dict[str, Any] = {}
            _collect(root, (), found, count(1))
            n_bytes = sum(item.size * item.dtype.itemsize for item in found.values())
            if n_bytes > len(data):
                raise InvalidFile(f"it names {n_bytes} bytes in a file of {len(data)}")
            return _named(found)
    except (OSError, RuntimeError, KeyError) as error:
        raise InvalidFile(f"the HDF5 file cannot be read ({error})") from error


def _collect(
    group: Any, path: tuple[str, ...], found: dict[str, Any], visits: Iterator[int]
) -> None:
    if len(path) > MAX_DEPTH:
        raise InvalidFile("its groups are nested too deep")
    for name in group:
        # Groups may hold each other, so what counts is visits.
        if next(visits) > MAX_ITEMS:
            raise InvalidFile(f"more than {MAX_ITEMS} groups and arrays")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise UnsafeFile(f"{name} is a link to elsewhere")
        item = group[name]
        if isinstance(item, h5py.Group):
            _collect(item, (*path, name), found, visits)
        elif isinstance(item, h5py.Dataset):
            _plain(item, name)
            found["/".join((*path, name))] = item
        else:
            raise UnsafeFile(f"{name} is no array")


def _plain(item: Any, name: str) -> None:
    layout = item.id.get_create_plist().get_layout()
    if item.external or item.is_virtual:
        raise UnsafeFile(f"the numbers of {name} lie in another file")
    if layout not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
        raise InvalidFile(f"{name} is packed")
    if item.dtype.kind != "f" or item.dtype.itemsize not in (2, 4, 8):
        raise UnsafeFile(f"{name} holds no numbers")


def _named(found: dict[str, Any]) -> Arrays:
    arrays: Arrays = {}
    for path, item in found.items():
        layer, _, last = path.partition("/")
        name = f"{layer}.{_role(last.rpartition('/')[2])}"
        if name in arrays:
            raise InvalidFile(f"two arrays are {name}")
        array: NDArray[Any] = np.asarray(item[()])
        arrays[name] = array
    if not arrays:
        raise InvalidFile("it holds no arrays")
    return arrays


def _role(name: str) -> str:
    stem = name.partition(":")[0]
    words = stem.split("_")
    for role, known in ROLES.items():
        if any(word in known for word in words):
            return role
    return stem
