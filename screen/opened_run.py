"""A finished run opened in a notebook: its tables, and drawings of them.

>>> import screen
>>> run = screen.open_run("runs/bjfibro")
>>> run.compounds.filter("is_hit")
>>> run.plate_map("P01", "rescue").save("P01.svg")
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from screen.errors import Refusal, printable, refusal
from screen.ledger import Ledger, read_parquet
from screen.provenance import FILE, read_manifest
from screen.verify import check_shown

if TYPE_CHECKING:
    import xarray as xr

    from screen.figures import Figure
    from screen.report.tables import RunTables

MADE_BY = {
    **dict.fromkeys(("hits", "compounds", "plates", "doses", "baselines"), "call"),
    **dict.fromkeys(("fields", "curves", "controls", "picks"), "call"),
}
_WHEN = {
    "curves": "run the verb call; curves need four doses of a compound",
    "controls": "run the verb call with further read-outs (decision.controls)",
    "fields": "run the verb call on a scored run",
}


def open_run(path: str | Path) -> OpenedRun:
    """Open the folder of a run, say ``runs/NAME``; nothing is read but its manifest.

    Raises Refusal when there is no run (INPUT_MISSING, with the runs found near by) or
    its manifest is damaged (MANIFEST_INVALID).
    """
    folder = Path(path)
    if not (folder / FILE).is_file():
        near = _runs_near(folder)
        why = "a run is a folder with a manifest.json, made by score or call"
        found = "no such folder" if not folder.is_dir() else "no run in this folder"
        remedy = f"runs found: {', '.join(near) or 'none'}"
        raise refusal("INPUT_MISSING", folder, found, why, remedy)
    return OpenedRun(folder, read_manifest(folder))


def _runs_near(folder: Path) -> list[str]:
    """Runs in the folder, or else beside it, those of the nearest names first."""
    inside = sorted(p.parent for p in folder.glob(f"*/{FILE}"))
    beside = sorted(p.parent for p in folder.parent.glob(f"*/{FILE}"))
    found = inside or beside
    names = [p.name for p in found]
    near = difflib.get_close_matches(folder.name, names, 3, 0.4)
    ordered = sorted(found, key=lambda p: (p.name not in near, p.name))
    return [str(p) for p in ordered[:8]]


@dataclass(frozen=True)
class OpenedRun:
    """A run: tables as Polars frames, the hit table as xarray Dataset, and figures.

    Every file is held against its checksum in the manifest when it is first read;
    Refusal (OUTPUT_CHANGED) names one that is not as it was written, and INPUT_MISSING
    one that was never made, with the verb that makes it.
    """

    folder: Path
    manifest: dict[str, Any] = field(repr=False)

    @cached_property
    def hits(self) -> xr.Dataset:
        """The hit table (hits.zarr) by plate, row and column; values are read on demand."""
        import xarray as xr

        path = self.folder / "hits.zarr"
        if not path.is_dir():
            raise _missing(path, "call")
        listed = self.manifest["outputs"]
        check_shown(self.folder, [n for n in listed if n.startswith("hits.zarr/")])
        found: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None)
        return found

    @property
    def wells(self) -> pl.DataFrame:
        """A row a well: what it held, its score, rescue and flags."""
        return self.table("hits")

    @property
    def compounds(self) -> pl.DataFrame:
        """A row a compound (line and time), in the order of the ranking."""
        return self.table("compounds")

    @property
    def plates(self) -> pl.DataFrame:
        """A row a plate (line and time): quality and verdict."""
        return self.table("plates")

    @property
    def doses(self) -> pl.DataFrame:
        """A row a compound and dose."""
        return self.table("doses")

    @property
    def curves(self) -> pl.DataFrame:
        """A row a compound and read-out: the fitted curve, or why there is none."""
        return self.table("curves")

    def table(self, name: str) -> pl.DataFrame:
        """Any table of the run by its name, read once; see ``table_names``."""
        if name not in MADE_BY:
            raise _unknown("table", name, sorted(MADE_BY), self.folder)
        if name not in self._tables:
            self._tables[name] = self._read(name)
        return self._tables[name]

    @property
    def table_names(self) -> tuple[str, ...]:
        """The tables that this run has."""
        return tuple(n for n in MADE_BY if (self.folder / f"{n}.parquet").is_file())

    @cached_property
    def _tables(self) -> dict[str, pl.DataFrame]:
        return {}

    def _read(self, name: str) -> pl.DataFrame:
        path = self.folder / f"{name}.parquet"
        if not path.is_file():
            raise _missing(path, MADE_BY[name], _WHEN.get(name, ""))
        check_shown(self.folder, [path.name])
        return pl.DataFrame(read_parquet(path))

    @cached_property
    def plate_ids(self) -> tuple[str, ...]:
        """The plates of the run: of its tables, or of its cells before a call."""
        if (self.folder / "hits.parquet").is_file():
            return tuple(self.wells["plate"].unique().sort())
        found = sorted(self.folder.glob("cells/*.parquet"))
        named = [read_parquet(p).column("plate").slice(0, 1).to_pylist() for p in found]
        return tuple(names[0] for names in named if names)

    def cells(self, plate: str) -> pl.DataFrame:
        """A row a cell of a plate: well, field, y and x in pixels, probability."""
        path = Ledger(self.folder).cells(self._known_plate(plate))
        if not path.is_file():
            raise _missing(path, "score", "tables of read-outs have no cells")
        check_shown(self.folder, [path.relative_to(self.folder).as_posix()])
        return pl.DataFrame(read_parquet(path))

    def plate_map(self, plate: str, column: str = "rescue") -> Figure:
        """A number of every well of a plate in colour, on one scale for all plates."""
        from screen.figures.plate_map import plate_map, scale_of

        plate = self._known_plate(plate)
        wells = self._complete.hits
        numbers = [n for n, kind in wells.schema.items() if kind.is_numeric()]
        if column not in numbers:
            raise _unknown("number of wells", column, numbers, self.folder)
        own = wells.filter(pl.col("plate") == plate)
        return plate_map(plate, own, column, scale_of(wells, column))

    def curve(
        self,
        compound: str,
        readout: str = "",
        *,
        line: str | None = None,
        time_h: float | None = None,
    ) -> Figure:
        """Wells of a compound (by id or name) over their dose, with the fitted curve.

        ``readout`` is rescue (robust_z where no plate has both vehicles) or
        relative_count; ``line`` and ``time_h`` choose where a run holds several.
        """
        from screen.figures.dose_curve import dose_curve

        row = self._known_compound(compound, line, time_h)
        wells = _of_unit(self._complete.hits, row)
        merged = [n for n in (row["merged"] or "").split(";") if n]
        wells = wells.filter(pl.col("compound").is_in([row["compound"], *merged]))
        has_rescue = wells["rescue"].is_not_null().any()
        readout = readout or ("rescue" if has_rescue else "robust_z")
        known = ("rescue", "robust_z", "relative_count")
        if readout not in known:
            raise _unknown("read-out", readout, known, self.folder)
        curve = None
        if "curves" in self.table_names:
            own = _of_unit(self.curves, row).filter(
                compound=row["compound"], readout=readout
            )
            curve = next(own.iter_rows(named=True), None)
        return dose_curve(row["name"] or row["compound"], wells, readout, curve)

    def z_primes(self) -> Figure:
        """Z' of every plate with its interval and verdict."""
        from screen.figures.plate_quality import z_primes

        return z_primes(self._complete.plates)

    def __repr__(self) -> str:
        """What is there, in a few lines."""
        verbs = ", ".join(self.manifest["verbs"]) or "none"
        tables = ", ".join(self.table_names) or "none (run the verb call)"
        n_cells = len(list(self.folder.glob("cells/*.parquet")))
        return (
            f"run {self.folder.name}: {self._counts()}\n"
            f"  tables: {tables}\n"
            f"  cells: of {n_cells} plates; verbs run: {verbs}\n"
            f"  folder: {self.folder}"
        )

    def _counts(self) -> str:
        try:
            plates, compounds = self.plates, self.compounds
        except Refusal as refused:
            return "; ".join(f"{p.code} {p.found}" for p in refused.problems[:2])
        n_hits = int(compounds["is_hit"].sum() or 0)
        return (
            f"{plates['plate'].n_unique()} plates, {compounds.height} compounds,"
            f" {n_hits} hits"
        )

    @cached_property
    def _complete(self) -> RunTables:
        """The tables with every column of today's runs, null where they are older."""
        from screen.report.tables import RunTables

        return RunTables.complete(self.wells, self.plates, self.compounds, {}, {})

    def _known_plate(self, plate: str) -> str:
        if plate not in self.plate_ids:
            raise _unknown("plate", plate, self.plate_ids, self.folder)
        return plate

    def _known_compound(
        self, compound: str, line: str | None, time_h: float | None
    ) -> dict[str, Any]:
        table = self._complete.compounds
        found = table.filter(pl.col("compound") == compound)
        if found.is_empty():
            found = table.filter(pl.col("name").str.to_lowercase() == compound.lower())
        if found.is_empty():
            names = [*table["name"].drop_nulls(), *table["compound"]]
            raise _unknown("compound", compound, names, self.folder)
        units = found.select("line", "time_h").unique().sort("line", "time_h")
        if line is not None:
            found = found.filter(pl.col("line") == line)
        if time_h is not None:
            found = found.filter(pl.col("time_h") == time_h)
        if found.height != 1:
            there = "; ".join(f"line={a!r}, time_h={b!r}" for a, b in units.iter_rows())
            why, remedy = "one row is drawn", f"name one of: {there}"
            raise refusal(
                "NAME_UNKNOWN", compound, f"{found.height} rows of it", why, remedy
            )
        return found.row(0, named=True)


def _of_unit(frame: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    same = [pl.col(c).eq_missing(row[c]) for c in ("line", "time_h")]
    return frame.filter(*same)


def _missing(path: Path, verb: str, when: str = "") -> Refusal:
    remedy = when or f"run the verb {verb}"
    why = f"the verb {verb} makes it"
    return refusal("INPUT_MISSING", path, "the run does not have it", why, remedy)


def _unknown(kind: str, name: str, known: Iterable[str], folder: Path) -> Refusal:
    names: Sequence[str] = list(dict.fromkeys(known))
    lower = {n.lower(): n for n in reversed(names)}
    near = difflib.get_close_matches(str(name).lower(), list(lower), 5, 0.5)
    offered = [printable(n) for n in [lower[n] for n in near] or names[:5]]
    more = "" if near or len(names) <= 5 else f", ... ({len(names)})"
    return refusal(
        "NAME_UNKNOWN",
        folder,
        f"no {kind} {name!r}",
        "the run must hold what is asked for",
        f"nearest: {', '.join(offered)}{more}"
        if near
        else f"there are: {', '.join(offered)}{more}",
    )
