"""Virtual score tables with known truth: what a blurred classifier would report of planted wells, without any pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

KINDS = {
    "inert": 107,
    "rescue": 15,
    "toxic": 8,
    "senolytic": 8,
    "dilution": 8,
    "cytostatic": 8,
    "inducer": 8,
    "other": 8,
    "artefact": 8,
}
STRENGTHS = {
    "inert": (0.0, 0.0),
    "toxic": (0.60, 0.95),
    "senolytic": (0.65, 0.95),
    "dilution": (1.9, 3.0),
    "cytostatic": (0.50, 0.75),
    "inducer": (0.55, 0.95),
    "other": (0.80, 1.0),
    "artefact": (0.8, 2.0),
}
D = 20


@dataclass(frozen=True)
class Screen:
    """What a virtual score table is drawn from; rates and spreads as in a real screen."""

    seed: int = 0
    n_plates: int = 2
    kinds: dict[str, int] = field(default_factory=lambda: dict(KINDS))
    stressed: float = 0.755
    healthy: float = 0.13
    cells: float = 180.0
    count_sd: float = 0.065
    logit_sd: float = 0.27
    plate_logit_sd: float = 0.1
    p_senescent: float = 0.70
    p_other: float = 0.28
    cell_sd: float = 0.28
    n_dead: int = 1
    n_unfocused: int = 1
    look_size: float = 1.5  # how far an odd look moves a profile
    glow_counts: float = 300.0  # background of a fluorescent compound
    dying_shift: float = 0.0  # how much healthier dying cells score


def planted(screen: Screen, rng: np.random.Generator) -> pl.DataFrame:
    """One row per compound and dose: kind, strength and response at the dose."""
    kinds = [k for k, n in screen.kinds.items() for _ in range(n)]
    strengths: list[float] = []
    for kind, n in screen.kinds.items():
        if kind == "rescue":
            weak = round(0.27 * n)
            parts = [(0.3, 0.5, weak), (0.5, 1.0, n - weak)]
        else:
            parts = [(*STRENGTHS[kind], n)]
        for low, high, m in parts:
            strengths += list(low + (high - low) * (np.arange(m) + rng.random(m)) / m)
    rows = []
    n_wells = 320
    doses = np.full(len(kinds), n_wells // len(kinds))
    doses[rng.permutation(len(kinds))[: n_wells % len(kinds)]] += 1
    for i in rng.permutation(len(kinds)):
        ec50, hill = 10 * rng.uniform(0.08, 0.25), rng.uniform(1.0, 1.8)
        top = 1 / (1 + (ec50 / 10) ** hill)
        for d in range(doses[i]):
            dose = 10 / 3.0**d
            response = 1 / (1 + (ec50 / dose) ** hill) / top
            rows.append((f"C{i:04d}", kinds[i], strengths[i], float(dose), response))
    names = ["compound", "kind", "strength", "concentration_um", "response"]
    return pl.DataFrame(rows, schema=names, orient="row")


def draw(screen: Screen) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """(score table, plate map, truth by compound) of one virtual screen of 384-well plates."""
    rng = np.random.default_rng(screen.seed)
    doses = planted(screen, rng)
    optics = Optics.draw(rng)
    scores: list[dict[str, object]] = []
    wells: list[dict[str, object]] = []
    for plate in range(screen.n_plates):
        name = f"P{plate + 1:02d}"
        for place in _layout(screen, doses, rng):
            score, well = _well(screen, place, optics, rng)
            scores.append({"plate": name} | score)
            wells.append({"plate": name, "replicate": plate + 1} | well)
    truth = doses.group_by("compound", maintain_order=True).agg(
        pl.col("kind").first(),
        (pl.col("strength") * pl.col("response")).max().alias("effect"),
    )
    return pl.DataFrame(scores, schema=SCORE_SCHEMA), map_frame(wells), truth


@dataclass(frozen=True)
class Optics:
    """How states, crowding and odd looks move a profile."""

    axis: np.ndarray
    crowding: np.ndarray
    looks: np.ndarray
    mixing: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Optics":
        """Random directions in profile space."""
        return cls(
            rng.normal(0, 1.0, D),
            rng.normal(0, 0.6, D),
            rng.normal(0, 1.0, (3, D)),
            rng.normal(0, 0.12, (D, 4)),
        )


@dataclass(frozen=True)
class Place:
    """One well of a plate: where it is, what it holds, what befell it, and its plate's drift."""

    row: int
    column: int
    plan: dict[str, object] | None
    healthy: bool
    is_dead: bool
    is_blurred: bool
    drift: float
    gain: np.ndarray

    @property
    def is_edge(self) -> bool:
        """Whether the well lies on the rim."""
        return self.row in (0, 15) or self.column in (0, 23)


