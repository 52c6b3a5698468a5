"""The drawings of the evaluation page, each from what evaluation.json holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from screen.crop_training.words import shown
from screen.report import svg

WIDTH, HEIGHT = 400.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 392.0, 10.0, 276.0
COLOURS = ("#0b6b66", "#c25a10", "#6b4e9b", "#1f6fb4", "#8a5a00", "#566371")
PAD = 0.04

Pairs = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Line:
    """One line of a drawing: its name, its points, its colour, how it is drawn."""

    name: str
    points: Pairs
    colour: str
    has_dots: bool = False
    is_dashed: bool = False
    has_stroke: bool = True


@dataclass(frozen=True)
class Frame:
    """The two axes of a drawing, with their names."""

    x: svg.Axis
    y: svg.Axis
    x_name: str
    y_name: str

    @classmethod
    def over(
        cls, x: tuple[float, float], y: tuple[float, float], names: tuple[str, str]
    ) -> Frame:
        """Axes over two ranges of values."""
        return cls(svg.Axis(*x, LEFT, RIGHT), svg.Axis(*y, BOTTOM, TOP), *names)


def shares(x_name: str, y_name: str) -> Frame:
    """Both axes from 0 to 1."""
    return Frame.over((0, 1), (0, 1), (x_name, y_name))


def roc(told: dict[str, Any]) -> Markup:
    """True against false positive share: of every scorer, or of every class of the
    network where there are several."""
    frame = shares("false positive share", "true positive share")
    lines = list(_by_scorer(told, "roc"))
    return drawing(frame, lines, "ROC curves", diagonal=True)


def precision_recall(told: dict[str, Any]) -> Markup:
    """Precision against recall."""
    frame = shares("recall", "precision")
    lines = list(_by_scorer(told, "precision_recall"))
    return drawing(frame, lines, "precision-recall curves")


def reliability(told: dict[str, Any]) -> Markup:
    """Frequency against mean probability, before and after calibration; dots are bins,
    larger with more crops."""
    frame = shares("probability given", "share that was right")
    found = told["reliability"]
    lines = [
        Line("as given", _bins(found["before"]), COLOURS[1], True),
        Line("calibrated", _bins(found["after"]), COLOURS[0], True),
    ]
    return drawing(frame, lines, "reliability diagram", diagonal=True)


def abstention(told: dict[str, Any]) -> Markup:
    """Accuracy and AUC of the surest crops against the share that is kept."""
    lines = []
    for k, (name, kept) in enumerate(told["abstention"].items()):
        exact = [[one["share"], one["accuracy"]] for one in kept]
        area = [[one["share"], one["auc"]] for one in kept if one["auc"] is not None]
        lines.append(Line(f"accuracy ({name})", exact, COLOURS[k]))
        if area:
            lines.append(Line(f"AUC ({name})", area, COLOURS[k], is_dashed=True))
    low = min((y for line in lines for _, y in line.points), default=0.0)
    floor = max(0.0, min(0.9, round(low - 0.05, 1)))
    frame = Frame.over((0, 1), (floor, 1), ("share of crops kept", "accuracy, AUC"))
    return drawing(frame, lines, "abstention curve")


def predictions(told: dict[str, Any]) -> Markup:
    """Predicted against actual value, a dot a crop, with the line of the mean gap."""
    gap, points = told["gap"], told["gap"]["points"]
    values = [v for pair in points for v in pair]
    low, high = min(values), max(values)
    rim = PAD * (high - low or 1.0)
    span = low - rim, high + rim
    frame = Frame.over(span, span, ("actual value", "predicted value"))
    pulled = [[x, x + gap["intercept"] + gap["slope"] * x] for x in span]
    dots = [
        svg.element("circle", cx=frame.x(x), cy=frame.y(y), r=2, class_="dot")
        for x, y in points
    ]
    line = Line("mean prediction", pulled, COLOURS[1])
    return drawing(frame, [line], "predictions", diagonal=True, under=dots)


def folds(told: dict[str, Any]) -> Markup | None:
    """The primary measure of every scorer in every fold; None without such figures."""
    names = list(told["scorers"])
    each = {name: told["scorers"][name]["folds"] for name in names}
    known = [v for values in each.values() for v in values if v is not None]
    if not known or len(each[names[0]]) < 2:
        return None
    low, high = min(known), max(known)
    rim = PAD * (high - low or 1.0)
    frame = Frame.over(
        (0, len(each[names[0]]) + 1),
        (low - rim, high + rim),
        ("fold", shown(told["scorers"][names[0]]["primary"])),
    )
    lines = [
        Line(
            name,
            [[k + 1, v] for k, v in enumerate(values) if v is not None],
            COLOURS[i % len(COLOURS)],
            has_dots=True,
            has_stroke=False,
        )
        for i, (name, values) in enumerate(each.items())
    ]
    return drawing(frame, lines, "folds")


def drawing(
    frame: Frame,
    lines: Sequence[Line],
    label: str,
    *,
    diagonal: bool = False,
    under: Sequence[Markup] = (),
) -> Markup:
    """A whole drawing with grid, lines and a legend below."""
    rows = (len(lines) + 1) // 2
    parts = [*_grid(frame), *under]
    if diagonal:
        parts.append(_diagonal(frame))
    parts += [part for line in lines for part in _drawn(frame, line)]
    parts += list(_legend(lines))
    height = HEIGHT + 18 * rows
    return svg.picture(WIDTH, height, parts, aria_label=label, class_="chart")


def _by_scorer(told: dict[str, Any], kind: str) -> Iterator[Line]:
    scorers = told["scorers"]
    if len(told["classes"]) > 2:
        for k, points in scorers["network"]["curves"][kind].items():
            name = told["classes"][int(k)]
            yield Line(name, points, COLOURS[int(k) % len(COLOURS)])
        return
    for i, (name, one) in enumerate(scorers.items()):
        points = next(iter(one["curves"][kind].values()))
        yield Line(name, points, COLOURS[i % len(COLOURS)])


def _bins(found: list[dict[str, Any]]) -> Pairs:
    most = max(one["n"] for one in found)
    return [[b["probability"], b["frequency"], b["n"] / most] for b in found]


def _grid(frame: Frame) -> Iterator[Markup]:
    for value in frame.x.ticks():
        x = frame.x(value)
        yield svg.line(x, TOP, x, BOTTOM, class_="grid")
        yield svg.text(x, BOTTOM + 15, f"{value:g}", text_anchor="middle")
    for value in frame.y.ticks():
        y = frame.y(value)
        yield svg.line(LEFT, y, RIGHT, y, class_="grid")
        yield svg.text(LEFT - 6, y + 4, f"{value:g}", text_anchor="end")
    yield svg.line(LEFT, BOTTOM, RIGHT, BOTTOM, class_="axis")
    yield svg.line(LEFT, TOP, LEFT, BOTTOM, class_="axis")
    middle = (LEFT + RIGHT) / 2
    yield svg.text(middle, BOTTOM + 33, frame.x_name, text_anchor="middle")
    at = (TOP + BOTTOM) / 2
    turn = f"rotate(-90 12 {at:g})"
    yield svg.text(12, at, frame.y_name, text_anchor="middle", transform=turn)


def _diagonal(frame: Frame) -> Markup:
    low = max(frame.x.low, frame.y.low)
    high = min(frame.x.high, frame.y.high)
    ends = frame.x(low), frame.y(low), frame.x(high), frame.y(high)
    return svg.line(*ends, class_="tick")


def _drawn(frame: Frame, line: Line) -> Iterator[Markup]:
    places = [(frame.x(p[0]), frame.y(p[1])) for p in line.points]
    path = " ".join(f"{x:g},{y:g}" for x, y in places)
    dash = "4 3" if line.is_dashed else None
    look = {"stroke": line.colour, "stroke_dasharray": dash, "class_": "line"}
    if line.has_stroke:
        yield svg.element("polyline", points=path, **look)
    if line.has_dots:
        for (x, y), point in zip(places, line.points, strict=True):
            size = 2.5 + 4.0 * point[2] ** 0.5 if len(point) > 2 else 3.0
            yield svg.element("circle", cx=x, cy=y, r=round(size, 1), fill=line.colour)


def _legend(lines: Sequence[Line]) -> Iterator[Markup]:
    for k, line in enumerate(lines):
        x, y = LEFT + 184 * (k % 2), HEIGHT + 8 + 18 * (k // 2)
        dash = "4 3" if line.is_dashed else None
        look = {"stroke": line.colour, "stroke_dasharray": dash, "class_": "line"}
        yield svg.line(x, y - 4, x + 18, y - 4, **look)
        yield svg.text(x + 24, y, line.name)
