"""Figure 1: on a fair coin the KL of best-of-n never exceeds log 2, whatever the formula says."""

from collections.abc import Iterable, Mapping
from typing import Any

from replication.pipeline.io import read_table
from replication.pipeline.job import job
from replication.pipeline.plotting import COLOURS, LINES, label, new_figure, use_log_axes

SERIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "log_inverse_top_mass": ("limit", LINES["reference"]),
    "analytical_kl": ("formula", LINES["formula"]),
    "kl": ("exact", LINES["exact"]),
}
"""Columns in the order of drawing: name and line."""

LARGEST = 1000
"""Beyond this n the curves only go on as they do."""


def plot(curves: str, figures: Iterable[str]) -> None:
    """Exact KL, its limit and the analytical formula against n.

    Args:
        curves: table of the exact quantities of the binary policy, at real n.
        figures: the files to draw.
    """
    table = read_table(curves)
    with new_figure(figures, "single", 2.0) as figure:
        axes = figure.subplots()
        for column, (name, line) in SERIES.items():
            axes.plot(table["n"], table[column], **line, label=name)
        label(
            axes, r"$\log n - (n-1)/n$", (30, 2.43), (-7, 3), color=COLOURS["blue"], align="right"
        )
        label(axes, "exact KL", (60, 0.693), (0, -6))
        label(axes, r"limit $\log 2$", (1, 0.693), (3, 5), color="0.4")
        use_log_axes(axes)
        axes.set(xlim=(1, LARGEST), ylim=(0, 6.2))
        axes.set(xlabel="number of draws $n$", ylabel="KL (nats)")


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.input.curves, snakemake.output)
