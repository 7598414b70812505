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
    label,
    letter_panels,
    new_figure,
    rows_where,
    use_log_axes,
)

CURVES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "best_of_n": ("best-of-$n$", LINES["formula"]),
    "rewind_and_repeat": ("rewind-and-repeat", LINES["rival"]),
    "best_of_poisson": ("Best-of-Poisson", LINES["exact"]),
}
"""Methods with one parameter, on which their draws depend: name in the legend and line."""

FAMILIES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "top_k": (
        "top-$k$ of $n$",
        {"color": COLOURS["red"], "linewidth": 0.6, "marker": ".", "markersize": 2},
    ),
    "soft_best_of_n": ("soft best-of-$n$", {"color": COLOURS["grey"], "linestyle": "-"}),
}
"""Methods with another parameter besides n: a curve for each n."""


NAMES: Mapping[str, tuple[float, float]] = {
    "rewind_and_repeat": (6e-3, 0.45),
    "best_of_n": (5e-3, 2.4e-5),
    "best_of_poisson": (0.042, 3.2e-6),
    "top_k": (0.065, 0.12),
    "soft_best_of_n": (0.0145, 2.7e-3),
}
"""Where the name of each method is, in white space beside its lines: one minus win rate, excess."""


def plot(curves: str, figures: Iterable[str]) -> None:
    """Excess KL over the optimum, and expected draws, against win rate.

    Args:
        curves: table of the curves of the methods without atoms.
        figures: the files to draw.
    """
    table = read_table(curves)
    with new_figure(figures, "double", 3.0) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
        for method, (name, line) in (CURVES | FAMILIES).items():
            rows = rows_where(table, method=method)
            for part in _by_draws(rows) if method in FAMILIES else [rows]:
                _plot_costs(left, right, part, name, line)
            label(left, name, NAMES[method], color=line["color"])
        for part in _by_draws(rows_where(table, method="top_k")):
            _label_draws(left, right, part)
        for axes in (left, right):
            use_log_axes(axes, "both")
            axes.set(xlim=(0.5, 1e-3), xlabel="one minus win rate")
        left.set(ylim=(1e-6, 1), ylabel="excess KL over the optimum (nats)")
        right.set(ylim=(1, 1e3), ylabel="expected draws")
        letter_panels((left, right))


def _label_draws(left: Axes, right: Axes, part: Table) -> None:
    """How many draws a curve is of, beside its last step on the left and above it on the right."""
    loss, name = part["loss_rate"], f"$n = {part['draws'][0]:g}$"
    label(left, name, (loss[-2], part["kl_above_optimum"][-2]), (4, 1), color=COLOURS["red"])
    label(right, name, (0.5, part["draws"][-1]), (3, 5), color=COLOURS["red"])


def _by_draws(rows: Table) -> Iterator[Table]:
    return (rows_where(rows, draws=draws) for draws in np.unique(rows["draws"]))


def _plot_costs(left: Axes, right: Axes, rows: Table, name: str, line: Mapping[str, Any]) -> None:
    left.plot(rows["loss_rate"], rows["kl_above_optimum"], **line, label=name)
    right.plot(rows["loss_rate"], rows["draws"], **line, label=name)


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.input.curves, snakemake.output)
