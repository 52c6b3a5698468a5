"""Rows G06 and G17 of the catalogue: plates in a storage service that is slow or locks out."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from plates import ome_zarr
from plates.ome_zarr.s3 import _N_PARALLEL, open_bucket
from plates.problems import InputError
from screen.steady_reads import StorageError, _storage_faults
from tests import catalogue
from tests.others_plates import Form, pixels_of, write_plate

pytest.importorskip("obstore")

FORM = Form(version="0.4", dtype=">u2", n_fields=2)
SECRET = "canary-secret-2b91"
SLOW = (503, "SlowDown")
EXPIRED = (400, "ExpiredToken")


@dataclass
class Service:
    """Serves the files below ``root`` as objects of the bucket `plates`.

    ``fault(token, n)`` is the answer to the n-th request, or None for a good one.
    """

    root: Path
    fault: Callable[[str, int], tuple[int, str] | None] = lambda token, n: None
    requests: list[str] = field(default_factory=list)

    def answer(self, path: str, token: str) -> tuple[int, bytes]:
        """Status and body."""
        self.requests.append(path)
        found = self.fault(token, len(self.requests))
        if found is not None:
            code, name = found
            return code, f"<Error><Code>{name}</Code></Error>".encode()
        file = self.root / path.removeprefix("/plates/")
        return (200, file.read_bytes()) if file.is_file() else (404, b"")


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            token = self.headers.get("x-amz-security-token", "")
            code, body = service.answer(self.path.partition("?")[0], token)
            span = self.headers.get("Range", "")
            if code == 200 and span:
                first, _, last = span.removeprefix("bytes=").partition("-")
                whole, code = len(body), 206
                body = body[int(first) : int(last) + 1]
                self.send_response(code)
                self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
            else:
                self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"1"')
            self.send_header("Last-Modified", "Sat, 21 Nov 2026 10:00:00 GMT")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    return Handler


@pytest.fixture
def service(memory_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service on a free port of the loopback interface, with one plate."""
    write_plate(memory_path / "bucket/p.zarr", FORM)
    found = Service(memory_path / "bucket")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(memory_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("plates.ome_zarr.s3._PAUSES_S", (0.01, 0.01, 0.0))
    _profile(memory_path, "old")
    open_bucket.cache_clear()
    yield found
    open_bucket.cache_clear()
    server.shutdown()
    server.server_close()
    thread.join()


def _profile(home: Path, token: str) -> None:
    (home / ".aws").mkdir(exist_ok=True)
    lines = ["[default]", "aws_access_key_id = key", f"aws_session_token = {token}"]
    lines += [f"aws_secret_access_key = {SECRET}"]
    (home / ".aws/credentials").write_text("\n".join(lines) + "\n")


IMAGE = "s3://plates/p.zarr/A/1/0"


def _pixels_are_right() -> None:
    (plane,) = ome_zarr.read_planes(IMAGE, [0])
    assert (plane == pixels_of(FORM, "A/1", 0)[0, 0, 0]).all()


def test_G06_a_slow_service_is_asked_again_by_fewer_at_a_time(service: Service) -> None:
    _pixels_are_right()
    n_before = len(service.requests)
    assert open_bucket("plates").n_parallel == _N_PARALLEL
    # obstore itself repeats a request three times: its first asking fails.
    service.fault = lambda token, n: SLOW if n <= n_before + 4 else None
    _pixels_are_right()
    assert open_bucket("plates").n_parallel == _N_PARALLEL // 2
    assert len(service.requests) == 2 * n_before + 4


def test_G06_a_service_that_stays_away_holds_the_plate(
    service: Service, memory_path: Path
) -> None:
    service.fault = lambda token, n: SLOW
    with pytest.raises(InputError, match="STORE_UNREACHABLE") as caught:
        ome_zarr.read_planes(IMAGE, [0])
    assert SECRET not in str(caught.value)
    assert open_bucket("plates").n_parallel == _N_PARALLEL // 8
    assert len(service.requests) == 3 * 4


def test_G17_new_credentials_are_taken_up(service: Service, memory_path: Path) -> None:
    _pixels_are_right()
    service.fault = lambda token, n: EXPIRED if token == "old" else None
    _profile(memory_path, "new")
    _pixels_are_right()
    assert open_bucket("plates").n_parallel == _N_PARALLEL


def test_G17_credentials_that_ran_out_stop_the_night(
    service: Service, memory_path: Path
) -> None:
    lab = catalogue.make_lab(memory_path / "lab", n_fields=1)
    lab.write_map([f"P1,{well},,,vehicle,stressed,1,b1" for well in ("A01", "B02")])
    service.fault = lambda token, n: EXPIRED if token == "old" else None
    words = ("source=s3://plates/p.zarr", "pixel_size_um=", "library=", "settle=0")
    ended = lab.ingest(*words)
    catalogue.told(ended, 5, "CREDENTIALS_EXPIRED", "log in anew", "same command")
    assert SECRET not in ended.text
    _profile(memory_path, "new")
    _pixels_are_right()


def test_G17_scoring_waits_for_them() -> None:
    from plates.ome_zarr.faults import refusal

    error = refusal("CREDENTIALS_EXPIRED", "s3://plates/p", "run out")
    with pytest.raises(StorageError, match="run out"), _storage_faults(Path("s3:/p")):
        raise error
    other = refusal("STORE_FORBIDDEN", "s3://plates/p", "denied")
    with pytest.raises(InputError, match="denied"), _storage_faults(Path("s3:/p")):
        raise other
