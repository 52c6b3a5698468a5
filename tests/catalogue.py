"""A small lab for the catalogue of bad inputs: an export to spoil, and verbs to run on it.

lab = make_lab(tmp_path)                     # 1 plate, 6 wells, 2 fields, 2 channels
lab.file("P1", "A02", 1, "body").unlink()    # spoil it
ended = lab.ingest()                         # the verb, in this process
told(ended, 4, "FIELD_CHANNEL_MISSING", "A02")
assert lab.omitted() == {"P1/A02/f00": "FIELD_CHANNEL_MISSING"}
lab.score(), lab.call(); lab.rows(), lab.hits()
"""

import contextlib
import io
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import tifffile
from numpy.typing import NDArray

from plates.campaign import Campaign
from plates.store import open_plate
from plates.wells import PlateFormat
from screen.__main__ import main
from screen.errors import Outcome
from screen.ledger import score_table
from screen.settings import ScoreVerb
from tests import tiny_run
from tests.tiny_screen import CHANNELS

HEADER = "plate,well,compound,concentration_um,role,state,replicate,batch"
MESSAGE_PARTS = 3  # CODE where: found - why - remedy


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and what it said on the two streams."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that a person saw."""
        return self.out + self.err

    def lines(self, word: str) -> list[str]:
        """The lines that hold a word, such as a reason code."""
        return [line for line in self.text.splitlines() if word in line]


def run_verb(verb: str, *words: str) -> Ended:
    """Run `senoscreen VERB WORDS` in this process, score with numpy in place of a model."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch("screen.score.run", _score),
    ):
        code = main([verb, *words])
    return Ended(code, out.getvalue(), err.getvalue())


def _score(settings: ScoreVerb) -> Outcome:
    return tiny_run.score(settings)


def told(ended: Ended, code: int, *words: str) -> None:
    """Hold an end to its exit code and words; the first word's lines to the form
    `CODE where: found - why - remedy`; nothing internal may show."""
    assert ended.code == code, ended.text
    assert "Traceback" not in ended.text, ended.text
    assert "internal error" not in ended.text, ended.text
    for word in words:
        assert word in ended.text, f"no {word!r} in: {ended.text}"
    lines = ended.lines(words[0]) if words else []
    whole = [line for line in lines if len(line.split(" - ")) >= MESSAGE_PARTS]
    assert whole or not words, f"no reason and remedy for {words[0]} in: {ended.text}"


def merged(words: Iterable[str]) -> list[str]:
    """The words with every key once: a later value replaces an earlier one; `key=` with
    nothing takes the key out."""
    last = {word.partition("=")[0]: word for word in words}
    return [word for word in last.values() if not word.endswith("=")]


@dataclass(frozen=True)
class Lab:
    """An export of an instrument with its plate map and library, and where results go."""

    root: Path
    plates: tuple[str, ...]
    format: PlateFormat
    wells: tuple[str, ...]
    n_fields: int

    source = property(lambda self: self.root / "export")
    map = property(lambda self: self.root / "map.csv")
    library = property(lambda self: self.root / "library.csv")
    out = property(lambda self: self.root / "screen")
    runs = property(lambda self: self.root / "runs")

    def file(self, plate: str, well: str, field: int, channel: str) -> Path:
        """The TIFF of one plane; fields count from 1 as the instrument counts them."""
        path: Path = self.source / f"{plate}_{well}_f{field}_{channel}.tif"
        return path

    def words(self, *more: str) -> list[str]:
        """What ingest is told; a word in `more` replaces the one of the same key."""
        usual = [f"source={self.source}", f"map={self.map}", f"out={self.out}"]
        usual += [f"library={self.library}", f"n_wells={self.format.n_wells}"]
        usual += ["pixel_size_um=0.65", "settle=0", "workers=1"]
        return merged([*usual, *more])

    def ingest(self, *more: str) -> Ended:
        """Run ingest on the export."""
        return run_verb("ingest", *self.words(*more))

    def score(self, *more: str) -> Ended:
        """Score the campaign inline with the scorer made of numpy; one bad well of a
        small plate is no reason to stop."""
        usual = [f"campaign={self.out}", "model=none", f"runs={self.runs}", "run=r"]
        usual += ["cluster=inline", "quarantine.max_share=1.0"]
        return run_verb("score", *merged([*usual, *more]))

    def call(self, *more: str) -> Ended:
        """Call the scored run."""
        return run_verb("call", *merged([f"runs={self.runs}", "run=r", *more]))

    def campaign(self) -> Campaign:
        """The campaign that ingest wrote."""
        return Campaign.open(self.out)

    def omitted(self) -> dict[str, str]:
        """Reason code by PLATE/WELL/fNN of every field that ingest left out."""
        stores = [open_plate(entry.path) for entry in self.campaign().plates]
        return {
            f"{store.plate}/{well}/f{field:02d}": problem.code
            for store in stores
            for (well, field), problem in store.omitted.items()
        }

    def rows(self) -> pl.DataFrame:
        """A row per well with a record: plate, well, status, codes, n_fields, score ..."""
        plates = [entry.plate for entry in self.campaign().plates]
        return score_table(self.runs / "r", plates)

    def status(self, well: str, plate: str = "") -> tuple[str, list[str]]:
        """Status and reason codes of one well of `rows`."""
        wanted = {"well": well, "plate": plate or self.plates[0]}
        row = self.rows().row(
            by_predicate=pl.all_horizontal(pl.col(k) == v for k, v in wanted.items()),
            named=True,
        )
        return row["status"], row["codes"]

    def hits(self) -> pl.DataFrame:
        """The table of wells that call wrote."""
        return pl.read_parquet(self.runs / "r" / "hits.parquet")

    def spoil(self, plate: str, well: str, field: int, channel: str, data: Any) -> Path:
        """Put an array (as TIFF) or bytes in place of one file; its path."""
        path = self.file(plate, well, field, channel)
        if isinstance(data, bytes):
            path.write_bytes(data)
        else:
            tifffile.imwrite(path, data)
        return path

    def write_map(self, lines: Sequence[str], header: str = HEADER) -> Path:
        """The plate map from its lines."""
        path: Path = self.map
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    def edit_map(self, change: Callable[[str], str]) -> Path:
        """The plate map's text changed by a function."""
        path: Path = self.map
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
        return path


