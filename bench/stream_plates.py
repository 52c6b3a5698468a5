"""The plates and the model of the stream bench: fields of 2160 x 2160, 300 cells each."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from plates.campaign import Campaign, PlateEntry, write_campaign
from plates.store import open_plate, plate_writer, read_field
from plates.synthetic.settings import KINDS
from screen import simulate, train
from screen.compose import settings_of

FIELD_PX = 2160
PIXEL_UM = 0.325
N_CELLS = 310
"""Of the stressed vehicle; wells at the rim hold fewer."""
N_PLATES = 4
"""From four on each plate is scored by the one network that saw none of its wells."""
OFFSET_PX = 96
"""How far a third and fourth channel are shifted: other stains, as costly to decode."""


@dataclass(frozen=True)
class Prepared:
    """A campaign, the model taught on it and the table of its true cells."""

    campaign: Path
    model: Path
    truth: Path
    n_channels: int


def painted(root: Path, *, n_wells: int, seed: int) -> Path:
    """A virtual screen of two-channel plates whose wells hold 300 ± 30 cells."""
    out = root / "painted"
    absent = [k for k in KINDS if k not in ("inert", "rescue")]
    words = [
        "simulate=tiny",
        f"simulate.field_px={FIELD_PX}",
        f"simulate.pixel_size_um={PIXEL_UM}",
        f"simulate.cells_per_well={N_CELLS}",
        "simulate.blur_px=2.0",
        f"simulate.n_plates={N_PLATES}",
        f"simulate.n_wells={n_wells}",
        "simulate.n_dead_wells=0",
        *(f"simulate.n_{kind}=0" for kind in absent),
        f"simulate.n_inert={n_wells // 4}",
    ]
    simulate.run(settings_of("simulate", [*words, f"out={out}", f"seed={seed}"]))
    return out


def with_channels(source: Path, root: Path, n_channels: int) -> Path:
    """The same screen with one stain, or with four of which two are shifted copies."""
    campaign, folder = Campaign.open(source), root / f"channels-{n_channels}"
    entries = []
    for entry in campaign.plates:
        path = folder / "plates" / entry.path.name
        path.parent.mkdir(parents=True, exist_ok=True)
        plate = open_plate(entry.path)
        spec = replace(
            plate.spec,
            channels=tuple(f"stain{n + 1}" for n in range(n_channels)),
            field_shape=(n_channels, *plate.spec.field_shape[1:]),
        )
        with plate_writer(path, spec) as write:
            for well in plate.wells:
                write(well, 0, channels_of(read_field(plate, well, 0), n_channels))
        entries.append(PlateEntry(entry.plate, path))
    shutil.copy(source / "map.csv", folder / "map.csv")
    write_campaign(
        folder,
        name=folder.name,
        plate_format=campaign.format,
        plates=entries,
        map_path=folder / "map.csv",
        library_path=None,
    )
    return folder


def channels_of(pixels: np.ndarray, n_channels: int) -> np.ndarray:
    """The first channel alone, or both and shifted copies of them, [c y x]."""
    if n_channels <= len(pixels):
        return np.ascontiguousarray(pixels[:n_channels])
    shifted = np.roll(pixels, OFFSET_PX, axis=(1, 2))
    return np.ascontiguousarray(np.concatenate([pixels, shifted])[:n_channels])


def taught(campaign: Path, root: Path, *, epochs: int) -> Path:
    """The house network on nuclei binned by four, by the settings that ship."""
    out = root / f"model-{campaign.name}"
    words = ["network=compact", "network.bin=4", "finder=nuclei", f"epochs={epochs}"]
    train.run(settings_of("train", [f"campaign={campaign}", f"out={out}", *words]))
    return out


def prepare(
    root: Path, n_channels: int, *, n_wells: int, epochs: int, seed: int
) -> Prepared:
    """Paint once, choose the channels, teach."""
    source = root / "painted"
    if not source.is_dir():
        painted(root, n_wells=n_wells, seed=seed)
    campaign = with_channels(source, root, n_channels)
    model = taught(campaign, root, epochs=epochs)
    return Prepared(campaign, model, source / "truth_cells.parquet", n_channels)
