"""Figure 5: win rate against KL, for best-of-n, the optimum and rewind-and-repeat."""

from collections.abc import Iterable, Mapping
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
    label_line,
    letter_panels,
    new_figure,
    rows_where,
    use_log_axes,
)

CURVES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "tilted": ("optimum", LINES["optimum"]),
    "best_of_n": ("best-of-$n$ without atoms", LINES["formula"]),
    "rewind_and_repeat": ("rewind-and-repeat", LINES["rival"]),
}
"""Methods to draw: name in the legend and line."""

THIN: Mapping[str, Any] = {"color": COLOURS["grey"], "linewidth": 0.7}
DOT: Mapping[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 2, "markeredgewidth": 0}
SQUARE = {**DOT, "marker": "s", "markersize": 1.6, "color": COLOURS["red"]}
HIGHLIGHT: Mapping[str, Any] = {
    "linestyle": "none",
    "marker": "D",
    "markersize": 3.5,
    "color": COLOURS["red"],
}

SMALL_N = 1000
"""The paper: very good trade-offs are achievable with n below this."""


NAMED: Mapping[str, tuple[Any, ...]] = {
    "binary": (1e5, (0, 5), "right"),
    "staircase_1e3": (3, (4, 3)),
    "geometric_descending": (6e4, (8, -28), "right"),
    "uniform_10000": (400, (6, -6)),
}
"""Policies that stand out in the excess: where their names are, as `label_line` takes it."""

ENLARGED = (0.11, 0.225), (0.61, 0.69)


def plot(
    policies: str,
    curves: str,
    language_model: str,
    highlight: str,
    labels: Mapping[str, str],
    figures: Iterable[str],
) -> None:
    """The trade-off, its start enlarged, and the excess KL over the optimum against n.

    Args:
        policies: table of the exact win rate and KL of best-of-n of each policy.
        curves: table of the curves of the methods without atoms.
        language_model: table of the win rate and KL of a real model's prompts and rewards.
        highlight: name of the policy to point out, at n = 2.
        labels: what the figure calls the policies.
        figures: the files to draw.
    """
    exact, methods, real = (read_table(path) for path in (policies, curves, language_model))
    with new_figure(figures, "double", 2.6) as figure:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.1, 0.9, 1.5))
        for axes in (left, middle):
            _plot_tradeoff(axes, exact, methods, real, highlight)
        left.set(xlim=(0, 5), ylim=(0.5, 1.005))
        middle.set(xlim=ENLARGED[0], ylim=ENLARGED[1], title="its start, enlarged")
        _mark_enlarged(left)
        letter_panels((left, middle, right))
        _plot_excess(right, exact, labels)
        add_legend(figure, left, ncols=3)


def _plot_tradeoff(axes: Axes, exact: Table, methods: Table, real: Table, highlight: str) -> None:
    for method, (name, line) in CURVES.items():
        rows = rows_where(methods, method=method)
        axes.plot(rows["kl"], rows["win_rate"], **line, label=name)
    axes.plot(
        exact["kl"],
        exact["win_rate"],
        **DOT,
        color=COLOURS["grey"],
        label="best-of-$n$, each policy",
    )
    axes.plot(real["kl"], real["win_rate"], **SQUARE, label="language model, estimated")
    first = rows_where(exact, policy=highlight, n=2)
    axes.plot(first["kl"], first["win_rate"], **HIGHLIGHT, label="counterexample, $n=2$")
    axes.set(xlabel="KL (nats)", ylabel="win rate")


def _mark_enlarged(axes: Axes) -> None:
    (left, right), (low, high) = ENLARGED
    bounds = left, low, right - left, high - low
    axes.indicate_inset(bounds, edgecolor="black", alpha=1, linewidth=0.8, zorder=5)
    axes.annotate(
        "enlarged in b",
        (right, low),
        (0.9, 0.55),
        fontsize=7,
        va="center",
        arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 0.0, "shrinkB": 0.0},
    )


def _plot_excess(axes: Axes, exact: Table, labels: Mapping[str, str]) -> None:
    use_log_axes(axes, "both")
    for policy in np.unique(exact["policy"]):
        rows = rows_where(exact, policy=policy)
        (line,) = axes.plot(rows["n"], rows["excess"], **THIN, label="policies")
        if policy in NAMED:
            label_line(axes, labels[policy], line, *NAMED[policy])
    rows = rows_where(exact, policy=exact["policy"][0])  # without atoms all policies are alike
    axes.plot(rows["n"], rows["continuous_excess"], **LINES["formula"], label="without atoms")
    label(axes, "without atoms", (90, 1.6e-5), (-5, -2), color=COLOURS["blue"], align="right")
    axes.set(xlim=(1, exact["n"].max()), ylim=(1e-6, 6))
    axes.yaxis.set_major_formatter(lambda excess, _: f"{100 * excess:g}%")
    axes.set(xlabel="number of draws $n$", ylabel="excess KL over the optimum")
    axes.axvline(SMALL_N, **LINES["reference"])
    label(axes, f"$n = {SMALL_N}$", (SMALL_N, 3), (3, 2), color="0.4")


if __name__ == "__main__":
    with job(snakemake):
        plot(
            snakemake.input.policies,
            snakemake.input.curves,
            snakemake.input.language_model,
            snakemake.params.highlight,
            snakemake.params.labels,
            snakemake.output,
        )
