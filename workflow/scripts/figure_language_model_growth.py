"""Estimators on a real language model as pools grow: RMSE and coverage against the proved KL."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from replication.audit.function_checks import NEGLIGIBLE
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

METHODS = {"paper": ("paper's estimator", "red"), "rank_corrected": ("rank-corrected", "black")}
DRAWS: Mapping[int, Mapping[str, Any]] = {
    16: {"linestyle": "-", "marker": "o"},
    256: {"linestyle": "--", "marker": "s"},
}
"""Values of n that are drawn, and how."""

CONFIDENCE = 0.95
"""Of the intervals."""

GUIDE: dict[str, Any] = {"color": "0.4", "align": "right"}


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
        for prompt, name, upper, lower in zip(prompts, labels, *grid, strict=True):
            _plot(upper, rows_where(table, prompt=prompt), "rmse")
            _plot(lower, rows_where(table, prompt=prompt), "coverage")
            lower.axhline(CONFIDENCE, **LINES["reference"])
            upper.axhline(NEGLIGIBLE, **LINES["reference"])
            upper.set_title(name, fontsize=7)
        use_log_axes(grid[0, 0], most=4)
        use_log_axes(grid[0, 0], "y", most=4, fine=False)
        grid[0, 0].set(ylabel="RMS error (nats)", ylim=(1e-9, 1))
        grid[1, 0].set(ylabel="coverage", ylim=(-0.03, 1.03))
        label(grid[0, 0], "negligible below", (70, NEGLIGIBLE), (0, -6), color="0.4")
        label(grid[1, -1], f"{CONFIDENCE:.0%} asked for", (4000, CONFIDENCE), (0, -6), **GUIDE)
        letter_panels(grid[:, 0])
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
