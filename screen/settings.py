"""The settings of every verb: what may be set, its default, unit and meaning."""

# ruff: noqa: RUF009 - key() and part() return dataclass fields, made once a class

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from screen.evaluation_groups import EvaluationSettings as EvaluationSettings
from screen.field_groups import FinderSettings as FinderSettings
from screen.field_groups import IntensitySettings as IntensitySettings
from screen.field_groups import QualitySettings as QualitySettings
from screen.groups import REQUIRED as REQUIRED
from screen.groups import AnchorSettings as AnchorSettings
from screen.groups import AnchorsSettings as AnchorsSettings
from screen.groups import AugmentSettings as AugmentSettings
from screen.groups import ClusterSettings as ClusterSettings
from screen.groups import DecisionSettings as DecisionSettings
from screen.groups import LedgerSettings as LedgerSettings
from screen.groups import LockSettings as LockSettings
from screen.groups import NetworkSettings as NetworkSettings
from screen.groups import OptimizerSettings as OptimizerSettings
from screen.groups import QuarantineSettings as QuarantineSettings
from screen.groups import key, light_module, part, settable
from screen.ingest_settings import IngestVerb as IngestVerb

if TYPE_CHECKING:
    from plates.synthetic.settings import SimulateSettings
    from plates.synthetic.settings import SimulateSettings as SimulateGroup
else:
    SimulateGroup = settable(light_module("plates.synthetic.settings").SimulateSettings)


@dataclass
class SimulateVerb:
    """Make a virtual drug screen with known truth.

    Writes a campaign: plates, plate map, compound library, and the answers.
    """

    out: str = key("campaigns/virtual", "folder of the new campaign", "path")
    seed: int = key(1, "another seed makes another screen", low=0, high=2**31 - 1)
    workers: int = key(0, "processes that paint; 0 = one a core", low=0, high=256)
    simulate: SimulateGroup = part(SimulateGroup, "the screen that is painted")

    def check(self) -> None:
        """Raise ValueError when the values cannot make a screen."""
        self.screen()

    def screen(self) -> "SimulateSettings":
        """The screen that is painted, as `plates` takes it."""
        from plates.synthetic.settings import SimulateSettings

        return SimulateSettings(**asdict(self.simulate))


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
        "temperature",
        "how probabilities of a crop model are corrected: temperature alone, with an"
        " offset a class (platt), in steps (isotonic), or none",
        choices=("none", "temperature", "platt", "isotonic"),
    )
    out: str = key("", "folder of the new model; empty = models/CAMPAIGN", "path")
    seed: int = key(1, "seed of weights, order and variation", low=0, high=2**31 - 1)
    network: NetworkSettings = part(NetworkSettings, "the scoring network")
    finder: FinderSettings = part(FinderSettings, "how cells are found")
    intensity: IntensitySettings = part(IntensitySettings, "scale of intensities")
    anchors: AnchorsSettings = part(AnchorsSettings, "the wells to learn from")
    optimizer: OptimizerSettings = part(OptimizerSettings, "how weights are moved")
    augment: AugmentSettings = part(AugmentSettings, "how crops are varied")
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


@dataclass
class CompareVerb:
    """Rank trained models by how they did on groups they never saw.

    Reads what each training wrote beside its model and shows one table, with every
    setting in which they differ.
    """

    runs: list[str] = key([], "model folders, or folders that hold some", "path")
    out: str = key("", "folder of leaderboard.csv; empty = shown only", "path")

    def check(self) -> None:
        """Raise ValueError without a folder."""
        if not self.runs:
            raise ValueError("give runs=[FOLDER,...], at least one")


@dataclass
class ScoreVerb:
    """Score every cell of every well and commit a record for each well.

    The long step. It may be stopped at any time: the same command goes on where it
    was, and the result is the same to the byte.
    """

    campaign: str = key(REQUIRED, "campaign to score", "path")
    model: str = key(REQUIRED, "model of the verb train", "path")
    run: str = key("", "name of the run; empty = the campaign's name")
    runs: str = key("runs", "folder that holds all runs", "path")
    cluster: ClusterSettings = part(ClusterSettings, "where the work is done")
    minibatch: int = key(
        64, "cells in one call of the network", "cells", low=1, high=4096
    )
    min_fields_share: float = key(
        0.666, "least share of good fields for a score", "share", low=0, high=1
    )
    allow_pixel_size: bool = key(
        False, "score plates of another pixel size than the model learnt at"
    )
    ledger: LedgerSettings = part(LedgerSettings, "records of an earlier run")
    lock: LockSettings = part(LockSettings, "lock of another run")
    quarantine: QuarantineSettings = part(QuarantineSettings, "wells set aside")

    def check(self) -> None:
        """Raise ValueError when an address is needed and not given, or given and not used."""
        if (self.cluster.kind == "address") != bool(self.cluster.address):
            raise ValueError(
                "cluster.address goes with cluster=address and only with it"
            )


@dataclass
class CallVerb:
    """Normalise the scores, judge the plates, call and rank the hits.

    Reads the records of a scored run; may be repeated at will with other settings.
    Writes hits, compounds and plates as Parquet and CSV, and hits.zarr.
    """

    run: str = key("", "name of the run; empty = the campaign's name")
    runs: str = key("runs", "folder that holds all runs", "path")
    campaign: str = key("", "campaign; empty = the one the run scored", "path")
    out: str = key("", "folder of the tables; empty = the run's own", "path")
    direction: str = key(
        "lower",
        "lower = fewer senescent cells is better",
        choices=("lower", "higher"),
    )
    merge: bool = key(False, "judge compounds of one parent structure as one")
    anchors: AnchorsSettings = part(AnchorsSettings, "the two ends of the scale")
    decision: DecisionSettings = part(DecisionSettings, "thresholds of the calls")
    qc: QualitySettings = part(QualitySettings, "which fields can be believed")

    def check(self) -> None:
        """Raise ValueError when the anchors do not name two kinds of wells, or the
        limits of a field's quality do not fit together."""
        self.anchors.check()
        self.qc.check()


@dataclass
class ReportVerb:
    """Write one HTML file with plates, quality, ranked hits, structures and cells."""

    run: str = key(REQUIRED, "name of the run")
    runs: str = key("runs", "folder that holds all runs", "path")
    out: str = key("", "folder of the tables and report; empty = the run's own", "path")
    top: int = key(40, "compounds shown in full", "compounds", low=1, high=10000)
    cells_per_compound: int = key(
        6, "cell pictures of a compound", "cells", low=0, high=100
    )


@dataclass
class RunVerb(ScoreVerb, CallVerb, ReportVerb):
    """The overnight job: score, call and report, one after the other.

    Running the same command again goes on where it stopped.
    """

    def check(self) -> None:
        """Raise ValueError when a step's settings do not fit together."""
        ScoreVerb.check(self)
        CallVerb.check(self)


@dataclass
class PlanVerb(ScoreVerb):
    """Say beforehand what a run would read and write, and start nothing."""


@dataclass
class VerifyVerb:
    """Prove that a run's files are what the run wrote, by their checksums.

    Ends with exit code 7 and the names of the files when one is changed or gone.
    """

    run: str = key(REQUIRED, "name of the run")
    runs: str = key("runs", "folder that holds all runs", "path")


VERBS: dict[str, type] = {
    "simulate": SimulateVerb,
    "ingest": IngestVerb,
    "train": TrainVerb,
    "tune": TuneVerb,
    "compare": CompareVerb,
    "score": ScoreVerb,
    "call": CallVerb,
    "report": ReportVerb,
    "run": RunVerb,
    "plan": PlanVerb,
    "verify": VerifyVerb,
}
