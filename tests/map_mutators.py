"""What befalls plate maps on their way out of a lab: mutators of tables, text and bytes."""

import gzip
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from plates.wells import Well

Table = list[list[str]]
HEADER = (
    "plate", "well", "compound", "concentration_um", "role", "state",
    "replicate", "batch", "line", "sample",
)  # fmt: skip
PLATE, WELL, COMPOUND, DOSE, ROLE, STATE, REPLICATE, BATCH, LINE, SAMPLE = range(10)


@dataclass
class Draw:
    """A table on its way into a file, with what its mutators want of the file."""

    rng: random.Random
    table: Table
    encoding: str = "utf-8"
    newline: str = "\n"

    @property
    def body(self) -> Table:
        """The rows below the header."""
        return self.table[1:]

    def some(self) -> list[str]:
        """One row."""
        return self.rng.choice(self.table[1:])

    def treated(self) -> list[str]:
        """One row of a treatment."""
        return self.rng.choice([row for row in self.body if row[ROLE] == "treatment"])


TableMutator = Callable[[Draw], None]
TABLE: dict[str, TableMutator] = {}
TEXT: dict[str, Callable[[Draw, str], str]] = {}
BYTES: dict[str, Callable[[random.Random, bytes], bytes]] = {}


def _table(function: TableMutator) -> TableMutator:
    TABLE[function.__name__] = function
    return function


def _text(function: Callable[[Draw, str], str]) -> Callable[[Draw, str], str]:
    TEXT[function.__name__] = function
    return function


def _bytes(
    function: Callable[[random.Random, bytes], bytes],
) -> Callable[[random.Random, bytes], bytes]:
    BYTES[function.__name__] = function
    return function


@_table
def nothing(d: Draw) -> None:
    """The clean table."""


@_table
def rows_shuffled(d: Draw) -> None:
    body = d.body
    d.rng.shuffle(body)
    d.table[1:] = body


@_table
def columns_shuffled(d: Draw) -> None:
    order = list(range(len(HEADER)))
    d.rng.shuffle(order)
    d.table[:] = [[row[i] for i in order] for row in d.table]


@_table
def header_restyled(d: Draw) -> None:
    styles: list[Callable[[str], str]] = [str.upper, str.title]
    styles += [lambda name: f" {name} ", lambda name: name.replace("_", " ")]
    style = d.rng.choice(styles)
    d.table[0] = [style(name) for name in d.table[0]]


@_table
def header_misspelt(d: Draw) -> None:
    place = d.rng.randrange(len(HEADER))
    name = d.table[0][place]
    cut = d.rng.randrange(len(name))
    d.table[0][place] = name[:cut] + d.rng.choice(["", "x", "\u200b"]) + name[cut + 1 :]


def _two_columns(d: Draw) -> tuple[int, int]:
    """Any two but batch and line, which are one word each: nothing could tell them."""
    while True:
        a, b = d.rng.sample(range(len(HEADER)), 2)
        if {a, b} != {BATCH, LINE}:
            return a, b


@_table
def headers_swapped(d: Draw) -> None:
    a, b = _two_columns(d)
    d.table[0][a], d.table[0][b] = d.table[0][b], d.table[0][a]


@_table
def column_dropped(d: Draw) -> None:
    place = d.rng.randrange(len(HEADER))
    for row in d.table:
        del row[place]


@_table
def column_doubled(d: Draw) -> None:
    place = d.rng.randrange(len(HEADER))
    for row in d.table:
        row.append(row[place])


@_table
def column_added(d: Draw) -> None:
    name = d.rng.choice(["note", "score", "plate_x", "Unnamed: 0", ""])
    for i, row in enumerate(d.table):
        row.insert(0, str(i) if i else name)


@_table
def column_moved_without_header(d: Draw) -> None:
    a, b = _two_columns(d)
    for row in d.body:
        row[a], row[b] = row[b], row[a]


@_table
def row_repeated(d: Draw) -> None:
    d.table.append([*d.some()])


@_table
def well_repeated_otherwise(d: Draw) -> None:
    row = [*d.treated()]
    row[COMPOUND] += "x"
    d.table.append(row)


@_table
def table_repeated(d: Draw) -> None:
    d.table += [[*row] for row in (d.table if d.rng.random() < 0.5 else d.body)]


@_table
def rows_lost(d: Draw) -> None:
    start = d.rng.randrange(1, len(d.table))
    del d.table[start : start + d.rng.randrange(1, 40)]


@_table
def well_written_otherwise(d: Draw) -> None:
    for row in d.rng.sample(d.body, 30):
        well = Well.parse(row[WELL])
        ways = [
            f"{well.row_name}{well.column + 1}",
            row[WELL].lower(),
            well.path,
            f" {row[WELL]}\u00a0",
        ]
        row[WELL] = d.rng.choice(ways)


@_table
def well_wrong(d: Draw) -> None:
    wrong = [
        "1A",
        "Q25",
        "A0",
        "A1.0",
        "A25",
        "",
        "AO1",
        "А01",
        "A１",
        "A-1",
        "0",
        "P 1",
    ]
    d.some()[WELL] = d.rng.choice(wrong)


