"""Progress for a person at a terminal; silence in a log file or a pipe."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Advance = Callable[..., None]
_RATE_OVER_S = (
    1800.0  # wells end a block at a time, minutes apart where fields are large
)


class _Rate(ProgressColumn):
    """Things done a second."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        super().__init__()

    def render(self, task: Task) -> Text:
        """The rate, or nothing before there is one."""
        return Text(rate_text(task.finished_speed or task.speed, self.unit))


def rate_text(speed: float | None, unit: str) -> str:
    """Such as ``2.5 wells/s``, or by the minute where it is slower than one a second."""
    if speed is None:
        return ""
    if speed < 1:
        return f"{60 * speed:.1f} {unit}/min"
    return f"{speed:.1f} {unit}/s"


@contextmanager
def bar(title: str, total: int, unit: str) -> Iterator[Advance]:
    """A bar on stderr, nothing without a terminal; yields `advance(n, note, total)`."""
    with _progress(unit) as progress:
        task = progress.add_task(title, total=total, note="")

        def advance(n: int, note: str = "", total: int | None = None) -> None:
            progress.update(task, advance=n, note=note, total=total)

        yield advance


@contextmanager
def bars(
    title: str, totals: Mapping[str, int], unit: str
) -> Iterator[Callable[[str, int], None]]:
    """A bar for the whole and one for each part that is under way, as `bar`; yields
    ``advance(part, n)``. A part's clock starts with its first advance."""
    with _progress(unit) as progress:
        whole = progress.add_task(title, total=sum(totals.values()), note="")
        parts: dict[str, TaskID] = {}
        left, n_open = dict(totals), sum(n > 0 for n in totals.values())

        def advance(part: str, n: int) -> None:
            nonlocal n_open
            if part not in parts:
                parts[part] = progress.add_task(part, total=totals[part], note="")
            was_open = left[part] > 0
            left[part] -= n
            n_open -= was_open and left[part] <= 0
            progress.update(parts[part], advance=n, visible=left[part] > 0)
            progress.update(whole, advance=n, note=f"{n_open} of {len(left)} to do")

        yield advance


def _progress(unit: str) -> Progress:
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        speed_estimate_period=_RATE_OVER_S,
    )
