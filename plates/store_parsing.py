"""The metadata of a plate on disk, read back with every doubt refused."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from plates.problems import InputError, Problem
from plates.shard import LayoutError, ShardLayout
from plates.store_metadata import AXES, INGEST, LARGEST_FIELD_PX, LEVEL, NGFF_VERSION
from plates.wells import PlateFormat, Well

_N_SAMPLED_IMAGES = 3
_LARGEST_JSON_BYTES = 16_000_000


def refusal(code: str, where: object, found: str, remedy: str) -> InputError:
    """The error that refuses a plate for one fault of its metadata."""
    why = "the plate cannot be read for certain"
    return InputError([Problem(code, str(where), found, why, remedy)])


def read_json(path: Path) -> dict[str, Any]:
    """The object in a metadata file; InputError if it is absent, forbidden or no JSON."""
    again = "copy or ingest the plate again"
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise refusal("PLATE_META_MISSING", path, "no such file", again) from None
    except PermissionError:
        raise forbidden(path) from None
    if len(data) > _LARGEST_JSON_BYTES:
        found = f"{len(data)} bytes, limit json_bytes={_LARGEST_JSON_BYTES}"
        raise refusal("LIMIT_EXCEEDED", path, found, again)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        found = f"not JSON: {error}"
        raise refusal("PLATE_META_INVALID", path, found, again) from None
    if not isinstance(content, dict):
        found = f"a JSON {type(content).__name__}, an object is needed"
        raise refusal("PLATE_META_INVALID", path, found, again)
    return content


def forbidden(path: object) -> InputError:
    """The error for a file that this user may not read: it is not a missing file."""
    remedy = "give the running user the right to read it"
    return refusal("STORE_FORBIDDEN", path, "permission denied", remedy)


def ome_block(path: Path, key: str) -> dict[str, Any]:
    """The part `key` of the `ome` attributes in the zarr.json at `path`."""
    content = read_json(path)
    remedy = "give an OME-Zarr 0.5 plate, or ingest the images again"
    ome = (content.get("attributes") or {}).get("ome")
    if not isinstance(ome, dict) or key not in ome:
        raise refusal("PLATE_META_MISSING", path, f"no ome.{key}", remedy)
    if ome.get("version") != NGFF_VERSION:
        found = f"NGFF version {ome.get('version')!r}, readable: {NGFF_VERSION}"
        raise refusal("ZARR_UNSUPPORTED", path, found, remedy)
    return ome


def parse_wells(plate: dict[str, Any], where: Path) -> tuple[Well, ...]:
    """The plate's wells; InputError with examples if an index contradicts its path."""
    rows = [str(row["name"]) for row in plate["rows"]]
    columns = [str(column["name"]) for column in plate["columns"]]
    wells: list[Well] = []
    wrong: list[str] = []
    for entry in plate["wells"]:
        path = str(entry["path"])
        if ".." in path or path.startswith("/"):
            raise refusal("PATH_ESCAPE", where, f"well path {path!r}", "remove it")
        row, column = int(entry["rowIndex"]), int(entry["columnIndex"])
        fits = 0 <= row < len(rows) and 0 <= column < len(columns)
        if not fits or path != f"{rows[row]}/{columns[column]}":
            wrong.append(f"{path} with rowIndex {row}, columnIndex {column}")
        else:
            wells.append(Well.parse(path))
    if wrong:
        found = f"{len(wrong)} wells disagree with their path: {'; '.join(wrong[:3])}"
        raise refusal("PLATE_INDEX_MISMATCH", where, found, "ingest the plate again")
    return in_order(wells)


def in_order(wells: Iterable[Well]) -> tuple[Well, ...]:
    """The wells row by row; each task of a run opens its plate, so it must be quick."""
    return tuple(sorted(wells, key=attrgetter("row", "column")))


@dataclass(frozen=True)
class ImageFacts:
    """What one image's metadata say; those of a plate's images are all the same."""

    channels: tuple[str, ...]
    pixel_size_um: float
    z_step_um: float | None
    n_levels: int
    array_json: bytes


