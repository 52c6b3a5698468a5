"""How sharp a field is."""

import jax.numpy as jnp

from kernels.intensity import bin_planes
from kernels.shapes import PerChannel, Planes


def sharpness(planes: Planes) -> PerChannel:
    """Variance of the Laplacian over the variance, per channel; 0 for a flat field.

    Taken after binning by two: white noise alone would look sharp otherwise.
    Pech-Pacheco et al., ICPR 2000, made free of gain and offset by the ratio.
    """
    smooth = bin_planes(planes, 2)
    centred = smooth - smooth.mean(2).mean(1)[:, None, None]
    laplacian = (
        centred[:, :-2, 1:-1]
        + centred[:, 2:, 1:-1]
        + centred[:, 1:-1, :-2]
        + centred[:, 1:-1, 2:]
        - 4.0 * centred[:, 1:-1, 1:-1]
    )
    spread = jnp.square(centred).mean(2).mean(1)
    return jnp.square(laplacian).mean(2).mean(1) / jnp.maximum(spread, 1e-6)
