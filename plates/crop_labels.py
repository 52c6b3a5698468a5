"""What the columns of a crop list say: labels that are misspelt, numbers that are none."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection

from plates.problems import Problem
from plates.tables import TextTable, distinct_rows

RARE_SHARE = 0.02  # of rows; a label with more was meant
TIMES_RARER = 10  # than the label it resembles
LETTERS_PER_SLIP = 4  # a longer label may differ in more letters, two at most
MOST_SLIPS = 2


def label_typos(
    table: TextTable, column: str, known: Collection[str] = ()
) -> list[Problem]:
    """A problem for each rare label that is a slip of the pen of a frequent one, and
    for each that differs in case or blanks alone; ``known`` labels are meant.

    Labels that differ in their digits are never taken for one another.
    """
    rows_of = distinct_rows(table.frame[column].to_list())
    sizes = {label: len(rows) for label, rows in rows_of.items() if label}
    problems = []
    for label in [label for label in sizes if label not in known]:
        meant = _meant(label, sizes)
        if meant:
            rows = rows_of[label]
            problems.append(
                Problem(
                    "CROPS_LABEL_TYPO",
                    table.where(rows, column),
                    f"label {label!r} on {len(rows)} of {table.frame.height} lines",
                    f"it is nearly {meant!r} and would count as another label",
                    f"write {meant!r}, or name both with crops_classes=[...]",
                )
            )
    return problems


def _meant(label: str, sizes: dict[str, int]) -> str:
    """The more frequent label that this one is most likely a slip of, or ''."""
    total = sum(sizes.values())
    for other, n in sorted(sizes.items(), key=lambda item: -item[1]):
        if other == label or n < sizes[label]:
            continue
        if _plain(other) == _plain(label) and (n, other) > (sizes[label], label):
            return other
        is_rare = sizes[label] <= max(1.0, RARE_SHARE * total)
        is_outnumbered = n >= TIMES_RARER * sizes[label]
        if is_rare and is_outnumbered and _is_slip(label, other):
            return other
    return ""


def _plain(label: str) -> str:
    return "".join(ch for ch in label.casefold() if ch.isalnum())


def _is_slip(label: str, other: str) -> bool:
    a, b = label.casefold(), other.casefold()
    if _digits(a) != _digits(b) or not any(ch.isalpha() for ch in a):
        return False
    most = min(MOST_SLIPS, len(b) // LETTERS_PER_SLIP)
    return abs(len(a) - len(b)) <= most and edit_distance(a, b) <= most


def _digits(text: str) -> str:
    return "".join(ch for ch in text if ch.isdigit())


def edit_distance(a: str, b: str) -> int:
    """Letters put in, left out, changed, or swapped with their neighbour to make b of a
    (Damerau, CACM 7, 1964; the restricted form)."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            steps = [last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y)]
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                steps.append(before[j - 2] + 1)
            row.append(min(steps))
        before, last = last, row
    return last[-1]


def number_faults(table: TextTable, column: str) -> list[Problem]:
    """A problem for all cells of a column that hold text which is no finite number;
    empty cells are another fault."""
    values = table.frame[column].to_list()
    wrong = [row for row, text in enumerate(values) if text and not is_number(text)]
    if not wrong:
        return []
    seen = ", ".join(repr(text) for text in Counter(values[r] for r in wrong))
    return [
        Problem(
            "CROPS_VALUE_INVALID",
            table.where(wrong, column),
            seen[:120],
            "a network learns a number from every crop",
            "correct the cells or drop their lines",
        )
    ]


def is_number(text: str) -> bool:
    """Whether text is a finite number with a decimal point."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
