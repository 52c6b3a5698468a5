"""What was planted beside what was found: the score card of a virtual screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

STRONG, WEAK = 0.5, 0.3
FORBIDDEN = ("toxic", "artefact", "other")
UNCALLED = ("inactive", "undecided", "failed")


def planted_and_found(campaign: Path, compounds: pl.DataFrame) -> pl.DataFrame:
    """Every ranked compound with the class and effect that were planted.

    Raises FileNotFoundError when the campaign holds no truth (it is not virtual).
    """
    truth = pl.read_parquet(campaign / "truth_compounds.parquet").select(
        "compound",
        pl.col("class").alias("planted"),
        pl.col("true_effect").alias("planted_effect"),
    )
    return compounds.join(truth, on="compound", how="left", validate="1:1").sort("rank")


def score_card(joined: pl.DataFrame) -> dict[str, Any]:
    """The figures of one screen.

    ``recall_strong``: share of planted rescues with an effect of at least 0.5 of the
    window that are hits; ``recall_weak``: the same from 0.3 to 0.5; ``wrong_share``:
    share of the hits that are inert or of another class; ``forbidden_rescue``: hits
    that kill, only fluoresce, or look like neither state; ``wrong_class_share``: share
    of all compounds given any class whose planted class is another.
    """
    rescue = joined.filter(pl.col("planted") == "rescue")
    effect = pl.col("planted_effect")
    strong = rescue.filter(effect >= STRONG)
    weak = rescue.filter((effect >= WEAK) & (effect < STRONG))
    hits = joined.filter("is_hit")
    wrong = hits.filter(pl.col("planted") != "rescue")
    called = joined.filter(~pl.col("class").is_in(UNCALLED))
    misnamed = called.filter(pl.col("class") != pl.col("planted"))
    return {
        "recall_strong": _share(strong.filter("is_hit").height, strong.height),
        "recall_weak": _share(weak.filter("is_hit").height, weak.height),
        "wrong_share": _share(wrong.height, hits.height),
        "forbidden_rescue": wrong.filter(pl.col("planted").is_in(FORBIDDEN)).height,
        "wrong_class_share": _share(misnamed.height, called.height),
        "n_hits": hits.height,
        "n_strong": strong.height,
        "n_weak": weak.height,
        "n_wrong": wrong.height,
        "n_compounds": joined.height,
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
