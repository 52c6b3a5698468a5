"""A night compiles for the first field of each shape and never again, and says so."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import pytest
from numpy.typing import NDArray

from kernels.networks import build
from screen import score
from screen.compilations import EVENT
from screen.compose import settings_of
from screen.models import NetworkSpec, network_weights, save_model
from screen.provenance import read_manifest
from screen.scoring import JaxScorer
from tests.storage_faults import events
from tests.test_screen_models import SPEC
from tests.tiny_screen import CHANNELS, make_screen

LADDER = 1  # sizes of micro-batches
FINDER = {"kind": "tiles", "channel": 0, "radius_px": 4.0, "min_contrast": 3.0}
LIGHT = {"kinds": ["fluorescence"] * 2, "scales": [1e3] * 2, "saturation_level": None}


def two_networks(folder: Path) -> Path:
    """A model of two small networks, of which one learnt from A01 of the first plate."""
    learnt = (("P01", "A01"),)
    networks = tuple(
        NetworkSpec(name, f"{name}.safetensors", "", wells, "well")
        for name, wells in (("half0", learnt), ("half1", ()))
    )
    spec = replace(
        SPEC,
        channels=CHANNELS,
        pixel_size_um=1.0,
        width=0.25,
        finder={**FINDER, "max_cells": 32, "crop_px": 16},
        intensity=LIGHT,
        networks=networks,
    )
    weights = [
        network_weights(build("compact", 2, 16, key=jax.random.key(k), width=0.25))
        for k in (1, 2)
    ]
    save_model(folder, spec, dict(zip(("half0", "half1"), weights, strict=True)))
    return folder


@pytest.fixture
def quick() -> Iterator[None]:
    """XLA compiles quickly rather than to run quickly."""
    jax.config.update("jax_disable_most_optimizations", True)  # type: ignore[no-untyped-call]
    yield
    jax.config.update("jax_disable_most_optimizations", False)  # type: ignore[no-untyped-call]


@pytest.mark.usefixtures("quick")
def test_nothing_is_compiled_after_the_first_field_of_each_shape(
    tmp_path: Path,
) -> None:
    sides = {"P01": 48, "P02": 64}
    campaign = make_screen(tmp_path / "campaign", tuple(sides), 2, sides)
    model = two_networks(tmp_path / "model")
    heard: list[str] = []
    fields: list[tuple[tuple[int, ...], tuple[str, ...], int]] = []
    real = JaxScorer.__call__

    def noted(
        self: JaxScorer, pixels: NDArray[Any], networks: Sequence[str], **more: Any
    ) -> Any:
        before = len(heard)
        scores = real(self, pixels, networks, **more)
        fields.append((pixels.shape, tuple(networks), len(heard) - before))
        return scores

    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: heard.append(event) if event == EVENT else None
    )
    words = [f"campaign={campaign.root}", f"model={model}", f"runs={tmp_path}"]
    settings = settings_of("score", [*words, "cluster=inline", "minibatch=8"])
    with mock.patch.object(JaxScorer, "__call__", noted):
        outcome = score.run(settings)

    shapes, sets = {f[0] for f in fields}, {f[1] for f in fields}
    assert (len(fields), len(shapes), len(sets)) == (8, 2, 2)
    n = sum(compiled for _, _, compiled in fields)
    assert 0 < n <= len(shapes) + len(shapes) * len(sets) * LADDER
    first = {field[:2]: i for i, field in reversed(list(enumerate(fields)))}
    again = [f[2] for i, f in enumerate(fields) if first[f[:2]] != i]
    assert again == [0] * 5
    assert f"{n} compilations" in outcome.message
    run = tmp_path / "tiny"
    assert sum(e["compilations"] for e in events(run, "well_committed")) == n
    kept = read_manifest(run)["verbs"]["score"]["facts"]["time"]
    assert kept["compilations"] == n
