"""The single cells of an explanation as a table that other pages read."""

from __future__ import annotations

import base64
from typing import Any

import polars as pl

from screen.explanation.page import METHOD_WORDS, Page, single_cells

NAME = "explanation_cells"
SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("compound", "of", "name", "method", "output"), pl.String),
    **dict.fromkeys(("crop", "map"), pl.Binary),
    "answer": pl.String,
}


def cell_table(page: Page) -> pl.DataFrame:
    """A row per cell that is shown: crop and map as PNG, ``of`` compound or control."""
    rows = [
        {
            "compound": subject.name,
            "of": of,
            "name": name,
            "method": METHOD_WORDS[page.settings.method],
            "output": page.looking.output_words,
            "crop": _png(cell["crop"]),
            "map": _png(cell["map"]),
            "answer": cell["answer"],
        }
        for subject in page.subjects
        for of, name, cells in zip(
            ("compound", "control"),
            (subject.name, subject.control_name),
            single_cells(page, subject),
            strict=True,
        )
        for cell in cells
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def _png(uri: str) -> bytes:
    return base64.b64decode(uri.split(",", 1)[1])