CONTROLS = (0, 1, 22, 23)


def _layout(
    screen: Screen, doses: pl.DataFrame, rng: np.random.Generator
) -> list[Place]:
    order = rng.permutation(doses.height)
    drift = float(screen.plate_logit_sd * rng.normal())
    gain = np.exp(0.06 * rng.normal(0, 1, 2))
    inner = [(r, c) for r in range(16) for c in range(24) if c not in CONTROLS]
    bad = rng.permutation(doses.height)[: screen.n_dead + screen.n_unfocused]
    dead = {inner[i] for i in bad[: screen.n_dead]}
    blurred = {inner[i] for i in bad[screen.n_dead :]}
    held = {inner[i]: doses.row(int(k), named=True) for i, k in enumerate(order)}
    return [
        Place(
            row=r,
            column=c,
            plan=held.get((r, c)),
            healthy=c in CONTROLS and (r + CONTROLS.index(c)) % 2 == 0,
            is_dead=(r, c) in dead,
            is_blurred=(r, c) in blurred,
            drift=drift,
            gain=gain,
        )
        for r in range(16)
        for c in range(24)
        if c in CONTROLS or (r, c) in held
    ]


def _well(
    screen: Screen, place: Place, optics: Optics, rng: np.random.Generator
) -> tuple[dict[str, object], dict[str, object]]:
    n_sen, n_non, changed, glow, look = _biology(screen, place, rng)
    n = n_sen + n_non
    share, crowd = n_sen / max(n, 1), float(np.log((n + 1) / screen.cells))
    p = screen.p_other + (screen.p_senescent - screen.p_other) * share
    p = (1 - changed) * p + changed * (0.25 + 0.1 * look) - 0.06 * glow + 0.02 * crowd
    kind = "" if place.plan is None else place.plan["kind"]
    p -= screen.dying_shift * max(0.0, -crowd) if kind == "toxic" else 0.0
    p = 0.35 if place.is_blurred else p
    p += screen.cell_sd * rng.normal() / np.sqrt(max(n, 1))
    profile = share * optics.axis + crowd * optics.crowding + glow * 0.5
    profile = (
        profile
        + changed * screen.look_size * optics.looks[look]
        + optics.mixing @ rng.normal(0, 1, 4)
    )
    profile = profile + rng.normal(0, 0.8, D) / np.sqrt(max(n, 1))
    background = 220 * place.gain * np.exp(0.01 * rng.normal(0, 1, 2))
    background[look % 2] += screen.glow_counts * glow
    focus = 50 * place.gain * np.exp(0.1 * rng.normal(0, 1, 2))
    score = score_row(
        f"{chr(65 + place.row)}{place.column + 1:02d}",
        n,
        [p],
        background=background.tolist(),
        focus=(focus * (0.1 if place.is_blurred else 1.0)).tolist(),
        profile=profile.tolist(),
    )
    plan = place.plan
    well = {
        "well": score["well"],
        "compound": "" if plan is None else plan["compound"],
        "concentration_um": None if plan is None else plan["concentration_um"],
        "role": "vehicle" if plan is None else "treatment",
        "state": "unstressed" if place.healthy else "stressed",
        "batch": "B1",
    }
    return score, well


