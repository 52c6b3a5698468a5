"""The verb train on labelled crops: a network taught and judged by whole groups."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from plates.json_text import strict_json
from screen.crop_training.heldout import HeldOut
from screen.crop_training.inputs import Inputs, inputs_of
from screen.crop_training.job import Job, facts_of, prepared, teacher_of
from screen.crop_training.kept_scores import kept_scores
from screen.crop_training.rounds import METRICS_FILE, by_crops, by_groups, final_weights
from screen.crop_training.scaling import preprocessing_for, scaled
from screen.crop_training.scorers import Teacher
from screen.crop_training.scorers import baseline_scorer as baseline_scorer
from screen.crop_training.scorers import network_scorer as network_scorer
from screen.crop_training.targets import binary_labels as binary_labels
from screen.crop_training.telling import (
    NETWORK,
    Case,
    Judgement,
    best_baseline,
    difference,
    fold_facts,
    judgement,
    leakage,
    network_facts,
    scorer_facts,
)
from screen.crop_training.words import outcome_words
from screen.crop_training.written import crop_model_spec, write_held_out
from screen.durable import write_whole
from screen.evaluation.judged import Scorer as Scorer
from screen.evaluation.judged import is_tested_once
from screen.evaluation.quality import is_higher_better
from screen.evaluation_page import render
from screen.leaking_weights import refuse_leaking_crops
from screen.models import save_model
from screen.progress import bar
from screen.settings import TrainVerb
from screen.sweeps.trained import Judged, OnJudged, Taught, ignore

EVALUATION_FILE = "evaluation.json"
PAGE_FILE = "evaluation.html"
SCHEMA = 2


def run_crops(settings: TrainVerb, on_judged: OnJudged = ignore) -> Taught:
    """Judge a network and plain learners on groups they never saw, then teach the
    model's networks on all crops and write them with evaluation.json.

    Raises InputError before any compute when the crop set does not allow it. A training
    that was stopped goes on: what is finished is not done again.
    """
    job = prepared(settings)
    refuse_leaking_crops(settings.network.weights, job.crops)
    inputs = inputs_of(settings, job.crops)
    spec = preprocessing_for(job, inputs)
    if spec is not None:
        inputs = replace(inputs, windows=scaled(inputs.windows, spec))
    teacher = teacher_of(job)
    data = job.crops.sha256()
    anew = settings.fit.begin_anew
    kept = kept_scores(job.out, facts_of(job, teacher, data), anew=anew)
    if not kept.is_going_on:
        (job.out / METRICS_FILE).unlink(missing_ok=True)
    found = by_groups(job, inputs, teacher, kept, on_judged)
    leaking = by_crops(job, inputs, teacher, kept)
    judged, told = judged_of(job.case, found, leaking)
    told |= _facts(job, teacher, inputs, data)
    told["preprocessing"] = {} if spec is None else spec.as_dict()
    weights = final_weights(job, inputs, teacher, kept)
    model = crop_model_spec(settings, job.crops, job.targets, inputs, told)
    paths = (
        save_model(job.out, model, weights),
        *_write(job.out, told),
        write_held_out(job.out, job.crops, job.targets, found, judged),
    )
    kept.forget()
    return _taught(
        job, told, paths, sum(w.size for w in next(iter(weights.values())).values())
    )


def judged_of(
    case: Case, found: dict[str, HeldOut], leaking: dict[str, HeldOut]
) -> tuple[dict[str, Judgement], dict[str, Any]]:
    """Every scorer judged, and the part of evaluation.json that says so; the network is
    the scorer of that name, ``leaking`` those of the leakage audit."""
    with bar("intervals", 2 * len(found) + len(leaking), "scorers") as advance:
        judged = {}
        for name, one in found.items():
            judged[name] = judgement(case, one)
            advance(1, name)
        network, best = judged[NETWORK], best_baseline(judged)
        told: dict[str, Any] = {
            "scorers": {name: scorer_facts(case, one) for name, one in judged.items()},
            "best_baseline": best,
            "difference": difference(case, network, judged[best]),
            "calibration": network.calibration.as_dict(),
            **network_facts(case, network, found[NETWORK]),
        }
        told["leakage"] = {}
        for name, by_crop in leaking.items():
            told["leakage"][name] = leakage(case, judged[name], by_crop)
            advance(1, name)
    return judged, told


def _facts(job: Job, teacher: Teacher, inputs: Inputs, data: str) -> dict[str, Any]:
    targets, crops, settings = job.targets, job.crops, job.settings
    plan = asdict(teacher.plan)
    return {
        "schema": SCHEMA,
        "data": {
            "crops": len(crops),
            "sha256": data,
            "column": crops.label,
            "group": crops.group,
            "groups": sorted(set(crops.groups)),
            "n_features": inputs.features.shape[1],
        },
        "head": plan["head"],
        "classes": list(targets.names),
        "counts": np.bincount(targets.labels).tolist(),
        "scheme": asdict(settings.evaluation) | fold_facts(job.folds, len(crops)),
        "plan": plan,
        "n_networks": teacher.n_networks,
        "weights": [] if job.start is None else list(job.start.told),
    }


def _write(out: Path, told: dict[str, Any]) -> tuple[Path, Path]:
    judged, page = out / EVALUATION_FILE, out / PAGE_FILE
    text = strict_json(told, indent=1)
    write_whole(judged, (text + "\n").encode())
    write_whole(page, render(out.name, told).encode())
    return judged, page


def _taught(
    job: Job, told: dict[str, Any], paths: tuple[Path, ...], n_parameters: int
) -> Taught:
    """Where every crop is tested once, the pooled measure counts; else that of the
    folds, because pooling would judge the mean of several networks."""
    once = is_tested_once(len(job.crops), job.folds)
    ours, best = (
        _standing(told["scorers"][name], once)
        for name in (NETWORK, told["best_baseline"])
    )
    data = told["data"]["sha256"]
    words = outcome_words(told, job.out)
    return Taught(words, paths, ours, best, data, n_parameters)


def _standing(one: dict[str, Any], once: bool) -> Judged:
    measure = one["primary"]
    up = is_higher_better(measure)
    if not once and one["mean"] is not None:
        return Judged(measure, one["mean"], None, None, up)
    pooled = one["measures"][measure]
    return Judged(measure, pooled["value"], pooled["low"], pooled["high"], up)
