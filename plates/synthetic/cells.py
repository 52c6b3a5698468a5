"""Shapes and textures of drawn cells: small windows, many cells at once."""

from dataclasses import dataclass

import numpy as np

from plates.synthetic.settings import SimulateSettings

NUCLEUS_HALF_UM = 20.0  # half side of a nucleus window
BODY_HALF_UM = 41.0  # half side of a cell body window
N_HARMONICS = 6
MINIBATCH = 32  # windows of 32 cells stay in the processor's cache
NOISE_SIDE = 256


@dataclass(frozen=True)
class Looks:
    """What each cell looks like; arrays of length n, lengths in micrometres."""

    nucleus_um: np.ndarray
    nucleus_rough: np.ndarray
    nucleus_bright: np.ndarray
    foci: np.ndarray
    body_um: np.ndarray
    body_rough: np.ndarray
    body_bright: np.ndarray
    fibres: np.ndarray
    vacuoles: np.ndarray


def draw_looks(
    age: np.ndarray, changed: np.ndarray, look: str, rng: np.random.Generator
) -> Looks:
    """Turn the age of each cell (sd units, 0 between the states) into its look.

    An aged cell is bigger, flatter (dimmer), more irregular and has chromatin foci;
    every trait also varies by itself, so that no single one tells the state.
    """
    e = rng.standard_normal((9, age.size)).astype(np.float32)
    looks = Looks(
        nucleus_um=7.2 * np.exp(0.085 * age + 0.07 * e[0]),
        nucleus_rough=0.045 * np.exp(0.32 * age + 0.35 * e[1]),
        nucleus_bright=np.exp(-0.10 * age + 0.16 * e[2]),
        foci=0.30 * np.exp(0.40 * age + 0.45 * e[3]),
        body_um=16.5 * np.exp(0.10 * age + 0.12 * e[4]),
        body_rough=0.085 * np.exp(0.25 * age + 0.30 * e[5]),
        body_bright=np.exp(-0.12 * age + 0.18 * e[6]),
        fibres=0.11 * np.exp(0.25 * age + 0.35 * e[7]),
        vacuoles=np.zeros_like(age),
    )
    return change_looks(looks, changed, look)


def change_looks(looks: Looks, changed: np.ndarray, look: str) -> Looks:
    """Give the `changed` cells a look that belongs to neither state."""
    factors: dict[str, dict[str, float]] = {
        "": {},
        "shrunken": {
            "nucleus_um": 0.62,
            "nucleus_bright": 1.9,
            "nucleus_rough": 2.2,
            "foci": 0.2,
            "body_um": 0.55,
            "body_bright": 2.0,
            "body_rough": 1.6,
        },
        "vacuolated": {"body_um": 1.1, "body_bright": 0.95, "nucleus_bright": 0.8},
        "stain_shifted": {
            "nucleus_bright": 0.45,
            "body_bright": 2.3,
            "fibres": 2.0,
            "foci": 0.3,
        },
    }
    fields = {
        name: np.where(changed, value * factors[look].get(name, 1.0), value)
        for name, value in vars(looks).items()
    }
    if look == "vacuolated":
        fields["vacuoles"] = np.where(changed, 0.9, 0.0)
    return Looks(**{name: v.astype(np.float32) for name, v in fields.items()})


class CellPainter:
    """Draws nuclei and cell bodies; holds what depends on the pixel size alone."""

    def __init__(self, settings: SimulateSettings, rng: np.random.Generator) -> None:
        self.pixel = settings.pixel_size_um
        self.nucleus_half = int(np.ceil(NUCLEUS_HALF_UM / self.pixel))
        self.body_half = int(np.ceil(BODY_HALF_UM / self.pixel))
        self._nucleus_grid = _polar(self.nucleus_half)
        self._body_grid = _polar(self.body_half)
        self._noise = _noise_bank(rng)

    def nuclei(self, looks: Looks, rng: np.random.Generator) -> np.ndarray:
        """Return nucleus windows f32[n, 2h, 2h], 1 = typical signal."""
        half = self.nucleus_half
        distance, basis = self._nucleus_grid
        n = looks.nucleus_um.size
        radius_px = looks.nucleus_um / self.pixel
        edge = _outline(radius_px, looks.nucleus_rough, 0.07, basis, half - 2.5, rng)
        mask = np.clip(edge - distance + 0.5, 0, 1)
        grain = self._patches(n, 2 * half, slice(4, 6), rng)
        image: np.ndarray = 1 - 0.3 * np.minimum((distance / edge) ** 2, 1)
        image *= 1 + 0.12 * grain
        spot = _amplitudes(looks.foci, 7, rng)
        spot[:, :2] = -0.22  # nucleoli hold little DNA
        image += _spots(spot, 0.75 * radius_px, 1.1 / self.pixel + 0.35, half, rng)
        image *= mask * looks.nucleus_bright[:, None, None]
        np.maximum(image, 0, out=image)
        return image

    def bodies(self, looks: Looks, rng: np.random.Generator) -> np.ndarray:
        """Return cell body windows f32[n, 2h, 2h], 1 = typical signal."""
        half = self.body_half
        distance, basis = self._body_grid
        n = looks.body_um.size
        radius_px = looks.body_um / self.pixel
        edge = _outline(radius_px, looks.body_rough, 0.16, basis, half - 2.5, rng)
        mask = np.clip((edge - distance) * 0.4 + 0.5, 0, 1)
        image: np.ndarray = 1 - 0.62 * np.minimum(distance / edge, 1)
        grain = self._patches(n, 2 * half, slice(0, 4), rng)
        image *= 1 + looks.fibres[:, None, None] * grain
        if looks.vacuoles.any():
            holes = np.repeat(looks.vacuoles[:, None], 7, axis=1)
            wide = 2.6 / self.pixel
            image *= 1 - np.minimum(_spots(holes, 0.8 * radius_px, wide, half, rng), 1)
        image *= mask * looks.body_bright[:, None, None]
        np.maximum(image, 0, out=image)
        return image

    def _patches(
        self, n: int, side: int, kinds: slice, rng: np.random.Generator
    ) -> np.ndarray:
        sheets = np.lib.stride_tricks.sliding_window_view(
            self._noise[kinds], (side, side), axis=(1, 2)
        )
        kind = rng.integers(0, sheets.shape[0], n)
        y, x = rng.integers(0, sheets.shape[1], (2, n))
        patches: np.ndarray = sheets[kind, y, x]
        return patches


