"""Real nuclei as paint: a folder of labelled crops, split in halves by source image."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from plates.problems import InputError, Problem
from plates.synthetic.settings import SimulateSettings

STATES = ("cycling", "senescent")
OBJECT_LEVEL = 12  # grey value that JPEG ringing around the masked nucleus stays under
MIN_OBJECT_PX = 100  # smaller objects are fragments that no finder takes for a nucleus
HALF_PX = 32  # half side of a painted window
COLUMNS = ("file", "state", "species", "source_image")


@dataclass(frozen=True)
class NucleusBank:
    """Downscaled nuclei uint8[m, 2h, 2h] by (half, state); halves share no image."""

    images: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    level: float  # mean grey value of all nuclei

    def draw(
        self, half: int | None, senescent: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return f32[n, 2h, 2h] windows, 1 = typical; half None: any image."""
        windows = np.zeros((senescent.size, 2 * HALF_PX, 2 * HALF_PX), np.float32)
        halves = rng.integers(0, 2, senescent.size) if half is None else None
        picks = rng.random(senescent.size)
        turns = rng.uniform(0, 360, senescent.size)
        flips = rng.random(senescent.size) < 0.5
        gains = np.exp(0.05 * rng.standard_normal(senescent.size)) / self.level
        for i, is_senescent in enumerate(senescent.tolist()):
            side = half if half is not None else int(halves[i])  # type: ignore[index]
            pool = self.images[side][int(is_senescent)]
            picture = Image.fromarray(pool[int(picks[i] * len(pool))])
            turned = picture.rotate(turns[i], resample=Image.Resampling.BILINEAR)
            array = np.asarray(turned, dtype=np.float32) * np.float32(gains[i])
            windows[i] = array[:, ::-1] if flips[i] else array
        return windows


def load_bank(settings: SimulateSettings) -> NucleusBank:
    """Read and downscale the crops of one species; raises InputError."""
    folder = Path(str(settings.bank))
    table = _read_table(folder).filter(pl.col("species") == settings.bank_species)
    half_of = split_images(table)
    pools: dict[tuple[int, str], list[np.ndarray]] = {
        (half, state): [] for half in (0, 1) for state in STATES
    }
    levels: list[float] = []
    with zipfile.ZipFile(folder / "nuclei.zip") as archive:
        for file, state, image in table.select("file", "state", "source_image").rows():
            with Image.open(io.BytesIO(archive.read(file))) as picture:
                crop = np.asarray(picture.convert("L"))
            window = _shrink(crop, settings.bank_scale)
            if window is not None:
                pools[half_of[image], state].append(window)
                levels.append(float(crop[crop > OBJECT_LEVEL].mean()))
    thin = [f"half {h} {s}" for (h, s), pool in pools.items() if not pool]
    if thin:
        raise _problem(folder, f"no {settings.bank_species} nuclei in: {thin}")
    both = [tuple(np.stack(pools[half, s]) for s in STATES) for half in (0, 1)]
    return NucleusBank(images=(both[0], both[1]), level=float(np.mean(levels)))  # type: ignore[arg-type]


def split_images(table: pl.DataFrame) -> dict[str, int]:
    """Give each source image a half, 0 or 1: by state, biggest first, to the emptier."""
    half_of: dict[str, int] = {}
    counts = table.group_by("state", "source_image").len()
    for state in STATES:
        filled = [0, 0]
        rows = counts.filter(pl.col("state") == state)
        rows = rows.sort(["len", "source_image"], descending=[True, False])
        for image, n in rows.select("source_image", "len").rows():
            half = int(filled[1] < filled[0])
            half_of[image] = half
            filled[half] += n
    return half_of


def _read_table(folder: Path) -> pl.DataFrame:
    if not (folder / "nuclei.csv").is_file() or not (folder / "nuclei.zip").is_file():
        raise _problem(folder, "nuclei.csv or nuclei.zip is missing")
    table = pl.read_csv(folder / "nuclei.csv", infer_schema=False)
    missing = [c for c in COLUMNS if c not in table.columns]
    if missing:
        raise _problem(folder / "nuclei.csv", f"columns missing: {missing}")
    return table


def _problem(where: Path, found: str) -> InputError:
    return InputError(
        Problem(
            code="BANK_UNUSABLE",
            where=str(where),
            found=found,
            why="no plate can be painted from it",
            remedy="give the folder of labelled nuclei and a species it holds",
        )
    )


def _shrink(crop: np.ndarray, scale: float) -> np.ndarray | None:
    mask = crop > OBJECT_LEVEL
    if mask.sum() < MIN_OBJECT_PX:
        return None
    ys, xs = np.nonzero(mask)
    inside = np.where(mask, crop, 0)[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    height, width = (max(1, round(n * scale)) for n in inside.shape)
    small = Image.fromarray(inside).resize(
        (width, height), resample=Image.Resampling.BOX
    )
    # A nucleus longer than the window loses its tips rather than its scale.
    window = np.zeros((2 * HALF_PX, 2 * HALF_PX), np.uint8)
    patch = np.asarray(small)[: 2 * HALF_PX, : 2 * HALF_PX]
    top, left = HALF_PX - patch.shape[0] // 2, HALF_PX - patch.shape[1] // 2
    window[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    return window
