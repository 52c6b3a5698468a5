"""One field's image: axes by name, level 0, channel names and pixel size, without pixels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plates.ome_zarr.faults import (
    LARGEST_FIELD_PX,
    LARGEST_PLANE_PX,
    MALFORMED,
    MOST_LEVELS,
    over_limit,
    refusal,
)
from plates.ome_zarr.layouts import Layout, parse_layout
from plates.ome_zarr.nodes import Group, inner_path, join, read_group, read_object
from plates.ome_zarr.plate_block import check_version
from plates.ome_zarr.stores import Store
from plates.planes import PlaneError
from plates.problems import InputError

AXES = "tczyx"
_UM = {
    **dict.fromkeys(("micrometer", "micrometre", "um", "µm", "μm", "micron"), 1.0),
    **dict.fromkeys(("nanometer", "nanometre", "nm"), 1e-3),
    **dict.fromkeys(("millimeter", "millimetre", "mm"), 1e3),
    **dict.fromkeys(("centimeter", "centimetre", "cm"), 1e4),
    **dict.fromkeys(("meter", "metre", "m"), 1e6),
    **dict.fromkeys(("picometer", "picometre", "pm"), 1e-6),
    "angstrom": 1e-4,
}
_SQUARE = 1e-3


@dataclass(frozen=True)
class Image:
    """A field as it lies in the store; `axes` are those of the array, such as 'cyx'.

    `pixel_size_um` and `z_step_um` are None where the metadata give no size or no unit.
    `doubts` are faults of smaller resolution levels, which are not read.
    """

    level_key: str
    axes: str
    layout: Layout
    channels: tuple[str, ...]
    pixel_size_um: float | None
    z_step_um: float | None
    doubts: tuple[str, ...]
    data: bytes  # of both metadata files

    def length(self, axis: str) -> int:
        """Size along an axis, 1 if the image has no such axis."""
        place = self.axes.find(axis)
        return 1 if place < 0 else self.layout.shape[place]

    @property
    def shape(self) -> tuple[int, ...]:
        """(t, c, z, y, x)."""
        return tuple(map(self.length, AXES))

    @property
    def dtype(self) -> str:
        """Pixel type in native byte order."""
        return self.layout.dtype.newbyteorder("=").name


def read_image(
    store: Store, key: str, zarr_format: int | None = None, *, levels: bool = False
) -> Image:
    """The image at `key`; `levels` looks at the smaller resolution levels too.

    PlaneError FIELD_META_MISSING or FIELD_META_INVALID costs the field; InputError is a
    fault for which the whole plate is refused.
    """
    where = join(store.name, key)
    group = read_group(store, key)
    if group is None or "multiscales" not in group.ome:
        raise PlaneError("FIELD_META_MISSING", f"no multiscales at {where}")
    if zarr_format not in (None, group.zarr_format):
        found = f"Zarr v{group.zarr_format} in a plate of Zarr v{zarr_format}"
        raise refusal("ZARR_UNSUPPORTED", where, found)
    try:
        return _parse(store, key, group, where, levels=levels)
    except InputError:
        raise
    except MALFORMED as error:
        if isinstance(error, PlaneError):
            raise
        raise PlaneError("FIELD_META_INVALID", f"{where}: {error!r}") from None


def _parse(store: Store, key: str, group: Group, where: str, *, levels: bool) -> Image:
    multiscale = group.ome["multiscales"][0]
    check_version(group, multiscale, where)
    axes = _axes(multiscale.get("axes"), where)
    datasets = multiscale["datasets"]
    if len(datasets) > MOST_LEVELS:
        raise over_limit(where, "levels", f"{len(datasets)} levels", MOST_LEVELS)
    paths = [inner_path(dataset["path"], where) for dataset in datasets]
    found = _read_layout(store, join(key, paths[0]), group.zarr_format)
    if found is None:
        text = f"level 0 is not there: {join(where, paths[0])}"
        raise PlaneError("FIELD_META_MISSING", text)
    layout, data = found
    _check_axes(axes, layout, where)
    scales = _scales(multiscale, len(axes), where)
    steps = {
        axis: scale * unit if unit is not None else None
        for axis, scale, unit in zip(
            axes, scales or (), _units(multiscale["axes"]), strict=False
        )
    }
    pixel_size = steps.get("x")
    if pixel_size and not math.isclose(
        pixel_size, steps.get("y") or 0.0, rel_tol=_SQUARE
    ):
        text = f"pixels of {steps['y']} x {steps['x']} um, square ones are needed"
        raise refusal("ZARR_UNSUPPORTED", where, text)
    n_channels = layout.shape[axes.index("c")] if "c" in axes else 1
    return Image(
        level_key=join(key, paths[0]),
        axes=axes,
        layout=layout,
        channels=_channels(group.ome, n_channels, where),
        pixel_size_um=pixel_size,
        z_step_um=steps.get("z"),
        doubts=_level_doubts(store, key, paths, layout, group.zarr_format)
        if levels
        else (),
        data=group.data + data,
    )


def _axes(axes: object, where: str) -> str:
    """The axes' letters in order; InputError AXES_UNKNOWN unless all are known by name."""
    names = [
        str(axis.get("name") if isinstance(axis, dict) else axis).lower()
        for axis in (axes if isinstance(axes, list) else [])
    ]
    known = all(name in AXES and len(name) == 1 for name in names)
    if not known or len(set(names)) < len(names) or not {"y", "x"} <= set(names):
        told = names if names else "no axes"
        found = f"{told}, needed are names among t, c, z, y, x with y and x"
        raise refusal("AXES_UNKNOWN", where, str(found)[:300])
    return "".join(names)