def map_lines(plates: Sequence[str], wells: Sequence[str]) -> list[str]:
    """First well of four healthy, second stressed vehicle, the others a compound each."""
    lines = []
    for number, plate in enumerate(plates, 1):
        for place, well in enumerate(wells):
            state = "unstressed" if place % 4 == 0 else "stressed"
            what = f"C{place:02d},10,treatment" if place % 4 > 1 else ",,vehicle"
            lines.append(f"{plate},{well},{what},{state},{number},b1")
    return lines


@cache
def drawn(seed: int, size: int = 64) -> NDArray[np.uint16]:
    """Pixels [y x] of round cells of about 5 px radius on a noisy background."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    image = rng.normal(400.0, 12.0, (size, size))
    for cy, cx in rng.uniform(6, size - 6, (5, 2)):
        height = rng.uniform(2000, 6000)
        image += height * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 3.5**2))
    return np.clip(image, 0, 65535).astype(np.uint16)


def pixels_of(plate: str, well: str, field: int, channel: str) -> NDArray[np.uint16]:
    """The pixels that `make_lab` draws for a plane; one of 40 pictures."""
    text = f"{plate}{well}{field}{channel}"
    return drawn(sum(ord(c) * (i + 1) for i, c in enumerate(text)) % 40)


def make_lab(
    root: Path,
    plates: Sequence[str] = ("P1",),
    *,
    n_wells: int = 6,
    n_fields: int = 2,
    channels: Sequence[str] = CHANNELS,
) -> Lab:
    """Write `root`/export, map.csv and library.csv of whole plates, nothing wrong yet."""
    plate_format = PlateFormat.of(n_wells)
    wells = tuple(str(well) for well in plate_format.wells())
    lab = Lab(root, tuple(plates), plate_format, wells, n_fields)
    lab.source.mkdir(parents=True)
    for plate in plates:
        for well in wells:
            for field in range(1, n_fields + 1):
                for channel in channels:
                    pixels = pixels_of(plate, well, field, channel)
                    tifffile.imwrite(lab.file(plate, well, field, channel), pixels)
    lab.write_map(map_lines(plates, wells))
    compounds = sorted({line.split(",")[2] for line in map_lines(plates, wells)} - {""})
    chains = [f"{c},{c},{'C' * (n + 1)}O" for n, c in enumerate(compounds)]
    lab.library.write_text("\n".join(["compound,name,smiles", *chains]) + "\n")
    return lab


def copy_lab(lab: Lab, root: Path) -> Lab:
    """The same lab at another place, to be spoiled; cheaper than drawing it anew."""
    shutil.copytree(lab.root, root)
    return Lab(root, lab.plates, lab.format, lab.wells, lab.n_fields)