def lay_windows(canvas: np.ndarray, windows: np.ndarray, centres: np.ndarray) -> None:
    """Lay windows f32[n, 2h, 2h] on a canvas at int (y, x); the canvas holds a margin.

    Where cells meet the brighter one is seen: a monolayer does not pile up.
    """
    half = windows.shape[1] // 2
    for (y, x), window in zip(centres.tolist(), windows, strict=True):
        part = canvas[y - half : y + half, x - half : x + half]
        np.maximum(part, window, out=part)


def speckle(
    canvas: np.ndarray, centres: np.ndarray, bright: float, rng: np.random.Generator
) -> None:
    """Add small bright specks (debris, dead cells' remains) at int (y, x)."""
    half = 8
    axis = np.arange(-half, half, dtype=np.float32)
    for y, x in centres.tolist():
        wide = np.exp(rng.normal(0.25, 0.4, 2))
        profile = np.exp(-0.5 * (axis[None] / wide[:, None]) ** 2)
        window = bright * rng.lognormal(0.0, 0.5) * np.outer(profile[0], profile[1])
        canvas[y - half : y + half, x - half : x + half] += window


def _polar(half: int) -> tuple[np.ndarray, np.ndarray]:
    # The outline is a Fourier series in the angle: on a fixed grid, one product of
    # coefficients and basis draws the outlines of all cells.
    axis = np.arange(-half, half, dtype=np.float32)
    y, x = axis[:, None], axis[None]
    angle = np.arctan2(y, x).ravel()
    waves = [f(k * angle) for k in range(1, N_HARMONICS + 1) for f in (np.cos, np.sin)]
    return np.sqrt(y**2 + x**2), np.stack(waves).astype(np.float32)


def _outline(
    radius_px: np.ndarray,
    rough: np.ndarray,
    stretch: float,
    basis: np.ndarray,
    limit_px: float,
    rng: np.random.Generator,
) -> np.ndarray:
    k = np.repeat(np.arange(1, N_HARMONICS + 1), 2)
    weight = rough[:, None] * np.where(k == 1, 0.6, 1.6 / k)
    weight += stretch * (k == 2)
    series = (weight * rng.standard_normal(weight.shape)).astype(np.float32) @ basis
    edge = radius_px[:, None] * np.clip(np.exp(series), 0.5, 1.9)
    side = int(basis.shape[1] ** 0.5)
    outline: np.ndarray = np.minimum(edge, np.float32(limit_px))
    return outline.reshape(-1, side, side)


def _amplitudes(
    level: np.ndarray, n_spots: int, rng: np.random.Generator
) -> np.ndarray:
    on = rng.random((level.size, n_spots)) < 0.65
    return (level[:, None] * on).astype(np.float32)


def _spots(
    amplitude: np.ndarray,
    reach_px: np.ndarray,
    sigma_px: float,
    half: int,
    rng: np.random.Generator,
) -> np.ndarray:
    axis = np.arange(-half, half, dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi, amplitude.shape)
    away = reach_px[:, None] * np.sqrt(rng.random(amplitude.shape))
    place = np.stack([away * np.sin(angle), away * np.cos(angle)]).astype(np.float32)
    profile = np.exp(-0.5 * ((axis - place[..., None]) / np.float32(sigma_px)) ** 2)
    tall = (profile[0] * amplitude[..., None]).transpose(0, 2, 1)
    spots: np.ndarray = tall @ profile[1]
    return spots


def _noise_bank(rng: np.random.Generator) -> np.ndarray:
    # Sheets 0-3: fibres in four directions; 4-5: grain of two sizes. Unit variance.
    f = np.fft.fftfreq(NOISE_SIDE)
    fy, fx = f[:, None], f[None, : NOISE_SIDE // 2 + 1]
    fx = np.abs(fx)
    sheets = []
    for angle in np.pi * np.arange(4) / 4:
        along = fy * np.sin(angle) + fx * np.cos(angle)
        across = fy * np.cos(angle) - fx * np.sin(angle)
        sheets.append(np.exp(-0.5 * ((along / 0.03) ** 2 + (across / 0.15) ** 2)))
    sheets += [np.exp(-0.5 * (fy**2 + fx**2) / w**2) for w in (0.13, 0.07)]
    noise = []
    for shape in sheets:
        white = np.fft.rfft2(rng.standard_normal((NOISE_SIDE, NOISE_SIDE)))
        sheet = np.fft.irfft2(white * shape, s=(NOISE_SIDE, NOISE_SIDE))
        noise.append((sheet / sheet.std()).astype(np.float32))
    return np.stack(noise)
