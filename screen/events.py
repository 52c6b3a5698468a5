"""What happened in a run, one JSON object a line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from plates.json_text import strict_json
from screen.durable import told, write_all

_LONGEST_LINE = 1 << 16


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
        data, path = text.encode(), self.run / "events.jsonl"
        descriptor = os.open(path, flags, 0o666)
        try:
            write_all(descriptor, data)
        except OSError as error:
            raise told(error, path, len(data)) from error
        finally:
            os.close(descriptor)

    def mend(self) -> None:
        """Cut off a last line that a full disk or a power cut left unfinished; call it
        under the run's lock."""
        path = self.run / "events.jsonl"
        if not path.exists():
            return
        with path.open("r+b") as file:
            start = max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE)
            file.seek(start)
            file.truncate(start + file.read().rfind(b"\n") + 1)
