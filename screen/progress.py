"""Progress for a person at a terminal; silence in a log file or a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Advance = Callable[..., None]


class _Rate(ProgressColumn):
    """Things done a second."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        super().__init__()

    def render(self, task: Task) -> Text:
        """The rate, or nothing before there is one."""
        speed = task.finished_speed or task.speed

        return Text("" if speed is None else f"{speed:.1f} {self.unit}/s")


@contextmanager
def bar(title: str, total: int, unit: str) -> Iterator[Advance]:
    """A bar on stderr, nothing without a terminal; yields `advance(n, note, total)`."""
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    is_shown = console.is_terminal
    with Progress(*columns, console=console, disable=not is_shown) as progress:
        task = progress.add_task(title, total=total, note="")

        def advance(n: int, note: str = "", total: int | None = None) -> None:
            progress.update(task, advance=n, note=note, total=total)

        yield advance
