"""The groups of settings that verbs share: one small dataclass for each concern."""

import inspect
import re
import sys
from dataclasses import dataclass, field, fields, make_dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, get_origin, get_type_hints

from screen.normalizer_names import NORMALIZERS

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
    metadata = {
        "help": help,
        "unit": unit,
        "choices": choices,
        "low": low,
        "high": high,
    }
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def part(cls: type, help: str) -> Any:
    """A nested group of keys with its meaning."""
    return field(default_factory=cls, metadata={"help": help})


def light_module(name: str) -> ModuleType:
    """A module run from its file alone, beside the real one.

    Importing it by name would run its package's face first, which loads the whole
    image store; `--help` must not wait for that.
    """
    path = Path(__file__).parents[1].joinpath(*name.split(".")).with_suffix(".py")
    spec = spec_from_file_location(f"screen.light.{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module {name} at {path}")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def settable(cls: type) -> type:
    """A mutable twin of a frozen dataclass, as settings need it while they are composed.

    The comment that follows a field in the source is its help text.
    """
    hints = get_type_hints(cls)
    comments = dict(
        re.findall(r"^    (\w+): [^#\n]*#\s*(.*)$", inspect.getsource(cls), re.M)
    )
    twins = []
    for item in fields(cls):
        is_list = get_origin(hints[item.name]) is tuple
        hint = list[int] if is_list else hints[item.name]
        default: Any = item.default
        default = list(default) if is_list else default
        name = re.sub("^n_", "number of ", item.name).replace("_", " ")
        twins.append((item.name, hint, key(default, comments.get(item.name, name))))
    return make_dataclass(cls.__name__, twins)


DEVICES = ("auto", "cpu", "gpu")
DEVICE_HELP = "what computes; auto = a GPU where there is one, named when done"


@dataclass
class NetworkSettings:
    """Which scoring network looks at a cell, and through which window."""

    name: str = key(
        "compact",
        "network of the registry",
        choices=(
            "compact",
            "compact_small",
            "compact_large",
            "compact_wide",
            "sesmo",
            "resnet18",
            "resnet50",
            "vgg16",
        ),
    )
    crop_px: int = key(32, "side of the window after binning", "px", low=8, high=512)
    window: bool = key(
        True, "fade the rim of a crop, so that a cell's neighbours count little"
    )
    bin: int = key(1, "pixels averaged per side before cropping", choices=(1, 2, 4))
    width: float = key(1.0, "factor on the channels of all layers", low=0.01, high=8)
    weights: str = key(
        "", "file to begin from (.pth, .safetensors, Keras .h5); empty = random"
    )
    first_conv: str = key(
        "refuse",
        "weights for other channels: refuse, mean filter for all, filters in turn",
        choices=("refuse", "mean", "repeat"),
    )
    new_dense: bool = key(False, "dense layers start at random, whatever weights has")


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

    def check(self) -> None:
        """Raise ValueError when an anchor says nothing, or both say the same."""
        for name, anchor in (("senescent", self.senescent), ("healthy", self.healthy)):
            if not (anchor.role or anchor.state or anchor.compound):
                raise ValueError(
                    f"anchors.{name} takes every well; give anchors.{name}.compound"
                )
        if self.senescent == self.healthy:
            raise ValueError("anchors.senescent and anchors.healthy are the same wells")


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
    adjustment: str = key(
        "bh",
        "how p becomes q: bh = Benjamini-Hochberg, by = for any dependence, local = the chance that this compound is null",
        choices=("bh", "by", "local"),
    )
    min_effect: float = key(
        0.2, "least rescue of a hit; 0 = stressed, 1 = healthy", "window", low=0, high=2
    )
    z_prime_min: float = key(
        0.3, "a plate whose whole Z' interval lies below fails", low=-10, high=1
    )
    min_cells: int = key(20, "fewest cells of a well that counts", "cells", low=1)
    min_anchor_wells: int = key(
        3, "fewest wells of an anchor, a plate and network", "wells", low=2
    )
    min_relative_count: float = key(
        0.7, "a compound with fewer cells is never a rescue", "vehicle", low=0, high=1
    )
    min_relative_gain: float = key(
        1.25, "more cells than this are a gain in number", "vehicle", low=1, high=100
    )
    dead_below: float = key(
        0.15, "with fewer cells their look says nothing", "vehicle", low=0, high=1
    )
    min_z: float = key(
        3.0, "least score of a hit where there is no rescue scale", "robust z", low=0
    )
    min_other_kept: float = key(
        0.8, "least share of non-senescent cells a senolytic leaves", low=0, high=1
    )
    min_replicates: int = key(
        2, "usable wells a hit needs at its dose, where planned", "wells", low=1
    )
    normalizer: str = key(
        "auto",
        "what is done about a plate's places before its scale; auto = only what it shows",
        choices=NORMALIZERS,
    )
    count_z_max: float = key(
        6.0, "a control well with an odder cell number is left out", "robust z", low=2
    )
    focus_z_min: float = key(
        -8.0, "a well with a lower log focus is left out", "robust z", high=-1
    )
    background_z_max: float = key(
        6.0, "brighter background makes an artefact", "robust z", low=1
    )
    background_rise_min: float = key(
        0.03, "least rise of the background that counts", "share", low=0, high=10
    )
    channel_rise_min: float = key(0.2, "least rise of a channel", "share", low=0.01)
    saturation_rise_min: float = key(0.02, "the same of saturation", "share", low=1e-3)
    off_axis_max: float = key(
        5.0, "farther from the healthy-senescent axis is another phenotype", low=1
    )
    margin_min: float = key(
        2.0, "least lead of rescue over the next class", "chi-square", low=0
    )
    misfit_p_min: float = key(
        0.0005, "a class that fits worse is not named", "p", low=0, high=0.5
    )
    senescent_share_stressed: float = key(
        0.75, "assumed true share in the stressed vehicle", "share", low=0.01, high=0.99
    )
    senescent_share_healthy: float = key(
        0.13, "assumed true share in the healthy vehicle", "share", low=0.0, high=0.98
    )
    count_tolerance: float = key(
        0.06, "sd of log cell number that no class explains", low=0, high=1
    )
    rescue_tolerance: float = key(
        0.03, "sd of rescue that no class explains", "window", low=0, high=1
    )
    density_max_share: float = key(
        0.2, "score may move so far over the range of cell numbers", "window", low=0
    )
    shortcut_alpha: float = key(
        0.02, "chance of a false alarm of the shortcut audit", low=1e-3, high=0.5
    )
    shortcut_min_share: float = key(
        0.1, "a smaller drift of vehicle wells over the plate is none", "window", low=0
    )
    shortcut_seen_share: float = key(
        0.3, "drift the shortcut audit must be able to see to pass", "window", low=0
    )
    keep_failed_plates: bool = key(False, "let wells of failed plates make hits")
    level: float = key(0.95, "coverage of every interval", "share", low=0.5, high=0.999)
    seed: int = key(0, "seed of the Monte Carlo intervals", low=0, high=2**31 - 1)
