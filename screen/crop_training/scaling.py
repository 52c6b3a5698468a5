"""Windows as the network takes them: by its weights, or to mean 0 and sd 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screen.crop_training.inputs import Inputs, Windows
from screen.crop_training.job import Job

if TYPE_CHECKING:
    from kernels.preprocessing import Preprocessing

BLOCK = 256
FLAT = 1e-3  # sd of a channel that shows next to nothing


def preprocessing_for(job: Job, inputs: Inputs) -> Preprocessing | None:
    """What the weights to begin from expect; without such, masked windows are taken as
    they are and plain pictures to mean 0 and sd 1 of each channel over the whole set,
    which knows of no label."""
    if job.start is not None:
        return job.start.preprocessing
    if job.settings.crops_input == "masked":
        return None
    return standardising(inputs.windows)


def standardising(windows: Windows) -> Preprocessing:
    """The preprocessing that gives each channel of windows f32[n s s c] mean 0, sd 1."""
    from kernels.preprocessing import Preprocessing

    mean = windows.mean((0, 1, 2), dtype=np.float64)
    sd = np.maximum(windows.std((0, 1, 2), dtype=np.float64), FLAT)
    order = tuple(range(windows.shape[3]))
    return Preprocessing("own", order, tuple(mean.tolist()), tuple(sd.tolist()))


def scaled(windows: Windows, spec: Preprocessing) -> Windows:
    """Windows as a preprocessing makes them, a block at a time."""
    import jax.numpy as jnp

    from kernels.preprocessing import prepared

    parts = [
        np.asarray(prepared(jnp.asarray(windows[i : i + BLOCK]), spec))
        for i in range(0, len(windows), BLOCK)
    ]
    return np.concatenate(parts)
