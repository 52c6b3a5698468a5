"""Label images of cells: a disc where each one lies, beside an image (NGFF 0.5 labels)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plates.json_text import strict_json
from plates.pyramid import STEP
from plates.shard import ShardLayout, encode_shard
from plates.store_metadata import SHARD, PlateSpec, group_json, image_json
from plates.store_stream import make_folder

LABELS = "labels"
_LEAST_PX = 0.75  # further than any place lies from its nearest pixel
_AT_ONCE = 1_000_000  # pixels of discs that are looked at in one go

Rows = NDArray[np.uint32]


@dataclass(frozen=True)
class FieldLabels:
    """The cells of one field: ``centres`` [n 2] (y, x) in full-resolution pixels,
    ``values`` [n] from 1 on, ``colours`` [n 4], and what is told of each."""

    centres: NDArray[np.float64]
    values: NDArray[np.int64]
    colours: NDArray[np.uint8]
    properties: Sequence[dict[str, Any]]


def disc_rows(
    shape: tuple[int, int], centres: NDArray[np.float64], radius: float
) -> Rows:
    """Which cell each pixel (y, x) belongs to: its row from 1 on, 0 for none.

    A pixel in several discs goes to the nearest centre, of equals to the first.
    """
    reach = int(np.ceil(radius))
    span = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(span, span, indexing="ij"), -1).reshape(-1, 2)
    plane = np.zeros(shape[0] * shape[1], np.uint32)
    nearest = np.full(len(plane), np.inf, np.float32)
    some = max(1, _AT_ONCE // len(offsets))
    for start in range(0, len(centres), some):
        part = centres[start : start + some]
        at = np.rint(part).astype(np.int64)[:, None] + offsets
        far = np.square(at - part[:, None]).sum(2).astype(np.float32)
        inside = (far <= radius * radius) & (at >= 0).all(2) & (at < shape).all(2)
        row, _ = np.nonzero(inside)
        far, place = far[inside], at[inside] @ np.array([shape[1], 1])
        order = np.lexsort((row, far, place))
        first = order[np.unique(place[order], return_index=True)[1]]
        first = first[far[first] < nearest[place[first]]]
        nearest[place[first]] = far[first]
        plane[place[first]] = start + row[first] + 1
    return plane.reshape(shape)


def level_rows(
    spec: PlateSpec, centres: NDArray[np.float64], radius_px: float
) -> list[Rows]:
    """`disc_rows` of each resolution level, drawn there anew: no disc is shrunk, and none
    vanishes unless another cell lies in the same pixel."""
    planes = []
    for level in range(spec.n_levels):
        step = STEP**level
        shape = spec.field_shape[1] // step, spec.field_shape[2] // step
        there = (centres - (step - 1) / 2) / step
        planes.append(disc_rows(shape, there, max(radius_px / step, _LEAST_PX)))
    return planes


def write_labels(
    image: Path,
    spec: PlateSpec,
    name: str,
    labels: FieldLabels,
    levels: Sequence[Rows],
    dtype: str,
) -> None:
    """Write the label image `name` into an image's folder, at the levels and in the place
    of the image; ``levels`` are the rows of ``labels`` that `level_rows` draws."""
    folder = image / LABELS / name
    make_folder(folder)
    _write_json(folder.parent, group_json({"labels": [name]}))
    _write_json(folder, group_json(_label_json(spec, name, labels)))
    values = np.concatenate([[0], labels.values]).astype(dtype)
    for level, rows in enumerate(levels):
        plane = values[rows]
        layout = ShardLayout.of_shape((1, 1, 1, *plane.shape), dtype)
        shard = folder / str(level) / SHARD
        make_folder(shard.parent)
        _write_json(folder / str(level), layout.to_json())
        shard.write_bytes(encode_shard(plane[None, None, None], layout))


def _label_json(spec: PlateSpec, name: str, labels: FieldLabels) -> dict[str, Any]:
    (multiscale,) = image_json(spec)["attributes"]["ome"]["multiscales"]
    multiscale = {k: v for k, v in multiscale.items() if k != "type"} | {"name": name}
    block: dict[str, Any] = {"source": {"image": "../../"}}
    if len(labels.values):  # an empty list is refused by the schema
        values = labels.values.tolist()
        block["colors"] = [
            {"label-value": value, "rgba": rgba}
            for value, rgba in zip(values, labels.colours.tolist(), strict=True)
        ]
        block["properties"] = [
            {"label-value": value, **told}
            for value, told in zip(values, labels.properties, strict=True)
        ]
    return {"multiscales": [multiscale], "image-label": block}


def _write_json(folder: Path, content: dict[str, Any]) -> None:
    (folder / "zarr.json").write_bytes(
        strict_json(content, ensure_ascii=False).encode()
    )
