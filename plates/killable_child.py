"""What runs in a child of the killable pool: take items, send back each result at once."""

import copy
import fcntl
import os
import resource
import select
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Reply = tuple[str, Any]


def main(channel: int, lifeline: int) -> None:
    """Serves the parent through the socket `channel` until it or the pipe `lifeline` closes."""
    _die_with_the_parent(lifeline)
    # An interrupt goes to the whole process group; the parent ends its children itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(channel) as connection:
        try:
            _serve(connection)
        except (EOFError, ConnectionError):
            return


def _die_with_the_parent(lifeline: int) -> None:
    """Lets the system end this process when the other end of the pipe closes.

    The signal has no handler, so it works inside a library that never comes back.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:
        os.kill(os.getpid(), signal.SIGKILL)


def _serve(connection: Connection) -> None:
    # An item never finds a function that was not loaded: the parent waits for "ready".
    function: Callable[[Any], Any] = bool
    while True:
        try:
            kind, content = connection.recv()
        except (EOFError, ConnectionError):
            raise
        except Exception as error:  # any module that is imported may fail in any way
            connection.send(("broken", f"{type(error).__name__}: {error}"))
            continue
        if kind == "load":
            function, initializer, memory_bytes = content
            connection.send(_prepare(initializer, memory_bytes))
        else:
            for item in content:
                _send(connection, _result(function, item))


def _prepare(
    initializer: Callable[[], object] | None, memory_bytes: int | None
) -> Reply:
    try:
        if initializer is not None:
            initializer()
    except Exception as error:  # any failure to start is told to the parent
        return "broken", f"{type(error).__name__}: {error}"
    if memory_bytes is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = _address_space() + memory_bytes
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    return "ready", None


def _address_space() -> int:
    """Bytes mapped by this process, 0 where the system does not tell."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text().split()[0]) * resource.getpagesize()


def _result(function: Callable[[Any], Any], item: Any) -> Reply:
    try:
        return "done", function(item)
    except Exception as error:  # a failure of any kind is that item's result
        return "failed", _portable(error)


def _portable(error: Exception) -> Exception:
    """The exception, or one that says the same where it cannot be made anew elsewhere."""
    try:
        made_anew = type(copy.copy(error)) is type(error)
    except Exception:  # its class decides what goes wrong here
        made_anew = False
    return error if made_anew else _told(error)


def _told(error: Exception) -> Exception:
    return RuntimeError(f"{type(error).__name__}: {error}")


def _send(connection: Connection, reply: Reply) -> None:
    try:
        connection.send(reply)
    except OSError:  # the parent is gone
        raise
    except Exception as error:  # the value's class decides what goes wrong here
        connection.send(("failed", _told(error)))
