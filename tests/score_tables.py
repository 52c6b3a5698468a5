"""Virtual score tables with known truth: what a blurred classifier would report of planted wells, without any pixels."""

from dataclasses import dataclass, field

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
    axis, crowding = rng.normal(0, 1.0, D), rng.normal(0, 0.6, D)
    looks = rng.normal(0, 1.5, (3, D))
    mixing = rng.normal(0, 0.12, (D, 4))
    scores, wells = [], []
    for plate in range(screen.n_plates):
        order = rng.permutation(doses.height)
        drift = screen.plate_logit_sd * rng.normal()
        gain = np.exp(0.06 * rng.normal(0, 1, 2))
        inner = [(r, c) for r in range(16) for c in range(24) if c not in (0, 1, 22, 23)]
        bad = rng.permutation(len(inner))[: screen.n_dead + screen.n_unfocused]
        held = {inner[i]: doses.row(int(order[i]), named=True) for i in range(doses.height)}
        dead = {inner[i] for i in bad[: screen.n_dead]}
        blurred = {inner[i] for i in bad[screen.n_dead :]}
        for r in range(16):
            for c in range(24):
                name = f"{chr(65 + r)}{c + 1:02d}"
                control = c in (0, 1, 22, 23)
                if not control and (r, c) not in held:
                    continue
                healthy = control and (r + (0, 1, 22, 23).index(c)) % 2 == 0
                plan = None if control else held[r, c]
                edge = r in (0, 15) or c in (0, 23)
                f, n_sen, n_non, changed, glow, look = _biology(
                    screen, plan, healthy, drift, edge, rng
                )
                if (r, c) in dead:
                    n_sen, n_non = int(rng.integers(0, 3)), int(rng.integers(0, 3))
                n = n_sen + n_non
                share = n_sen / n if n else 0.0
                p = screen.p_other + (screen.p_senescent - screen.p_other) * share
                p = (1 - changed) * p + changed * (0.25 + 0.1 * look)
                p -= 0.06 * glow + 0.02 * np.log((n + 1) / screen.cells)
                if (r, c) in blurred:
                    p = 0.35
                p += screen.cell_sd * rng.normal() / np.sqrt(max(n, 1))
                profile = (
                    share * axis
                    + crowding * np.log((n + 1) / screen.cells)
                    + changed * looks[look]
                    + mixing @ rng.normal(0, 1, 4)
                    + rng.normal(0, 0.8, D) / np.sqrt(max(n, 1))
                    + glow * 0.5
                )
                background = 220 * gain * np.exp(0.01 * rng.normal(0, 1, 2))
                background[look % 2] += 300 * glow
                focus = 50 * gain * np.exp(0.1 * rng.normal(0, 1, 2))
                if (r, c) in blurred:
                    focus *= 0.1
                scores.append(
                    {
                        "plate": f"P{plate + 1:02d}",
                        "well": name,
                        "status": "SCORED" if n else "NO_CELLS",
                        "codes": [],
                        "n_cells": n,
                        "n_fields": 1,
                        "n_fields_expected": 1,
                        "networks": ["fold0"] if n else [],
                        "score": [p] if n else [],
                        "score_sd": [screen.cell_sd] if n else [],
                        "fraction": [p] if n else [],
                        "background": background.tolist(),
                        "mean": (2 * background).tolist(),
                        "sd": background.tolist(),
                        "focus": focus.tolist(),
                        "saturated": [0.0, 0.0],
                        "profile": profile.tolist() if n else None,
                    }
                )
                wells.append(
                    {
                        "plate": f"P{plate + 1:02d}",
                        "well": name,
                        "compound": "" if plan is None else plan["compound"],
                        "concentration_um": None if plan is None else plan["concentration_um"],
                        "role": "vehicle" if control else "treatment",
                        "state": "unstressed" if healthy else "stressed",
                        "replicate": plate + 1,
                        "batch": "B1",
                    }
                )
    return (
        pl.DataFrame(scores, schema=SCORE_SCHEMA),
        map_frame(wells),
        doses.group_by("compound", maintain_order=True).agg(
            pl.col("kind").first(),
            (pl.col("strength") * pl.col("response")).max().alias("effect"),
        ),
    )


def _biology(
    screen: Screen,
    plan: dict[str, object] | None,
    healthy: bool,
    drift: float,
    edge: bool,
    rng: np.random.Generator,
) -> tuple[float, int, int, float, float, int]:
    rate = screen.healthy if healthy else screen.stressed
    kind, part, strength, response = "inert", 0.0, 0.0, 0.0
    look = 0
    if plan is not None:
        kind, strength = str(plan["kind"]), float(str(plan["strength"]))
        response = float(str(plan["response"]))
        part = strength * response
        look = int(str(plan["compound"])[1:]) % 3
    window = screen.stressed - screen.healthy
    if kind == "rescue":
        rate -= part * window
    if kind == "inducer":
        rate += part * (1 - screen.stressed)
    logit = np.log(rate / (1 - rate)) + drift + 0.12 * edge
    f = 1 / (1 + np.exp(-logit - screen.logit_sd * rng.normal()))
    mean = screen.cells * np.exp(screen.count_sd * rng.normal())
    mean *= (1.06 if healthy else 1.0) * (0.94 if edge else 1.0)
    n = int(rng.poisson(mean))
    sen = int(rng.binomial(n, f))
    non = n - sen
    keep = max(0.0, 1 - part)
    if kind in ("toxic", "senolytic"):
        sen = int(rng.binomial(sen, keep))
    if kind in ("toxic", "cytostatic"):
        non = int(rng.binomial(non, keep))
    if kind == "dilution":
        non += int(rng.poisson(non * (strength - 1) * response))
    changed = part if kind == "other" else 0.0
    glow = part if kind == "artefact" else 0.0
    return f, sen, non, changed, glow, look


_LISTS = pl.List(pl.Float64)
SCORE_SCHEMA = {
    "plate": pl.String,
    "well": pl.String,
    "status": pl.String,
    "codes": pl.List(pl.String),
    "n_cells": pl.Int64,
    "n_fields": pl.Int64,
    "n_fields_expected": pl.Int64,
    "networks": pl.List(pl.String),
    **dict.fromkeys(
        ["score", "score_sd", "fraction", "background", "mean", "sd", "focus", "saturated"],
        _LISTS,
    ),
    "profile": _LISTS,
}


def map_frame(wells: list[dict[str, object]]) -> pl.DataFrame:
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
