"""XML of instruments, streamed: no DTD, no entities, no network, limits on size and depth."""

import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from plates.problems import InputError, Problem

LARGEST_FILE = 1 << 30
DEEPEST = 64
MOST_CHILDREN = 100_000
LONGEST_TEXT = 1 << 22
_CHUNK = 1 << 20


@dataclass(slots=True)
class Record:
    """An element: its tag without namespace, attributes, and its direct children.

    `texts` is the text of each child by tag (of the last one, if it is repeated),
    `children` are (tag, attributes) of those that have attributes, `text` is that
    of an element without such children.
    """

    tag: str
    attributes: dict[str, str]
    texts: dict[str, str] = field(default_factory=dict)
    children: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""


class _Refused(Exception):
    """Raised inside a handler of the parser: the code and what was found."""

    def __init__(self, code: str, found: str) -> None:
        super().__init__(code, found)
        self.code = code
        self.found = found


def records(path: Path, wanted: Mapping[str, Collection[str]]) -> Iterator[Record]:
    """The outermost elements with one of the tags, in the file's order.

    `wanted` names for each tag the children to keep; leaving most out saves half of
    the time. Memory does not grow with the file. InputError XML_INVALID, XML_FORBIDDEN (DTD,
    entities) or LIMIT_EXCEEDED, with the line; FILE_UNREADABLE if it cannot be opened.
    """
    reading = _Reading(wanted)
    try:
        with path.open("rb") as file:
            _check_size(file.seek(0, 2))
            file.seek(0)
            while chunk := file.read(_CHUNK):
                reading.parser.Parse(chunk, False)
                yield from reading.take()
            reading.parser.Parse(b"", True)
            yield from reading.take()
    except OSError as error:
        found = error.strerror or str(error)
        raise _problem("FILE_UNREADABLE", str(path), found) from error
    except _FAULTS as error:
        raise _explained(error, reading.parser, str(path)) from None


def tree(text: str | BinaryIO, where: str) -> ET.Element:
    """The whole of a small document with namespaces taken off; InputError as `records`."""
    data = text.encode() if isinstance(text, str) else text.read(LARGEST_FILE + 1)
    builder = ET.TreeBuilder()
    parser = _parser()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        _check_depth(depth)
        builder.start(_local(name), {_local(k): v for k, v in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_local(name))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        _check_size(len(data))
        parser.Parse(data, True)
        return builder.close()
    except _FAULTS as error:
        raise _explained(error, parser, where) from None


_FAULTS = (expat.ExpatError, _Refused, LookupError, ValueError)


class _Reading:
    """The handlers of one streamed document, and the records that are complete."""

    def __init__(self, wanted: Mapping[str, Collection[str]]) -> None:
        self.parser = _parser()
        self._wanted = wanted
        self._names: dict[str, dict[str, str]] = {tag: {} for tag in wanted}
        self._pieces: list[str] = []
        self._complete: list[Record] = []
        self._outer(0)

    def take(self) -> list[Record]:
        """The records completed since the last call."""
        if sum(map(len, self._pieces)) > LONGEST_TEXT:
            raise _Refused("LIMIT_EXCEEDED", f"a text longer than {LONGEST_TEXT}")
        complete = self._complete.copy()
        self._complete.clear()
        return complete

    def _outer(self, depth: int) -> None:
        """Set the handlers for what lies outside the records, `depth` elements deep."""

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            _check_depth(depth)
            tag = _local(name)
            if tag in self._wanted:
                own = {_local(k): v for k, v in attributes.items()}
                self._inner(Record(tag, own), depth)

        def end(name: str) -> None:
            nonlocal depth
            depth -= 1

        self.parser.CharacterDataHandler = None
        self.parser.StartElementHandler = start
        self.parser.EndElementHandler = end

    def _inner(self, record: Record, base: int) -> None:
        """Set the handlers for what lies inside a record; plain closures for speed."""
        parser, pieces, texts = self.parser, self._pieces, record.texts
        known = self._names[record.tag].get
        append, clear, n_below = pieces.append, pieces.clear, 0
        clear()

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal n_below
            n_below += 1
            if n_below > 1:
                _check_depth(base + n_below)
                return
            tag = known(name)
            if tag is None:
                tag = self._named(record.tag, name)
            if tag:
                clear()
                parser.CharacterDataHandler = append
                if attributes:
                    record.children.append((tag, attributes))

        def end(name: str) -> None:
            nonlocal n_below
            if n_below == 1:
                tag = known(name)
                if tag:
                    texts[tag] = "".join(pieces).strip()
                    clear()
                    parser.CharacterDataHandler = None
            elif n_below == 0:
                record.text = "".join(pieces).strip()
                self._complete.append(record)
                self._outer(base - 1)
            n_below -= 1

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = append

    def _named(self, tag: str, name: str) -> str:
        """Note a child's name: its tag if it is wanted in such a record, else ''."""
        names, local = self._names[tag], _local(name)
        if len(names) > MOST_CHILDREN:
            found = f"more than children={MOST_CHILDREN} of different names"
            raise _Refused("LIMIT_EXCEEDED", found)
        return names.setdefault(name, local if local in self._wanted[tag] else "")


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = 1 << 16
    # Entities are declared in a DTD only: without one, none can be.
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_entity
    return parser


def _refuse_doctype(name: str, system: str | None, *_: object) -> None:
    found = f"a DTD of {name!r}" + (f" in {system!r}" if system else "")
    raise _Refused("XML_FORBIDDEN", found)


def _refuse_entity(name: str, *_: object) -> None:
    raise _Refused("XML_FORBIDDEN", f"an entity {name!r}")


def _check_depth(depth: int) -> None:
    if depth > DEEPEST:
        raise _Refused("LIMIT_EXCEEDED", f"elements nested deeper than depth={DEEPEST}")


def _check_size(n_bytes: int) -> None:
    if n_bytes > LARGEST_FILE:
        raise _Refused("LIMIT_EXCEEDED", f"{n_bytes} bytes, limit {LARGEST_FILE}")


def _local(name: str) -> str:
    return name.rsplit(":", 1)[-1]


def _explained(error: Exception, parser: expat.XMLParserType, where: str) -> InputError:
    line = parser.CurrentLineNumber
    if isinstance(error, _Refused):
        return _problem(error.code, where, f"{error.found} (line {line})")
    if isinstance(error, expat.ExpatError):
        text = expat.ErrorString(error.code)
        line = error.lineno
    else:
        text = str(error)
    return _problem("XML_INVALID", where, f"no well-formed XML: {text} (line {line})")


def _problem(code: str, where: str, found: str) -> InputError:
    why = "the metadata of the export are not read"
    remedy = "copy or export the plate again"
    if code == "XML_FORBIDDEN":
        why = "entities and DTDs can read files and fill the memory"
        remedy = "remove the DTD, no instrument writes one"
    return InputError(Problem(code, where, found, why, remedy))
