"""Runs of a tiny screen forked from one warm process: killed and run again by hundreds,
none of them waits for imports."""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NEEDED = ("screen.score", "screen.call", "screen.jobs", "screen.compose")
ROOT = Path(__file__).parents[1]
MAIN = "from tests.warm_runs import main; main()"


def main() -> None:
    """Fork a run for each line asked for; tell its process id, then its exit code."""
    from tests.tiny_run import main as run

    for name in NEEDED:
        importlib.import_module(name)
    print("warm", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _be_a_run(asked, run)
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _be_a_run(asked: dict[str, Any], run: Any) -> None:
    """What the forked process does; it never comes back."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    os.environ.update(asked["env"])
    log = os.open(asked["log"], os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 1
    try:
        with _aimed(asked):
            code = run(asked["words"], is_called=asked["is_called"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _aimed(asked: dict[str, Any]) -> contextlib.AbstractContextManager[None]:
    """Dies by its own hand at a storage call below a folder, if that is asked."""
    if "aim" not in asked:
        return contextlib.nullcontext()
    from tests.storage_shim import Kill, storage

    return storage(Path(asked["folder"]), Kill(asked["aim"], asked["moment"]))


@dataclass
class Starter:
    """The warm process; one run at a time."""

    log: Path
    process: "subprocess.Popen[str]" = field(init=False)
    child: int = 0

    def __enter__(self) -> Self:
        """Start it and wait until it is warm."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "warm"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        with self.process:
            assert self.process.stdin is not None
            self.process.stdin.close()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def start(
        self,
        campaign: Path,
        runs: Path,
        *,
        pause: float = 0.0,
        is_called: bool = True,
        **aim: Any,
    ) -> int:
        """Fork a run; its process id, which is that of its group too."""
        asked = {
            "words": [f"campaign={campaign}", f"runs={runs}", "cluster=inline"],
            "is_called": is_called,
            "env": {"TINY_PAUSE": str(pause)},
            "log": str(self.log),
            **aim,
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        self.child = int(self._line())
        return self.child

    def kill(self) -> None:
        """Kill -9 of the run's process group; a run that has just ended is let be."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child, signal.SIGKILL)

    def code(self) -> int:
        """Wait for the run's end; its exit code, or minus the signal that killed it."""
        return int(self._line())

    def said(self) -> str:
        """What the last run printed."""
        return self.log.read_text(errors="replace")
