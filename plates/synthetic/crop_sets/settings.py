"""How large and how hard the virtual crop sets are: validated records, one a set."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DonorSettings:
    """Cells of donors of two kinds; every donor looks a little of its own.

    Raises ValueError, naming the setting, when a value cannot make a set.
    """

    n_donors: int = 30  # donors of each kind, patients and controls
    n_cells: int = 60  # cells of a donor
    crop_px: int = 40  # side of a crop, pixels
    class_effect: float = 1.35  # distance of the kinds in each of two traits, cell sd
    donor_effect: float = 2.5  # spread of donors in four other traits, cell sd
    donor_overlap: float = 1.2  # spread of donors in the traits of the kinds, cell sd
    noise: float = 2.0  # sd of the camera noise, grey values

    def __post_init__(self) -> None:
        _raise_all(
            (self.n_donors < 2, f"n_donors must be at least 2: {self.n_donors}"),
            (self.n_cells < 1, f"n_cells must be at least 1: {self.n_cells}"),
            _crop_rule(self.crop_px),
            _spread_rule("class_effect", self.class_effect),
            _spread_rule("donor_effect", self.donor_effect),
            _spread_rule("donor_overlap", self.donor_overlap),
            _spread_rule("noise", self.noise),
        )


@dataclass(frozen=True)
class AgeSettings:
    """Pictures of people whose age shows as grey-level structure, never exactly.

    Raises ValueError, naming the setting, when a value cannot make a set.
    """

    n_people: int = 600  # people that age as usual
    n_accelerated: int = 120  # people whose body is older than their years
    n_pictures: int = 2  # pictures of a person
    picture_px: int = 64  # side of a picture, pixels
    youngest: float = 20.0  # lowest age, years
    oldest: float = 90.0  # highest age, years
    age_noise: float = 7.0  # sd of the age that the body shows, years
    gap: float = 6.0  # years by which an accelerated body is older
    noise: float = 2.0  # sd of the camera noise, grey values

    def __post_init__(self) -> None:
        _raise_all(
            (self.n_people < 2, f"n_people must be at least 2: {self.n_people}"),
            (
                self.n_accelerated < 0,
                f"n_accelerated is negative: {self.n_accelerated}",
            ),
            (self.n_pictures < 1, f"n_pictures must be at least 1: {self.n_pictures}"),
            (
                not 24 <= self.picture_px <= 512,
                f"picture_px must be 24 to 512: {self.picture_px}",
            ),
            (
                not 0 <= self.youngest < self.oldest <= 120,
                "ages must hold 0 <= youngest < oldest <= 120: "
                f"{self.youngest}, {self.oldest}",
            ),
            (self.age_noise <= 0, f"age_noise must be above 0: {self.age_noise}"),
            _spread_rule("noise", self.noise),
        )


@dataclass(frozen=True)
class ColourSettings:
    """Cells of tissue sheets in two colours: primary, secondary, or neither.

    Raises ValueError, naming the setting, when a value cannot make a set.
    """

    n_samples: int = 12  # tissue sheets
    n_cells: int = 60  # cells of each of the three kinds in a sheet
    crop_px: int = 32  # side of a crop, pixels
    sheet_um: float = 1500.0  # side of a sheet, micrometres
    reach_um: float = 60.0  # mean distance of a secondary cell from its primary one
    gain: float = 1.5  # natural log of the extra signal in a kind's own colour
    spread: float = 0.5  # sd of the log signal between cells
    sample_spread: float = 0.15  # sd of the log signal between sheets
    bleed: float = 0.3  # share of either colour that shows in the other's channel
    noise: float = 2.0  # sd of the camera noise, grey values

    def __post_init__(self) -> None:
        _raise_all(
            (self.n_samples < 2, f"n_samples must be at least 2: {self.n_samples}"),
            (self.n_cells < 1, f"n_cells must be at least 1: {self.n_cells}"),
            _crop_rule(self.crop_px),
            (self.sheet_um <= 0, f"sheet_um must be above 0: {self.sheet_um}"),
            (self.reach_um <= 0, f"reach_um must be above 0: {self.reach_um}"),
            (self.spread <= 0, f"spread must be above 0: {self.spread}"),
            _spread_rule("gain", self.gain),
            _spread_rule("sample_spread", self.sample_spread),
            (not 0 <= self.bleed < 1, f"bleed must be 0 to 1: {self.bleed}"),
            _spread_rule("noise", self.noise),
        )


def _crop_rule(crop_px: int) -> tuple[bool, str]:
    return not 16 <= crop_px <= 512, f"crop_px must be 16 to 512: {crop_px}"


def _spread_rule(name: str, value: float) -> tuple[bool, str]:
    return not 0 <= value < 100, f"{name} must be 0 or more: {value}"


def _raise_all(*rules: tuple[bool, str]) -> None:
    problems = [text for wrong, text in rules if wrong]
    if problems:
        raise ValueError("; ".join(problems))
