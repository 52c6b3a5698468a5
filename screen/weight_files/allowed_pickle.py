"""The few instructions of a pickle that a torch weight file needs; nothing is ever called.

Python's own unpickler imports and calls what a file names. This reader knows a closed
list of instructions and of names, and each name stands for a step written here.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from screen.weight_files.torch_parts import KINDS, MAKERS, Name, is_count
from screen.weight_files.weight_file import (
    InvalidFile,
    StorageRef,
    TensorRef,
    UnsafeFile,
)

MAX_DEPTH = 64
"""Marks that may be open at once; a state_dict needs six."""


_OPEN = object()


@dataclass
class Reader:
    """One pickle of ``data`` from ``at`` on; ``run`` returns what it describes."""

    data: bytes
    at: int = 0
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    n_open: int = 0

    def run(self) -> Any:
        """The described object: plain values, dicts, and TensorRef for tensors.

        Raises UnsafeFile for any other instruction or name, InvalidFile when cut.
        """
        try:
            while (code := self.take(1)) != b".":
                step = STEPS.get(code)
                if step is None:
                    raise UnsafeFile(f"instruction {code!r} at byte {self.at - 1}")
                step(self)
            return self.pop()
        except (IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
            raise InvalidFile(f"the pickle is spoiled at byte {self.at}") from error

    def take(self, n: int) -> bytes:
        """The next n bytes."""
        found = self.data[self.at : self.at + n]
        if len(found) < n:
            raise InvalidFile("the file is cut")
        self.at += n
        return found

    def number(self, form: str) -> Any:
        """The next number in ``struct`` form."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """Text up to the next line break."""
        end = self.data.find(b"\n", self.at, self.at + 256)
        if end < 0:
            raise InvalidFile("the file is cut")
        text = self.data[self.at : end].decode()
        self.at = end + 1
        return text

    def pop(self) -> Any:
        """The topmost value."""
        value = self.stack.pop()
        if value is _OPEN:
            raise InvalidFile(f"the pickle is spoiled at byte {self.at}")
        return value

    def marked(self) -> list[Any]:
        """All values above the last mark, which goes too."""
        values: list[Any] = []
        while (value := self.stack.pop()) is not _OPEN:
            values.append(value)
        self.n_open -= 1
        return values[::-1]


def _mark(r: Reader) -> None:
    r.n_open += 1
    if r.n_open > MAX_DEPTH:
        raise UnsafeFile("too many nested parts")
    r.stack.append(_OPEN)


def _protocol(r: Reader) -> None:
    if (found := r.take(1)[0]) > 5:
        raise InvalidFile(f"pickle protocol {found}")


def _frame(r: Reader) -> None:
    r.take(8)  # its length, a hint for reading ahead


def _push(r: Reader, value: Any) -> None:
    r.stack.append(value)


def _put(r: Reader, at: int) -> None:
    r.memo[at] = r.stack[-1]


def _tuple(r: Reader, n: int) -> None:
    values = [r.pop() for _ in range(n)][::-1]
    r.stack.append(tuple(values))


def _long(r: Reader) -> None:
    r.stack.append(int.from_bytes(r.take(r.take(1)[0]), "little", signed=True))


def _named(r: Reader, module: Any, attribute: Any) -> None:
    name = Name(str(module), str(attribute))
    if name not in MAKERS and name not in KINDS:
        raise UnsafeFile(f"it names {name}")
    r.stack.append(name)


def _named_by_stack(r: Reader) -> None:
    attribute, module = r.pop(), r.pop()
    if type(module) is not str or type(attribute) is not str:
        raise UnsafeFile("a name is not text")
    _named(r, module, attribute)


def _made(r: Reader) -> None:
    arguments, name = r.pop(), r.pop()
    if type(name) is not Name or name not in MAKERS or type(arguments) is not tuple:
        raise UnsafeFile(f"it calls {name}")
    try:
        r.stack.append(MAKERS[name](*arguments))
    except TypeError as error:
        raise UnsafeFile(f"{name} is made of {len(arguments)} things") from error


def _built(r: Reader) -> None:
    # torch hangs format versions on a state_dict, and flags on an old parameter:
    # neither is needed, so both are dropped unread.
    state, target = r.pop(), r.stack[-1]
    versions = (
        type(target) is dict and type(state) is dict and set(state) == {"_metadata"}
    )
    flags = type(target) is TensorRef and type(state) is tuple
    if not versions and not flags:
        raise UnsafeFile("it sets the inner state of something")


def _stored(r: Reader) -> None:
    found = r.pop()
    if type(found) is not tuple or len(found) not in (5, 6) or found[0] != "storage":
        raise UnsafeFile("it refers to something else than a storage")
    _, kind, key, _, n, *view = found
    if type(kind) is not Name or kind not in KINDS:
        raise UnsafeFile("a storage of no known kind")
    if type(key) is not str or not is_count(n):
        raise UnsafeFile("a storage without key or size")
    if not view or view[0] is None:
        r.stack.append(StorageRef(key, KINDS[kind], n))
        return
    part = view[0]
    if type(part) is not tuple or len(part) != 3 or not all(map(is_count, part[1:])):
        raise UnsafeFile("a part of a storage without start or size")
    r.stack.append(StorageRef(key, KINDS[kind], part[2], part[1]))


def _item(r: Reader) -> None:
    value, name = r.pop(), r.pop()
    _set(r.stack[-1], [name, value])


def _set(target: Any, pairs: list[Any]) -> None:
    # Only text and whole numbers: the hash of nested tuples can take for ever.
    if type(target) is not dict or len(pairs) % 2:
        raise UnsafeFile("items for something that is no dict")
    if not all(type(name) in (str, int) for name in pairs[::2]):
        raise UnsafeFile("an item whose name is not text")
    target.update(zip(pairs[::2], pairs[1::2], strict=True))


def _append(r: Reader, values: list[Any]) -> None:
    if type(r.stack[-1]) is not list:
        raise UnsafeFile("entries for something that is no list")
    r.stack[-1].extend(values)


def _set_marked(r: Reader) -> None:
    pairs = r.marked()
    _set(r.stack[-1], pairs)


def _append_one(r: Reader) -> None:
    value = r.pop()
    _append(r, [value])


def _append_marked(r: Reader) -> None:
    values = r.marked()
    _append(r, values)


Step = Callable[[Reader], None]
STEPS: dict[bytes, Step] = {
    b"\x80": _protocol,
    b"\x95": _frame,
    b"(": _mark,
    b")": lambda r: _push(r, ()),
    b"]": lambda r: _push(r, []),
    b"}": lambda r: _push(r, {}),
    b"N": lambda r: _push(r, None),
    b"\x88": lambda r: _push(r, True),
    b"\x89": lambda r: _push(r, False),
    b"K": lambda r: _push(r, r.number("<B")),
    b"M": lambda r: _push(r, r.number("<H")),
    b"J": lambda r: _push(r, r.number("<i")),
    b"G": lambda r: _push(r, r.number(">d")),
    b"\x8a": _long,
    b"X": lambda r: _push(r, r.take(r.number("<I")).decode()),
    b"\x8c": lambda r: _push(r, r.take(r.number("<B")).decode()),
    b"U": lambda r: _push(r, r.take(r.number("<B")).decode("ascii")),
    b"q": lambda r: _put(r, r.number("<B")),
    b"r": lambda r: _put(r, r.number("<I")),
    b"\x94": lambda r: _put(r, len(r.memo)),
    b"h": lambda r: _push(r, r.memo[r.number("<B")]),
    b"j": lambda r: _push(r, r.memo[r.number("<I")]),
    b"t": lambda r: _push(r, tuple(r.marked())),
    b"\x85": lambda r: _tuple(r, 1),
    b"\x86": lambda r: _tuple(r, 2),
    b"\x87": lambda r: _tuple(r, 3),
    b"c": lambda r: _named(r, r.line(), r.line()),
    b"\x93": _named_by_stack,
    b"R": _made,
    b"\x81": _made,
    b"b": _built,
    b"Q": _stored,
    b"s": _item,
    b"u": _set_marked,
    b"a": _append_one,
    b"e": _append_marked,
}
"""What each instruction does; there are no others."""
