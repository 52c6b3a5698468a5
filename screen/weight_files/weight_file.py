"""What a weight file gives, and how it is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Layout = Literal["torch", "keras", "own"]
Arrays = dict[str, NDArray[Any]]


class UnsafeFile(ValueError):
    """A weight file asks for something that only a program may do."""


class InvalidFile(ValueError):
    """A weight file is cut, or of a form that is not read."""


@dataclass(frozen=True)
class WeightFile:
    """Named arrays, whose naming they follow, and the sha256 of the file."""

    arrays: Arrays
    layout: Layout
    sha256: str


@dataclass(frozen=True)
class StorageRef:
    """A run of ``n`` numbers in a torch file, by its key; ``start`` cuts some off."""

    key: str
    kind: str
    n: int
    start: int = 0


@dataclass(frozen=True)
class TensorRef:
    """A torch tensor before its numbers are read: strides count numbers, not bytes."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
}
"""Kinds of torch storage that are read, and their numbers as they lie in the file."""


def itemsize(kind: str) -> int:
    """Bytes of one number of a storage."""
    return np.dtype(STORAGES[kind]).itemsize


def tensor_array(tensor: TensorRef, numbers: bytes | memoryview) -> NDArray[Any]:
    """The tensor as an array over its storage's bytes, without a copy.

    bfloat16 becomes float32. Raises InvalidFile when it reaches out of its storage.
    """
    kind = tensor.storage.kind
    flat = np.frombuffer(numbers, STORAGES[kind])
    n = int(np.prod(tensor.shape, dtype=object))
    last = tensor.offset + sum(
        (side - 1) * stride
        for side, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if n and last >= len(flat):
        raise InvalidFile("a tensor reaches out of its storage")
    if n > len(flat):
        raise InvalidFile("a tensor is larger than its storage")
    if not n:
        return np.zeros(tensor.shape, np.float32)
    bytes_a_step = [stride * flat.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(
        flat[tensor.offset :], tensor.shape, bytes_a_step, writeable=False
    )
    if kind == "BFloat16Storage":
        # A bfloat16 is the upper half of a float32.
        return (view.astype(np.uint32) << 16).view(np.float32)
    return view


def state_dict(found: object) -> dict[str, TensorRef]:
    """The named tensors of an unpickled checkpoint: itself, or its ``state_dict`` or
    ``model``. Raises InvalidFile when it holds anything else."""
    if isinstance(found, dict):
        for name in ("state_dict", "model"):
            if isinstance(found.get(name), dict):
                found = found[name]
                break
    if not isinstance(found, dict) or not found:
        raise InvalidFile("it holds no named tensors (a state_dict)")
    odd = [str(k) for k, v in found.items() if not isinstance(v, TensorRef)]
    if odd or not all(isinstance(k, str) for k in found):
        raise InvalidFile(f"not a named tensor: {', '.join(odd[:3])}")
    return found


def bounded(tensors: Sequence[TensorRef], n_bytes: int) -> None:
    """Raise InvalidFile when tensors hold more numbers than a file of this size."""
    asked = sum(
        int(np.prod(t.shape, dtype=object)) * itemsize(t.storage.kind) for t in tensors
    )
    # Shared weights are stored once and named twice.
    if asked > 2 * n_bytes:
        raise InvalidFile(f"it names {asked} bytes of numbers in a file of {n_bytes}")
