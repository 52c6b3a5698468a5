"""What a plate holds, and the metadata that say so on disk: OME-Zarr, NGFF 0.5."""

from dataclasses import dataclass
from typing import Any

from plates.pyramid import STEP
from plates.shard import ShardLayout
from plates.wells import PlateFormat, Well

NGFF_VERSION = "0.5"
LEVEL = "0"  # the resolution level at full size
SHARD = "c/0/0/0/0/0"  # the only shard of a level
INGEST = "ingest.json"
AXES = ("t", "c", "z", "y", "x")
LARGEST_FIELD_PX = 1_000_000_000
_COLOURS = ("808080", "00FF00", "FF0000", "0000FF", "FF00FF", "00FFFF", "FFFF00")


@dataclass(frozen=True)
class PlateSpec:
    """What a plate holds: `field_shape` is (c, y, x), the same for every field.

    Level n of `n_levels` is the field at 1 / 4**n of its width. `z_step_um` is the
    distance of the planes of a stack, None where there is no stack or none is known.
    """

    plate: str
    format: PlateFormat
    wells: tuple[Well, ...]
    n_fields: int
    channels: tuple[str, ...]
    pixel_size_um: float
    field_shape: tuple[int, int, int]
    dtype: str
    n_times: int = 1
    n_z: int = 1
    z_step_um: float | None = None
    n_levels: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError if the parts do not fit together."""
        if self.dtype not in ("uint8", "uint16"):
            raise ValueError(f"dtype must be uint8 or uint16, got {self.dtype}")
        if len(self.channels) != self.field_shape[0]:
            raise ValueError(
                f"one name per channel is needed, got {self.channels} "
                f"for field shape {self.field_shape}"
            )
        if len(set(self.channels)) != len(self.channels):
            raise ValueError(f"channel names must differ, got {self.channels}")
        if self.n_fields < 1 or min(self.field_shape) < 1:
            raise ValueError(
                f"n_fields and field_shape must be positive, got {self.n_fields} "
                f"and {self.field_shape}"
            )
        if not self.pixel_size_um > 0:
            raise ValueError(f"pixel_size_um must be > 0, got {self.pixel_size_um}")
        self._check_depth()
        outside = [str(w) for w in self.wells if not self.format.contains(w)]
        if outside or len(set(self.wells)) != len(self.wells) or not self.wells:
            raise ValueError(
                f"wells must be distinct and on the plate, outside: {outside}"
            )

    def _check_depth(self) -> None:
        if min(self.n_times, self.n_z) < 1:
            raise ValueError(
                f"n_times and n_z must be positive, got {self.n_times} and {self.n_z}"
            )
        narrowest = min(self.field_shape[1:]) // STEP ** max(self.n_levels - 1, 0)
        if self.n_levels < 1 or narrowest < 1:
            raise ValueError(
                f"{self.n_levels} levels do not fit a field of {self.field_shape}"
            )
        if self.z_step_um is not None and not (self.n_z > 1 and self.z_step_um > 0):
            raise ValueError(
                f"z_step_um must be > 0 and of a stack, got {self.z_step_um} "
                f"for {self.n_z} planes"
            )

    @property
    def stack_shape(self) -> tuple[int, int, int, int, int]:
        """(t, c, z, y, x) of every field."""
        c, y, x = self.field_shape
        return (self.n_times, c, self.n_z, y, x)

    @property
    def layout(self) -> ShardLayout:
        """How each field's pixels lie on disk."""
        return self.level_layout(0)

    def level_layout(self, level: int) -> ShardLayout:
        """How the pixels of one resolution level lie on disk."""
        *outer, y, x = self.stack_shape
        shape = (*outer, y // STEP**level, x // STEP**level)
        # The coarser levels are to look at: lz4 costs a tenth of the time of zstd.
        return ShardLayout.of_shape(shape, self.dtype, "lz4" if level else "zstd")


def group_json(ome: dict[str, Any] | None = None) -> dict[str, Any]:
    """The zarr.json of a group, with an `ome` block if given."""
    attributes = {} if ome is None else {"ome": {"version": NGFF_VERSION, **ome}}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def plate_json(spec: PlateSpec) -> dict[str, Any]:
    """The plate's root zarr.json."""
    rows = [Well(row, 0).row_name for row in range(spec.format.n_rows)]
    columns = [str(column + 1) for column in range(spec.format.n_columns)]
    wells = [
        {"path": well.path, "rowIndex": well.row, "columnIndex": well.column}
        for well in sorted(spec.wells)
    ]
    plate = {
        "version": NGFF_VERSION,
        "name": spec.plate,
        "field_count": spec.n_fields,
        "rows": [{"name": name} for name in rows],
        "columns": [{"name": name} for name in columns],
        "wells": wells,
    }
    return group_json({"plate": plate})


def well_json(fields: tuple[int, ...]) -> dict[str, Any]:
    """The zarr.json of a well with these fields."""
    images = [{"path": str(field)} for field in fields]
    return group_json({"well": {"version": NGFF_VERSION, "images": images}})


def image_json(spec: PlateSpec) -> dict[str, Any]:
    """The zarr.json of one field's image group."""
    multiscale = {
        "name": spec.plate,
        "axes": [_axis(name, spec) for name in AXES],
        "datasets": [_dataset(spec, level) for level in range(spec.n_levels)],
    }
    if spec.n_levels > 1:
        multiscale["type"] = "mean"
    top = 2 ** (8 if spec.dtype == "uint8" else 16) - 1
    window = {"min": 0, "max": top, "start": 0, "end": top}
    channels = [
        {
            "label": name,
            "color": _COLOURS[n % len(_COLOURS)],
            "active": True,
            "window": window,
        }
        for n, name in enumerate(spec.channels)
    ]
    return group_json({"multiscales": [multiscale], "omero": {"channels": channels}})


def _axis(name: str, spec: PlateSpec) -> dict[str, str]:
    if name in ("t", "c"):
        return {"name": name, "type": {"t": "time", "c": "channel"}[name]}
    axis = {"name": name, "type": "space", "unit": "micrometer"}
    if name == "z" and spec.z_step_um is None and spec.n_z > 1:
        del axis["unit"]
    return axis


def _dataset(spec: PlateSpec, level: int) -> dict[str, Any]:
    """One level: its pixel is a mean of pixels, so its centre lies half of them further."""
    pixel = spec.pixel_size_um * STEP**level
    scale = [1.0, 1.0, spec.z_step_um or 1.0, pixel, pixel]
    transformations: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if level:
        shift = (pixel - spec.pixel_size_um) / 2
        translation = [0.0, 0.0, 0.0, shift, shift]
        transformations.append({"type": "translation", "translation": translation})
    return {"path": str(level), "coordinateTransformations": transformations}
