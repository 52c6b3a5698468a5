"""Who may ask: one browser that holds the session, and no page of another origin."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from email.message import Message
from http.cookies import CookieError, SimpleCookie

from screen.viewer.answers import Answer, told

_OWN_SITE = ("same-origin", "none")
_LOCKED = "Open the address that senoscreen view printed; this one lacks its token."


@dataclass
class Door:
    """Keeps the token of the printed address and the session that it is changed for.

    Cookies of one host reach all its ports, so the port is part of the cookie's name.
    A pass opens once: the browser's command line, which others on the machine can
    read, carries one in place of the token.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    _passes: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return f"senoscreen-{self.port}"

    @property
    def hosts(self) -> tuple[str, str]:
        """The only names this server answers to."""
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    def new_pass(self) -> str:
        """A token that opens once."""
        made = secrets.token_urlsafe(32)
        with self._lock:
            self._passes.add(made)
        return made

    def foreign(self, method: str, target: str, headers: Message) -> Answer | None:
        """The refusal of what no browser of ours sends, or None."""
        if method not in ("GET", "HEAD"):
            return told(405, "The viewer only reads.", ("Allow", "GET, HEAD"))
        if not target.startswith("/"):
            return told(400, "The address must begin with /.")
        if (
            headers.get("Transfer-Encoding")
            or headers.get("Content-Length", "0") != "0"
        ):
            return told(400, "A request carries no content here.")
        # Another name that resolves to 127.0.0.1 is another web page's: DNS rebinding.
        hosts = headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return told(403, "This server answers to its own address only.")
        allowed = {f"http://{host}" for host in self.hosts}
        if any(o not in allowed for o in headers.get_all("Origin") or []):
            return told(403, "Another web page asked; it is not answered.")
        sites = headers.get_all("Sec-Fetch-Site") or []
        if any(site not in _OWN_SITE for site in sites):
            return told(403, "Another web page asked; it is not answered.")
        return None

    def opens(self, token: str) -> bool:
        """Whether a token is the printed one, or a pass, which is then used up."""
        with self._lock:
            used = [p for p in self._passes if _same(p, token)]
            self._passes.difference_update(used)
        return bool(used) or _same(self.token, token)

    def knows(self, headers: Message) -> bool:
        """Whether the request carries the session."""
        try:
            kept = SimpleCookie("; ".join(headers.get_all("Cookie") or []))
        except CookieError:
            return False
        found = kept.get(self.cookie)
        return found is not None and _same(self.session, found.value)

    def welcome(self, place: str) -> Answer:
        """The session, and on to the place without the token."""
        cookie = f"{self.cookie}={self.session}; Path=/; SameSite=Strict; HttpOnly"
        return told(303, "Welcome.", ("Location", place), ("Set-Cookie", cookie))

    def locked(self) -> Answer:
        """What is said without a session."""
        return told(403, _LOCKED)


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode("utf-8", "replace"))
