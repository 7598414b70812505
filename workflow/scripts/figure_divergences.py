"""Other divergences of best-of-n against n: of every policy, and without atoms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from replication.pipeline.io import read_table
from replication.pipeline.job import job
from replication.pipeline.plotting import (
    COLOURS,
    LINES,
    Table,
    add_legend,
    label_line,
    letter_panels,
    new_figure,
    use_log_axes,
)

__all__ = ["plot"]


class Panel(NamedTuple):
    """A divergence; the policies that stand out, and where their names are, for `label_line`.

    The values without atoms are in the column whose name begins with continuous_.
    """

    column: str
    title: str
    named: Mapping[str, tuple[Any, ...]]


BELOW_END = (1e4, (0, -6), "right")

PANELS = (
    Panel(
        "chi_squared",
        r"$\chi^2$",
        {"binary": BELOW_END, "staircase_1e3": (60, (6, -14), "center")},
    ),
    Panel("forward_kl", "forward KL (nats)", {"staircase_1e3": (30, (2, -13))}),
    Panel(
        "renyi_half",
        r"Rényi $\alpha = 1/2$ (nats)",
        {"binary": BELOW_END, "staircase_1e3": (3.3, (6, -3))},
    ),
    Panel(
        "renyi_2",
        r"Rényi $\alpha = 2$ (nats)",
        {"binary": BELOW_END, "staircase_1e3": (2.2, (6, -3))},
    ),
)


def plot(labels: Mapping[str, str], curves: Sequence[str], figures: Iterable[str]) -> None:
    """A panel for each divergence: a thin line for each policy, below the value without atoms.

    Args:
        labels: names of the policies, and what the figure calls them.
        curves: tables of the exact quantities of each, at real n.
        figures: the files to draw.
    """
    tables = dict(zip(labels, map(read_table, curves), strict=True))
    with new_figure(figures, "double", 2.2) as figure:
        row = figure.subplots(1, len(PANELS), sharex=True)
        for axes, panel in zip(row, PANELS, strict=True):
            for policy, line in _plot_divergence(axes, tables, panel.column).items():
                if policy in panel.named:
                    label_line(axes, labels[policy], line, *panel.named[policy])
            axes.set(title=panel.title)
        row[0].set(ylabel="divergence")
        letter_panels(row)
        figure.supxlabel("number of draws $n$", fontsize=8)
        add_legend(figure, row[0], ncols=2)


def _plot_divergence(axes: Axes, tables: Mapping[str, Table], column: str) -> dict[str, Line2D]:
    use_log_axes(axes, "both", most=4)
    axes.set(xlim=(2, 1e4), ylim=(1e-2, 10 if column.startswith("renyi") else 1e4))
    thin: dict[str, Any] = {"color": COLOURS["grey"], "linewidth": 0.6}
    lines = {
        policy: axes.plot(*_above_1(table, column), **thin, label="policies")[0]
        for policy, table in tables.items()
    }
    without_atoms = _above_1(next(iter(tables.values())), f"continuous_{column}")
    axes.plot(*without_atoms, **LINES["formula"], label="no atoms")
    return lines


def _above_1(table: Table, column: str) -> tuple[NDArray[Any], NDArray[Any]]:
    above = table["n"] > 1
    return table["n"][above], table[column][above]


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.params.labels, snakemake.input.curves, snakemake.output)
