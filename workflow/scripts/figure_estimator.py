"""Errors of the paper's estimator against n, policy by policy."""

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes

from replication.pipeline.io import read_table
from replication.pipeline.job import job
from replication.pipeline.plotting import LINES, Table, add_legend, new_figure, use_log_axes

SERIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "kl_gap": ("formula, error", LINES["formula"]),
    "rmse": ("estimator, RMSE of a mean", LINES["exact"]),
    "estimator_bias": ("estimator, bias", LINES["estimator"]),
}
"""Columns in the order of drawing: name in the legend and line."""

PER_ROW = 5
"""Panels side by side."""

TITLE_WIDTH = 26
"""Characters in a line of a panel's title."""


def plot(labels: Sequence[str], estimates: Sequence[str], figures: Iterable[str]) -> None:
    """Bias and RMSE of the estimator's mean, and the formula's error, a panel for each policy.

    Args:
        labels: of the policies.
        estimates: table of the simulated estimates of each.
        figures: the files to draw.
    """
    rows = -(-len(estimates) // PER_ROW)
    with new_figure(figures, "double", 0.8 + 1.1 * rows) as figure:
        grid = figure.subplots(rows, PER_ROW, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(estimates) :]:
            axes.set_axis_off()
        for axes, (name, path) in zip(grid.flat, zip(labels, estimates, strict=True), strict=False):
            _plot_errors(axes, read_table(path))
            axes.set_title(fill(name, TITLE_WIDTH), fontsize=7)
        for axes in grid.flat[max(0, len(estimates) - PER_ROW) : len(estimates)]:
            axes.tick_params(labelbottom=True)  # the lowest of a column, also above a gap
        use_log_axes(grid[0, 0], "both", most=4)
        grid[0, 0].set(xlim=(1, None), ylim=(1e-5, 20))
        figure.supxlabel("number of draws $n$", fontsize=8)
        figure.supylabel("error (nats)", fontsize=8)
        add_legend(figure, grid[0, 0], ncols=4)


def _plot_errors(axes: Axes, table: Table) -> None:
    for column, (name, line) in SERIES.items():
        axes.plot(table["n"], table[column], **line, label=name)


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.params.labels, snakemake.input.estimates, snakemake.output)
