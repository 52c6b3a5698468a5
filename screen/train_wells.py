"""The verb train on control wells: a network a fold learns the two states."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plates.campaign import Campaign
from plates.problems import InputError, Problem
from plates.store import Plate, open_plate, plate_sha256
from screen.cell_centres import CentreSource, centre_sources
from screen.fit_plans import check_plan
from screen.fold_fitting import (
    as_expected,
    check_cells,
    checkpoint_of,
    expected_of,
    fit_fold,
)
from screen.folds import AnchorWell, Fold, anchor_wells, make_folds
from screen.illumination import Gain, gains_of, given_profile
from screen.leaking_weights import refuse_leaking
from screen.models import ModelSpec, NetworkSpec, network_weights, save_model
from screen.paths import model_dir
from screen.preflight import check_planes, check_writable
from screen.pretrained import Pretrained, start_of
from screen.progress import bar
from screen.settings import TrainVerb
from screen.sweeps.trained import Judged, OnJudged, Taught

if TYPE_CHECKING:
    from kernels.intensity import IntensitySpec
    from screen.lessons import Lessons

N_STATES = 2  # healthy and senescent


def run_wells(settings: TrainVerb, on_judged: OnJudged) -> Taught:
    """Train one network a fold on the control wells of a campaign, judge each on
    control wells it never saw, and write the model.

    Raises InputError before any compute when controls or plates do not allow it.
    """
    check_plan(settings)
    campaign = Campaign.open(Path(settings.campaign))
    plates = {e.plate: open_plate(e.path) for e in campaign.plates}
    check_planes(tuple(plates.values()))
    first = _alike(tuple(plates.values()))
    wells = anchor_wells(campaign.map, settings.anchors)
    wells = tuple(w for w in wells if _is_imaged(plates, w))
    folds = make_folds(wells, settings.split)
    refuse_leaking(settings.network.weights, wells)
    out = model_dir(settings.out, settings.campaign)
    check_writable(out)
    if settings.fit.begin_anew:
        for fold in folds:
            checkpoint_of(out, fold).unlink(missing_ok=True)
    light = lighting(settings, first)
    gains = gains_of(light, first.channels, tuple(plates.values()))
    finder = finding(settings, first)
    sources = centre_sources(finder, campaign.root, tuple(plates.values()))
    looks = Looks(finder, light, gains, sources)
    places = folds, out, on_judged
    spec, weights = fit_folds(settings, plates, first, wells, places, looks)
    path = save_model(out, spec, weights)
    for fold in folds:
        checkpoint_of(out, fold).unlink(missing_ok=True)
    return Taught(
        _told(spec, path),
        (path,),
        judged_by_cells(spec),
        None,
        data_sha256(campaign, tuple(plates.values()), wells),
        sum(w.size for w in weights[spec.networks[0].name].values()),
    )


def judged_by_cells(spec: ModelSpec) -> Judged:
    """The mean cell AUC of the networks, each on control wells it never saw; without a
    value where every control well of a state taught."""
    areas = [told["cell_auc"] for told in spec.summary["networks"].values()]
    known = [area for area in areas if area is not None]
    if not known:
        why = f"split={spec.split} leaves no control wells of both states to judge by"
        return Judged("cell AUC", None, why=why)
    return Judged("cell AUC", float(np.mean(known)))


def data_sha256(
    campaign: Campaign, plates: tuple[Plate, ...], wells: tuple[AnchorWell, ...]
) -> str:
    """The hash of what networks learn from: pixels of the plates, wells and labels."""
    digest = hashlib.sha256(campaign.map.sha256().encode())
    for plate in plates:
        digest.update(f"{plate.plate} {plate_sha256(plate)}".encode())
    digest.update(repr([(w.key, w.label) for w in wells]).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Looks:
    """How plates are looked at: the finder and the light as a model stores them, each
    plate's gain and where its centres come from."""

    finder: dict[str, Any]
    light: dict[str, Any]
    gains: dict[str, Gain | None]
    sources: dict[str, CentreSource | None]


def finding(settings: TrainVerb, first: Plate) -> dict[str, Any]:
    """What a model stores of how cells are found."""
    from screen.optics import finder_spec

    return asdict(finder_spec(settings, first)) | {
        "segmenter": settings.finder.segmenter
    }


def _alike(plates: tuple[Plate, ...]) -> Plate:
    """The first plate, when all have its channels, pixel size, shape and type."""
    first = plates[0]
    problems = [
        Problem(
            "PLATE_CHANNEL_MISSING",
            plate.plate,
            f"{plate.channels}, {plate.pixel_size_um} um, {plate.spec.dtype}",
            f"plate {first.plate} has {first.channels}, {first.pixel_size_um} um,"
            f" {first.spec.dtype}, and one model serves all plates",
            "train on plates imaged alike",
        )
        for plate in plates
        if _looks(plate) != _looks(first)
    ]
    if problems:
        raise InputError(tuple(problems))
    return first


def _looks(plate: Plate) -> tuple[object, ...]:
    return plate.channels, round(plate.pixel_size_um, 6), plate.spec.dtype


