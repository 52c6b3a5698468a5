"""The verb score: every well of a campaign gets its record, whatever the night brings."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from plates.campaign import Campaign
from plates.problems import Problem
from plates.store import Plate, open_plate
from plates.wells import Well
from screen.answers import check_roots
from screen.block_size import block_size
from screen.blocks import Block, WellDone, WellTask
from screen.cell_centres import CentreSource, centre_sources
from screen.cluster import ClusterPlan, run_blocks
from screen.codes import ExitCode
from screen.deaths import unscored
from screen.devices import Device, device_for, precision_note
from screen.doubles import doubled
from screen.errors import Outcome, rendered
from screen.estimate import Estimate
from screen.events import Events
from screen.expected_wells import Expected, expected_of
from screen.fingerprint import keep_fingerprint, score_fingerprint
from screen.finished_wells import Finished, finished_wells, not_done, tally
from screen.freed_memory import FREED
from screen.gpus import NO_PREALLOCATION, busy_gpus
from screen.illumination import Gain, gains_of
from screen.inputs import forget_changed
from screen.large_fields import windows_told
from screen.ledger import Ledger
from screen.lock import held
from screen.memory_check import check_worker_memory, room_bytes, worker_bytes
from screen.models import Model, load_model
from screen.nonfinite import NonfiniteGuard
from screen.paths import run_dir
from screen.preflight import (
    check_inputs,
    check_names,
    check_space,
    check_writable,
    dark_plate,
    output_bytes,
)
from screen.progress import bars
from screen.provenance import record_outputs
from screen.score_end import TimeSpent, stops_told
from screen.settings import ScoreVerb
from screen.tidying import tidy
from screen.workers import ScorerSource


@dataclass(frozen=True)
class Scoring:
    """One run of score: what it reads, where it writes, with which networks."""

    run: Path
    campaign: Campaign
    plates: tuple[Plate, ...]
    model: Model
    settings: ScoreVerb
    fingerprint: str
    gains: Mapping[str, Gain | None]
    centres: Mapping[str, CentreSource | None]


def run(settings: ScoreVerb) -> Outcome:
    """Score the campaign with the model; running it again resumes.

    Raises Refusal or InputError before any compute when the inputs do not fit.
    """
    from screen.model_networks import check_networks
    from screen.scoring import scorer_of

    campaign = Campaign.open(Path(settings.campaign))
    model = load_model(Path(settings.model))
    check_networks(model)
    check_roots([entry.path for entry in campaign.plates], may_be_away=True)
    plates = tuple(open_plate(entry.path) for entry in campaign.plates)
    check_inputs(model.spec, plates, allow_pixel_size=settings.allow_pixel_size)
    device = announced(settings.device, settings.precision)
    source = scorer_of(model, settings)
    outcome = score_campaign(settings, campaign, plates, model, source)
    return replace(outcome, message=f"{outcome.message}\non {device}")


def announced(kind: str, precision: str = "float32") -> Device:
    """The device that scores, said before the night begins, with who else is on it."""
    os.environ.update(NO_PREALLOCATION)
    device = device_for(kind)
    busy = busy_gpus() if device.platform == "gpu" else []
    told = [f"scoring on {device}", precision_note(precision, device), *map(str, busy)]
    print("\n".join(filter(None, told)), file=sys.stderr)
    return device


def score_campaign(
    settings: ScoreVerb,
    campaign: Campaign,
    plates: tuple[Plate, ...],
    model: Model,
    source: ScorerSource,
) -> Outcome:
    """Score every well that has no record yet, with whatever scorer ``source`` gives."""
    run = run_dir(settings.runs, settings.run, settings.campaign)
    gains = gains_of(model.spec.intensity, model.spec.channels, plates)
    centres = centre_sources(model.spec.finder, campaign.root, plates)
    check_writable(run)
    check_names(run, [p.plate for p in plates])
    check_worker_memory(settings.cluster, plates, settings.max_field_mpx * 1e6)
    for line in windows_told(plates, settings.max_field_mpx * 1e6, model.spec.finder):
        print(line, file=sys.stderr)
    with held(run, force=settings.lock.break_):
        facts = score_fingerprint(model, plates, settings, gains, centres)
        changed: list[Problem] = []

        def forget(names: list[str]) -> None:
            stale = [plate for plate in plates if plate.plate in names]
            changed.extend(forget_changed(run, stale, gains, centres))

        fingerprint = keep_fingerprint(
            run, facts, forget, new_run=settings.ledger.new_run
        )
        scoring = Scoring(
            run, campaign, plates, model, settings, fingerprint, gains, centres
        )
        tidy(run, [p.plate for p in plates])
        with stops_told(run):
            spent = TimeSpent(settings)
            tally = _score_plates(scoring, source, spent)
            inputs = {"campaign": str(campaign.root), "model": str(model.folder)}
            facts = {**facts, "time": spent.facts(), "memory": spent.memory()}
            record_outputs(run, "score", settings, inputs=inputs, facts=facts)
            outcome = _outcome(scoring, tally, changed)
            code = int(outcome.code)
            memory = facts["memory"]
            Events(run).write("score_ended", code=code, memory=memory, **facts["time"])
    return replace(outcome, message=spent.added_to(outcome.message, facts["time"]))


def _score_plates(
    scoring: Scoring, source: ScorerSource, spent: TimeSpent
) -> tuple[dict[str, int], int]:
    """Run what is left, compact each plate as it becomes whole; wells by status."""
    events, ledger = Events(scoring.run), Ledger(scoring.run)
    expected = {p.plate: expected_of(scoring.campaign.map, p) for p in scoring.plates}
    left, whole = _begun(scoring, expected)
    open_wells = {plate: set(wells) for plate, wells in left.items()}
    total = sum(map(len, left.values()))
    cut = [blocks_of(scoring, p, left[p.plate], total) for p in scoring.plates]
    blocks = list(chain.from_iterable(cut))
    n_fields = sum(len(left[p.plate]) * p.spec.n_fields for p in scoring.plates)
    check_space(scoring.run, output_bytes(scoring.model.spec, total, n_fields))
    n_wells = {plate: len(wells) for plate, wells in expected.items()}
    events.write("score_started", wells=total, blocks=len(blocks), plates=n_wells)
    guard, estimate = _guard(scoring, expected), Estimate(total)
    if blocks:
        print(spent.first_word(total, len(blocks)), file=sys.stderr, flush=True)
        counts = {plate: len(wells) for plate, wells in left.items() if wells}
        with bars("scoring", counts, "wells") as advance:
            for results in run_blocks(blocks, source, cluster_plan(scoring.settings)):
                for done in results:
                    advance(done.plate, 1)
                spent.add(results)
                _close(results, open_wells, ledger)
                FREED()
                guard.see(results)
                if (text := estimate.see(len(results))) is not None:
                    print(text, file=sys.stderr, flush=True)
    for plate in scoring.plates:
        _commit_unscorable(scoring, plate, expected[plate.plate])
        ledger.compact(plate.plate)
    return tally(ledger, expected.keys() - whole.keys(), whole.values())


def _begun(
    scoring: Scoring, expected: Mapping[str, Expected]
) -> tuple[dict[str, list[str]], dict[str, Counter[Finished]]]:
    """The wells that each plate has left, and how they ended where all are done."""
    ledger, retry = Ledger(scoring.run), scoring.settings.quarantine.retry
    left, whole = dict[str, list[str]](), dict[str, Counter[Finished]]()
    for plate, wells in expected.items():
        found = finished_wells(ledger, plate)
        left[plate] = not_done(wells.scored, found, retry=retry)
        is_compact = not ledger.folder(plate).exists()
        if is_compact and not left[plate] and wells.all <= found.keys():
            whole[plate] = Counter(found.values())
    return left, whole


def _guard(scoring: Scoring, expected: Mapping[str, Expected]) -> NonfiniteGuard:
    n_wells = {plate: len(wells.scored) for plate, wells in expected.items()}
    model = {"folder": str(scoring.model.folder), "sha256": scoring.model.sha256}
    facts = {"campaign": str(scoring.campaign.root), "model": model}
    return NonfiniteGuard(scoring.run, n_wells, **facts, settings=scoring.settings)


def _close(
    results: list[WellDone], open_wells: dict[str, set[str]], ledger: Ledger
) -> None:
    for done in results:
        wells = open_wells[done.plate]
        wells.discard(done.well)
        if not wells:
            ledger.compact(done.plate)


def cluster_plan(settings: ScoreVerb) -> ClusterPlan:
    c = settings.cluster
    where = c.kind, c.n_threads, c.workers, c.address
    return ClusterPlan(*where, c.blocks_in_flight, c.patience_s, worker_bytes(c))


def wells_left(scoring: Scoring, plate: Plate) -> list[str]:
    found = finished_wells(Ledger(scoring.run), plate.plate)
    expected = expected_of(scoring.campaign.map, plate).scored
    return not_done(expected, found, retry=scoring.settings.quarantine.retry)


def blocks_of(
    scoring: Scoring, plate: Plate, wells: list[str], n_left: int
) -> Iterator[Block]:
    size = block_size(scoring.settings.cluster, plate, n_left)
    # Once a plate: to resolve a path asks the file system for each of its folders.
    run, path = scoring.run.resolve(), plate.path.resolve()
    if scoring.settings.quarantine.retry:
        _forget(scoring, plate, wells)
    held = dark_plate(plate, scoring.model.spec.channels)
    tasks = [WellTask(w, _networks(scoring.model, plate.plate, w)) for w in wells]
    for start in range(0, len(tasks), size):
        yield Block(
            run=run,
            plate=plate.plate,
            path=path,
            wells=tuple(tasks[start : start + size]),
            fingerprint=scoring.fingerprint,
            min_fields_share=scoring.settings.min_fields_share,
            illumination=scoring.gains[plate.plate],
            centres=scoring.centres[plate.plate],
            held=held,
            room=room_bytes(scoring.settings.cluster),
            max_field_px=scoring.settings.max_field_mpx * 1e6,
        )


def _forget(scoring: Scoring, plate: Plate, wells: list[str]) -> None:
    folder = Ledger(scoring.run).folder(plate.plate)
    for well in wells:
        (folder / f"{well}.rec").unlink(missing_ok=True)


def _networks(model: Model, plate: str, well: str) -> tuple[str, ...]:
    return tuple(n.name for n in model.spec.networks if n.may_score(plate, well))


def _commit_unscorable(scoring: Scoring, plate: Plate, expected: Expected) -> None:
    """Every expected well has one row: also those that were never imaged or mapped."""
    unimaged, unmapped = expected.unimaged, expected.unmapped
    if not unimaged and not unmapped:
        return
    ledger = Ledger(scoring.run)
    known = finished_wells(ledger, plate.plate).keys()
    mapped = scoring.campaign.map.for_plate(plate.plate).frame
    roles = dict(mapped.select("well", "role").iter_rows())
    block = Block(scoring.run, plate.plate, plate.path, (), scoring.fingerprint, 0.0)
    for well in sorted({*unimaged, *unmapped} - known, key=Well.parse):
        if well in unmapped:
            status, code = "QUARANTINED", "WELL_NOT_IN_MAP"
        elif roles[well] == "no_cells":
            status, code = "ABSENT", "WELL_MISSING"
        else:
            status, code = "QUARANTINED", "WELL_MISSING"
        ledger.commit(unscored(block, well, status, code))


def _outcome(
    scoring: Scoring, found: tuple[dict[str, int], int], changed: Sequence[Problem]
) -> Outcome:
    tally, n_doubled = found
    total, lost = sum(tally.values()), tally.get("QUARANTINED", 0)
    listed = ", ".join(f"{n} {status}" for status, n in tally.items())
    message = f"{total} wells of {len(scoring.plates)} plates: {listed}"
    channels = scoring.model.spec.channels
    dark = [p for plate in scoring.plates if (p := dark_plate(plate, channels))]
    doubles = [doubled(scoring.run, n_doubled)] if n_doubled else []
    warnings = [w for p in scoring.plates for w in p.warnings]
    doubts = rendered([*warnings, *dark, *changed, *doubles])
    message = "\n".join([message, *doubts.splitlines()])
    if lost > scoring.settings.quarantine.max_share * total:
        return Outcome(ExitCode.QUARANTINE, message, (scoring.run,))
    code = ExitCode.PARTIAL if lost or n_doubled else ExitCode.COMPLETE
    return Outcome(code, message, (scoring.run,))
