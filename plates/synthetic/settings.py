"""What a virtual screen holds and how hard it is: one flat, validated record."""

import math
from dataclasses import dataclass

KINDS = (
    "inert",
    "rescue",
    "toxic",
    "senolytic",
    "dilution",
    "cytostatic",
    "inducer",
    "other",
    "artefact",
)
STYLES = ("fluorescence", "phase", "nuclei")


@dataclass(frozen=True)
class SimulateSettings:
    """All settings of a virtual screen; defaults are the frozen reference screen.

    Raises ValueError, naming the setting, when a value cannot make a screen.
    """

    name: str = "reference"
    style: str = "fluorescence"  # fluorescence | phase | nuclei (real nuclei, `bank`)

    # plates
    n_plates: int = 2  # replicate plates with the same treatments
    n_wells: int = 384  # plate format
    n_fields: int = 1  # fields a well; the cells of a well are shared among them
    field_px: int = 540  # side of a field, pixels
    pixel_size_um: float = 1.3  # micrometres a pixel
    control_columns: tuple[int, ...] = (1, 2, 23, 24)  # one-based, an even number
    randomise_replicates: bool = True  # every replicate plate has its own layout

    # compounds, how many of each class
    n_inert: int = 107
    n_rescue: int = 15
    n_toxic: int = 8
    n_senolytic: int = 8
    n_dilution: int = 8
    n_cytostatic: int = 8
    n_inducer: int = 8
    n_other: int = 8
    n_artefact: int = 8
    top_dose_um: float = 10.0  # highest dose, micromolar
    dose_step: float = 3.0  # ratio of neighbouring doses
    rescue_min: float = 0.3  # smallest true rescue, share of the window closed
    rescue_max: float = 1.0  # largest true rescue, share of the window closed
    rescue_weak_share: float = 0.27  # share of rescue compounds below 0.5

    # cells
    cells_per_well: float = 200.0  # mean cell number of the stressed vehicle
    cells_cv: float = 0.095  # well-to-well spread of the cell number, sd of the log
    healthy_growth: float = 1.0  # cell number of the unstressed vehicle / stressed
    stressed_rate: float = 0.78  # senescent share, stressed vehicle
    healthy_rate: float = 0.11  # senescent share, unstressed vehicle
    well_logit_sd: float = 0.32  # well-to-well spread of the senescent rate, logit
    healthy_spread: float = 0.75  # spread of unstressed wells, share of that above
    edge_logit: float = 0.12  # more senescence in rim wells, logit
    edge_count: float = 0.06  # share of the cells missing in rim wells
    gradient_logit: float = 0.10  # half height of a smooth slope over a plate, logit
    plate_logit_sd: float = 0.10  # plate drift of the senescent rate, logit
    separation: float = 2.15  # distance of the two states, sd of a cell's age
    well_age_sd: float = 0.02  # well-to-well shift in the look of all cells, sd of age

    # optics
    illumination: float = 0.18  # loss of light from the brightest point to a corner
    blur_px: float = 0.8  # focus blur of a good field, Gaussian sigma, pixels
    blur_sd: float = 0.08  # spread of that blur between fields, sd of the log
    unfocused_px: float = 5.0  # blur of an unfocused field, pixels
    background_counts: float = 220.0  # camera counts without a cell
    nucleus_counts: float = 1500.0  # camera counts of a typical nucleus
    body_counts: float = 700.0  # camera counts of a typical cell body
    counts_per_photon: float = 1.5  # shot noise: variance = signal * this
    read_noise_counts: float = 8.0  # sd of the read noise
    plate_gain_sd: float = 0.06  # plate drift of brightness, sd of the log
    well_gain_sd: float = 0.02  # well-to-well spread of brightness, sd of the log

    # accidents, a plate
    n_dead_wells: int = 1  # treatment wells that hold almost no cell
    n_unfocused: int = 1  # treatment wells with an unfocused field
    debris_per_field: float = 2.0  # mean number of bright specks

    # real nuclei (style nuclei)
    bank: str | None = None  # folder with nuclei.csv and nuclei.zip
    bank_species: str = "mouse"  # mouse | human
    bank_leaked: bool = False  # true: every well is painted from every image
    bank_scale: float = 0.35  # virtual pixels a pixel of the real crop

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "control_columns", tuple(int(c) for c in self.control_columns)
        )
        problems = [text for wrong, text in self._rules() if wrong]
        if problems:
            raise ValueError("; ".join(problems))

    def _rules(self) -> list[tuple[bool, str]]:
        n_treatment = self.n_wells - self.n_rows * len(self.control_columns)
        counts = tuple(getattr(self, f"n_{kind}") for kind in KINDS)
        real = self.style == "nuclei"
        columns = self.control_columns
        return [
            (self.style not in STYLES, f"style must be one of {STYLES}: {self.style}"),
            (
                real != (self.bank is not None),
                f"bank goes with style=nuclei and only with it: {self.style}, {self.bank}",
            ),
            (self.n_plates < 1, f"n_plates must be at least 1: {self.n_plates}"),
            (self.n_fields < 1, f"n_fields must be at least 1: {self.n_fields}"),
            (self.field_px < 64, f"field_px must be at least 64: {self.field_px}"),
            (
                len(columns) % 2 == 1
                or len(set(columns)) < len(columns)
                or not columns
                or min(columns) < 1
                or max(columns) > self.n_wells // self.n_rows,
                f"control_columns must be an even number of columns: {columns}",
            ),
            (min(counts) < 0, f"compound counts must not be negative: {counts}"),
            (
                not 0 < sum(counts) <= n_treatment,
                f"compounds must be 1 to {n_treatment} (treatment wells): {sum(counts)}",
            ),
            (
                self.n_dead_wells + self.n_unfocused > n_treatment,
                "dead and unfocused wells exceed the treatment wells",
            ),
            (
                not 0 < self.healthy_rate < self.stressed_rate < 1,
                "rates must hold 0 < healthy_rate < stressed_rate < 1: "
                f"{self.healthy_rate}, {self.stressed_rate}",
            ),
        ]

    @property
    def n_rows(self) -> int:
        """Rows of the plate format (two rows for every three columns)."""
        return max(1, round(math.sqrt(self.n_wells * 2 / 3)))

    @property
    def n_compounds(self) -> int:
        """Compounds of all classes together."""
        return sum(int(getattr(self, f"n_{kind}")) for kind in KINDS)

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names of the style."""
        return {
            "fluorescence": ("nucleus", "body"),
            "phase": ("phase",),
            "nuclei": ("nucleus",),
        }[self.style]
