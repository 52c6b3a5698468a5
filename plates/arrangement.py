"""Which files make which field: a plate's planes told apart by name, never by order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import polars as pl

from plates.planes import Scan
from plates.problems import InputError, Problem
from plates.wells import PlateFormat, Well

Key = tuple[Well, int]
Place = tuple[int, int, int]  # t, c, z


@dataclass(frozen=True)
class Source:
    """Where one plane's pixels lie."""

    path: str
    page: int


@dataclass(frozen=True)
class Arrangement:
    """The files of one plate by field, (t, c, z) and source.

    `depths` is the number of focal planes of each channel. `n_pages` says how many
    pages each file must have. `problems` are of fields that cannot be whole.
    """

    plate: str
    channels: tuple[str, ...]
    field_names: tuple[str, ...]
    times: tuple[str, ...]
    depths: tuple[int, ...]
    z_step_um: float | None
    fields: Mapping[Key, Mapping[Place, Source]]
    positions: Mapping[Key, tuple[float, float]]
    n_pages: Mapping[str, int]
    problems: dict[Key, Problem]

    @property
    def wells(self) -> tuple[Well, ...]:
        """Every expected well, in row-major order."""
        return tuple(sorted({well for well, _ in self.fields}))


def arrange(
    scan: Scan,
    name: str,
    plate: str,
    plate_format: PlateFormat,
    channels: Mapping[str, str],
    time: str,
) -> Arrangement:
    """Every expected field of the plate `name`; InputError if the plate does not fit."""
    planes = scan.for_plate(name)
    if planes.is_empty():
        raise plate_error("NO_FILES_MATCHED", plate, "no planes", "check source=")
    n_pages = _n_pages(scan.planes, len(channels))
    planes = _of_time(_of_channels(planes, channels, plate), time, plate)
    faults = {(f.well, f.field): f.problem for f in scan.faults if f.plate == name}
    wells = {*planes["well"], *scan.facts(name).wells, *(well for well, _ in faults)}
    _check_wells(wells, plate_format, plate)
    names = ordered([*planes["field"], *(field for _, field in faults)])
    rows = _Rows(planes, channels, names)
    labels = tuple(channels.values())
    expected = rows.expected(len(labels))
    problems: dict[Key, Problem] = {}
    fields: dict[Key, Mapping[Place, Source]] = {}
    for well in sorted(Well.parse(text) for text in wells):
        is_absent = not any((well, n) in rows.found for n in range(len(names)))
        for number, field_name in enumerate(names):
            key = (well, number)
            found = rows.found.get(key, {})
            fields[key] = {place: found[place][0] for place in sorted(found)}
            if reported := faults.get((str(well), field_name)):
                problems[key] = reported
            elif fault := _fault(found, expected, labels, is_absent):
                problems[key] = field_problem(plate, key, *fault)
    return Arrangement(
        plate=plate,
        channels=labels,
        field_names=names,
        times=tuple(rows.times[t] for t in _times(expected, plate)),
        depths=tuple(len({z for _, z in due}) for due in expected),
        z_step_um=_z_step(planes),
        fields=fields,
        positions=rows.positions,
        n_pages=n_pages,
        problems=problems,
    )


