"""Work beside a call: the same results, whoever makes them and whatever befalls."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from screen.beside import LEAST_WELLS, beside


def own_number() -> int:
    return os.getpid()


def killed_elsewhere(home: int) -> str:
    if os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)
    return "done here"


def refused(name: str) -> None:
    raise ValueError(f"{name} does not hold")


def told(path: Path, word: str) -> str:
    with path.open("a") as file:
        file.write(word)
    return word


def test_few_wells_are_worked_on_here_and_only_when_asked(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    works = (own_number, partial(told, notes, "asked"))
    with beside(LEAST_WELLS - 1, works) as (number, _):
        assert number() == os.getpid()
    assert not notes.exists()


def test_many_wells_are_worked_on_in_another_process_in_order(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    works = (own_number, partial(told, notes, "a"), partial(told, notes, "b"))
    with beside(LEAST_WELLS, works) as (number, first, second):
        assert number() != os.getpid()
        assert (first(), second()) == ("a", "b")
    assert notes.read_text() == "ab"


def test_work_of_a_process_that_died_is_done_here() -> None:
    works = (partial(killed_elsewhere, os.getpid()), own_number)
    with beside(LEAST_WELLS, works) as (first, second):
        assert first() == "done here"
        assert second() == os.getpid()


def test_an_error_is_raised_here_and_nothing_is_said_there(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with (
        beside(LEAST_WELLS, (partial(refused, "it"),)) as (work,),
        pytest.raises(ValueError, match="it does not hold"),
    ):
        work()
    assert capfd.readouterr().err == ""
