"""Centres of cells that other programs found: read, placed in their fields, kept."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import polars as pl

from plates.centre_rows import WHY, CentreRows, read_rows
from plates.given_centres import SCHEMA
from plates.given_centres import CentreTable as CentreTable
from plates.label_images import PICKLED, SUFFIXES, no_labels, read_label_rows
from plates.name_patterns import fits
from plates.problems import InputError, Problem
from plates.store import Plate
from plates.wells import Well

_WELL_PART = r"(?i)(?:(?P<plate>.*?)[ _-])?(?P<well>[A-P]\d{1,2}|\d{1,2}[A-P])"
_IMAGES = (
    _WELL_PART + r"[ _-]?(?:f|s|site|field)[ _-]?(?P<field>\d{1,6})(?:[ _.-].*)?",
    _WELL_PART + r"(?:[ _.-].*)?",
)
"""Common names of images, those with a field first: `f0` alone would pass for well F0."""
_PLACES = dict.fromkeys(("plate", "well", "field", "to", "at"), pl.String) | {
    "index": pl.Int64,
    "um": pl.Float64,
    "rows": pl.Int64,
    "columns": pl.Int64,
}
_TURNED = re.compile(r"(\d{1,2})([A-Za-z]{1,2})")


def read_centres(
    path: Path,
    plates: Sequence[Plate],
    *,
    pattern: str = "",
    field_names: Mapping[str, Sequence[str]] | None = None,
) -> CentreTable:
    """The centres of a table (plain, CellProfiler, QuPath) or of a folder of label images.

    Where rows or files name images, ``pattern`` (named groups well or row and col,
    field, plate) reads the place off the name. ``field_names`` gives each plate's
    fields by their names in the source; else fields are numbered from 0. Raises
    InputError with every plate, well, field and centre that does not exist.
    """
    rows = _rows(path, plates)
    frame = _named(rows, pattern)
    frame, problems = _placed(rows, frame, plates, field_names or {})
    if problems:
        raise InputError(problems)
    frame, doubled = _distinct(frame, rows)
    tables = {
        plate.plate: frame.filter(pl.col("plate") == plate.plate)
        .select(SCHEMA.names())
        .cast(SCHEMA)
        .sort("well", "field", maintain_order=True)
        for plate in plates
    }
    kept = {k: t for k, t in tables.items() if t.height}
    return CentreTable(kept, (*rows.warnings, *doubled))


def _rows(path: Path, plates: Sequence[Plate]) -> CentreRows:
    if not path.exists():
        raise InputError(
            Problem(
                "CENTRES_FORMAT", str(path), "not there", WHY, "check the path given"
            )
        )
    if path.is_file() and path.suffix.lower() not in (*SUFFIXES, *PICKLED):
        return read_rows(path)
    if path.suffix.lower() in PICKLED:
        raise InputError(no_labels(path.parent, [path]))
    shapes = {plate.field_shape[1:] for plate in plates}
    if path.is_file() or len(shapes) != 1:
        raise InputError(
            Problem(
                "CENTRES_FORMAT",
                str(path),
                "one image, not a folder of label images"
                if path.is_file()
                else f"plates of {len(shapes)} field sizes",
                "label images are told apart by their names in one folder",
                "give the folder of TIFF or PNG label images, one a field",
            )
        )
    return read_label_rows(path, next(iter(shapes)))


def _named(rows: CentreRows, pattern: str) -> pl.DataFrame:
    """Rows without a well get plate, well and field from the name of their image."""
    frame = rows.frame
    nameless = frame.filter((pl.col("well") == "") & (pl.col("image") != ""))
    if not pattern and nameless.is_empty():
        return frame
    chosen = frame if pattern else nameless
    names = [n for n in chosen["image"].unique(maintain_order=True) if n]
    bare = [n.replace("\\", "/").rsplit("/", 1)[-1] for n in names]
    texts = names if "/" in pattern else bare
    ways = [fits(way, texts) for way in ((pattern,) if pattern else _IMAGES)]
    read = [next(filter(None, groups), None) for groups in zip(*ways, strict=True)]
    told = {
        name: (
            groups.get("plate", ""),
            groups.get("well", "") or groups.get("row", "") + groups.get("col", ""),
            groups.get("field", "") or groups.get("site", ""),
        )
        for name, groups in zip(names, read, strict=True)
        if groups
    }
    for i, key in enumerate(("plate", "well", "field")):
        found = pl.col("image").replace_strict(
            {name: parts[i] for name, parts in told.items()},
            default="",
            return_dtype=pl.String,
        )
        is_told = (found != "") & ((pl.col(key) == "") | (pattern != ""))
        frame = frame.with_columns(
            pl.when(is_told).then(found).otherwise(pl.col(key)).alias(key)
        )
    return frame


def _placed(
    rows: CentreRows,
    frame: pl.DataFrame,
    plates: Sequence[Plate],
    field_names: Mapping[str, Sequence[str]],
) -> tuple[pl.DataFrame, list[Problem]]:
    """Rows with the plate's own names and pixels, and every row that has no place."""
    known = {plate.plate: plate for plate in plates}
    only = plates[0].plate if len(plates) == 1 else ""
    places: list[tuple[str, str, str, str, str, int, float, int, int]] = []
    problems: list[Problem] = []
    for (name, well, field), part in frame.group_by(
        "plate", "well", "field", maintain_order=True
    ):
        texts = str(name), str(well), str(field)
        where = f"{rows.source}:{_ranges(part['line'])}"
        plate = known.get(texts[0]) or known.get(only if not texts[0] else "")
        if plate is None:
            names = ", ".join(list(known)[:8])
            problems.append(_no_place(where, f"plate {texts[0]!r}; known: {names}"))
            continue
        at = _well(texts[1], plate)
        if at is None:
            problems.append(
                _no_place(where, f"well {texts[1]!r}, not imaged on {plate.plate}")
            )
            continue
        names_of = field_names.get(plate.plate, ())
        index = _field(texts[2], len(plate.fields(at)), names_of)
        if index is None:
            shown = ", ".join(names_of) or f"0 to {len(plate.fields(at)) - 1}"
            problems.append(
                _no_place(where, f"field {texts[2]!r} of {at}; there are {shown}")
            )
            continue
        y, x = plate.field_shape[1:]
        places.append((*texts, plate.plate, str(at), index, plate.pixel_size_um, y, x))
    table = pl.DataFrame(places, schema=_PLACES, orient="row")
    joined = frame.join(table, on=["plate", "well", "field"], how="inner")
    unit = pl.col("um") if rows.is_um else pl.lit(1.0)
    joined = joined.with_columns(
        y_px=pl.col("y") / unit - rows.half, x_px=pl.col("x") / unit - rows.half
    )
    return (
        joined.select("y_px", "x_px", "line", plate="to", well="at", field="index"),
        problems + _outside(rows, joined),
    )


