"""Golden outputs of the networks in PyTorch, and how far ours are from them.

Usage: PYTHONPATH=/path/to/torch python bench/peers/make_golden.py [--keep]
Prints the largest difference, relative to the largest output, of every network at an
eighth of the width and as published; --keep writes tests/golden/networks/*.npz.
The last line is one JSON object.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jax
import numpy as np
import torch
from flax import nnx

from bench.peers import torch_networks
from bench.peers.seeded_weights import FULL, SMALL, Case, seeded_crops, seeded_weights
from kernels.networks import build
from kernels.pretrained import loaded

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "networks"


def torch_logits(case: Case) -> tuple[np.ndarray, dict[str, tuple[int, ...]]]:
    """Logits [n n_out] of the seeded crops, and the names and shapes of the weights."""
    network = torch_networks.build(
        case.name, case.n_channels, case.crop_px, n_out=case.n_out, width=case.width
    ).eval()
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    arrays = {n: torch.from_numpy(a) for n, a in seeded_weights(shapes).items()}
    network.load_state_dict(arrays, strict=False)
    crops = torch.from_numpy(seeded_crops(case).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        return network(crops).numpy(), shapes


def our_logits(case: Case, shapes: dict[str, tuple[int, ...]]) -> np.ndarray:
    """The same from our network, with the weights read by torch's names."""
    module = build(
        case.name,
        case.n_channels,
        case.crop_px,
        key=jax.random.key(0),
        n_out=case.n_out,
        width=case.width,
    )
    state = loaded(module, case.name, seeded_weights(shapes), "torch").state
    nnx.update(module, state)
    graphdef, params = nnx.split(module)
    run = jax.jit(lambda params, x: nnx.merge(graphdef, params)(x))
    return np.asarray(run(params, seeded_crops(case)))


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest absolute difference over the largest absolute output."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def main() -> None:
    """Compare, print, and keep when asked."""
    found: dict[str, Any] = {}
    for case in (*SMALL, *FULL):
        theirs, shapes = torch_logits(case)
        found[str(case)] = relative_difference(our_logits(case, shapes), theirs)
        print(f"{case}: {found[str(case)]:.2e}", flush=True)
        if "--keep" in sys.argv and case in SMALL:
            GOLDEN.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(GOLDEN / f"{case}.npz", logits=theirs)
    print(json.dumps({"torch": torch.__version__, "relative_difference": found}))


if __name__ == "__main__":
    main()
