"""Asking a storage that may hang: who asks goes on, with an answer or without."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from plates.problems import Problem
from screen.codes import CODES
from screen.errors import Refusal

T = TypeVar("T")
ANSWER_S = 10.0


def within(ask: Callable[[], T], seconds: float = ANSWER_S) -> T:
    """``ask()``; raises TimeoutError when there is no answer within the time. The
    thread that waits for it then is left behind: no call to a dead mount can be ended
    from outside."""
    answer: Future[T] = Future()

    def wait() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=wait, name="asks a storage", daemon=True).start()
    return answer.result(seconds)


def answers(path: Path, name: str = "") -> bool:
    """Whether a plate's root is there; one in S3 answers for itself."""
    try:
        return str(path).startswith("s3:/") or (path / name).exists()
    except OSError:
        return False


def check_roots(
    paths: Iterable[Path], seconds: float = ANSWER_S, *, may_be_away: bool = False
) -> None:
    """Raise Refusal (MOUNT_GONE, exit 5) naming every folder of a plate that gives no
    answer within the time or, unless it ``may_be_away``, is not there: then nothing is
    known of any well below it."""
    code = CODES["MOUNT_GONE"]
    problems = [
        Problem("MOUNT_GONE", str(path), found, code.meaning, code.remedy)
        for path in sorted(set(paths))
        if (found := _missing(path, seconds, may_be_away))
    ]
    if problems:
        raise Refusal(problems)


def _missing(path: Path, seconds: float, may_be_away: bool) -> str:
    """What is wrong with a plate's root, in words; "" when nothing is."""
    try:
        is_there = within(lambda: answers(path), seconds)
    except TimeoutError:
        return f"no answer within {seconds:.0f} s"
    return "" if is_there or may_be_away else "it is not there"
