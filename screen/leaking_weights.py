"""Weights that already learnt from the wells or crops they would be judged by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from plates.crop_sets import CropSet
from plates.problems import InputError, Problem
from screen.folds import AnchorWell
from screen.models import SPEC_FILE


def refuse_leaking(weights: str, wells: tuple[AnchorWell, ...]) -> None:
    """Raise InputError (WEIGHTS_LEAK) when weights of a model of ours, whose spec lies
    beside them, learnt from plates of these wells: no fold could be held out.

    Weights without a spec beside them are of elsewhere and pass.
    """
    plates = {plate for plate, _ in _learnt(weights)}
    _refuse(weights, "plates", plates & {well.plate for well in wells})


def refuse_leaking_crops(weights: str, crops: CropSet) -> None:
    """Raise InputError (WEIGHTS_LEAK) when weights of a model of ours learnt from groups
    of this crop set, as its table and groups are named."""
    groups = {group for table, group in _learnt(weights) if table == crops.source.stem}
    _refuse(weights, "groups", groups & set(crops.groups))


def _learnt(weights: str) -> set[tuple[str, str]]:
    """What the networks of the spec beside weights learnt from: plate and well, or table
    and group; nothing where there is no spec of ours."""
    spec = Path(weights).with_name(SPEC_FILE) if weights else None
    if spec is None or not spec.is_file():
        return set()
    try:
        networks = json.loads(spec.read_bytes())["networks"]
        return {(str(a), str(b)) for one in networks for a, b in one["learnt"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()  # no spec of ours; the weights themselves are checked when read


def _refuse(weights: str, noun: str, shared: Iterable[str]) -> None:
    names: Sequence[str] = sorted(shared)
    if not names:
        return
    raise InputError(
        Problem(
            "WEIGHTS_LEAK",
            f"network.weights={weights}",
            f"the model learnt from {len(names)} of these {noun}: "
            + ", ".join(names[:4]),
            "a network is judged only by what it never learnt from",
            f"begin from weights of other {noun}, or from none",
        )
    )