@_table
def well_of_another(d: Draw) -> None:
    d.some()[WELL] = d.some()[WELL]


@_table
def wells_count_from_zero(d: Draw) -> None:
    for row in d.body:
        well = Well.parse(row[WELL])
        row[WELL] = f"{well.row_name}{well.column:02d}"


@_table
def number_written_otherwise(d: Draw) -> None:
    row = d.treated()
    number = row[DOSE]
    ways = [
        number.replace(".", ","),
        f">{number}",
        f"{number} uM",
        f"+{number}",
        f"{float(number):.16e}",
    ]
    ways += [
        f"{float(number):.18f}",
        f"~{number}",
        f"-{number}",
        f" {number} ",
        f"{number}\u200b",
        "١٠",
    ]
    row[DOSE] = d.rng.choice([*ways, "0", "nan", "inf", "1e999", "n/a", "#N/A", ""])


@_table
def decimal_commas(d: Draw) -> None:
    for row in d.body:
        row[DOSE] = row[DOSE].replace(".", ",")


@_table
def thousands_marked(d: Draw) -> None:
    d.table[0][DOSE] = "concentration_nM"
    for row in d.body:
        if row[DOSE]:
            row[DOSE] = f"{round(float(row[DOSE]) * 1000):,}".replace(",", ".")


@_table
def nanomolar(d: Draw) -> None:
    d.table[0][DOSE] = "concentration (nM)"
    for row in d.body:
        row[DOSE] = row[DOSE] and repr(float(row[DOSE]) * 1000)


@_table
def unit_left_out(d: Draw) -> None:
    d.table[0][DOSE] = "concentration"


@_table
def unit_on_each_line(d: Draw) -> None:
    micro = d.rng.choice(["uM", "µM", "μM", "UM", "µg/mL", "um/l", "?"])
    d.table[0][DOSE] = "concentration"
    for i, row in enumerate(d.table):
        row.append(micro if i else "concentration_unit")


@_table
def unit_of_some_lines(d: Draw) -> None:
    d.table[0][DOSE] = "concentration"
    d.table[0].append("concentration_unit")
    for row in d.body:
        row.append("uM")
    d.treated()[-1] = d.rng.choice(["nM", "mM", "M", "%", "", "mg/mL"])


@_table
def a_unit_doubled(d: Draw) -> None:
    for i, row in enumerate(d.table):
        nano = repr(float(row[DOSE]) * 1000) if i and row[DOSE] else ""
        row.append(nano if i else "concentration_nM")


@_table
def dose_far_off(d: Draw) -> None:
    row = d.treated()
    for other in d.body:
        if other[COMPOUND] == row[COMPOUND]:
            other[DOSE] = repr(float(other[DOSE]) * 1e6)


@_table
def case_changed(d: Draw) -> None:
    column = d.rng.choice([PLATE, COMPOUND, ROLE, STATE, BATCH, LINE])
    row = d.treated()
    row[column] = row[column].swapcase()


@_table
def role_in_other_words(d: Draw) -> None:
    for row in d.body:
        row[ROLE] = {"vehicle": d.rng.choice(["DMSO", "neg", "control"])}.get(
            row[ROLE], row[ROLE]
        )


@_table
def state_in_other_words(d: Draw) -> None:
    word = d.rng.choice(["senescent", "old", "", "stresed", "NA"])
    for row in d.rng.sample(d.body, 10):
        row[STATE] = word


@_table
def special_blank(d: Draw) -> None:
    row, place = d.some(), d.rng.randrange(len(HEADER))
    sign = d.rng.choice(
        ["\u00a0", "\u200b", "\ufeff", "\u202f", "\u2009", "\u00ad", " ", "\t"]
    )
    cut = d.rng.randrange(len(row[place]) + 1)
    # A plain blank within a name is a name like any other.
    cut = 0 if sign == " " else cut
    row[place] = row[place][:cut] + sign + row[place][cut:]


@_table
def dash_of_another_kind(d: Draw) -> None:
    row = d.treated()
    row[COMPOUND] = row[COMPOUND].replace("-", d.rng.choice("‐‑–—−"))


@_table
def filled_down(d: Draw) -> None:
    place = d.rng.randrange(len(HEADER))
    for before, row in zip(d.table[-2:0:-1], d.table[:1:-1], strict=True):
        if before[place] == row[place]:
            row[place] = ""


@_table
def a_cell_lost(d: Draw) -> None:
    d.some()[d.rng.randrange(len(HEADER))] = ""


@_table
def a_column_lost_its_cells(d: Draw) -> None:
    place = d.rng.randrange(len(HEADER))
    for row in d.rng.sample(d.body, d.rng.randrange(1, len(d.body))):
        row[place] = ""


@_table
def cells_slipped_left(d: Draw) -> None:
    row = d.some()
    del row[d.rng.randrange(len(row))]
    if d.rng.random() < 0.5:
        row.append("")


