"""How often XLA compiles while wells are scored: counted where it happens."""

from __future__ import annotations

from screen.once import Once
from screen.stages import note_compilation

EVENT = "/jax/core/compile/backend_compile_duration"
_listening = Once()


def count_compilations() -> None:
    """Book every compilation of this process from now on to the well under way."""
    _listening(EVENT, _listen)


def _listen() -> bool:
    import jax

    jax.monitoring.register_event_duration_secs_listener(_heard)
    return True


def _heard(event: str, duration_secs: float, **facts: str | int) -> None:
    if event == EVENT:
        note_compilation()
