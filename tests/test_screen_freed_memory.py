"""What is free goes back to the system, and not too often."""

from __future__ import annotations

import subprocess
import sys

import pytest

from screen import freed_memory
from screen.freed_memory import NowAndThen

FRAGMENTED = """
import numpy as np
from pathlib import Path
from screen.freed_memory import give_back

def resident():
    line = next(l for l in Path("/proc/self/status").open() if l.startswith("VmRSS"))
    return int(line.split()[1]) * 1024

pieces = [np.ones(50_000, np.uint8) for _ in range(4_000)]
last = pieces[-1]  # at the end of the heap: the C library alone gives nothing back
del pieces
before = resident()
print(give_back(), before - resident())
"""


def test_free_pages_between_used_ones_are_given_back() -> None:
    words = [sys.executable, "-c", FRAGMENTED]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    is_glibc, given = told.split()
    if is_glibc == "False":
        pytest.skip("no glibc here")
    assert int(given) > 150_000_000


def test_it_happens_at_once_and_then_no_more_often_than_said() -> None:
    now, times = [0.0], list[float]()
    keep = NowAndThen(30.0, lambda: now[0], lambda: times.append(now[0]))
    for now[0] in (0.0, 1.0, 29.9, 30.0, 59.0, 60.5):
        keep()
    assert times == [0.0, 30.0, 60.5]


def test_another_c_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freed_memory, "_trim", lambda: None)
    assert not freed_memory.give_back()
