"""How an orthogonal or counter-screen table is named in the settings, and the limit it may set."""

import math
import re
from dataclasses import dataclass

HELP = (
    "tables of other assays, NAME:FILE or NAME:FILE:OP:LIMIT with OP min or max, such as"
    " [sa_bgal:bgal.csv:max:0.5]; with plate, well, value or compound, value; a hit"
    " beyond a limit is none, and one within all of them is confirmed"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Orthogonal:
    """A table of another assay; `limit` with `op` min or max, or no limit and op ''."""

    name: str
    file: str
    op: str = ""
    limit: float = math.nan

    @property
    def column(self) -> str:
        """The column that its values have in our tables."""
        return f"orthogonal_{self.name}"

    @property
    def is_gate(self) -> bool:
        """Whether it has a limit."""
        return self.op != ""


def orthogonal_of(entries: list[str]) -> list[Orthogonal]:
    """The tables of the setting `orthogonal`; ValueError says which entry is wrong."""
    found = [_parsed(entry) for entry in entries]
    names = [one.name.casefold() for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"orthogonal names {name} twice; give each its own name")
    return found


def _parsed(entry: str) -> Orthogonal:
    name, _, rest = entry.partition(":")
    parts = rest.split(":")
    if not _NAME.fullmatch(name) or not parts[0] or len(parts) not in (1, 3):
        raise ValueError(
            f"orthogonal {entry!r}: write NAME:FILE or NAME:FILE:OP:LIMIT, the name of"
            " letters, digits and _"
        )
    if len(parts) == 1:
        return Orthogonal(name, parts[0])
    file, op, text = parts
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if op not in ("min", "max") or not math.isfinite(limit):
        raise ValueError(
            f"orthogonal {entry!r}: OP is min or max, and LIMIT a finite number"
        )
    return Orthogonal(name, file, op, limit)
