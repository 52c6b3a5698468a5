"""One weight file by its first bytes: torch, safetensors or Keras."""

import hashlib
from pathlib import Path

import numpy as np

from plates.problems import InputError, Problem
from screen.weight_files.keras_h5 import read_keras_h5
from screen.weight_files.pth_legacy import MAGIC_BYTES, read_pth_legacy
from screen.weight_files.pth_zip import read_pth_zip
from screen.weight_files.safetensors_file import read_safetensors
from screen.weight_files.weight_file import (
    Arrays,
    InvalidFile,
    Layout,
    UnsafeFile,
    WeightFile,
)

MAX_BYTES = 4 << 30
HDF5_BYTES = b"\x89HDF\r\n\x1a\n"


def read_weight_file(path: Path) -> WeightFile:
    """Named arrays of a ``.pth`` (zip or older), ``.safetensors`` or Keras ``.h5`` file.

    The form is told by its first bytes, not by its name. Raises InputError:
    WEIGHTS_UNSAFE when it asks for more than numbers, WEIGHTS_INVALID when it is cut,
    of another form or holds values that are no numbers, INPUT_MISSING.
    """
    data = _bytes(path)
    try:
        arrays, layout = _read(data)
        _finite(arrays)
    except UnsafeFile as error:
        raise weights_problem(
            "WEIGHTS_UNSAFE",
            path,
            str(error),
            "a weight file holds numbers; anything else could run code",
            "take the weights from their authors, best as safetensors",
        ) from error
    except InvalidFile as error:
        raise weights_problem(
            "WEIGHTS_INVALID",
            path,
            str(error),
            "weights that cannot be proven whole mean nothing",
            "fetch the file again, or save a state_dict (.pth, .safetensors, .h5)",
        ) from error
    return WeightFile(arrays, layout, hashlib.sha256(data).hexdigest())


def weights_problem(
    code: str, path: Path, found: str, why: str, remedy: str
) -> InputError:
    """The refusal of a weight file."""
    return InputError(Problem(code, str(path), found, why, remedy))


def _bytes(path: Path) -> bytes:
    try:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise weights_problem(
                "WEIGHTS_INVALID",
                path,
                f"{path.stat().st_size} bytes",
                f"at most {MAX_BYTES} are read",
                "choose the weights of one network",
            )
        return path.read_bytes()
    except OSError as error:
        raise weights_problem(
            "INPUT_MISSING",
            path,
            str(error.strerror),
            "the network begins with these weights",
            "correct network.weights, or leave it empty",
        ) from error


def _read(data: bytes) -> tuple[Arrays, Layout]:
    if data.startswith(b"PK\x03\x04"):
        return read_pth_zip(data), "torch"
    if data.startswith(MAGIC_BYTES):
        return read_pth_legacy(data), "torch"
    if data.startswith(HDF5_BYTES):
        return read_keras_h5(data), "keras"
    if data[8:9] == b"{":
        return read_safetensors(data)
    if data.startswith(b"\x80"):
        raise UnsafeFile("a bare pickle")
    raise InvalidFile("neither a torch, a safetensors nor an HDF5 file")


def _finite(arrays: Arrays) -> None:
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InvalidFile(f"{name} holds NaN or infinity")
