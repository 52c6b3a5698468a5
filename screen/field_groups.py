"""The groups of settings that say how a field of pixels is looked at."""

# ruff: noqa: RUF009 - key() returns a dataclass field, made once a class

from dataclasses import dataclass

from screen.groups import key


@dataclass
class FinderSettings:
    """How the cells of a field are found."""

    kind: str = key(
        "centres",
        "single cells looked for, whole-field tiles where there are none, centres"
        " given with the campaign, or those of a segmenter",
        choices=("centres", "tiles", "given", "segmenter"),
    )
    channel: str = key("", "channel to look at; empty = the first one")
    polarity: str = key(
        "bright",
        "cells are brighter than, or only rougher than, the background",
        choices=("bright", "texture"),
    )
    radius_um: float = key(5.0, "usual radius of a nucleus", "um", low=0.1, high=500)
    texture_um: float = key(
        0.0, "half side of the window of roughness; 0 = half radius_um", "um", low=0
    )
    min_contrast: float = key(
        4.0, "least height above background", "background sd", low=0, high=1000
    )
    min_share: float = key(
        0.05,
        "least height: share of the channel's scale, or of transmitted light",
        "share",
        low=0,
        high=10,
    )
    min_radius_um: float = key(
        3.5, "smaller objects are debris; 0 = no limit", "um", low=0, high=500
    )
    max_radius_um: float = key(
        0.0, "larger objects are no cells; 0 = no limit", "um", low=0, high=500
    )
    max_cells: int = key(512, "most cells kept in a field", "cells", low=1, high=16384)
    border_px: int = key(
        0,
        "rim of a field without centres; a cell counts where its centre lies",
        "px",
        low=0,
        high=512,
    )
    stride_px: int = key(
        0, "step of the grid of tiles; 0 = crop_px", "binned px", low=0, high=512
    )
    segmenter: str = key("", "installed segmenter that kind=segmenter asks")

    def check(self) -> None:
        """Raise ValueError when a segmenter is needed and not named, or named in vain."""
        if (self.kind == "segmenter") != bool(self.segmenter):
            raise ValueError(
                "finder.segmenter goes with finder.kind=segmenter and only with it"
            )


@dataclass
class IntensitySettings:
    """How raw intensities are brought to one scale."""

    kinds: list[str] = key(
        ["fluorescence"],
        "fluorescence or transmitted, one for all channels or one for each",
        choices=("fluorescence", "transmitted"),
    )
    illumination: str = key(
        "none",
        "how uneven light is made even: not at all, by the profile that ingest"
        " estimated for each plate, or by the one given",
        choices=("none", "estimated", "given"),
    )
    given: str = key("", "light profile of illumination=given, .npy of [c y x]", "path")

    def check(self) -> None:
        """Raise ValueError when a profile is needed and not given, or given and not used."""
        if (self.illumination == "given") != bool(self.given):
            raise ValueError(
                "intensity.given goes with intensity.illumination=given and only with it"
            )


@dataclass
class QualitySettings:
    """Which fields are flagged, each against its plate and channel, and which leave."""

    mode: str = key(
        "show",
        "show: flags and counts only; enforce: flagged fields leave their wells",
        choices=("show", "enforce"),
    )
    enforced: list[str] = key(
        ["OUT_OF_FOCUS", "IMG_SATURATED", "BLANK", "DEBRIS"],
        "flags that make a field leave with mode=enforce; a raised background stays,"
        " so that a fluorescent compound is called an artefact and not lost",
        choices=("OUT_OF_FOCUS", "IMG_SATURATED", "BLANK", "BACKGROUND", "DEBRIS"),
    )
    min_fields_share: float = key(
        0.666, "least share of fields that must stay in a well", "share", low=0, high=1
    )
    focus_z_min: float = key(
        -6.0,
        "a field with a lower power slope, and half as odd a local variance, is blurred",
        "robust z",
        high=-1,
    )
    saturated_warn: float = key(
        0.005,
        "a field with more pixels at the limit is flagged",
        "share",
        low=0,
        high=1,
    )
    saturated_max: float = key(
        0.05, "a field with more pixels at the limit leaves", "share", low=0, high=1
    )
    blank_sd_max: float = key(
        0.25, "least contrast of a lit field", "median of the plate", low=0, high=1
    )
    background_z_max: float = key(
        6.0, "an odder background is flagged", "robust z", low=1
    )
    background_rise_min: float = key(
        0.1, "least change of the background that counts", "share", low=0, high=10
    )
    debris_z_max: float = key(
        6.0, "a field with a larger share of debris is flagged", "robust z", low=1
    )
    debris_min: float = key(
        0.003, "least share of debris that counts", "share", low=0, high=1
    )

    def check(self) -> None:
        """Raise ValueError when the two limits of saturation are the wrong way round."""
        if self.saturated_warn > self.saturated_max:
            raise ValueError("qc.saturated_warn lies above qc.saturated_max")
