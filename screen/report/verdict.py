"""The first lines of the page: did the screen work, and what happened to each well."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import polars as pl

from screen.codes import CODES
from screen.report import wording
from screen.report.next_steps import next_steps
from screen.report.tables import RunTables

MOST_LISTED = 200
_NOT_FINE = ("SCORED_DEGRADED", "NO_CELLS", "QUARANTINED", "ABSENT")


@dataclass(frozen=True)
class Verdict:
    """The screen in one sentence, with its tone (good, care, bad) and the key figures."""

    tone: str
    sentence: str
    figures: list[tuple[str, str]]


@dataclass(frozen=True)
class WellGroup:
    """Wells set aside for one reason, with what it means and what helps."""

    status: str
    code: str
    meaning: str
    remedy: str
    n_wells: int
    wells: list[tuple[str, str]]
    n_more: int


def verdict(tables: RunTables) -> Verdict:
    """Plates by verdict and number of hits, in one sentence a biologist can act on."""
    verdicts = Counter(tables.plates["verdict"].to_list())
    n = max(len(tables.plate_ids), tables.plates.height)
    n_scored = int(tables.hits["score"].is_not_null().sum())
    tone, opening = _opening(verdicts, n, n_scored)
    plates = (
        f"{verdicts['pass']} of {wording.count(n, 'plate')} pass"
        + (f", {verdicts['undecided']} undecided" if verdicts["undecided"] else "")
        + (f", {verdicts['fail']} fail" if verdicts["fail"] else "")
    )
    told = f"{plates}; {_hits_words(tables)}; {_belief(tables)}; {_next(tables)}."
    parts = [opening, f" {told}" if n else ""]
    figures = [
        ("plates passed", f"{verdicts['pass']} / {n}"),
        (
            "wells scored",
            f"{wording.number(n_scored, 0)} / {tables.hits.height:,}".replace(
                ",", "\u202f"
            ),
        ),
        ("compounds tested", wording.number(_n_tested(tables), 0)),
        ("hits", wording.number(int(tables.compounds["is_hit"].sum() or 0), 0)),
    ]
    return Verdict(tone, "".join(parts), figures)


def _opening(verdicts: Counter[str], n: int, n_scored: int) -> tuple[str, str]:
    if not n:
        return "bad", "There is nothing to read: the run holds no plate."
    if not n_scored:
        return "bad", "The screen cannot be read: no well could be scored."
    if verdicts["pass"] == n:
        return "good", "The screen worked:"
    if verdicts["pass"]:
        return "care", "The screen worked in part:"
    if verdicts["undecided"]:
        return "care", "Read with care, plate quality is not proven:"
    return "bad", "Do not use this screen as it is:"


def _n_tested(tables: RunTables) -> int:
    return int(tables.compounds["p"].is_not_null().sum())


def _hits_words(tables: RunTables) -> str:
    n, tested = int(tables.compounds["is_hit"].sum() or 0), _n_tested(tables)
    if not tables.compounds.height:
        return "no treatment compound was on the plates"
    fdr = tables.call.get("settings", {}).get("fdr")
    level = f" at a false discovery rate of {fdr:g}" if isinstance(fdr, float) else ""
    verb = "is called a hit" if n == 1 else "are called hits"
    return f"{n or 'none'} of {wording.count(tested, 'tested compound')} {verb}{level}"


def _belief(tables: RunTables) -> str:
    """Whether the audits stand behind the score."""
    audits = tables.call.get("audits", {})
    verdicts = {
        name: {row["verdict"] for row in audits.get(key, {}).get("lines", [])}
        for key, name in (("shortcut", "place"), ("density", "cell number"))
    }
    failed = [name for name, found in verdicts.items() if "fail" in found]
    if failed:
        return f"doubt it where the score follows {' and '.join(failed)}"
    if not any(verdicts.values()):
        return "the score was not audited"
    open_ones = [name for name, found in verdicts.items() if found != {"pass"}]
    if open_ones:
        return f"whether the score follows {' or '.join(open_ones)} cannot be told"
    return "the audits find nothing against the score"


def _next(tables: RunTables) -> str:
    first = next_steps(tables)[0].what
    return f"next: {first[:1].lower()}{first[1:]}"


def status_counts(hits: pl.DataFrame) -> list[tuple[str, str, int]]:
    """Label, meaning and number of wells for each status that occurs."""
    counts = Counter(hits["status"].to_list())
    known = [(*wording.STATUSES[s], counts[s]) for s in wording.STATUSES if counts[s]]
    others = [
        (wording.shown(s) or "no status", "", n)
        for s, n in sorted(counts.items(), key=lambda item: str(item[0]))
        if s not in wording.STATUSES
    ]
    return known + others


def plate_counts(tables: RunTables) -> list[tuple[str, str, int, str]]:
    """Verdict, label, number of plates and what it means, for each that occurs."""
    verdicts = Counter(tables.plates["verdict"].to_list())
    limit = tables.call.get("settings", {}).get("z_prime_min")
    below = f"below {limit:g}" if isinstance(limit, float) else "below the limit"
    told = (
        ("pass", "Pass", "the lower bound of Z′ reaches 0: hits can be called"),
        ("undecided", "Undecided", "Z′ cannot tell; hits are called and flagged"),
        (
            "fail",
            "Fail",
            f"all of Z′ lies {below}, or the controls are lost; no hit is called",
        ),
    )
    return [(k, name, verdicts[k], words) for k, name, words in told if verdicts[k]]


def class_counts(compounds: pl.DataFrame) -> list[tuple[str, str, str, int]]:
    """Key, label, meaning and number of compounds for each class that occurs."""
    counts = Counter(compounds["class"].drop_nulls().to_list())
    return [
        (key, name, meaning, counts[key])
        for key, (name, meaning) in wording.CLASSES.items()
        if counts[key]
    ]


def set_aside(hits: pl.DataFrame) -> list[WellGroup]:
    """Every well that is not plainly scored, grouped by status and reason code."""
    rows = hits.filter(pl.col("status").is_in(_NOT_FINE))
    exploded = rows.select(
        "status",
        "plate",
        "well",
        pl.col("codes").fill_null("").str.split(";").alias("code"),
    ).explode("code")
    groups = []
    for (status, code), wells in exploded.sort(
        "status", "code", "plate", "well"
    ).group_by(["status", "code"], maintain_order=True):
        groups.append(_well_group(str(status), str(code or ""), wells))
    return groups


def _well_group(status: str, code: str, wells: pl.DataFrame) -> WellGroup:
    known = CODES.get(code)
    if known is not None:
        meaning, remedy = known.meaning, known.remedy
    else:
        meaning = wording.STATUSES[status][1]
        remedy = "see the codes in hits.csv" if code else "none recorded"
    places = [
        (wording.shown(p), w) for p, w in wells.select("plate", "well").iter_rows()
    ]
    return WellGroup(
        wording.label(wording.STATUSES, status),
        wording.shown(code) or "no code",
        meaning,
        remedy,
        len(places),
        places[:MOST_LISTED],
        max(len(places) - MOST_LISTED, 0),
    )
