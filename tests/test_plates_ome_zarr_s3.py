"""Plates in S3-compatible storage: a server on loopback, keys from the environment alone."""

import sys
import threading
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from plates import ome_zarr
from plates.ome_zarr.s3 import open_bucket, settings_of, split_address
from plates.planes import PlaneError
from plates.problems import InputError
from plates.readers import READERS
from tests import catalogue
from tests.others_plates import Form, pixels_of, write_plate

pytest.importorskip("obstore")
moto = pytest.importorskip("moto.server")

FORM = Form(version="0.4", dtype=">u2", n_fields=2)
SHARDED = Form(shard=(1, 2, 1, 32, 32), codec="crc32c", axes="cyx", name="P2")
SECRET = "canary-secret-7f3a"


@dataclass(frozen=True)
class Service:
    """A storage service with one bucket."""

    url: str
    bucket: str = "plates"

    def put(self, key: str, data: bytes) -> None:
        """Store an object."""
        import obstore
        from obstore.store import S3Store

        client = S3Store(
            self.bucket,
            config={
                "endpoint": self.url,
                "region": "us-east-1",
                "access_key_id": "key",
                "secret_access_key": SECRET,
            },
            client_options={"allow_http": True},
        )
        obstore.put(client, key, data)

    def upload(self, folder: Path, prefix: str) -> str:
        """Store a folder's files; the address of it."""
        for path in folder.rglob("*"):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                self.put(f"{prefix}/{name}", path.read_bytes())
        return f"s3://{self.bucket}/{prefix}"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A moto server on a free port of the loopback interface."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        found = Service(f"http://{host}:{port}")
        request = urllib.request.Request(f"{found.url}/plates", method="PUT")
        urllib.request.urlopen(request).close()
        yield found
    assert not [t for t in threading.enumerate() if "moto" in t.name.lower()]


