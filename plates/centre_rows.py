"""Tables of cell centres as other programs write them, brought to one set of columns."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plates.problems import InputError, Problem
from plates.tables import header_key
from plates.text_files import SEPARATORS, decode, read_head

WHY = "a cell must be found again in its plate, well and field"
_PLATE = ("plate", "metadata_plate", "plate_id", "barcode", "metadata_barcode")
_WELL = ("well", "metadata_well", "metadata_colrow", "metadata_wellid", "well_id")
_FIELD = ("field", "site", "metadata_site", "metadata_field", "metadata_fieldid")
_Y = ("y_px", "location_center_y", "areashape_center_y", "centroid_y_px")
_Y_UM = ("y_um", "centroid_y_um")
_NUMBER = "imagenumber"
MOST_TOLD = 20
"""Lines told of one fault: a column of words would fill the screen."""


@dataclass(frozen=True)
class CentreRows:
    """Rows of centres: plate, well, field, image (text, '' where not told), y, x (float
    pixels or um; null: looked at, and nothing there), line. ``half`` is what a place
    counts more than the middle of its pixel; ``warnings`` tell of images left out."""

    source: str
    frame: pl.DataFrame
    is_um: bool
    half: float = 0.0
    warnings: tuple[Problem, ...] = ()


def read_rows(path: Path) -> CentreRows:
    """A CSV, TSV or Parquet table of CellProfiler, QuPath or plain columns.

    Raises InputError for one that holds no centres, and for every value that is no
    number.
    """
    raw = _read_frame(path)
    names = {header_key(name): name for name in raw.columns}
    y_name, is_um = _coordinates(names, path)
    x_name = _twin(y_name, names, path)
    frame = raw.select(
        plate=_text(names, _PLATE),
        well=_text(names, _WELL),
        field=_text(names, _FIELD),
        image=_image(names),
        number=_text(names, (_NUMBER,)),
        y=pl.col(names[y_name]),
        x=pl.col(names[x_name]),
        line=pl.int_range(2, pl.len() + 2),
    )
    frame = _numbers(frame, path, (names[y_name], names[x_name]))
    is_qupath = y_name.startswith("centroid_")
    if _NUMBER in names and not is_qupath:
        frame = _with_images(frame, path)
    return CentreRows(path.name, frame.drop("number"), is_um, 0.5 if is_qupath else 0.0)


def _read_frame(path: Path) -> pl.DataFrame:
    if read_head(path, 4) == b"PAR1":
        try:
            return pl.read_parquet(path).with_columns(pl.all().cast(pl.String))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(_format(path, f"no Parquet table: {error}")) from error
    text = decode(path)
    header = next(iter(text.splitlines()), "")
    separator = max(SEPARATORS, key=header.count)
    wanted = [
        i
        for i, name in enumerate(next(csv.reader([header], delimiter=separator), []))
        if _is_wanted(header_key(name))
    ]
    try:
        return pl.read_csv(
            io.BytesIO(text.encode()),
            separator=separator,
            columns=wanted or None,
            infer_schema=False,
        )
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise InputError(_format(path, str(error).splitlines()[0])) from error


def _is_wanted(name: str) -> bool:
    known = {*_PLATE, *_WELL, *_FIELD, _NUMBER, "image"}
    parts = (*_Y, *_Y_UM, *(n.replace("y", "x") for n in (*_Y, *_Y_UM)))
    ends = ("location_center_y", "location_center_x")
    return (
        name in known
        or name in parts
        or name.endswith((*ends, "_x_um", "_x_px", "_y_um", "_y_px"))
        or name.startswith("filename_")
        or "center_x" in name
        or "center_y" in name
        or name in ("x_px", "x_um")
    )


def _coordinates(names: Mapping[str, str], path: Path) -> tuple[str, bool]:
    """The column of y, and whether it is in um."""
    for name in _Y:
        if name in names:
            return name, False
    for name in _Y_UM:
        if name in names:
            return name, True
    nested = [n for n in names if n.endswith("_location_center_y")]
    if nested:
        return nested[0], False
    raise InputError(_missing(path, "y_px or y_um", names))


def _twin(y_name: str, names: Mapping[str, str], path: Path) -> str:
    parts = y_name.split("_")
    at = len(parts) - 1 - parts[::-1].index("y")
    x_name = "_".join([*parts[:at], "x", *parts[at + 1 :]])
    if x_name not in names:
        raise InputError(_missing(path, x_name, names))
    return x_name


def _missing(path: Path, column: str, names: Mapping[str, str]) -> Problem:
    return Problem(
        "CENTRES_COLUMN_MISSING",
        path.name,
        f"no column {column}; there are {', '.join(list(names)[:8])}",
        WHY,
        "give plate, well, field and y_px, x_px (or y_um, x_um), or a table of objects"
        " of CellProfiler or QuPath",
    )


def _format(path: Path, found: str) -> Problem:
    return Problem(
        "CENTRES_FORMAT",
        path.name,
        found,
        "centres are read from tables and label images alone",
        "save a CSV, TSV or Parquet table, or label images as TIFF or PNG",
    )


def _text(names: Mapping[str, str], known: Sequence[str]) -> pl.Expr:
    found = next((names[name] for name in known if name in names), None)
    if found is None:
        return pl.lit("", pl.String)
    return pl.col(found).cast(pl.String).fill_null("").str.strip_chars()


def _image(names: Mapping[str, str]) -> pl.Expr:
    files = sorted(n for n in names if n == "image" or n.startswith("filename_"))
    return _text(names, files)


def _numbers(frame: pl.DataFrame, path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """y and x as numbers; both empty (or nan) means that nothing was found."""
    bare = frame.with_columns(
        pl.col(name).cast(pl.String).str.strip_chars().fill_null("")
        for name in ("y", "x")
    )
    told = bare.with_columns(
        pl.col(name).cast(pl.Float64, strict=False) for name in ("y", "x")
    )
    problems = []
    for name, column in zip(("y", "x"), columns, strict=True):
        is_wrong = told[name].is_null() & (bare[name] != "")
        is_wrong |= told[name].is_infinite().fill_null(False)
        wrong = bare.filter(is_wrong).select("line", name).head(MOST_TOLD)
        problems += [
            _no_number(f"{path.name}:{line} column {column}", f"{text!r} is no number")
            for line, text in wrong.iter_rows()
        ]
    halves = bare.filter((pl.col("y") == "") != (pl.col("x") == ""))
    problems += [
        _no_number(f"{path.name}:{line}", "one of y and x is empty")
        for line in halves["line"].head(MOST_TOLD)
    ]
    if problems:
        raise InputError(problems)
    return told.with_columns(pl.col("y", "x").fill_nan(None))


def _no_number(where: str, found: str) -> Problem:
    return Problem(
        "CENTRES_VALUE_INVALID",
        where,
        found,
        "a centre is two numbers with a decimal point; both empty says that nothing"
        " was found",
        "correct the line",
    )


def _with_images(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Rows with what CellProfiler's table of images says of their image, and a row for
    each image without objects."""
    images = _image_table(path)
    if images is None:
        return frame
    told = frame.join(images, on="number", how="left", suffix="_image")
    keys = ("plate", "well", "field", "image")
    filled = told.with_columns(
        pl.when(pl.col(k) == "")
        .then(pl.col(f"{k}_image").fill_null(""))
        .otherwise(pl.col(k))
        .alias(k)
        for k in keys
    ).select(frame.columns)
    bare = images.join(frame, on="number", how="anti").with_columns(
        y=pl.lit(None, pl.Float64), x=pl.lit(None, pl.Float64), line=pl.lit(0, pl.Int64)
    )
    return pl.concat([filled, bare.select(frame.columns)])


def _image_table(path: Path) -> pl.DataFrame | None:
    for file in sorted(path.parent.iterdir()):
        is_table = file.suffix.lower() in (".csv", ".txt", ".tsv")
        if file == path or not is_table or "image" not in file.stem.lower():
            continue
        raw = _read_frame(file)
        names = {header_key(name): name for name in raw.columns}
        if _NUMBER in names:
            return raw.select(
                number=_text(names, (_NUMBER,)),
                plate=_text(names, _PLATE),
                well=_text(names, _WELL),
                field=_text(names, _FIELD),
                image=_image(names),
            ).unique("number", keep="first", maintain_order=True)
    return None
