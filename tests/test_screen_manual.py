"""Help teaches, quickly and from the settings themselves; every code has its words."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from screen.codes import CODES, EXIT_MEANINGS, ExitCode
from screen.command_line import parse
from screen.errors import printable
from screen.manual import manual, overview
from screen.settings import VERBS

ROOT = Path(__file__).parents[1]


def test_help_names_every_verb_and_exit_code() -> None:
    assert all(f"  {verb}" in overview() for verb in VERBS)
    assert all(meaning in overview() for meaning in EXIT_MEANINGS.values())


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_shows_an_example_that_works(verb: str) -> None:
    lines = manual(verb).splitlines()
    example = next(line for line in lines if line.startswith("example: "))
    _, _, name, *words = shlex.split(example)

    assert name == verb
    assert parse(verb, words).jobs


@pytest.mark.parametrize("words", [["--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_is_quick_and_loads_nothing_heavy(words: list[str]) -> None:
    probe = (
        "import sys, time; start = time.perf_counter()\n"
        "from screen.__main__ import main\n"
        f"assert main({words!r}) == 0\n"
        "assert not {'jax', 'hydra', 'zarr', 'polars'} & set(sys.modules)\n"
        "assert time.perf_counter() - start < 1\n"
    )
    subprocess.run(
        [sys.executable, "-c", probe], check=True, capture_output=True, cwd=ROOT
    )


def test_names_cannot_draw_on_the_terminal() -> None:
    assert printable("a\x1b[31m\nb\u202e") == "a\\x1b[31m\\nb\\u202e"


def test_every_code_is_complete() -> None:
    assert all(c.meaning and c.remedy and c.outcome for c in CODES.values())
    assert all(isinstance(c.exit, ExitCode) for c in CODES.values())
    assert set(EXIT_MEANINGS) == set(ExitCode)
