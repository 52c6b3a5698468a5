"""The server: few visitors at once, short heads, little patience, one request each.

Python's own http.server serves here: it listens on 127.0.0.1 for one person, needs no
package that could be attacked in its place, and what it lacks is added below: an
allow-list of hosts, a limit of bytes and of time for a request's head, of threads, and
no folder that it could serve, because nothing here is looked up by path.
"""

from __future__ import annotations

import io
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode

from screen.viewer.answers import Answer, told
from screen.viewer.door import Door

Site = Callable[[str, dict[str, str]], Answer]  # path as it was sent, and the query

HOST = "127.0.0.1"
TRIED_PORTS = 50
_DRAINED_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Limits:
    """Bytes of a request's head, seconds until it is there and until an answer is
    taken, and visitors at once."""

    head_bytes: int = 16384
    head_s: float = 5.0
    answer_s: float = 120.0
    visitors: int = 16


class _TooMuch(Exception):
    """A head is longer than heads are."""


class _Head(io.RawIOBase):
    """What comes in, up to a number of bytes and a moment."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self._connection = connection
        self._left = limits.head_bytes
        self._end = time.monotonic() + limits.head_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        if self._left <= 0:
            raise _TooMuch
        self._connection.settimeout(seconds)
        n = self._connection.recv_into(buffer, min(len(buffer), self._left))
        self._left -= n
        return n


class _Visit(BaseHTTPRequestHandler):
    """One request and its answer; the connection ends with it."""

    server: Viewer

    def setup(self) -> None:
        """Take the connection with the limits on it."""
        self.connection = self.request
        self.rfile = io.BufferedReader(_Head(self.connection, self.server.limits), 4096)
        self.wfile = self._written = io.BytesIO()
        self.command, self.request_version = "GET", "HTTP/1.0"

    def handle(self) -> None:
        """Answer, whatever comes."""
        try:
            self.raw_requestline = self.rfile.readline(self.server.limits.head_bytes)
            if self.raw_requestline and self.parse_request():
                self._send(self._answer())
        except _TooMuch:
            self._send(told(431, "The request is too long."))
        except TimeoutError:
            self._send(told(408, "The request took too long."))
        except OSError:
            return  # the visitor has gone

    def finish(self) -> None:
        """Let the answer arrive: bytes left unread would make it a reset."""
        self.connection.settimeout(0.5)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            left, end = _DRAINED_BYTES, time.monotonic() + 2
            while left > 0 and time.monotonic() < end:
                taken = len(self.connection.recv(65536))
                if not taken:
                    return
                left -= taken

    def _answer(self) -> Answer:
        door, target = self.server.door, self.path
        if refused := door.foreign(self.command, target, self.headers):
            return refused
        path, _, text = target.partition("?")
        try:
            given = parse_qsl(text, keep_blank_values=True, max_num_fields=12)
            query = dict(given)
        except ValueError:
            return told(400, "The address asks for too much.")
        if (token := query.pop("token", None)) is not None and path in ("/", "/well"):
            more = f"?{urlencode(query)}" if query else ""
            return door.welcome(path + more) if door.opens(token) else door.locked()
        if not door.knows(self.headers):
            return door.locked()
        return self.server.site(path, query)

    def _send(self, answer: Answer) -> None:
        headers = getattr(self, "headers", None)
        takes = headers is not None and "gzip" in headers.get("Accept-Encoding", "")
        if takes and answer.may_pack and len(answer.body) > 1024:
            answer = answer.packed()
        self.request_version = "HTTP/1.0"  # the oldest form would have no headers
        self.send_response_only(answer.status)
        for name, value in answer.headers():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        head = self._written.getvalue()
        body = b"" if self.command == "HEAD" else answer.body
        self.connection.settimeout(self.server.limits.answer_s)
        with suppress(OSError):
            self.connection.sendall(head + body)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """What the parser refuses, in the form of every other answer."""
        self._send(told(code, message or "The request cannot be read."))


class Viewer(ThreadingHTTPServer):
    """Serves one site on 127.0.0.1 until it is shut down."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    allow_reuse_address = True

    def __init__(self, port: int, site: Site, limits: Limits | None = None) -> None:
        """Listen on the port; OSError where it is taken."""
        super().__init__((HOST, port), _Visit)
        self.site, self.limits = site, limits or Limits()
        self.door = Door(self.server_address[1])
        self._room = threading.BoundedSemaphore(self.limits.visitors)
        self._is_ending = False

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the visitor a thread as soon as there is room."""
        # Those in it leave when their patience or ours ends; the next wait in line.
        while not self._room.acquire(timeout=0.2):
            if self._is_ending:
                self.shutdown_request(request)
                return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve, and make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line what went wrong; the others are served on."""
        error = sys.exception()
        print(f"a request failed: {type(error).__name__}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take no more visitors and leave the port."""
        self._is_ending = True
        self.shutdown()
        self.server_close()

    def address(self, place: str, token: str) -> str:
        """The address of a place as it is printed."""
        mark = "&" if "?" in place else "?"
        return f"http://{self.door.hosts[0]}{place}{mark}token={token}"


def listen(port: int, site: Site, limits: Limits | None = None) -> Viewer:
    """A viewer on the port, the next free one, or any that the system gives."""
    last = min(port + TRIED_PORTS, 65536)
    for number in (*range(port, last), 0):
        with suppress(OSError):
            return Viewer(number, site, limits)
    return Viewer(0, site, limits)
