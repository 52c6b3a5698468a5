# mypy: disable-error-code="misc, no-any-return, no-untyped-call"
"""The same work by PyTorch: the best way we know of, and the way it is usually written.

PyTorch is an extra (pip install torch==2.13.0); nothing of the program imports this file.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from bench.peers.torch_networks import Compact, settled
from kernels.crops import gather_crops, windowed
from kernels.fusion import unfused
from kernels.scorer import score_crops
from plates.store import Plate, read_field
from plates.wells import Well
from screen.micro_batches import micro_batches
from screen.model_networks import load_networks
from screen.models import Model
from screen.scoring import JaxScorer

N_THREADS = 2
LAPS = 30
TIMES = 10
"""Passes in a lap of the processor's clock."""
MINIBATCH = 64
"""That of our scorer on a CPU."""
WAYS = ("eager", "frozen", "compiled")
NUCLEUS_SIGMA_PX = 4.0
SMALLEST_PX = 400

Forward = Callable[[torch.Tensor], torch.Tensor]
Field = tuple[Plate, Well]


def same_weights(model: Model, network: str) -> Compact:
    """Our compact network with its weights as PyTorch lays them out, ready to score."""
    spec, ours = model.spec, model.weights[network]
    made = Compact(len(spec.channels), spec.crop_px, width=spec.width)
    for name in ("stem", "second", "third", "fourth"):
        layer = getattr(made, name)
        n_out, n_in = layer.weight.shape[:2]
        kernel = ours[f"{name}.kernel"].reshape(3, 3, n_in, n_out)
        if name == "stem":  # ours folds pixels outermost, PixelUnshuffle channels
            kernel = kernel.reshape(3, 3, 4, n_in // 4, n_out).swapaxes(2, 3)
            kernel = kernel.reshape(3, 3, n_in, n_out)
        _put(layer.weight, kernel.transpose(3, 2, 0, 1))
        _put(layer.gain, ours[f"{name}.gain"])
        _put(layer.bias, ours[f"{name}.bias"])
    side, n_out = spec.crop_px // 8, made.dense.out_features
    dense = ours["dense.kernel"].reshape(side, side, -1, n_out)
    _put(made.dense.weight, dense.transpose(3, 2, 0, 1).reshape(n_out, -1))
    _put(made.dense.bias, ours["dense.bias"])
    _put(made.head.weight, ours["head.kernel"].T)
    _put(made.head.bias, ours["head.bias"])
    return settled(made)


def _put(into: Any, array: np.ndarray) -> None:
    with torch.no_grad():
        into.copy_(torch.from_numpy(np.ascontiguousarray(array)))


class Seen(nn.Module):
    """Image and first pixels of the crops to P(senescent) [b]: crops through our soft
    window, then the network."""

    def __init__(self, network: nn.Module, crop_px: int, n_channels: int) -> None:
        super().__init__()
        ones = jnp.ones((1, crop_px, crop_px, n_channels), jnp.float32)
        self.network, self.crop_px = network, crop_px
        window = torch.from_numpy(np.asarray(windowed(ones)).copy())
        self.register_buffer("window", window)
        self.register_buffer("reach", torch.arange(crop_px))

    def forward(self, padded: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
        """padded [y x c], starts [b 2]."""
        rows = starts[:, 0, None] + self.reach
        columns = starts[:, 1, None] + self.reach
        crops = padded[rows[:, :, None], columns[:, None, :]] * self.window
        logits = self.network(crops.permute(0, 3, 1, 2))
        return functional.softmax(logits, 1)[:, 1]


def padded_image(image: np.ndarray, crop_px: int) -> torch.Tensor:
    """The image [y x c] with its rim repeated by half a crop."""
    half = crop_px // 2
    pads = ((half, half), (half, half), (0, 0))
    return torch.from_numpy(np.pad(image, pads, mode="edge"))


def starts_of(centres: np.ndarray, bin_: int) -> torch.Tensor:
    """Where the crops of full-resolution centres [b 2] begin in the padded image."""
    return torch.from_numpy(np.round((centres + 0.5) / bin_ - 0.5).astype(np.int64))


def way(name: str, seen: Seen, example: tuple[torch.Tensor, torch.Tensor]) -> Any:
    """One way to run it: as written, traced and frozen, or compiled by Inductor."""
    if name == "eager":
        return seen
    if name == "frozen":
        traced = torch.jit.trace(seen, example)
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced.eval()))
    torch._inductor.config.freezing = True
    return torch.compile(seen, dynamic=False)


