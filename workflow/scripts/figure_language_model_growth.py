"""Estimators on a real language model as pools grow: RMSE and coverage against the proved KL."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from replication.audit.function_checks import NEGLIGIBLE
from replication.pipeline.io import read_table
from replication.pipeline.job import job
from replication.pipeline.plotting import (
    COLOURS,
    Table,
    add_legend,
    new_figure,
    rows_where,
    use_log_axes,
)

METHODS = {"paper": ("paper's estimator", "red"), "rank_corrected": ("rank-corrected", "black")}
DRAWS: Mapping[int, Mapping[str, Any]] = {
    16: {"linestyle": "-", "marker": "o"},
    256: {"linestyle": "--", "marker": "s"},
}
"""Values of n that are drawn, and how."""


def plot(
    growth: str, prompts: Sequence[str], labels: Sequence[str], figures: Iterable[str]
) -> None:
    """RMSE and coverage against the pool size: a column for each prompt.

    Args:
        growth: table of the errors.
        prompts: their names in the table.
        labels: what the figure calls them.
        figures: the files to draw.
    """
    table = read_table(growth)
    with new_figure(figures, "double", 3.2) as figure:
        grid = figure.subplots(2, len(prompts), sharex=True, sharey="row", squeeze=False)
        for prompt, label, upper, lower in zip(prompts, labels, *grid, strict=True):
            _plot(upper, rows_where(table, prompt=prompt), "rmse")
            _plot(lower, rows_where(table, prompt=prompt), "coverage")
            lower.axhline(0.95, color=COLOURS["grey"], linewidth=0.6)
            upper.axhline(NEGLIGIBLE, color=COLOURS["grey"], linewidth=0.6)
            upper.set_title(label, fontsize=7)
        use_log_axes(grid[0, 0], "both", most=4)
        grid[0, 0].set(ylabel="RMS error (nats)", ylim=(1e-9, 1))
        grid[1, 0].set(ylabel="coverage", ylim=(-0.03, 1.03))
        figure.supxlabel("number of candidates $N$", fontsize=8)
        add_legend(figure, grid[0, 0], ncols=4)


def _plot(axes: Axes, table: Table, column: str) -> None:
    for method, (name, colour) in METHODS.items():
        for n, line in DRAWS.items():
            rows = rows_where(table, method=method, n=n)
            look = {**line, "color": COLOURS[colour], "markersize": 2.5, "linewidth": 0.8}
            axes.plot(rows["pool_size"], rows[column], **look, label=f"{name}, n = {n}")


if __name__ == "__main__":
    with job(snakemake):
        plot(
            snakemake.input.growth,
            snakemake.params.prompts,
            snakemake.params.labels,
            snakemake.output,
        )
