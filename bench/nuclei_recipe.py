"""How each network of the nuclei bench looks at crops and is taught."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.augment import AugmentSpec
from screen.crop_channels import crop_channels
from screen.feature_plane import with_features
from screen.fitting import FitPlan

MEMBERS = {"human": 2, "mouse": 2, "mouse to human": 2}  # networks that are averaged
EPOCHS = {"human": 320, "mouse": 80, "mouse to human": 40}
"""Few crops ask for more passes; what is to carry to another species, for fewer."""
LOOKS: dict[str, tuple[str, int, int]] = {
    "network": ("compact_wide", 24, 4),
    "compact": ("compact", 24, 4),
    "compact_large": ("compact_large", 24, 4),
    "sesmo": ("sesmo", 48, 2),
}
"""Network of the registry, side of the window in binned pixels, pixels per bin."""
OTHERS = ("compact", "compact_large", "sesmo")
SESMO_EPOCHS = 80  # its steps take far longer than those of compact


def windows_for(
    look: str, pixels: NDArray[np.uint8], features: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Crops u8[n y x] as the network of that look takes them, f32[n s s c]."""
    name, crop_px, bin_ = LOOKS[look]
    windows = crop_channels(pixels, crop_px, bin_)
    return with_features(windows, features) if name == "compact_wide" else windows


def plan_for(look: str, kind: str, seed: int) -> FitPlan:
    """How the network of that look is taught for a question."""
    name, crop_px, _ = LOOKS[look]
    own: dict[str, Any] = {"learning_rate": 3e-3, "epochs": EPOCHS[kind]}
    own["weight_decay"] = 1.0 if name == "compact_wide" else 0.3
    if name == "sesmo":
        own |= {"learning_rate": 1e-3, "epochs": SESMO_EPOCHS}
    return FitPlan(
        network=name,
        crop_px=crop_px,
        batch=64,
        label_smoothing=0.1,
        augment=AugmentSpec(shift_px=2, gain=0.05, offset=0.0, noise=0.0),
        seed=seed,
        **own,
    )
