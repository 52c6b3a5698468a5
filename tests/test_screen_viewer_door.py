"""The viewer answers one browser of this machine, and nobody and nothing else."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from screen.viewer.server import Limits, Viewer
from tests.viewer_run import Visitor, heard, make_place, state_of, viewer_of

API = [
    "/api/run",
    "/api/plate?plate=P01",
    "/api/well?plate=P01&well=A03",
    "/api/cells?plate=P01&well=A03",
    "/api/pixels?plate=P01&well=A03&field=0&channel=0",
]
PAGES = [
    "/",
    "/well",
    "/well?plate=P01&well=A03",
    "/static/well.js",
    "/static/well.css",
]


@pytest.fixture(scope="module")
def place(memory_root: Path) -> Path:
    return make_place(memory_root / "place")


@pytest.fixture(scope="module")
def viewer(place: Path) -> Iterator[Viewer]:
    with viewer_of(place) as serving:
        yield serving


@pytest.fixture
def friend(viewer: Viewer) -> Visitor:
    return Visitor.with_session(viewer)


def test_s13_it_listens_to_this_machine_alone(viewer: Viewer) -> None:
    assert viewer.server_address[0] == "127.0.0.1"


def test_s13_the_token_is_changed_for_a_cookie(viewer: Viewer) -> None:
    stranger = Visitor(viewer, {"Host": viewer.door.hosts[0]})
    token = viewer.door.token
    answer = stranger.get(f"/well?plate=P01&well=A03&token={token}")

    assert answer.status == 303
    assert answer.headers["Location"] == "/well?plate=P01&well=A03"
    cookie, *rules = answer.headers["Set-Cookie"].split("; ")
    assert {"SameSite=Strict", "HttpOnly"} <= set(rules)
    assert token not in cookie
    assert stranger.get("/well", Cookie=cookie).status == 200


def test_s13_a_pass_opens_once(viewer: Viewer) -> None:
    stranger = Visitor(viewer, {"Host": viewer.door.hosts[0]})
    given = viewer.door.new_pass()

    assert [stranger.get(f"/?token={given}").status for _ in range(2)] == [303, 403]


@pytest.mark.parametrize("target", [*PAGES, *API, "/favicon.ico", "/no/such"])
@pytest.mark.parametrize("query", ["", "token=", "token=AAAA", "token=%C3%BC"])
def test_s13_without_the_token_nothing_is_told(
    viewer: Viewer, target: str, query: str
) -> None:
    stranger = Visitor(viewer, {"Host": viewer.door.hosts[0]})
    mark = "&" if "?" in target else "?"
    answer = stranger.get(f"{target}{mark}{query}" if query else target)

    assert answer.status == 403
    assert b"tiny" not in answer.body
    assert "Set-Cookie" not in answer.headers


def test_s13_the_token_opens_pages_and_no_data(viewer: Viewer) -> None:
    stranger = Visitor(viewer, {"Host": viewer.door.hosts[0]})

    assert stranger.get(f"/api/run?token={viewer.door.token}").status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": None},
        {"Cookie": "senoscreen-1=x"},
        {"Cookie": "{cookie}=wrong"},
        {"Cookie": "{cookie}"},
        {"Cookie": '\x7f=;;;="'},
        {"Host": None},
        {"Host": ""},
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1:{port}.evil.example"},
        {"Host": "[::1]:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
@pytest.mark.parametrize("target", ["/", "/api/cells?plate=P01&well=A03"])
def test_s13_h10_another_host_or_web_page_is_refused(
    friend: Visitor, headers: dict[str, str | None], target: str
) -> None:
    door = friend.viewer.door
    told = {
        k: None if v is None else v.format(port=door.port, cookie=door.cookie)
        for k, v in headers.items()
    }
    answer = friend.get(target, **told)

    assert answer.status == 403
    assert b"tiny" not in answer.body


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_s13_its_own_names_are_answered(friend: Visitor, name: str) -> None:
    host = f"{name}:{friend.viewer.door.port}"
    site = {"Host": host, "Origin": f"http://{host}", "Sec_Fetch_Site": "same-origin"}

    assert friend.get("/api/run", **site).status == 200


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]
)
def test_s13_it_only_reads(friend: Visitor, method: str) -> None:
    answer = friend.get("/api/run", method)

    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("target", [*PAGES, *API, "/no/such"])
def test_s13_every_answer_has_its_rules(friend: Visitor, target: str) -> None:
    headers = friend.get(target).headers
    policy = headers["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "form-action 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert not [name for name in headers if name.startswith("Access-Control")]


def test_s13_the_report_runs_its_own_script_alone(friend: Visitor) -> None:
    answer = friend.get("/")
    policy = answer.headers["Content-Security-Policy"]

    assert "script-src 'sha256-" in policy
    assert "'self'" not in policy
    assert b"<title>tiny" in answer.body


@pytest.mark.parametrize(
    "target",
    [
        "/../manifest.json",
        "/..%2fmanifest.json",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%252f..%252fetc%252fpasswd",
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%77ell.js",
        "/static/..\\server.py",
        "/static/",
        "/static/well.js/",
        "/static/well.js%00",
        "//etc/passwd",
        "/report.html",
        "/manifest.json",
        "/api/",
        "/api/pixels/../../x",
        "/well/",
        "/api/plate?plate=../../../etc",
        "/api/plate?plate=%2e%2e%2f",
        "/api/plate?plate=P01%00",
        "/api/plate?plate=",
        "/api/well?plate=P01&well=../A01",
        "/api/well?plate=P01&well=%00",
        "/api/well?plate=P01&well=H12",
        "/api/pixels?plate=..&well=A01&field=0&channel=0",
        "/api/pixels?plate=P01&well=A01&field=7&channel=0",
        "/api/pixels?plate=P01&well=A01&field=0&channel=9",
    ],
)
def test_h10_s13_what_is_no_id_of_the_run_is_not_found(
    friend: Visitor, target: str
) -> None:
    answer = friend.get(target)

    assert answer.status == 404
    assert b"root:" not in answer.body


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/",
        "*",
        "/api/plate",
        "/api/pixels?plate=P01&well=A01&field=-1&channel=0",
        "/api/pixels?plate=P01&well=A01&field=0x1&channel=0",
        "/api/pixels?plate=P01&well=A01&field=0&channel=0&rows=0-65",
        "/api/pixels?plate=P01&well=A01&field=0&channel=0&rows=9-9",
        "/api/pixels?plate=P01&well=A01&field=0&channel=0&rows=9",
        "/api/pixels?plate=P01&well=A01&field=0&channel=0&columns=-1-9",
        "/api/run?" + "&".join(f"a{n}=" for n in range(50)),
    ],
)
def test_s13_what_makes_no_sense_is_refused(friend: Visitor, target: str) -> None:
    assert friend.get(target).status == 400


def test_s13_a_request_carries_nothing(friend: Visitor) -> None:
    assert friend.get("/api/run", Content_Length="5").status == 400
    assert friend.get("/api/run", Transfer_Encoding="chunked").status == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 10_000_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400),
        (b"GET / HTTP/9.9.9\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 403),
        (b"GET /\r\n\r\n", 403),
        (b"\x00" * 4096 + b"\r\n\r\n", 400),
    ],
    ids=[
        "header",
        "line",
        "headers",
        "tls",
        "version",
        "word",
        "hosts",
        "0.9",
        "zeros",
    ],
)
def test_s13_hostile_bytes_are_refused_and_it_serves_on(
    friend: Visitor, data: bytes, status: int
) -> None:
    assert friend.say(data).status == status
    assert friend.get("/api/run").status == 200


def test_s13_slow_clients_lose_their_place(place: Path) -> None:
    limits = Limits(head_s=0.3, visitors=2)
    with viewer_of(place, limits=limits) as viewer:
        friend = Visitor.with_session(viewer)
        slow = [friend.connect() for _ in range(5)]
        for connection in slow:
            connection.sendall(b"GET / HT")
        assert friend.get("/api/run").status == 200
        assert {heard(connection).status for connection in slow} == {408}
        for connection in slow:
            connection.close()


def test_s13_clients_that_go_leave_no_trace(
    friend: Visitor, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(20):
        with friend.connect() as connection:
            connection.sendall(b"GET /api/plate?plate=P01 HTTP/1.1\r\n")
    assert friend.get("/api/run").status == 200
    assert "Traceback" not in capsys.readouterr().err


def test_head_tells_the_length_and_no_more(friend: Visitor) -> None:
    whole, head = friend.get("/static/well.js"), friend.get("/static/well.js", "HEAD")

    assert head.body == b""
    assert head.headers == whole.headers


def test_text_is_packed_for_who_takes_it(friend: Visitor) -> None:
    plain, packed = (
        friend.get("/static/well.js", Accept_Encoding=encoding)
        for encoding in ("identity", "gzip, br")
    )
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


@pytest.mark.parametrize("wish", ["", "&packed=1"])
def test_pixels_are_packed_when_that_is_asked_for(friend: Visitor, wish: str) -> None:
    plain = friend.get(API[-1]).body
    answer = friend.get(API[-1] + wish, Accept_Encoding="gzip")

    assert ("Content-Encoding" in answer.headers) is bool(wish)
    assert (gzip.decompress(answer.body) if wish else answer.body) == plain


class _Opened:
    """Files opened for writing below a folder, as the interpreter tells of them."""

    def __init__(self) -> None:
        self.folder, self.found = "", list[str]()
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not self.folder:
            return
        name, writes = str(arguments[0]), os.O_WRONLY | os.O_RDWR | os.O_CREAT
        if name.startswith(self.folder) and (arguments[2] or 0) & writes:
            self.found.append(name)


def test_s13_nothing_is_written_into_run_or_plates(place: Path) -> None:
    opened, before = _Opened(), state_of(place)
    opened.folder = str(place)
    with viewer_of(place) as viewer:
        friend = Visitor.with_session(viewer)
        statuses = {friend.get(target).status for target in [*PAGES, *API]}
    opened.folder = ""

    assert statuses == {200}
    assert opened.found == []
    assert state_of(place) == before
