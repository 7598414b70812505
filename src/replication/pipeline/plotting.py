"""The look of the figures, and writing them byte for byte the same each time.

Sizes are those of an ICML page. Each role has one colour, line style and marker throughout; the
colours are told apart by colour-blind readers and, by their luminance, in grey.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import ascii_lowercase
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context, rcParams, rcParamsDefault
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import AxLine, Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.ticker import Locator, LogLocator, NullFormatter, NullLocator
from matplotlib.typing import RcKeyType
from numpy.typing import NDArray

from replication.pipeline.io import atomic_path
from replication.pipeline.widths import WIDTHS

__all__ = [
    "COLOURS",
    "LINES",
    "Table",
    "add_legend",
    "figure_style",
    "label",
    "label_ends",
    "label_line",
    "letter_panels",
    "new_figure",
    "rows_where",
    "save_figure",
    "spread",
    "use_log_axes",
]

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "black": "#000000",
        "blue": "#004488",
        "red": "#BB5566",
        "yellow": "#DDAA33",
        "grey": "#999999",
    }
)
"""Paul Tol's high-contrast palette, dark to light: the contrast survives in grey."""

LINES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "exact": {"color": COLOURS["black"], "linestyle": "-"},
        "formula": {"color": COLOURS["blue"], "linestyle": "--"},
        "estimator": {"color": COLOURS["red"], "linestyle": "-.", "linewidth": 0.9},
        "rival": {"color": COLOURS["yellow"], "linestyle": (0, (3, 1, 1, 1, 1, 1))},
        "optimum": {"color": COLOURS["black"], "linestyle": "-"},
        "paper": {"color": COLOURS["blue"], "linestyle": "-"},
        "sharp": {"color": COLOURS["red"], "linestyle": "-", "linewidth": 2.4},
        "reference": {"color": COLOURS["grey"], "linestyle": ":"},
    }
)
"""Colour and line style of each role, as keyword arguments of `Axes.plot`."""

Table = Mapping[str, NDArray[Any]]
"""Columns by name, as `replication.pipeline.io.read_table` returns them."""

MARGIN = 0.02
"""Around each axes, in inches."""

FAR = 12.0
"""Points between a line and its name from which on it is not seen whose name it is."""

MOST_TICKS = 999
"""So many that every decade has its minor ticks."""

MINOR_TICKS: Mapping[RcKeyType, Any] = MappingProxyType(
    {"xtick.minor.visible": True, "ytick.minor.visible": True}
)
"""Of the figures; the audit's map, whose axes are names, has none."""

EDGE = 1e-9
"""So far beyond its ends, relative to its length, is still on an axis."""

PLACES = 7
"""Decimals of a point of a line, in inches: beyond them processors differ in logarithms."""

SKIPPED_DEFAULTS = frozenset({"backend", "backend_fallback", "interactive", "toolbar"})

METADATA: Mapping[str, Mapping[str, None]] = MappingProxyType(
    {
        ".svg": {"Date": None, "Creator": None},
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        ".png": {"Software": None},
    }
)
"""What each format would record of the time and the version that wrote it."""


def figure_style(width: Literal["single", "double"], height: float) -> dict[RcKeyType, Any]:
    """The rcParams of a figure, complete: the reader's own matplotlibrc changes nothing.

    It changes nothing by itself: `new_figure` applies it in an `rc_context`.

    Args:
        width: "single" (3.25 in, one column of an ICML page) or "double" (6.75 in, both).
        height: in inches, > 0.

    Raises:
        ValueError: if an argument is anything else.

    Examples:
        >>> figure_style("single", 2.2)["figure.figsize"]
        (3.25, 2.2)
    """
    if width not in WIDTHS:
        raise ValueError(f"width = {width!r}: expected one of {', '.join(WIDTHS)}")
    if not 0 < height < float("inf"):
        raise ValueError(f"height = {height!r}: expected a number of inches > 0")
    defaults = {key: rcParamsDefault[key] for key in rcParamsDefault if key not in SKIPPED_DEFAULTS}
    return defaults | {
        "figure.figsize": (WIDTHS[width], height),
        "savefig.dpi": 300,
        # shipped with matplotlib, so that every machine draws the same; close to the Times of ICML
        "font.family": "STIXGeneral",
        "mathtext.fontset": "stix",
        "font.size": 8.0,
        "axes.titlesize": 8.0,
        "axes.labelsize": 8.0,
        "xtick.labelsize": 7.0,
        "ytick.labelsize": 7.0,
        "legend.fontsize": 7.0,
        "legend.frameon": False,
        "legend.handlelength": 2.4,
        "legend.borderaxespad": 0.3,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.labelpad": 2.0,
        "axes.titlepad": 3.0,
        "axes.titley": 1.0,  # else each drawing measures what could be in its way, here nothing
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "xtick.major.size": 3.0,
        "ytick.major.size": 3.0,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "lines.linewidth": 1.2,
        "lines.markersize": 3.0,
        "pdf.fonttype": 42,
        "svg.fonttype": "path",
        "svg.hashsalt": "bonmeter",
    }