class BestPeer:
    """PyTorch with our decoder, our finder's centres and our micro-batches, in the
    fastest of three ways; nothing is committed and no profile is measured."""

    def __init__(
        self, scorer: JaxScorer, network: str, fields: Sequence[Field]
    ) -> None:
        """Times each way on the first field's batches; all give our probabilities."""
        torch.set_num_threads(1)  # as many fields at a time as there are threads
        self.scorer, spec = scorer, scorer.model.spec
        self.crop_px, self.bin = spec.crop_px, int(spec.finder["bin"])
        made = same_weights(scorer.model, network)
        seen = Seen(made, self.crop_px, len(spec.channels)).eval()
        pixels = read_field(*fields[0], 0)
        self.example = self.batches(pixels)[1][0]
        self.ours = load_networks(scorer.model)[network]
        self.first = self.first_batch(pixels)
        self.ways: dict[str, Any] = {}
        self.ms: dict[str, float] = {}
        self.refused: dict[str, str] = {}
        with torch.inference_mode():
            for name in WAYS:
                try:
                    self.ways[name] = way(name, seen, self.example)
                    self.ms[name] = self.forward_ms(name)
                except RuntimeError as error:  # a way this machine cannot go
                    self.refused[name] = str(error)[:200]
        self.best = min(self.ms, key=self.ms.__getitem__)

    def forward_ms(self, name: str) -> float:
        """Milliseconds of one micro-batch, the median of several."""
        call, took = self.ways[name], []
        with torch.inference_mode():
            for _ in range(5):
                call(*self.example)
            for _ in range(LAPS):
                start = time.perf_counter()
                call(*self.example)
                took.append((time.perf_counter() - start) * 1e3)
        return statistics.median(took)

    def forward_beside(self) -> dict[str, float]:
        """Processor milliseconds of the first micro-batch, crops to probabilities, by our
        code and by each way in turns; nothing else that ours measures is asked for."""
        torch.set_num_threads(1)  # several wait in loops, which count as work of ours
        image, batch = self.first
        spec, pairs = self.scorer.model.spec, [self.ours]

        def seen(image: jax.Array, centres: jax.Array) -> jax.Array:
            crops = gather_crops(image, centres, crop_px=spec.crop_px, bin=self.bin)
            return score_crops(pairs, windowed(unfused(crops)))[0]

        own = jax.jit(seen)
        runs = {"ours": lambda: np.asarray(own(image, batch))} | {
            name: lambda call=call: call(*self.example).numpy()
            for name, call in self.ways.items()
        }
        looks: dict[str, list[float]] = {name: [] for name in runs}
        with torch.inference_mode():
            for lap in range(LAPS + 1):
                for name, run in runs.items():
                    start = time.process_time()
                    for _ in range(TIMES):
                        run()
                    spent = (time.process_time() - start) * 1e3 / TIMES
                    looks[name] += [spent] if lap else []
        return {name: statistics.median(took) for name, took in looks.items()}

    def found(self, pixels: np.ndarray) -> Any:
        """What our finder gives, on the device."""
        find = self.scorer.finder(pixels.shape, pixels.dtype.name)
        return find(jax.device_put(pixels))

    def first_batch(self, pixels: np.ndarray) -> tuple[jax.Array, np.ndarray]:
        """Image and centres of a field's first micro-batch, as our scorer takes them."""
        found = self.found(pixels)
        small = jax.device_get(found._replace(image=None))
        return found.image, micro_batches(small, int(small.n_cells), MINIBATCH)[0][0]

    def batches(
        self, pixels: np.ndarray
    ) -> tuple[int, list[tuple[torch.Tensor, torch.Tensor]]]:
        """How many cells our finder gives, and their micro-batches."""
        found = jax.device_get(self.found(pixels))
        image = padded_image(np.asarray(found.image), self.crop_px)
        n = int(found.n_cells)
        rows = micro_batches(found, n, MINIBATCH)
        return n, [(image, starts_of(centres, self.bin)) for centres, _ in rows]

    def field(self, field: Field) -> np.ndarray:
        """P(senescent) of every cell of a field, from the compressed plate."""
        call = self.ways[self.best]
        n, batches = self.batches(read_field(*field, 0))
        with torch.inference_mode():
            told = [call(*batch).numpy() for batch in batches]
        return np.concatenate(told or [np.zeros(0, np.float32)])[:n]

    def stream(self, fields: Sequence[Field]) -> tuple[float, int]:
        """Seconds for all fields, two at a time, and their cells."""
        start = time.perf_counter()
        with ThreadPoolExecutor(N_THREADS) as pool:
            n_cells = sum(map(len, pool.map(self.field, fields)))
        return time.perf_counter() - start, n_cells


