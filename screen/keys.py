"""The keys of a verb, read off its settings: names, types, limits and options."""

import types
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from screen.groups import REQUIRED
from screen.paths import conf_dir
from screen.settings import VERBS, TrainVerb

EXPERIMENT = "experiment"  # a group of conf/ whose files set keys of all other groups


@dataclass(frozen=True)
class Key:
    """One settable value: `name` as typed by the user, `path` as stored."""

    name: str
    path: str
    type: type
    is_list: bool
    is_optional: bool
    default: Any
    help: str
    unit: str
    choices: tuple[str | int, ...]
    low: float | None
    high: float | None

    @property
    def is_required(self) -> bool:
        """Whether the key has no default."""
        return bool(self.default == REQUIRED)


@dataclass(frozen=True)
class Group:
    """A node with sub-keys; `options` are the files of conf/ that fill it."""

    name: str
    help: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class KeyTable:
    """All keys and groups of a verb, in the order of its settings."""

    verb: str
    keys: dict[str, Key]
    groups: dict[str, Group]

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that may stand left of `=`."""
        choosable = (n for n, group in self.groups.items() if group.options)

        return (*self.keys, *choosable)


@cache
def key_table(verb: str) -> KeyTable:
    """The keys and groups of a verb."""
    parts = list(_walk(VERBS[verb](), "", ""))
    keys = {part.name: part for part in parts if isinstance(part, Key)}
    groups = {part.name: part for part in parts if isinstance(part, Group)}
    if issubclass(VERBS[verb], TrainVerb):
        meaning = "a whole recipe: what it is, takes and gives stands in its file"
        groups[EXPERIMENT] = Group(EXPERIMENT, meaning, options_of(EXPERIMENT))

    return KeyTable(verb, keys, groups)


def options_of(group: str) -> tuple[str, ...]:
    """The options of a configuration group: the files of its folder in conf/."""
    return tuple(sorted(file.stem for file in (conf_dir() / group).glob("*.yaml")))


def _walk(node: Any, name: str, path: str) -> Iterator[Key | Group]:
    hints = get_type_hints(type(node))
    for item in fields(node):
        value = getattr(node, item.name)
        shown = f"{name}{item.name.rstrip('_')}"
        help_text = item.metadata.get("help", "")
        if is_dataclass(value):
            options = () if name else options_of(item.name)
            yield Group(shown, help_text, options)
            yield from _walk(value, f"{shown}.", f"{path}{item.name}.")
        else:
            yield _key(shown, path + item.name, hints[item.name], value, item.metadata)


def _key(name: str, path: str, hint: Any, default: Any, metadata: Any) -> Key:
    scalar, is_list, is_optional = _scalar(hint)

    return Key(
        name,
        path,
        scalar,
        is_list,
        is_optional,
        None if default is MISSING else default,
        metadata.get("help", ""),
        metadata.get("unit", ""),
        metadata.get("choices", ()),
        metadata.get("low"),
        metadata.get("high"),
    )


def _scalar(hint: Any) -> tuple[type, bool, bool]:
    """The scalar type of a hint, whether it is a list, whether it may be null."""
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(a for a in get_args(hint) if a is not type(None))
        scalar, is_list, _ = _scalar(inner)
        return scalar, is_list, True
    if get_origin(hint) in (list, tuple):
        return get_args(hint)[0], True, False
    return hint, False, False
