"""The settings of every verb: what may be set, its default, unit and meaning."""

# ruff: noqa: RUF009 - key() and part() return dataclass fields, made once a class

from dataclasses import dataclass
from typing import Any

from screen.groups import REQUIRED as REQUIRED
from screen.groups import AnchorSettings as AnchorSettings
from screen.groups import AnchorsSettings as AnchorsSettings
from screen.groups import AugmentSettings as AugmentSettings
from screen.groups import ClusterSettings as ClusterSettings
from screen.groups import DecisionSettings as DecisionSettings
from screen.groups import FinderSettings as FinderSettings
from screen.groups import IntensitySettings as IntensitySettings
from screen.groups import LedgerSettings as LedgerSettings
from screen.groups import LockSettings as LockSettings
from screen.groups import NetworkSettings as NetworkSettings
from screen.groups import OptimizerSettings as OptimizerSettings
from screen.groups import QuarantineSettings as QuarantineSettings
from screen.groups import key, part

A01_PATTERN = (
    r"(?P<well>[A-Za-z]{1,2}\d{1,2})"
    r"(?:[_-][fs](?P<field>\d+))?(?:[_-](?P<channel>[A-Za-z]\w*))?\.tiff?$"
)


@dataclass
class SimulateVerb:
    """Make a virtual drug screen with known truth: plates, map, library, answers."""

    out: str = key("campaigns/virtual", "folder of the new campaign", "path")
    seed: int = key(1, "another seed makes another screen", low=0, high=2**31 - 1)
    workers: int = key(0, "processes that paint; 0 = one a core", low=0, high=256)
    simulate: dict[str, Any] = part(dict, "the screen that is painted")


@dataclass
class IngestVerb:
    """Turn the image files of an instrument into one OME-Zarr campaign."""

    source: str = key(REQUIRED, "folder with the TIFF files", "path")
    map: str = key(REQUIRED, "plate map, a CSV with a row per well", "path")
    out: str = key(REQUIRED, "folder of the new campaign", "path")
    pattern: str = key(
        A01_PATTERN,
        "regular expression on a file's path with named groups well (or row and"
        " column), field, channel, plate",
    )
    library: str = key("", "compound file, a CSV with compound and smiles", "path")
    plate: str = key("", "plate id, when the pattern has no group plate")
    n_wells: int = key(
        96, "plate format", "wells", choices=(6, 12, 24, 48, 96, 384, 1536)
    )
    channels: list[str] = key([], "channel names in the order of the pages")
    pixel_size_um: float = key(
        REQUIRED, "side of a pixel in the sample", "um", low=1e-3, high=1e3
    )
    dry_run: bool = key(False, "show what the pattern finds and write nothing")
    threads: int = key(2, "files read at once", "threads", low=1, high=64)


@dataclass
class TrainVerb:
    """Teach a network on control wells to tell senescent from healthy cells."""

    campaign: str = key(REQUIRED, "campaign with control wells", "path")
    out: str = key("", "folder of the new model; empty = models/CAMPAIGN", "path")
    seed: int = key(1, "seed of weights, order and variation", low=0, high=2**31 - 1)
    network: NetworkSettings = part(NetworkSettings, "the scoring network")
    finder: FinderSettings = part(FinderSettings, "how cells are found")
    intensity: IntensitySettings = part(IntensitySettings, "scale of intensities")
    anchors: AnchorsSettings = part(AnchorsSettings, "the wells to learn from")
    optimizer: OptimizerSettings = part(OptimizerSettings, "how weights are moved")
    augment: AugmentSettings = part(AugmentSettings, "how crops are varied")
    split: str = key(
        "auto",
        "which wells a network never sees: whole plates, halves of the controls, or"
        " all but the teaching wells; auto = plates from 4 plates on, else halves",
        choices=("auto", "plates", "halves", "teaching"),
    )
    epochs: int = key(8, "passes over the cells", "epochs", low=1, high=10000)
    batch: int = key(128, "cells of one step", "cells", low=2, high=8192)
    label_smoothing: float = key(
        0.05, "share of a label given to the other state", "share", low=0, high=0.5
    )
    max_cells_per_well: int = key(
        400, "most cells of one well in training", "cells", low=1, high=100000
    )
    threshold: float = key(
        0.5, "a cell with a higher probability counts as senescent", low=0, high=1
    )


@dataclass
class ScoreVerb:
    """Score every cell of every well and commit a record for each well."""

    campaign: str = key(REQUIRED, "campaign to score", "path")
    model: str = key(REQUIRED, "model of the verb train", "path")
    run: str = key("", "name of the run; empty = the campaign's name")
    runs: str = key("runs", "folder that holds all runs", "path")
    cluster: ClusterSettings = part(ClusterSettings, "where the work is done")
    minibatch: int = key(
        64, "cells in one call of the network", "cells", low=1, high=4096
    )
    min_fields_share: float = key(
        0.6667, "least share of good fields for a score", "share", low=0, high=1
    )
    ledger: LedgerSettings = part(LedgerSettings, "records of an earlier run")
    lock: LockSettings = part(LockSettings, "lock of another run")
    quarantine: QuarantineSettings = part(QuarantineSettings, "wells set aside")


@dataclass
class CallVerb:
    """Normalise the scores, judge the plates, call and rank the hits."""

    run: str = key("", "name of the run; empty = the campaign's name")
    runs: str = key("runs", "folder that holds all runs", "path")
    campaign: str = key("", "campaign; empty = the one the run scored", "path")
    out: str = key("", "folder of the tables; empty = the run's own", "path")
    direction: str = key(
        "lower",
        "lower = fewer senescent cells is better",
        choices=("lower", "higher"),
    )
    anchors: AnchorsSettings = part(AnchorsSettings, "the two ends of the scale")
    decision: DecisionSettings = part(DecisionSettings, "thresholds of the calls")


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
    """The overnight job: score, call and report, one after the other."""


@dataclass
class PlanVerb(ScoreVerb):
    """Say beforehand what a run would read and write, and start nothing."""


@dataclass
class VerifyVerb:
    """Prove that a run's files are what the run wrote, by their checksums."""

    run: str = key(REQUIRED, "name of the run")
    runs: str = key("runs", "folder that holds all runs", "path")


VERBS: dict[str, type] = {
    "simulate": SimulateVerb,
    "ingest": IngestVerb,
    "train": TrainVerb,
    "score": ScoreVerb,
    "call": CallVerb,
    "report": ReportVerb,
    "run": RunVerb,
    "plan": PlanVerb,
    "verify": VerifyVerb,
}
