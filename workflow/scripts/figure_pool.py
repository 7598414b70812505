"""Estimators from one pool of scored candidates: RMSE, bias and coverage, cell by cell."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from replication.audit.function_checks import NEGLIGIBLE, NOMINAL
from replication.pipeline.io import log_to
from replication.pipeline.plotting import COLOURS, LINES, new_figure, use_log_axes

OURS = "rank-corrected"
RIVALS = {"paper": "paper's estimator", "rank-only": "rank-only", "formula": "formula"}
"""Methods compared with ours: name in the figure."""

LARGE = r"$N \geq 10\,n$"
"""Cells where the pool is large enough for what is promised."""


def plot(study: str, figures: Iterable[str]) -> None:
    """RMSE and bias of our estimator against those of each rival; coverage of the intervals.

    Args:
        study: table of the errors of each method, for each policy, pool size and n.
        figures: the files to draw.
    """
    cells = _cells(pd.read_csv(study))
    with new_figure(figures, "double", 3.4) as figure:
        grid = figure.subplots(2, 4, width_ratios=(1, 1, 1, 1.2))
        for row, (error, name) in zip(grid, (("rmse", "RMSE"), ("bias", "|bias|")), strict=True):
            for axes, (rival, title) in zip(row[:-1], RIVALS.items(), strict=True):
                _compare(axes, cells, error, rival)
                axes.set(xlabel=f"{name}, {title} (nats)")
            row[0].set(ylabel=f"{name}, {OURS} (nats)")
        _plot_coverage(grid[0, -1], cells, OURS, f"df {OURS}")
        grid[0, -1].set(xlim=(1, None), ylim=(0.75, 1.01), xlabel="degrees of freedom")
        _plot_coverage(grid[1, -1], cells, "paper", "ratio")
        grid[1, -1].set(xlabel="$N/n$")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        for axes in grid.flat:
            if legend := axes.get_legend():  # of an empty panel there is none
                legend.remove()


def _cells(study: pd.DataFrame) -> pd.DataFrame:
    """A row for each policy, pool size and n; columns such as `rmse paper`."""
    values = ["rmse", "bias", "coverage", "df"]
    wide = study.pivot(index=["policy", "pool_size", "n"], columns="method", values=values)
    wide.columns = [" ".join(names) for names in wide.columns]
    errors = [name for name in wide.columns if name.startswith(("rmse", "bias"))]
    wide[errors] = wide[errors].abs().clip(lower=NEGLIGIBLE)  # many are 0
    wide = wide.reset_index()
    size = np.where(wide["pool_size"] >= 10 * wide["n"], LARGE, "smaller pools")
    return wide.assign(ratio=wide["pool_size"] / wide["n"], pool=size)


def _compare(axes: Axes, cells: pd.DataFrame, error: str, rival: str) -> None:
    _scatter(axes, cells, f"{error} {rival}", f"{error} {OURS}")
    ends = np.array([NEGLIGIBLE, 10])
    axes.plot(ends, ends, color=COLOURS["black"], linewidth=0.6)
    axes.plot(ends, ends / 3, **LINES["reference"])
    use_log_axes(axes, "both", most=4)
    axes.minorticks_off()
    axes.set(xlim=ends, ylim=ends, ylabel="")


def _plot_coverage(axes: Axes, cells: pd.DataFrame, method: str, x: str) -> None:
    axes.axhspan(*NOMINAL, color=COLOURS["yellow"], alpha=0.5, linewidth=0)
    shown = np.isfinite(cells[x]) & (cells[f"rmse {method}"] > NEGLIGIBLE)
    _scatter(axes, cells.assign(**{x: cells[x].where(shown)}), x, f"coverage {method}")
    use_log_axes(axes)
    axes.set(ylim=(0, 1.02), ylabel=f"coverage, {RIVALS.get(method, method)}")


def _scatter(axes: Axes, cells: pd.DataFrame, x: str, y: str) -> None:
    sns.scatterplot(
        cells,
        x=x,
        y=y,
        hue="pool",
        style="pool",
        palette={LARGE: COLOURS["black"], "smaller pools": COLOURS["red"]},
        s=4,
        linewidth=0,
        rasterized=True,
        ax=axes,
    )


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        plot(snakemake.input.study, snakemake.output)
