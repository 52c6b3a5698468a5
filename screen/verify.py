"""The verb verify: every file of a run against the checksum of its making."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from plates.problems import Problem
from screen.codes import CODES
from screen.errors import Outcome, Refusal
from screen.paths import existing_run_dir
from screen.progress import bar
from screen.provenance import FILE, read_manifest, sha256_file
from screen.settings import VerifyVerb


def run(settings: VerifyVerb) -> Outcome:
    """Check a run; raises Refusal (exit 7) naming every file that is changed or gone."""
    folder = existing_run_dir(settings.runs, settings.run)
    outputs = read_manifest(folder)["outputs"]
    with bar("verifying", len(outputs), "files") as advance:
        problems = []
        for name, listed in outputs.items():
            problems += list(faults(folder, name, listed))
            advance(1)
    if problems:
        raise Refusal(problems)
    n_bytes = sum(listed["bytes"] for listed in outputs.values())
    text = (
        f"{folder}: {len(outputs)} files, {n_bytes:,} bytes, all as they were written"
    )

    return Outcome(0, text, (folder / FILE,))


def check_shown(folder: Path, names: Iterable[str]) -> None:
    """Raise Refusal (exit 7) naming each of the files that is not what the folder's
    manifest lists; nothing unproved is shown. A file that it never listed passes."""
    if not (folder / FILE).is_file():
        return
    outputs = read_manifest(folder)["outputs"]
    problems = [
        problem
        for name in names
        if name in outputs
        for problem in faults(folder, name, outputs[name])
    ]
    if problems:
        raise Refusal(problems)


def faults(folder: Path, name: str, listed: dict[str, Any]) -> Iterator[Problem]:
    """What is wrong with one listed file: gone, of another size, or changed."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        yield _problem("PATH_ESCAPE", path, "it points out of the run")
    elif not path.is_file():
        yield _problem("OUTPUT_MISSING", path, "the file is gone")
    elif path.stat().st_size != listed["bytes"]:
        found = f"{path.stat().st_size:,} of {listed['bytes']:,} bytes"
        yield _problem("OUTPUT_CHANGED", path, found)
    elif sha256_file(path) != listed["sha256"]:
        yield _problem("OUTPUT_CHANGED", path, "its checksum does not agree")


def _problem(code: str, path: Path, found: str) -> Problem:
    return Problem(code, str(path), found, CODES[code].meaning, CODES[code].remedy)
