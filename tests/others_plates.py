"""Small OME-Zarr plates as other tools write them: every form through zarr itself."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numcodecs import Blosc, GZip, Zlib, Zstd
from numpy.typing import NDArray
from zarr.codecs import (
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    ZstdCodec,
)

from plates.wells import Well

TYPES = {"t": "time", "c": "channel"}
V2_COMPRESSORS: dict[str, Any] = {
    "none": None,
    "blosc": Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE),
    "zstd": Zstd(level=1),
    "gzip": GZip(level=1),
    "zlib": Zlib(level=1),
}
V3_CODECS: dict[str, list[Any]] = {
    "none": [],
    "blosc": [BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")],
    "zstd": [ZstdCodec(level=1)],
    "gzip": [GzipCodec(level=1)],
    "crc32c": [BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"), Crc32cCodec()],
}


@dataclass(frozen=True)
class Form:
    """How a plate is written; `shape` is (t, c, z, y, x), `axes` those that are kept."""

    version: Literal["0.4", "0.5"] = "0.5"
    axes: str = "tczyx"
    shape: tuple[int, ...] = (1, 2, 1, 24, 20)
    chunk: tuple[int, ...] = (1, 1, 1, 16, 16)  # of t, c, z, y, x
    shard: tuple[int, ...] | None = None
    dtype: str = "<u2"
    order: str = "C"
    separator: Literal[".", "/"] = "/"
    codec: str = "blosc"
    level: str = "0"
    levels: tuple[str, ...] = ()  # smaller ones
    n_fields: int = 1
    wells: tuple[str, ...] = ("A/1", "B/2")
    channels: tuple[str, ...] | None = ("nucleus", "body")
    unit: str | None = "micrometer"
    scale: float = 0.65
    rows: tuple[str, ...] = ("A", "B")
    columns: tuple[str, ...] = ("1", "2", "3")
    name: str = "P1"
    transpose: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def kept(self, values: tuple[int, ...]) -> tuple[int, ...]:
        """Values for t, c, z, y, x in the order of the axes."""
        return tuple(values["tczyx".index(axis)] for axis in self.axes)


def pixels_of(form: Form, well: str, name: int) -> NDArray[Any]:
    """(t, c, z, y, x) pixels of one field, different for every one."""
    key = [*map(ord, str(Well.parse(well))), name]
    rng = np.random.default_rng(key)
    native = np.dtype(form.dtype).newbyteorder("=")
    return rng.integers(1, 200, form.shape).astype(native)


def write_plate(root: Path, form: Form, *, draw: Any = pixels_of) -> Path:
    """Write the plate; `draw(form, well, field)` gives its pixels (t, c, z, y, x)."""
    if root.exists():
        shutil.rmtree(root)
    wells = [
        {
            "path": path,
            "rowIndex": form.rows.index(path.split("/")[0]),
            "columnIndex": form.columns.index(path.split("/")[1]),
        }
        for path in form.wells
    ]
    block = {
        "name": form.name,
        "rows": [{"name": name} for name in form.rows],
        "columns": [{"name": name} for name in form.columns],
        "wells": wells,
        **form.extra,
    }
    write_group(root, form, {"plate": block})
    for path in form.wells:
        write_group(root / path.split("/")[0], form, {})
        images = [{"path": str(n)} for n in range(form.n_fields)]
        write_group(root / path, form, {"well": {"images": images}})
        for n in range(form.n_fields):
            write_image(root / path / str(n), form, draw(form, path, n))
    return root


def write_group(path: Path, form: Form, content: dict[str, Any]) -> None:
    """A group with an NGFF block of the form's version."""
    path.mkdir(parents=True, exist_ok=True)
    if form.version == "0.5":
        ome = {"ome": {"version": "0.5", **content}} if content else {}
        group = {"zarr_format": 3, "node_type": "group", "attributes": ome}
        (path / "zarr.json").write_text(json.dumps(group))
        return
    for block in content.values():
        for item in block if isinstance(block, list) else [block]:
            item.setdefault("version", "0.4")
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    (path / ".zattrs").write_text(json.dumps(content))


def write_image(path: Path, form: Form, pixels: NDArray[Any]) -> None:
    """One image with its level 0 and, if asked, smaller ones."""
    axes = [
        {"name": name, "type": TYPES.get(name, "space")}
        | ({"unit": form.unit} if form.unit and name in "zyx" else {})
        for name in form.axes
    ]
    steps = form.kept((1, 1, 2, 1, 1))
    datasets = []
    for n, level in enumerate((form.level, *form.levels)):
        size = [form.scale * 2**n * k if a in "yxz" else 1.0
                for a, k in zip(form.axes, steps, strict=True)]  # fmt: skip
        scale = {"type": "scale", "scale": size}
        datasets.append({"path": level, "coordinateTransformations": [scale]})
    content: dict[str, Any] = {"multiscales": [{"axes": axes, "datasets": datasets}]}
    if form.channels is not None:
        content["omero"] = {"channels": [{"label": name} for name in form.channels]}
    write_group(path, form, content)
    if form.version == "0.4":
        content["omero"].pop("version", None) if form.channels is not None else None
    for n, level in enumerate((form.level, *form.levels)):
        write_array(path / level, form, pixels[..., :: 2**n, :: 2**n])


def write_array(path: Path, form: Form, pixels: NDArray[Any]) -> None:
    """(t, c, z, y, x) pixels as an array with the form's axes."""
    order = ["tczyx".index(axis) for axis in form.axes]
    dropped = tuple(n for n, axis in enumerate("tczyx") if axis not in form.axes)
    data = pixels.squeeze(dropped).transpose(np.argsort(np.argsort(order)))
    chunk = tuple(
        min(n, m) for n, m in zip(form.kept(form.chunk), data.shape, strict=True)
    )
    config = {"write_empty_chunks": True, "order": "C"}
    if form.version == "0.4":
        array = zarr.create_array(
            path,
            shape=data.shape,
            dtype=form.dtype,
            chunks=chunk,
            zarr_format=2,
            order=form.order,  # type: ignore[arg-type]
            compressors=V2_COMPRESSORS[form.codec],
            filters=None,
            chunk_key_encoding={"name": "v2", "separator": form.separator},
            config={"write_empty_chunks": True},
        )
    else:
        endian: Any = "big" if form.dtype.startswith(">") else "little"
        codecs = [BytesCodec(endian=endian), *V3_CODECS[form.codec]]
        if form.transpose:
            codecs.insert(0, TransposeCodec(order=tuple(reversed(range(data.ndim)))))
        outer = chunk
        if form.shard is not None:
            outer = form.kept(form.shard)
            codecs = [ShardingCodec(chunk_shape=chunk, codecs=codecs)]
        array = zarr.create(
            store=str(path),
            shape=data.shape,
            dtype=np.dtype(form.dtype).newbyteorder("=").name,
            chunks=outer,
            codecs=codecs,
            zarr_format=3,
            chunk_key_encoding=("default", form.separator),
            config=config,  # type: ignore[arg-type]
        )
    array[...] = data


def edit_json(path: Path, change: Any) -> None:
    """Change a JSON file in place; `change` edits the content it is given."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
