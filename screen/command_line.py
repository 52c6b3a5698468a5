"""From the words after `senoscreen VERB` to checked settings; all problems at once."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from plates.problems import Problem
from screen.codes import CODES
from screen.errors import Refusal
from screen.keys import KeyTable, key_table
from screen.settings import VERBS
from screen.values import Value, choices_of, expected, split_top

_FLAGS = {
    "-m": "sweep",
    "--multirun": "sweep",
    "-h": "help",
    "--help": "help",
    "--cfg": "show",
}


@dataclass(frozen=True)
class Job:
    """One set of choices: an option for each group, a value for each key path."""

    groups: dict[str, str]
    values: dict[str, Value]


@dataclass(frozen=True)
class Command:
    """A checked command: its verb, what was asked for, and one job or a sweep of jobs;
    ``words`` are the user's own."""

    verb: str
    flags: frozenset[str]
    jobs: tuple[Job, ...]
    swept: tuple[str, ...]
    words: tuple[str, ...] = ()


@dataclass
class _Reading:
    table: KeyTable
    is_sweep: bool
    problems: list[Problem] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, list[Value]] = field(default_factory=dict)

    def refuse(self, code: str, where: str, found: str, remedy: str = "") -> None:
        """Note a problem; its reason comes from the list of codes."""
        why, usual = CODES[code].meaning, CODES[code].remedy
        place = f"{self.table.verb} {where}".strip()
        self.problems.append(Problem(code, place, found, why, remedy or usual))


def parse(verb: str, arguments: Sequence[str]) -> Command:
    """Read and check the words after the verb; raises Refusal with every problem."""
    if verb not in VERBS:
        raise Refusal(unknown_verb(verb))
    flags = frozenset(_FLAGS[word] for word in arguments if word in _FLAGS)
    ignored = {*_FLAGS, "job"} if "show" in flags else {*_FLAGS}
    words = [word for word in arguments if word not in ignored]
    reading = _Reading(key_table(verb), "sweep" in flags)
    if "help" in flags:
        return Command(verb, flags, (), ())
    pairs = _convenient(verb, list(_pairs(reading, words)))
    for name, text in pairs:
        _read(reading, name, text)
    _require(reading)
    if reading.problems:
        raise Refusal(reading.problems)
    jobs, swept = tuple(_jobs(reading)), _swept(reading)
    return Command(verb, flags, jobs, swept, tuple(arguments))


def unknown_verb(verb: str) -> Problem:
    """The problem of a first word that is no verb, with the nearest one."""
    near = _nearest(verb, tuple(VERBS))
    remedy = f"{near}verbs: {' '.join(VERBS)}"
    why = CODES["CFG_VERB_UNKNOWN"].meaning

    return Problem("CFG_VERB_UNKNOWN", "senoscreen", repr(verb), why, remedy)


def _pairs(reading: _Reading, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for word in words:
        name, equals, text = word.partition("=")
        if word.startswith("-") or not equals or not name:
            reading.refuse("CFG_NOT_KEY_VALUE", "", repr(word))
        elif _is_forbidden(name):
            reading.refuse("CFG_KEY_FORBIDDEN", name, "a key of the frame")
        elif "${" in text:
            found = "an interpolation ${...}"
            reading.refuse("CFG_INTERPOLATION", name, found)
        elif name in seen:
            reading.refuse("CFG_KEY_REPEATED", name, f"{name}= a second time")
        else:
            seen.add(name)
            yield name, text


def _is_forbidden(name: str) -> bool:
    root = name.replace("/", ".").partition(".")[0]
    is_private = any(part.startswith("_") for part in name.split("."))

    return name[0] in "+~" or "@" in name or root in ("hydra", "defaults") or is_private


def _convenient(verb: str, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Short forms spelt out: `bank=` of simulate, and anchors named by compound."""
    given = {name for name, _ in pairs}
    extra: list[tuple[str, str]] = []
    for position, (name, text) in enumerate(pairs):
        if verb == "simulate" and name == "bank":
            pairs[position] = ("simulate.bank", _bank(text))
            extra += [("simulate", "nuclei")]
        if name in ("anchors.senescent.compound", "anchors.healthy.compound"):
            anchor = name.rpartition(".")[0]
            extra += [(f"{anchor}.role", ""), (f"{anchor}.state", "")]
    return pairs + [(name, text) for name, text in extra if name not in given]


def _bank(text: str) -> str:
    shared = Path("../shared/data/nuclei")

    return str(shared) if text == "nuclei" and shared.is_dir() else text


def _read(reading: _Reading, name: str, text: str) -> None:
    table = reading.table
    if name in table.groups:
        _read_group(reading, name, text)
    elif name not in table.keys:
        reading.refuse("CFG_KEY_UNKNOWN", name, "no such key", _hint(table, name))
    else:
        _read_key(reading, name, text)


def _read_group(reading: _Reading, name: str, text: str) -> None:
    options = reading.table.groups[name].options
    chosen = split_top(text) if reading.is_sweep else [text]
    for option in chosen:
        if option not in options:
            near = _nearest(option, options)
            whole = f"options: {', '.join(options)}" if options else "set its keys"
            reading.refuse("CFG_OPTION_UNKNOWN", name, repr(option), near + whole)
    reading.groups[name] = chosen


def _read_key(reading: _Reading, name: str, text: str) -> None:
    key = reading.table.keys[name]
    remedy = f"give {expected(key)}"
    try:
        reading.values[key.path] = choices_of(key, text, is_sweep=reading.is_sweep)
    except TypeError as error:
        is_list = "," in text and not reading.is_sweep
        remedy += "; several values need -m" if is_list else ""
        reading.refuse("CFG_VALUE_TYPE", name, f"{text!r}: {error}", remedy)
    except ValueError as error:
        near = _nearest(text, tuple(map(str, key.choices)))
        reading.refuse("CFG_VALUE_RANGE", name, f"{text!r}: {error}", near + remedy)


def _hint(table: KeyTable, name: str) -> str:
    last = name.rpartition(".")[2]
    same = [n for n in table.names if n.rpartition(".")[2] == last]
    near = same or get_close_matches(name, table.names, n=1, cutoff=0.5)
    usual = f"senoscreen {table.verb} --help lists the keys"

    return f"did you mean {near[0]}? {usual}" if near else usual


def _nearest(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word.lower(), [k for k in known if k], n=1)

    return f"did you mean {near[0]}? " if near else ""


def _require(reading: _Reading) -> None:
    for name, key in reading.table.keys.items():
        is_tried = any(p.where.endswith(f" {name}") for p in reading.problems)
        if key.is_required and key.path not in reading.values and not is_tried:
            remedy = f"give {name}=..., {key.help}"
            reading.refuse("CFG_KEY_MISSING", name, "not given", remedy)


def _swept(reading: _Reading) -> tuple[str, ...]:
    every = reading.groups | reading.values

    return tuple(name for name, choices in every.items() if len(choices) > 1)


def _jobs(reading: _Reading) -> Iterator[Job]:
    groups = [[(n, o) for o in options] for n, options in reading.groups.items()]
    values = [[(p, v) for v in choices] for p, choices in reading.values.items()]
    for chosen in itertools.product(*groups):
        for valued in itertools.product(*values):
            yield Job(dict(chosen), dict(valued))
