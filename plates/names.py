"""Compound names as people write them, found in a library, each with how it was found."""

import re
from collections.abc import Callable, Iterable
from unicodedata import normalize

import polars as pl

SCHEMA = pl.Schema(
    dict.fromkeys(("name", "compound", "how"), pl.String())
    | {"candidates": pl.List(pl.String()), "library": pl.Int64()}
)
AMBIGUOUS, NONE = "ambiguous", "none"
_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "κ": "kappa",
    "ω": "omega",
}
# Written before or after a name, and of no word in a name without them.
_RACEMATE = re.compile(r"\((\?|\+-|\+/-|\+,-|±|rac|r,s|rs)\)|\brac-|±")
_PRIME = re.compile("['\"`´′″‘’“”]")
_COUNTS = "hemi|sesqui|mono|di|tri|tetra|penta|bis|tris"
_IONS = (
    "hydrochloride|hcl|hydrobromide|hbr|hydroiodide|chloride|bromide|iodide|fluoride|"
    "sodium|potassium|lithium|calcium|magnesium|zinc|ammonium|"
    "maleate|fumarate|tartrate|bitartrate|citrate|oxalate|besylate|tosylate|"
    "mesylate|methanesulfonate|methanesulphonate|benzenesulfonate|"
    "toluenesulfonate|sulfate|sulphate|hydrogensulfate|bisulfate|nitrate|perchlorate|"
    "trifluoroacetate|trifluoroacetic acid|tfa|malate|isethionate|isetionate|"
    "gluconate|lactate|"
    "meglumine|tromethamine|olamine"
)
# What stands after a parent's name when salts, solvents and hydrates are named with it.
_SALT = re.compile(
    rf"[\s,;-]+(\(?[+-]\)?-?|\([+-]\)|[dl]-|l-\(\+\)-)?({_COUNTS})?-?"
    rf"({_IONS}|hydrate|ethanolate|methanolate|solvate|salt|free base|base|anhydrous)$"
)
# These end the names of esters too: taken off only after all the other ways have failed.
_ESTER = re.compile(
    rf"[\s,;-]+({_COUNTS})?(acetate|phosphate|succinate|benzoate|salicylate|acid)$"
)
_BRACKETED = re.compile(r"\s*\([a-z0-9 /+-]*\)$")


def spelling(name: str) -> str:
    """A name without case, blanks, hyphens, marks of a racemate and kinds of prime."""
    text = normalize("NFKD", name).casefold()
    text = _RACEMATE.sub("", "".join(_GREEK.get(letter, letter) for letter in text))
    text = text.replace("(+)", "plus").replace("(-)", "minus")
    text = _PRIME.sub("prime", text)
    return re.sub(r"[\W_]+", "", text)


def without_salt(name: str) -> str:
    """A name in lower case without the words for salts, solvents and hydrates at its end."""
    return _stripped(name, (_SALT,))


def _stripped(name: str, endings: Iterable[re.Pattern[str]]) -> str:
    text = normalize("NFKC", name).casefold().strip()
    before = ""
    while text != before:
        before = text
        for ending in endings:
            text = ending.sub("", text).strip() or before
        bracket = _BRACKETED.search(text)
        if bracket and _is_salt(bracket[0].strip(" ()")):
            text = text[: bracket.start()]
    return text


def _is_salt(words: str) -> bool:
    """Whether some words speak of salts alone."""
    left = f" {words}"
    while (shorter := _SALT.sub("", left)) != left:
        left = shorter
    return not left.strip()


def _without_ester(name: str) -> str:
    return _stripped(name, (_SALT, _ESTER))


Form = Callable[[str], str]
# From the surest to the boldest; the first that finds something decides.
_WAYS: tuple[tuple[str, tuple[str, ...], Form], ...] = (
    ("id", ("compound",), str),
    ("name", ("name",), str.casefold),
    ("synonym", ("synonyms",), str.casefold),
    ("id, spelling", ("compound",), spelling),
    ("name, spelling", ("name",), spelling),
    ("synonym, spelling", ("synonyms",), spelling),
    ("salt stripped", ("name",), lambda name: spelling(without_salt(name))),
    (
        "salt stripped, synonym",
        ("synonyms",),
        lambda name: spelling(without_salt(name)),
    ),
    (
        "salt or ester stripped",
        ("name", "synonyms"),
        lambda name: spelling(_without_ester(name)),
    ),
)


def resolve(names: Iterable[str], *libraries: pl.DataFrame) -> pl.DataFrame:
    """Each name once, with the library's id and how it was found; columns as in `SCHEMA`.

    A library is asked, counted from 0, for what those before it do not know at all.

    `how` is a way from id to salt stripped, `ambiguous` where the surest way that finds
    something finds several structures (`candidates`), or `none`; then `compound` is ''.
    Compounds of one `parent_key` are one structure, of which the first is taken.
    """
    found: dict[str, tuple[str, str, str, list[str], int]] = {}
    left = list(dict.fromkeys(names))
    order = {name: place for place, name in enumerate(left)}
    for number, library in enumerate(libraries):
        lookup = _lookup(library)
        found |= {name: (*lookup(name), number) for name in left}
        left = [name for name in left if found[name][2] == NONE]
    rows = sorted(found.values(), key=lambda row: order[row[0]])
    return pl.DataFrame(rows, SCHEMA, orient="row")


def _lookup(library: pl.DataFrame) -> Callable[[str], tuple[str, str, str, list[str]]]:
    rows = library.select("compound", "name", "synonyms", "parent_key").to_dicts()
    indexes = [(how, _index(rows, columns, form), form) for how, columns, form in _WAYS]
    return lambda name: _resolved(name, rows, indexes)


def _index(
    rows: list[dict[str, object]], columns: tuple[str, ...], form: Form
) -> dict[str, list[int]]:
    index: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        for column in columns:
            value = row[column]
            words = [value] if isinstance(value, str) else list(value or ())  # type: ignore[call-overload]
            for key in {form(word) for word in words}:
                if key:
                    index.setdefault(key, []).append(number)
    return index


def _resolved(
    name: str,
    rows: list[dict[str, object]],
    indexes: list[tuple[str, dict[str, list[int]], Form]],
) -> tuple[str, str, str, list[str]]:
    for how, index, form in indexes:
        hits = index.get(form(name), []) if name else []
        if hits:
            structures = {rows[n]["parent_key"] or rows[n]["compound"] for n in hits}
            ids = [str(rows[n]["compound"]) for n in hits]
            if len(structures) == 1:
                return name, ids[0], how, ids
            return name, "", AMBIGUOUS, ids
    return name, "", NONE, []
