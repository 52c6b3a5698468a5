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
        left = {part: n for part, n in totals.items() if n > 0}

        def advance(part: str, n: int) -> None:
            if part in left:
                left[part] -= n
                if part not in parts:
                    parts[part] = progress.add_task(part, total=totals[part], note="")
                progress.update(parts[part], advance=n)
                if left[part] <= 0:
                    # A task keeps a mark of every advance as long as it lives.
                    progress.remove_task(parts.pop(part))
                    del left[part]
            note = f"{len(left)} of {len(totals)} to do"
            progress.update(whole, advance=n, note=note)

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
