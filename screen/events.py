"""What happened in a run, one JSON object a line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from plates.json_text import strict_json


@dataclass(frozen=True)
class Events:
    """Appends to ``run/events.jsonl``; lines of several processes never mix, because
    one short O_APPEND write is one line."""

    run: Path

    def write(self, event: str, **facts: object) -> None:
        """Append one event with its time (UTC) and facts."""
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        text = strict_json({**line, "event": event, **facts}, default=str) + "\n"
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
        descriptor = os.open(self.run / "events.jsonl", flags, 0o666)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
