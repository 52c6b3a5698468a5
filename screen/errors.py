"""What a verb hands back, what it refuses, and how a person is told."""

import errno
import resource
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from plates.problems import FieldError, InputError, Problem
from screen.codes import CODES, ExitCode


@dataclass(frozen=True)
class Outcome:
    """How a verb ended: exit code, one line for the person, and what was written.

    ``is_answer``: the message is what was asked for, whatever the code.
    """

    code: int
    message: str
    paths: tuple[Path, ...] = ()
    is_answer: bool = False


class Refusal(Exception):
    """A verb does not go on: an exit code and every problem found, all at once."""

    def __init__(
        self, problems: Problem | Iterable[Problem], code: ExitCode | None = None
    ) -> None:
        """Keep the problems; unless given, the exit code is 3 or the worst of theirs."""
        found = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.problems: tuple[Problem, ...] = found
        codes = (ExitCode.REFUSED, *map(exit_of, found))
        self.code = worst(codes) if code is None else code
        super().__init__("\n".join(map(str, found)))

    def __reduce__(self) -> tuple[type["Refusal"], tuple[object, ...]]:
        """Its making again, so that it comes back whole from a worker process."""
        return type(self), (self.problems, self.code)


class Terminated(KeyboardInterrupt):
    """The process was asked to stop by SIGTERM or SIGHUP, not by Ctrl-C."""


def exit_of(problem: Problem) -> ExitCode:
    """The exit code that a problem alone would cause (3 for an unlisted code)."""
    listed = CODES.get(problem.code)

    return ExitCode.REFUSED if listed is None else listed.exit


_BY_WEIGHT = (0, 4, 8, 3, 2, 5, 6, 7, 1, 143, 130)  # mildest first


def worst(codes: Iterable[int]) -> ExitCode:
    """The gravest of several exit codes; 0 of none."""
    return ExitCode(max(codes, key=_BY_WEIGHT.index, default=0))


def refusal(code: str, where: object, found: str, why: str, remedy: str) -> Refusal:
    """A refusal for one problem, with the exit code of its reason code."""
    return Refusal(Problem(code, str(where), found, why, remedy))


def printable(text: str) -> str:
    """Text with control and direction marks escaped, so that a name draws no traps."""
    return "".join(
        ch.encode("unicode_escape").decode()
        if unicodedata.category(ch) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else ch
        for ch in text
    )


def rendered(problems: Iterable[Problem]) -> str:
    """The problems as a person reads them: a line each, at most 20 of one code."""
    lines: dict[str, dict[str, None]] = {}
    for problem in problems:
        lines.setdefault(problem.code, {})[printable(str(problem))] = None
    return "\n".join(line for found in lines.values() for line in _first(list(found)))


def _first(lines: list[str], n_shown: int = 20) -> list[str]:
    if len(lines) <= n_shown:
        return lines
    code = lines[0].partition(" ")[0]

    return [
        *lines[:n_shown],
        f"{code} and {len(lines) - n_shown} more of the same kind",
    ]


_FULL = {
    errno.ENOSPC: "DISK_FULL",
    errno.EDQUOT: "DISK_FULL",
    errno.EFBIG: "FILE_LIMIT",
    errno.EMFILE: "TOO_MANY_FILES",
    errno.ENFILE: "TOO_MANY_FILES",
    errno.ENOTCONN: "MOUNT_GONE",
    errno.EIO: "STORAGE_FAILING",
    errno.ESTALE: "STORAGE_FAILING",
}
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_UNREACHABLE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


def _of_os_error(error: OSError) -> Refusal | None:
    where = error.filename or "disk"
    found = error.strerror or str(error)
    if code := _FULL.get(error.errno or 0):
        if code == "TOO_MANY_FILES":
            found += f", {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} are allowed"
        return refusal(code, where, found, CODES[code].meaning, CODES[code].remedy)
    if isinstance(error, FileExistsError):
        why, remedy = "nothing is written over", "remove it or choose another out="
        return refusal("OUTPUT_EXISTS", where, found, why, remedy)
    if error.errno in _UNWRITABLE:
        why, remedy = "the file or folder cannot be used", "check its owner and rights"
        return refusal("OUTPUT_NOT_WRITABLE", where, found, why, remedy)
    if error.errno in _UNREACHABLE and error.filename:
        return refusal("INPUT_MISSING", where, found, "it is needed", "check the path")
    return None


def code_of(error: BaseException) -> ExitCode:
    """The exit code that a command ends with when this leaves its verb."""
    if isinstance(error, KeyboardInterrupt):
        stopped = isinstance(error, Terminated)
        return ExitCode.TERMINATED if stopped else ExitCode.INTERRUPTED
    refused = as_refusal(error)
    if refused is not None:
        return ExitCode(refused.code)
    from screen.ledger import IntegrityError  # loads Arrow, which no help text needs

    damaged = isinstance(error, IntegrityError)
    return ExitCode.INTEGRITY if damaged else ExitCode.INTERNAL


def as_refusal(error: BaseException) -> Refusal | None:
    """The refusal that an error means for the person; None is a fault of ours."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, InputError):
        return Refusal(error.problems)
    if isinstance(error, FieldError):
        return Refusal(error.problem)
    if isinstance(error, MemoryError):
        code = CODES["MEMORY_FULL"]
        return refusal("MEMORY_FULL", "memory", "none left", code.meaning, code.remedy)
    return _of_os_error(error) if isinstance(error, OSError) else None