def score_row(
    well: str,
    n_cells: int,
    score: list[float],
    *,
    networks: tuple[str, ...] = ("fold0",),
    background: list[float] | None = None,
    focus: list[float] | None = None,
    profile: list[float] | None = None,
) -> dict[str, object]:
    """One well of the flat score table; a well without cells has no score."""
    k = len(networks) if n_cells else 0
    return {
        "well": well,
        "status": "SCORED" if n_cells else "NO_CELLS",
        "codes": [],
        "n_cells": n_cells,
        "n_fields": 1,
        "n_fields_expected": 1,
        "networks": list(networks[:k]),
        "score": score[:k],
        "score_sd": [0.28] * k,
        "fraction": score[:k],
        "background": background or [200.0],
        "mean": [400.0],
        "sd": [200.0],
        "focus": focus or [50.0],
        "saturated": [0.0],
        "profile": profile if n_cells else None,
    }


def _biology(
    screen: Screen, place: Place, rng: np.random.Generator
) -> tuple[int, int, float, float, int]:
    rate = screen.healthy if place.healthy else screen.stressed
    kind, strength, response, look = "inert", 0.0, 0.0, 0
    if place.plan is not None:
        kind, strength = str(place.plan["kind"]), float(str(place.plan["strength"]))
        response = float(str(place.plan["response"]))
        look = int(str(place.plan["compound"])[1:]) % 3
    part = strength * response
    if kind == "rescue":
        rate -= part * (screen.stressed - screen.healthy)
    if kind == "inducer":
        rate += part * (1 - screen.stressed)
    logit = np.log(rate / (1 - rate)) + place.drift + 0.12 * place.is_edge
    share = 1 / (1 + np.exp(-logit - screen.logit_sd * rng.normal()))
    mean = screen.cells * np.exp(screen.count_sd * rng.normal())
    mean *= (1.06 if place.healthy else 1.0) * (0.94 if place.is_edge else 1.0)
    n = int(rng.poisson(mean))
    sen = int(rng.binomial(n, share))
    non = n - sen
    keep = max(0.0, 1 - part)
    if kind in ("toxic", "senolytic"):
        sen = int(rng.binomial(sen, keep))
    if kind in ("toxic", "cytostatic"):
        non = int(rng.binomial(non, keep))
    if kind == "dilution":
        non += int(rng.poisson(non * (strength - 1) * response))
    if place.is_dead:
        sen, non = int(rng.integers(0, 3)), int(rng.integers(0, 3))
    changed = part if kind == "other" else 0.0
    glow = part if kind == "artefact" else 0.0
    return sen, non, changed, glow, look


_LISTS = pl.List(pl.Float64)
SCORE_SCHEMA: dict[str, Any] = {
    "plate": pl.String,
    "well": pl.String,
    "status": pl.String,
    "codes": pl.List(pl.String),
    "n_cells": pl.Int64,
    "n_fields": pl.Int64,
    "n_fields_expected": pl.Int64,
    "networks": pl.List(pl.String),
    **dict.fromkeys(
        [
            "score",
            "score_sd",
            "fraction",
            "background",
            "mean",
            "sd",
            "focus",
            "saturated",
        ],
        _LISTS,
    ),
    "profile": _LISTS,
}


def map_frame(wells: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """A plate map frame in its canonical columns from rows that name what they know."""
    schema = {
        "plate": pl.String,
        "well": pl.String,
        "compound": pl.String,
        "concentration_um": pl.Float64,
        "role": pl.String,
        "state": pl.String,
        "replicate": pl.Int64,
        "batch": pl.String,
        "line": pl.String,
        "time_h": pl.Float64,
        "sample": pl.String,
        "lot": pl.String,
        "source_plate": pl.String,
        "source_well": pl.String,
        "teaching": pl.Boolean,
    }
    return pl.DataFrame(wells, schema=schema)