class _Rows:
    """The rows of the planes with every name turned into its number."""

    def __init__(
        self, planes: pl.DataFrame, channels: Mapping[str, str], fields: Sequence[str]
    ) -> None:
        self.times = ordered(planes["t"])
        zs = {
            channel: {z: n for n, z in enumerate(ordered(part["z"]))}
            for (channel,), part in planes.group_by("channel")
        }
        ts = {t: n for n, t in enumerate(self.times)}
        order = {channel: n for n, channel in enumerate(channels)}
        numbers = {name: n for n, name in enumerate(fields)}
        wells = {text: Well.parse(text) for text in planes["well"].unique()}
        self.found: dict[Key, dict[Place, list[Source]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self.positions: dict[Key, tuple[float, float]] = {}
        for row in planes.iter_rows(named=True):
            key = wells[row["well"]], numbers[row["field"]]
            t, z = ts[row["t"]], zs[row["channel"]][row["z"]]
            if row["page"] is None:  # the file's pages are the channels
                for c in range(len(order)):
                    self.found[key][t, c, z].append(Source(row["path"], c))
            else:
                source = Source(row["path"], row["page"])
                self.found[key][t, order[row["channel"]], z].append(source)
            if row["x_um"] is not None and row["y_um"] is not None:
                self.positions[key] = row["x_um"], row["y_um"]

    def expected(self, n_channels: int) -> list[set[tuple[int, int]]]:
        """The (t, z) that most fields with a channel have, by channel."""
        counts = [Counter[tuple[int, int]]() for _ in range(n_channels)]
        n_fields = Counter[int]()
        for found in self.found.values():
            n_fields.update({c for _, c, _ in found})
            for t, c, z in found:
                counts[c][t, z] += 1
        return [
            {place for place, n in count.items() if 2 * n > n_fields[c]} or set(count)
            for c, count in enumerate(counts)
        ]


def _times(expected: Sequence[set[tuple[int, int]]], plate: str) -> list[int]:
    """The time points of the plate; InputError unless every channel has them all."""
    times = sorted({t for due in expected for t, _ in due})
    for due in expected:
        n_z = len({z for _, z in due})
        if len(due) != len(times) * n_z:
            found = f"{len(due)} planes a field in {len(times)} times x {n_z} z planes"
            remedy = "take one time point with time=, or export the plate whole"
            raise plate_error("IMG_PLANE_COUNT", plate, found, remedy)
    return times


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct names: numbers by value and before other names."""
    return tuple(sorted(set(names), key=_natural))


def _natural(name: str) -> tuple[bool, int, str]:
    is_number = name.isascii() and name.isdigit()
    return (not is_number, int(name) if is_number else 0, name)


def _n_pages(planes: pl.DataFrame, n_channels: int) -> dict[str, int]:
    counted = planes.group_by("path").agg(
        pl.when(pl.col("page").is_null().any())
        .then(pl.lit(n_channels))
        .otherwise(pl.col("page").n_unique())
        .alias("n")
    )
    return dict(zip(counted["path"], counted["n"], strict=True))


def _of_channels(
    planes: pl.DataFrame, channels: Mapping[str, str], plate: str
) -> pl.DataFrame:
    tokens = set(planes["channel"])
    if planes["page"].is_null().all():
        return planes
    absent = [token for token in channels if token not in tokens]
    if absent or not channels:
        found = f"no file of channel {absent}, files of {sorted(tokens)}"
        remedy = "name the channels as the files do, or export the plate whole"
        raise plate_error("PLATE_CHANNEL_MISSING", plate, found, remedy)
    return planes.filter(pl.col("channel").is_in(list(channels)))


def _of_time(planes: pl.DataFrame, time: str, plate: str) -> pl.DataFrame:
    if not time:
        return planes
    times = ordered(planes["t"])
    if time not in times:
        found = f"no time point {time!r}, there are: {', '.join(times[:20])}"
        raise plate_error("PLATE_TIME_UNKNOWN", plate, found, "choose one of these")
    return planes.filter(pl.col("t") == time)


def _check_wells(names: Iterable[str], plate_format: PlateFormat, plate: str) -> None:
    wells = sorted(Well.parse(name) for name in names)
    outside = [str(well) for well in wells if not plate_format.contains(well)]
    if outside:
        found = f"{len(outside)} wells are not on it: {', '.join(outside[:5])}"
        remedy = "correct the plate's number of wells or the pattern"
        raise plate_error("IMG_WELL_INVALID", plate, found, remedy)


def _fault(
    found: Mapping[Place, Sequence[Source]],
    expected: Sequence[set[tuple[int, int]]],
    channels: Sequence[str],
    is_absent: bool,
) -> tuple[str, str] | None:
    if is_absent:
        return "WELL_MISSING", "no file of this well, which the export lists as imaged"
    if not found:
        return "FIELD_MISSING", "no file of this field, other wells have it"
    doubled = [s.path for many in found.values() if len(many) > 1 for s in many]
    if doubled:
        return (
            "IMG_DUPLICATE",
            f"files for one plane: {', '.join(sorted(set(doubled)))}",
        )
    have = [{(t, z) for t, c, z in found if c == n} for n in range(len(channels))]
    absent = [name for name, places in zip(channels, have, strict=True) if not places]
    if absent:
        return "FIELD_CHANNEL_MISSING", f"no file of channel {', '.join(absent)}"
    for name, places, due in zip(channels, have, expected, strict=True):
        if places != due:
            n_off = len(places ^ due)
            found_text = f"{len(places)} planes of channel {name}, {len(due)} are due"
            return "IMG_PLANE_COUNT", f"{found_text} ({n_off} differ)"
    return None


def _z_step(planes: pl.DataFrame) -> float | None:
    """The usual distance of neighbouring focal planes in um, None where none is known."""
    steps = []
    known = planes.filter(pl.col("z_um").is_not_null())
    by_stack = ["well", "field", "channel", "t"]
    for _, part in known.head(4096).group_by(by_stack, maintain_order=True):
        heights = sorted(set(part["z_um"]))
        steps += [high - low for low, high in pairwise(heights)]
    return float(f"{median(steps):.6g}") if steps else None


def field_problem(plate: str, key: Key, code: str, found: str) -> Problem:
    """Why one field is left out."""
    where = f"{plate}/{key[0]}/f{key[1]:02d}"
    why = "the field is left out, the others stay"
    remedy = "copy or export the file again and ingest the plate anew"
    return Problem(code, where, found, why, remedy)


def plate_error(code: str, plate: str, found: str, remedy: str) -> InputError:
    """Why a plate as a whole is refused."""
    why = "the plate cannot be written for certain"
    return InputError([Problem(code, plate, found, why, remedy)])