class Fields(Dataset[torch.Tensor]):
    """One item a field: zarr-python, scikit-image, crops [k c s s]."""

    def __init__(
        self, paths: Sequence[Path], channel: int, crop_px: int, bin_: int, scale: float
    ) -> None:
        self.paths, self.channel = paths, channel
        self.crop_px, self.bin, self.scale = crop_px, bin_, scale

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        """The crops of one field."""
        import zarr
        from skimage import filters, measure, morphology

        array = zarr.open_array(self.paths[index], mode="r")
        pixels = np.asarray(array[0, :, 0])
        smooth = filters.gaussian(
            pixels[self.channel], NUCLEUS_SIGMA_PX, preserve_range=True
        )
        mask = smooth > filters.threshold_otsu(smooth)
        mask = morphology.remove_small_objects(mask, max_size=SMALLEST_PX)
        spots = [p.centroid for p in measure.regionprops(measure.label(mask))]
        side = self.crop_px * self.bin
        padded = np.pad(
            pixels, ((0, 0), (side // 2,) * 2, (side // 2,) * 2), mode="edge"
        )
        crops = [
            padded[:, int(y) : int(y) + side, int(x) : int(x) + side] for y, x in spots
        ]
        stack = np.asarray(crops, np.float32).reshape(-1, len(pixels), side, side)
        shape = (
            len(stack),
            len(pixels),
            self.crop_px,
            self.bin,
            self.crop_px,
            self.bin,
        )
        small = stack.reshape(shape).mean((3, 5)) / self.scale
        return torch.from_numpy(small - np.median(small, (0, 2, 3), keepdims=True))


def usual_stream(
    model: Model, network: str, paths: Sequence[Path]
) -> tuple[float, int]:
    """Seconds and cells of a DataLoader of two processes, a scikit-image finder on full
    pixels and an eager network, in steady state: the first tenth is not counted."""
    torch.set_num_threads(N_THREADS)
    spec, made = model.spec, same_weights(model, network)
    scale = float(spec.intensity["scales"][0])
    channel, bin_ = int(spec.finder["channel"]), int(spec.finder["bin"])
    dataset = Fields(paths, channel, spec.crop_px, bin_, scale)
    loader = DataLoader(
        dataset, batch_size=None, num_workers=2, multiprocessing_context="spawn"
    )
    n_warm, n_cells, start = max(2, len(paths) // 10), 0, 0.0
    with torch.inference_mode():
        for index, crops in enumerate(loader):
            if index == n_warm:
                start = time.perf_counter()
            for part in crops.split(MINIBATCH):
                functional.softmax(made(part), 1)[:, 1].numpy()
            n_cells += len(crops) if index >= n_warm else 0
    return time.perf_counter() - start, n_cells
