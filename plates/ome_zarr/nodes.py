"""Groups and their attributes in Zarr v2 and v3, read as plain JSON before anything else."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plates.ome_zarr.faults import (
    DEEPEST_JSON,
    LARGEST_JSON_BYTES,
    over_limit,
    refusal,
)
from plates.ome_zarr.stores import DamagedError, Store, TooLargeError

_LONGEST_NAME = 255
_LONGEST_PATH = 1000
_DRIVE = re.compile(r"[A-Za-z]:|.*://")


@dataclass(frozen=True)
class Group:
    """The attributes of a group; `ome` is the block that NGFF speaks of."""

    zarr_format: int
    attributes: Mapping[str, Any]
    data: bytes  # as stored, for fingerprints

    @property
    def ome(self) -> Mapping[str, Any]:
        """The attributes themselves in v2, their `ome` in v3."""
        block = self.attributes
        if self.zarr_format == 3:
            block = block.get("ome") or {}
        return block if isinstance(block, dict) else {}


def join(*parts: str) -> str:
    """A key of several parts, empty ones left out."""
    return "/".join(part for part in parts if part)


def inner_path(path: object, where: str) -> str:
    """A path of the metadata as a key; InputError PATH_ESCAPE if it leads anywhere else.

    Windows separators are read as '/'.
    """
    if not isinstance(path, str) or not path:
        raise refusal("PLATE_META_INVALID", where, f"{path!r} is no path")
    key = path.replace("\\", "/").removesuffix("/")
    # Lone surrogates have no bytes; a name of the file system has at most 255.
    longest = max(len(part.encode("utf-8", "replace")) for part in key.split("/"))
    if not key.isprintable() or longest > _LONGEST_NAME or len(key) > _LONGEST_PATH:
        raise refusal("PLATE_META_INVALID", where, f"{path[:100]!r} is no path")
    if {"", ".", ".."} & set(key.split("/")) or _DRIVE.match(key):
        raise refusal("PATH_ESCAPE", where, f"path {path[:100]!r}")
    return key


def read_group(store: Store, key: str) -> Group | None:
    """The group at `key`, None if there is none; InputError if v2 and v3 are mixed."""
    new = read_object(store, join(key, "zarr.json"))
    old = read_object(store, join(key, ".zattrs"))
    where = _where(store, key)
    if new and old:
        found = "metadata of Zarr v2 and v3 side by side (.zattrs and zarr.json)"
        raise refusal("ZARR_UNSUPPORTED", where, found)
    if new:
        content, data = new
        if content.get("zarr_format") != 3:
            found = f"zarr_format {content.get('zarr_format')!r}, readable: 2, 3"
            raise refusal("ZARR_UNSUPPORTED", where, found)
        if content.get("node_type") != "group":
            found = f"a Zarr {content.get('node_type')!r}, a group is needed"
            raise refusal("PLATE_META_INVALID", where, found)
        attributes = content.get("attributes") or {}
        if not isinstance(attributes, dict):
            raise refusal("PLATE_META_INVALID", where, "attributes are no JSON object")
        return Group(3, attributes, data)
    return None if old is None else Group(2, *old)


def read_object(store: Store, key: str) -> tuple[dict[str, Any], bytes] | None:
    """A JSON object and its bytes, None if there is no such file."""
    where = _where(store, key)
    try:
        data = store.read(key, LARGEST_JSON_BYTES)
    except TooLargeError as error:
        found = f"{error.n_bytes} bytes"
        raise over_limit(where, "json_bytes", found, LARGEST_JSON_BYTES) from None
    except DamagedError as error:
        raise refusal("ARCHIVE_INVALID", where, str(error)) from None
    return None if data is None else (parse_object(data, where), data)


def parse_object(data: bytes, where: str) -> dict[str, Any]:
    """The JSON object in `data`; InputError if it is none or nested too deeply."""
    try:
        content = json.loads(data)
    except RecursionError:
        found = "nested far too deeply"
        raise over_limit(where, "json_depth", found, DEEPEST_JSON) from None
    except ValueError as error:
        raise refusal("PLATE_META_INVALID", where, f"not JSON: {error}") from None
    level: list[Any] = [content]
    for _ in range(DEEPEST_JSON):
        level = [item for outer in level for item in _inside(outer)]
    if level:
        found = "nested too deeply"
        raise over_limit(where, "json_depth", found, DEEPEST_JSON)
    if not isinstance(content, dict):
        found = f"a JSON {type(content).__name__}, an object is needed"
        raise refusal("PLATE_META_INVALID", where, found)
    return content


def _inside(value: object) -> list[Any]:
    """The containers directly inside a container."""
    if isinstance(value, dict):
        return [item for item in value.values() if isinstance(item, (dict, list))]
    if isinstance(value, list):
        return [item for item in value if isinstance(item, (dict, list))]
    return []


def _where(store: Store, key: str) -> str:
    return join(store.name, key)