@contextmanager
def new_figure(
    paths: Iterable[str | os.PathLike[str]], width: Literal["single", "double"], height: float
) -> Iterator[Figure]:
    """An empty figure to draw on, written to files when done.

    Args:
        paths: files ending in .svg, .pdf or .png, as for `save_figure`.
        width: as for `figure_style`, which holds meanwhile.
        height: in inches.

    Yields:
        The figure.

    Raises:
        ValueError: as `figure_style` and `save_figure`; no file is then written.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with new_figure([f"{folder}/a.svg"], "single", 2.0) as figure:
        ...         _ = figure.subplots().plot([1, 2])
        ...     Path(folder, "a.svg").read_text()[:5]
        '<?xml'
    """
    with rc_context({**figure_style(width, height), **MINOR_TICKS}), _uncollected():
        figure = Figure()
        yield figure
        save_figure(figure, paths)


@contextmanager
def _uncollected() -> Iterator[None]:
    """All that a figure makes lives as long as it: looking for garbage took a twelfth of a job."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def label(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float] = (0.0, 0.0),
    *,
    color: str = "black",
    align: Literal["left", "center", "right"] = "left",
    fraction: bool = False,
    arrowprops: dict[str, Any] | None = None,
) -> Annotation:
    """Write `text` beside a point of a line, in place of an entry in a legend.

    Args:
        axes: where.
        text: what; mathematics between dollar signs.
        at: the point, in the units of the axes.
        offset: of the text from it, in points, to the right and upwards.
        color: of the text.
        align: the side of the text that is at the point.
        fraction: whether the point is a fraction of the axes instead.
        arrowprops: look of a line from the text to the point, if there is one.

    Examples:
        >>> label(Figure().subplots(), "exact", (0.5, 0.5), (0, 4)).get_text()
        'exact'
    """
    return axes.annotate(
        text,
        at,
        offset,
        xycoords="axes fraction" if fraction else "data",
        textcoords="offset points",
        fontsize=7.0,
        color=color,
        ha=align,
        va="center",
        arrowprops=arrowprops,
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
    )


def label_line(
    axes: Axes,
    text: str,
    line: Line2D,
    near: float,
    offset: tuple[float, float],
    align: Literal["left", "center", "right"] = "left",
) -> Annotation:
    """Write a name beside the point of a line nearest to an abscissa, on a logarithmic scale.

    It is broken after commas, to fit between lines; far from its own, a thin line ties it there.

    Args:
        axes: where.
        text: the name.
        line: which.
        near: the abscissa, > 0.
        offset: of the text from the point, in points, to the right and upwards.
        align: the side of the text that is at the point.

    Examples:
        >>> axes = Figure().subplots()
        >>> name = label_line(axes, "a", axes.plot([1, 2, 4], [5, 6, 7])[0], 1.9, (0, 4))
        >>> [int(each) for each in name.xy]
        [2, 6]
    """
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    nearest = np.argmin(np.abs(np.log(x / near)))
    far = np.hypot(*offset) > FAR
    arrow = {"arrowstyle": "-", "linewidth": 0.4, "shrinkA": 0.0, "shrinkB": 0.0} if far else None
    name = text.replace(", ", ",\n")
    return label(axes, name, (x[nearest], y[nearest]), offset, align=align, arrowprops=arrow)


def label_ends(axes: Axes, gap: float = 0.05) -> list[Annotation]:
    """Write the name of each line at its right end, in its colour, instead of a legend.

    Args:
        axes: its limits are set, its lines have names.
        gap: between two names, as a fraction of the height; they are pushed apart to it.

    Examples:
        >>> axes = Figure().subplots()
        >>> lines = axes.plot([1, 2], [1, 2], label="a") + axes.plot([1, 2], [1, 2], label="b")
        >>> [name.get_text() for name in label_ends(axes)]
        ['a', 'b']
    """
    named = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    ends = np.array([_height_of_end(axes, line) for line in named])
    order = np.argsort(ends, kind="stable")
    steps = gap * np.arange(ends.size)
    heights = _increasing(ends[order] - steps) + steps
    return [
        _label_end(axes, named[i], ends[i], height)
        for i, height in zip(order, heights, strict=True)
    ]


def _increasing(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest numbers in increasing order, by least squares.

    By the formula for few: `scipy.optimize` takes a fifth of the time of the figure to load.
    """
    n = values.size
    means = [[values[i : j + 1].mean() for j in range(i, n)] for i in range(n)]
    return np.array([max(min(means[i][k - i :]) for i in range(k + 1)) for k in range(n)])


