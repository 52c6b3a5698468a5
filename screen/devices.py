"""Which device computes: found, named, and refused when it is asked for and absent."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from plates.problems import InputError, Problem

KINDS = ("auto", "cpu", "gpu")


@dataclass(frozen=True)
class Device:
    """A device of JAX: its platform (``cpu``, ``gpu``, ``tpu``) and its maker's name."""

    platform: str
    name: str

    def __str__(self) -> str:
        """Such as ``gpu (NVIDIA H200)`` or ``cpu (2 cores)``."""
        return f"{self.platform} ({self.name})"


def device_for(kind: str) -> Device:
    """Make JAX compute on a device from now on, and name it; auto takes the fastest kind.

    Raises InputError (DEVICE_ABSENT) when a GPU is asked for and JAX finds none: to
    compute on the CPU in silence would take a hundred times as long.
    """
    import jax

    if kind not in KINDS:
        raise ValueError(f"no device {kind!r}; known: {', '.join(KINDS)}")
    try:
        found = jax.devices(None if kind == "auto" else kind)[0]
    except RuntimeError as error:
        here = ", ".join(sorted({d.platform for d in jax.devices()}))
        raise InputError(
            Problem(
                "DEVICE_ABSENT",
                f"device={kind}",
                f"JAX finds {here} only",
                "a run that was meant for a GPU takes very long without one",
                "install jax[cuda13] and the driver, or set device=cpu or device=auto",
            )
        ) from error
    jax.config.update("jax_default_device", found)  # type: ignore[no-untyped-call]
    if found.platform == "gpu":
        keep_compilations()
    if found.platform == "cpu":
        return Device("cpu", f"{_n_cores()} cores")
    return Device(str(found.platform), str(found.device_kind))


def keep_compilations() -> Path | None:
    """Let JAX keep what it compiles in the user's own cache folder; None: it may not.

    What lies there is run, so the folder must be the user's and closed to all others.
    """
    import jax

    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "senoscreen" / "xla"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not is_own or found.st_mode & 0o077:
        print(f"{folder} is open to others: compilations are not kept", file=sys.stderr)
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))  # type: ignore[no-untyped-call]
    return folder


def _n_cores() -> int:
    return len(os.sched_getaffinity(0))


def precision_note(precision: str, device: Device) -> str | None:
    """What to say of bfloat16 on a device that only imitates it; None: nothing to say."""
    if precision == "bfloat16" and device.platform == "cpu":
        return "bfloat16 is slower than float32 on a CPU"
    return None
