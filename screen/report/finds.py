"""What stands out among the plates, in words: each with how grave it is and where to look."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import polars as pl

from plates.wells import PlateFormat
from screen.codes import CODES
from screen.plate_doubts import MIN_SHARE, Doubt, plate_doubts
from screen.report import place_words, wording
from screen.report.tables import RunTables

MOST_NAMED = 3
MOST_EACH = 4  # plates told one by one; more are told together
MUCH_LOST = 0.05  # share of a plate's wells without a number
MUCH_FLAGGED = 0.05  # share of a plate's fields with a flag
BAD, CARE, GOOD = "bad", "care", "good"
SEVERITIES = {BAD: "Fails", CARE: "Look", GOOD: "Fine"}
_LINES = ("row effect", "column effect")


@dataclass(frozen=True)
class Find:
    """One thing to know: bad, care or good, in words, with (address, text) to look at."""

    severity: str
    words: str
    links: tuple[tuple[str, str], ...] = ()

    @property
    def word(self) -> str:
        """The severity as one word."""
        return SEVERITIES[self.severity]


def plate_finds(tables: RunTables, fmt: PlateFormat) -> list[Find]:
    """Failing and undecided plates, effects of place, drift in plate order, lost wells
    and poor pictures, worst first; one good find where there is nothing to tell."""
    if not tables.plate_ids:
        return []
    rows = tables.plates.to_dicts()
    placed = _placed(tables, rows, fmt)
    found = [
        *_failed(rows, bool(_settings(tables).get("keep_failed_plates"))),
        *_undecided(rows),
        *placed,
        *_ordered(rows),
        *_flagged(rows),
        *_lost(tables.hits),
        *_poor_pictures(tables.fields),
    ]
    if not found:
        all_plates = wording.count(len(tables.plate_ids), "plate")
        words = f"No plate stands out: {all_plates}, none failing or undecided, no sure effect of place and no drift."
        found = [Find(GOOD, words)]
    return sorted(found, key=lambda f: (BAD, CARE, GOOD).index(f.severity))


def named(names: Sequence[str]) -> str:
    """``P1, P2, P3 and 4 more``, fit for print."""
    unique = list(dict.fromkeys(names))
    more = len(unique) - MOST_NAMED
    rest = f" and {more} more" if more > 0 else ""
    return ", ".join(map(wording.shown, unique[:MOST_NAMED])) + rest


def plate_links(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Addresses of the first few plates."""
    unique = list(dict.fromkeys(names))[:MOST_NAMED]
    return tuple((address("plate", p), wording.shown(p)) for p in unique)


def address(key: str, value: object) -> str:
    """An address within the page, such as ``#plate=P01``."""
    return f"#{key}={quote(str(value), safe='/')}"


def _settings(tables: RunTables) -> dict[str, Any]:
    found = tables.call.get("settings", {})
    return found if isinstance(found, dict) else {}


def reason_words(reason: str | None) -> str:
    """A plate's reason as a sentence's part: true minus and prime, codes explained."""
    text = reason or ""
    if text.startswith("Z'"):
        plain = re.sub(r"-(0\.0+)\b", r"\1", text)  # no negative zero
        return wording.sentence(plain.replace("Z'", "Z′").replace("-", "−"))
    code, _, rest = text.partition(":")
    if code in CODES:
        known = CODES[code]
        told = f" ({rest.strip()})" if rest.strip() else ""
        return wording.sentence(f"{known.meaning}{told}; {known.remedy} ({code})")
    return wording.sentence(text) or "no reason was recorded"


def _failed(rows: list[dict[str, Any]], kept: bool) -> list[Find]:
    failed = [r for r in rows if r["verdict"] == "fail"]
    fate = (
        "they are kept by keep_failed_plates"
        if kept
        else "none of its wells makes a hit"
    )
    found = [
        Find(
            BAD,
            f"Plate {wording.unit_name(r)} fails: {reason_words(r['reason'])}; {fate}.",
            plate_links([r["plate"]]),
        )
        for r in failed[:MOST_EACH]
    ]
    others = [r["plate"] for r in failed[MOST_EACH:]]
    if others:
        words = f"{wording.count(len(others), 'more plate')} {_verb(others, 'fails', 'fail')}: {named(others)}."
        found.append(Find(BAD, words, plate_links(others)))
    return found


def _verb(items: Sequence[object], one: str, many: str) -> str:
    return one if len(items) == 1 else many


def _undecided(rows: list[dict[str, Any]]) -> list[Find]:
    by_reason = defaultdict[str, list[dict[str, Any]]](list)
    for row in rows:
        if row["verdict"] == "undecided":
            text = row["reason"] or ""
            by_reason["Z'" if text.startswith("Z'") else text].append(row)
    found = []
    for part in by_reason.values():
        names, why = [r["plate"] for r in part], reason_words(part[0]["reason"])
        if len(part) == 1:
            words = f"Plate {wording.unit_name(part[0])} is undecided: {why}."
        else:
            if (part[0]["reason"] or "").startswith("Z'"):
                why = "their Z′ is too wide or too low to pass, not low enough to fail"
            words = f"{len(part)} plates are undecided ({named(names)}): {why}."
        found.append(Find(CARE, words, plate_links(names)))
    return found


