"""Best-of-n and its rivals: what each pays over the least KL that buys its win rate."""

from collections.abc import Iterable, Iterator, Mapping
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
    label,
    letter_panels,
    new_figure,
    rows_where,
    use_log_axes,
)

CURVES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "best_of_n": ("best-of-$n$", LINES["formula"]),
    "rewind_and_repeat": ("rewind-and-repeat", LINES["rival"]),
    "best_of_poisson": ("Best-of-Poisson", LINES["exact"]),
}
"""Methods with one parameter, on which their draws depend: name in the legend and line."""

FAMILIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "top_k": (
        "top-$k$ of $n$",
        {"color": COLOURS["red"], "linewidth": 0.6, "marker": ".", "markersize": 2},
    ),
    "soft_best_of_n": ("soft best-of-$n$", {"color": COLOURS["grey"], "linestyle": "-"}),
}
"""Methods with another parameter besides n: a curve for each n."""


def plot(curves: str, figures: Iterable[str]) -> None:
    """Excess KL over the optimum and expected draws, against win rate; blockwise KL bounds.

    Args:
        curves: table of the curves of the methods without atoms.
        figures: the files to draw.
    """
    table = read_table(curves)
    with new_figure(figures, "double", 2.6) as figure:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.7, 1.2, 1))
        for method, (name, line) in CURVES.items():
            rows = rows_where(table, method=method)
            _plot_costs(left, middle, rows, name, line)
        for method, (name, line) in FAMILIES.items():
            for part in _by_draws(rows_where(table, method=method)):
                _plot_costs(left, middle, part, name, line)
        for part in _by_draws(rows_where(table, method="top_k")):
            end = part["loss_rate"][-1], part["kl_above_optimum"][-1]  # k = 1 is best-of-n
            label(left, f"$n = {part['draws'][0]:g}$", end, (3, 5))
        for axes in (left, middle):
            use_log_axes(axes, "both")
            axes.set(xlim=(0.5, 1e-3), xlabel="one minus win rate")
        left.set(ylim=(1e-6, 1), ylabel="excess KL over the optimum (nats)")
        middle.set(ylim=(1, 1e3), ylabel="expected draws")
        _plot_blockwise(right, rows_where(table, method="blockwise_bound"))
        letter_panels((left, middle, right))
        add_legend(figure, left, ncols=5)


def _plot_blockwise(axes: Axes, rows: Table) -> None:
    for part in _by_draws(rows):
        axes.plot(part["parameter"], part["kl"], **LINES["estimator"], label="blockwise, bound")
        end = part["parameter"][-1], part["kl"][-1]
        label(axes, f"$K = {part['draws'][0]:g}$", end, (3, -3))
    use_log_axes(axes, "both")
    axes.set(xlim=(1, 200), ylim=(0.3, 200))
    axes.set(xlabel="blocks $B$", ylabel="blockwise best-of-$K$: KL at most (nats)")


def _by_draws(rows: Table) -> Iterator[Table]:
    return (rows_where(rows, draws=draws) for draws in np.unique(rows["draws"]))


def _plot_costs(left: Axes, middle: Axes, rows: Table, name: str, line: Mapping[str, Any]) -> None:
    left.plot(rows["loss_rate"], rows["kl_above_optimum"], **line, label=name)
    middle.plot(rows["loss_rate"], rows["draws"], **line, label=name)


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.input.curves, snakemake.output)
