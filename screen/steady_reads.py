"""Reading fields from a storage that fails: try again, wait for it, or say what failed.

A fault of the storage is never written down as a fault of the images. EIO and a stale
handle are tried again and then cost the field; a plate whose folder is gone, and reads
that keep failing alike (screen.breaker), pause the scoring until the storage answers,
and stop it (exit 5) when it does not.
"""

from __future__ import annotations

import errno
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from plates.problems import FieldError, InputError, Problem
from plates.store import Plate, open_plate, read_field, read_region
from plates.wells import Well
from screen.answers import answers
from screen.breaker import Breaker
from screen.codes import CODES
from screen.errors import Refusal
from screen.stages import lap

T = TypeVar("T")
Tell = Callable[..., None]
Part = tuple[tuple[int, ...], slice, slice]  # channels by number, rows, columns

# Below the ten minutes without a commit after which workers count as stuck.
PATIENCE_S = 540.0
PAUSE_S = 5.0
RETRIES = {"IO_ERROR": 2, "IO_STALE": 3, "STORE_UNREACHABLE": 3, "MOUNT_GONE": 1}
_STOP_OF = {"IO_ERROR": "STORAGE_FAILING", "IO_STALE": "STORAGE_FAILING"}
_CODES = {errno.EIO: "IO_ERROR", errno.ESTALE: "IO_STALE"} | dict.fromkeys(
    (
        errno.ENOTCONN,
        errno.ESHUTDOWN,
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ETIMEDOUT,
        errno.ENODEV,
        errno.ENXIO,
    ),
    "MOUNT_GONE",
)
_SERVICE = ("STORE_UNREACHABLE", "CREDENTIALS_EXPIRED")


class StorageError(Exception):
    """The storage gave no answer about a field; ``code`` says in which way."""

    def __init__(self, code: str, where: str, found: str) -> None:
        """The way, the file or folder, and what the system said."""
        super().__init__(f"{code} {where}: {found}")
        self.code, self.where, self.found = code, where, found


@dataclass
class SteadyReads:
    """Reads the fields of one process; ``patience_s`` is how long it waits for a dead
    storage, looking every ``pause_s``."""

    breaker: Breaker = field(default_factory=Breaker)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    patience_s: float = PATIENCE_S
    pause_s: float = PAUSE_S

    def __post_init__(self) -> None:
        """One thread at a time knocks at a storage that does not answer."""
        self._alone = threading.Lock()
        self._asking: dict[int, tuple[float, str]] = {}

    @property
    def under_way(self) -> list[str]:
        """What the threads of this process are reading, or waiting for, and how long:
        ``P01/B02/f01 for 612 s``, longest first."""
        now = self.clock()
        asking = sorted(self._asking.copy().values())
        return [f"{where} for {now - since:.0f} s" for since, where in asking]

    def open(self, path: Path, tell: Tell | None = None) -> Plate:
        """A plate that was there when the run began; Refusal if its folder stays away."""
        ask = partial(_open, path)
        return self._steady(ask, path.name, tell or _silent)

    def read(
        self,
        plate: Plate,
        well: Well,
        index: int,
        tell: Tell | None = None,
        part: Part | None = None,
    ) -> NDArray[Any]:
        """Pixels [c y x] of a field, or of a part of it, in native byte order.

        Raises FieldError for a fault of the data or of one place on the disk, Refusal
        when the storage stays away; ``tell(event, **facts)`` hears of every pause.
        """
        where = f"{plate.plate}/{well}/f{index:02d}"
        ask = partial(_read, plate, well, index, part)
        return self._steady(ask, where, tell or _silent, plate)

    def _steady(
        self, ask: Callable[[], T], where: str, tell: Tell, plate: Plate | None = None
    ) -> T:
        me = threading.get_ident()
        self._asking[me] = (self.clock(), where)
        try:
            return self._answer(ask, where, tell, plate)
        finally:
            del self._asking[me]

    def _answer(
        self, ask: Callable[[], T], where: str, tell: Tell, plate: Plate | None
    ) -> T:
        try:
            return self._noted(ask)
        except StorageError as error:
            fault = error
        with self._alone:
            for number in range(RETRIES.get(fault.code, 0)):
                # Random, so that workers that failed together do not knock together.
                self.sleep(0.1 * 2**number * random.uniform(0.5, 1.5))
                try:
                    return self._noted(ask)
                except StorageError as error:
                    fault = error
            is_place = fault.code in _STOP_OF and plate is not None and _is_there(plate)
            if is_place and not self.breaker.note(fault.code):
                raise _field_error(fault, where)
            return self._outlast(ask, fault, where, tell)

    def _noted(self, ask: Callable[[], T]) -> T:
        """The answer; a bad image is one, too: the storage is there."""
        try:
            answer = ask()
        except FieldError:
            self.breaker.note()
            raise
        self.breaker.note()
        return answer

    def _outlast(
        self, ask: Callable[[], T], fault: StorageError, where: str, tell: Tell
    ) -> T:
        """Wait until there is an answer, or give up."""
        tell("reads_paused", where=where, code=fault.code, found=str(fault))
        start = self.clock()
        while self.clock() - start < self.patience_s:
            self.sleep(self.pause_s)
            try:
                answer = ask()
            except StorageError as error:
                fault = error
            except FieldError:
                self._back(tell, where, start)
                raise
            else:
                self._back(tell, where, start)
                return answer
        seconds = self.clock() - start
        tell("reads_given_up", where=where, code=fault.code, seconds=seconds)
        raise _given_up(fault, seconds)

    def _back(self, tell: Tell, where: str, start: float) -> None:
        self.breaker.clear()
        tell("reads_resumed", where=where, seconds=self.clock() - start)


