"""The parts of the report: scales, words, pictures and plots against hand-made answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screen.report import svg, wording
from screen.report.controls import readout
from screen.report.packed import opened, packed
from tests.report_example import example_tables


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e4))
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    axis = svg.Axis(low, low + span, 0, 100)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 6
    assert all(low - 1e-6 * span <= t <= low + span * (1 + 1e-6) for t in ticks)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, 2, "–"),
        (float("nan"), 2, "–"),
        (-0.001, 2, "0.00"),
        (-1.5, 1, "−1.5"),
        (12345.0, 0, "12\u202f345"),
    ],
    ids=str,
)
def test_number(value: float | None, digits: int, text: str) -> None:
    assert wording.number(value, digits) == text


@pytest.mark.parametrize(
    ("um", "text"),
    [
        (0.03, "30 nM"),
        (0.3, "0.3 µM"),
        (10.0, "10 µM"),
        (2500.0, "2.5 mM"),
        (None, "–"),
    ],
    ids=str,
)
def test_concentration(um: float | None, text: str) -> None:
    assert wording.concentration(um) == text


@given(st.text(max_size=400))
def test_shown_names_hold_no_hidden_character(text: str) -> None:
    found = wording.shown(text)
    assert found.isprintable() or all(c.isprintable() or c.isspace() for c in found)
    assert wording.shown(found) == found


def test_settings_hide_secrets_and_queries() -> None:
    rows = dict(
        wording.setting_rows({"a": {"api_key": "k"}, "u": "https://x.org/p?sig=1"})
    )
    assert rows == {"a.api_key": "hidden", "u": "https://x.org/p?…"}


@given(st.text(max_size=100))
def test_an_island_round_trips_and_ends_no_script(text: str) -> None:
    named = {"name": text.encode("utf-8", "replace").decode()}
    assert not set("<>&\u2028\u2029") & set(packed(named))
    assert opened(packed(named)) == named


def test_elements_escape_text_and_attributes() -> None:
    found = svg.element("text", "<b>", data_x='"><script>')
    assert found == '<text data-x="&#34;&gt;&lt;script&gt;">&lt;b&gt;</text>'


def test_a_run_without_wells_has_a_readout() -> None:
    empty = example_tables(1, 96).hits.clear()
    assert readout(empty).ends == (0.0, 1.0)
