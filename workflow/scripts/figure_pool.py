"""Estimators from one pool of scored candidates: RMSE, bias and coverage, cell by cell."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes

from replication.audit.function_checks import NEGLIGIBLE, NOMINAL
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

OURS = "rank_corrected"
RIVALS = {"paper": "paper's estimator", "rank_only": "rank-only", "formula": "formula"}
"""Methods compared with ours: name in the figure."""

ERRORS = {"rmse": "RMSE", "bias": "abs. bias"}
"""Errors compared, a row each."""

FLOOR = NEGLIGIBLE / 10
"""The end of the axes; smaller errors than `NEGLIGIBLE` are drawn as that."""

POINTS: dict[str, Any] = {
    "linestyle": "none",
    "markeredgewidth": 0,
    "rasterized": True,
    "alpha": 0.6,
}
POOLS: Mapping[bool, Mapping[str, Any]] = {
    False: POINTS | {"label": "smaller pools", "marker": "X", "color": COLOURS["red"]},
    True: POINTS | {"label": r"$N \geq 10\,n$", "marker": "o", "color": COLOURS["black"]},
}
"""Whether the pool is as large as what is promised asks for: the look of its points."""


def plot(comparison: str, figures: Iterable[str]) -> None:
    """RMSE and bias of our estimator against those of each rival; coverage of the intervals.

    Args:
        comparison: table of the errors of the methods side by side, for each policy, pool size and
            n.
        figures: the files to draw.
    """
    table = read_table(comparison)
    with new_figure(figures, "double", 3.9) as figure:
        grid = figure.subplots(2, 4, width_ratios=(1, 1, 1, 1.2))
        for row, (error, name) in zip(grid, ERRORS.items(), strict=True):
            for axes, (rival, title) in zip(row[:-1], RIVALS.items(), strict=True):
                _compare(axes, table, error, rival)
                axes.set(xlabel=f"{name} (nats),\n{title}")
            row[0].set(ylabel=f"{name} (nats), ours")
        _plot_coverage(grid[0, -1], table, OURS, f"df_{OURS}")
        grid[0, -1].set(xlim=(1, None), ylim=(0.75, 1.01))
        grid[0, -1].set(xlabel="degrees of freedom", ylabel="coverage, ours")
        label(grid[0, -1], "93 to 97 %", (2000, 0.97), (0, 5), align="right")
        _plot_coverage(grid[1, -1], table, "paper", "pool_ratio")
        grid[1, -1].set(ylim=(0, 1.02), xlabel="$N/n$", ylabel="coverage, paper's")
        label(grid[0, 1], "equal", (2e-5, 2e-5), (-3, 3), align="right")
        label(grid[0, 1], "a third", (10, 0.12), (0, 0), color="0.4", align="right")
        label(grid[0, 1], "negligible", (1e-2, FLOOR), (0, 5), color="0.4", align="center")
        letter_panels(grid.flat)
        add_legend(figure, grid[0, 0], ncols=4)


def _compare(axes: Axes, table: Table, error: str, rival: str) -> None:
    _plot_points(axes, table, f"{error}_{rival}", f"{error}_{OURS}")
    axes.axline((1, 1), (2, 2), color=COLOURS["black"], linewidth=0.6)
    axes.axline((1, 1 / 3), (2, 2 / 3), **LINES["reference"])
    axes.axhspan(FLOOR, NEGLIGIBLE, color="0.9", linewidth=0, zorder=0)
    use_log_axes(axes, "both", most=4, fine=False)
    axes.set(xlim=(FLOOR, 10), ylim=(FLOOR, 10))


def _plot_coverage(axes: Axes, table: Table, method: str, x: str) -> None:
    axes.axhspan(*NOMINAL, color=COLOURS["yellow"], alpha=0.5, linewidth=0)
    measured = table[f"rmse_{method}"] > NEGLIGIBLE
    shown = {name: column[measured] for name, column in table.items()}
    _plot_points(axes, shown, x, f"coverage_{method}")
    use_log_axes(axes)


def _plot_points(axes: Axes, table: Table, x: str, y: str) -> None:
    for large, look in POOLS.items():
        rows = rows_where(table, large=large)
        axes.plot(rows[x], rows[y], **look, markersize=2)


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.input.comparison, snakemake.output)
