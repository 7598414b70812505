"""Figures 2 to 4: the KL of best-of-n, exact, by the analytical formula and as estimated."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from replication.pipeline.io import log_to, read_table
from replication.pipeline.plotting import COLOURS, LINES, Table, new_figure, spread, use_log_axes


def plot(
    labels: Sequence[str], exact: Sequence[str], estimates: Sequence[str], figures: Iterable[str]
) -> None:
    """KL against n and, below it, what formula and estimator exceed it by, for each policy.

    Args:
        labels: of the policies.
        exact: table of the exact quantities of each.
        estimates: table of the simulated estimates of each.
        figures: the files to draw.
    """
    simulations = [read_table(path) for path in estimates]
    with new_figure(figures, "double", 3.2) as figure:
        grid = figure.subplots(
            2, len(exact), sharex=True, sharey="row", squeeze=False, height_ratios=(3, 2)
        )
        for name, path, table, upper, lower in zip(labels, exact, simulations, *grid, strict=True):
            _plot_kl(upper, read_table(path), table)
            _plot_excess(lower, table)
            upper.set(title=name)
        grid[0, 0].set(ylabel="KL (nats)", ylim=(0, None), xlim=(1, None))
        # the formula's excess grows for ever: the axis is for the estimator's
        top = 1.5 * max(np.max(_excess(table)) for table in simulations)
        grid[1, 0].set(ylabel="excess (nats)", ylim=(-0.3 * top, top))
        use_log_axes(grid[0, 0], most=4)
        figure.supxlabel("number of draws $n$", fontsize=8)
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)


def _plot_kl(axes: Axes, exact: Table, simulated: Table) -> None:
    n = exact["n"]
    axes.plot(n, exact["analytical_kl"], **LINES["formula"], label="analytical formula")
    axes.plot(
        n,
        exact["log_inverse_top_mass"],
        **LINES["reference"],
        label=r"limit $\log(1/\varepsilon_\infty)$",
    )
    axes.plot(n, exact["kl"], **LINES["exact"], label="exact")
    axes.plot(n, exact["expected_estimator"], **LINES["estimator"], label="estimator, exact mean")
    _plot_simulated(axes, simulated, "mean")


def _plot_excess(axes: Axes, simulated: Table) -> None:
    n, kl = simulated["n"], simulated["kl"]
    axes.axhline(0, color=COLOURS["black"], linewidth=0.8)
    axes.plot(n, simulated["analytical_kl"] - kl, **LINES["formula"])
    axes.plot(n, _excess(simulated), **LINES["estimator"])
    _plot_simulated(axes, simulated, "bias")


def _excess(simulated: Table) -> NDArray[np.float64]:
    return simulated["expected_estimator"] - simulated["kl"]


def _plot_simulated(axes: Axes, simulated: Table, name: str) -> None:
    shown = spread(simulated["n"])
    axes.errorbar(
        simulated["n"][shown],
        simulated[name][shown],
        2 * (simulated["standard_error"] / np.sqrt(simulated["repeats"]))[shown],
        color=COLOURS["red"],
        linestyle="none",
        marker="o",
        markersize=2.5,
        markerfacecolor="white",
        markeredgewidth=0.6,
        elinewidth=0.6,
        label="estimator, simulated",
    )


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        plot(
            snakemake.params.labels,
            snakemake.input.exact,
            snakemake.input.estimates,
            snakemake.output,
        )
