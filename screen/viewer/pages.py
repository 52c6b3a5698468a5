"""The pages and what they ask for, by ids that are looked up: no part of an address ever
becomes a path."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Callable
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

from plates.problems import FieldError
from plates.store import Plate
from plates.wells import Well
from screen.errors import as_refusal
from screen.ledger import IntegrityError
from screen.verify import check_shown
from screen.viewer.answers import (
    HTML,
    PIXELS,
    POLICY,
    Answer,
    as_json,
    of_problems,
    told,
)
from screen.viewer.cells import PlateCells
from screen.viewer.contrast import contrast_of
from screen.viewer.missing import no_report
from screen.viewer.pixels import raw_bytes, read_part
from screen.viewer.viewed_run import UnknownError, ViewedRun
from screen.viewer.well_facts import fields_of, map_rows, well_facts

Query = dict[str, str]

_KINDS = {
    "html": HTML,
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
_META = re.compile(
    r'<meta http-equiv="Content-Security-Policy" content="([^"<>]{1,4000})">'
)
_DIGITS = re.compile(r"[0-9]{1,9}")


class BadRequestError(ValueError):
    """A part of the address is missing or no number."""


class Site:
    """Answers a path and a query about one run."""

    def __init__(self, run: ViewedRun) -> None:
        """Take the run, and the browser's files into memory."""
        self.run = run
        self.cells = PlateCells(run)
        self.contrast = lru_cache(maxsize=256)(self._contrast)
        self._files = _browser_files()

    @cached_property
    def _answers(self) -> dict[str, Callable[[Query], Answer]]:
        return {
            "/": self._report,
            "/well": lambda _: self._files["well.html"],
            "/favicon.ico": lambda _: self._files["icon.svg"],
            "/api/run": self._run,
            "/api/plate": self._plate,
            "/api/well": self._well,
            "/api/cells": self._cells,
            "/api/pixels": self._pixels,
        } | {f"/static/{name}": _always(file) for name, file in self._files.items()}

    def __call__(self, path: str, query: Query) -> Answer:
        """The answer; what is wrong is told in place of it, never raised."""
        found = self._answers.get(path)
        if found is None:
            return told(404, "There is no such page.")
        try:
            return found(query)
        except UnknownError as error:
            return told(404, str(error))
        except BadRequestError as error:
            return told(400, str(error))
        except Exception as error:  # one request may fail, the viewer goes on
            return _failed(error)

    def _report(self, query: Query) -> Answer:
        page = self.run.report
        if not page.is_file():
            return Answer(200, HTML, no_report(self.run).encode())
        check_shown(page.parent, [page.name])
        body = page.read_bytes()
        return Answer(200, HTML, body, _policy_of(body))

    def _run(self, query: Query) -> Answer:
        run = self.run
        plates = [{"plate": p, "name": p} for p in run.plate_ids()]
        return as_json(
            {
                "name": run.folder.name,
                "plates": plates,
                "hasReport": run.report.is_file(),
                "isCalled": run.tables.get() is not None,
                "noImages": [vars(p) for p in run.no_images],
            }
        )

    def _plate(self, query: Query) -> Answer:
        name, fmt = _text(query, "plate"), self.run.format()
        rows = map_rows(self.run, name)
        found: dict[str, Any] = {
            "plate": name,
            "rows": fmt.n_rows,
            "columns": fmt.n_columns,
            "wells": rows,
            "spread": self.cells.spread(name),
            "image": None,
        }
        if self.run.campaign is not None:
            plate = self.run.plate(name)
            is_whole = self.run.ledger.cells(name).is_file()
            found["image"] = _image(plate) | self.contrast(name, is_whole)
        return as_json(found)

    def _contrast(self, name: str, is_whole: bool) -> dict[str, Any]:
        """Kept; taken anew when the plate is whole, as its controls may have come."""
        return contrast_of(self.run.plate(name), self.cells)

    def _well(self, query: Query) -> Answer:
        name, well = _text(query, "plate"), _well_of(query)
        found = well_facts(self.run, name, well)
        cells = self.cells.of_well(name, well)
        sizes = dict(cells["field"].cast(int).value_counts().iter_rows())
        plate = self.run.plate(name) if self.run.campaign is not None else None
        found["fields"] = (
            [] if plate is None else fields_of(self.run, plate, well, sizes)
        )
        return as_json(found)

    def _cells(self, query: Query) -> Answer:
        frame = self.cells.of_well(_text(query, "plate"), _well_of(query))
        columns = {
            "field": frame["field"].cast(int),
            "cell": frame["cell"].cast(int),
            "y": frame["y"].cast(float).round(2),
            "x": frame["x"].cast(float).round(2),
            "score": frame["probability"].cast(float).round(4),
        }
        return as_json({name: column.to_list() for name, column in columns.items()})

    def _pixels(self, query: Query) -> Answer:
        plate, place = (
            self.run.plate(_text(query, "plate")),
            Well.parse(_well_of(query)),
        )
        field, channel = _number(query, "field"), _number(query, "channel")
        if field not in plate.fields(place):
            raise UnknownError(f"well {place} has no field {field}")
        if channel >= len(plate.channels):
            raise UnknownError(f"the plate has no channel {channel}")
        _, height, width = plate.field_shape
        rows = _range(query, "rows", height)
        columns = _range(query, "columns", width)
        part = read_part(plate, place, field, channel, rows, columns)
        size = part.pixels.shape
        more = (
            ("Seno-Shape", f"{size[0]} {size[1]}"),
            ("Seno-Type", str(part.pixels.dtype.name)),
            ("Seno-Factor", str(part.factor)),
        )
        body = raw_bytes(part.pixels)
        # Over 127.0.0.1 packing takes longer than it saves; a slow tunnel asks for it.
        return Answer(200, PIXELS, body, POLICY, more, query.get("packed") == "1")