def _silent(event: str, **facts: object) -> None:
    """Whoever asked wants to hear nothing."""


def _read(
    plate: Plate, well: Well, index: int, part: Part | None = None
) -> NDArray[Any]:
    """One reading of a field; StorageError where the storage did not answer."""
    with _storage_faults(plate.path):
        try:
            if part is not None:
                channels, *spans = part
                return read_region(
                    plate, well, index, *spans, channels=channels, told=lap
                )
            pixels: NDArray[Any] = read_field(plate, well, index, told=lap)
        except FieldError:
            # A dead mount makes every field "missing"; that is no fault of the data.
            if _is_there(plate):
                raise
            raise _gone(plate.path) from None
    return pixels


def _open(path: Path) -> Plate:
    """One opening of a plate; StorageError where its folder is gone."""
    with _storage_faults(path):
        try:
            return open_plate(path)
        except InputError:
            if answers(path):
                raise
            raise _gone(path) from None


@contextmanager
def _storage_faults(path: Path) -> Iterator[None]:
    """Faults of the storage, among all errors of a reading, as StorageError."""
    try:
        yield
    except InputError as error:
        problem = error.problems[0]
        if problem.code not in _SERVICE:
            raise
        raise StorageError(problem.code, problem.where, problem.found) from None
    except OSError as error:
        code = _CODES.get(error.errno or 0)
        if code is None:
            raise
        where = str(error.filename or path)
        raise StorageError(code, where, error.strerror or str(error)) from error


def _is_there(plate: Plate) -> bool:
    return answers(plate.path, "zarr.json" if plate.is_own else "")


def _gone(path: Path) -> StorageError:
    return StorageError("MOUNT_GONE", str(path), "the plate is gone in mid-run")


def _field_error(fault: StorageError, where: str) -> FieldError:
    found = f"{fault.found}, {RETRIES[fault.code] + 1} times ({fault.where})"
    code = CODES[fault.code]
    return FieldError(Problem(fault.code, where, found, code.meaning, code.remedy))


def _given_up(fault: StorageError, seconds: float) -> Refusal:
    code = _STOP_OF.get(fault.code, fault.code)
    found = f"{fault.found}, for {seconds:.0f} s"
    meaning, remedy = CODES[code].meaning, CODES[code].remedy
    return Refusal(Problem(code, fault.where, found, meaning, remedy))


READS = SteadyReads()