def _placed(
    tables: RunTables, rows: list[dict[str, Any]], fmt: PlateFormat
) -> list[Find]:
    """Rim and drift within plates, where the call's own test is sure of it."""
    least = _settings(tables).get("shortcut_min_share", MIN_SHARE)
    doubts = plate_doubts(tables.plates, least)
    edge = _rows_of(doubts, rows, ("edge effect",))
    # Where the rim differs, so do the first and last rows and columns: not told twice.
    trend = _rows_of(doubts, rows, ("gradient",))
    lines = [r for r in _rows_of(doubts, rows, _LINES) if r not in [*edge, *trend]]

    def moves(row: dict[str, Any]) -> str:
        return place_words.trend_words(row, tables.hits, fmt)

    return [
        *_each(
            edge, place_words.edge_words, "the edge wells differ from the inner ones"
        ),
        *_each(trend, moves, "the score drifts along rows or columns"),
        *_each(
            lines, place_words.line_words, "the score differs between rows or columns"
        ),
    ]


def _rows_of(
    doubts: Sequence[Doubt], rows: list[dict[str, Any]], kinds: Sequence[str]
) -> list[dict[str, Any]]:
    sure = {(d.plate, d.line, d.time_h) for d in doubts if d.kind in kinds}
    return [r for r in rows if (r["plate"], r["line"], r["time_h"]) in sure]


def _each(
    rows: list[dict[str, Any]], tell: Callable[[dict[str, Any]], str], together: str
) -> list[Find]:
    """A find a plate, or one for all where plates are many."""
    names = [r["plate"] for r in rows]
    if len(rows) > MOST_EACH:
        words = f"On {len(rows)} plates {together} ({named(names)})."
        return [Find(CARE, words, plate_links(names))]
    return [
        Find(CARE, tell(r) + place_words.taken_away(r), plate_links([r["plate"]]))
        for r in rows
    ]


def _ordered(rows: list[dict[str, Any]]) -> list[Find]:
    """Drift in plate order, a find a measure where it holds for several plates."""
    told = defaultdict[str, list[tuple[str, str]]](list)
    for row in rows:
        for what, words in place_words.order_words(row):
            told[what].append((row["plate"], words))
    found = []
    for what, plates in told.items():
        names = [p for p, _ in plates]
        words = plates[0][1]
        if len(plates) > 1:
            words = f"In plate order, {what} drifts at {len(plates)} plates ({named(names)})."
        found.append(Find(CARE, words, plate_links(names)))
    return found


def _flagged(rows: list[dict[str, Any]]) -> list[Find]:
    plates = defaultdict[str, list[str]](list)
    for row in rows:
        for flag in filter(None, (row["flags"] or "").split(";")):
            plates[flag].append(row["plate"])
    found = []
    for flag, names in plates.items():
        known = CODES.get(flag)
        told = f"{known.meaning}; {known.remedy} ({flag})" if known else flag
        which = _verb(names, "Plate", "Plates")
        words = wording.sentence(f"{which} {named(names)}: {told}.")
        found.append(Find(CARE, words, plate_links(names)))
    return found


def _lost(hits: pl.DataFrame) -> list[Find]:
    """Plates on which many wells hold no number."""
    lost = pl.col("status").is_in(["QUARANTINED", "ABSENT"])
    counts = hits.group_by("plate", maintain_order=True).agg(
        lost.sum().alias("lost"), pl.len().alias("n")
    )
    much = counts.filter(pl.col("lost") > MUCH_LOST * pl.col("n")).to_dicts()
    if len(much) > MOST_EACH:
        names = [r["plate"] for r in much]
        n = wording.number(sum(r["lost"] for r in much), 0)
        words = f"{len(much)} plates lost many wells, {n} in all ({named(names)})."
        return [Find(CARE, words, plate_links(names))]
    return [
        Find(
            BAD if r["lost"] == r["n"] else CARE,
            f"Plate {wording.shown(r['plate'])} lost {r['lost']} of its {r['n']} wells;"
            " codes and remedies are under Wells set aside.",
            plate_links([r["plate"]]),
        )
        for r in much
    ]


def _poor_pictures(fields: pl.DataFrame) -> list[Find]:
    """Plates with many flagged fields."""
    if fields.is_empty():
        return []
    counts = fields.group_by("plate", maintain_order=True).agg(
        (pl.col("flags") != "").sum().alias("flagged"),
        pl.len().alias("n"),
        pl.col("flags").filter(pl.col("flags") != "").mode().first().alias("most"),
    )
    much = counts.filter(pl.col("flagged") > MUCH_FLAGGED * pl.col("n")).to_dicts()
    names = [r["plate"] for r in much]
    if len(much) > MOST_EACH:
        words = f"On {len(much)} plates many fields are flagged ({named(names)})."
        return [Find(CARE, words, plate_links(names))]
    return [
        Find(
            CARE,
            f"On plate {wording.shown(r['plate'])} {r['flagged']} of {r['n']} fields are"
            f" flagged, most of them {wording.shown(r['most'])}.",
            plate_links([r["plate"]]),
        )
        for r in much
    ]
