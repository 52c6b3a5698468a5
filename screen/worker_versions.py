"""The versions on every worker's host, which must be those of the run."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING

from plates.problems import Problem
from screen.codes import CODES
from screen.errors import Refusal
from screen.fingerprint import LIBRARIES, SCORE_VERSION, device_kind, vector_set
from screen.provenance import version_of

if TYPE_CHECKING:
    from distributed import Client

Versions = dict[str, str]


def versions_here() -> Versions:
    """What the numbers of this process depend on beside the device."""
    libraries = ("senoscreen", "numpy", "flax", *LIBRARIES)
    found = {"python": platform.python_version(), "score": str(SCORE_VERSION)}
    found |= {name: version_of(name) for name in libraries}
    return found | {"vector set": vector_set()}


def check_versions(client: Client) -> None:
    """Raise Refusal (WORKERS_DIFFER) with a table when a worker has other versions."""
    ignored = () if device_kind().startswith("cpu") else ("vector set",)
    found: dict[str, Versions] = client.run(versions_here)
    problems = list(differences(versions_here(), found, ignored))
    if problems:
        raise Refusal(problems)


def differences(
    here: Mapping[str, str],
    workers: Mapping[str, Mapping[str, str]],
    ignored: tuple[str, ...] = (),
) -> list[Problem]:
    """A problem for each worker that has another version, listing them all."""
    code = CODES["WORKERS_DIFFER"]
    tables = {
        address: ", ".join(
            f"{name} {found.get(name, 'none')} instead of {wanted}"
            for name, wanted in here.items()
            if found.get(name) != wanted and name not in ignored
        )
        for address, found in sorted(workers.items())
    }
    return [
        Problem("WORKERS_DIFFER", address, table, code.meaning, code.remedy)
        for address, table in tables.items()
        if table
    ]
