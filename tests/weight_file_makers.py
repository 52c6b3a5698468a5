"""Weight files for the tests: well made ones and hostile ones, byte by byte."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage"}


def text(value: str) -> bytes:
    """The instruction that pushes text."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    """The instruction that pushes a whole number."""
    data = value.to_bytes(9, "little", signed=True)
    return b"\x8a\x09" + data


def storage(key: str, n: int, kind: str = "FloatStorage") -> bytes:
    """The instructions that push a storage."""
    parts = b"(" + text("storage") + f"ctorch\n{kind}\n".encode()
    return parts + text(key) + text("cpu") + number(n) + b"tQ"


def tensor(
    key: str, shape: tuple[int, ...], strides: tuple[int, ...], n: int, offset: int = 0
) -> bytes:
    """The instructions that push a tensor."""
    sizes = b"(" + b"".join(map(number, shape)) + b"t"
    steps = b"(" + b"".join(map(number, strides)) + b"t"
    made = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(key, n) + number(offset)
    return made + sizes + steps + b"\x89" + b"ccollections\nOrderedDict\n)RtR"


def described(items: Mapping[str, bytes]) -> bytes:
    """The pickle of a state_dict, its values being instructions."""
    pairs = b"".join(text(name) + value for name, value in items.items())
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + pairs + b"u."


def plain(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The pickle of contiguous float32 arrays, a storage each, named 0, 1, ..."""
    items = {}
    for i, (name, array) in enumerate(arrays.items()):
        strides = tuple(s // array.itemsize for s in array.strides)
        items[name] = tensor(str(i), array.shape, strides, array.size)
    return described(items)


def zipped(
    pickled: bytes,
    storages: Mapping[str, bytes],
    *,
    packed: bool = False,
    **more: bytes,
) -> bytes:
    """A ``.pth`` file of the present form."""
    file = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", how) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, data in more.items():
            archive.writestr(f"archive/{name.replace('__', '.')}", data)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
    return file.getvalue()


def zip_of(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays f32 as torch saves them now."""
    datas = {str(i): a.astype("<f4").tobytes() for i, a in enumerate(arrays.values())}
    return zipped(plain(arrays), datas, byteorder=b"little", version=b"3\n")


def legacy(pickled: bytes, storages: Mapping[str, np.ndarray]) -> bytes:
    """A ``.pth`` file of the older form."""
    system = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {}}
    heads = [pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, system)]
    tail = pickle.dumps(list(storages), 2)
    for array in storages.values():
        tail += struct.pack("<q", array.size) + array.tobytes()
    return b"".join(heads) + pickled + tail


def legacy_of(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays f32 as torch saved them before 1.6."""
    numbers = {str(i): a.astype("<f4") for i, a in enumerate(arrays.values())}
    return legacy(plain(arrays), numbers)


class Calling:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        """What an unpickler would call."""
        self.made = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        """As pickle asks."""
        return self.made


def called(function: Any, *arguments: Any) -> bytes:
    """A pickle that, unpickled, calls a function."""
    return pickle.dumps(OrderedDict(w=Calling(function, *arguments)), 2)