@_table
def cells_slipped_right(d: Draw) -> None:
    row = d.some()
    row.insert(d.rng.randrange(len(row)), "")
    if d.rng.random() < 0.5:
        row.pop()


@_table
def column_slipped_down(d: Draw) -> None:
    place = d.rng.choice([WELL, ROLE, DOSE])
    cells = [row[place] for row in d.body]
    for row, cell in zip(d.body, ["", *cells[:-1]], strict=True):
        row[place] = cell


@_table
def plate_lost_its_zeros(d: Draw) -> None:
    for row in d.body:
        row[PLATE] = re.sub("^SQ0+", "", row[PLATE])


@_table
def plate_of_digits_swapped(d: Draw) -> None:
    for row in d.body:
        row[PLATE] = row[PLATE][:-2] + row[PLATE][-1] + row[PLATE][-2]


@_table
def plate_like_a_path(d: Draw) -> None:
    wrong = ["../P", "/etc/passwd", ".", "a\\b", "x" * 300, "P\x07", "=1+1"]
    d.some()[PLATE] = d.rng.choice(wrong)


@_table
def names_like_nothing(d: Draw) -> None:
    row = d.treated()
    row[COMPOUND] = d.rng.choice(
        ["NA", "None", "null", "TRUE", "1E05", "nan", "-", "=1+1"]
    )


@_table
def notes_around(d: Draw) -> None:
    note = ["made by me", *[""] * (len(HEADER) - 1)]
    d.table.insert(0 if d.rng.random() < 0.5 else len(d.table), note)


@_table
def replicate_odd(d: Draw) -> None:
    row = d.some()
    own = row[REPLICATE]
    row[REPLICATE] = d.rng.choice([f"{own}.0", f"{own}e0", "-1", "one", "", "9" * 11])


@_table
def batch_odd(d: Draw) -> None:
    d.some()[BATCH] = d.rng.choice(["", "2", "b1 "])


@_text
def as_it_is(d: Draw, text: str) -> str:
    """Unchanged."""
    return text


@_text
def other_line_ends(d: Draw, text: str) -> str:
    return text.replace("\n", d.rng.choice(["\r\n", "\r", "\n\n", "\r\r\n"]))


@_text
def other_encoding(d: Draw, text: str) -> str:
    d.encoding = d.rng.choice(["utf-8-sig", "utf-16", "utf-16-le", "latin-1", "utf-32"])
    return text.replace("concentration_um", "concentration µM", 1)


@_text
def everything_quoted(d: Draw, text: str) -> str:
    rows = [line.split(",") for line in text.splitlines()]
    return "".join(",".join(f'"{c}"' for c in row) + "\n" for row in rows)


@_text
def a_quote_left_open(d: Draw, text: str) -> str:
    cut = d.rng.randrange(len(text))
    return text[:cut] + '"' + text[cut:]


@_text
def separators_mixed(d: Draw, text: str) -> str:
    cut = d.rng.randrange(len(text))
    return text[:cut] + text[cut:].replace(",", d.rng.choice(";\t|"))


@_text
def another_separator(d: Draw, text: str) -> str:
    return text.replace(",", d.rng.choice("|:~ "))


@_text
def separators_at_the_ends(d: Draw, text: str) -> str:
    return text.replace("\n", ",,\n")


@_text
def text_cut_off(d: Draw, text: str) -> str:
    return text[: d.rng.randrange(len(text))]


@_text
def start_cut_off(d: Draw, text: str) -> str:
    return text[d.rng.randrange(len(text)) :]


@_text
def a_separator_lost(d: Draw, text: str) -> str:
    places = [m.start() for m in re.finditer(",", text)]
    cut = d.rng.choice(places)
    return text[:cut] + text[cut + 1 :]


@_text
def lines_joined(d: Draw, text: str) -> str:
    places = [m.start() for m in re.finditer("\n", text)][:-1]
    cut = d.rng.choice(places)
    return text[:cut] + d.rng.choice(["", " ", ","]) + text[cut + 1 :]


@_bytes
def a_bit_flipped(rng: random.Random, raw: bytes) -> bytes:
    place = rng.randrange(len(raw))
    return (
        raw[:place] + bytes([raw[place] ^ (1 << rng.randrange(8))]) + raw[place + 1 :]
    )


@_bytes
def bytes_cut_off(rng: random.Random, raw: bytes) -> bytes:
    return raw[: rng.randrange(len(raw))]


@_bytes
def a_byte_put_in(rng: random.Random, raw: bytes) -> bytes:
    place = rng.randrange(len(raw))
    return raw[:place] + bytes([rng.randrange(256)]) + raw[place:]


@_bytes
def zeros_put_over(rng: random.Random, raw: bytes) -> bytes:
    place = rng.randrange(len(raw))
    return (raw[:place] + bytes(rng.randrange(1, 600)) + raw[place + 600 :])[: len(raw)]


@_bytes
def packed(rng: random.Random, raw: bytes) -> bytes:
    whole = gzip.compress(raw, 1, mtime=0)
    return whole if rng.random() < 0.5 else whole[: rng.randrange(len(whole))]
