"""The model's scorer: one field of integers in, every cell's probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plates.problems import InputError, Problem
from screen.blocks import FieldScores
from screen.models import Model, ModelSpec, load_model, restore_network

if TYPE_CHECKING:
    from flax import nnx

    from kernels.centres import Finder, FinderSpec
    from kernels.intensity import IntensitySpec
    from kernels.scorer import Scorer
    from kernels.shapes import FoundField


@dataclass(frozen=True)
class ModelScorer:
    """Names a model; calling it gives the process's one scorer of that model.

    Sent to workers in place of weights: each process loads and compiles once.
    """

    folder: str
    sha256: str
    minibatch: int

    def __call__(self) -> JaxScorer:
        """The scorer; raises InputError when the folder holds another model by now."""
        return _scorer(self)


@lru_cache(maxsize=2)
def _scorer(source: ModelScorer) -> JaxScorer:
    model = load_model(Path(source.folder))
    if model.sha256 != source.sha256:
        problem = Problem(
            "MODEL_INVALID",
            source.folder,
            f"sha256 {model.sha256[:12]}… instead of {source.sha256[:12]}…",
            "the model was changed while the run was going on",
            "put the old model back, then run the same command again",
        )
        raise InputError(problem)
    return JaxScorer(model, source.minibatch)


class JaxScorer:
    """A field scorer compiled from a model's networks.

    Shapes never depend on the pixels, so there is one compilation a field shape and
    set of networks; a micro-batch never crosses a field.
    """

    def __init__(self, model: Model, minibatch: int) -> None:
        """Keep the model; nothing is compiled before the first field."""
        self.model = model
        self.minibatch = minibatch
        self.channels = model.spec.channels
        self.threshold = model.spec.threshold
        self._finders: dict[tuple[tuple[int, ...], str], Finder] = {}
        self._scorers: dict[tuple[str, ...], Scorer] = {}

    @cached_property
    def _networks(self) -> dict[str, tuple[nnx.GraphDef[Any], nnx.State[Any, Any]]]:
        return load_networks(self.model)

    def _finder(self, pixels: NDArray[Any]) -> Finder:
        from kernels.centres import make_finder

        key = (pixels.shape, pixels.dtype.name)
        if key not in self._finders:
            finder, intensity = specs(self.model.spec)
            shape = (pixels.shape[0], pixels.shape[1], pixels.shape[2])
            self._finders[key] = make_finder(finder, intensity, shape, key[1])
        return self._finders[key]

    def _scorer(self, networks: tuple[str, ...]) -> Scorer:
        from kernels.scorer import make_scorer

        if networks not in self._scorers:
            finder, _ = specs(self.model.spec)
            self._scorers[networks] = make_scorer(
                [self._networks[name] for name in networks],
                crop_px=finder.crop_px,
                bin=finder.bin,
                minibatch=self.minibatch,
            )
        return self._scorers[networks]

    def __call__(self, pixels: NDArray[Any], networks: Sequence[str]) -> FieldScores:
        """Find and score the cells of one field [c y x], channels in model order."""
        import jax

        found = self._finder(pixels)(jax.device_put(pixels))
        n = int(found.n_cells)
        # A well that no network may score still has its profile measured.
        used = tuple(networks) or (self.model.spec.networks[0].name,)
        score = self._scorer(used)
        batches = [
            score(found.image, jax.device_put(centres), jax.device_put(valid))
            for centres, valid in _micro_batches(found, n, self.minibatch)
        ]
        host = jax.device_get(batches)
        probability = np.concatenate(
            [b.probability.T for b in host] or [np.zeros((0, len(used)), np.float32)]
        )
        profile = sum(np.asarray(b.profile, np.float64).sum(axis=0) for b in host)
        embedding = {
            name: sum(np.asarray(b.embedding[k], np.float64).sum(axis=0) for b in host)
            for k, name in enumerate(networks)
        }
        centres = np.asarray(found.centres)[:n]
        return FieldScores(
            y=centres[:, 0],
            x=centres[:, 1],
            probability=probability[:n, : len(networks)],
            profile=np.asarray(profile),
            embedding={k: np.asarray(v) for k, v in embedding.items()},
            measures=_measures(found),
            codes=("CAPACITY",) if bool(found.at_capacity) else (),
        )


def _micro_batches(
    found: FoundField, n: int, size: int
) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    centres, valid = np.asarray(found.centres), np.asarray(found.valid)
    short = -len(centres) % size
    centres = np.pad(centres, ((0, short), (0, 0)))
    valid = np.pad(valid, (0, short))
    return [(centres[i : i + size], valid[i : i + size]) for i in range(0, n, size)]


def _measures(found: FoundField) -> dict[str, list[float]]:
    names = ("background", "mean", "sd", "focus", "saturated")
    return {k: np.asarray(getattr(found, k), np.float64).tolist() for k in names}


def specs(spec: ModelSpec) -> tuple[FinderSpec, IntensitySpec]:
    """The kernels' specs as stored with a model."""
    from kernels.centres import FinderSpec
    from kernels.intensity import IntensitySpec

    stored = spec.intensity
    intensity = IntensitySpec(
        kinds=tuple(stored["kinds"]),
        scales=tuple(stored["scales"]),
        saturation_level=stored["saturation_level"],
    )
    return FinderSpec(**spec.finder), intensity


def load_networks(
    model: Model,
) -> dict[str, tuple[nnx.GraphDef[Any], nnx.State[Any, Any]]]:
    """Every network of a model, built and filled, ready to be compiled."""
    import jax
    from flax import nnx

    from kernels.networks import build

    spec, loaded = model.spec, {}
    for network in spec.networks:
        key = jax.random.key(0)
        module = build(spec.architecture, len(spec.channels), spec.crop_px, key=key)
        module = restore_network(module, model.weights[network.name])
        module.eval()
        loaded[network.name] = nnx.split(module)
    return loaded
