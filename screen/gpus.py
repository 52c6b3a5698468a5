"""The GPUs of this machine: which there are, who uses them, and one worker for each."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from plates.problems import Problem
from screen.codes import CODES
from screen.errors import refusal

# JAX would take three quarters of a device's memory at its start, and the client, which
# only asks for its name, would leave the worker without.
NO_PREALLOCATION = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
_PATIENCE_S = 20

Ask = Callable[[str], str]


@dataclass(frozen=True)
class Gpu:
    """A device as its driver names it."""

    uuid: str
    name: str


def ask_driver(query: str) -> str:
    """What nvidia-smi answers to a query as CSV; "" where there is no driver."""
    words = ["nvidia-smi", f"--query-{query}", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(
            words, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return found.stdout if found.returncode == 0 else ""


def gpus(ask: Ask = ask_driver) -> tuple[Gpu, ...]:
    """The GPUs that this process may use, by CUDA_VISIBLE_DEVICES where that is set."""
    rows = [line.split(", ") for line in ask("gpu=index,uuid,name").splitlines()]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = None if visible is None else [v.strip() for v in visible.split(",")]
    return tuple(
        Gpu(uuid, name)
        for index, uuid, name in rows
        if chosen is None or index in chosen or uuid in chosen
    )


def usable_gpus(ask: Ask = ask_driver) -> tuple[Gpu, ...]:
    """The GPUs, at least one; raises Refusal (DEVICE_ABSENT) without any."""
    found = gpus(ask)
    if found:
        return found
    why, remedy = "cluster=gpu gives each GPU a worker", "use cluster=local"
    raise refusal("DEVICE_ABSENT", "cluster=gpu", "no GPU here", why, remedy)


def busy_gpus(ask: Ask = ask_driver) -> list[Problem]:
    """A warning for each other process that computes on a GPU of ours, with its pid."""
    ours = {gpu.uuid: gpu.name for gpu in gpus(ask)}
    rows = ask("compute-apps=gpu_uuid,pid,process_name,used_memory").splitlines()
    apps = [row.split(", ") for row in rows]
    return [
        _busy(ours[uuid], pid, name, mib)
        for uuid, pid, name, mib in apps
        if uuid in ours and pid != str(os.getpid())
    ]


def _busy(gpu: str, pid: str, name: str, mib: str) -> Problem:
    code, found = CODES["DEVICE_BUSY"], f"pid {pid} ({name}) holds {mib} MiB"
    return Problem("DEVICE_BUSY", gpu, found, code.meaning, code.remedy)
