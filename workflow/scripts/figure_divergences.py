"""Other divergences of best-of-n against n: of every policy, and without atoms."""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from numpy.typing import NDArray

from replication.pipeline.io import read_table
from replication.pipeline.job import job
from replication.pipeline.plotting import (
    COLOURS,
    LINES,
    Table,
    add_legend,
    new_figure,
    use_log_axes,
)

__all__ = ["plot"]

PANELS = {
    "chi_squared": r"$\chi^2$",
    "forward_kl": "forward KL (nats)",
    "renyi_half": r"Rényi, $\alpha = 1/2$ (nats)",
    "renyi_2": r"Rényi, $\alpha = 2$ (nats)",
}
"""Columns of the exact tables: names. Those without atoms begin with continuous_."""


def plot(exact: Sequence[str], figures: Iterable[str]) -> None:
    """A panel for each divergence: a thin line for each policy, below the value without atoms.

    Args:
        exact: tables of the exact quantities of each policy.
        figures: the files to draw.
    """
    tables = [read_table(path) for path in exact]
    with new_figure(figures, "double", 2.2) as figure:
        row = figure.subplots(1, len(PANELS), sharex=True)
        for axes, (column, name) in zip(row, PANELS.items(), strict=True):
            _plot_divergence(axes, tables, column)
            axes.set(title=name)
        row[0].set(ylabel="divergence")
        figure.supxlabel("number of draws $n$", fontsize=8)
        add_legend(figure, row[0], ncols=2)


def _plot_divergence(axes: Axes, tables: Sequence[Table], column: str) -> None:
    thin: dict[str, Any] = {"color": COLOURS["grey"], "linewidth": 0.6}
    for table in tables:
        axes.plot(*_above_1(table, column), **thin, label="policies")
    axes.plot(*_above_1(tables[0], f"continuous_{column}"), **LINES["formula"], label="no atoms")
    use_log_axes(axes, "both", most=4)
    axes.set(xlim=(2, 1e4), ylim=(1e-2, 10 if column.startswith("renyi") else 1e4))


def _above_1(table: Table, column: str) -> tuple[NDArray[Any], NDArray[Any]]:
    above = table["n"] > 1
    return table["n"][above], table[column][above]


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.input.exact, snakemake.output)
