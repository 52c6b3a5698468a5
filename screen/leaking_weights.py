"""Weights that already learnt from the wells they would be judged by."""

from __future__ import annotations

import json
from pathlib import Path

from plates.problems import InputError, Problem
from screen.folds import AnchorWell
from screen.models import SPEC_FILE


def refuse_leaking(weights: str, wells: tuple[AnchorWell, ...]) -> None:
    """Raise InputError (WEIGHTS_LEAK) when weights of a model of ours, whose spec lies
    beside them, learnt from plates of these wells: no fold could be held out.

    Weights without a spec beside them are of elsewhere and pass.
    """
    if not weights:
        return
    spec = Path(weights).with_name(SPEC_FILE)
    if not spec.is_file():
        return
    try:
        networks = json.loads(spec.read_bytes())["networks"]
        learnt = {str(plate) for one in networks for plate, _ in one["learnt"]}
    except (OSError, ValueError, KeyError, TypeError):
        return  # no spec of ours; the weights themselves are checked when read
    shared = sorted(learnt & {well.plate for well in wells})
    if shared:
        raise InputError(
            Problem(
                "WEIGHTS_LEAK",
                f"network.weights={weights}",
                f"the model learnt from {len(shared)} of these plates: "
                + ", ".join(shared[:4]),
                "a network is judged by, and scores, only wells it never learnt from",
                "begin from weights of other plates, or from none",
            )
        )
