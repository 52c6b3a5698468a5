"""A night on real file systems: `python -m tests.full_disk CAMPAIGN PLACE`.

Scores a campaign that is mounted read-only into a disk of 300 kB, once more without
asking for space beforehand, gives the disk more room and scores again. Prints what it saw as JSON. Needs the right to mount, in a mount
space of its own (`unshare -m`).
"""

import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

from plates.campaign import Campaign
from tests.storage_faults import night, statuses


def main(campaign: Path, place: Path) -> dict[str, object]:
    """Mount, score until the disk is full, make room, score to the end."""
    small, sealed = place / "small", place / "sealed"
    for folder in (small, sealed):
        folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small))
    _run("mount", "--bind", str(campaign), str(sealed))
    _run("mount", "-o", "remount,bind,ro", str(sealed))
    (small / "ballast").write_bytes(bytes(220_000))
    try:
        (sealed / "probe").touch()
        is_sealed = False
    except OSError:
        is_sealed = True
    before = night(Campaign.open(sealed), small)
    with mock.patch("screen.score.check_space"):
        first = night(Campaign.open(sealed), small)
    n_first = len(statuses(small / "tiny"))
    _run("mount", "-o", "remount,size=20m", str(small))
    second = night(Campaign.open(sealed), small)
    return {
        "is_sealed": is_sealed,
        "before": [before.code, before.text],
        "first": [first.code, first.text],
        "n_first": n_first,
        "second": [second.code, second.text],
        "n_second": len(statuses(small / "tiny")),
        "left": sorted(p.name for p in small.rglob(".*tmp-*")),
    }


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