def _label_end(axes: Axes, line: Line2D, end: float, height: float) -> Annotation:
    return axes.annotate(
        str(line.get_label()),
        (1, end),
        (1.04, height),
        xycoords="axes fraction",
        textcoords="axes fraction",
        annotation_clip=False,
        fontsize=7.0,
        color=line.get_color(),
        va="center",
        arrowprops={
            "arrowstyle": "-",
            "linewidth": 0.4,
            "color": line.get_color(),
            "shrinkA": 0.0,
            "shrinkB": 0.0,
            "relpos": (0.0, 0.5),
        },
    )


def _height_of_end(axes: Axes, line: Line2D) -> float:
    """Where a line leaves its axes on the right, as a fraction of their height."""
    points = np.asarray(line.get_xydata())
    inside = np.isfinite(points[:, 1]) & (points[:, 0] <= axes.get_xlim()[1])
    to_fraction = axes.transData + axes.transAxes.inverted()
    return float(np.clip(to_fraction.transform(points[inside][-1])[1], 0, 1))


def letter_panels(panels: Iterable[Axes]) -> None:
    """Give the panels of a figure the letters a, b, ..., above their left ends.

    Args:
        panels: in the order of reading.

    Examples:
        >>> row = Figure().subplots(1, 2)
        >>> letter_panels(row)
        >>> [axes.get_title("left") for axes in row]
        ['a', 'b']
    """
    for letter, axes in zip(ascii_lowercase, panels, strict=False):
        axes.set_title(letter, loc="left", fontweight="bold")


def add_legend(
    figure: Figure, axes: Axes, ncols: int, entries: Mapping[str, str] | None = None
) -> Legend:
    """A legend above a figure with one entry for each name, however many lines of axes share it.

    Args:
        figure: where it goes.
        axes: whose lines it names.
        ncols: entries side by side.
        entries: what it calls lines, by their names, if anything else; equal ones are one.

    Examples:
        >>> figure = Figure()
        >>> axes = figure.subplots()
        >>> for _ in range(2):
        ...     lines = axes.plot([1, 2], label="policies")
        >>> [text.get_text() for text in add_legend(figure, axes, 1).get_texts()]
        ['policies']
    """
    handles, names = axes.get_legend_handles_labels()
    called = [(entries or {}).get(name, name) for name in names]
    by_name = dict(zip(called, handles, strict=True))
    return figure.legend(
        list(by_name.values()), list(by_name), loc="outside upper center", ncols=ncols
    )


def use_log_axes(
    axes: Axes, which: Literal["x", "y", "both"] = "x", most: int = 7, fine: bool = True
) -> None:
    """Make axes logarithmic, with a labelled tick at each decade, or every few of them.

    Args:
        axes: the axes.
        which: "x", "y" or "both".
        most: about how many labelled ticks there is room for.
        fine: whether minor ticks are at each multiple of a decade, not only at each decade.

    Examples:
        >>> axes = Figure().subplots()
        >>> use_log_axes(axes)
        >>> axes.get_xscale(), axes.get_yscale()
        ('log', 'linear')
    """
    for name in ("x", "y") if which == "both" else (which,):
        scale = axes.set_xscale if name == "x" else axes.set_yscale
        # a line starts at its first positive point, not with a drop to the frame
        scale("log", nonpositive="mask")
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_locator(LogLocator(numticks=most))
        axis.set_minor_locator(LogLocator(subs=range(1, 10 if fine else 2), numticks=MOST_TICKS))
        axis.set_minor_formatter(NullFormatter())


