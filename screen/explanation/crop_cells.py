"""Labelled crops as wells of cells: a group of one label stands for a well."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import polars as pl

from plates.crop_sets import CropSet
from plates.problems import InputError, Problem
from plates.tables import nearest
from screen.explain_settings import ExplainVerb
from screen.explanation.measures import n_pictures
from screen.explanation.subjects import Subject
from screen.explanation.views import Crops, Place
from screen.models import ModelSpec

BLOCK = 64
NOT_MATCHED = (
    "the crops of all other labels: a crop set does not say which crops belong together"
)


class CropCells:
    """Crops of a folder, cut and scaled as the model's training did.

    A place is (label, group). Where every network learnt from a group, all of them
    explain it and ``taught`` names it, since explaining is not judging.
    """

    def __init__(self, spec: ModelSpec, crops: CropSet, labels: list[str]) -> None:
        """Keep the table; no picture is read before its group is asked for."""
        self.spec, self.crops = spec, crops
        self._labels = pl.Series(labels, dtype=pl.String)
        self.taught: list[str] = []

    def networks(self, place: Place) -> tuple[str, ...]:
        """The networks that did not learn from the group, or else all."""
        where = (self.crops.source.stem, place[1])
        free = tuple(n.name for n in self.spec.networks if n.may_score(*where))
        if not free and place[1] not in self.taught:
            self.taught.append(place[1])
        return free or tuple(n.name for n in self.spec.networks)

    def cells(self, place: Place) -> Crops:
        """The crops f32[n s s c] of one label and group; raises InputError for
        pictures that do not decode."""
        rows = (self._labels == place[0]) & (
            self.crops.frame[self.crops.group] == place[1]
        )
        own = CropSet(
            self.crops.source,
            self.crops.pictures,
            self.crops.frame.filter(rows),
            self.crops.label,
            self.crops.group,
            self.crops.form,
        )
        return np.concatenate([self._seen(block) for block in own.stream(BLOCK)])

    def _seen(self, block: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Crops:
        from screen.baselines import hand_features
        from screen.crop_channels import crop_channels
        from screen.crop_training.inputs import resized
        from screen.feature_plane import with_features

        if self.spec.finder.get("input", "masked") == "masked":
            grey = np.asarray(block, np.uint8)
            bin_ = int(self.spec.finder["bin"])
            windows = crop_channels(grey, self.spec.crop_px, bin_)
            if n_pictures(self.spec.channels) == len(self.spec.channels):
                return windows
            return with_features(windows, hand_features(grey))
        pictures = block[..., None] if block.ndim == 3 else block
        full = np.float32(2**self.crops.form.bits - 1)
        return resized(np.asarray(pictures, np.float32) / full, self.spec.crop_px)


def crop_set(settings: ExplainVerb, spec: ModelSpec) -> tuple[CropSet, list[str]]:
    """The crops and the label of each; of measured values two halves about the median.
    Raises InputError for a folder that is no crop set, or of another kind of picture."""
    is_value = spec.head["kind"] == "regression"
    crops = CropSet.read(
        Path(settings.crops),
        label=str(spec.anchors["label"]),
        group=settings.crops_group,
        known=spec.classes,
        is_number=is_value,
    )
    if settings.crops_filter:
        column, _, value = settings.crops_filter.partition("=")
        crops = crops.where(column.strip().casefold(), value.strip())
    _refuse_form(crops, spec)
    if not is_value:
        return crops, list(crops.labels)
    high = crops.values > np.median(crops.values)
    return crops, ["upper half" if h else "lower half" for h in high]


def crop_subjects(
    settings: ExplainVerb, spec: ModelSpec, crops: CropSet, labels: list[str]
) -> tuple[Subject, ...]:
    """Each label asked for against all others; raises InputError for one not there."""
    known = sorted(set(labels))
    usual = _usual(spec, known)
    asked = list(settings.compounds) or [usual]
    problems = [
        Problem(
            "EXPLAIN_COMPOUND_UNKNOWN",
            f"{crops.source.name} column {crops.label}",
            f"no label {name!r}",
            "of crops, labels are explained",
            f"did you mean {near}?"
            if (near := nearest(name, known))
            else f"name one of: {', '.join(known[:8])}",
        )
        for name in asked
        if name not in known
    ]
    if problems:
        raise InputError(problems)
    places = sorted(set(zip(labels, crops.groups, strict=True)))
    return tuple(_subject(settings, name, places) for name in asked)


def _usual(spec: ModelSpec, known: list[str]) -> str:
    for name in (str(spec.anchors.get("senescent", "")), *spec.classes[1:2]):
        if name in known:
            return name
    return known[-1]


def _subject(settings: ExplainVerb, name: str, places: list[Place]) -> Subject:
    own = _drawn([p for p in places if p[0] == name], settings)
    rest = _drawn([p for p in places if p[0] != name], settings)
    return Subject(name, own, rest, "all other crops", NOT_MATCHED)


def _drawn(places: list[Place], settings: ExplainVerb) -> tuple[Place, ...]:
    if len(places) <= settings.wells:
        return tuple(places)
    own = zlib.crc32("/".join(places[0]).encode())
    rng = np.random.default_rng([settings.seed, own])
    kept = np.sort(rng.choice(len(places), settings.wells, replace=False))
    return tuple(places[i] for i in kept)


def _refuse_form(crops: CropSet, spec: ModelSpec) -> None:
    masked = spec.finder.get("input", "masked") == "masked"
    n_channels, bits = crops.form.n_channels, crops.form.bits
    fits = (n_channels, bits) == (1, 8) if masked else n_channels == len(spec.channels)
    if fits:
        return
    wanted = "one grey cell of 8 bits on black" if masked else ", ".join(spec.channels)
    raise InputError(
        Problem(
            "CROPS_PIXELS",
            crops.source.name,
            str(crops.form),
            f"the model learnt from {wanted}",
            "name crops of that kind, or a model of these",
        )
    )
