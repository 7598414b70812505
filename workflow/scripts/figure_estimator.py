"""Errors of the formula and of the paper's estimator against n, a line for each policy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from replication.pipeline.io import read_table
from replication.pipeline.job import job
from replication.pipeline.plotting import (
    LINES,
    Table,
    label_line,
    letter_panels,
    new_figure,
    use_log_axes,
)

__all__ = ["plot"]


class Panel(NamedTuple):
    """An error of every policy; the policies that stand out, and where their names are."""

    column: str
    title: str
    line: Mapping[str, Any]
    named: Mapping[str, tuple[Any, ...]]


THIN = {"linestyle": "-", "linewidth": 0.6}

PANELS = (
    Panel(
        "kl_gap",
        "analytical formula",
        {**LINES["formula"], **THIN},
        {"geometric_descending": (6e4, (5, -26), "right"), "uniform_10000": (400, (5, -4))},
    ),
    Panel(
        "rmse",
        "paper's estimator, RMSE of a mean",
        {**LINES["exact"], **THIN},
        {"staircase_1e3": (1e3, (0, 6), "center")},
    ),
    Panel(
        "estimator_bias",
        "paper's estimator, bias",
        {**LINES["estimator"], **THIN},
        {"staircase_1e3": (3, (0, 8))},
    ),
)

GUIDE = 0.1
"""In nats: about what the estimator's errors come to."""


def plot(labels: Mapping[str, str], estimates: Sequence[str], figures: Iterable[str]) -> None:
    """The formula's error, and RMSE and bias of the estimator's mean, a line for each policy.

    Args:
        labels: names of the policies, and what the figure calls them.
        estimates: table of the simulated estimates of each.
        figures: the files to draw.
    """
    tables = dict(zip(labels, map(read_table, estimates), strict=True))
    with new_figure(figures, "double", 2.4) as figure:
        row = figure.subplots(1, len(PANELS), sharex=True, sharey=True)
        use_log_axes(row[0], "both", most=6)
        for axes, panel in zip(row, PANELS, strict=True):
            _plot_errors(axes, panel, tables, labels)
            axes.axhline(GUIDE, **LINES["reference"])
        row[0].margins(x=0)
        row[0].set(ylim=(1e-5, 20), ylabel="error (nats)")
        letter_panels(row)
        figure.supxlabel("number of draws $n$", fontsize=8)


def _plot_errors(
    axes: Axes, panel: Panel, tables: Mapping[str, Table], labels: Mapping[str, str]
) -> None:
    for policy, table in tables.items():
        (line,) = axes.plot(table["n"], table[panel.column], **panel.line, label=panel.title)
        if policy in panel.named:
            label_line(axes, labels[policy], line, *panel.named[policy])
    axes.set(title=panel.title)


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.params.labels, snakemake.input.estimates, snakemake.output)
