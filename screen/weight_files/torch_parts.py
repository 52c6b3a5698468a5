"""The few things that a torch weight file may name, and our own step for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from screen.weight_files.weight_file import STORAGES, StorageRef, TensorRef, UnsafeFile

MAX_RANK = 8
"""Axes of a tensor."""


@dataclass(frozen=True)
class Name:
    """A module and attribute that a pickle mentions; never imported."""

    module: str
    attribute: str

    def __str__(self) -> str:
        """Dotted."""
        return f"{self.module}.{self.attribute}"


def _ordered(*items: Any) -> dict[Any, Any]:
    if items not in ((), ([],)):
        raise UnsafeFile("an OrderedDict is made of something")
    return {}


def _tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any
) -> TensorRef:
    if not isinstance(storage, StorageRef) or not is_count(offset):
        raise UnsafeFile("a tensor is made of something else than a storage")
    for numbers in (shape, strides):
        if type(numbers) is not tuple or not all(map(is_count, numbers)):
            raise UnsafeFile("a tensor's shape is not made of whole numbers")
    if len(shape) != len(strides) or len(shape) > MAX_RANK:
        raise UnsafeFile("a tensor's shape and strides do not fit each other")
    return TensorRef(storage, offset, shape, strides)


def _parameter(data: Any, *rest: Any) -> TensorRef:
    if not isinstance(data, TensorRef):
        raise UnsafeFile("a parameter is made of something else than a tensor")
    return data


def is_count(value: Any) -> bool:
    """Whether it is a whole number that a size may have."""
    return type(value) is int and 0 <= value < 1 << 48


MAKERS: dict[Name, Callable[..., Any]] = {
    Name("collections", "OrderedDict"): _ordered,
    Name("torch._utils", "_rebuild_tensor"): _tensor,
    Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Name("torch._utils", "_rebuild_parameter"): _parameter,
    Name("torch.nn.parameter", "Parameter"): _parameter,
}
"""All that a weight file may ask to be made, and our own step for each."""
KINDS = {Name("torch", kind): kind for kind in STORAGES}
