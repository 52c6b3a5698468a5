"""The campaign that an ingest makes or adds to: what is there, what is added, its end."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plates.campaign import CAMPAIGN_FILE, PlateEntry, slug, write_campaign
from plates.problems import InputError
from plates.store import Plate, open_plate
from screen.ingest_holds import Files
from screen.ingest_plan import MAP, SAME_SIZE, Plan, PlatePlan, first, problem
from screen.ledger import write_parquet
from screen.sheets import write_csv

PLATES = "plates"
# The compounds as computed once, and which of them are one, nearly one or contradict.
LIBRARY, IDENTITIES = "library.parquet", "identities"
# Parts of a plate's ingest.json: what was asked for, and what the source held then.
REQUEST = "request"
LISTED = "listed"


@dataclass(frozen=True)
class Present:
    """The plates of an earlier ingest that are whole on disk, with what each was asked."""

    stores: dict[str, Plate]
    notes: dict[str, dict[str, Any]]
    entries: tuple[PlateEntry, ...]


def plate_path(plan: Plan, plate: str) -> Path:
    """Where a plate's store lies."""
    return Path(plan.settings.out) / PLATES / f"{slug(plate)}.ome.zarr"


def request_of(plan: Plan, plate: PlatePlan) -> dict[str, Any]:
    """Everything that decides a plate's pixels and names, as its ingest.json keeps it."""
    settings = plan.settings
    remote = "://" in settings.source
    reader = plan.scan.reader if plan.scan else settings.reader
    options = ("z", "time", "stitch", "pyramid", "illumination", "to_uint16")
    return {
        "source": settings.source if remote else str(Path(settings.source).resolve()),
        "reader": reader,
        "pattern": settings.pattern if reader in ("tiff_folder", "ome_tiff") else "",
        "name": plate.name,
        "n_wells": plan.format.n_wells if plan.format else None,
        "channels": [f"{old}:{new}" for old, new in plan.channels.items()],
        "pixel_size_um": plan.pixel_size_um,
        "level_max": plan.level_max,
        **{key: getattr(settings, key) for key in options},
    }


def read_present(plan: Plan) -> Present:
    """The plates that are there; a plate that fits no more is a refusal of the plan."""
    out = Path(plan.settings.out)
    content = _campaign_json(plan, out / CAMPAIGN_FILE) if plan.settings.out else {}
    listed = (
        [PlateEntry(item["plate"], out / item["path"]) for item in content["plates"]]
        if content
        else []
    )
    whole = [entry for entry in listed if entry.path.is_dir()]
    known = {entry.plate for entry in whole}
    for plate in plan.plates:
        path = plate_path(plan, plate.plate)
        if plan.settings.out and plate.plate not in known and path.is_dir():
            whole.append(PlateEntry(plate.plate, path))
    stores: dict[str, Plate] = {}
    notes: dict[str, dict[str, Any]] = {}
    for entry in whole:
        try:
            stores[entry.plate] = open_plate(entry.path)
            notes[entry.plate] = _read_json(entry.path / "ingest.json")
        except InputError as error:
            plan.refusals += error.problems
        except (OSError, ValueError) as error:
            plan.refuse("PLATE_META_INVALID", entry.path, f"ingest.json: {error}")
    return Present(stores, notes, tuple(whole))


def _campaign_json(plan: Plan, file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_bytes())
        is_ours = content["map_may_hold_more"] is True
        paths = [(item["plate"], item["path"]) for item in content["plates"]]
    except (OSError, ValueError, KeyError, TypeError):
        is_ours, paths = False, []
    if not is_ours or not all(isinstance(t, str) for pair in paths for t in pair):
        found = "a campaign that ingest did not write is there"
        remedy = "give another out=; only a campaign of ingest is added to"
        plan.refuse("OUTPUT_EXISTS", file.parent, found, remedy)
        return {}
    return dict(content)


