"""Where the files of a plate lie: a folder or a zip archive, read by keys that cannot leave it."""

import os
import stat
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from plates.ome_zarr.faults import refusal

_FLAG_ENCRYPTED = 1


class TooLargeError(ValueError):
    """A file holds more bytes than its reader takes."""

    def __init__(self, n_bytes: int) -> None:
        """The number of bytes that are there."""
        super().__init__(n_bytes)
        self.n_bytes = n_bytes


class DamagedError(ValueError):
    """The archive's own checksum says that a file is not what was written."""


class Store(Protocol):
    """Files by key: names joined by '/', checked before by `inner_path`.

    An absent file is None and never an error; one that may not be read is an InputError
    STORE_FORBIDDEN and never None.
    """

    name: str  # as a person writes it
    address: str  # what `open_address` takes; with :// where it is no folder
    has_checksums: bool  # of every file's bytes
    n_parallel: int  # how many files are worth reading at a time

    def size(self, key: str) -> int | None:
        """Bytes of a file."""

    def read(self, key: str, limit: int) -> bytes | None:
        """A whole file; TooLargeError beyond `limit` bytes, before they are read."""

    def read_range(self, key: str, start: int, n_bytes: int) -> bytes:
        """Part of a file that is there; fewer bytes where it ends before."""

    def folders(self, key: str) -> tuple[str, ...]:
        """Names of the folders in a folder, '' is the root."""


class FolderStore:
    """A folder on disk; a link out of it, a device or a pipe is refused."""

    has_checksums = False
    n_parallel = 1

    def __init__(self, root: Path) -> None:
        """The plate's folder."""
        self.name = self.address = str(root)
        self._real = os.path.realpath(root)

    def size(self, key: str) -> int | None:
        """Bytes of a file."""
        found = self._find(key)
        return None if found is None else found[1]

    def read(self, key: str, limit: int) -> bytes | None:
        """A whole file."""
        found = self._find(key)
        if found is None:
            return None
        path, size = found
        if size > limit:
            raise TooLargeError(size)
        try:
            return Path(path).read_bytes()
        except PermissionError:
            raise self._forbidden(key) from None

    def read_range(self, key: str, start: int, n_bytes: int) -> bytes:
        """Part of a file."""
        found = self._find(key)
        if found is None:
            return b""
        try:
            with open(found[0], "rb", buffering=0) as file:
                return os.pread(file.fileno(), n_bytes, start)
        except PermissionError:
            raise self._forbidden(key) from None

    def folders(self, key: str) -> tuple[str, ...]:
        """Names of the folders in a folder."""
        try:
            with os.scandir(os.path.join(self._real, key)) as entries:
                return tuple(sorted(e.name for e in entries if e.is_dir()))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except PermissionError:
            raise self._forbidden(key) from None

    def _find(self, key: str) -> tuple[str, int] | None:
        """Real path and size of a plain file."""
        path = os.path.realpath(os.path.join(self._real, key))
        if not path.startswith(self._real + os.sep):
            found = f"a link leads out of the plate: {path}"
            raise refusal("PATH_ESCAPE", f"{self.name}/{key}", found)
        try:
            state = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            if os.path.islink(os.path.join(self._real, key)):
                found = f"a link leads nowhere: {path}"
                raise refusal("PATH_ESCAPE", f"{self.name}/{key}", found) from None
            return None
        except PermissionError:
            raise self._forbidden(key) from None
        except OSError as error:
            if not os.path.islink(path):
                raise
            found = f"a link that leads nowhere: {error.strerror}"
            raise refusal("PATH_ESCAPE", f"{self.name}/{key}", found) from None
        if stat.S_ISDIR(state.st_mode):
            return None
        if not stat.S_ISREG(state.st_mode):
            found = "a pipe, socket or device, no plain file"
            raise refusal("PATH_ESCAPE", f"{self.name}/{key}", found)
        return path, state.st_size

    def _forbidden(self, key: str) -> Exception:
        return refusal("STORE_FORBIDDEN", f"{self.name}/{key}", "permission denied")


class ZipStore:
    """A zip archive, read in place; nothing of it is ever unpacked to disk."""

    has_checksums = True  # zipfile compares the CRC of every file that is read whole
    n_parallel = 1

    def __init__(self, path: Path) -> None:
        """Read the archive's directory; InputError ARCHIVE_INVALID names what is wrong."""
        self.name = str(path)
        self.address = f"zip://{os.path.abspath(path)}"
        try:
            self._zip = zipfile.ZipFile(path)
        except PermissionError:
            raise refusal("STORE_FORBIDDEN", path, "permission denied") from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise refusal("ARCHIVE_INVALID", path, f"no zip: {error}") from None
        self._files: dict[str, zipfile.ZipInfo] = {}
        self._folders: dict[str, set[str]] = {}
        for info in self._zip.infolist():
            self._add(info)

    def size(self, key: str) -> int | None:
        """Bytes of a file, unpacked."""
        info = self._files.get(key)
        return None if info is None else info.file_size

    def read(self, key: str, limit: int) -> bytes | None:
        """A whole file; DamagedError if its checksum is wrong."""
        info = self._files.get(key)
        if info is None:
            return None
        if info.file_size > limit:
            raise TooLargeError(info.file_size)
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise DamagedError(f"{self.name}/{key}: {error}") from None

    def read_range(self, key: str, start: int, n_bytes: int) -> bytes:
        """Part of a file, cut from the whole so that its checksum is looked at."""
        whole = self.read(key, self.size(key) or 0) or b""
        return whole[start : start + n_bytes]

    def folders(self, key: str) -> tuple[str, ...]:
        """Names of the folders in a folder."""
        return tuple(sorted(self._folders.get(key, ())))

    def crc(self, key: str) -> int:
        """The CRC-32 that the archive holds of a file."""
        return self._files[key].CRC

    def _add(self, info: zipfile.ZipInfo) -> None:
        name = info.filename.replace("\\", "/")
        parts = name.rstrip("/").split("/")
        if name.startswith("/") or ":" in parts[0] or {"", ".", ".."} & set(parts):
            raise self._invalid(f"it holds {info.filename!r}")
        if info.flag_bits & _FLAG_ENCRYPTED:
            raise self._invalid(f"{info.filename!r} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._invalid(f"{info.filename!r} is neither stored nor deflated")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise self._invalid(f"{info.filename!r} is a link")
        for n in range(len(parts) - 1):
            self._folders.setdefault("/".join(parts[:n]), set()).add(parts[n])
        if info.is_dir() or name.endswith("/"):
            self._folders.setdefault("/".join(parts[:-1]), set()).add(parts[-1])
        elif "/".join(parts) in self._files:
            raise self._invalid(f"it holds {info.filename!r} twice")
        else:
            self._files["/".join(parts)] = info

    def _invalid(self, found: str) -> Exception:
        return refusal("ARCHIVE_INVALID", self.name, found)


def open_zip(path: Path) -> ZipStore:
    """The archive at `path`; one that did not change is opened once in a process."""
    try:
        state = path.stat()
    except PermissionError:
        raise refusal("STORE_FORBIDDEN", path, "permission denied") from None
    return _open_zip(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _open_zip(path: Path, mtime_ns: int, size: int) -> ZipStore:
    return ZipStore(path)
