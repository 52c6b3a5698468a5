"""The page of all exit and reason codes, made from their one registry."""

import sys
from itertools import groupby
from pathlib import Path

from screen.codes import CODES, EXIT_MEANINGS, Code

PAGE = Path(__file__).parents[1] / "docs" / "codes.md"

_FAMILIES = {
    "CFG": "Settings",
    "TABLE": "Tables",
    "READOUT": "Read-outs of other programs",
    "HAND": "Decisions by hand",
    "ORTHOGONAL": "Tables of other assays",
    "MAP": "Plate maps",
    "CMPD": "Compounds",
    "IMG": "Images",
    "PLATE": "Plates",
}
_OUTCOMES = """\
| outcome | what the engine does |
|---|---|
| REFUSE | stops before any computing |
| HOLD | leaves the plate out of this run and tries it again in the next |
| Q-plate, Q-well, Q-field | sets the plate, well or field aside with the code; the rest goes on |
| WARN | goes on and says so |
| STOP | stops in an orderly way; the same command goes on where it was |"""


def page() -> str:
    """The page as Markdown: exit codes, outcomes, and every reason code by family."""
    parts = [
        "# Codes",
        "Every message has the form `CODE where: what was found - why it matters - what"
        " to do`. The codes are stable; `make docs` writes this page from"
        " `screen/codes.py`.",
        "## Exit codes",
        _table(
            ("exit", "meaning"), [(str(int(c)), m) for c, m in EXIT_MEANINGS.items()]
        ),
        "## Outcomes",
        _OUTCOMES,
        *_sections(),
    ]
    return "\n\n".join(parts) + "\n"


def _sections() -> list[str]:
    ranked = sorted(CODES.items(), key=lambda item: (_rank(item[0]), item[0]))
    return [
        f"## {title}\n\n{_table(('code', 'outcome', 'exit', 'meaning', 'what to do'), rows)}"
        for title, rows in (
            (_title(rank), [_row(*item) for item in items])
            for rank, items in groupby(ranked, key=lambda item: _rank(item[0]))
        )
    ]


def _rank(name: str) -> int:
    families = list(_FAMILIES)
    family = name.split("_")[0]
    return families.index(family) if family in families else len(families)


def _title(rank: int) -> str:
    return [*_FAMILIES.values(), "Wells, stores and runs"][rank]


def _row(name: str, code: Code) -> tuple[str, ...]:
    return f"`{name}`", code.outcome, str(int(code.exit)), code.meaning, code.remedy


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    ruler = tuple("---" for _ in header)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ruler, *rows))


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
