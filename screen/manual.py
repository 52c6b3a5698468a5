"""What `--help` says, written from the settings themselves; nothing heavy is imported."""

import inspect
import textwrap
from collections.abc import Iterator

from screen.codes import EXIT_MEANINGS
from screen.keys import Group, Key, KeyTable, key_table
from screen.paths import conf_dir
from screen.settings import VERBS
from screen.values import expected

_WIDTH = 96
_INDENT = 34


def overview() -> str:
    """The help of `senoscreen` itself: the verbs in working order, and the exit codes."""
    verbs = (f"  {verb:<10}{_summary(verb)}" for verb in VERBS)
    codes = (f"  {code.value:>3}  {text}" for code, text in EXIT_MEANINGS.items())
    return "\n".join(
        [
            "senoscreen: from plate pixels to ranked anti-senescent compounds.",
            "",
            "usage: senoscreen VERB key=value ...        (python -m screen VERB is the same)",
            "       senoscreen VERB --help               keys, units, defaults, an example",
            "       senoscreen VERB --cfg job key=value  show the settings and do nothing",
            "       senoscreen VERB -m key=a,b,c         one job for each combination",
            "",
            "verbs:",
            *verbs,
            "",
            "a first screen:",
            *(f"  {example(v)}" for v in ("simulate", "train", "run")),
            "",
            "exit codes:",
            *codes,
        ]
    )


def manual(verb: str) -> str:
    """The help of a verb: what it does, an example, every key and every option."""
    table = key_table(verb)
    text = inspect.cleandoc(VERBS[verb].__doc__ or "")
    keys = (line for part in _parts(table) for line in part)

    return "\n".join(
        [f"senoscreen {verb}: {text}", "", f"example: {example(verb)}", "", *keys]
    )


def example(verb: str) -> str:
    """The example command in the first line of the verb's configuration."""
    with (conf_dir() / f"{verb}.yaml").open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


def _summary(verb: str) -> str:
    return inspect.cleandoc(VERBS[verb].__doc__ or "").partition("\n")[0]


def _parts(table: KeyTable) -> Iterator[list[str]]:
    """The keys without a group first, then each group under its heading."""
    plain = (key for name, key in table.keys.items() if "." not in name)
    yield ["keys:", *(line for key in plain for line in _described(key))]
    if table.verb == "simulate":
        help_text = (
            "real nuclei to paint with, short for simulate=nuclei simulate.bank="
        )
        yield _columns("  bank=PATH", help_text)
    for group in table.groups.values():
        if "." not in group.name:
            inside = (
                k for n, k in table.keys.items() if n.startswith(f"{group.name}.")
            )
            yield ["", *_heading(group)]
            yield [line for key in inside for line in _described(key)]


def _heading(group: Group) -> list[str]:
    choice = f"={'|'.join(group.options)}" if group.options else ""

    return [f"{group.name}{choice}: {group.help}"]


def _described(key: Key) -> list[str]:
    limits = expected(key).partition(" from ")[2]
    details = [
        f"one of {expected(key)}" if key.choices and not key.is_list else "",
        f"unit {key.unit}" if key.unit and key.unit != "path" else "",
        f"from {limits}" if limits and not key.choices else "",
    ]
    extra = "; ".join(filter(None, details))

    return _columns(_left(key), f"{key.help}{f' ({extra})' if extra else ''}")


def _left(key: Key) -> str:
    if key.is_required:
        return f"  {key.name}=REQUIRED"
    if key.is_list:
        return f"  {key.name}=[{','.join(map(str, key.default))}]"
    shown = "null" if key.default is None else key.default
    shown = str(shown).lower() if isinstance(shown, bool) else shown

    return f"  {key.name}={shown}"


def _columns(left: str, right: str) -> list[str]:
    gap = " " * _INDENT
    lines = textwrap.wrap(right, _WIDTH - _INDENT) or [""]
    if len(left) >= _INDENT:
        return [left, *(gap + line for line in lines)]
    return [f"{left:<{_INDENT}}{lines[0]}", *(gap + line for line in lines[1:])]
