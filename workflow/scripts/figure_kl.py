"""Figures 2 to 4: the KL of best-of-n, exact, by the analytical formula and as estimated."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from replication.pipeline.io import read_table
from replication.pipeline.job import job
from replication.pipeline.plotting import (
    COLOURS,
    LINES,
    Table,
    add_legend,
    letter_panels,
    new_figure,
    spread,
    use_log_axes,
)

Series = Mapping[str, tuple[str, Mapping[str, Any]]]
"""Columns of the exact table: name in the legend and line."""

KL: Series = {
    "analytical_kl": ("analytical formula", LINES["formula"]),
    "log_inverse_top_mass": (r"limit $\log(1/\varepsilon_\infty)$", LINES["reference"]),
    "kl": ("exact", {**LINES["exact"], "linewidth": 2.0}),  # seen on both sides of the estimator
    "expected_estimator": ("estimator, exact mean", LINES["estimator"]),
}
EXCESS: Series = {
    "kl_gap": ("analytical formula", LINES["formula"]),
    "estimator_bias": ("estimator, exact mean", LINES["estimator"]),
}


def plot(
    labels: Sequence[str], curves: Sequence[str], estimates: Sequence[str], figures: Iterable[str]
) -> None:
    """KL against n and, below it, what formula and estimator exceed it by, for each policy.

    Args:
        labels: of the policies.
        curves: table of the exact quantities of each, at real n.
        estimates: table of the simulated estimates of each.
        figures: the files to draw.
    """
    with new_figure(figures, "double", 3.2) as figure:
        grid = figure.subplots(
            2, len(curves), sharex=True, sharey="row", squeeze=False, height_ratios=(3, 2)
        )
        tables = [(read_table(a), read_table(b)) for a, b in zip(curves, estimates, strict=True)]
        for name, (values, simulated), upper, lower in zip(labels, tables, *grid, strict=True):
            _plot(upper, values, KL)
            _plot_simulated(upper, simulated, "mean")
            lower.axhline(0, **LINES["exact"])
            _plot(lower, values, EXCESS)
            _plot_simulated(lower, simulated, "bias")
            upper.set(title=name)
        grid[0, 0].set(ylabel="KL (nats)", ylim=(0, None), xlim=(1, None))
        # the formula's excess grows for ever: the axis is for the estimator's
        top = 1.5 * max(np.max(values["estimator_bias"]) for values, _ in tables)
        grid[1, 0].set(ylabel="above exact (nats)", ylim=(-0.3 * top, top))
        use_log_axes(grid[0, 0], most=4)
        letter_panels(grid[:, 0])
        figure.supxlabel("number of draws $n$", fontsize=8)
        add_legend(figure, grid[0, 0], ncols=5)


def _plot(axes: Axes, table: Table, series: Series) -> None:
    for column, (name, line) in series.items():
        axes.plot(table["n"], table[column], **line, label=name)


def _plot_simulated(axes: Axes, simulated: Table, name: str) -> None:
    shown = spread(simulated["n"], 2.5)
    axes.errorbar(
        simulated["n"],
        simulated[name],
        simulated["two_standard_errors"],
        markevery=shown,
        errorevery=np.isin(np.arange(simulated["n"].size), shown),  # type: ignore[arg-type]
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
    with job(snakemake):
        plot(
            snakemake.params.labels,
            snakemake.input.curves,
            snakemake.input.estimates,
            snakemake.output,
        )
