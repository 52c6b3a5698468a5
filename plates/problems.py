"""Problems found in what a user hands in: one form for every file and every field."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One fault of an input: its code, its place, what was found, why it matters, what to do."""

    code: str
    where: str
    found: str
    why: str
    remedy: str

    def __str__(self) -> str:
        """The one-line form `CODE where: found - why - remedy`."""
        return f"{self.code} {self.where}: {self.found} - {self.why} - {self.remedy}"


class InputError(ValueError):
    """An input is refused; `problems` holds every fault found in it, never only the first."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        """Takes one problem or many; refuses none, because a refusal needs a reason."""
        many = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.problems: tuple[Problem, ...] = many
        if not self.problems:
            raise TypeError("InputError needs at least one problem, got none")
        # The problems are the arguments, so that the error survives pickling.
        super().__init__(self.problems)

    def __str__(self) -> str:
        """One problem a line."""
        return "\n".join(str(problem) for problem in self.problems)


class FieldError(ValueError):
    """One field of a well cannot be read; `problem` says which and why."""

    def __init__(self, problem: Problem) -> None:
        """Takes the problem that keeps this field from being read."""
        self.problem = problem
        super().__init__(problem)

    def __str__(self) -> str:
        """The problem's one-line form."""
        return str(self.problem)
