"""Weights in safetensors, named as torch or as our own networks name them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from screen.weight_files.weight_file import Arrays, InvalidFile, Layout

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8"}


def read_safetensors(data: bytes) -> tuple[Arrays, Layout]:
    """Named arrays and their naming: ours when a name ends in ``.kernel``.

    bfloat16 becomes float32; raises InvalidFile.
    """
    try:
        found = deserialize(data)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise InvalidFile(f"not safetensors ({error})") from error
    if not found:
        raise InvalidFile("it holds no arrays")
    arrays = {name: _array(name, item) for name, item in found}
    layout: Layout = "own" if any(n.endswith(".kernel") for n in arrays) else "torch"
    return arrays, layout


def _array(name: str, item: dict[str, Any]) -> NDArray[Any]:
    kind = item["dtype"]
    if kind not in TYPES:
        raise InvalidFile(f"{name} holds {kind}, which no network takes")
    flat = np.frombuffer(item["data"], TYPES[kind])
    if kind == "BF16":
        # A bfloat16 is the upper half of a float32.
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(item["shape"])
