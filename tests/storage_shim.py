"""Every storage call of this process below one folder, seen and ruled by a policy.

Files that Arrow opens by name are read without Python and are not seen.
"""

import builtins
import contextlib
import errno
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol
from unittest.mock import patch

CHANGES = {
    "create", "write", "truncate", "fsync",
    "link", "replace", "rename", "unlink", "mkdir", "rmdir",
}  # fmt: skip
_TOLD = {
    "write": "write",
    "pwrite": "write",
    "pread": "read",
    "fsync": "fsync",
    "ftruncate": "truncate",
}
_ON_DESCRIPTORS = ("read", "write", "truncate", "fsync")
_ON_PATHS = ("link", "replace", "rename", "unlink", "mkdir", "rmdir", "scandir", "stat")


@dataclass(frozen=True)
class Call:
    """One call: its name, the file, what is written, and the new name of a file."""

    name: str
    path: str
    data: bytes = b""
    target: str = ""


Do = Callable[[bytes], Any]


class Policy(Protocol):
    """What happens at a call: ``do(data)`` does it, with these bytes if it is a write."""

    def __call__(self, call: Call, do: Do) -> Any: ...


@dataclass
class Log:
    """Lets every call pass; keeps the names of all and those that went well."""

    tried: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def __call__(self, call: Call, do: Do) -> Any:
        """Do it, then keep it: a call that fails changes nothing."""
        self.tried.append(call.name)
        result = do(call.data)
        self.calls.append(call)
        return result

    @property
    def changes(self) -> list[Call]:
        """The calls that changed something."""
        return [call for call in self.calls if call.name in CHANGES]

    @property
    def n_changes(self) -> int:
        """How many calls were to change something."""
        return sum(name in CHANGES for name in self.tried)


def refused(call: Call, number: int) -> OSError:
    """The error of a call that fails; as from the system itself, it names no file
    where only a descriptor is known."""
    path = () if call.name in _ON_DESCRIPTORS else (call.path,)
    return OSError(number, os.strerror(number), *path)


@dataclass
class Fail:
    """Lets the ``k``-th call (from 0) fail with an error number, once."""

    k: int
    number: int = errno.EIO
    met: Call | None = None

    def __call__(self, call: Call, do: Do) -> Any:
        """Fail or do it."""
        self.k -= 1
        if self.k == -1:
            self.met = call
            raise refused(call, self.number)
        return do(call.data)


