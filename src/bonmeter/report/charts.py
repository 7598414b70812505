"""Charts as shapes: what is drawn where, in pixels; the template only writes it as SVG.

A chart is drawn once for each size it is shown at, so that its text is never scaled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from bonmeter.report.numbers import fixed, power_of_ten
from bonmeter.report.scales import Scale, linear, logarithmic, spread_out

__all__ = [
    "MOST_MARKS",
    "SIZES",
    "Chart",
    "Drawing",
    "Label",
    "Line",
    "Mark",
    "Series",
    "Size",
    "Tick",
    "drawn",
]


class Size(NamedTuple):
    """Of a drawing, in CSS pixels."""

    name: str
    width: int
    height: int


SIZES = (Size("wide", 536, 320), Size("narrow", 342, 290))
TOP, RIGHT, BOTTOM, LEFT = 28, 88, 46, 46
LINE_HEIGHT = 16
MOST_MARKS = 64
"""Beyond so many points, no marks and whiskers."""
MOST_TICKS = 7


class Point(NamedTuple):
    """A point of a line, in the units of the data; nan where something is not known."""

    x: float
    y: float
    lower: float = math.nan
    upper: float = math.nan
    reliable: bool = True
    tag: str = ""
    """Written beside it."""
    said: str = ""
    """What it says when it is pointed at."""


class Series(NamedTuple):
    """A line of a chart."""

    name: str
    role: str
    """"measured", "contrast" or "optimum": its colour and stroke."""
    points: tuple[Point, ...]
    joined: bool = True
    """Whether the points make a line, and their intervals a band."""


class Chart(NamedTuple):
    """What is to be drawn."""

    key: str
    title: str
    y_title: str
    series: tuple[Series, ...]
    summary: str
    """What a reader who cannot see it needs to know."""
    x_title: str = "n, candidates drawn for one answer"
    doubling: bool = True
    """Whether the horizontal axis goes in powers of two."""
    x_decimals: int | None = 0
    """Of its ticks; what their step needs if None."""
    floor: float | None = None
    """The least that the vertical axis shows, whatever the data."""
    percent: bool = False
    thin_from: float | None = None
    """From here on numbers are not to be relied on."""


class Tick(NamedTuple):
    """A tick and its label."""

    at: float
    text: str


class Line(NamedTuple):
    """A stroke or an area."""

    role: str
    path: str


class Mark(NamedTuple):
    """A point, its interval, and what it says."""

    role: str
    x: float
    y: float
    low: float
    high: float
    hollow: bool
    tag: str
    said: str


class Label(NamedTuple):
    """The name of a line, at its end."""

    role: str
    x: float
    y: float
    words: tuple[str, ...]


class Drawing(NamedTuple):
    """A chart in pixels."""

    size: Size
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    factor: str
    """What the labels of the vertical axis are to be multiplied by; "" if by nothing."""
    thin: float | None
    areas: tuple[Line, ...]
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    labels: tuple[Label, ...]


def drawn(chart: Chart, size: Size) -> Drawing:
    """The shapes of a chart at a size.

    Examples:
        >>> points = Point(1, 0.0), Point(2, 0.2, 0.1, 0.3), Point(4, 0.5, 0.4, 0.6)
        >>> line = Series("KL", "measured", points)
        >>> drawing = drawn(Chart("kl", "KL", "nats", (line,), ""), SIZES[0])
        >>> [tick.text for tick in drawing.x_ticks], [tick.text for tick in drawing.y_ticks]
        (['1', '2', '4'], ['0.0', '0.1', '0.2', '0.3', '0.4', '0.5', '0.6'])
        >>> drawing.lines[0].path
        'M46 274L247 192L448 69'
    """
    left, right, top, bottom = LEFT, size.width - RIGHT, TOP, size.height - BOTTOM
    x = _x_scale(chart, left, right)
    y = _y_scale(chart, bottom, top)
    power = _power(y)
    return Drawing(
        size,
        left,
        right,
        top,
        bottom,
        _ticks(x, chart.x_decimals),
        _ticks(y, None, chart.percent, power),
        f", × {power_of_ten(power)}" if power else "",
        None if chart.thin_from is None else min(max(x(chart.thin_from), left), right),
        tuple(area for s in chart.series for area in _area(s, x, y)),
        tuple(line for s in chart.series for line in _strokes(s, x, y)),
        tuple(mark for s in chart.series for mark in _marks(s, x, y)),
        tuple(_labels(chart, x, y)),
    )


def _x_scale(chart: Chart, left: int, right: int) -> Scale:
    values = [p.x for s in chart.series for p in s.points]
    if chart.doubling:
        return logarithmic(min(values), max(values), left, right, (right - left) // 32)
    return linear(min(values), max(values), left, right, MOST_TICKS)


def _y_scale(chart: Chart, bottom: int, top: int) -> Scale:
    values = [v for s in chart.series for p in s.points for v in (p.y, p.lower, p.upper)]
    values = [v for v in values if math.isfinite(v)]
    floor = min(values) if chart.floor is None else min(*values, chart.floor)
    return linear(floor, max(values), bottom, top, MOST_TICKS)


def _power(axis: Scale) -> int:
    """The power of ten to be taken out of the labels of an axis; 0 for everyday numbers."""
    power = math.floor(math.log10(max(map(abs, axis.ticks))) + 1e-9)
    return 0 if -3 <= power <= 4 else power


def _ticks(
    axis: Scale, decimals: int | None, percent: bool = False, power: int = 0
) -> tuple[Tick, ...]:
    """Ticks with as many decimals as their step needs, unless they are given."""
    scale, unit = (100.0, " %") if percent else (10.0**-power, "")
    if decimals is None:
        step = (axis.ticks[1] - axis.ticks[0]) * scale
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return tuple(
        Tick(axis(tick), fixed(tick * scale, decimals) + unit)
        for tick in axis.ticks
        if decimals or tick * scale == round(tick * scale)
    )


def _strokes(s: Series, x: Scale, y: Scale) -> list[Line]:
    """One stroke, or two: what is reliable, and from there on what is not."""
    points = [p for p in s.points if math.isfinite(p.y)] if s.joined else []
    sure = sum(1 for _ in takewhile(lambda p: p.reliable, points))
    parts = (s.role, points[:sure]), (f"{s.role} thin", points[max(sure - 1, 0) :])
    return [
        Line(role, _path([(x(p.x), y(p.y)) for p in some])) for role, some in parts if len(some) > 1
    ]


def _area(s: Series, x: Scale, y: Scale) -> list[Line]:
    """The band between the ends of the intervals."""
    points = [p for p in s.points if math.isfinite(p.lower + p.upper)] if s.joined else []
    above, below = [(x(p.x), y(p.upper)) for p in points], [(x(p.x), y(p.lower)) for p in points]
    return [Line(s.role, _path(above + below[::-1]) + "Z")] if len(points) > 1 else []


def _marks(s: Series, x: Scale, y: Scale) -> list[Mark]:
    few = s.points if s.role == "measured" and len(s.points) <= MOST_MARKS else ()
    return [
        Mark(s.role, x(p.x), y(p.y), y(p.lower), y(p.upper), not p.reliable, p.tag, p.said)
        for p in few
        if math.isfinite(p.y)
    ]


def _labels(chart: Chart, x: Scale, y: Scale) -> list[Label]:
    """The names of the lines beside their ends, none upon another."""
    ends = [[y(p.y) for p in s.points if math.isfinite(p.y)][-1] for s in chart.series]
    words = [tuple(s.name.split("\n")) for s in chart.series]
    gap = LINE_HEIGHT * max(len(w) for w in words) + 2
    return [
        Label(s.role, x.end + 10, round(at - LINE_HEIGHT * (len(w) - 1) / 2 + 4, 1), w)
        for s, at, w in zip(chart.series, spread_out(ends, gap, y.end, y.start), words, strict=True)
    ]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
