"""The model's scorer: one field of integers in, every cell's probabilities out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plates.problems import InputError, Problem
from screen.cell_centres import Centres, padded
from screen.compilations import count_compilations
from screen.device_faults import fitting, once_more
from screen.devices import device_for
from screen.field_scores import FieldScores
from screen.illumination import Gain
from screen.micro_batches import micro_batches
from screen.model_networks import load_networks
from screen.models import Model, ModelSpec, load_model
from screen.on_host import on_host
from screen.once import Once
from screen.scored_cells import ScoredCells
from screen.stages import lap

if TYPE_CHECKING:
    from flax import nnx

    from kernels.centres import Finder, FinderSpec
    from kernels.field_windows import Pixels
    from kernels.intensity import IntensitySpec
    from kernels.preprocessing import Preprocessing
    from kernels.scorer import Precision, Scorer
    from kernels.shapes import FoundField, Image
    from screen.settings import ScoreVerb


@dataclass(frozen=True)
class ModelScorer:
    """Names a model; calling it gives the process's one scorer of that model.

    Sent to workers in place of weights: each process loads and compiles once.
    """

    folder: str
    sha256: str
    minibatch: int
    device: str = "auto"
    precision: Precision = "float32"
    max_field_px: float = math.inf

    def __call__(self) -> JaxScorer:
        """The scorer; raises InputError when the folder holds another model by now."""
        scorer: JaxScorer = _scorers(self, lambda: _load(self))
        return scorer


def scorer_of(model: Model, settings: ScoreVerb) -> ModelScorer:
    """The scorer of a model under the settings of a run."""
    return ModelScorer(
        str(model.folder.resolve()),
        model.sha256,
        settings.minibatch,
        settings.device,
        settings.precision,  # type: ignore[arg-type]
        settings.max_field_mpx * 1e6,
    )


_scorers = Once()


def _load(source: ModelScorer) -> JaxScorer:
    device_for(source.device)
    count_compilations()
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
    return JaxScorer(model, source.minibatch, source.precision, source.max_field_px)


class JaxScorer:
    """A field scorer compiled from a model's networks.

    Shapes never depend on the pixels, so there is one compilation a field shape and
    set of networks; a micro-batch never crosses a field.
    """

    def __init__(
        self,
        model: Model,
        minibatch: int,
        precision: Precision = "float32",
        max_field_px: float = math.inf,
    ) -> None:
        """Keep the model; nothing is compiled before the first field. Fields of more
        than ``max_field_px`` pixels are looked at in tiles."""
        self.model = model
        self.max_field_px = max_field_px
        self.minibatch = minibatch
        self.precision: Precision = precision
        self.channels = model.spec.channels
        self.threshold = model.spec.threshold
        self._compiled = Once()

    @cached_property
    def _networks(self) -> dict[str, tuple[nnx.GraphDef[Any], nnx.State[Any, Any]]]:
        return load_networks(self.model)

    def calibrated(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities [n k] as the model's calibration on unseen wells reads them."""
        if not self.model.spec.calibration:
            return raw
        from screen.evaluation.calibration import Calibration

        calibration = Calibration.from_dict(self.model.spec.calibration)
        told = calibration.apply(raw.reshape(-1)).reshape(raw.shape)
        return np.asarray(told, np.float32)

    def finder(
        self, shape: tuple[int, ...], dtype: str, gain: Gain | None = None
    ) -> Finder:
        """The compiled finder for fields of this shape (c, y, x) and type, and for
        gains of one grid."""
        grid = None if gain is None else gain.shape
        finder: Finder = self._compiled(
            (shape, dtype, grid), lambda: self._new_finder(shape, dtype, gain)
        )
        return finder

    def _new_finder(
        self, shape: tuple[int, ...], dtype: str, gain: Gain | None
    ) -> Finder:
        import jax

        from kernels.centres import make_finder

        finder, intensity = specs(self.model.spec)
        find = make_finder(finder, intensity, (shape[0], shape[1], shape[2]), dtype)
        none = np.zeros((0, 2), np.float32)
        given = padded(none, finder.max_cells) if finder.kind == "given" else None
        find(*jax.device_put((np.zeros(shape, dtype), gain, given)))
        return find

    def scorer(self, networks: tuple[str, ...], image: Image) -> Scorer:
        """The compiled scorer of these networks for images of this shape [y x c]."""
        scorer: Scorer = self._compiled(
            (networks, image.shape), lambda: self._new_scorer(networks, image)
        )
        return scorer

    def _new_scorer(self, networks: tuple[str, ...], image: Image) -> Scorer:
        """Compiled and tried once; the size of the micro-batch stays as it is."""
        return fitting(
            lambda size: self._tried_scorer(networks, image, size), self.minibatch
        )

    def _tried_scorer(
        self, networks: tuple[str, ...], image: Image, minibatch: int
    ) -> Scorer:

        from kernels.scorer import make_scorer

        finder, _ = specs(self.model.spec)
        score = make_scorer(
            [self._networks[name] for name in networks],
            crop_px=finder.crop_px,
            bin=finder.bin,
            minibatch=minibatch,
            window=self.model.spec.window,
            preprocessing=preprocessing_of(self.model.spec),
            precision=self.precision,
        )
        none = np.zeros((minibatch, 2), np.float32), np.zeros(minibatch, bool)
        on_host(score(image, *none))  # waits: it may not fit
        return score

    @property
    def most(self) -> int:
        """Cells of one field that are kept."""
        return int(self.model.spec.finder.get("max_cells", 0))

    def _found(
        self,
        pixels: NDArray[Any],
        illumination: Gain | None,
        centres: Centres | None,
    ) -> FoundField:
        import jax

        given = None if centres is None else padded(centres, self.most)
        find = self.finder(pixels.shape, pixels.dtype.name, illumination)
        lap("compile")
        placed = jax.device_put((pixels, illumination, given))
        lap("copy")
        return find(*placed)

    def __call__(
        self,
        pixels: Pixels,
        networks: Sequence[str],
        *,
        illumination: Gain | None = None,
        centres: Centres | None = None,
    ) -> FieldScores:
        """Find and score the cells of one field [c y x], channels in model order;
        ``illumination`` is the plate's gain, where its light counts as uneven;
        ``centres`` [n 2] are the cells of a model that does not look for them.

        Raises MinibatchTooLarge at a first field that does not fit the device, later
        DeviceFull, and DeviceLost.
        """
        return once_more(lambda: self._scored(pixels, networks, illumination, centres))

    def _scored(
        self,
        pixels: Pixels,
        networks: Sequence[str],
        illumination: Gain | None,
        centres: Centres | None,
    ) -> FieldScores:

        if pixels.shape[1] * pixels.shape[2] > self.max_field_px:
            from screen.tiled_scoring import score_tiles

            return score_tiles(self, pixels, networks, illumination, centres)
        found = self._found(np.asarray(pixels), illumination, centres)
        is_full = centres is not None and len(centres) > self.most
        image = found.image
        small = type(found)(image, *on_host(found[1:]))
        lap("find")
        n = int(small.n_cells)
        # A well that no network may score still has its profile measured.
        used = tuple(networks) or (self.model.spec.networks[0].name,)
        score = self.scorer(used, image)
        lap("compile")
        batches = [
            score(image, *batch) for batch in micro_batches(small, n, self.minibatch)
        ]
        cells = ScoredCells(n, len(used))
        for start, batch in enumerate(on_host(batches)):
            first = start * self.minibatch
            cells.add(batch, np.arange(first, min(first + self.minibatch, n)))
        lap("score")
        places = np.asarray(small.centres)[:n]
        return FieldScores(
            y=places[:, 0],
            x=places[:, 1],
            probability=self.calibrated(cells.probability[:, : len(networks)]),
            profile=cells.profile,
            embedding=cells.embedding(networks),
            measures=_measures(small),
            codes=("CAPACITY",) if is_full or bool(small.at_capacity) else (),
        )


def _measures(found: FoundField) -> dict[str, list[float]]:
    names = ("background", "mean", "sd", "focus", "saturated")
    measured = {k: getattr(found, k) for k in names} | found.quality._asdict()
    return {k: np.asarray(v, np.float64).tolist() for k, v in measured.items()}


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
    finder = {k: v for k, v in spec.finder.items() if k != "segmenter"}
    return FinderSpec(**finder), intensity


def preprocessing_of(spec: ModelSpec) -> Preprocessing | None:
    """What the networks' weights expect of crops; None where they take them as they are."""
    from kernels.preprocessing import Preprocessing

    return Preprocessing.from_dict(spec.preprocessing) if spec.preprocessing else None