@dataclass
class Kill:
    """Kills the process group at the ``k``-th change below a folder (from 0): before
    it, in the middle of what it writes, or after it."""

    k: int
    moment: str

    def __call__(self, call: Call, do: Do) -> Any:
        """Do it, unless the time has come."""
        if call.name not in CHANGES:
            return do(call.data)
        self.k -= 1
        if self.k != -1:
            return do(call.data)
        # One short append is a whole line or none; only a machine's end can cut it.
        is_line = call.path.endswith(".jsonl")
        if self.moment == "middle" and call.name == "write" and not is_line:
            do(call.data[: len(call.data) // 2])
        elif self.moment != "before":
            with contextlib.suppress(OSError):  # no file to unlink, a folder there
                do(call.data)
        _kill()


def _kill() -> NoReturn:
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("a killed process must not go on")


class _File(io.FileIO):
    """A file whose reads and writes the policy sees."""

    def __init__(self, shim: "_Shim", file: Any, mode: str) -> None:
        super().__init__(file, mode)
        self._shim = shim
        if not isinstance(file, int):  # a descriptor was named when it was opened
            shim.paths[self.fileno()] = os.fspath(file)
        self._path = shim.paths[self.fileno()]

    def write(self, data: Any) -> int:
        do = super().write
        call = Call("write", self._path, bytes(data))
        return int(self._shim.policy(call, do))

    def readinto(self, buffer: Any) -> int:
        do = super().readinto
        return int(self._shim.policy(Call("read", self._path), lambda _: do(buffer)))

    def readall(self) -> bytes:
        do = super().readall
        return bytes(self._shim.policy(Call("read", self._path), lambda _: do()))

    def close(self) -> None:
        if not self.closed:
            self._shim.paths.pop(self.fileno(), None)
        super().close()


class _Shim:
    """The calls that stand in for those of the modules os and io."""

    def __init__(self, folder: Path, policy: Policy) -> None:
        self.folder, self.policy = str(folder), policy
        self.paths: dict[int, str] = {}
        names = ("open", "close", *_TOLD, *_ON_PATHS)
        self.real = {name: getattr(os, name) for name in names}
        self.real_open = io.open

    def is_inside(self, path: Any) -> bool:
        if isinstance(path, int):
            return path in self.paths
        text = os.fspath(path)
        return isinstance(text, str) and text.startswith(self.folder)

    def is_there(self, path: Any) -> bool:
        try:
            self.real["stat"](path)
        except FileNotFoundError:
            return False
        return True

    def on_path(self, name: str) -> Callable[..., Any]:
        real = self.real[name]

        def stand_in(path: Any = ".", *more: Any, **named: Any) -> Any:
            if isinstance(path, int) or not self.is_inside(path):
                return real(path, *more, **named)
            target = os.fspath(more[0]) if name in ("link", "replace", "rename") else ""
            call = Call(name, os.fspath(path), target=target)
            return self.policy(call, lambda _: real(path, *more, **named))

        return stand_in

    def open(self, path: Any, flags: int, *more: Any, **named: Any) -> int:
        real = self.real["open"]
        if not self.is_inside(path):
            return int(real(path, flags, *more, **named))
        is_new = flags & os.O_CREAT and not self.is_there(path)
        name = "create" if is_new else "open"
        call = Call(name, os.fspath(path))
        descriptor = int(self.policy(call, lambda _: real(path, flags, *more, **named)))
        self.paths[descriptor] = os.fspath(path)
        return descriptor

    def close(self, descriptor: int) -> None:
        self.paths.pop(descriptor, None)
        self.real["close"](descriptor)

    def writing(self, name: str) -> Callable[..., int]:
        real = self.real[name]

        def stand_in(descriptor: int, data: Any, *more: int) -> int:
            if descriptor not in self.paths:
                return int(real(descriptor, data, *more))
            call = Call("write", self.paths[descriptor], bytes(data))
            return int(self.policy(call, lambda some: real(descriptor, some, *more)))

        return stand_in

    def acting(self, name: str, told: str) -> Callable[..., Any]:
        real = self.real[name]

        def stand_in(descriptor: int, *more: Any) -> Any:
            if descriptor not in self.paths:
                return real(descriptor, *more)
            call = Call(told, self.paths[descriptor])
            return self.policy(call, lambda _: real(descriptor, *more))

        return stand_in

    def open_file(
        self, file: Any, mode: str = "r", buffering: int = -1, *more: Any, **named: Any
    ) -> Any:
        if not self.is_inside(file) or buffering == 0 or "+" in mode:
            return self.real_open(file, mode, buffering, *more, **named)
        plain = mode.replace("b", "").replace("t", "")

        def opened(_: bytes) -> _File:
            return _File(self, file, plain)

        if isinstance(file, int):
            raw = opened(b"")
        else:
            name = "open" if plain == "r" else "create"
            raw = self.policy(Call(name, os.fspath(file)), opened)
        binary: Any = io.BufferedReader(raw) if plain == "r" else io.BufferedWriter(raw)
        return binary if "b" in mode else io.TextIOWrapper(binary, *more, **named)


@contextmanager
def storage(folder: Path, policy: Policy) -> Iterator[None]:
    """Rule every storage call below ``folder`` while the block lasts."""
    shim = _Shim(folder, policy)
    stand_ins: dict[str, Any] = {name: shim.on_path(name) for name in _ON_PATHS}
    stand_ins |= {"open": shim.open, "close": shim.close}
    for name, told in _TOLD.items():
        kind = shim.writing(name) if told == "write" else shim.acting(name, told)
        stand_ins[name] = kind
    with (
        patch.multiple(os, **stand_ins),
        patch.object(io, "open", shim.open_file),
        patch.object(builtins, "open", shim.open_file),
    ):
        yield
