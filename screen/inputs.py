"""What of its plate each well's record was made from, and what changed since then."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from plates.problems import Problem
from plates.store import Plate, well_sha256
from plates.wells import Well
from screen.cell_centres import CentreSource
from screen.codes import CODES
from screen.events import Events
from screen.illumination import Gain
from screen.ledger import SUFFIX, Ledger, read_parquet, write_parquet


def input_sha256(pixels: str, gain: Gain | None, source: CentreSource | None) -> str:
    """Pixels' fingerprint with the gain of their light and the centres given for them."""
    light = b"" if gain is None else gain.astype("<f4").tobytes()
    cells = b"" if source is None else f"centres {source.identity}".encode()
    if not light + cells:
        return pixels
    return hashlib.sha256(pixels.encode() + light + cells).hexdigest()


def well_input(
    plate: Plate, well: Well, gain: Gain | None, source: CentreSource | None
) -> str:
    """What a well is scored from, as one sha256; "" where it cannot be read now, which
    equals nothing: the reader of the pixels says what that means."""
    try:
        found = input_sha256(well_sha256(plate, well), gain, source)
    except OSError:
        return ""
    # Where the whole plate is away its fields only look as if they were missing.
    return found if plate.path.exists() else ""


def changed_wells(
    ledger: Ledger, plate: Plate, gain: Gain | None, source: CentreSource | None
) -> list[str]:
    """The plate's recorded wells that were made from other pixels than lie there now,
    also those that had none and have some, or had some and have none."""
    imaged, found = set(plate.wells), []
    for header in ledger.headers(plate.plate):
        well = Well.parse(header["well"])
        now = well_input(plate, well, gain, source) if well in imaged else None
        if header.get("input") != now and "WELL_NOT_IN_MAP" not in header["codes"]:
            found.append(header["well"])
    return found


def forget(ledger: Ledger, plate: str, wells: Collection[str]) -> None:
    """Take the wells' records out of the ledger for good, compacted or open."""
    for path in (ledger.cells(plate), ledger.table(plate)):
        if path.exists():
            table = read_parquet(path)
            is_old = pc.is_in(table.column("well"), value_set=pa.array(sorted(wells)))
            write_parquet(table.filter(pc.invert(is_old)), path)
    for well in wells:
        (ledger.folder(plate) / f"{well}{SUFFIX}").unlink(missing_ok=True)


def forget_changed(
    run: Path,
    plates: Sequence[Plate],
    gains: Mapping[str, Gain | None],
    centres: Mapping[str, CentreSource | None],
) -> Iterator[Problem]:
    """Take away the records of wells whose pixels are others now, and name them."""
    ledger, events = Ledger(run), Events(run)
    for plate in plates:
        gain, source = gains[plate.plate], centres[plate.plate]
        if wells := changed_wells(ledger, plate, gain, source):
            forget(ledger, plate.plate, wells)
            events.write("wells_changed", plate=plate.plate, wells=wells)
            yield _told(plate.plate, wells)


def _told(plate: str, wells: Sequence[str]) -> Problem:
    code, n = CODES["WELL_CHANGED"], len(wells)
    listed = ", ".join(wells[:12]) + (f" and {n - 12} more" if n > 12 else "")
    found = f"{n} wells scored before: {listed}"
    return Problem("WELL_CHANGED", plate, found, code.meaning, code.remedy)
