"""Charts as shapes: what is drawn where, in pixels; the template only writes it as SVG.

A chart is drawn once for each size it is shown at, so that its text is never scaled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bonmeter.numerics.validation import FloatArray
from bonmeter.report.numbers import fixed
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


class Series(NamedTuple):
    """A line of a chart."""

    name: str
    role: str
    """"measured", "contrast" or "optimum": its colour and stroke."""
    x: Sequence[float]
    y: Sequence[float]
    lower: Sequence[float] = ()
    upper: Sequence[float] = ()
    reliable: Sequence[bool] = ()
    """Of each point; all if empty."""
    tags: Sequence[str] = ()
    """Written at the points."""
    joined: bool = True
    """Whether the points make a line, and their intervals a band."""
    said: Sequence[str] = ()
    """What each point says when it is pointed at."""


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
    thin: float | None
    areas: tuple[Line, ...]
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    labels: tuple[Label, ...]


def drawn(chart: Chart, size: Size) -> Drawing:
    """The shapes of a chart at a size.

    Examples:
        >>> ends = [0, 0.1, 0.4], [0, 0.3, 0.6]
        >>> line = Series("KL", "measured", [1, 2, 4], [0.0, 0.2, 0.5], *ends)
        >>> drawing = drawn(Chart("kl", "KL", "nats", (line,), ""), SIZES[0])
        >>> [tick.text for tick in drawing.x_ticks], [tick.text for tick in drawing.y_ticks]
        (['1', '2', '4'], ['0.0', '0.1', '0.2', '0.3', '0.4', '0.5', '0.6'])
        >>> drawing.lines[0].path
        'M46 274L247 192L448 69'
    """
    left, right, top, bottom = LEFT, size.width - RIGHT, TOP, size.height - BOTTOM
    x = _x_scale(chart, left, right)
    y = _y_scale(chart, bottom, top)
    return Drawing(
        size,
        left,
        right,
        top,
        bottom,
        _ticks(x, chart.x_decimals),
        _ticks(y, None, chart.percent),
        None if chart.thin_from is None else _clipped(float(x(chart.thin_from)), left, right),
        tuple(Line(s.role, path) for s in chart.series if (path := _area(s, x, y))),
        tuple(line for s in chart.series for line in _strokes(s, x, y)),
        tuple(mark for s in chart.series for mark in _marks(s, x, y)),
        _labels(chart, x, y),
    )


def _x_scale(chart: Chart, left: float, right: float) -> Scale:
    values = np.concatenate([np.asarray(s.x, dtype=np.float64) for s in chart.series])
    low, high = float(values.min()), float(values.max())
    if chart.doubling:
        return logarithmic(low, high, left, right, (right - left) // 32)
    return linear(low, high, left, right, 7)


def _y_scale(chart: Chart, bottom: float, top: float) -> Scale:
    columns = [c for s in chart.series for c in (s.y, s.lower, s.upper) if len(c)]
    values = np.concatenate([np.asarray(c, dtype=np.float64) for c in columns])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    if chart.floor is not None:
        low = min(low, chart.floor)
    return linear(low, high, bottom, top, 7)


def _ticks(axis: Scale, decimals: int | None, percent: bool = False) -> tuple[Tick, ...]:
    """Ticks with as many decimals as their step needs, unless they are given."""
    scale, unit = (100.0, " %") if percent else (1.0, "")
    if decimals is None:
        step = (axis.ticks[1] - axis.ticks[0]) * scale
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return tuple(
        Tick(round(float(axis(tick)), 1), fixed(tick * scale, decimals) + unit)
        for tick in axis.ticks
        if decimals or tick * scale == round(tick * scale)
    )


def _points(s: Series, x: Scale, y: Scale) -> tuple[FloatArray, FloatArray]:
    there = np.isfinite(np.asarray(s.y, dtype=np.float64))
    return x(np.asarray(s.x)[there]), y(np.asarray(s.y)[there])


def _strokes(s: Series, x: Scale, y: Scale) -> list[Line]:
    """One stroke, or two: what is reliable, and what is not."""
    at, height = _points(s, x, y)
    if not s.joined:
        return []
    if not s.reliable:
        return [Line(s.role, _path(at, height))]
    there = np.isfinite(np.asarray(s.y, dtype=np.float64))
    reliable = np.asarray(s.reliable)[there]
    last = int(np.argmin(reliable)) if not reliable.all() else at.size
    parts = (s.role, slice(0, last)), (f"{s.role} thin", slice(max(last - 1, 0), at.size))
    return [Line(r, _path(at[p], height[p])) for r, p in parts if at[p].size > 1]


def _area(s: Series, x: Scale, y: Scale) -> str:
    """The band between the ends of the intervals."""
    if not (len(s.lower) and s.joined):
        return ""
    low, high = (np.asarray(c, dtype=np.float64) for c in (s.lower, s.upper))
    there = np.isfinite(low) & np.isfinite(high)
    if there.sum() < 2:
        return ""
    at = x(np.asarray(s.x)[there])
    there_and_back = np.concatenate([at, at[::-1]])
    return _path(there_and_back, np.concatenate([y(high[there]), y(low[there])[::-1]])) + "Z"


def _marks(s: Series, x: Scale, y: Scale) -> list[Mark]:
    if s.role == "contrast" or len(s.x) > MOST_MARKS:
        return []
    low, high = (c if len(c) else [math.nan] * len(s.y) for c in (s.lower, s.upper))
    rows = zip(s.x, s.y, low, high, s.reliable or [True] * len(s.y), strict=True)
    none = [""] * len(s.y)
    words = zip(s.tags or none, s.said or none, strict=True)
    return [
        Mark(s.role, *(round(float(v), 1) for v in (x(a), y(b), y(c), y(d))), not sure, *names)
        for (a, b, c, d, sure), names in zip(rows, words, strict=True)
        if math.isfinite(b)
    ]


def _labels(chart: Chart, x: Scale, y: Scale) -> tuple[Label, ...]:
    """The names of the lines beside their ends, none upon another."""
    ends = [(s, *(float(c[-1]) for c in _points(s, x, y))) for s in chart.series]
    words = [tuple(s.name.split("\n")) for s, _, _ in ends]
    gap = LINE_HEIGHT * max(len(w) for w in words) + 2
    at = spread_out([end[2] for end in ends], gap, y.end, y.start)
    return tuple(
        Label(s.role, x.end + 10, round(place - LINE_HEIGHT * (len(w) - 1) / 2 + 4, 1), w)
        for (s, _, _), place, w in zip(ends, at, words, strict=True)
    )


def _path(x: FloatArray, y: FloatArray) -> str:
    pairs = zip(x.round(1).tolist(), y.round(1).tolist(), strict=True)
    return "M" + "L".join(f"{a:g} {b:g}" for a, b in pairs)


def _clipped(value: float, low: float, high: float) -> float:
    return round(min(max(value, low), high), 1)
