"""The engine: verbs, settings, streaming, ledger, statistics, hits, report."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screen.opened_run import OpenedRun as OpenedRun
    from screen.opened_run import open_run as open_run

_LAZY = ("OpenedRun", "open_run")


def __getattr__(name: str) -> Any:
    """What notebooks use, imported when it is first asked for: workers and the command
    line import this package thousands of times a night and need none of it."""
    if name in _LAZY:
        from screen import opened_run

        return getattr(opened_run, name)
    raise AttributeError(f"module 'screen' has no attribute {name!r}")
