"""The groups of settings that verbs share: one small dataclass for each concern."""

# ruff: noqa: RUF009 - key() and part() return dataclass fields, made once a class

from dataclasses import dataclass, field
from typing import Any

REQUIRED: Any = "???"  # OmegaConf's mark for a value that has no default


def key(
    default: Any,
    help: str,
    unit: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str | int, ...] = (),
) -> Any:
    """A settings key: its default, meaning and unit, and the values it may take."""
    metadata = {"help": help, "unit": unit, "low": low, "high": high}
    metadata |= {"choices": choices}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def part(cls: type, help: str) -> Any:
    """A nested group of keys with its meaning."""
    return field(default_factory=cls, metadata={"help": help})


@dataclass
class NetworkSettings:
    """Which scoring network looks at a cell, and through which window."""

    name: str = key("compact", "network of the registry", choices=("compact", "sesmo"))
    crop_px: int = key(48, "side of the window after binning", "px", low=8, high=512)
    bin: int = key(2, "pixels averaged per side before cropping", choices=(1, 2, 4))


@dataclass
class FinderSettings:
    """How the cells of a field are found."""

    kind: str = key(
        "centres",
        "single cells, or whole-field tiles where there are none",
        choices=("centres", "tiles"),
    )
    channel: str = key("", "channel to look at; empty = the first one")
    polarity: str = key(
        "bright",
        "cells are brighter than, or only rougher than, the background",
        choices=("bright", "texture"),
    )
    radius_um: float = key(5.0, "usual radius of a nucleus", "um", low=0.1, high=500)
    min_contrast: float = key(
        4.0, "least height above background", "background sd", low=0, high=1000
    )
    max_cells: int = key(512, "most cells kept in a field", "cells", low=1, high=16384)
    border_px: int = key(0, "rim of a field without centres", "px", low=0, high=512)


@dataclass
class IntensitySettings:
    """How raw intensities are brought to one scale."""

    kinds: list[str] = key(
        ["fluorescence"],
        "fluorescence or transmitted, one for all channels or one for each",
        choices=("fluorescence", "transmitted"),
    )


@dataclass
class AnchorSettings:
    """Which wells are one end of the scale; an empty key accepts every well."""

    role: str = key(
        "",
        "role in the plate map; empty = any",
        choices=("", "vehicle", "untreated", "reference", "treatment"),
    )
    state: str = key(
        "",
        "state in the plate map; empty = any",
        choices=("", "stressed", "unstressed"),
    )
    compound: str = key("", "compound in the plate map; empty = any")


def _senescent() -> AnchorSettings:
    return AnchorSettings(role="vehicle", state="stressed")


def _healthy() -> AnchorSettings:
    return AnchorSettings(role="vehicle", state="unstressed")


@dataclass
class AnchorsSettings:
    """The two kinds of control wells between which every score is placed."""

    senescent: AnchorSettings = field(
        default_factory=_senescent, metadata={"help": "wells that are senescent"}
    )
    healthy: AnchorSettings = field(
        default_factory=_healthy, metadata={"help": "wells that are healthy"}
    )


@dataclass
class OptimizerSettings:
    """How the network's weights are moved."""

    name: str = key("adamw", "rule of the registry", choices=("adamw", "sgd"))
    learning_rate: float = key(1e-3, "size of a step", low=1e-9, high=100)
    weight_decay: float = key(1e-4, "pull of the weights to zero", low=0, high=10)
    clip_norm: float = key(1.0, "largest gradient norm; 0 = no limit", low=0)
    momentum: float = key(0.9, "share of the last step kept (sgd)", low=0, high=1)


@dataclass
class AugmentSettings:
    """How crops are varied while the network learns."""

    rotate: bool = key(True, "turn by any angle")
    flips: bool = key(True, "mirror left-right and up-down")
    shift_px: float = key(2.0, "largest shift", "px", low=0, high=64)
    gain: float = key(0.2, "largest relative change of brightness", low=0, high=1)
    noise: float = key(0.02, "sd of added noise", "intensity scale", low=0, high=1)


@dataclass
class ClusterSettings:
    """Where the blocks of wells are computed."""

    kind: str = key(
        "local",
        "local worker process, inline in this process, or an existing scheduler",
        choices=("local", "inline", "address"),
    )
    threads: int = key(2, "threads of a worker", "threads", low=1, high=64)
    workers: int = key(1, "worker processes", "processes", low=1, high=256)
    address: str = key("", "scheduler of cluster=address, such as tls://host:8786")
    block_wells: int = key(8, "wells of one task", "wells", low=1, high=1536)
    blocks_in_flight: int = key(
        0, "most tasks handed out at once; 0 = chosen", "blocks", low=0, high=4096
    )


@dataclass
class LedgerSettings:
    """What to do with well records that are there already."""

    new_run: bool = key(False, "set the old records aside and score every well again")


@dataclass
class LockSettings:
    """What to do with the lock of another run on the same folder."""

    break_: bool = key(False, "take the lock over from a run that is known to be dead")


@dataclass
class QuarantineSettings:
    """How many wells may be set aside before the table counts as incomplete."""

    max_share: float = key(
        0.02, "tolerated share of quarantined wells", "share", low=0, high=1
    )
    retry: bool = key(False, "try quarantined wells again")


@dataclass
class DecisionSettings:
    """The thresholds of the hit calls."""

    fdr: float = key(0.05, "false discovery rate of the hits", "share", low=0, high=1)
    min_effect: float = key(
        0.2,
        "least rescue of a hit; 0 = stressed vehicle, 1 = healthy",
        "window",
        low=0,
        high=2,
    )
    z_prime_min: float = key(
        0.3, "a plate whose whole Z' interval lies below fails", low=-10, high=1
    )
    min_cells: int = key(20, "fewest cells of a well that counts", "cells", low=1)
