"""From signal to camera counts: blur, phase contrast, uneven light, noise."""

import numpy as np

from plates.synthetic.settings import SimulateSettings


def gaussian_blur(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """Blur f32[y, x] by a separable Gaussian; the rim is darkened, crop it away."""
    reach = max(1, int(np.ceil(2.5 * sigma_px)))
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma_px) ** 2)
    weights = (weights / (weights[0] + 2 * weights[1:].sum())).astype(np.float32)
    rows = weights[0] * image
    for i in range(1, reach + 1):
        rows[i:] += weights[i] * image[:-i]
        rows[:-i] += weights[i] * image[i:]
    out: np.ndarray = weights[0] * rows
    for i in range(1, reach + 1):
        out[:, i:] += weights[i] * rows[:, :-i]
        out[:, :-i] += weights[i] * rows[:, i:]
    return out


def box_blur(image: np.ndarray, half_px: int) -> np.ndarray:
    """Mean over a square of side 2 * half + 1; the rim repeats the last pixel."""
    for axis in (0, 1):
        side = 2 * half_px + 1
        pad = [(0, 0), (0, 0)]
        pad[axis] = (half_px + 1, half_px)
        total = np.cumsum(np.pad(image, pad, mode="edge"), axis=axis, dtype=np.float64)
        n = image.shape[axis]
        high = np.take(total, range(side, side + n), axis=axis)
        image = ((high - np.take(total, range(n), axis=axis)) / side).astype(np.float32)
    return image


def phase_contrast(thickness: np.ndarray) -> np.ndarray:
    """Relative brightness of a phase image: dark cells, each with a bright halo."""
    near, far = box_blur(thickness, 3), box_blur(box_blur(thickness, 8), 8)
    detail = thickness - near
    image: np.ndarray = 1 + 0.55 * (far - thickness) - 0.5 * detail
    np.maximum(image, 0.05, out=image)
    return image


def light_field(
    side_px: int, loss: float, brightest: tuple[float, float]
) -> np.ndarray:
    """Return f32[y, x] relative illumination: 1 at `brightest` (y, x in -1 to 1)."""
    axis = np.linspace(-1, 1, side_px, dtype=np.float32)
    y = (axis - np.float32(brightest[0])) ** 2
    x = (axis - np.float32(brightest[1])) ** 2
    far = (1 + abs(brightest[0])) ** 2 + (1 + abs(brightest[1])) ** 2
    return 1 - np.float32(loss / far) * (y[:, None] + x[None])


def expose(
    settings: SimulateSettings, counts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return uint16 camera counts: shot noise (normal approximation), read noise."""
    noise = rng.standard_normal(counts.shape, dtype=np.float32)
    variance = np.maximum(counts, 0) * np.float32(settings.counts_per_photon)
    variance += np.float32(settings.read_noise_counts**2)
    noise *= np.sqrt(variance)
    noise += counts
    np.clip(noise, 0, 65535, out=noise)
    return noise.astype(np.uint16)
