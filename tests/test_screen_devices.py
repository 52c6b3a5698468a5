"""The device that computes is named, and one that is absent is refused."""

from collections.abc import Iterator

import jax
import pytest

from plates.problems import InputError
from screen.devices import Device, device_for, precision_note

IS_CPU_ONLY = {d.platform for d in jax.devices()} == {"cpu"}


@pytest.fixture(autouse=True)
def _default_device() -> Iterator[None]:
    yield
    jax.config.update("jax_default_device", None)  # type: ignore[no-untyped-call]


def test_a_cpu_is_always_there_and_is_named_with_its_cores() -> None:
    found = device_for("cpu")

    assert found.platform == "cpu"
    assert str(found).startswith("cpu (")
    assert str(found).endswith(" cores)")
    assert jax.numpy.zeros(1).devices() == {jax.devices("cpu")[0]}


def test_auto_takes_what_jax_would_take() -> None:
    assert device_for("auto").platform == jax.devices()[0].platform


@pytest.mark.skipif(not IS_CPU_ONLY, reason="a GPU is here")
def test_a_gpu_that_is_absent_is_refused() -> None:
    with pytest.raises(
        InputError, match="DEVICE_ABSENT device=gpu: JAX finds cpu only"
    ):
        device_for("gpu")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ValueError, match="no device 'npu'; known: auto, cpu, gpu"):
        device_for("npu")


@pytest.mark.parametrize(
    ("precision", "device", "is_told"),
    [
        ("bfloat16", Device("cpu", "2 cores"), True),
        ("bfloat16", Device("gpu", "NVIDIA H200"), False),
        ("float32", Device("cpu", "2 cores"), False),
    ],
)
def test_slow_bfloat16_is_told(precision: str, device: Device, is_told: bool) -> None:
    assert (precision_note(precision, device) is not None) == is_told
