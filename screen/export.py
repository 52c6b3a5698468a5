"""The verb export: a run's cells and scores where an image viewer shows them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from plates.campaign import Campaign
from plates.store_metadata import INGEST
from screen.cell_layers import STORE, write_plate
from screen.durable import fsync_folder
from screen.errors import Outcome, refusal
from screen.export_choice import Chosen, cells_of, choose
from screen.export_settings import ExportVerb
from screen.lock import LockedError, run_lock
from screen.paths import existing_run_dir
from screen.preflight import check_names, check_space, check_writable
from screen.progress import bars
from screen.provenance import EXPORT, scored_campaign


def run(settings: ExportVerb) -> Outcome:
    """Write labels and points of the chosen plates; the same command goes on after a stop.

    Raises Refusal or InputError before anything is written when plates or wells are not
    there or not scored yet, files were changed, or the folder holds something else.
    """
    folder = existing_run_dir(settings.runs, settings.run, settings.campaign)
    root = scored_campaign(folder, settings.campaign)
    campaign = Campaign.open(root, with_library=False)
    out = Path(settings.out) if settings.out else folder / EXPORT
    _check_outside(out, campaign)
    chosen = choose(folder, campaign, settings)
    check_writable(out)
    check_names(out, [one.plate for one in chosen])
    with _alone(out):
        left = [one for one in chosen if not _is_written(out, one)]
        check_space(out, sum(one.n_bytes for one in left))
        with bars("exporting", {o.plate: o.n_wells for o in left}, "wells") as advance:
            for one in left:
                with _whole(out, one.folder) as temporary:
                    write_plate(
                        temporary,
                        cells_of(folder, campaign, one),
                        settings.radius_um,
                        one.facts,
                        partial(advance, one.plate, 1),
                    )
    return Outcome(0, _told(out, chosen, len(left)), (out,))


def _check_outside(out: Path, campaign: Campaign) -> None:
    place = out.resolve()
    plates = [entry.path for entry in campaign.plates]
    if inside := [p for p in plates if place.is_relative_to(p.resolve())]:
        found = f"it lies in {', '.join(map(str, inside))}"
        why, remedy = "a scored plate is never written to", "choose another out="
        raise refusal("OUTPUT_IN_INPUT", out, found, why, remedy)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder's lock; raises Refusal (RUN_LOCKED) at once where it is taken."""
    try:
        with run_lock(out):
            yield
    except LockedError as error:
        why = "two exports in one folder would mix"
        remedy = f"wait for the other, or give another out=; remove {out / 'lock'} if its owner is dead"
        raise refusal("RUN_LOCKED", out, str(error), why, remedy) from None


def _is_written(out: Path, one: Chosen) -> bool:
    """Whether the very same was written before; raises Refusal where it is something else."""
    folder = out / one.folder
    if not os.path.lexists(folder):
        return False
    try:
        kept = json.loads((folder / STORE / INGEST).read_bytes())["export"]
    except (OSError, ValueError, KeyError, TypeError):
        kept = None
    if kept == one.facts:
        return True
    changed = sorted(k for k in one.facts if (kept or {}).get(k) != one.facts[k])
    found = f"an export of other {', '.join(changed)}" if kept else "it is no export"
    why, remedy = "nothing is written over", "remove it or choose another out="
    raise refusal("OUTPUT_EXISTS", folder, found, why, remedy)


@contextmanager
def _whole(out: Path, name: str) -> Iterator[Path]:
    """A folder to write in that gets its name when the block succeeds, else goes; what a
    dead writer left is removed."""
    temporary = out / f".{name}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        os.rename(temporary, out / name)
        fsync_folder(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _told(out: Path, chosen: Sequence[Chosen], n_written: int) -> str:
    n_wells, n_cells = sum(o.n_wells for o in chosen), sum(o.n_cells for o in chosen)
    text = (
        f"{len(chosen)} plates, {n_wells} wells, {n_cells:,} cells as labels and points"
    )
    if before := len(chosen) - n_written:
        text += f"; {before} of the plates were there already"
    lines = [text]
    if others := sum(one.n_others for one in chosen):
        lines.append(f"{others} wells without scores are left out")
    for one in chosen:
        if one.first:
            # What is absolute already, the scored image, stays as it is.
            shown = [str(out / one.folder / path) for path in one.first]
            return "\n".join([*lines, f"such as: napari {' '.join(shown)}"])
    return "\n".join(lines)
