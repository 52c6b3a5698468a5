"""What a compound does to the cells of a well, and how each cell comes to look."""

from dataclasses import dataclass, replace

import numpy as np

from plates.synthetic.layout import WellPlan
from plates.synthetic.settings import SimulateSettings

MAX_CROWD = 1.7  # a field holds no more than this many times the usual cells


@dataclass(frozen=True)
class Effect:
    """Action of a compound at one dose on the stressed cells of a well."""

    rate: float  # senescent share aimed at
    keep_senescent: float = 1.0  # share of the senescent cells that survive
    keep_other: float = 1.0  # share of the non-senescent cells that survive
    growth: float = 1.0  # non-senescent cells multiply by this
    changed: float = 0.0  # share of the cells that look like neither state
    look: str = ""  # shrunken | vacuolated | stain_shifted
    glow: float = 0.0  # compound fluorescence, in units of the typical signal
    glow_channel: str = ""


@dataclass(frozen=True)
class PlateDrift:
    """What all wells of a plate share."""

    logit: float
    slope: tuple[float, float]
    gains: tuple[float, ...]
    light: tuple[tuple[float, float], ...]  # brightest point by channel, -1 to 1


@dataclass(frozen=True)
class Cells:
    """The cells of one well: arrays of length n, in random order."""

    senescent: np.ndarray
    changed: np.ndarray
    age: np.ndarray
    n_killed: int


def effect_of(settings: SimulateSettings, plan: WellPlan) -> Effect:
    """Return the action in a well, before any well-to-well chance."""
    if plan.state == "unstressed":
        return Effect(rate=settings.healthy_rate)
    base = Effect(rate=settings.stressed_rate)
    if plan.planted is None:
        return base
    kind, subclass = plan.planted.kind, plan.planted.subclass
    strength = plan.planted.strength
    response = plan.planted.response(plan.dose_um)
    part = strength * response
    window = settings.stressed_rate - settings.healthy_rate
    changes: dict[str, dict[str, float | str]] = {
        "inert": {},
        "rescue": {"rate": settings.stressed_rate - part * window},
        "inducer": {
            "rate": settings.stressed_rate + part * (1 - settings.stressed_rate)
        },
        "toxic": {"keep_senescent": 1 - part, "keep_other": 1 - part},
        "senolytic": {"keep_senescent": 1 - part},
        "dilution": {"growth": 1 + (strength - 1) * response},
        "cytostatic": {"keep_other": 1 - part},
        "other": {"changed": part, "look": subclass},
        "artefact": {"glow": part, "glow_channel": subclass},
    }
    return replace(base, **changes[kind])  # type: ignore[arg-type]


def draw_drift(settings: SimulateSettings, rng: np.random.Generator) -> PlateDrift:
    """Draw what one plate has of its own: level, slope, brightness, light."""
    angle = rng.uniform(0, 2 * np.pi)
    n = len(settings.channels)
    gains = np.exp(settings.plate_gain_sd * rng.standard_normal(n))
    light = rng.uniform(-0.4, 0.4, (n, 2))
    return PlateDrift(
        logit=float(settings.plate_logit_sd * rng.standard_normal()),
        slope=(
            float(settings.gradient_logit * np.sin(angle)),
            float(settings.gradient_logit * np.cos(angle)),
        ),
        gains=tuple(gains.tolist()),
        light=tuple((y, x) for y, x in light.tolist()),
    )


def latent_rate(
    settings: SimulateSettings,
    plan: WellPlan,
    effect: Effect,
    drift: PlateDrift,
) -> float:
    """Senescent rate of a well: the effect plus plate, position and chance (logit)."""
    n_rows = settings.n_rows
    n_columns = settings.n_wells // n_rows
    y = 2 * plan.well.row / (n_rows - 1) - 1
    x = 2 * plan.well.column / (n_columns - 1) - 1
    logit = np.log(effect.rate / (1 - effect.rate)) + drift.logit
    logit += drift.slope[0] * y + drift.slope[1] * x
    logit += settings.edge_logit * plan.is_edge
    calm = settings.healthy_spread if plan.state == "unstressed" else 1.0
    logit += settings.well_logit_sd * calm * plan.chance
    return float(1 / (1 + np.exp(-logit)))


def draw_cells(
    settings: SimulateSettings,
    plan: WellPlan,
    effect: Effect,
    rate: float,
    rng: np.random.Generator,
) -> Cells:
    """Draw the cells that a well holds when it is imaged."""
    mean = settings.cells_per_well * np.exp(settings.cells_cv * plan.crowd)
    mean *= settings.healthy_growth if plan.state == "unstressed" else 1.0
    mean *= 1 - settings.edge_count * plan.is_edge
    n_start = round(float(mean))
    n_sen_start = int(rng.binomial(n_start, rate))
    n_sen = int(rng.binomial(n_sen_start, effect.keep_senescent))
    n_other = int(rng.binomial(n_start - n_sen_start, effect.keep_other))
    # Slower growth leaves no dead cells behind; only killing does.
    n_killed = n_start - n_sen - n_other if effect.keep_senescent < 1 else 0
    n_other += int(rng.poisson(n_other * (effect.growth - 1)))
    n_other = min(n_other, max(0, int(MAX_CROWD * settings.cells_per_well) - n_sen))
    if plan.is_dead:
        n_sen, n_other, n_killed = int(rng.integers(0, 3)), int(rng.integers(0, 3)), 20
    senescent = rng.permutation(np.arange(n_sen + n_other) < n_sen)
    shift = settings.well_age_sd * rng.standard_normal()
    age = settings.separation * (senescent - 0.5) + shift
    return Cells(
        senescent=senescent,
        changed=rng.random(senescent.size) < effect.changed,
        age=(age + rng.standard_normal(senescent.size)).astype(np.float32),
        n_killed=n_killed,
    )


def scatter(
    n: int, side_px: int, distance_px: float, rng: np.random.Generator
) -> np.ndarray:
    """Place `n` cells on a square field, pushed apart; return int (y, x), shape (n, 2)."""
    margin = min(8.0, side_px / 8)
    points = rng.uniform(margin, side_px - margin, (n, 2)).astype(np.float32)
    for _ in range(8):
        gap = points[:, None] - points[None]
        distance = np.sqrt((gap**2).sum(2)) + np.float32(1e-3)
        push = np.maximum(distance_px - distance, 0) / distance * np.float32(0.35)
        points += (gap * push[:, :, None]).sum(1)
        np.clip(points, margin, side_px - 1 - margin, out=points)
    return np.rint(points).astype(np.int64)


def share_out(cells: Cells, n_fields: int) -> list[Cells]:
    """Split the cells of a well, already in random order, evenly among its fields."""
    parts = np.array_split(np.arange(cells.age.size), n_fields)
    return [
        Cells(
            senescent=cells.senescent[part],
            changed=cells.changed[part],
            age=cells.age[part],
            n_killed=cells.n_killed // n_fields,
        )
        for part in parts
    ]
