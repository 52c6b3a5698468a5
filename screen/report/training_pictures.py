"""How the networks of a model learnt: a line a network over its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from screen.evaluation_page.charts import COLOURS, Frame, Line, drawing
from screen.report import wording

_MEASURES = {
    "loss": "Loss of taught crops",
    "watch_loss": "Loss of watched crops, never taught",
    "accuracy": "Accuracy on taught crops",
    "mae": "Mean error on taught crops",
}
MOST_LINES = 12


def learning(epochs: Sequence[dict[str, Any]]) -> list[tuple[str, Markup]]:
    """Caption and drawing of each measure that was told; [] without any epoch.

    Of a model taught on crops the networks of the folds are drawn, not those that are
    kept: what they learnt is what was judged.
    """
    lines = by_network(epochs)
    found = []
    for measure, caption in _MEASURES.items():
        known = {
            name: [(e["epoch"], e[measure]) for e in own if _is_number(e.get(measure))]
            for name, own in lines.items()
        }
        drawn = {name: points for name, points in known.items() if points}
        if drawn:
            found.append((caption, _picture(caption, drawn)))
    return found


def by_network(epochs: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Epochs of each network in their order, the last telling of an epoch counting."""
    is_crops = any(e.get("split") == "groups" for e in epochs)
    kept = [e for e in epochs if not is_crops or e.get("split") == "groups"]
    lines: dict[str, dict[int, dict[str, Any]]] = {}
    for one in kept:
        parts = (one.get("fold"), one.get("network"))
        name = " ".join(wording.shown(p, 24) for p in parts if p is not None)
        lines.setdefault(name, {})[int(one["epoch"])] = one
    return {name: [own[k] for k in sorted(own)] for name, own in lines.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _picture(caption: str, found: dict[str, list[tuple[int, float]]]) -> Markup:
    values = [v for points in found.values() for _, v in points]
    last = max(e for points in found.values() for e, _ in points)
    low, high = min(values), max(values)
    rim = 0.05 * (high - low or abs(high) or 1.0)
    floor = max(0.0, low - rim) if low >= 0 else low - rim
    frame = Frame.over((0, max(last, 1)), (floor, high + rim), ("epoch", ""))
    lines = [
        Line(name, points, COLOURS[k % len(COLOURS)], is_dashed=k >= len(COLOURS))
        for k, (name, points) in enumerate(list(found.items())[:MOST_LINES])
    ]
    return drawing(frame, lines, caption)
