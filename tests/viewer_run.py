"""A small called run to look at, a viewer of it, and a visitor who says what he likes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plates.campaign import Campaign
from plates.store_metadata import LEVEL, SHARD
from screen.__main__ import main
from screen.compose import settings_of
from screen.viewer.pages import Site
from screen.viewer.server import HOST, Limits, Viewer
from screen.viewer.viewed_run import viewed
from tests.test_screen_score import score
from tests.tiny_screen import make_screen

GONE = ("A04", 1)  # no file
TORN = ("B05", 0)  # half a file


def make_place(root: Path) -> Path:
    """A campaign of 12 wells with a lost and a torn field, scored, called and told of in
    ``runs/tiny``."""
    campaign = make_screen(root / "campaign", ("P01",), 12, {"P01": 64})
    shard(campaign, *GONE).unlink()
    torn = shard(campaign, *TORN)
    torn.write_bytes(torn.read_bytes()[:-400])
    outcome, _ = score(campaign, root / "runs", "min_fields_share=0.4")
    assert outcome.code == 0
    for verb in ("call", "report"):
        assert main([verb, "run=tiny", f"runs={root / 'runs'}"]) == 0
    return root


def shard(campaign: Campaign, well: str, field_: int) -> Path:
    """The file with a field's pixels."""
    folder = campaign.plates[0].path / well[0] / str(int(well[1:]))
    return folder / str(field_) / LEVEL / SHARD


def settings(place: Path, *more: str) -> Any:
    """The verb's settings for the run of a place."""
    given = {"run": "tiny", "runs": str(place / "runs")}
    given |= dict(word.split("=", 1) for word in more)
    return settings_of("view", [f"{k}={v}" for k, v in given.items()])


@contextmanager
def viewer_of(
    place: Path, *more: str, limits: Limits | None = None
) -> Iterator[Viewer]:
    """A viewer of the place's run on any free port."""
    viewer = Viewer(0, Site(viewed(settings(place, *more))), limits)
    thread = threading.Thread(target=viewer.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield viewer
    finally:
        viewer.end()
        thread.join()


def state_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Times and size of everything below a folder: they tell of any change."""
    stats = {str(p): p.lstat() for p in [folder, *folder.rglob("*")]}
    return {n: (s.st_mtime_ns, s.st_ctime_ns, s.st_size) for n, s in stats.items()}


@dataclass(frozen=True)
class Heard:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Visitor:
    """Speaks to a viewer byte by byte; ``headers`` go with every request."""

    viewer: Viewer
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def with_session(cls, viewer: Viewer) -> Visitor:
        """One who holds the session."""
        door = viewer.door
        cookie = f"{door.cookie}={door.session}"
        return cls(viewer, {"Host": door.hosts[0], "Cookie": cookie})

    def get(self, target: str, method: str = "GET", /, **headers: str | None) -> Heard:
        """One request; a header that is None is left out."""
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        lines = [
            f"{k}: {v}" for k, v in (self.headers | named).items() if v is not None
        ]
        return self.say(
            "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode()
        )

    def say(self, data: bytes) -> Heard:
        """Any bytes, and what comes back."""
        with self.connect() as connection:
            with suppress(BrokenPipeError, ConnectionResetError):  # it heard enough
                connection.sendall(data)
            return heard(connection)

    def connect(self) -> socket.socket:
        """A connection."""
        return socket.create_connection((HOST, self.viewer.door.port), timeout=30)


def heard(connection: socket.socket) -> Heard:
    """What comes until the other side ends."""
    data = b""
    while part := connection.recv(1 << 16):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Heard(int(first.split()[1]), headers, body)
