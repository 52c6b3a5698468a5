"""Transfer logs of acoustic dispensers (Echo): nanolitres into wells become doses.

A well's dose is the sum of volume times stock over its final volume, which is
`well_volume_ul` among the defaults plus all that was transferred. A solvent is known by
its name, or by an alias of its name or of its source plate. A well into which a transfer
failed keeps its plan and is excluded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import polars as pl

from plates.concentrations import parse_concentration_um, parse_number, unit_key
from plates.map_cells import ROLES
from plates.map_formats.layout import SOLVENTS
from plates.map_formats.request import MapRequest, word_key
from plates.map_formats.sheets import Sheet
from plates.map_formats.transfers import (
    COMPOUND_HEADERS,
    Stock,
    Transfer,
    read_sources,
    read_transfers,
)
from plates.problems import InputError, Problem
from plates.tables import TextTable, text_table

NAME = "echo"
NEEDS = "headers Source Well, Destination Well, Transfer Volume"
UNEQUAL = Decimal("0.2")
_WHY = "the dose in the well would not be known"


def part(sheet: Sheet, request: MapRequest) -> str:
    """`log` where some row has both wells, `sources` for a table of source wells."""
    for row in range(len(sheet.rows)):
        names = set(sheet.headers(row))
        if {"source_well", "destination_well"} <= names:
            return "log"
        named = names & set(COMPOUND_HEADERS)
        if "source_well" in names and named and not names & {"well", "role"}:
            return "sources"
        if row > 40:
            break
    return ""


def tables(
    parts: Mapping[str, Sequence[Sheet]], request: MapRequest
) -> list[TextTable | InputError]:
    """One table of the wells that all logs filled, or every problem."""
    try:
        problems: list[Problem] = []
        stocks = read_sources(parts.get("sources", ()), problems)
        transfers = read_transfers(parts.get("log", ()), problems)
        dispensed = _Dispensed(request, stocks, _volume_nl(request, problems), problems)
        return [dispensed.table(transfers)]
    except InputError as error:
        return [error]


def _volume_nl(request: MapRequest, problems: list[Problem]) -> Decimal:
    text = request.defaults.get("well_volume_ul", "")
    remedy = "say map_defaults well_volume_ul, the volume before the transfers"
    try:
        if text and parse_number(text) > 0:
            return parse_number(text) * 1000
        found = f"well volume {text!r}" if text else "volumes without the well's volume"
    except ValueError as error:
        found = f"well volume {text!r}, {error}"
    where = "map_defaults"
    problems.append(Problem("MAP_DILUTION_MISSING", where, found, _WHY, remedy))
    return Decimal(1)


@dataclass
class _Dispensed:
    """What the transfers made of each well."""

    request: MapRequest
    stocks: Mapping[tuple[str, str], Stock]
    volume_nl: Decimal
    problems: list[Problem]
    warnings: list[Problem] = field(default_factory=list)

    def table(self, transfers: Sequence[Transfer]) -> TextTable:
        """A row a well; raises InputError with all problems."""
        wells: dict[tuple[str, str], list[Transfer]] = {}
        for transfer in transfers:
            wells.setdefault((transfer.plate, transfer.well), []).append(transfer)
        rows = [self._row(into) for into in wells.values()]
        self._failures(wells)
        self._volumes(rows, wells)
        if not transfers and not self.problems:
            found, remedy = "no transfer below the header", "give the whole log"
            where = "the transfer log"
            self.problems.append(Problem("MAP_EMPTY", where, found, _WHY, remedy))
        if self.problems:
            raise InputError(self.problems)
        sources = list(dict.fromkeys(t.source for t in transfers))
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        lines = [into[0].line for into in wells.values()]
        table = text_table(", ".join(sources), columns, lines)
        return TextTable(
            table.source,
            table.frame,
            table.lines,
            typed=frozenset({"concentration_um"}),
            warnings=tuple(self.warnings),
        )

    def _row(self, into: Sequence[Transfer]) -> dict[str, str]:
        first = into[0]
        doses: dict[tuple[str, str], Decimal] = {}
        sources: set[tuple[str, str]] = set()
        solvent = ""
        for transfer in into:
            stock = self._stock(transfer)
            role = self._role(stock, transfer)
            if role == "vehicle":
                solvent = stock.compound or transfer.source_plate
                continue
            if not stock.compound:
                self._nameless(transfer)
            amount = self._micromolar(stock, transfer) * transfer.volume_nl
            key = (stock.compound, role)
            doses[key] = doses.get(key, Decimal(0)) + amount
            sources.add((transfer.source_plate, transfer.source_well))
        names = sorted({compound for compound, _ in doses})
        if len(names) > 1:
            self._mixture(into, names)
        total = self.volume_nl + sum((t.volume_nl for t in into), Decimal(0))
        compound, role, dose = solvent, "vehicle", ""
        if doses:
            (compound, role), amount = next(iter(doses.items()))
            dose = repr(float(amount / total))
        plate, well = next(iter(sources)) if len(sources) == 1 else ("", "")
        failures = dict.fromkeys(t.failure for t in into if t.failure)
        return {
            "plate": first.plate,
            "well": first.well,
            "compound": compound,
            "role": role,
            "concentration_um": dose,
            "source_plate": plate,
            "source_well": well,
            "excluded": "; ".join(failures),
        }

    def _stock(self, transfer: Transfer) -> Stock:
        """What the log itself says of the source, else the table of source wells."""
        listed = self.stocks.get((transfer.source_plate, transfer.source_well))
        listed = listed or Stock("", "", "")
        own = transfer.stock
        return Stock(
            own.compound or listed.compound,
            own.number or listed.number,
            own.unit or listed.unit,
        )

    def _role(self, stock: Stock, transfer: Transfer) -> str:
        named = self.request.word(stock.compound, ROLES)
        named = named or self.request.word(transfer.source_plate, ROLES)
        if named:
            return named
        return "vehicle" if word_key(stock.compound) in SOLVENTS else "treatment"

    def _micromolar(self, stock: Stock, transfer: Transfer) -> Decimal:
        unit = unit_key(stock.unit)
        try:
            if not unit:
                raise ValueError("no unit" if not stock.unit else "an unknown unit")
            return Decimal(repr(parse_concentration_um(stock.number, unit)))
        except ValueError as error:
            found = f"stock {stock.number!r} {stock.unit!r}, {error}"
            remedy = "give source concentration and unit in the log or a source table"
            self._refuse("MAP_CONC_INVALID", transfer, found, remedy)
            return Decimal(0)

    def _nameless(self, transfer: Transfer) -> None:
        source = f"{transfer.source_plate} {transfer.source_well}"
        remedy = "give a table of source wells; for a back-fill say map_aliases"
        remedy += f" {transfer.source_plate}:vehicle"
        found = f"source {source} holds something unknown"
        self._refuse("MAP_CELL_EMPTY", transfer, found, remedy)

    def _refuse(self, code: str, transfer: Transfer, found: str, remedy: str) -> None:
        where = f"{transfer.source}:{transfer.line}"
        self.problems.append(Problem(code, where, found, _WHY, remedy))

    def _mixture(self, into: Sequence[Transfer], names: Sequence[str]) -> None:
        found = f"well {into[0].well} of plate {into[0].plate} got {', '.join(names)}"
        remedy = "name the mixture as one compound, in a long map"
        where = f"{into[0].source}:{', '.join(str(t.line) for t in into)}"
        self.problems.append(Problem("MAP_MIXTURE", where, found, _WHY, remedy))

    def _failures(self, wells: Mapping[tuple[str, str], Sequence[Transfer]]) -> None:
        failed = {
            f"{plate}/{well}": next(t.failure for t in into if t.failure)
            for (plate, well), into in wells.items()
            if any(t.failure for t in into)
        }
        if failed:
            shown = ", ".join(f"{well} ({why})" for well, why in [*failed.items()][:5])
            found = f"transfers into {len(failed)} wells failed: {shown}"
            why, remedy = "these wells are excluded", "nothing, or transfer again"
            self.warnings.append(
                Problem("MAP_TRANSFER_FAILED", "the transfer log", found, why, remedy)
            )

    def _volumes(
        self,
        rows: Sequence[Mapping[str, str]],
        wells: Mapping[tuple[str, str], Sequence[Transfer]],
    ) -> None:
        """Vehicle wells with another amount of solvent than the treated ones."""
        totals = pl.DataFrame(
            {
                "role": [row["role"] for row in rows],
                "nl": [float(sum(t.volume_nl for t in w)) for w in wells.values()],
            },
            schema={"role": pl.String, "nl": pl.Float64},
        )
        medians = dict(totals.group_by("role").agg(pl.col("nl").median()).rows())
        vehicle, treated = medians.get("vehicle"), medians.get("treatment")
        if vehicle is None or treated is None:
            return
        if abs(vehicle - treated) > float(UNEQUAL) * max(vehicle, treated):
            found = f"vehicle wells got {vehicle:g} nL, treated ones {treated:g} nL"
            why = "the solvent itself could tell them apart"
            where, remedy = "the transfer log", "back-fill the solvent"
            problem = Problem("MAP_SOLVENT_UNEQUAL", where, found, why, remedy)
            self.warnings.append(problem)
