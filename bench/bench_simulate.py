"""How honest and how fast the virtual screen is: truth, hand-made features, Z'.

Prints one JSON object as its last line; figures are those of the key controls.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from plates.synthetic import SimulateSettings, simulate_campaign
from plates.synthetic.screen import Design, draw_design, draw_well, make_studio

CONF = Path(__file__).parents[1] / "conf" / "simulate"
HALF = 22  # half side of a crop, pixels


def main() -> None:
    """Measure one screen; `--conf nuclei` needs `--bank`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one plate, no writing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--conf", default="reference")
    parser.add_argument("--bank", default=None)
    parser.add_argument("--leaked", action="store_true")
    arguments = parser.parse_args()
    settings = read_settings(CONF / f"{arguments.conf}.yaml", arguments.bank)
    if arguments.leaked:
        settings = replace(settings, bank_leaked=True)
    if arguments.quick:
        settings = replace(settings, n_plates=1)
    result: dict[str, Any] = {"conf": arguments.conf, "seed": arguments.seed}
    result |= measure_honesty(settings, arguments.seed)
    if not arguments.quick:
        result |= measure_speed(settings, arguments.seed)
    print(json.dumps(result))


def read_settings(path: Path, bank: str | None) -> SimulateSettings:
    """Settings of a conf/simulate file; `bank` replaces its bank when given."""
    values = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(values, dict)
    if bank is not None:
        values["bank"] = bank
    return SimulateSettings(**{str(k): v for k, v in values.items()})


def measure_honesty(settings: SimulateSettings, seed: int) -> dict[str, Any]:
    """Spread of the truth, AUC of a forest on true states, Z' of a forest's score."""
    design = draw_design(settings, seed)
    start = time.process_time()
    wells = draw_controls(settings, design, seed)
    cpu_ms = (time.process_time() - start) / len(wells) * 1e3
    stressed = np.array([w["state"] == "stressed" for w in wells])
    fraction = np.array([w["senescent"].mean() for w in wells])
    count = np.array([float(w["senescent"].size) for w in wells])
    latent = np.array([w["rate"] for w in wells])
    teaching = np.array([w["teaching"] for w in wells])
    features = [w["features"] for w in wells]
    figures = {
        "n_features": int(features[0].shape[1]),
        "cpu_ms_per_field": round(cpu_ms, 1),
        "n_cells": describe(count[stressed])
        | {"healthy": round(count[~stressed].mean())},
        "n_cells_cv": round(
            float(count[stressed].std(ddof=1) / count[stressed].mean()), 3
        ),
        "stressed": spread(fraction[stressed], count[stressed], latent[stressed]),
        "healthy": spread(fraction[~stressed], count[~stressed], latent[~stressed]),
        "z_prime_truth": z_prime(fraction, stressed),
    }
    states = [w["senescent"] for w in wells]
    return figures | forest_figures(features, states, stressed, teaching, wells)


def forest_figures(
    features: list[np.ndarray],
    states: list[np.ndarray],
    stressed: np.ndarray,
    teaching: np.ndarray,
    wells: list[dict[str, Any]],
) -> dict[str, Any]:
    """AUC on true cell states across wells, and Z' by plate of the well-taught score."""
    taught = np.flatnonzero(teaching)
    kept = np.flatnonzero(~teaching)
    auc = []
    for train, test in ((taught, kept),):
        forest = _forest().fit(_cat(features, train), _cat(states, train))
        guess = forest.predict_proba(_cat(features, test))[:, 1]
        auc.append(roc_auc_score(_cat(states, test), guess))
    labels = [np.full(len(f), s) for f, s in zip(features, stressed, strict=True)]
    forest = _forest().fit(_cat(features, taught), _cat(labels, taught))
    score = np.array([forest.predict_proba(features[i])[:, 1].mean() for i in kept])
    plate = np.array([wells[i]["plate"] for i in kept])
    return {
        "forest_auc": round(float(np.mean(auc)), 3),
        "z_prime_forest": [
            z_prime(score[plate == p], stressed[kept][plate == p])
            for p in np.unique(plate)
        ],
    }


