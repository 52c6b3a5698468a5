"""The registry of codes: whole, spoken plainly, and printed as a page."""

import ast
from pathlib import Path

import pytest

from screen.codes import CODES, Code
from screen.codes_page import PAGE, page

ROOT = Path(__file__).parents[1]
OUTCOMES = {"REFUSE", "HOLD", "Q-plate", "Q-well", "Q-field", "WARN", "STOP"}
SPAN = {"A": 30, "B": 23, "C": 25, "D": 19, "F": 19, "G": 18}


@pytest.mark.parametrize(("name", "code"), CODES.items(), ids=CODES)
def test_every_code_has_an_outcome_a_meaning_and_a_remedy(
    name: str, code: Code
) -> None:
    assert code.outcome in OUTCOMES
    assert 5 < len(code.meaning) < 120
    assert 5 < len(code.remedy) < 120
    assert name.isupper()


def test_the_page_of_codes_is_that_of_the_registry() -> None:
    if not PAGE.exists():
        pytest.skip("docs/ lies beside a checkout only")
    assert PAGE.read_text(encoding="utf-8") == page(), "run make docs"


def catalogued() -> dict[str, list[str]]:
    """The test functions named after a row of the catalogue, by the row's id."""
    rows: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").glob("test_catalogue_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                rows.setdefault(node.name.split("_")[1], []).append(node.name)
    return rows


def test_every_row_of_the_catalogue_has_its_test() -> None:
    expected = {f"{k}{n:02d}" for k, last in SPAN.items() for n in range(1, last + 1)}
    assert sorted(expected - catalogued().keys()) == []