def keep_present(plan: Plan, present: Present) -> None:
    """Keep what is whole and was asked for in the same words; refuse all that differs."""
    for plate in plan.plates:
        if plate.plate not in present.stores or plate.plate in plan.settings.again:
            continue
        before, now = (
            present.notes[plate.plate].get(REQUEST, {}),
            request_of(plan, plate),
        )
        differing = [key for key in now if before.get(key) != now[key]]
        if not differing:
            plan.kept.add(plate.plate)
            continue
        said = (f"{key} was {before.get(key)!r}, is {now[key]!r}" for key in differing)
        code = "PLATE_DUPLICATE" if "source" in differing else "PLATE_EXISTS"
        remedy = (
            f"leave it out of plate=[...], ask as before, give another out=, or"
            f" again=[{plate.plate}] to write it anew"
        )
        plan.refuse(code, plate.plate, f"ingested already: {'; '.join(said)}", remedy)
    strange = sorted(set(plan.settings.again) - {p.plate for p in plan.plates})
    if strange:
        found = f"{first(strange)}: no plate of the source"
        plan.refuse(
            "CFG_VALUE_RANGE", "ingest again", found, "name plates of the source"
        )
    _refuse_unlike(plan, present)


def note_changes(plan: Plan, present: Present, files: Mapping[str, Files]) -> None:
    """Say of which kept plates the source is no more what was ingested."""
    for plate in sorted(plan.kept):
        before, now = present.notes[plate].get(LISTED), files[plate].summary()
        if before == now or not isinstance(before, dict):
            continue
        said = (
            f"{k} {before.get(k)}, now {now[k]}" for k in now if before.get(k) != now[k]
        )
        found = f"its source is not what was ingested: {'; '.join(said)}"
        remedy = (
            f"again=[{plate}] takes the plate anew; nothing, if it is right as it is"
        )
        plan.warnings.append(problem("INPUT_CHANGED", plate, found, remedy))


def _refuse_unlike(plan: Plan, present: Present) -> None:
    """The plates of a campaign have one format, one set of channels, one pixel size."""
    others = [s for p, s in present.stores.items() if p not in plan.settings.again]
    if not others or not plan.ready:
        return
    store, out = others[0], plan.settings.out
    if plan.format is not None and plan.format != store.format:
        found = f"{plan.format} plates to add to {store.format} plates"
        plan.refuse("PLATE_FORMAT_MISMATCH", out, found, "give another out=")
    channels = tuple(plan.channels.values())
    if channels and channels != store.channels:
        found = f"channels {first(channels)} to add to {first(store.channels)}"
        remedy = "choose the same with channels=[OLD:NEW,...], or give another out="
        plan.refuse("PLATE_CHANNEL_MISMATCH", out, found, remedy)
    size = plan.pixel_size_um
    if size is not None and abs(size / store.pixel_size_um - 1) > SAME_SIZE:
        found = f"{size:.6g} um a pixel to add to {store.pixel_size_um:.6g} um"
        plan.refuse("PIXEL_SIZE_MISMATCH", out, found, "give another out=")


def grow(plan: Plan, present: Present, done: Sequence[PlateEntry]) -> None:
    """Write map, library and, last of all, the campaign with the plates there are."""
    out = Path(plan.settings.out)
    if plan.map is None or plan.format is None:
        raise ValueError("a plan that was refused must not be carried out")
    plan.map.write_csv(out / MAP)
    new = {entry.plate for entry in done}
    entries = [e for e in present.entries if e.plate not in new]
    library = _kept_library(plan, out)
    write_campaign(
        out,
        name=out.resolve().name,
        plate_format=plan.format,
        plates=[
            PlateEntry(entry.plate, entry.path.relative_to(out))
            for entry in sorted([*entries, *done], key=lambda entry: entry.plate)
        ],
        map_path=Path(MAP),
        library_path=library,
        map_may_hold_more=True,
    )


def keep_library(plan: Plan) -> None:
    """Put the library that is given, as computed, into the campaign's folder."""
    if plan.library is None:
        return
    out = Path(plan.settings.out)
    plan.library.write(out / LIBRARY)
    same = plan.library.identities()
    write_parquet(same.to_arrow(), out / f"{IDENTITIES}.parquet")
    write_csv(same, out / f"{IDENTITIES}.csv")


def _kept_library(plan: Plan, out: Path) -> Path | None:
    """The library inside the campaign: the one given now, else the one of earlier."""
    if plan.library is not None:
        return Path(LIBRARY)
    content = _read_json(out / CAMPAIGN_FILE)
    return Path(content["library"]) if content.get("library") else None


def _read_json(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_bytes())) if file.exists() else {}
