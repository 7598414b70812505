"""Every bound on the gaps of KL and win rate, relative to the exact gap of one policy."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from replication.pipeline.io import read_table
from replication.pipeline.job import job
from replication.pipeline.plotting import (
    COLOURS,
    LINES,
    Table,
    label_ends,
    letter_panels,
    new_figure,
    use_log_axes,
)

__all__ = ["plot"]


class Bound(NamedTuple):
    """A bound, its name in the legend, and its line; drawn is its column over the gap."""

    column: str
    name: str
    line: Mapping[str, Any]


def _line(colour: str, style: str, width: float = 1.0) -> dict[str, Any]:
    return {"color": COLOURS[colour], "linestyle": style, "linewidth": width}


class Panel(NamedTuple):
    """Bounds of one kind; the limits of the axis they share, and whether it is logarithmic."""

    title: str
    limits: tuple[float, float]
    log: bool
    bounds: tuple[Bound, ...]


PANELS = (
    Panel(
        r"KL gap, upper bounds: from $\delta$",
        (0.5, 1e5),
        True,
        (
            Bound("theorem_3_4_delta", "Theorem 3.4", _line("blue", "-")),
            Bound("elementary_delta", r"$n\delta$", _line("grey", "-")),
            Bound("square_root_delta", r"$n\delta/6$", _line("yellow", "-")),
            Bound("sharp_kl_gap_delta", "sharp", _line("red", "-", 1.8)),
        ),
    ),
    Panel(
        r"from $H_2$ (dashed) or all probabilities",
        (0.5, 1e5),
        True,
        (
            Bound("theorem_3_4_renyi", "Theorem 3.4", _line("blue", "--")),
            Bound("elementary_renyi", r"$n(n-1)e^{-H_2}$", _line("grey", "--")),
            Bound("square_root_renyi", r"$n(n-1)e^{-H_2}/6$", _line("yellow", "--")),
            Bound("log_sobolev", "log-Sobolev", _line("grey", "-")),
            Bound("sharp_kl_gap", "sharp", _line("red", "-", 1.8)),
            Bound("square_root", "square root", _line("yellow", "-")),
            Bound("log_step", "log-step", _line("black", "-.")),
        ),
    ),
    Panel(
        "KL gap, lower bounds",
        (0, 1.05),
        False,
        (
            Bound("theorem_3_6_finite", "Theorem 3.6", _line("blue", "-")),
            Bound("top_outcome_gap", r"$d_n(\varepsilon_\infty)$", _line("red", "-", 1.8)),
        ),
    ),
    Panel(
        "win-rate gap, upper bounds",
        (0.5, 1e3),
        True,
        (
            Bound("theorem_5_4_delta", r"Theorem 5.4, $\delta$", _line("blue", "-")),
            Bound("theorem_5_4_renyi", r"Theorem 5.4, $H_2$", _line("blue", "--")),
            Bound("sharp_win_rate_gap_delta", r"sharp, $\delta$", _line("red", "-.")),
            Bound("sharp_win_rate_gap", "sharp, all", _line("red", "-", 1.8)),
        ),
    ),
)


def plot(exact: str, figures: Iterable[str]) -> None:
    """Bound over exact gap against n: above 1 for upper bounds, below 1 for lower ones.

    Args:
        exact: table of the exact quantities of the policy.
        figures: the files to draw.
    """
    table = read_table(exact)
    with new_figure(figures, "double", 4.2) as figure:
        grid = figure.subplots(2, 2)
        for axes, panel in zip(grid.flat, PANELS, strict=True):
            _plot_panel(axes, table, panel)
        letter_panels(grid.flat)


def _plot_panel(axes: Axes, table: Table, panel: Panel) -> None:
    shown = table["n"] > 1
    n = table["n"][shown]
    for bound in panel.bounds:
        axes.plot(n, table[f"{bound.column}_over_gap"][shown], **bound.line, label=bound.name)
    axes.axhline(1, **LINES["reference"])
    use_log_axes(axes, "both" if panel.log else "x")
    axes.set(xlim=(2, 1000), ylim=panel.limits, title=panel.title)
    axes.set(xlabel="number of draws $n$", ylabel="bound over exact gap")
    label_ends(axes, gap=0.08)


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.input.exact[0], snakemake.output)
