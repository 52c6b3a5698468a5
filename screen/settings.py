"""The settings of every verb: what may be set, its default, unit and meaning."""

# ruff: noqa: RUF009 - key() and part() return dataclass fields, made once a class

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from screen.cluster_settings import ClusterSettings as ClusterSettings
from screen.curve_settings import CurveSettings as CurveSettings
from screen.decision_settings import DecisionSettings as DecisionSettings
from screen.evaluation_groups import EvaluationSettings as EvaluationSettings
from screen.explain_settings import ExplainVerb as ExplainVerb
from screen.export_settings import ExportVerb as ExportVerb
from screen.field_groups import FinderSettings as FinderSettings
from screen.field_groups import IntensitySettings as IntensitySettings
from screen.field_groups import QualitySettings as QualitySettings
from screen.groups import DEVICE_HELP, DEVICES, key, light_module, part, settable
from screen.groups import REQUIRED as REQUIRED
from screen.groups import AnchorSettings as AnchorSettings
from screen.groups import AnchorsSettings as AnchorsSettings
from screen.groups import LedgerSettings as LedgerSettings
from screen.groups import LockSettings as LockSettings
from screen.groups import NetworkSettings as NetworkSettings
from screen.groups import QuarantineSettings as QuarantineSettings
from screen.ingest_settings import IngestVerb as IngestVerb
from screen.orthogonal_settings import HELP as ORTHOGONAL_HELP
from screen.orthogonal_settings import orthogonal_of
from screen.readout_settings import ReadoutKeys as ReadoutKeys
from screen.report_settings import ReportVerb as ReportVerb
from screen.train_settings import TrainVerb as TrainVerb
from screen.train_settings import TuneVerb as TuneVerb
from screen.view_settings import ViewVerb as ViewVerb

if TYPE_CHECKING:
    from plates.synthetic.crop_sets.settings import AgeSettings as AgeGroup
    from plates.synthetic.crop_sets.settings import ColourSettings as ColourGroup
    from plates.synthetic.crop_sets.settings import DonorSettings as DonorGroup
    from plates.synthetic.settings import SimulateSettings
    from plates.synthetic.settings import SimulateSettings as SimulateGroup
else:
    SimulateGroup = settable(light_module("plates.synthetic.settings").SimulateSettings)
    _sets = light_module("plates.synthetic.crop_sets.settings")
    DonorGroup = settable(_sets.DonorSettings)
    AgeGroup = settable(_sets.AgeSettings)
    ColourGroup = settable(_sets.ColourSettings)


@dataclass
class VirtualSettings:
    """How large and how hard the virtual crop sets are."""

    donors: DonorGroup = part(DonorGroup, "cells of patients and controls")
    ages: AgeGroup = part(AgeGroup, "pictures of people of known age")
    colours: ColourGroup = part(ColourGroup, "primary and secondary cells of tissue")


@dataclass
class SimulateVerb:
    """Make a virtual drug screen with known truth.

    Writes a campaign: plates, plate map, compound library, and the answers; or, with
    kind=donors, ages or colours, a set of labelled crops for the verb train, and the
    best that any network can reach on it.
    """

    kind: str = key(
        "screen",
        "what is made: a campaign (screen), or crops of donors, ages or colours",
        choices=("screen", "donors", "ages", "colours"),
    )
    out: str = key("campaigns/virtual", "folder of what is made", "path")
    seed: int = key(1, "another seed makes another screen", low=0, high=2**31 - 1)
    workers: int = key(0, "processes that paint; 0 = one a core", low=0, high=256)
    simulate: SimulateGroup = part(SimulateGroup, "the screen that is painted")
    virtual: VirtualSettings = part(VirtualSettings, "the crops that are painted")

    def check(self) -> None:
        """Raise ValueError when the values cannot make a screen or the crops."""
        self.screen()
        self.crop_set()

    def crop_set(self) -> "DonorGroup | AgeGroup | ColourGroup | None":
        """The settings of the crops that `kind` asks for, as `plates` takes them; None
        for a screen."""
        from plates.synthetic.crop_sets import settings as sets

        if self.kind == "donors":
            return sets.DonorSettings(**asdict(self.virtual.donors))
        if self.kind == "ages":
            return sets.AgeSettings(**asdict(self.virtual.ages))
        if self.kind == "colours":
            return sets.ColourSettings(**asdict(self.virtual.colours))
        return None

    def screen(self) -> "SimulateSettings":
        """The screen that is painted, as `plates` takes it."""
        from plates.synthetic.settings import SimulateSettings

        return SimulateSettings(**asdict(self.simulate))


