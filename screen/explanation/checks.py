"""The checks of the maps that a run of explain makes, on cells kept for them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from screen.explain_settings import ExplainVerb
from screen.explanation.looking import Looking
from screen.explanation.planted import planted_cue
from screen.explanation.sanity import Check, completeness, deletion, randomisation
from screen.explanation.views import Crops, Pool
from screen.models import ModelSpec
from screen.progress import bar

MOST_CHECKED = 64


def checks_of(
    spec: ModelSpec, looking: Looking, pool: Pool, settings: ExplainVerb
) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """The checks asked for, and why any was not done."""
    crops, network = _checked(pool)
    params, seed, size = looking.params[network], settings.seed, settings.minibatch
    checks, notes = [], list[str]()
    with bar("checking the maps", len(settings.sanity), "checks") as advance:
        if settings.method == "integrated_gradients":
            fill = settings.baseline
            checks.append(completeness(looking, params, crops, size=size, fill=fill))
        for name in dict.fromkeys(settings.sanity):
            found: Check | str
            if name == "randomisation":
                found = randomisation(looking, params, crops, seed=seed, size=size)
            elif name == "deletion":
                steps, fill = settings.steps, settings.baseline
                found = deletion(
                    looking, params, crops, seed=seed, size=size, steps=steps, fill=fill
                )
            else:
                found = planted_cue(spec, np.stack(pool.crops), settings, looking)
            advance(1, name)
            if isinstance(found, str):
                notes.append(found)
            else:
                checks.append(found)
    return tuple(checks), tuple(notes)


def _checked(pool: Pool) -> tuple[Crops, str]:
    """Crops that one network may explain, spread evenly over the wells."""
    network = Counter(pool.networks).most_common(1)[0][0]
    rows = [i for i, name in enumerate(pool.networks) if name == network]
    kept = np.linspace(0, len(rows) - 1, min(MOST_CHECKED, len(rows))).astype(int)
    return np.stack([pool.crops[rows[i]] for i in np.unique(kept)]), network
