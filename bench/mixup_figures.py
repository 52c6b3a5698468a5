"""How many planted mix-ups are found, on virtual and on real plates, and how often clean plates are accused."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.mixup_plates import COLUMNS, KINDS, ROWS, Kind, Plates, campaign, plant
from bench.quality_references import repurposing_counts
from screen.statistics.mixups import WAYS, find_mixups

Figure = dict[str, Any]


def planted(
    plates: Plates, places: list[tuple[int, int]], rng: np.random.Generator
) -> dict[int, str]:
    """Plant one mix-up of a random kind for each pair (plate, other); what befell which plate."""
    truth: dict[int, str] = {}
    for plate, other in places:
        kind = KINDS[int(rng.integers(len(KINDS)))]
        plant(plates, kind, plate, other)
        truth[plate] = kind
        if kind not in WAYS:
            truth[other] = kind
    return truth


def accused(plates: Plates) -> dict[int, str]:
    """What the detector says of each plate."""
    found: dict[int, str] = {}
    for mixup in find_mixups(plates.readouts, plates.keys, (ROWS, COLUMNS)):
        found[mixup.plate] = mixup.kind
        if mixup.other is not None:
            found[mixup.other] = mixup.kind
    return found


def doubted(plates: Plates) -> set[int]:
    """Every plate that the detector names, replicates that may be the culprit instead among them."""
    named: set[int] = set()
    for mixup in find_mixups(plates.readouts, plates.keys, (ROWS, COLUMNS)):
        named |= {mixup.plate, *mixup.instead}
        named |= set() if mixup.other is None else {mixup.other}
    return named


def _pairs(kind: Kind, n: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    maps = rng.permutation(kind.n_maps)
    for i in range(n):
        own, other = maps[2 * i : 2 * i + 2]
        replicate = rng.integers(kind.n_replicates, size=2)
        yield (
            int(own * kind.n_replicates + replicate[0]),
            int(other * kind.n_replicates + replicate[1]),
        )


def mixup_figure(kind: Kind, n_mixups: int, n_clean: int, seed: int) -> Figure:
    """Recall over planted mix-ups, each under its right name, and alarms on clean campaigns."""
    rng = np.random.default_rng((seed, 3))
    told, right, named, plain, beside, judged, made = 0, 0, 0, 0, 0, 0, 0
    while made < n_mixups:
        plates = campaign(kind, rng)
        n = min(kind.n_maps // 2 - 1, n_mixups - made)
        places = list(_pairs(kind, n, rng))
        truth = planted(plates, places, rng)
        found = accused(plates)
        right += sum(found.get(p) == truth[p] for p, _ in places)
        told += sum(p in found for p, _ in places)
        named += len(doubted(plates) & {p for p, _ in places})
        beside += len(set(found) - set(truth))
        made += n
    while judged < n_clean:
        plates = campaign(kind, rng)
        plain += len(accused(plates))
        judged += plates.keys.shape[0]
    return {
        "figure": told / made,
        "right_kind": right / made,
        "named_with_doubts": named / made,
        "alarms_on_clean_plates": plain,
        "clean_plates": judged,
        "alarms_beside_mixups": beside,
        "n": made,
        "bar": "recall at least 0.95, at most 2 alarms on 200 clean plates",
    }


def real_mixup_figure(seed: int, quick: bool) -> Figure:
    """Mix-ups planted in 136 real plates of cell counts, and alarms on them as they are."""
    cells, keys, maps = repurposing_counts()
    clean = len(accused(Plates(cells.copy(), keys)))
    rng = np.random.default_rng((seed, 4))
    told = made = beside = 0
    for _ in range(2 if quick else 10):
        plates = Plates(cells.copy(), keys)
        order = rng.permutation(len(maps))
        pairs = [
            (int(a), int(b)) for a, b in zip(order[:10], order[10:20], strict=True)
        ]
        places = [(a, b) for a, b in pairs if maps[a] != maps[b]]
        truth = planted(plates, places, rng)
        found = accused(plates)
        told += sum(found.get(p) == truth[p] for p, _ in places)
        made += len(places)
        beside += len(set(found) - set(truth))
    return {
        "figure": told / made,
        "alarms_on_clean_plates": clean,
        "clean_plates": len(maps),
        "alarms_beside_mixups": beside,
        "n": made,
        "bar": "recall at least 0.95, at most 2 alarms on 200 clean plates",
    }
