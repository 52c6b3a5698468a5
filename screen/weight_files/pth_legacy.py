"""Torch's file form before 1.6: five pickles, then the numbers of each storage."""

import struct

from screen.weight_files.allowed_pickle import Reader
from screen.weight_files.weight_file import (
    Arrays,
    InvalidFile,
    StorageRef,
    TensorRef,
    bounded,
    itemsize,
    state_dict,
    tensor_array,
)

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAGIC_BYTES = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How such a file begins."""


def read_pth_legacy(data: bytes) -> Arrays:
    """Named arrays of an old ``.pth`` file; raises UnsafeFile or InvalidFile."""
    found, at = [], 0
    for _ in range(5):
        reader = Reader(data, at)
        found.append(reader.run())
        at = reader.at
    magic, protocol, system, described, keys = found
    if magic != MAGIC or protocol != PROTOCOL:
        raise InvalidFile(f"torch file form {protocol}")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise InvalidFile("its numbers are not little-endian")
    tensors = state_dict(described)
    bounded(list(tensors.values()), len(data))
    numbers = _numbers(data, at, keys, _sizes(tensors))
    return {
        name: tensor_array(tensor, _part(numbers[tensor.storage.key], tensor.storage))
        for name, tensor in tensors.items()
    }


def _sizes(tensors: dict[str, TensorRef]) -> dict[str, int]:
    """Bytes of a number of each storage."""
    sizes: dict[str, int] = {}
    for tensor in tensors.values():
        storage = tensor.storage
        if sizes.setdefault(storage.key, itemsize(storage.kind)) != itemsize(
            storage.kind
        ):
            raise InvalidFile(f"storage {storage.key} is of two kinds")
    return sizes


def _numbers(
    data: bytes, at: int, keys: object, sizes: dict[str, int]
) -> dict[str, memoryview]:
    if not isinstance(keys, list) or set(sizes) - set(map(str, keys)):
        raise InvalidFile("the file lists other storages than it names")
    found: dict[str, memoryview] = {}
    for key in keys:
        if type(key) is not str or key not in sizes or key in found:
            raise InvalidFile("a storage that belongs to no tensor")
        if at + 8 > len(data):
            raise InvalidFile("the file is cut")
        (n,) = struct.unpack_from("<q", data, at)
        end = at + 8 + n * sizes[key]
        if n < 0 or end > len(data):
            raise InvalidFile("the file is cut")
        found[key] = memoryview(data)[at + 8 : end]
        at = end
    return found


def _part(numbers: memoryview, storage: StorageRef) -> memoryview:
    size = itemsize(storage.kind)
    first, last = storage.start * size, (storage.start + storage.n) * size
    if last > len(numbers):
        raise InvalidFile(f"storage {storage.key} is cut")
    return numbers[first:last]
