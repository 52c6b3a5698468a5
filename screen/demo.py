"""The main job on a virtual screen whose answers are known: `make demo`."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from screen.codes import USABLE
from screen.errors import worst

SHOWN = 25


def main() -> int:
    """Simulate, train, score, call and report; print planted beside found.

    Takes ``seed=N`` and ``screen=NAME`` (an option of the group simulate); returns the
    exit code of the gravest step.
    """
    asked = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    if set(asked) - {"seed", "screen"} or len(asked) != len(sys.argv) - 1:
        print("usage: python -m screen.demo [seed=1] [screen=reference]")
        return 2
    return demo(asked.get("seed", "1"), asked.get("screen", "reference"))


def demo(seed: str, screen: str) -> int:
    """Run the verbs one after the other, as typed, and show what came out; stops at
    one that failed."""
    name = f"demo-{screen}-{seed}"
    campaign, model = Path("campaigns") / name, Path("models") / name
    for old in (campaign, model, Path("runs") / name):
        shutil.rmtree(old, ignore_errors=True)
    begun = time.monotonic()
    run = [f"campaign={campaign}", f"model={model}", f"run={name}"]
    steps = {
        "simulate": [f"simulate={screen}", f"out={campaign}", f"seed={seed}"],
        "train": [f"campaign={campaign}", f"out={model}", f"seed={seed}"],
        "run": run,
    }
    codes = []
    for verb, words in steps.items():
        codes.append(_step(verb, words))
        if codes[-1] not in USABLE:
            return codes[-1]
    show(campaign, Path("runs") / name)
    print(f"\nall of it in {time.monotonic() - begun:.0f} s")
    print(f"report: {Path('runs') / name / 'report.html'} (open it in a browser)")
    return worst(codes)


def _step(verb: str, words: list[str]) -> int:
    # Imported late: workers of simulate import this module, and need none of it.
    from screen.__main__ import main as senoscreen

    print(f"\n$ senoscreen {verb} {' '.join(words)}", flush=True)
    begun = time.monotonic()
    code = senoscreen([verb, *words])
    print(f"({time.monotonic() - begun:.0f} s)", flush=True)
    return code


def show(campaign: Path, run: Path) -> None:
    """Print the ranked table with what was planted, and the score card."""
    import polars as pl
    from rich.console import Console
    from rich.table import Table

    from screen.truth import planted_and_found, score_card

    joined = planted_and_found(campaign, pl.read_parquet(run / "compounds.parquet"))
    plates = pl.read_parquet(run / "plates.parquet")
    console = Console(width=None if sys.stdout.isatty() else 110)
    table = Table(title="ranked compounds, what was found beside what was planted")
    numbers = ("rank", "rescue", "95 % interval", "q", "cells", "planted effect")
    for column in ("rank", "compound", "found", "planted", *numbers[1:]):
        table.add_column(column, justify="right" if column in numbers else "left")
    for row in joined.head(SHOWN).iter_rows(named=True):
        table.add_row(*_cells(row))
    console.print(table)
    for plate in plates.iter_rows(named=True):
        console.print(
            f"plate {plate['plate']}: {plate['verdict']}, Z' {_n(plate['z_prime'])}"
            f" (95 % {_n(plate['z_prime_low'])} to {_n(plate['z_prime_high'])}),"
            f" {plate['scale']}",
            highlight=False,
        )
    card = score_card(joined)
    console.print(
        f"hits {card['n_hits']} of {card['n_compounds']} compounds; found"
        f" {_share(card['recall_strong'])} of {card['n_strong']} strong and"
        f" {_share(card['recall_weak'])} of {card['n_weak']} weak rescues;"
        f" {card['n_wrong']} wrong hits, {card['forbidden_rescue']} forbidden ones",
        highlight=False,
    )


def _cells(row: dict[str, object]) -> list[str]:
    mark = "hit " if row["is_hit"] else ""
    interval = f"{_n(row['rescue_low'])} to {_n(row['rescue_high'])}"
    return [
        str(row["rank"]),
        str(row["compound"]),
        f"{mark}{row['class']}",
        str(row["planted"]),
        _n(row["rescue"]),
        interval,
        "" if row["q"] is None else f"{row['q']:.1e}",
        _n(row["relative_count"]),
        _n(row["planted_effect"]),
    ]


def _n(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else ""


def _share(value: object) -> str:
    return f"{value:.0%}" if isinstance(value, float) else "none"


if __name__ == "__main__":
    sys.exit(main())
