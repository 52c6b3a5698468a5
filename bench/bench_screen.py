"""How well planted compounds are found: whole virtual screens, from pixels to calls.

Usage: python bench/bench_screen.py [SEED ...] [--screen reference] [--quick]. For each
seed a screen is simulated, the network taught on its control wells, every well scored,
hits called, and the calls compared with what was planted. --screen nuclei paints real
nuclei (taught on one half of the source images, scored on the other); --screen leaked
paints from all images everywhere, and proves nothing. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from scipy.spatial import cKDTree
from sklearn.metrics import roc_auc_score

from bench.machine import ROOT, facts
from screen import call, score, simulate, train
from screen.compose import settings_of
from screen.models import load_model
from screen.truth import planted_and_found, score_card

DEFAULT_SEEDS = (1, 2, 3, 4, 5)
BANK = ROOT.parent / "shared" / "data" / "nuclei"
# The real nuclei nearly fill a crop: no neighbours to fade, and their rims count.
WHOLE = ["network.window=false"]
TRAIN = {"reference": [], "tiny": ["epochs=4"], "nuclei": WHOLE, "leaked": WHOLE}
MATCH_PX = 8.0
SUMMED = ("forbidden_rescue", "n_hits", "n_wrong", "n_strong", "n_weak")


def screen_words(screen: str) -> list[str]:
    """What simulate is asked for."""
    if screen in ("nuclei", "leaked"):
        leaked = f"simulate.bank_leaked={str(screen == 'leaked').lower()}"
        return [f"bank={BANK}", leaked]
    return [f"simulate={screen}"]


def one_screen(folder: Path, screen: str, seed: int) -> dict[str, Any]:
    """Simulate, train, score and call one screen in a folder; its score card."""
    campaign, model = folder / "campaign", folder / "model"
    words = {
        "simulate": [f"out={campaign}", f"seed={seed}", *screen_words(screen)],
        "train": [f"campaign={campaign}", f"out={model}", f"seed={seed}"]
        + TRAIN[screen],
        "score": [f"campaign={campaign}", f"model={model}", "cluster=inline"],
        "call": [],
    }
    for verb in ("score", "call"):
        words[verb] += ["run=r", f"runs={folder / 'runs'}"]
    seconds = {}
    for verb, module in zip(words, (simulate, train, score, call), strict=True):
        start = time.perf_counter()
        module.run(settings_of(verb, words[verb]))
        seconds[verb] = round(time.perf_counter() - start, 1)
    return judged(folder, campaign, model) | {"seconds": seconds}


def judged(folder: Path, campaign: Path, model: Path) -> dict[str, Any]:
    """The score card of a finished screen, with Z' of its kept controls by plate."""
    run = folder / "runs" / "r"
    joined = planted_and_found(campaign, pl.read_parquet(run / "compounds.parquet"))
    plates = pl.read_parquet(run / "plates.parquet")
    networks = load_model(model).spec.summary["networks"].values()
    confusion = joined.group_by("planted", "class").len().sort("planted", "class")
    return score_card(joined) | {
        "z_prime": plates["z_prime"].round(3).to_list(),
        "z_prime_low": plates["z_prime_low"].round(3).to_list(),
        "z_prime_high": plates["z_prime_high"].round(3).to_list(),
        "true_state_auc": round(true_state_auc(campaign, run), 4),
        "held_out_cell_auc": [n["cell_auc"] for n in networks],
        "confusion": [list(row) for row in confusion.iter_rows()],
    }


def true_state_auc(campaign: Path, run: Path) -> float:
    """AUC of the scored cells against the state they were painted in, vehicle wells
    only; a cell is the painted one within MATCH_PX of it."""
    truth = pl.read_parquet(campaign / "truth_cells.parquet")
    wells = pl.read_parquet(run / "hits.parquet").filter(pl.col("role") == "vehicle")
    labels, scores = [], []
    for plate in wells["plate"].unique().sort():
        cells = pl.read_parquet(run / "cells" / f"{plate}.parquet")
        cells = cells.filter(pl.col("probability").is_not_null())
        for well in wells.filter(pl.col("plate") == plate)["well"]:
            painted = truth.filter(
                (pl.col("plate") == plate) & (pl.col("well") == well)
            )
            found = cells.filter(pl.col("well") == well)
            if found.is_empty():
                continue
            tree = cKDTree(painted.select("y", "x").to_numpy())
            far, index = tree.query(found.select("y", "x").to_numpy())
            near = far <= MATCH_PX
            labels.append(painted["senescent"].to_numpy()[index[near]])
            scores.append(found["probability"].to_numpy()[near])
    return float(roc_auc_score(np.concatenate(labels), np.concatenate(scores)))


def summary(cards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All screens as one: counts added, shares of the added counts."""
    total = {k: sum(c[k] for c in cards) for k in SUMMED}

    def share(name: str, of: str) -> float | None:
        n = total[of]
        found = sum((c[name] or 0.0) * c[of] for c in cards)
        return found / n if n else None

    z = [value for card in cards for value in card["z_prime"] if value is not None]
    return total | {
        "recall_strong": share("recall_strong", "n_strong"),
        "recall_weak": share("recall_weak", "n_weak"),
        "wrong_share": share("wrong_share", "n_hits"),
        "z_prime": statistics.median(z) if z else None,
        "z_prime_range": [min(z), max(z)] if z else None,
        "n_compounds": sum(c["n_compounds"] for c in cards),
    }


def main() -> None:
    """Run the screens that were asked for and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=list(DEFAULT_SEEDS))
    parser.add_argument("--screen", choices=sorted(TRAIN), default="reference")
    parser.add_argument("--keep", type=Path, help="keep campaigns, models, runs here")
    parser.add_argument("--quick", action="store_true", help="one tiny screen")
    asked = parser.parse_args()
    screen = "tiny" if asked.quick else asked.screen
    seeds = asked.seeds[:1] if asked.quick else asked.seeds
    cards = {}
    for seed in seeds:
        folder = Path(tempfile.mkdtemp(prefix=f"screen-{seed}-", dir=asked.keep))
        cards[seed] = one_screen(folder, screen, seed)
        print(json.dumps({"seed": seed, **cards[seed]}), flush=True)
        if asked.keep is None:
            shutil.rmtree(folder)
    told = {"bench": "screen", "screen": screen, "seeds": cards}
    print(json.dumps(told | {"all": summary(list(cards.values()))} | facts()))


if __name__ == "__main__":
    main()
