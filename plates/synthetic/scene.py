"""One field of a well: paint the cells, then photograph them."""

from dataclasses import dataclass

import numpy as np

from plates.synthetic.bank import HALF_PX, NucleusBank
from plates.synthetic.biology import Cells, Effect, PlateDrift
from plates.synthetic.cells import (
    MINIBATCH,
    CellPainter,
    draw_looks,
    lay_windows,
    speckle,
)
from plates.synthetic.layout import WellPlan
from plates.synthetic.optics import (
    expose,
    gaussian_blur,
    light_field,
    phase_contrast,
)
from plates.synthetic.settings import SimulateSettings

REMAINS_SHARE = 0.12  # share of the killed cells that leave a visible speck


@dataclass(frozen=True)
class Studio:
    """What all wells of a campaign share: settings, shapes, real nuclei."""

    settings: SimulateSettings
    painter: CellPainter
    bank: NucleusBank | None


@dataclass(frozen=True)
class Shot:
    """One field as photographed, and the number of specks in it."""

    pixels: np.ndarray  # uint16[c, y, x]
    n_debris: int


def photograph(
    studio: Studio,
    plan: WellPlan,
    effect: Effect,
    drift: PlateDrift,
    cells: Cells,
    centres: np.ndarray,
    rng: np.random.Generator,
) -> Shot:
    """Draw one field with `cells` at int `centres` (y, x) and return its counts."""
    settings = studio.settings
    margin = max(studio.painter.body_half, HALF_PX) + 2
    signal = _paint(studio, plan, effect, cells, centres + margin, margin, rng)
    n_debris = int(rng.poisson(settings.debris_per_field / settings.n_fields))
    n_specks = n_debris + int(rng.binomial(cells.n_killed, REMAINS_SHARE))
    side = settings.field_px
    specks = rng.integers(0, side, (n_specks, 2)) + margin
    for canvas in signal:
        speckle(canvas, specks, 1.6, rng)
    sigma = settings.blur_px * float(np.exp(settings.blur_sd * rng.standard_normal()))
    sigma = settings.unfocused_px if plan.is_unfocused else sigma
    blurred = [gaussian_blur(canvas, sigma) for canvas in signal]
    if settings.style == "phase":
        blurred = [phase_contrast(0.5 * blurred[0] + blurred[1])]
    pixels = [
        _counts(settings, image[margin:-margin, margin:-margin], c, effect, drift, rng)
        for c, image in enumerate(blurred)
    ]
    return Shot(pixels=np.stack(pixels), n_debris=n_debris)


def _paint(
    studio: Studio,
    plan: WellPlan,
    effect: Effect,
    cells: Cells,
    centres: np.ndarray,
    margin: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    side = studio.settings.field_px + 2 * margin
    if studio.bank is not None:
        canvas = np.zeros((side, side), np.float32)
        half = None if studio.settings.bank_leaked else int(not plan.teaching)
        windows = studio.bank.draw(half, cells.senescent, rng)
        lay_windows(canvas, _change_real(windows, cells.changed, effect.look), centres)
        return [canvas]
    nucleus, body = np.zeros((2, side, side), np.float32)
    for start in range(0, cells.age.size, MINIBATCH):
        part = slice(start, start + MINIBATCH)
        looks = draw_looks(cells.age[part], cells.changed[part], effect.look, rng)
        lay_windows(nucleus, studio.painter.nuclei(looks, rng), centres[part])
        lay_windows(body, studio.painter.bodies(looks, rng), centres[part])
    return [nucleus, body]


def _change_real(windows: np.ndarray, changed: np.ndarray, look: str) -> np.ndarray:
    """Give `changed` real nuclei, f32[n, 2h, 2h], a look that belongs to no state."""
    if not changed.any():
        return windows
    out = windows.copy()
    some = windows[changed]
    if look == "shrunken":
        small = some.reshape(len(some), HALF_PX, 2, HALF_PX, 2).mean((2, 4))
        rim = HALF_PX // 2
        out[changed] = 2.2 * np.pad(small, ((0, 0), (rim, rim), (rim, rim)))
    elif look == "vacuolated":
        axis = np.arange(-HALF_PX, HALF_PX)
        ripple = np.cos(axis * 0.9)[:, None] * np.cos(axis * 0.9)[None]
        out[changed] = some * (1 - 0.85 * (ripple > 0.25)).astype(np.float32)
    else:
        out[changed] = 0.4 * some
    return out


def _counts(
    settings: SimulateSettings,
    image: np.ndarray,
    channel: int,
    effect: Effect,
    drift: PlateDrift,
    rng: np.random.Generator,
) -> np.ndarray:
    gain = drift.gains[channel] * np.exp(settings.well_gain_sd * rng.standard_normal())
    glow = effect.glow * (effect.glow_channel == settings.channels[channel])
    light = light_field(settings.field_px, settings.illumination, drift.light[channel])
    if settings.style == "phase":
        # Transmitted light: an absorbing or glowing compound lifts the whole field.
        counts = 20 * settings.background_counts * image * (1 + 0.3 * glow)
    else:
        full = (settings.nucleus_counts, settings.body_counts)[channel]
        counts = full * (1 + glow) * image
        counts += settings.background_counts + 0.5 * glow * full
    return expose(settings, counts * light * np.float32(gain), rng)
