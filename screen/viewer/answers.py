"""What the viewer answers: a status, a body and the headers that keep both harmless."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from plates.json_text import strict_json
from plates.problems import Problem
from screen.errors import printable

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
HTML, TEXT, JSON = "text/html", "text/plain", "application/json"
PIXELS = "application/octet-stream"


@dataclass(frozen=True)
class Answer:
    """One answer; ``more`` are headers of its own, ``policy`` what its page may do, and
    ``may_pack`` says whether a browser that takes gzip gets it."""

    status: int
    kind: str
    body: bytes
    policy: str = POLICY
    more: tuple[tuple[str, str], ...] = ()
    may_pack: bool = True

    def packed(self) -> Answer:
        """The same as gzip, at the level that costs least time."""
        body = gzip.compress(self.body, 1, mtime=0)
        more = (*self.more, ("Content-Encoding", "gzip"))
        return Answer(self.status, self.kind, body, self.policy, more, False)

    def headers(self) -> Iterable[tuple[str, str]]:
        """Every header but the status line."""
        is_text = self.kind in (HTML, TEXT, "text/css", "text/javascript")
        kind = f"{self.kind}; charset=utf-8" if is_text else self.kind
        yield "Content-Type", kind
        yield "Content-Length", str(len(self.body))
        yield "Content-Security-Policy", self.policy
        yield from HEADERS
        yield from self.more


def told(status: int, text: str, *more: tuple[str, str]) -> Answer:
    """A line of plain text."""
    return Answer(status, TEXT, f"{printable(text)}\n".encode(), more=more)


def as_json(value: Any, status: int = 200) -> Answer:
    """A JSON value; NaN is refused."""
    return Answer(status, JSON, strict_json(value).encode())


def of_problems(problems: Iterable[Problem], status: int) -> Answer:
    """What is wrong, as the page shows it: code, place, finding, reason, remedy."""
    return as_json({"problems": [shown_problem(p) for p in problems]}, status)


def shown_problem(problem: Problem) -> dict[str, str]:
    """A problem as text without control characters."""
    return {name: printable(text) for name, text in vars(problem).items()}
