"""Label images as segmentation programs write them: each number is one cell."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from plates.centre_rows import CentreRows
from plates.planes import PlaneError
from plates.problems import InputError, Problem
from plates.readers.tiff import read_pages

SUFFIXES = (".tif", ".tiff", ".png")
PICKLED = (".npy", ".npz", ".pkl", ".pickle", ".mat")
LARGEST_PX = 2**28
COVERS = 0.5
"""A cell over more of its image than this is a background taken for one."""


def label_centres(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Centres [n 2] (y, x) of the pixels of each label above 0, by rising label."""
    known, numbers, area = _areas(labels)
    there = (known > 0) & (area > 0)
    axes = np.ogrid[: labels.shape[0], : labels.shape[1]]
    sums = [
        np.bincount(numbers, np.broadcast_to(axis, labels.shape).ravel(), len(known))
        for axis in axes
    ]
    centres: NDArray[np.float64] = np.stack(sums, 1)[there] / area[there, None]
    return centres


def covering(labels: NDArray[Any]) -> str:
    """What is wrong where one label above 0 holds more than `COVERS` of all pixels; '' if none does."""
    known, _, area = _areas(labels)
    share = float(area[known > 0].max(initial=0)) / max(labels.size, 1)
    return f"one object covers {100 * share:.0f} % of the image" * (share > COVERS)


def _areas(
    labels: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """The labels, each pixel's place among them, and how many pixels each has."""
    flat = labels.ravel()
    if (n := int(flat.max(initial=0)) + 1) <= flat.size:
        known = np.arange(n)
    else:  # labels may be sparse and huge; numbering them anew bounds the sums
        known, flat = np.unique(flat, return_inverse=True)
    return known, flat, np.bincount(flat, minlength=len(known))


def read_label_rows(folder: Path, shape: tuple[int, int]) -> CentreRows:
    """The centres of every label image (TIFF, PNG) of a folder of images of this shape.

    An image that one object covers is left out with a warning, as one never looked at.
    Raises InputError listing every file that is no label image of it; pickles of numpy
    are refused, because reading one may run what it holds.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    images = [p for p in files if p.suffix.lower() in SUFFIXES]
    problems = [] if images else [no_labels(folder, files)]
    parts, warnings = list[pl.DataFrame](), list[Problem]()
    for line, path in enumerate(images, 1):
        name = path.relative_to(folder).as_posix()
        try:
            labels = _labels(path, shape)
        except PlaneError as error:
            problems.append(_problem(name, f"{error.code}: {error}"))
            continue
        if found := covering(labels):
            warnings.append(_suspect(name, found))
        else:
            parts.append(_frame(name, label_centres(labels), line))
    if problems or not parts:
        raise InputError(problems + warnings)
    frame = pl.concat(parts)
    return CentreRows(folder.name, frame, is_um=False, warnings=tuple(warnings))


def _labels(path: Path, shape: tuple[int, int]) -> NDArray[Any]:
    if path.suffix.lower() == ".png":
        labels = _png(path)
    else:
        planes = read_pages(path, [None])
        if len(planes) != 1:
            raise PlaneError("IMG_PLANE_COUNT", f"{len(planes)} pages, 1 is expected")
        labels = planes[0]
    if labels.shape != shape:
        found = f"{labels.shape[0]} x {labels.shape[1]} px, fields are {shape[0]} x {shape[1]}"
        raise PlaneError("IMG_SHAPE_MISMATCH", found)
    if labels.dtype.kind not in "ui" or int(labels.min()) < 0:
        raise PlaneError("IMG_DTYPE_MISMATCH", f"{labels.dtype} or negative labels")
    return labels


def _png(path: Path) -> NDArray[Any]:
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > LARGEST_PX:
                raise PlaneError("IMG_TOO_LARGE", f"{picture.width} x {picture.height}")
            if picture.mode not in ("L", "I", "I;16", "I;16B"):
                raise PlaneError("IMG_UNSUPPORTED_LAYOUT", f"mode {picture.mode}")
            return np.asarray(picture)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise PlaneError("IMG_DECODE_ERROR", str(error)) from error


def _frame(name: str, centres: NDArray[np.float64], line: int) -> pl.DataFrame:
    n = max(1, len(centres))
    y: list[float | None] = centres[:, 0].tolist() or [None]
    x: list[float | None] = centres[:, 1].tolist() or [None]
    return pl.DataFrame(
        {
            **{key: [""] * n for key in ("plate", "well", "field")},
            "image": [name] * n,
            "y": pl.Series(y, dtype=pl.Float64),
            "x": pl.Series(x, dtype=pl.Float64),
            "line": pl.Series([line] * n, dtype=pl.Int64),
        }
    )


def no_labels(folder: Path, files: list[Path]) -> Problem:
    """Why none of these files is a label image."""
    pickled = [p.name for p in files if p.suffix.lower() in PICKLED]
    if pickled:
        return Problem(
            "CENTRES_FORMAT",
            str(folder),
            f"{len(pickled)} files such as {pickled[0]}",
            "a pickled array can run code when it is opened, so none is",
            "save the masks as TIFF or PNG (cellpose --save_tif or --save_png)",
        )
    return _problem(str(folder), f"{len(files)} files, no label image (TIFF or PNG)")


def _suspect(where: str, found: str) -> Problem:
    return Problem(
        "SEG_SUSPECT",
        where,
        found,
        "that is no cell: most often the background has a number",
        "look at the segmentation; the field is left out",
    )


def _problem(where: str, found: str) -> Problem:
    return Problem(
        "CENTRES_FORMAT",
        where,
        found,
        "a label image holds one whole number a cell and 0 elsewhere, for each pixel",
        "save the labels of each field as one TIFF or PNG of the field's size",
    )
