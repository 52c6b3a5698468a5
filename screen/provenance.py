"""The manifest of a run: what ran, on what, with what, and the checksum of each file."""

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from plates.json_text import strict_json
from screen.durable import write_whole
from screen.errors import Refusal, refusal

SCHEMA = 1
FILE = "manifest.json"
_NUMBERS = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn")
_STORES = (
    "zarr",
    "numcodecs",
    "xarray",
    "polars",
    "pyarrow",
    "tifffile",
    "imagecodecs",
)
_OTHERS = ("dask", "distributed", "hydra-core", "rdkit", "scikit-image")
_LIBRARIES = (*_NUMBERS, *_STORES, *_OTHERS)
_UNLISTED = {FILE, "events.jsonl", "lock"}  # they change after the files are listed
EXPORT = "export"
_DERIVED = {"sweep", EXPORT}
_SECRET_NAME = r"(?:secret|token|passw|credential|api_?key|access_?key|private_?key)"
_SECRET_PAIR = re.compile(rf"(?i)([\w.\-]*{_SECRET_NAME}[\w.\-]*\s*[=:]\s*)(\S+)")
# One slash too: what was once a path has lost the other.
_URL = re.compile(
    r"(?i)\b([a-z][a-z0-9+.\-]*://|[a-z][a-z0-9+.\-]+:/)([^\s/@]*@)?"
    r"([^\s?#'\"]*)(\?[^\s'\"]*)?"
)
_AWS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")


def sha256_file(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename."""
    write_whole(path, text.encode(), mode=mode)


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all, keys sorted, one to a line."""
    write_text(path, strict_json(value, indent=1, sort_keys=True, default=str) + "\n")


def redacted_text(text: str) -> str:
    """Text with passwords, tokens and the queries of URLs blotted out."""
    text = _URL.sub(_plain_url, text)
    text = _SECRET_PAIR.sub(r"\1***", text)

    return _AWS_KEY.sub("***", text)


def _plain_url(match: re.Match[str]) -> str:
    scheme, user, place, query = match.groups()

    return f"{scheme}{'***@' if user else ''}{place}{'?***' if query else ''}"


def redacted(value: Any, name: str = "") -> Any:
    """A JSON value without secrets, found by the name of their key or by their form."""
    if isinstance(value, Mapping):
        return {str(k): redacted(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item, name) for item in value]
    if re.search(rf"(?i){_SECRET_NAME}", name) and value:
        return "***"
    return redacted_text(value) if isinstance(value, str) else value


def version_of(name: str) -> str:
    """The installed version of a distribution, or `none`."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def versions() -> dict[str, str]:
    """Python and the libraries that a number may depend on, without importing them."""
    found = {name: version_of(name) for name in ("senoscreen", *_LIBRARIES)}

    return {"python": platform.python_version(), **found}


def device() -> dict[str, Any]:
    """The machine, and the accelerator when JAX has been used in this process."""
    found: dict[str, Any] = {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cpus": os.cpu_count(),
    }
    jax = sys.modules.get("jax")
    if jax is not None:
        found["devices"] = [str(d.device_kind) for d in jax.devices()]
    return found


def input_hashes(inputs: Mapping[str, str | Path]) -> dict[str, Any]:
    """Path and sha256 of each input file; of a folder, of the files directly in it."""
    return {name: _input(Path(path)) for name, path in inputs.items()}


def _input(path: Path) -> dict[str, Any]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    hashes = {f.name: sha256_file(f) for f in files if f.is_file()}

    return {"path": str(path), "sha256": hashes}


def record_outputs(
    run: Path,
    verb: str,
    settings: Any,
    *,
    inputs: Mapping[str, str | Path] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Enter a finished verb and the files it wrote in the run's manifest.

    The files of other verbs keep the checksums of their making, so that a later verb
    never blesses what has been damaged since. Returns the manifest's path.
    """
    manifest = read_manifest(run) if (run / FILE).exists() else _new(run)
    listed = manifest["outputs"]
    others = {name: o for name, o in listed.items() if o["verb"] != verb}
    own = {n: _output(run / n, verb) for n in _files(run) if n not in others}
    manifest["outputs"] = others | own
    manifest["verbs"][verb] = {
        "settings": redacted(asdict(settings)),
        "command": [redacted_text(word) for word in sys.argv[1:]],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "device": device(),
        "inputs": redacted(input_hashes(inputs or {})),
        "facts": redacted(dict(facts or {})),
    }
    manifest["sha256"] = _seal(manifest)
    write_json(run / FILE, manifest)
    return run / FILE


def _new(run: Path) -> dict[str, Any]:
    return {"schema": SCHEMA, "name": run.name, "verbs": {}, "outputs": {}}


def _output(path: Path, verb: str) -> dict[str, Any]:
    return {"sha256": sha256_file(path), "bytes": path.stat().st_size, "verb": verb}


def _files(run: Path) -> Iterator[str]:
    """Files below a run as relative names; hidden ones, other jobs and what was exported
    for a viewer (it carries checksums of its own) are not outputs."""
    for folder, folders, names in os.walk(run):
        left_out = _DERIVED if Path(folder) == run else {"sweep"}
        folders[:] = sorted(f for f in folders if f[0] != "." and f not in left_out)
        for name in sorted(names):
            relative = (Path(folder) / name).relative_to(run).as_posix()
            if name[0] != "." and relative not in _UNLISTED:
                yield relative


def _seal(manifest: Mapping[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != "sha256"}
    text = strict_json(content, sort_keys=True, default=str)

    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(run: Path) -> dict[str, Any]:
    """A run's manifest, its own checksum verified.

    Raises Refusal: exit 7 when it is damaged, 3 when absent or of a newer version.
    """
    path = run / FILE
    try:
        manifest = json.loads(path.read_bytes())
        schema, seal = manifest["schema"], _seal(manifest)
    except FileNotFoundError as error:
        why, remedy = (
            "it says what the run holds",
            "score first, or check run= and runs=",
        )
        raise refusal("INPUT_MISSING", path, "no manifest", why, remedy) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, "it cannot be read") from error
    if schema != SCHEMA:
        why = f"this version reads schema {SCHEMA}"
        remedy = f"use a version that reads schema {schema}"
        raise refusal("SCHEMA_NEWER", path, f"schema {schema}", why, remedy)
    if manifest.get("sha256") != seal:
        raise _damaged(path, "its own checksum does not agree")
    return dict(manifest)


def scored_campaign(run: Path, given: str = "") -> Path:
    """The folder of the campaign that a run scored, or the one that is given."""
    if given:
        return Path(given)
    scored = read_manifest(run)["verbs"].get("score", {})
    path = scored.get("inputs", {}).get("campaign", {}).get("path", "")
    if not path:
        raise refusal(
            "INPUT_MISSING",
            run,
            "the run does not say which campaign it scored",
            "the plate map and the plates are named there",
            "give campaign=PATH",
        )
    return Path(path)


def _damaged(path: Path, found: str) -> Refusal:
    why, remedy = "the run's files cannot be proved", "run the same command again"

    return refusal("MANIFEST_INVALID", path, found, why, remedy)
