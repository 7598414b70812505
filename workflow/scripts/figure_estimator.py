"""Errors of the paper's estimator against n, policy by policy."""

from collections.abc import Iterable, Sequence
from textwrap import fill

from matplotlib.axes import Axes

from replication.pipeline.io import log_to, read_table
from replication.pipeline.plotting import LINES, Table, new_figure, use_log_axes

COLUMNS = 5
TITLE_WIDTH = 26
"""Characters in a line of a panel's title."""


def plot(labels: Sequence[str], estimates: Sequence[str], figures: Iterable[str]) -> None:
    """Bias and RMSE of the estimator's mean, and the formula's error, a panel for each policy.

    Args:
        labels: of the policies.
        estimates: table of the simulated estimates of each.
        figures: the files to draw.
    """
    rows = -(-len(estimates) // COLUMNS)
    with new_figure(figures, "double", 0.8 + 1.1 * rows) as figure:
        grid = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(estimates) :]:
            axes.set_axis_off()
        for axes, (name, path) in zip(grid.flat, zip(labels, estimates, strict=True), strict=False):
            _plot_errors(axes, read_table(path))
            axes.set_title(fill(name, TITLE_WIDTH), fontsize=7)
        use_log_axes(grid[0, 0], "both", most=4)
        grid[0, 0].set(xlim=(1, None), ylim=(1e-5, 20))
        figure.supxlabel("number of draws $n$", fontsize=8)
        figure.supylabel("error (nats)", fontsize=8)
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)


def _plot_errors(axes: Axes, table: Table) -> None:
    n, kl = table["n"], table["kl"]
    axes.plot(n, table["analytical_kl"] - kl, **LINES["formula"], label="formula, error")
    axes.plot(n, table["rmse"], **LINES["exact"], label="estimator, RMSE of a mean")
    axes.plot(n, table["expected_estimator"] - kl, **LINES["estimator"], label="estimator, bias")


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        plot(snakemake.params.labels, snakemake.input.estimates, snakemake.output)
