"""From what a person names (a folder, a zip file, s3://bucket/prefix) to a store and a key."""

import os
from pathlib import Path

from plates.ome_zarr.faults import refusal
from plates.ome_zarr.nodes import join, read_group
from plates.ome_zarr.plate_block import is_plate
from plates.ome_zarr.s3 import open_bucket, split_address
from plates.ome_zarr.stores import FolderStore, Store, open_zip
from plates.problems import InputError

_ZIP = "zip://"
_DEEPEST_IMAGE = 12
_ARCHIVES = (".zip", ".ozx")


def open_source(source: Path | str) -> tuple[Store, str]:
    """The store of a plate (or of a folder of plates), and its key there."""
    text = str(source)
    if is_remote(text):
        bucket, prefix = split_address(text)
        return open_bucket(bucket), prefix
    if "://" in text:
        scheme = text.partition("://")[0][:20]
        raise refusal("SOURCE_UNSUPPORTED", f"{scheme}://", "no such kind of source")
    path = Path(source)
    if not path.is_file():
        return FolderStore(path), ""
    store = open_zip(path)
    return store, _only_folder(store)


def open_image(address: str) -> tuple[Store, str]:
    """The store and key of one image, by the path that `scan` lists for it."""
    if is_remote(address):
        bucket, prefix = split_address(address)
        return open_bucket(bucket), prefix
    if address.startswith(_ZIP):
        archive, key = _split_archive(address.removeprefix(_ZIP))
        return open_zip(archive), key
    root = _plate_folder(Path(address))
    return FolderStore(root), os.path.relpath(address, root)


def is_remote(source: Path | str) -> bool:
    """Whether a source is of S3; a Path has lost one of the two slashes."""
    return str(source).startswith("s3:/")


def plate_keys(store: Store, key: str) -> list[str]:
    """The plates at a key, or in the folders directly below it."""
    if is_plate(read_group(store, key)):
        return [key]
    return [
        join(key, name)
        for name in store.folders(key)
        if not name.startswith(".") and _holds_plate(store, join(key, name))
    ]


def archives_in(folder: Path) -> list[Path]:
    """The zip files of a folder that may hold a plate, by their names."""
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _ARCHIVES
        and not path.name.startswith(".")
        and path.is_file()
    ]


def _holds_plate(store: Store, key: str) -> bool:
    try:
        return is_plate(read_group(store, key))
    except InputError:
        return True  # and to open it tells what is wrong with it


def _only_folder(store: Store) -> str:
    """The root of the plate in an archive: its top, or the one folder there."""
    folders = store.folders("")
    if read_group(store, "") is None and len(folders) == 1:
        return folders[0]
    return ""


def _plate_folder(image: Path) -> Path:
    """The nearest folder above an image that is a plate; links must not lead out of it."""
    for folder in list(image.parents)[:_DEEPEST_IMAGE]:
        if any((folder / name).is_file() for name in ("zarr.json", ".zattrs")) and (
            is_plate(read_group(FolderStore(folder), ""))
        ):
            return folder
    return image.parent


def _split_archive(path: str) -> tuple[Path, str]:
    parts = path.split("/")
    for n in range(len(parts), 0, -1):
        archive = Path("/".join(parts[:n]))
        if archive.is_file():
            return archive, "/".join(parts[n:])
    raise refusal("ARCHIVE_INVALID", path, "no such file")
