"""A scheduler that is there already, and a run that goes to it:
`python -m tests.existing_scheduler CAMPAIGN RUNS`.

Scheduler and worker listen on loopback, once of IPv4 and once of IPv6, as their owner
has started them. Prints, as JSON by host, the exit code of the run, the addresses at
which the process listened before it and, beside those, while it went on.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

HOSTS = ("127.0.0.1", "::1")


def listening() -> set[tuple[str, int]]:
    """The addresses and ports at which this process and its children wait for callers."""
    here = psutil.Process()
    found = [
        connection
        for process in (here, *here.children(recursive=True))
        for connection in process.net_connections("inet")
    ]
    return {tuple(c.laddr) for c in found if c.status == psutil.CONN_LISTEN}


class Lookout(threading.Thread):
    """Looks at what listens, again and again."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        super().__init__(daemon=True)
        self.seen: set[tuple[str, int]] = set()
        self.over = threading.Event()

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(0.05):
            self.seen |= listening()


def run_at(host: str, campaign: Path, runs: Path) -> dict[str, Any]:
    """One run on a scheduler of this host."""
    from distributed import LocalCluster

    from tests.tiny_run import main

    page = (host, 0)  # as text, distributed takes no address of IPv6
    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        host=f"[{host}]" if ":" in host else host,
        protocol="tcp",
        dashboard_address=page,
        worker_dashboard_address=page,
        silence_logs=50,
    ) as cluster:
        before, lookout = listening(), Lookout()
        lookout.start()
        words = [f"campaign={campaign}", f"runs={runs}", "cluster=address"]
        words.append(f"cluster.address={cluster.scheduler_address}")
        code = main(words, is_called=False)
        lookout.over.set()
        lookout.join()
    return {
        "code": code,
        "before": sorted({ip for ip, _ in before}),
        "more": sorted({ip for ip, _ in lookout.seen - before}),
    }


if __name__ == "__main__":
    root, folder = Path(sys.argv[1]), Path(sys.argv[2])
    print(json.dumps({h: run_at(h, root, folder / h.strip(":")) for h in HOSTS}))