def _outside(rows: CentreRows, frame: pl.DataFrame) -> list[Problem]:
    """Centres beyond the outermost pixels: another image size, binning or unit."""
    out = frame.filter(
        (pl.col("y_px") < -0.5)
        | (pl.col("x_px") < -0.5)
        | (pl.col("y_px") > pl.col("rows") - 0.5)
        | (pl.col("x_px") > pl.col("columns") - 0.5)
    )
    return [
        Problem(
            "CENTRES_OUTSIDE",
            f"{rows.source}:{_ranges(part['line'])}",
            f"{part.height} centres of plate {plate} outside {part['rows'][0]} x"
            f" {part['columns'][0]} px, such as y={part['y_px'][0]:.1f} x={part['x_px'][0]:.1f} px",
            "a centre outside its field belongs to another image or unit",
            "give centres in pixels of the fields as ingested (y_px, x_px) or in um",
        )
        for (plate,), part in out.group_by("to", maintain_order=True)
    ]


def _distinct(
    frame: pl.DataFrame, rows: CentreRows
) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Each centre once, and no empty row where a field has centres."""
    keys = ["plate", "well", "field"]
    found = frame.filter(pl.col("y_px").is_not_null())
    single = found.unique([*keys, "y_px", "x_px"], keep="first", maintain_order=True)
    bare = frame.filter(pl.col("y_px").is_null()).unique(keys, maintain_order=True)
    kept = pl.concat([single, bare.join(found, on=keys, how="anti")])
    n = found.height - single.height
    doubled = Problem(
        "CENTRES_DOUBLED",
        rows.source,
        f"{n} centres stand twice",
        "a cell counts once",
        "none needed",
    )
    return kept, (doubled,) if n else ()


def _well(text: str, plate: Plate) -> Well | None:
    turned = _TURNED.fullmatch(text)
    try:
        well = Well.parse(turned[2] + turned[1] if turned else text)
    except ValueError:
        return None
    return well if well in plate.wells else None


def _field(text: str, n_fields: int, names: Sequence[str]) -> int | None:
    """The index of a field by its name in the source, else by its number from 0."""
    if not text:
        return 0 if n_fields == 1 else None
    if text in names:
        return list(names).index(text)
    if not re.fullmatch(r"\d{1,6}(\.0)?", text):
        return None
    number = int(float(text))
    if names:
        numbers = [int(n) if n.isdigit() else None for n in names]
        if number in numbers:
            return numbers.index(number)
        return 0 if n_fields == 1 and not any(names) and number <= 1 else None
    return number if number < n_fields else None


def _no_place(where: str, found: str) -> Problem:
    return Problem(
        "CENTRES_PLACE_UNKNOWN",
        where,
        f"no such place: {found}",
        WHY,
        "correct the names, or read them off the images' names with pattern=",
    )


def _ranges(lines: Iterable[int]) -> str:
    numbers = sorted({*lines} - {0})
    runs = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    spans = [[number for _, number in run] for _, run in runs]
    parts = [str(s[0]) if len(s) == 1 else f"{s[0]}-{s[-1]}" for s in spans[:8]]
    return ", ".join(parts) + (", …" if len(spans) > 8 else "")
