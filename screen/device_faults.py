"""Faults of a device that scores: its memory is full, or it is lost."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TypeVar

from screen.codes import CODES
from screen.errors import Refusal, refusal

T = TypeVar("T")
WAIT_S = 2.0
_ERRORS = ("XlaRuntimeError", "JaxRuntimeError")  # by name: jax need not be loaded
_FULL = ("RESOURCE_EXHAUSTED", "CUDA_ERROR_OUT_OF_MEMORY")
_LOST = (
    "CUDA_ERROR_ECC_UNCORRECTABLE",
    "CUDA_ERROR_NVLINK_UNCORRECTABLE",
    "CUDA_ERROR_DEVICE_UNAVAILABLE",
    "CUDA_ERROR_DEVICES_UNAVAILABLE",
    "CUDA_ERROR_HARDWARE_STACK_ERROR",
    "CUDA_ERROR_NO_DEVICE",
    "GPU is lost",
    "fallen off the bus",
)


class DeviceFull(RuntimeError):
    """The device had no memory for a shape that it had memory for before."""


class DeviceLost(RuntimeError):
    """The device no longer computes: its driver, bus or memory failed; ``address`` is
    that of the worker it belongs to, "" in this process."""

    def __init__(self, found: str, address: str = "") -> None:
        """Keep both; they are the arguments, to survive pickling."""
        self.found, self.address = found, address
        super().__init__(found, address)


class MinibatchTooLarge(RuntimeError):
    """The micro-batch does not fit the device; ``fits`` is the largest half of a half
    that does, 0 for none."""

    def __init__(self, asked: int, fits: int) -> None:
        """Keep both numbers of cells; they are the arguments, to survive pickling."""
        self.asked, self.fits = asked, fits
        super().__init__(asked, fits)


def is_full(error: BaseException) -> bool:
    """Whether an error of JAX says that the device's memory is used up."""
    return _is_of(error, _FULL)


def is_lost(error: BaseException) -> bool:
    """Whether an error of JAX says that the device is gone."""
    return _is_of(error, _LOST)


def _is_of(error: BaseException, marks: tuple[str, ...]) -> bool:
    is_of_device = type(error).__name__ in _ERRORS
    return is_of_device and any(mark in str(error) for mark in marks)


def fitting(attempt: Callable[[int], T], asked: int) -> T:
    """``attempt(asked)``; raises MinibatchTooLarge when the device has no memory for
    it, with the first half, quarter ... of ``asked`` that it has memory for."""
    try:
        return attempt(asked)
    except RuntimeError as error:
        if not is_full(error):
            raise
    size = asked // 2
    while size and not _fits(attempt, size):
        size //= 2
    raise MinibatchTooLarge(asked, size)


def _fits(attempt: Callable[[int], object], size: int) -> bool:
    gc.collect()
    try:
        attempt(size)
    except RuntimeError as error:
        if is_full(error):
            return False
        raise
    return True


def once_more(
    compute: Callable[[], T], sleep: Callable[[float], None] = time.sleep
) -> T:
    """``compute()``; when the device is full, its freed buffers are given back and the
    very same shapes are tried once again.

    Raises DeviceFull when that fails too, DeviceLost when the device is gone. The shape
    never changes: another one gives other bits.
    """
    try:
        return _told(compute)
    except DeviceFull:
        gc.collect()
        sleep(WAIT_S)
    return _told(compute)


def _told(compute: Callable[[], T]) -> T:
    try:
        return compute()
    except RuntimeError as error:
        if is_full(error):
            raise DeviceFull(str(error)) from error
        if is_lost(error):
            raise DeviceLost(str(error)) from error
        raise


def device_refusal(error: DeviceFull | DeviceLost | MinibatchTooLarge) -> Refusal:
    """What a fault of the device means for the run: exit 5, the run can go on later."""
    if isinstance(error, MinibatchTooLarge):
        why = "its size is part of every score and never changes in mid-run"
        found = f"the device has no memory for {error.asked} cells at once"
        remedy = f"minibatch={error.fits} fits; a run begun needs ledger.new_run=true"
        if not error.fits:
            remedy = "not even one cell fits; free the device, or use another one"
        return refusal("DEVICE_FULL", "minibatch", found, why, remedy)
    name = "DEVICE_FULL" if isinstance(error, DeviceFull) else "DEVICE_LOST"
    found = str(error.args[0]).partition("\n")[0][:200]
    return refusal(name, "device", found, CODES[name].meaning, CODES[name].remedy)