@dataclass
class CompareVerb:
    """Rank trained models by how they did on groups they never saw.

    Reads what each training wrote beside its model and shows one table, with every
    setting in which they differ.
    """

    runs: list[str] = key(
        ["models"], "model folders, or folders that hold some", "path"
    )
    out: str = key("", "folder of leaderboard.csv; empty = shown only", "path")


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
    device: str = key("auto", DEVICE_HELP, choices=DEVICES)
    minibatch: int = key(
        64, "cells in one call of the network", "cells", low=1, high=4096
    )
    precision: str = key(
        "float32",
        "what networks compute in; tf32 and bfloat16 are for GPUs",
        choices=("float32", "tf32", "bfloat16"),
    )
    max_field_mpx: float = key(
        100.0, "larger fields are scored window by window", "Mpx", low=0.01, high=1000
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
class CallSettings:
    """How wells are normalised, judged and called, wherever their read-outs come from."""

    run: str = key("", "name of the run; empty = the campaign's or the table's name")
    runs: str = key("runs", "folder that holds all runs", "path")
    campaign: str = key("", "campaign; empty = the one the run scored", "path")
    out: str = key("", "folder of the tables; empty = the run's own", "path")
    direction: str = key(
        "lower",
        "lower = fewer senescent cells is better",
        choices=("lower", "higher"),
    )
    merge: bool = key(False, "judge compounds of one parent structure as one")
    exclusions: str = key(
        "",
        "table of wells to leave out by hand: plate, well, reason, who, when",
        "path",
    )
    verdicts: str = key(
        "",
        "table of compounds approved or rejected by hand: compound, verdict, reason,"
        " who, when, and stage (primary, confirmed, validated) if known",
        "path",
    )
    orthogonal: list[str] = key([], ORTHOGONAL_HELP)
    anchors: AnchorsSettings = part(AnchorsSettings, "the two ends of the scale")
    decision: DecisionSettings = part(DecisionSettings, "thresholds of the calls")
    qc: QualitySettings = part(QualitySettings, "which fields can be believed")
    curves: CurveSettings = part(CurveSettings, "curves over doses")

    def check(self) -> None:
        """Raise ValueError when the anchors do not name two kinds of wells, the limits
        of a field's quality do not fit together, or an orthogonal table is not named so."""
        self.anchors.check()
        orthogonal_of(self.orthogonal)
        self.qc.check()
        self.curves.check()


@dataclass
class CallVerb(ReadoutKeys, CallSettings):
    """Normalise the scores, judge the plates, call and rank the hits.

    Reads the records of a scored run, or with table= and map= the read-outs of another
    program; may be repeated at will with other settings. Writes hits, compounds and
    plates as Parquet and CSV, and hits.zarr.
    """

    def check(self) -> None:
        """Raise ValueError when the settings do not fit together."""
        CallSettings.check(self)
        self.check_readout(self.campaign)


@dataclass
class RunVerb(ScoreVerb, CallSettings, ReportVerb):
    """The overnight job: score, call and report, one after the other.

    Running the same command again goes on where it stopped.
    """

    def check(self) -> None:
        """Raise ValueError when a step's settings do not fit together."""
        ScoreVerb.check(self)
        CallSettings.check(self)


@dataclass
class PlanVerb(ScoreVerb):
    """Say beforehand what a run would read, take and write.

    A probe of half a minute scores a few wells, keeps nothing of them, and foretells
    time, memory, cells and output; nothing of the run is started.
    """

    probe: bool = key(True, "score a few wells first; false = metadata only")


@dataclass
class StatusVerb:
    """Say how far a run is, from another terminal and while it works.

    Reads the run's folder alone and changes nothing: wells done and expected by plate,
    pace and time left, whether its owner lives, the latest events, how it ended.
    """

    run: str = key(REQUIRED, "name of the run")
    runs: str = key("runs", "folder that holds all runs", "path")
    json: bool = key(False, "one JSON object in place of text")


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
    "status": StatusVerb,
    "view": ViewVerb,
    "explain": ExplainVerb,
    "export": ExportVerb,
    "verify": VerifyVerb,
}