def _image(plate: Plate) -> dict[str, Any]:
    _, height, width = plate.field_shape
    return {
        "height": height,
        "width": width,
        "type": plate.spec.dtype,
        "pixelUm": plate.pixel_size_um,
    }


def _browser_files() -> dict[str, Answer]:
    found = {}
    for file in files("screen.viewer").joinpath("browser").iterdir():
        kind = _KINDS.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = Answer(200, kind, file.read_bytes())
    return found


def _always(answer: Answer) -> Callable[[Query], Answer]:
    return lambda _: answer


def _policy_of(page: bytes) -> str:
    """The report's own policy, by the hashes of its script and style, and no frame."""
    found = _META.search(page[:20000].decode("utf-8", "replace"))
    own = html.unescape(found[1]) if found else ""
    if not own.isascii() or not own.isprintable() or "default-src 'none'" not in own:
        return POLICY
    return f"{own}; frame-ancestors 'none'"


def _failed(error: Exception) -> Answer:
    refused = as_refusal(error)
    if refused is not None:
        status = 422 if isinstance(error, FieldError) else 409
        return of_problems(refused.problems, status)
    if isinstance(error, IntegrityError):
        return told(409, str(error))
    print(f"a page failed: {type(error).__name__}: {error}", file=sys.stderr)
    return told(500, "This is a fault of senoscreen; the terminal says more.")


def _text(query: Query, name: str) -> str:
    if name not in query:
        raise BadRequestError(f"{name}= is missing")
    return query[name]


def _well_of(query: Query) -> str:
    try:
        return str(Well.parse(_text(query, "well")))
    except ValueError:
        raise UnknownError("there is no such well") from None


def _number(query: Query, name: str) -> int:
    text = _text(query, name)
    if not _DIGITS.fullmatch(text):
        raise BadRequestError(f"{name}= must be a whole number")
    return int(text)


def _range(query: Query, name: str, size: int) -> slice:
    """``from-to`` within a field's side, or all of it."""
    if name not in query:
        return slice(0, size)
    start, dash, stop = query[name].partition("-")
    if not (dash and _DIGITS.fullmatch(start) and _DIGITS.fullmatch(stop)):
        raise BadRequestError(f"{name}= must be FROM-TO")
    if not 0 <= int(start) < int(stop) <= size:
        raise BadRequestError(f"{name}= must lie within 0-{size}")
    return slice(int(start), int(stop))
