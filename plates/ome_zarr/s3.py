"""Plates in S3-compatible storage, read through obstore with the user's own credentials."""

import configparser
import os
import random
import re
import time
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from plates.ome_zarr.faults import refusal
from plates.ome_zarr.stores import TooLargeError
from plates.problems import InputError

T = TypeVar("T")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEYS = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
}
# A role's credentials come from a service that these name; obstore asks it itself.
_ROLES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_N_PARALLEL = 16
_PAUSES_S = (0.2, 0.5, 0.0)  # after each try, which obstore itself repeats
_EXPIRED = ("ExpiredToken", "TokenRefreshRequired", "RequestExpired")
_NO_BUCKET = "status code: 404"  # of a listing, which has no error of its own for it


def split_address(address: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`; InputError SOURCE_UNSUPPORTED if not.

    Keys, tokens or endpoints in the address are refused, and never repeated.
    """
    rest = re.sub("^s3:/+", "", address)
    bucket, _, prefix = rest.partition("/")
    parts = prefix.strip("/").split("/") if prefix.strip("/") else []
    plain = not re.search(r"[?#@\\\x00-\x1f]", rest) and not {"", ".", ".."} & {*parts}
    if not plain or not _BUCKET.fullmatch(bucket):
        found = "no plain s3://bucket/prefix; keys and endpoints are never part of it"
        raise refusal("SOURCE_UNSUPPORTED", "s3://", found)
    return bucket, "/".join(parts)


class S3Store:
    """One bucket; what may not be read is never taken for missing."""

    has_checksums = False

    def __init__(self, bucket: str) -> None:
        """Connect with what environment and profile say; InputError without obstore."""
        try:
            import obstore
        except ModuleNotFoundError:
            found = "the package obstore is not installed"
            raise refusal("S3_PACKAGE_MISSING", f"s3://{bucket}", found) from None
        self.name = self.address = f"s3://{bucket}"
        self.n_parallel = _N_PARALLEL
        self._bucket = bucket
        self._api: Any = obstore
        self._client = self._connected()

    def _connected(self) -> Any:
        """A client with the credentials of this moment."""
        from obstore.store import S3Store as Client

        config = settings_of(dict(os.environ))
        plain_http = str(config.get("endpoint", "")).startswith("http://")
        return Client(
            self._bucket,
            config=config,  # type: ignore[arg-type]
            client_options={
                "allow_http": plain_http,
                "connect_timeout": timedelta(seconds=10),
                "timeout": timedelta(seconds=60),
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=60)},
        )

    def size(self, key: str) -> int | None:
        """Bytes of an object."""
        meta = self._asked(key, lambda: self._api.head(self._client, key))
        return None if meta is None else int(meta["size"])

    def read(self, key: str, limit: int) -> bytes | None:
        """A whole object."""
        result = self._asked(key, lambda: self._api.get(self._client, key))
        if result is None:
            return None
        if result.meta["size"] > limit:
            raise TooLargeError(result.meta["size"])
        return self._asked(key, lambda: bytes(result.bytes()))

    def read_range(self, key: str, start: int, n_bytes: int) -> bytes:
        """Part of an object."""
        data = self._asked(
            key,
            lambda: self._api.get_range(self._client, key, start=start, length=n_bytes),
        )
        return b"" if data is None else bytes(data)

    def folders(self, key: str) -> tuple[str, ...]:
        """Names of the common prefixes below a prefix."""
        prefix = key or None
        listing = self._asked(
            key, lambda: self._api.list_with_delimiter(self._client, prefix)
        )
        found = [] if listing is None else listing["common_prefixes"]
        return tuple(sorted(path.rstrip("/").rpartition("/")[2] for path in found))

    def _asked(self, key: str, ask: Callable[[], T]) -> T | None:
        """The answer of the service, None for `no such object`.

        A service that is slow or breaks off is asked again by fewer at a time, one that
        finds the credentials too old once more with those of the environment or the
        profile as they are by now.
        """
        for pause in _PAUSES_S:
            try:
                return ask()
            except FileNotFoundError:
                return None
            except self._api.exceptions.BaseError as error:
                if _NO_BUCKET in str(error):
                    return None
                fault = self._fault(error, f"{self.name}/{key}")
            code = fault.problems[0].code
            if code == "STORE_FORBIDDEN":
                break
            if code == "CREDENTIALS_EXPIRED":
                self._client = self._connected()
            else:
                self.n_parallel = max(1, self.n_parallel // 2)
                time.sleep(pause * random.uniform(0.5, 1.5))
        raise fault

    def _fault(self, error: Exception, where: str) -> InputError:
        """What an error of the service means; its text may quote a signed request, so
        nothing of it is told."""
        errors = self._api.exceptions
        if any(word in str(error) for word in _EXPIRED):
            found = "the service says that the credentials have run out"
            return refusal("CREDENTIALS_EXPIRED", where, found)
        if isinstance(
            error, errors.PermissionDeniedError | errors.UnauthenticatedError
        ):
            found = "the service denies the right to read it"
            return refusal("STORE_FORBIDDEN", where, found)
        found = f"no answer from the service ({type(error).__name__})"
        return refusal("STORE_UNREACHABLE", where, found)


@lru_cache(maxsize=4)
def open_bucket(bucket: str) -> S3Store:
    """The bucket, connected once in a process."""
    return S3Store(bucket)


def settings_of(environment: dict[str, str]) -> dict[str, Any]:
    """Endpoint, region and credentials from the environment, else from the profile.

    Without any credentials requests go unsigned, so that public buckets can be read.
    """
    profile = _profile(environment)
    settings: dict[str, Any] = {
        key: value
        for key, name in _KEYS.items()
        if (value := environment.get(name) or profile.get(name.lower()))
    }
    endpoint = (
        environment.get("AWS_ENDPOINT_URL_S3")
        or environment.get("AWS_ENDPOINT_URL")
        or profile.get("endpoint_url")
    )
    region = (
        environment.get("AWS_REGION")
        or environment.get("AWS_DEFAULT_REGION")
        or profile.get("region")
    )
    settings["region"] = region or "us-east-1"
    if endpoint:
        settings["endpoint"] = endpoint
    on_machine = environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "false"
    has_role = on_machine or any(map(environment.get, _ROLES))
    if "access_key_id" not in settings and not has_role:
        settings["skip_signature"] = True
    return settings


def _profile(environment: dict[str, str]) -> dict[str, str]:
    """The chosen section of the user's AWS files."""
    home = Path(environment.get("HOME", "~")).expanduser() / ".aws"
    name = environment.get("AWS_PROFILE") or "default"
    places = (
        (environment.get("AWS_CONFIG_FILE") or home / "config", f"profile {name}"),
        (environment.get("AWS_CONFIG_FILE") or home / "config", name),
        (environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials", name),
    )
    found: dict[str, str] = {}
    for path, section in places:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            what = "not readable as an AWS profile"
            raise refusal("STORE_FORBIDDEN", path, what) from None
        if parser.has_section(section):
            found.update(parser.items(section))
    return found