@pytest.fixture(scope="module")
def addresses(
    service: Service, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Two plates in the bucket."""
    root = tmp_path_factory.mktemp("plates")
    return {
        "old": service.upload(write_plate(root / "a", FORM), "screen/a.zarr"),
        "new": service.upload(write_plate(root / "b", SHARDED), "screen/b.zarr"),
    }


@pytest.fixture(autouse=True)
def _environment(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    open_bucket.cache_clear()
    yield
    open_bucket.cache_clear()


@pytest.mark.parametrize(("name", "form"), [("old", FORM), ("new", SHARDED)])
def test_a_plate_is_read_where_it_lies(
    addresses: dict[str, str], name: str, form: Form
) -> None:
    scan = ome_zarr.scan(addresses[name])
    assert scan.plates[0].plate == form.name
    assert scan.plates[0].wells == ("A01", "B02")
    for path in scan.planes["path"].unique():
        rows = scan.planes.filter(path=path)
        got = ome_zarr.read_planes(path, rows["page"].to_list())
        well, field = rows["well"][0], int(rows["field"][0])
        np.testing.assert_array_equal(got, pixels_of(form, well, field)[0, :, 0])


def test_a_prefix_of_plates_is_one_scan(addresses: dict[str, str]) -> None:
    prefix = addresses["old"].rpartition("/")[0]
    assert ome_zarr.detect(prefix)
    scan = ome_zarr.scan(prefix + "/")
    assert [facts.plate for facts in scan.plates] == ["P1", "P2"]


def test_single_chunks_of_a_shard_are_fetched(addresses: dict[str, str]) -> None:
    path = ome_zarr.scan(addresses["new"]).planes["path"][0]
    (plane,) = ome_zarr.read_planes(path, [1])
    np.testing.assert_array_equal(plane, pixels_of(SHARDED, "A/1", 0)[0, 1, 0])


def test_it_is_ingested_by_its_address(
    service: Service, tmp_path: Path, addresses: dict[str, str]
) -> None:
    lab = catalogue.make_lab(tmp_path / "lab", n_fields=1)
    lab.write_map([f"P1,{well},,,vehicle,stressed,1,b1" for well in ("A01", "B02")])
    ended = lab.ingest(
        f"source={addresses['old']}", "pixel_size_um=", "library=", "settle=0"
    )
    catalogue.told(ended, 0, "NO_PIXEL_CHECKSUM")
    assert SECRET not in ended.text
    assert lab.omitted() == {}
    everything = [p for p in lab.out.rglob("*") if p.is_file()]
    assert not any(SECRET.encode() in p.read_bytes() for p in everything)


@pytest.mark.parametrize("kind", ["missing", "empty", "cut"])
def test_damaged_objects_cost_their_field(
    service: Service, tmp_path: Path, kind: str
) -> None:
    import obstore

    root = write_plate(tmp_path / "p", FORM)
    address = service.upload(root, f"{kind}.zarr")
    chunk = root / "A/1/0/0/0/1/0/1/0"
    key = f"{kind}.zarr/{chunk.relative_to(root).as_posix()}"
    if kind == "missing":
        obstore.delete(open_bucket("plates")._client, key)
    else:
        service.put(key, b"" if kind == "empty" else chunk.read_bytes()[:-2])
    code = {"missing": "MISSING", "empty": "EMPTY", "cut": "CORRUPT"}[kind]
    with pytest.raises(PlaneError, match=f"CHUNK_{code}"):
        ome_zarr.read_planes(f"{address}/A/1/0", [0, 1])


def test_no_such_plate_is_told(service: Service) -> None:
    for address in ("s3://plates/nothing", "s3://nobucket/p.zarr"):
        with pytest.raises(InputError, match="PLATE_META_MISSING"):
            ome_zarr.scan(address)


def test_a_denied_object_is_never_missing(
    addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")  # unsigned: the bucket is not public
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match="STORE_FORBIDDEN"):
        ome_zarr.scan(addresses["old"])


def test_a_dead_service_is_told_without_its_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(InputError, match="STORE_UNREACHABLE") as caught:
        ome_zarr.scan("s3://plates/p.zarr")
    assert SECRET not in str(caught.value)


def test_without_the_package_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(InputError, match=r"S3_PACKAGE_MISSING.*senoscreen\[s3\]"):
        ome_zarr.scan("s3://plates/p.zarr")


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3://ab/x",
        "s3://KEY:SECRET@plates/x",
        "s3://plates/x?X-Amz-Signature=1",
        "s3://plates/../x",
        "s3://plates/a//b",
        "s3://Plates/x",
    ],
)
def test_an_address_holds_bucket_and_prefix_only(address: str) -> None:
    with pytest.raises(InputError, match="SOURCE_UNSUPPORTED") as caught:
        split_address(address)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://h/p.zarr", "simplecache::http://169.254.169.254", "gs://b/p"]
)
def test_other_schemes_are_refused(address: str) -> None:
    with pytest.raises(InputError, match="SOURCE_UNSUPPORTED"):
        ome_zarr.scan(address)


def test_a_path_has_lost_a_slash(addresses: dict[str, str]) -> None:
    assert READERS["ome_zarr"].detect(Path(addresses["old"]))
    assert ome_zarr.scan(Path(addresses["old"])).planes.height == 8


def test_settings_come_from_environment_and_profile(tmp_path: Path) -> None:
    assert settings_of({"HOME": str(tmp_path)}) == {
        "region": "us-east-1",
        "skip_signature": True,
    }
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(
        "[default]\nregion=eu-west-1\n[profile lab]\nregion=lab-1\n"
        "endpoint_url=http://lab:9000\n"
    )
    (tmp_path / ".aws/credentials").write_text(
        "[lab]\naws_access_key_id=k\naws_secret_access_key=s\naws_session_token=t\n"
    )
    home = {"HOME": str(tmp_path)}
    assert settings_of(home) == {"region": "eu-west-1", "skip_signature": True}
    lab = {
        "access_key_id": "k",
        "secret_access_key": "s",
        "session_token": "t",
        "region": "lab-1",
        "endpoint": "http://lab:9000",
    }
    assert settings_of({**home, "AWS_PROFILE": "lab"}) == lab
    override = {"AWS_ACCESS_KEY_ID": "e", "AWS_DEFAULT_REGION": "r"}
    found = settings_of({**home, "AWS_PROFILE": "lab", **override})
    assert (found["access_key_id"], found["region"]) == ("e", "r")
    role = {**home, "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}
    assert "skip_signature" not in settings_of(role)