def lighting(settings: TrainVerb, first: Plate) -> dict[str, Any]:
    """What a model stores of how plates are lit; raises InputError (ILLUM_INVALID)."""
    mode, path = settings.intensity.illumination, settings.intensity.given
    given = given_profile(Path(path), first) if mode == "given" else {}
    return {"illumination": mode, **given}


def _is_imaged(plates: dict[str, Plate], anchor: AnchorWell) -> bool:
    plate = plates.get(anchor.plate)
    return plate is not None and anchor.well in {str(w) for w in plate.wells}


def fit_folds(
    settings: TrainVerb,
    plates: dict[str, Plate],
    first: Plate,
    wells: tuple[AnchorWell, ...],
    places: tuple[tuple[Fold, ...], Path, OnJudged],
    looks: Looks,
) -> tuple[ModelSpec, dict[str, dict[str, Any]]]:
    """Gather the lessons once, teach a network a fold, and describe the model."""
    folds, out, on_judged = places
    intensity, lessons = _gathered(settings, plates, first, wells, looks)
    check_cells(lessons, folds)
    begun = start_of(settings.network, len(first.channels), N_STATES, settings.seed)
    lessons = as_expected(lessons, begun)
    networks, weights, summary = [], {}, {}
    with bar("training", settings.epochs * len(folds), "epochs") as advance:
        for number, fold in enumerate(folds):
            module, told = fit_fold(
                settings, lessons, begun, fold, number, out, advance
            )
            weights[fold.name] = network_weights(module)
            summary[fold.name] = told
            if told["cell_auc"] is not None:
                known = [one["cell_auc"] for one in summary.values()]
                on_judged(number, float(np.mean(known)))
            learnt = tuple(w.key for w in fold.learnt)
            file = f"{fold.name}.safetensors"
            networks.append(NetworkSpec(fold.name, file, "", learnt, fold.unit))
    told = {
        "seed": settings.seed,
        "networks": summary,
        "unread_fields": [str(problem) for problem in lessons.unread],
        "weights": [] if begun is None else list(begun.told),
    }
    stored = looks.finder, asdict(intensity) | looks.light
    spec = _spec(settings, first, stored, folds, tuple(networks), told, begun)
    return spec, weights


def _gathered(
    settings: TrainVerb,
    plates: dict[str, Plate],
    first: Plate,
    wells: tuple[AnchorWell, ...],
    looks: Looks,
) -> tuple[IntensitySpec, Lessons]:
    """The scale of intensities, and the cells of all control wells in it."""
    from screen.lessons import gather_lessons, lesson_scale
    from screen.optics import camera_limit, finder_spec, kinds_of

    scale = lesson_scale(plates, wells, kinds_of(settings, first), looks.gains)
    scale = replace(scale, saturation_level=camera_limit(first))
    with bar("finding cells", len(wells), "wells") as advance:
        lessons = gather_lessons(
            plates,
            wells,
            finder_spec(settings, first),
            scale,
            window=_has_window(settings),
            max_cells=settings.max_cells_per_well,
            seed=settings.seed,
            gains=looks.gains,
            sources=looks.sources,
            on_well=advance,
        )
    return scale, lessons


def _spec(
    settings: TrainVerb,
    first: Plate,
    looks: tuple[dict[str, Any], dict[str, Any]],
    folds: tuple[Fold, ...],
    networks: tuple[NetworkSpec, ...],
    told: dict[str, Any],
    begun: Pretrained | None,
) -> ModelSpec:
    return ModelSpec(
        architecture=settings.network.name,
        crop_px=settings.network.crop_px,
        window=_has_window(settings),
        channels=first.channels,
        pixel_size_um=first.pixel_size_um,
        finder=looks[0],
        intensity=looks[1],
        anchors=asdict(settings.anchors),
        threshold=settings.threshold,
        split=_split_name(folds),
        networks=networks,
        summary=told,
        width=settings.network.width,
        preprocessing=expected_of(begun),
    )


def _has_window(settings: TrainVerb) -> bool:
    """A tile is the whole of what there is; only a single cell has neighbours."""
    return settings.network.window and settings.finder.kind != "tiles"


def _split_name(folds: tuple[Fold, ...]) -> str:
    if len(folds) == 1:
        return "teaching"
    return "plates" if folds[0].unit == "plate" else "halves"


def _told(spec: ModelSpec, path: Path) -> str:
    lines = [f"model {path.parent}: {len(spec.networks)} networks, split={spec.split}"]
    for name, told in spec.summary["networks"].items():
        auc = told["cell_auc"]
        shown = (
            "no held-out wells"
            if auc is None
            else (
                f"held-out wells: cell AUC {auc:.3f}, well AUC {told['well_auc']:.3f}"
            )
        )
        lines.append(
            f"  {name}: {told['n_wells']} wells, {told['n_crops']} cells; {shown}"
        )
    lines += [f"  taught nothing: {text}" for text in spec.summary["unread_fields"]]
    return "\n".join(lines)
