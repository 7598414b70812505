"""What it costs to take tied rewards for distinct ones."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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

MARKERS: dict[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 2.5,
    "markerfacecolor": "white",
}

SERIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "distinct_kl": ("KL, rewards taken for distinct", LINES["rival"]),
    "analytical_kl": ("analytical formula", LINES["formula"]),
    "kl": ("exact KL, ties merged", {**LINES["exact"], "linewidth": 1.8}),
    "distinct_estimator": (
        "estimator, response's probability",
        MARKERS | {"color": COLOURS["yellow"], "marker": "s"},
    ),
    "expected_estimator": (
        "estimator, tie class's probability",
        MARKERS | {"color": COLOURS["red"]},
    ),
}
"""Columns in the order of drawing: name in the legend and line."""


def plot(labels: Sequence[str], curves: Sequence[str], figures: Iterable[str]) -> None:
    """KL against n with ties merged and with rewards taken for distinct, for each tied policy.

    Args:
        labels: of the policies.
        curves: table of the exact quantities of each, at real n.
        figures: the files to draw.
    """
    with new_figure(figures, "double", 2.3) as figure:
        panels = figure.subplots(1, len(curves), sharex=True, sharey=True, squeeze=False)[0]
        for axes, name, path in zip(panels, labels, curves, strict=True):
            _plot_series(axes, read_table(path))
            axes.set(title=name)
        panels[0].set(xlim=(1, None), ylim=(0, None), ylabel="KL (nats)")
        use_log_axes(panels[0], most=4)
        letter_panels(panels)
        figure.supxlabel("number of draws $n$", fontsize=8)
        add_legend(figure, panels[0], ncols=3)


def _plot_series(axes: Axes, table: Table) -> None:
    n = table["n"]
    for column, (name, line) in SERIES.items():
        axes.plot(n, table[column], **line, markevery=spread(n, 4), label=name)


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.params.labels, snakemake.input.curves, snakemake.output)