def spread(n: NDArray[np.float64], ratio: float = 1.5) -> list[int]:
    """Indices of numbers far enough apart to be told apart on a logarithmic axis.

    Args:
        n: increasing numbers > 0.
        ratio: of one to the next, at least.

    Examples:
        >>> spread(np.array([1.0, 2.0, 2.5, 3.0, 8.0]))
        [0, 1, 3, 4]
    """
    chosen = [0]
    for i, value in enumerate(n):
        if value >= ratio * n[chosen[-1]]:
            chosen.append(i)
    return chosen


def rows_where(table: Table, **values: object) -> dict[str, NDArray[Any]]:
    """The rows of a table in which columns have given values.

    Args:
        table: columns of equal length.
        values: of the columns named.

    Examples:
        >>> rows_where({"method": np.array(["a", "b"]), "n": np.array([1, 2])}, method="b")["n"]
        array([2])
    """
    chosen = np.logical_and.reduce([table[name] == value for name, value in values.items()])
    return {name: column[chosen] for name, column in table.items()}


def save_figure(figure: Figure, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Lay out a figure, and write it to files whose bytes depend on nothing but what it shows.

    Args:
        figure: the figure, of at least one axes, drawn under `figure_style`, which must still hold.
        paths: files ending in .svg, .pdf or .png; each is written whole or not at all.

    Raises:
        ValueError: if there is no path or one ends in anything else.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     figure = Figure()
        ...     _ = figure.subplots()
        ...     save_figure(figure, [f"{folder}/a.png"])
        ...     Path(folder, "a.png").read_bytes()[1:4]
        b'PNG'
    """
    files = [Path(path) for path in paths]
    if not files:
        raise ValueError("paths is empty: expected at least one")
    for path in files:
        if path.suffix not in METADATA:
            raise ValueError(f"path = {str(path)!r}: expected an ending {', '.join(METADATA)}")
    # Once, not by each writer: a second pass moves things by a hair, and takes half of the time.
    _lay_out(figure)
    _settle(figure)
    for path in files:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, metadata=dict(METADATA[path.suffix]))


def _lay_out(figure: Figure) -> None:
    """Without minor ticks: each has two labels, so they took half of the time of a figure."""
    sides = [side for axes in figure.axes for side in (axes.xaxis, axes.yaxis)]
    locators = [side.get_minor_locator() for side in sides]
    for side in sides:
        side.minor.locator = NullLocator()
        if not side.get_label_text():  # else a place for it is looked for, again and again
            side.set_label_coords(0, 0)
    ConstrainedLayoutEngine(h_pad=MARGIN, w_pad=MARGIN).execute(figure)
    for side, locator in zip(sides, locators, strict=True):
        if side.axes.axison:
            side.axes.add_artist(_minor_marks(side, locator))


def _minor_marks(side: XAxis | YAxis, locator: Locator) -> Line2D:
    """In place of minor ticks a line of the same marks."""
    side.minor.locator = locator
    at = side.get_minorticklocs()
    side.minor.locator = NullLocator()
    place = side.get_transform().transform
    low, high = sorted(place(side.get_view_interval()))
    at = at[np.abs(2 * place(at) - low - high) <= (high - low) * (1 + EDGE)]
    below = isinstance(side, XAxis)
    return Line2D(
        at if below else np.zeros_like(at),
        np.zeros_like(at) if below else at,
        transform=side.axes.get_xaxis_transform() if below else side.axes.get_yaxis_transform(),
        color=rcParams["xtick.color"],
        linestyle="none",
        marker=3 if below else 0,  # TICKDOWN, TICKLEFT
        markersize=rcParams["xtick.minor.size"],
        markeredgewidth=rcParams["xtick.minor.width"],
        zorder=side.get_zorder(),
        clip_on=False,
        in_layout=False,
    )


def _settle(figure: Figure) -> None:
    """Put lines and areas where they are on the page: a pixel can tell a last digit."""
    inches = figure.dpi_scale_trans
    for axes in figure.axes:
        for line in axes.lines:
            if not isinstance(line, AxLine):
                to_inches = line.get_transform() - inches
                line.set_data(*np.round(to_inches.transform(line.get_xydata()), PLACES).T)
                line.set_transform(inches)
        for area in axes.collections:
            if isinstance(area, PolyCollection | LineCollection):
                to_inches = area.get_transform() - inches
                for path in area.get_paths():
                    path.vertices = np.round(to_inches.transform(path.vertices), PLACES)
                area.set_transform(inches)
