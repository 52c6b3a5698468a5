"""The settings of train and tune: what networks learn from, how, and how they are judged."""

# ruff: noqa: RUF009 - key() and part() return dataclass fields, made once a class

from dataclasses import dataclass

from screen.evaluation_groups import EvaluationSettings
from screen.field_groups import FinderSettings, IntensitySettings
from screen.groups import (
    DEVICE_HELP,
    DEVICES,
    AnchorsSettings,
    NetworkSettings,
    key,
    part,
)
from screen.training_groups import AugmentSettings, FitSettings, OptimizerSettings


@dataclass
class TrainVerb:
    """Teach a network on control wells to tell senescent from healthy cells.

    Writes a model of several networks, so that no well is ever scored by a network
    that learnt from it, and their accuracy on wells that they have not seen.
    """

    campaign: str = key("", "campaign with control wells; this or crops", "path")
    crops: str = key("", "folder of labelled crops; this or campaign", "path")
    crops_label: str = key("state", "column with the label of a crop")
    crops_positive: str = key(
        "senescent", "label that counts as senescent, all others as healthy"
    )
    crops_classes: list[str] = key(
        [], "labels in their order, in place of crops_positive: classes or grades"
    )
    crops_value: str = key("", "column with the number that head=regression learns")
    crops_group: str = key(
        "source_image", "column with what is held out as a whole, such as the image"
    )
    crops_filter: str = key("", "column=value that a crop must have; empty = all")
    crops_input: str = key(
        "masked",
        "masked = one grey cell on black, as eight channels of shape and texture; plain"
        " = the whole grey or coloured picture, scaled to crop_px",
        choices=("masked", "plain"),
    )
    head: str = key(
        "classes",
        "what crops are told apart by: classes, ordered grades (ordinal) or a number",
        choices=("classes", "ordinal", "regression"),
    )
    ensemble: int = key(
        1,
        "networks of a crop model, whose mean is the score",
        "networks",
        low=1,
        high=64,
    )
    calibration: str = key(
        "platt",
        "how probabilities of a crop model are corrected: by a temperature, or by that"
        " and an offset a class (platt), in steps (isotonic), or not (none)",
        choices=("none", "temperature", "platt", "isotonic"),
    )
    out: str = key("", "folder of the new model; empty = models/CAMPAIGN", "path")
    seed: int = key(1, "seed of weights, order and variation", low=0, high=2**31 - 1)
    device: str = key("auto", DEVICE_HELP, choices=DEVICES)
    network: NetworkSettings = part(NetworkSettings, "the scoring network")
    finder: FinderSettings = part(FinderSettings, "how cells are found")
    intensity: IntensitySettings = part(IntensitySettings, "scale of intensities")
    anchors: AnchorsSettings = part(AnchorsSettings, "the wells to learn from")
    optimizer: OptimizerSettings = part(OptimizerSettings, "how weights are moved")
    augment: AugmentSettings = part(AugmentSettings, "how crops are varied")
    fit: FitSettings = part(FitSettings, "what learns when, and from which labels")
    evaluation: EvaluationSettings = part(
        EvaluationSettings, "how a crop model is judged on groups it never saw"
    )
    split: str = key(
        "auto",
        "which wells a network never sees: whole plates, halves of the controls, or"
        " all but the teaching wells; auto = teaching where the map marks such wells,"
        " plates from 4 plates on, else halves",
        choices=("auto", "plates", "halves", "teaching"),
    )
    epochs: int = key(8, "passes over the cells", "epochs", low=1, high=10000)
    batch: int = key(128, "cells of one step", "cells", low=2, high=8192)
    label_smoothing: float = key(
        0.0, "share of a label given to the other state", "share", low=0, high=0.5
    )
    max_cells_per_well: int = key(
        150, "most cells of one well in training", "cells", low=1, high=100000
    )
    threshold: float = key(
        0.5, "a cell with a higher probability counts as senescent", low=0, high=1
    )

    def check(self) -> None:
        """Raise ValueError unless one source is given and anchors name two kinds."""
        if bool(self.campaign) == bool(self.crops):
            raise ValueError("give campaign=FOLDER or crops=FOLDER, one of the two")
        if (self.head == "regression") != bool(self.crops_value):
            raise ValueError(
                "head=regression goes with crops_value=COLUMN, and only so"
            )
        if self.head == "ordinal" and len(self.crops_classes) < 2:
            raise ValueError("head=ordinal needs crops_classes=[LOW,...,HIGH]")
        if self.head == "regression" and self.crops_classes:
            raise ValueError("head=regression has no crops_classes")
        self.anchors.check()
        self.intensity.check()
        self.finder.check()


@dataclass
class TuneVerb(TrainVerb):
    """Search for the settings of train that do best on groups never seen.

    Tries trainings one after the other, learning from those before, and stops the
    hopeless early. May be stopped at any time: the same command goes on, and a larger
    trials=N searches on. Takes every key of train; out= is the folder of the study.
    """

    search: list[str] = key(
        ["optimizer.learning_rate=log(0.0003,0.03)"],
        "what is tried: KEY=log(LOW,HIGH), linear(LOW,HIGH), range(FIRST,LAST) or"
        " choice(A,B); groups too, such as network=choice(compact,sesmo)",
    )
    trials: int = key(20, "trainings in all", "trainings", low=1, high=100000)
    prune: bool = key(
        True, "stop a training whose first folds lie below the median of the others"
    )
