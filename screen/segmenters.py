"""Segmenters of other packages: found by entry point, called in the worker, never trusted."""

from __future__ import annotations

import threading
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from plates.label_images import covering, label_centres
from plates.problems import FieldError, Problem
from screen.errors import Refusal, refusal

GROUP = "screen.segmenters"
"""Packages name a callable, or a class of such, in this group of entry points."""


class Segmenter(Protocol):
    """One field to the labels of its cells."""

    def __call__(self, image: NDArray[Any]) -> NDArray[np.int32]:
        """Labels [y x], 0 where there is no cell, of counts [c y x]."""


class GuardedSegmenter:
    """A segmenter asked by one thread at a time, whose faults cost one field each."""

    def __init__(self, name: str) -> None:
        """Load it; raises Refusal (SEGMENTER_UNKNOWN) when that does not work."""
        self.name = name
        self._lock = threading.Lock()
        found: Any = _load(_entry(name))
        self._segmenter: Segmenter = found() if isinstance(found, type) else found

    def centres(self, image: NDArray[Any], where: str) -> NDArray[np.float32]:
        """The middle [n 2] of each label; raises FieldError with the segmenter's error."""
        return self.look(image, where)[0]

    def look(
        self, image: NDArray[Any], where: str
    ) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """As `centres`, with SEG_SUSPECT where one object covers the field."""
        try:
            with self._lock:
                labels = np.asarray(self._segmenter(image))
        except MemoryError:
            raise
        # Whatever a strange package raises is its fault and costs this field alone.
        except Exception as error:
            found = f"{self.name}: {type(error).__name__}: {error}"
            raise _fault("SEGMENTER_FAILED", where, found) from error
        size = image.shape[1:]
        if labels.shape != size or labels.dtype.kind not in "ui":
            found = f"{labels.dtype}{list(labels.shape)}, labels are int32{list(size)}"
            raise _fault("SEGMENTER_LABELS", where, f"{self.name}: {found}")
        if int(labels.min(initial=0)) < 0:
            raise _fault("SEGMENTER_LABELS", where, f"{self.name}: negative labels")
        # The field stays: a compound that shines is told by its pixels.
        codes = ("SEG_SUSPECT",) if covering(labels) else ()
        return label_centres(labels).astype(np.float32), codes


def installed() -> dict[str, EntryPoint]:
    """The segmenters that are installed, by name."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def version_of(name: str) -> str:
    """The segmenter and the version of its package; raises Refusal (SEGMENTER_UNKNOWN)."""
    package = _entry(name).dist
    return f"{name} {package.name} {package.version}" if package else name


def _entry(name: str) -> EntryPoint:
    known = installed()
    if name in known:
        return known[name]
    listed = ", ".join(sorted(known)) or "none"
    raise _unknown(name, f"no segmenter {name!r}; installed: {listed}")


def _load(entry: EntryPoint) -> object:
    try:
        found: object = entry.load()
    except (ImportError, AttributeError) as error:
        raise _unknown(entry.name, f"{entry.value} does not load: {error}") from error
    if not callable(found):
        raise _unknown(entry.name, f"{entry.value} cannot be called")
    return found


def _unknown(name: str, found: str) -> Refusal:
    return refusal(
        "SEGMENTER_UNKNOWN",
        f"finder.segmenter={name}",
        found,
        f"segmenters come from packages with an entry point in {GROUP}",
        "install its package in this environment, or name an installed one",
    )


def _fault(code: str, where: str, found: str) -> FieldError:
    return FieldError(
        Problem(
            code,
            where,
            found,
            "cells that were not told apart cannot be scored",
            "look at the segmenter's message, or score with another finder",
        )
    )
