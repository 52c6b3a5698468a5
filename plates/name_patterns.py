"""What file names say by a user's regular expression, in bounded time for any expression."""

import re
import time
from collections.abc import Sequence

from plates.killable import Done, KillablePool
from plates.problems import InputError, Problem

OPTIONAL = ("plate", "channel", "z", "t")
GROUPS = {"well", "row", "col", "field", "site", *OPTIONAL}
SECONDS = 1.5
_BATCH = 1000
_PLAIN_REPEATS = 3  # more, or a repeated group, can take years on one name
_ESCAPED = re.compile(r"\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]", re.DOTALL)
_REPEAT = re.compile(r"[*+]|\{\d*,\}")
_REPEATED_GROUP = re.compile(r"\)(?:[*+]|\{\d*,?\d*\})")
_REFERENCE = re.compile(r"\\[1-9]|\(\?P=")

Groups = dict[str, str]


def fits(pattern: str, names: Sequence[str]) -> list[Groups | None]:
    """The groups read from each name, '' for what is absent; None where it does not fit.

    The whole name must fit, or the path if the pattern holds `/`; names that begin with
    `.` or `~` never do. InputError PATTERN_INVALID, or PATTERN_SLOW after `SECONDS`.
    """
    expression = _compiled(pattern)
    batches = [names[n : n + _BATCH] for n in range(0, len(names), _BATCH)]
    if _is_plain(pattern):
        found: list[Groups | None] = []
        end = time.monotonic() + SECONDS * len(batches)
        for name in names:
            found.append(_fit(expression, name))
            if time.monotonic() > end:
                raise _slow(pattern, name)
        return found
    return _fits_elsewhere(pattern, batches)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise _invalid(pattern, f"no regular expression: {error}") from None
    groups = set(expression.groupindex)
    is_well = "well" in groups or {"row", "col"} <= groups
    if not is_well or groups - GROUPS or {"field", "site"} <= groups:
        found = f"named groups {sorted(groups)}, allowed: {sorted(GROUPS)}"
        raise _invalid(pattern, found)
    return expression


def _is_plain(pattern: str) -> bool:
    """Whether trying every way to fit a name takes a moment at most."""
    bare = _ESCAPED.sub("x", pattern)
    n_repeats = len(_REPEAT.findall(bare))
    return not (
        n_repeats > _PLAIN_REPEATS
        or _REPEATED_GROUP.search(bare)
        or _REFERENCE.search(pattern)
    )


def _fit(expression: re.Pattern[str], name: str) -> Groups | None:
    base = name.rsplit("/", 1)[-1]
    if base.startswith((".", "~")):
        return None
    match = expression.fullmatch(name if "/" in expression.pattern else base)
    return match and {key: text or "" for key, text in match.groupdict().items()}


def fit_batch(task: tuple[str, Sequence[str]]) -> list[Groups | None]:
    """The work of a child: a pattern and some names."""
    pattern, names = task
    expression = re.compile(pattern)
    return [_fit(expression, name) for name in names]


def _fits_elsewhere(
    pattern: str, batches: Sequence[Sequence[str]]
) -> list[Groups | None]:
    """In a process that can be ended: the engine of `re` cannot be stopped otherwise."""
    found: list[Groups | None] = []
    with KillablePool(1) as pool:
        tasks = [(pattern, batch) for batch in batches]
        results = pool.map(fit_batch, tasks, timeout_s=SECONDS, attempts=1)
        for batch, result in zip(batches, results, strict=True):
            if not isinstance(result, Done):
                raise _slow(pattern, batch[0])
            found += result.value
    return found


def _invalid(pattern: str, found: str) -> InputError:
    why = "what an image holds is known from its name only"
    remedy = "correct the pattern; it needs (?P<well>...) or row and col"
    return InputError(Problem("PATTERN_INVALID", pattern, found, why, remedy))


def _slow(pattern: str, name: str) -> InputError:
    found = f"no end after {SECONDS:g} s, near {name!r}"
    why = "repeats inside repeats are tried in every way"
    remedy = r"simplify it: \d+ or [A-Z]+ in place of (...)+ or many .*"
    return InputError(Problem("PATTERN_SLOW", pattern, found, why, remedy))
