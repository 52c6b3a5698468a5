"""Functions for the killable pool that end their process in every way there is."""

import ctypes
import os
import signal
import time

from plates.structure_pool import Drawing, read_drawing
from plates.structures import Structure, StructureError


class Unportable(Exception):
    """An exception that cannot be made anew from its arguments."""

    def __init__(self, first: str, second: str) -> None:
        """Two texts, of which the base class is told one."""
        super().__init__(first)
        self.second = second


def double(item: int) -> int:
    """Twice the item."""
    return 2 * item


def obey(item: str) -> str:
    """Does what the item says, returns the item where it can."""
    match item:
        case "abort":
            os.abort()
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "loop":
            while True:
                pass
        case "sleep":
            time.sleep(600)
        case "memory":
            return str(len(bytearray(64 << 30)))
        case "error":
            raise ValueError("bad item")
        case "unportable":
            raise Unportable("one", "two")
        case "large":
            return "x" * 5_000_000
    return item


def unsendable(_item: int) -> object:
    """A value that no other process can have."""
    return lambda: 0


def die_once(path: str) -> str:
    """Ends the process on the first call for this path only."""
    if not os.path.exists(path):
        with open(path, "x", encoding="utf-8"):
            os.abort()
    return "second time"


def process_id(_item: object) -> int:
    """The child's own id."""
    return os.getpid()


def setting(name: str) -> str:
    """A variable of the child's environment."""
    return os.environ.get(name, "")


def begin() -> None:
    """An initializer that leaves a trace."""
    os.environ["KILLABLE_STARTED"] = os.environ.get("KILLABLE_STARTED", "") + "once"


def fail_to_begin() -> None:
    """An initializer that raises."""
    raise OSError("no licence")


def die_at_begin() -> None:
    """An initializer that ends the process."""
    os.abort()


def read_or_die(drawing: Drawing) -> Structure | StructureError:
    """Reads a structure as always, but uranium takes for ever and plutonium kills."""
    if "[U]" in drawing.text:
        obey("sleep")
    if "[Pu]" in drawing.text:
        obey("segfault")
    return read_drawing(drawing)
