"""Small weight files as PyTorch writes them, in both of its forms, for the tests.

Usage: PYTHONPATH=/path/to/torch python bench/peers/make_weight_files.py
Writes tests/golden/weight_files/{zip,legacy}.pth and expected.npz, which holds the
numbers that PyTorch itself reads from them, bfloat16 as float32.
"""

from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "weight_files"


def tensors() -> dict[str, torch.Tensor]:
    """Every kind of number, and tensors that share, skip and turn their storage."""
    torch.manual_seed(3)
    base = torch.randn(4, 6)
    return {
        "float": base,
        "turned": base.t(),
        "middle": base[1:3, ::2],
        "double": torch.randn(3, dtype=torch.float64),
        "half": torch.randn(2, 3).half(),
        "bfloat": torch.randn(5).bfloat16(),
        "whole": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
    }


def main() -> None:
    """Write both forms and what they hold."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    named = tensors()
    for name, is_zip in (("zip", True), ("legacy", False)):
        path = GOLDEN / f"{name}.pth"
        torch.save(named, path, _use_new_zipfile_serialization=is_zip)
    read = torch.load(GOLDEN / "zip.pth", weights_only=True)
    arrays = {
        name: (t.float() if t.dtype == torch.bfloat16 else t).detach().numpy()
        for name, t in read.items()
    }
    np.savez_compressed(GOLDEN / "expected.npz", **arrays)


if __name__ == "__main__":
    main()
