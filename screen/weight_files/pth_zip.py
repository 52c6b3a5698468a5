"""Torch's present file form: a zip of stored members, one pickle and one per storage."""

import zipfile
from io import BytesIO

from screen.weight_files.allowed_pickle import Reader
from screen.weight_files.weight_file import (
    Arrays,
    InvalidFile,
    bounded,
    itemsize,
    state_dict,
    tensor_array,
)

MAX_PICKLE_BYTES = 64 << 20
"""A state_dict's pickle has about 200 bytes for each tensor."""


def read_pth_zip(data: bytes) -> Arrays:
    """Named arrays of a ``.pth`` file; raises UnsafeFile or InvalidFile."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return _arrays(archive, len(data))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise InvalidFile(f"the zip cannot be read ({error})") from error


def _arrays(archive: zipfile.ZipFile, n_bytes: int) -> Arrays:
    members = {info.filename: info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise InvalidFile("two members of the zip share a name")
    # torch never compresses, so no member is larger than the file.
    if any(i.compress_type != zipfile.ZIP_STORED for i in members.values()):
        raise InvalidFile("a member of the zip is compressed")
    if sum(info.file_size for info in members.values()) > n_bytes:
        raise InvalidFile("members of the zip are larger than the file")
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1 or any(n.endswith("/constants.pkl") for n in members):
        raise InvalidFile("not a state_dict but another kind of torch archive")
    folder = pickles[0].removesuffix("data.pkl")
    if folder + "byteorder" in members:
        order = archive.read(folder + "byteorder")
        if order != b"little":
            raise InvalidFile(f"byte order {order[:16]!r}")
    if members[pickles[0]].file_size > MAX_PICKLE_BYTES:
        raise InvalidFile("its pickle is too large for a state_dict")
    tensors = state_dict(Reader(archive.read(pickles[0])).run())
    bounded(list(tensors.values()), n_bytes)
    storages: dict[str, bytes] = {}
    arrays: Arrays = {}
    for name, tensor in tensors.items():
        storage = tensor.storage
        if storage.start:
            raise InvalidFile("a part of a storage")
        if storage.key not in storages:
            member = f"{folder}data/{storage.key}"
            if member not in members:
                raise InvalidFile(f"storage {storage.key} is not in the file")
            storages[storage.key] = archive.read(member)
        size = storage.n * itemsize(storage.kind)
        if len(storages[storage.key]) < size:
            raise InvalidFile(f"storage {storage.key} is cut")
        arrays[name] = tensor_array(tensor, memoryview(storages[storage.key])[:size])
    return arrays