def draw_controls(
    settings: SimulateSettings, design: Design, seed: int
) -> list[dict[str, Any]]:
    """Draw and measure every control well, at the true centres of its cells."""
    studio = make_studio(settings, seed)
    rows = []
    for plans, drift in zip(design.plans, design.drifts, strict=True):
        for plan in (p for p in plans if p.planted is None):
            well = draw_well(studio, plan, drift, seed)
            fields = list(well.fields())
            truth = well.truth()
            centres = np.stack([truth.y, truth.x], axis=1)
            measured = [
                measure_cells(pixels, centres[truth.field == f])
                for f, pixels in enumerate(fields)
            ]
            column = plan.well.column + 1
            index = settings.control_columns.index(column)
            rows.append(
                {
                    "state": plan.state,
                    "plate": plan.plate,
                    "teaching": (plan.well.row // 2 + index) % 2 == 0,
                    "senescent": truth.senescent,
                    "rate": well.rate,
                    "features": np.concatenate(measured),
                }
            )
    return rows


def measure_cells(pixels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Hand-made features f64[n, f] per cell: size, shape, intensity, texture, rings."""
    image = pixels.astype(np.float32)
    background = np.percentile(image, 5, axis=(1, 2), keepdims=True)
    padded = np.pad(image - background, ((0, 0), (HALF, HALF), (HALF, HALF)))
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (2 * HALF, 2 * HALF), axis=(1, 2)
    )
    crops = windows[:, centres[:, 0], centres[:, 1]]
    return np.concatenate([_channel_features(c) for c in crops], axis=1)


def _channel_features(crops: np.ndarray) -> np.ndarray:
    axis = np.arange(-HALF, HALF, dtype=np.float32)
    y, x = axis[:, None], axis[None]
    distance = np.sqrt(y**2 + x**2)
    peak = crops[:, HALF - 3 : HALF + 3, HALF - 3 : HALF + 3].mean((1, 2))
    mask = (crops > 0.5 * peak[:, None, None]) & (distance < 16)
    area = mask.sum((1, 2)) + 1e-3
    inside = crops * mask
    mean = inside.sum((1, 2)) / area
    sd = np.sqrt(((crops - mean[:, None, None]) ** 2 * mask).sum((1, 2)) / area)
    cy, cx = (mask * y).sum((1, 2)) / area, (mask * x).sum((1, 2)) / area
    dy, dx = y - cy[:, None, None], x - cx[:, None, None]
    yy = (mask * dy**2).sum((1, 2)) / area
    xx = (mask * dx**2).sum((1, 2)) / area
    xy = (mask * dy * dx).sum((1, 2)) / area
    root = np.sqrt((yy - xx) ** 2 + 4 * xy**2)
    long, short = yy + xx + root, np.maximum(yy + xx - root, 1e-3)
    rim = mask & ~_eroded(mask)
    gradient = np.hypot(np.gradient(crops, axis=1), np.gradient(crops, axis=2))
    detail = crops - _smooth(crops)
    rings = [
        crops[:, (distance >= a) & (distance < a + 3)].mean(1) for a in range(0, 15, 3)
    ]
    columns = [area, mean, sd, sd / (mean + 1), peak, inside.sum((1, 2))]
    columns += [long, short, long / short, np.sqrt(cy**2 + cx**2)]
    columns += [rim.sum((1, 2)) ** 2 / area, inside.max((1, 2)) / (mean + 1)]
    columns += [(gradient * mask).sum((1, 2)) / area / (mean + 1)]
    columns += [np.sqrt((detail**2 * mask).sum((1, 2)) / area) / (mean + 1)]
    columns += [np.maximum(detail * mask, 0).max((1, 2)) / (mean + 1)]
    return np.stack([*columns, *rings], axis=1)


def _eroded(mask: np.ndarray) -> np.ndarray:
    out = mask.copy()
    for axis in (1, 2):
        for step in (-1, 1):
            out &= np.roll(mask, step, axis)
    return out


def _smooth(crops: np.ndarray) -> np.ndarray:
    for axis in (1, 2):
        crops = (crops * 2 + np.roll(crops, 1, axis) + np.roll(crops, -1, axis)) / 4
        crops = (crops + np.roll(crops, 2, axis) + np.roll(crops, -2, axis)) / 3
    return crops


def _forest() -> RandomForestClassifier:
    return RandomForestClassifier(
        80, min_samples_leaf=8, max_samples=0.5, n_jobs=2, random_state=0
    )


def _cat(parts: list[np.ndarray], index: np.ndarray) -> np.ndarray:
    return np.concatenate([parts[i] for i in index])


def describe(values: np.ndarray) -> dict[str, float]:
    """Mean, smallest and largest value."""
    return {
        "mean": round(float(values.mean()), 3),
        "min": round(float(values.min()), 3),
        "max": round(float(values.max()), 3),
    }


def spread(
    fraction: np.ndarray, count: np.ndarray, latent: np.ndarray
) -> dict[str, float]:
    """True fractions of wells of one kind, and their spread against the binomial."""
    mean = fraction.mean()
    binomial = np.sqrt((mean * (1 - mean) / count).mean())
    sd = fraction.std(ddof=1)
    return describe(fraction) | {
        "sd": round(float(sd), 4),
        "latent_sd": round(float(latent.std(ddof=1)), 4),
        "sd_over_binomial": round(float(sd / binomial), 2),
        "variance_over_binomial": round(float((sd / binomial) ** 2), 2),
    }


def z_prime(value: np.ndarray, stressed: np.ndarray) -> float:
    """Z' by mean and sd of stressed against unstressed vehicle (Zhang 1999)."""
    a, b = value[stressed], value[~stressed]
    width = 3 * (a.std(ddof=1) + b.std(ddof=1))
    return round(float(1 - width / abs(a.mean() - b.mean())), 3)


def measure_speed(settings: SimulateSettings, seed: int) -> dict[str, Any]:
    """Wall time of simulating and writing the whole screen."""
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        simulate_campaign(settings, Path(folder), seed=seed, n_workers=workers)
        wall = time.perf_counter() - start
    return {
        "n_workers": workers,
        "wall_s": round(wall, 1),
        "s_per_plate": round(wall / settings.n_plates, 1),
    }


if __name__ == "__main__":
    main()