def _check_axes(axes: str, layout: Layout, where: str) -> None:
    """Names and sizes of the array against the image's, before anything is allocated."""
    if len(axes) != len(layout.shape):
        found = f"axes {axes!r} for an array of shape {layout.shape}"
        raise refusal("AXES_UNKNOWN", where, found)
    given = [str(name).lower() for name in layout.names if name]
    if given and given != list(axes):
        found = f"axes {axes!r}, the array's own are {layout.names}"
        raise refusal("AXES_UNKNOWN", where, found)
    sizes = dict(zip(axes, layout.shape, strict=True))
    plane = sizes["y"] * sizes["x"]
    if plane > LARGEST_PLANE_PX:
        found = f"a plane of {sizes['y']} x {sizes['x']} pixels"
        raise over_limit(where, "plane_px", found, LARGEST_PLANE_PX)
    if math.prod(layout.shape) > LARGEST_FIELD_PX:
        found = f"a field of {layout.shape}"
        raise over_limit(where, "field_px", found, LARGEST_FIELD_PX)


def _read_layout(
    store: Store, key: str, zarr_format: int
) -> tuple[Layout, bytes] | None:
    """An array's layout and its metadata as stored; None if there is no array."""
    names = {2: ".zarray", 3: "zarr.json"}
    found = read_object(store, join(key, names[zarr_format]))
    if found is None:
        other = names[5 - zarr_format]
        if store.size(join(key, other)) is not None:
            text = f"{other} in a plate of Zarr v{zarr_format}"
            raise refusal("ZARR_UNSUPPORTED", join(store.name, key), text)
        return None
    content, data = found
    if content.get("zarr_format") != zarr_format:
        text = (
            f"zarr_format {content.get('zarr_format')!r}, the plate has {zarr_format}"
        )
        raise refusal("ZARR_UNSUPPORTED", join(store.name, key), text)
    return parse_layout(content, join(store.name, key)), data


def _level_doubts(
    store: Store, key: str, paths: Sequence[str], full: Layout, zarr_format: int
) -> tuple[str, ...]:
    """What is wrong with the smaller levels; none of them is needed."""
    doubts: list[str] = []
    larger = full.shape
    for path in paths[1:]:
        try:
            found = _read_layout(store, join(key, path), zarr_format)
        except InputError as error:
            if error.problems[0].code.startswith(("STORE_", "CREDENTIALS_")):
                raise
            doubts.append(f"level {path!r}: {error.problems[0].found}")
            continue
        if found is None:
            doubts.append(f"level {path!r} is not there")
            continue
        shape = found[0].shape
        if len(shape) != len(larger) or any(
            small > large for small, large in zip(shape, larger, strict=True)
        ):
            doubts.append(f"level {path!r} of {shape} does not fit {larger}")
            continue
        larger = shape
    return tuple(doubts)


def _scales(
    multiscale: Mapping[str, Any], n_axes: int, where: str
) -> list[float] | None:
    """The step along each axis: level 0's scale times that of the whole image."""
    scales: list[float] | None = None
    groups = (
        multiscale["datasets"][0].get("coordinateTransformations"),
        multiscale.get("coordinateTransformations"),
    )
    for transformation in (item for group in groups for item in group or ()):
        if transformation.get("type") not in ("scale", "translation", "identity"):
            found = f"a transformation {transformation.get('type')!r}"
            raise refusal("ZARR_UNSUPPORTED", where, found)
        if transformation["type"] != "scale" or "scale" not in transformation:
            continue
        values = [float(value) for value in transformation["scale"]]
        if len(values) != n_axes or not all(0 < value < math.inf for value in values):
            raise ValueError(f"scale {values}")
        scales = [a * b for a, b in zip(scales or [1.0] * n_axes, values, strict=True)]
    return scales


def _units(axes: Sequence[Any]) -> list[float | None]:
    """Micrometres in the unit of each axis, None where it is not named or no length."""
    units = [axis.get("unit") if isinstance(axis, dict) else None for axis in axes]
    return [_UM.get(unit) if isinstance(unit, str) else None for unit in units]


def _channels(ome: Mapping[str, Any], n_channels: int, where: str) -> tuple[str, ...]:
    """Labels from omero, or C0, C1, ... where it has none; all differ."""
    listed = (ome.get("omero") or {}).get("channels") or [{}] * n_channels
    if len(listed) != n_channels:
        text = f"{where}: {len(listed)} channel names for {n_channels} channels"
        raise PlaneError("FIELD_META_INVALID", text)
    labels = [str(channel.get("label") or "").strip() for channel in listed]
    names = tuple(
        label if label and labels.count(label) == 1 else f"C{n}"
        for n, label in enumerate(labels)
    )
    numbers = tuple(f"C{n}" for n in range(n_channels))
    return names if len(set(names)) == n_channels else numbers
