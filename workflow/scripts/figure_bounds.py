"""The regime map, and its like for the win rate: a gap and the bounds on it, for all policies."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from replication.pipeline.io import read_table
from replication.pipeline.job import job
from replication.pipeline.plotting import (
    COLOURS,
    LINES,
    Table,
    label,
    label_line,
    letter_panels,
    new_figure,
    use_log_axes,
)


class Panel(NamedTuple):
    """A gap drawn beside a bound on it.

    Attributes:
        x: column of the exact tables: the variable the bound depends on.
        variable: what it is.
        gap: column of the gap.
        bound: column of the bound.
        name: of the bound.
        formula: of the bound.
        role: of the bound, a key of `LINES`.
    """

    x: str
    variable: str
    gap: str
    bound: str
    name: str
    formula: str
    role: str


PAPER = "n_squared_delta", r"n^2\delta"
SHARP = "n_delta", r"n\delta"
"""The variables of the bounds: column and name."""

PANELS = {
    "kl_gap": (
        Panel(*PAPER, "kl_gap", "theorem_3_4_delta", "Theorem 3.4", r"2n(n-1)\,\delta", "paper"),
        Panel(
            *SHARP,
            "kl_gap",
            "sharp_kl_gap_delta",
            "sharp, ours",
            r"\dfrac{n(n-1)^2}{24(n-2)}\,\delta^2",
            "sharp",
        ),
    ),
    "win_rate_gap": (
        Panel(
            *PAPER,
            "win_rate_gap_per_loss",
            "theorem_5_4_delta_per_loss",
            "Theorem 5.4",
            r"\dfrac{n-1}{2}\,\delta",
            "paper",
        ),
        Panel(
            *SHARP,
            "win_rate_gap_per_loss",
            "sharp_win_rate_gap_delta_per_loss",
            "sharp, ours",
            r"\dfrac{n}{12}\,\delta^2",
            "sharp",
        ),
    ),
}

AXIS = {"kl_gap": "formula minus exact KL (nats)", "win_rate_gap": r"win-rate gap times $n+1$"}

NAMED: Mapping[str, tuple[Any, ...]] = {
    "zipf_descending": (60, (8, -10)),
    "geometric_descending": (5e9, (0, -12), "right"),
}
"""Policies that stand out: where their names are, as `label_line` takes it."""

FIRST_N = 3
"""The sharp bounds in delta are proved for all whole n from here on."""


def plot(gap: str, labels: Mapping[str, str], exact: Iterable[str], figures: Iterable[str]) -> None:
    """A gap against n^2 delta, with the paper's bound, and against n delta, with the sharp one.

    Args:
        gap: "kl_gap", or "win_rate_gap", drawn in units of 1/(n+1), the rate of not winning.
        labels: names of the policies, and what the figure calls them.
        exact: table of the exact quantities of each policy.
        figures: the files to draw.
    """
    tables = dict(zip(labels, map(read_table, exact), strict=True))
    with new_figure(figures, "double", 2.5) as figure:
        grid = figure.subplots(1, 2, sharey=True)
        for axes, panel in zip(grid, PANELS[gap], strict=True):
            _decorate(axes, panel)
            for policy, table in tables.items():
                line = _plot_gap(axes, panel, table)
                if axes is grid[0] and policy in NAMED:
                    label_line(axes, labels[policy], line, *NAMED[policy])
        grid[0].set(ylabel=AXIS[gap], ylim=(1e-9, 1e4))
        letter_panels(grid)
        label(grid[0], "exact gap, a line\nfor each policy", (0.68, 0.2), fraction=True)


def _plot_gap(axes: Axes, panel: Panel, table: Table) -> Line2D:
    shown = table["n"] >= FIRST_N
    x, bound, gap = (table[column][shown] for column in (panel.x, panel.bound, panel.gap))
    axes.plot(x, bound, **LINES[panel.role], label=panel.name, zorder=1)
    (line,) = axes.plot(x, gap, color=COLOURS["black"], linewidth=0.6, label="exact gap")
    return line


def _decorate(axes: Axes, panel: Panel) -> None:
    use_log_axes(axes, "both", fine=False)
    axes.set_xlabel(f"${panel.variable}$")
    axes.axvline(1, **LINES["reference"])
    label(axes, f"${panel.variable} = 1$", (1, 3e3), (3, 0), color="0.4")
    text, colour = f"{panel.name}\n${panel.formula}$", LINES[panel.role]["color"]
    label(axes, text, (0.02, 0.9), color=colour, fraction=True)


if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params
        plot(params.gap, params.labels, snakemake.input.exact, snakemake.output)
