"""The score fingerprint: everything that may change a score, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plates.json_text import strict_json
from plates.store import Plate, plate_sha256
from screen.cell_centres import CentreSource
from screen.durable import fsync_folder
from screen.errors import refusal
from screen.illumination import Gain
from screen.inputs import input_sha256
from screen.models import Model
from screen.provenance import write_json
from screen.settings import ScoreVerb

# Raised by hand whenever the same pixels, model and settings give other numbers.
SCORE_VERSION = 5
LIBRARIES = ("jax", "jaxlib", "zarr", "numcodecs")
FILE = "fingerprint.json"


def score_fingerprint(
    model: Model,
    plates: Sequence[Plate],
    settings: ScoreVerb,
    gains: Mapping[str, Gain | None],
    sources: Mapping[str, CentreSource | None],
) -> dict[str, Any]:
    """The facts a score depends on, by name: model, settings, versions, device kind,
    CPU vector set, and the input hash of each plate with the gain of its light and
    the centres given with it. No
    worker counts, no paths."""
    return {
        **_size_of_large(settings),
        "score_version": SCORE_VERSION,
        "model": model.sha256,
        "minibatch": settings.minibatch,
        "precision": settings.precision,
        "min_fields_share": settings.min_fields_share,
        "versions": {name: version(name) for name in LIBRARIES},
        "device": device_kind(),
        "plates": {
            p.plate: input_sha256(
                plate_sha256(p), gains.get(p.plate), sources.get(p.plate)
            )
            for p in plates
        },
    }


def _size_of_large(settings: ScoreVerb) -> dict[str, float]:
    """How large a field may be before it is scored in windows. Not the usual size, which
    no run named before it could be chosen."""
    size = settings.max_field_mpx
    return {} if size == ScoreVerb.max_field_mpx else {"max_field_mpx": size}


def device_kind() -> str:
    """The device that scores, with the CPU's vector set, such as ``cpu avx512f``."""
    import jax

    (device,) = jax.numpy.zeros(()).devices()
    kind = str(device.device_kind)
    return f"{kind} {vector_set()}" if device.platform == "cpu" else kind


def vector_set() -> str:
    """The CPU's widest vector set, such as ``avx2``: XLA compiles for the widest one, and each rounds sums in its own way."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return os.uname().machine
    widest = next((f for f in ("avx512f", "avx2", "avx") if f in flags), "")
    return widest or os.uname().machine


def keep_fingerprint(
    run: Path,
    facts: dict[str, Any],
    forget: Callable[[list[str]], None],
    *,
    new_run: bool,
) -> str:
    """Store the facts with a new run, or hold a resumed one to them.

    Returns their sha256. A plate added later joins. Plates whose pixels changed are
    handed to ``forget``, which takes stale records away before the new facts are kept:
    a kill between the two does it again. Any other change raises Refusal
    (SCORE_FINGERPRINT) listing what changed, unless ``new_run`` sets the old ledger and
    cells aside first.
    """
    path = run / FILE
    if path.exists():
        old = _kept(path)
        changed = changes(old, facts)
        if changed and not new_run:
            raise refusal(
                "SCORE_FINGERPRINT",
                run,
                "; ".join(changed),
                "records of different settings must not mix",
                "undo the change, or set the old records aside with ledger.new_run=true",
            )
        if new_run:
            _set_aside(run)
        else:
            forget(_changed_plates(old, facts))
            facts = {**facts, "plates": {**old["plates"], **facts["plates"]}}
    write_json(path, facts)
    return digest(facts)


def _kept(path: Path) -> dict[str, Any]:
    """The facts of an earlier run; raises Refusal (exit 7) where a disk spoilt them."""
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise refusal(
            "MANIFEST_INVALID",
            path,
            f"it cannot be read ({error})",
            "it says with which settings the run's records were made",
            "put it back from a copy, or score into another run=NAME",
        ) from error


def digest(facts: dict[str, Any]) -> str:
    """The sha256 of the facts that all plates share: adding a plate leaves it as it is."""
    shared = {k: v for k, v in facts.items() if k != "plates"}
    return hashlib.sha256(strict_json(shared, sort_keys=True).encode()).hexdigest()


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs beside the plates, each as ``name: old -> new``."""
    return [
        f"{k}: {_short(old.get(k))} -> {_short(new.get(k))}"
        for k in sorted({*old, *new} - {"plates"})
        if old.get(k) != new.get(k)
    ]


def _changed_plates(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The plates whose pixels, light or centres are others than the run's own."""
    before, now = old.get("plates", {}), new["plates"]
    return [p for p in sorted(before.keys() & now.keys()) if before[p] != now[p]]


def _short(value: object) -> str:
    text = strict_json(value) if not isinstance(value, str) else value
    return text if len(text) <= 40 else f"{text[:12]}…"


def _set_aside(run: Path) -> None:
    """Nothing finished is lost: the old ledger and cells move to ``before-N``."""
    number = 1
    while (run / f"before-{number}").exists():
        number += 1
    target = run / f"before-{number}"
    target.mkdir()
    for name in ("ledger", "cells", FILE):
        if (run / name).exists():
            os.replace(run / name, target / name)
    fsync_folder(target)
    fsync_folder(run)
