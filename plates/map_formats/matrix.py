"""Matrix blocks: a rectangle as wide and high as the plate for each column of the map.

The cell at the corner of a block, or above it, names the column (`compound`,
`concentration_um`, `role` ...), with the plate before a colon if there are several:
`P01: compound`; `*: role` is meant for all plates of the file. A line `plate, P01` names
the plate of the blocks below it. Wells that every block leaves empty are not mapped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from plates.map_formats.blocks import Block, find_blocks
from plates.map_formats.request import MapRequest
from plates.map_formats.sheets import (
    Merge,
    Sheet,
    cell_type_fault,
    kind_faults,
    merged_faults,
)
from plates.map_rules import HEADERS, IDENTIFIERS
from plates.problems import InputError, Problem
from plates.tables import TextTable, header_key, text_table
from plates.wells import Well

NAME = "matrix"
NEEDS = "blocks with the plate's columns 1, 2, 3 .. above and its rows A, B .. beside"
EVERY = "*"
_WHY = "wells would be mistaken for others"


def part(sheet: Sheet, request: MapRequest) -> str:
    """`blocks` where a row counts 1, 2, 3 .. or A, B, C .. across."""
    blocks, problems = find_blocks(sheet, request.plate_format)
    return "blocks" if blocks or problems else ""


def tables(
    parts: Mapping[str, Sequence[Sheet]], request: MapRequest
) -> list[TextTable | InputError]:
    """One table for each file out of all its blocks, or every problem of them."""
    files: dict[str, list[Sheet]] = {}
    for sheet in parts["blocks"]:
        files.setdefault(sheet.source.partition(" sheet ")[0], []).append(sheet)
    found: list[TextTable | InputError] = []
    for source, sheets in files.items():
        try:
            found.append(_File(source, sheets, request).table())
        except InputError as error:
            found.append(error)
    return found


@dataclass(frozen=True)
class _Titled:
    sheet: Sheet
    block: Block
    plate: str
    column: str


@dataclass
class _File:
    """The blocks of one file and the problems met in them."""

    source: str
    sheets: Sequence[Sheet]
    request: MapRequest
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def table(self) -> TextTable:
        """A row for each well with text in some block; raises InputError."""
        titled = [t for sheet in self.sheets for t in self._blocks(sheet)]
        named = list(
            dict.fromkeys(t.plate for t in titled if t.plate not in ("", EVERY))
        )
        nameless = [t for t in titled if not t.plate]
        if named and nameless:
            for t in nameless:
                self._problem(t, "a block without a plate", "write `PLATE: column`")
        cells = self._cells(titled, named or [""])
        if not cells and not self.problems:
            found = "every cell of every block is empty"
            self.problems.append(
                Problem("MAP_EMPTY", self.source, found, _WHY, "fill the blocks")
            )
        if self.problems:
            raise InputError(self.problems)
        return self._made(titled, cells)

    def _problem(self, titled: _Titled, found: str, remedy: str) -> None:
        where = titled.sheet.place(titled.block.top, titled.block.left)
        self.problems.append(Problem("MAP_BLOCK_INVALID", where, found, _WHY, remedy))

    def _blocks(self, sheet: Sheet) -> list[_Titled]:
        blocks, problems = find_blocks(sheet, self.request.plate_format)
        self.problems += problems
        self.warnings += sheet.warnings
        used = {cell for block in blocks for cell in block.cells()}
        self.problems += kind_faults(sheet, set(sheet.kinds) - used)
        self.problems += merged_faults(sheet, _inside(sheet, used))
        found, titles = [], set()
        for block in blocks:
            plate, column, place = self._title(sheet, block)
            titles.add(place)
            titled = _Titled(sheet, block, plate, column)
            if not column:
                remedy = "name it in the corner or above, such as compound"
                self._problem(titled, "a block without a name", remedy)
            found.append(titled)
            self._kinds(titled)
        self._strays(sheet, used | titles)
        return found

    def _title(self, sheet: Sheet, block: Block) -> tuple[str, str, tuple[int, int]]:
        places = (
            (block.top, block.left),
            (block.top - 1, block.left),
            (block.top - 1, block.left + 1),
            (block.top - 1, 0),
        )
        text, place = next(
            ((text, p) for p in places if (text := sheet.text(*p))), ("", places[0])
        )
        plate, _, name = text.replace("|", ":").rpartition(":")
        if header_key(plate) == "plate" or (
            plate == "" and _is_plate_line(sheet, place)
        ):
            plate, name = "", ""
        tab = sheet.source.partition(" sheet ")[2]
        if not text and self._ours(header_key(tab)) in HEADERS:
            name = tab
        plate = plate.strip() or self._plate_above(sheet, block)
        return plate, self._ours(header_key(name)), place

    def _ours(self, name: str) -> str:
        return self.request.header(name)

    def _plate_above(self, sheet: Sheet, block: Block) -> str:
        for row in range(block.top - 1, -1, -1):
            if _is_plate_line(sheet, (row, 0)):
                return sheet.text(row, 1)
        return ""

    def _kinds(self, titled: _Titled) -> None:
        """Names must be text; kinds are looked up by the block's own cells."""
        if titled.column not in IDENTIFIERS:
            return
        cells = set(titled.block.inner())
        for kind in ("number", "truth"):
            wrong = [
                c for c, k in titled.sheet.kinds.items() if k == kind and c in cells
            ]
            if wrong:
                self.problems.append(
                    cell_type_fault(titled.sheet, kind, wrong, titled.column)
                )

    def _strays(self, sheet: Sheet, used: set[tuple[int, int]]) -> None:
        strays = [
            sheet.cell(row, column)
            for row, cells in enumerate(sheet.rows)
            if not _is_plate_line(sheet, (row, 0))
            for column, text in enumerate(cells)
            if text.strip() and (row, column) not in used
        ]
        if strays:
            more = f" and {len(strays) - 6} more" if len(strays) > 6 else ""
            where = f"{sheet.source} {', '.join(strays[:6])}{more}"
            found, why = "text outside every block", "it is not read"
            remedy = "nothing, if it is a note"
            self.warnings.append(Problem("MAP_TEXT_IGNORED", where, found, why, remedy))

    def _cells(
        self, titled: Sequence[_Titled], plates: Sequence[str]
    ) -> dict[tuple[str, Well], dict[str, tuple[str, str]]]:
        """Text and place by column, for each plate and well that has any."""
        found: dict[tuple[str, Well], dict[str, tuple[str, str]]] = {}
        claimed: dict[tuple[str, str], _Titled] = {}
        for t in titled:
            for plate in plates if t.plate in ("", EVERY) else [t.plate]:
                first = claimed.setdefault((plate, t.column), t)
                if first is not t:
                    other = first.sheet.place(first.block.top, first.block.left)
                    what = f"{t.column} of plate {plate}" if plate else t.column
                    self._problem(
                        t, f"a second block {what}, as at {other}", "leave one"
                    )
                    continue
                for well, cell in t.block.wells():
                    if text := t.sheet.text(*cell):
                        place = t.sheet.place(*cell).removeprefix(self.source).strip()
                        found.setdefault((plate, well), {})[t.column] = (text, place)
        return found

    def _made(
        self,
        titled: Sequence[_Titled],
        cells: Mapping[tuple[str, Well], Mapping[str, tuple[str, str]]],
    ) -> TextTable:
        keys = sorted(cells)
        names = list(dict.fromkeys(t.column for t in titled))
        columns = {n: [cells[key].get(n, ("", ""))[0] for key in keys] for n in names}
        columns["well"] = [str(well) for _, well in keys]
        if any(plate for plate, _ in keys):
            columns["plate"] = [plate for plate, _ in keys]

        def address(row: int, column: str) -> str:
            plate, well = keys[row]
            given = cells[keys[row]]
            if column in given:
                return given[column][1]
            return f"{plate}/{well}" if plate else f"well {well}"

        table = text_table(self.source, columns, [0] * len(keys))
        return TextTable(
            table.source,
            table.frame,
            table.lines,
            typed=frozenset(n for n in names if _numbers_only(titled, n)),
            warnings=tuple(self.warnings),
            address=address,
        )


def _is_plate_line(sheet: Sheet, place: tuple[int, int]) -> bool:
    row = place[0]
    key = header_key(sheet.text(row, 0))
    return key == "plate" and bool(sheet.text(row, 1)) and not sheet.text(row, 2)


def _inside(sheet: Sheet, used: set[tuple[int, int]]) -> list[Merge]:
    lines = {(sheet.lines[row], column) for row, column in used}
    return [
        merge
        for merge in sheet.merged
        if any((r, c) in lines for r in merge.rows for c in merge.columns)
    ]


def _numbers_only(titled: Sequence[_Titled], column: str) -> bool:
    kinds = {
        t.sheet.kinds.get(cell)
        for t in titled
        if t.column == column
        for cell in t.block.inner()
        if t.sheet.text(*cell)
    }
    return kinds == {"number"}
