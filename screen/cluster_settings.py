"""Where a run computes: the group `cluster`."""

import os
from dataclasses import dataclass

from screen.groups import key

MOST_THREADS = 4
"""Of one worker, where nobody says how many."""


@dataclass
class ClusterSettings:
    """Where the blocks of wells are computed."""

    kind: str = key(
        "local",
        "local worker process, inline in this process, a worker for each gpu, or the"
        " address of an existing scheduler",
        choices=("local", "inline", "gpu", "address"),
    )
    threads: int = key(
        0,
        "threads of a worker; 0 = chosen: four, fewer where workers share few cores",
        "threads",
        low=0,
        high=64,
    )
    workers: int = key(1, "worker processes", "processes", low=1, high=256)
    address: str = key("", "scheduler of cluster=address, such as tls://host:8786")
    block_wells: int = key(
        0,
        "wells of one task; 0 = chosen: some two seconds of work, 4 to 64, fewer in a"
        " short run",
        "wells",
        low=0,
        high=1536,
    )
    blocks_in_flight: int = key(
        0, "most tasks handed out at once; 0 = chosen", "blocks", low=0, high=4096
    )
    memory_mb: float = key(
        0.0,
        "most memory of a worker, as `plan` foretells it; a worker beyond it is started"
        " anew; 0 = an equal share of this machine's",
        "MB",
        low=0.0,
    )
    patience_s: float = key(
        600.0, "no well for longer than this counts as a hang", "s", low=1.0
    )

    @property
    def n_threads(self) -> int:
        """Threads of a worker, chosen or given: one a core and two more, of which one
        may wait for the disk and one for its turn in Python, shared among the workers;
        a fifth thread adds nothing (``by_threads`` of bench_stream.py)."""
        shared = (len(os.sched_getaffinity(0)) + 2) // self.workers
        return self.threads or max(1, min(MOST_THREADS, shared))
