"""A crop set on disk: table, pictures, and the answers in files that no trainer reads."""

import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from plates.json_text import strict_json

Picture = NDArray[np.uint8]  # [y x], or [y x 3]
Progress = Callable[[int, int], None]

TABLE, ARCHIVE = "crops.csv", "crops.zip"
TRUTH_TABLE, TRUTH_FACTS = "truth.parquet", "truth.json"
FILES = (TABLE, ARCHIVE, TRUTH_TABLE, TRUTH_FACTS)
EPOCH = (1980, 1, 1, 0, 0, 0)  # one time stamp for all, so that the bytes repeat


@dataclass(frozen=True)
class VirtualSet:
    """Where a set lies, how many pictures it holds, and what is known of it."""

    folder: Path
    n_pictures: int
    facts: dict[str, Any]


def write_set(
    folder: Path,
    rows: pl.DataFrame,
    truth: pl.DataFrame,
    facts: dict[str, Any],
    pictures: Iterable[Picture],
    *,
    progress: Progress | None = None,
) -> VirtualSet:
    """Write table, zip, truth.parquet and truth.json; `rows` and `truth` have a column
    `file`, and the pictures come in the order of the rows."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_STORED) as archive:
        for done, (name, picture) in enumerate(
            zip(rows["file"].to_list(), pictures, strict=True), start=1
        ):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, png(picture))
            if progress is not None:
                progress(done, rows.height)
    truth.write_parquet(folder / TRUTH_TABLE)
    told = strict_json(facts, indent=1, sort_keys=True) + "\n"
    (folder / TRUTH_FACTS).write_text(told, encoding="utf-8")
    rows.write_csv(folder / TABLE)  # last: a folder with a table is whole
    return VirtualSet(folder, rows.height, facts)


def png(picture: Picture) -> bytes:
    """The bytes of a PNG, grey of [y x] or colour of [y x 3]."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG", compress_level=4)
    return stream.getvalue()


def grey(image: NDArray[Any], noise: float, rng: np.random.Generator) -> Picture:
    """An image in grey values with camera noise of an sd, as u8 of the same shape."""
    noisy = image + noise * rng.standard_normal(image.shape)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)
