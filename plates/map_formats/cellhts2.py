"""cellHTS2's text files: plate configuration, plate list, annotation and screen log.

The configuration's lines are rules, of which the last that fits a well counts; its words
are sample (a treatment), neg (vehicle) and pos (reference), all others need an alias. A
plate is named by its data file in the plate list. A flag NA in the log excludes a well.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from plates.map_cells import ROLES
from plates.map_formats.request import MapRequest
from plates.map_formats.sheets import Sheet, sheet_table
from plates.map_rules import HEADERS
from plates.problems import InputError, Problem
from plates.tables import TextTable, text_table
from plates.wells import PlateFormat, Well

NAME = "cellhts2"
NEEDS = "Plateconf.txt with headers Plate, Well, Content"
_WORDS = {"sample": "treatment", "neg": "vehicle", "pos": "reference"}
_PATTERN = re.compile(r"[A-Za-z0-9*.\[\]\-|()?+^$]{1,60}")
_WHY = "the well's content would be wrong"


def part(sheet: Sheet, request: MapRequest) -> str:
    """`config`, `list`, `log` or `annotation`, by the headers."""
    header = _header_row(sheet)
    names = set(sheet.headers(header))
    if names >= {"well", "content"} and names & {"plate", "batch"}:
        return "config"
    if names >= {"filename", "plate", "replicate"}:
        return "list"
    if names >= {"well", "flag"} and names & {"plate", "filename"}:
        return "log"
    others = set(request.headers(names)) - {"plate", "well"}
    if names > {"plate", "well"} and not others & set(HEADERS):
        return "annotation"
    return ""


def _header_row(sheet: Sheet) -> int:
    """The configuration starts with lines such as `Wells: 384`."""
    row = 0
    while row < len(sheet.rows) and re.match(
        r"(wells|plates)\s*:", sheet.text(row, 0).casefold()
    ):
        row += 1
    return row if row < len(sheet.rows) else 0


def tables(
    parts: Mapping[str, Sequence[Sheet]], request: MapRequest
) -> list[TextTable | InputError]:
    """One table of all plates, or every problem of the files."""
    try:
        return [_Screen(parts, request).table()]
    except InputError as error:
        return [error]


@dataclass(frozen=True)
class _Rule:
    plate: re.Pattern[str]
    well: re.Pattern[str]
    content: str
    line: int


@dataclass
class _Screen:
    """The files of one screen and the problems met in them."""

    parts: Mapping[str, Sequence[Sheet]]
    request: MapRequest
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    bare: int = 0

    def table(self) -> TextTable:
        """A row a well of every plate; raises InputError."""
        (config, *more) = self.parts["config"]
        for sheet in more:
            self._problem(sheet.source, "a second configuration", "give one of them")
        plate_format = self._format(config)
        rules = self._rules(config)
        plates = self._plates(config)
        compounds = self._annotation()
        excluded = self._log(plates)
        rows: list[tuple[str, ...]] = []
        lines: list[int] = []
        for number, name, replicate in plates:
            for well in plate_format.wells():
                rule = self._rule(rules, number, str(well))
                if rule is None:
                    continue
                compound = compounds.get((number, str(well)), "")
                role = self._role(rule, compound, known=bool(compounds))
                reason = excluded.get((name, str(well)), "")
                rows.append((name, str(well), compound, role, replicate, reason))
                lines.append(rule.line)
        self._complete(config, rows, len(plates) * plate_format.n_wells)
        if self.problems:
            raise InputError(self.problems)
        return self._made(config, rows, lines)

    def _made(
        self, config: Sheet, rows: Sequence[tuple[str, ...]], lines: Sequence[int]
    ) -> TextTable:
        names = ("plate", "well", "compound", "role", "replicate", "excluded")
        cells = zip(*rows, strict=True)
        columns = {n: [*values] for n, values in zip(names, cells, strict=True)}
        if not any(columns["replicate"]):
            del columns["replicate"]
        table = text_table(config.source, columns, lines)
        warnings = (*config.warnings, *self.warnings)
        return TextTable(table.source, table.frame, table.lines, warnings=warnings)

    def _problem(self, where: str, found: str, remedy: str) -> None:
        self.problems.append(Problem("MAP_VALUE_INVALID", where, found, _WHY, remedy))

    def _format(self, config: Sheet) -> PlateFormat:
        """The format the file states, which must be the campaign's; else the campaign's."""
        stated = None
        for row in range(_header_row(config)):
            cell = "".join(config.rows[row])
            match = re.fullmatch(r"\s*wells\s*:\s*([0-9]{1,4})\s*", cell.casefold())
            if match:
                try:
                    stated = PlateFormat.of(int(match[1]))
                except ValueError as error:
                    self._problem(config.place(row), str(error), "correct the number")
        known = self.request.plate_format
        if stated and known and stated != known:
            found = f"{stated} plates, the campaign has {known} ones"
            self._problem(config.source, found, "give the map of these plates")
        chosen = known or stated
        if chosen is None:
            found, remedy = "no line such as Wells: 384", "add it, or give n_wells"
            self._problem(config.source, found, remedy)
            raise InputError(self.problems)
        return chosen

    def _rules(self, config: Sheet) -> list[_Rule]:
        table = sheet_table(config, _header_row(config))
        frame = table.frame
        plates = frame["plate"] if "plate" in frame.columns else ["*"] * frame.height
        rules = []
        for row, (plate, well, content) in enumerate(
            zip(plates, frame["well"], frame["content"], strict=True)
        ):
            patterns = [self._pattern(table, row, text) for text in (plate, well)]
            if patterns[0] is None or patterns[1] is None:
                continue
            line = table.lines[row]
            rules.append(_Rule(patterns[0], patterns[1], content, line))
        return rules

    def _pattern(self, table: TextTable, row: int, text: str) -> re.Pattern[str] | None:
        """`*` is everything; other cells are regular expressions for the whole name."""
        if text == "*":
            return re.compile(".*")
        try:
            if not _PATTERN.fullmatch(text) or text.count("(") > 3:
                raise re.error("signs that no rule needs")
            return re.compile(text, re.IGNORECASE)
        except re.error as error:
            found = f"{text!r} is no pattern: {error}"
            self._problem(table.where([row]), found, "write a well, A0[1-2], or *")
            return None

    def _plates(self, config: Sheet) -> list[tuple[str, str, str]]:
        """Number, name and replicate of each plate, from the list or from the count."""
        found: list[tuple[str, str, str]] = []
        for sheet in self.parts.get("list", ()):
            frame = sheet_table(sheet).frame.select("filename", "plate", "replicate")
            names = [PurePosixPath(name).stem for name in frame["filename"]]
            found += zip(frame["plate"], names, frame["replicate"], strict=True)
        names = [name for _, name, _ in found]
        for name in sorted({name for name in names if names.count(name) > 1}):
            where = self.parts["list"][0].source
            self._problem(where, f"plate {name} twice", "leave the line that is true")
        if found:
            return found
        for row in range(_header_row(config)):
            text = "".join(config.rows[row]).casefold()
            match = re.fullmatch(r"\s*plates\s*:\s*([0-9]{1,4})\s*", text)
            if match:
                return [(str(n), str(n), "") for n in range(1, int(match[1]) + 1)]
        remedy = "give Platelist.txt too, or a line such as Plates: 57"
        self._problem(config.source, "no list of plates", remedy)
        return []

    def _annotation(self) -> dict[tuple[str, str], str]:
        """The reagent of each plate number and well: the first column after the two."""
        found: dict[tuple[str, str], str] = {}
        for sheet in self.parts.get("annotation", ()):
            table = sheet_table(sheet)
            name = next(n for n in table.frame.columns if n not in ("plate", "well"))
            for row, (plate, text, reagent) in enumerate(
                table.frame.select("plate", "well", name).rows()
            ):
                well = self._well(table, row, text)
                # R writes NA for a value that is not there.
                reagent = "" if reagent == "NA" else reagent
                if found.setdefault((plate, well), reagent) != reagent:
                    why, remedy = _WHY, "leave the line that is true"
                    where, text = table.where([row]), f"plate {plate} well {well} twice"
                    self.problems.append(
                        Problem("MAP_DUPLICATE_WELL", where, text, why, remedy)
                    )
        return found

    def _well(self, table: TextTable, row: int, text: str) -> str:
        try:
            return str(Well.parse(text))
        except ValueError:
            where, remedy = table.where([row], "well"), "write the well as A01"
            found = f"well {text!r}"
            self.problems.append(Problem("MAP_WELL_RANGE", where, found, _WHY, remedy))
            return text

    def _log(
        self, plates: Sequence[tuple[str, str, str]]
    ) -> dict[tuple[str, str], str]:
        """Why wells are excluded, by plate name and well."""
        excluded: dict[tuple[str, str], str] = {}
        for sheet in self.parts.get("log", ()):
            table = sheet_table(sheet)
            for row, entry in enumerate(table.frame.iter_rows(named=True)):
                if entry["flag"] != "NA":
                    continue
                names = list(_flagged(entry, plates))
                if not names:
                    remedy = "correct the plate"
                    found = "a plate that is not in the list"
                    self._problem(table.where([row]), found, remedy)
                well = self._well(table, row, entry["well"])
                reason = entry.get("comment", "") or "flagged in the screen log"
                excluded |= {(name, well): reason for name in names}
        return excluded

    def _rule(self, rules: Sequence[_Rule], plate: str, well: str) -> _Rule | None:
        fitting = (
            rule
            for rule in reversed(rules)
            if rule.well.fullmatch(well) and rule.plate.fullmatch(plate)
        )
        return next(fitting, None)

    def _role(self, rule: _Rule, compound: str, *, known: bool) -> str:
        """Our role for the rule's word; the word itself where nothing says what it is."""
        word = self.request.word(rule.content, ROLES)
        word = word or _WORDS.get(rule.content.casefold(), rule.content)
        if word == "treatment" and known and not compound:
            self.bare += 1
            return "untreated"
        return word

    def _complete(
        self, config: Sheet, rows: Sequence[tuple[str, ...]], expected: int
    ) -> None:
        if len(rows) < expected and not self.problems:
            found = f"{expected - len(rows)} of {expected} wells fit no rule"
            self._problem(config.source, found, "start with a rule * * sample")
        if self.bare:
            found = f"{self.bare} sample wells have no reagent in the annotation"
            why, remedy = "they are taken as untreated", "nothing, if they are empty"
            where = self.parts["annotation"][0].source
            self.warnings.append(
                Problem("MAP_PARTLY_FILLED", where, found, why, remedy)
            )


def _flagged(
    entry: Mapping[str, str], plates: Sequence[tuple[str, str, str]]
) -> Iterator[str]:
    """The names of the plates that a line of the log means."""
    copy = entry.get("sample", "") or entry.get("replicate", "")
    for number, name, replicate in plates:
        if "filename" in entry:
            if PurePosixPath(entry["filename"]).stem == name:
                yield name
        elif entry["plate"] in (number, "*") and (not copy or copy == replicate):
            yield name
