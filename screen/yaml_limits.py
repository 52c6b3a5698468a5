"""Limits on option files, judged before anything expands them."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from screen.errors import refusal

MAX_BYTES = 256_000
MAX_ALIASES = 10
MAX_DEPTH = 20

_REMEDY = "write the values out; an option file is a short list of key: value"
_WHY = "a short file may stand for more values than any memory holds"


def check_options(paths: Iterable[Path]) -> None:
    """Raise Refusal (CFG_FILE_LIMIT, CFG_FILE_INVALID) for a file beyond the limits.

    Only the events of the text are looked at: an alias is counted, never followed.
    """
    for path in paths:
        _check_size(path)
        _check_events(path)


def _check_size(path: Path) -> None:
    n_bytes = path.stat().st_size
    if n_bytes > MAX_BYTES:
        found = f"{n_bytes:,} bytes, limit yaml_bytes={MAX_BYTES:,}"
        raise refusal("CFG_FILE_LIMIT", path, found, _WHY, _REMEDY)


def _check_events(path: Path) -> None:
    n_aliases = depth = 0
    try:
        text = path.read_text(encoding="utf-8")
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            n_aliases += isinstance(event, yaml.AliasEvent)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if n_aliases > MAX_ALIASES or depth > MAX_DEPTH:
                found = f"more than {MAX_ALIASES} aliases or {MAX_DEPTH} levels"
                raise refusal("CFG_FILE_LIMIT", path, found, _WHY, _REMEDY)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found = " ".join(str(error).split())[:200]
        why, remedy = "the options cannot be read", "correct the file"
        raise refusal("CFG_FILE_INVALID", path, found, why, remedy) from None