def _parse_image(ome: dict[str, Any], where: Path, array_json: bytes) -> ImageFacts:
    multiscale = ome["multiscales"][0]
    axes = tuple(axis["name"] for axis in multiscale["axes"])
    if axes != AXES:
        found = f"axes {axes}, readable: {AXES}"
        raise refusal("AXES_UNKNOWN", where, found, "ingest the images again")
    dataset = multiscale["datasets"][0]
    if dataset["path"] != LEVEL:
        found = f"level 0 at {dataset['path']!r}, readable: {LEVEL!r}"
        raise refusal("ZARR_UNSUPPORTED", where, found, "ingest the images again")
    scale = dataset["coordinateTransformations"][0]["scale"]
    if scale[3] != scale[4]:
        found = f"pixels of {scale[3]} x {scale[4]} um, square ones are needed"
        raise refusal("ZARR_UNSUPPORTED", where, found, "ingest the images again")
    return ImageFacts(
        channels=tuple(str(channel["label"]) for channel in ome["omero"]["channels"]),
        pixel_size_um=float(scale[4]),
        # Without a unit the scale of an axis only counts its planes.
        z_step_um=float(scale[2]) if "unit" in multiscale["axes"][2] else None,
        n_levels=len(multiscale["datasets"]),
        array_json=array_json,
    )


def parse_layout(array_json: bytes, path: Path) -> ShardLayout:
    """How a sampled array lies on disk; InputError if that is not readable here."""
    remedy = "ingest the images again"
    try:
        layout = ShardLayout.of_json(json.loads(array_json))
    except LayoutError as error:
        raise refusal("ZARR_UNSUPPORTED", path, str(error), remedy) from None
    if math.prod(layout.shard) > LARGEST_FIELD_PX:
        found = f"a field of {layout.shape}, limit field_px={LARGEST_FIELD_PX}"
        raise refusal("LIMIT_EXCEEDED", path, found, remedy)
    return layout


def parse_format(n_rows: int, n_columns: int, wells: tuple[Well, ...]) -> PlateFormat:
    """The plate's own format, or the smallest standard one that holds a partial listing."""
    for n_wells in (6, 12, 24, 48, 96, 384, 1536):
        plate_format = PlateFormat.of(n_wells)
        if (
            plate_format.n_rows >= n_rows
            and plate_format.n_columns >= n_columns
            and all(map(plate_format.contains, wells))
        ):
            return plate_format
    raise ValueError(f"{n_rows} rows x {n_columns} columns fit no standard plate")


def read_omitted(path: Path) -> dict[tuple[Well, int], Problem]:
    """The fields left out of a plate, each with its reason, from its ingest.json."""
    if not (path / INGEST).exists():
        return {}
    return {
        (Well.parse(entry["well"]), int(entry["field"])): Problem(
            *(entry[key] for key in ("code", "where", "found", "why", "remedy"))
        )
        for entry in read_json(path / INGEST)["omitted"]
    }


def read_images(path: Path, sampled: list[tuple[Well, int]]) -> set[ImageFacts]:
    """What the sampled images say; one without metadata costs itself, not the plate."""
    images: set[ImageFacts] = set()
    absent: list[Problem] = []
    for well, field in sampled:
        try:
            images.add(_read_image(path, well, field))
        except InputError as error:
            if error.problems[0].code != "PLATE_META_MISSING":
                raise
            absent.extend(error.problems)
    if not images and absent:
        raise InputError(absent)
    return images


def _read_image(path: Path, well: Well, field: int) -> ImageFacts:
    image = path / well.path / str(field)
    ome = ome_block(image / "zarr.json", "multiscales")
    array = image / LEVEL / "zarr.json"
    read_json(array)
    return _parse_image(ome, image, array.read_bytes())


def sample_images(
    listed: tuple[Well, ...], n_fields: int, omitted: Mapping[tuple[Well, int], Problem]
) -> list[tuple[Well, int]]:
    """A few fields that must be there, spread over the plate."""
    if not listed:
        raise ValueError("no well is listed")
    step = max(1, (len(listed) - 1) // (_N_SAMPLED_IMAGES - 1))
    return [
        next((well, f) for f in range(n_fields) if (well, f) not in omitted)
        for well in listed[::step]
    ]
