"""Methods in words for a paper: what this very run did, with versions and references."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from screen.provenance import versions
from screen.report import wording
from screen.report.chemistry import Chemistry
from screen.report.chemistry.cliffs import MIN_SIMILARITY
from screen.report.chemistry.enrichment import MIN_MEMBERS
from screen.report.references import REFERENCES
from screen.report.tables import RunTables

_ADJUSTED = {
    "bh": "the method of Benjamini and Hochberg [Benjamini 1995]",
    "by": "the method of Benjamini and Yekutieli [Benjamini 2001]",
    "local": "the local false discovery rate [Efron 2004]",
}
_TESTS = {
    "moderated_t": "a moderated t test [Smyth 2004] of each dose against the vehicle"
    " wells of its plates",
    "permutation": "a permutation test within plates",
}
_NAMED = ("jax", "flax", "numpy", "scipy", "polars", "zarr", "rdkit")
_CITED = re.compile(r"\[([^\[\]]+ \d{4})\]")


def methods_text(tables: RunTables, chemistry: Chemistry | None = None) -> str:
    """Paragraphs of plain text: the screen, scoring, scale, quality, calls, structures,
    software, and the works cited, numbered in their order.

    It says what the stored settings and results of this run say; what the run did not
    record is left out.
    """
    paragraphs = [
        _screen(tables),
        _scoring(tables),
        _scale(tables),
        _quality(tables),
        _calls(tables),
        _classes(tables),
        _chemistry(chemistry),
        _software(tables),
    ]
    text = "\n\n".join(f"{head}\n{body}" for head, body in paragraphs if body)
    order = list(dict.fromkeys(k for k in _CITED.findall(text) if k in REFERENCES))
    for number, key in enumerate(order, 1):
        text = text.replace(f"[{key}]", f"[{number}]")
    cited = [f"{n}. {REFERENCES[key]}" for n, key in enumerate(order, 1)]
    return f"{text}\n\nReferences\n" + "\n".join(cited) + "\n"


def _settings(tables: RunTables) -> dict[str, Any]:
    found = tables.call.get("settings", {})
    return found if isinstance(found, dict) else {}


def _screen(tables: RunTables) -> tuple[str, str]:
    hits = tables.hits
    treated = hits.filter(pl.col("role") == "treatment")
    doses = treated["concentration_um"].drop_nulls().unique().sort()
    told = (
        f"{wording.count(len(tables.plate_ids), 'plate')} with"
        f" {wording.count(hits.height, 'mapped well')}:"
        f" {wording.count(treated.height, 'well')} with"
        f" {wording.count(treated['compound'].n_unique(), 'compound')}"
    )
    if len(doses):
        lowest, highest = doses.item(0), doses.item(-1)
        span = wording.concentration(lowest)
        if len(doses) > 1:
            span += f" to {wording.concentration(highest)}"
        told += f" at {wording.count(len(doses), 'concentration')} ({span})"
    vehicle = pl.col("role") == "vehicle"
    for state, name in (("stressed", "stressed"), ("unstressed", "unstressed")):
        n = hits.filter(vehicle & (pl.col("state") == state)).height
        told += f", {wording.count(n, f'{name} vehicle well')}"
    return "Screen", f"{_upper(told)}."


def _scoring(tables: RunTables) -> tuple[str, str]:
    source = tables.call.get("source")
    if isinstance(source, dict):
        name = wording.shown(source.get("table"))
        return "Read-out", f"Read-outs of wells were taken from the table {name}."
    score = tables.manifest.get("verbs", {}).get("score", {})
    if not score:
        return "Read-out", ""
    facts = score.get("facts", {})
    told = (
        "Cells were found in every field and each was scored by a convolutional network"
        " with the probability that it is senescent; a well's score is the mean over its"
        " cells. No well was scored by a network that had learnt from it."
    )
    if model := facts.get("model"):
        told += f" Model {wording.shown(model)[:12]} (first digits of its SHA-256)"
        told += f", {wording.shown(facts.get('precision', 'float32'))}"
        told += f", on {wording.shown(facts.get('device', 'one device'))}."
    return "Scoring", told


def _scale(tables: RunTables) -> tuple[str, str]:
    anchors = _settings(tables).get("anchors", {})
    if not _is_rescue(tables):
        return "Scale", (
            "Wells are given as robust z against the vehicle of their plate, (x - median)"
            " / (1.4826 MAD), positive towards rescue."
        )
    told = (
        "Rescue of a well is (S - x) / (S - H), with x its score and S and H the medians"
        f" of the senescent end ({_anchor(anchors.get('senescent'))}) and the healthy end"
        f" ({_anchor(anchors.get('healthy'))}) of the same plate."
    )
    normalizer = _settings(tables).get("normalizer")
    if normalizer:
        told += f" Places on the plate: {wording.shown(normalizer)}."
    return "Scale", told if anchors else ""


def _anchor(found: Any) -> str:
    named = found if isinstance(found, dict) else {}
    words = [named.get(k) for k in ("compound", "role", "state")]
    return wording.shown(" ".join(str(w) for w in words if w) or "wells")


def _quality(tables: RunTables) -> tuple[str, str]:
    limit = _settings(tables).get("z_prime_min")
    has_quality = tables.plates["z_prime"].is_not_null().any()
    told = (
        "Plate quality is given as Z' [Zhang 1999] and SSMD [Zhang 2007] of the two vehicle"
        " groups, with intervals."
        if has_quality
        else "No plate has two vehicle groups that give Z' or SSMD."
    )
    if has_quality and isinstance(limit, int | float):
        told += f" A plate failed where the whole interval of Z' lay below {limit:g}."
    counted = tables.plates["verdict"].value_counts(sort=True).iter_rows()
    verdicts = ", ".join(f"{n} {wording.shown(v)}" for v, n in counted if v)
    set_aside = tables.hits.filter(pl.col("status") == "QUARANTINED").height
    told += f" Plates: {verdicts}." if verdicts else ""
    told += f" {wording.count(set_aside, 'well')} quarantined." if set_aside else ""
    return "Quality", told


def _calls(tables: RunTables) -> tuple[str, str]:
    settings, call = _settings(tables), tables.call
    test = call.get("test", {})
    name = test.get("name", settings.get("test")) if isinstance(test, dict) else None
    told = []
    if name in _TESTS:
        told.append(f"Effects were tested by {_TESTS[name]}.")
    if unit := call.get("unit"):
        told.append(f"Tested unit: {wording.sentence(unit)}.")
    if family := call.get("family"):
        told.append(f"Family: {wording.sentence(family)}, {call.get('family_size')}.")
    adjustment = settings.get("adjustment", "bh")
    fdr = settings.get("fdr")
    if isinstance(fdr, int | float) and adjustment in _ADJUSTED:
        limits = _limits(settings, _is_rescue(tables))
        told.append(f"Hits have q up to {fdr:g} by {_ADJUSTED[adjustment]}{limits}.")
    n = int(tables.compounds["is_hit"].fill_null(False).sum())
    told.append(
        f"{_upper(wording.count(n, 'hit'))} among"
        f" {wording.count(tables.compounds.height, 'compound')}."
    )
    return "Hit calls", " ".join(told)


def _is_rescue(tables: RunTables) -> bool:
    return bool(tables.call.get("effect", "rescue") == "rescue")


def _limits(settings: dict[str, Any], is_rescue: bool) -> str:
    effect = ("min_effect", "a rescue") if is_rescue else ("min_z", "a robust z")
    words = {
        effect[0]: f"{effect[1]} of at least {{:g}}",
        "min_replicates": "at least {:g} usable wells at the dose",
        "min_relative_count": "at least {:g} of the vehicle's cell number",
    }
    told = [
        text.format(settings[key])
        for key, text in words.items()
        if isinstance(settings.get(key), int | float)
    ]
    return f", and {', '.join(told)}" if told else ""


def _classes(tables: RunTables) -> tuple[str, str]:
    present = [c for c in wording.CLASSES if c in set(tables.compounds["class"])]
    if not present:
        return "Classes", ""
    listed = "; ".join(f"{k}: {wording.CLASSES[k][1].rstrip('.')}" for k in present)
    return "Classes", (
        "Compounds are classed by the numbers of senescent (r f) and young cells"
        " (r (1 - f)) relative to the vehicle, r the relative cell number and f"
        f" the senescent share. {listed}."
    )


def _chemistry(found: Chemistry | None) -> tuple[str, str]:
    if found is None:
        return "Structures", ""
    return "Structures", (
        f"{wording.count(found.structures.height, 'distinct parent structure')} (salts"
        " stripped) were grouped by scaffold [Bemis 1996]; families of at least"
        f" {MIN_MEMBERS} were tested for hits by the one-sided exact test [Fisher 1935]"
        " with q over families [Benjamini 1995] and odds ratios with half a count added"
        " [Woolf 1955]. Similarity is Tanimoto's on ECFP4 of 2048 bits [Rogers 2010]."
        f" Activity cliffs are pairs of similarity {MIN_SIMILARITY:g} or more whose"
        " effects differ beyond their joint error, ranked by the structure-activity"
        " landscape index [Guha 2008]. The map is principal coordinate analysis of the"
        " similarities [Gower 1966]."
    )


def _software(tables: RunTables) -> tuple[str, str]:
    verbs = tables.manifest.get("verbs", {})
    listed: dict[str, list[str]] = {}
    for verb in ("score", "call"):
        if found := verbs.get(verb, {}).get("versions", {}):
            listed.setdefault(_listed(found), []).append(verb)
    if not listed:
        listed[_listed(versions())] = ["report"]
    told = (f"{' and '.join(names)} with {text}" for text, names in listed.items())
    return "Software", f"{_upper('; '.join(told))}."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(found: dict[str, Any]) -> str:
    named = [n for n in ("senoscreen", "python", *_NAMED) if n in found]
    return ", ".join(f"{n} {wording.shown(found[n])}" for n in named)
