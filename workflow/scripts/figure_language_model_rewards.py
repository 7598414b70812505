"""Every prompt and reward of the language model: the KL of best-of-n at both temperatures."""

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
    rows_where,
    use_log_axes,
)

REWARDS = {
    "log_likelihood": "log-likelihood",
    "negative_length": "negative length",
    "judge": "judge",
    "verifier": "verifier",
}
LOWER: Mapping[str, Any] = {"color": COLOURS["black"], "linestyle": "-", "linewidth": 0.8}
TEMPERATURES: Mapping[float, Mapping[str, Any]] = {
    0.7: {"color": COLOURS["grey"], "linestyle": "-", "linewidth": 1.6},
    1.0: {"color": COLOURS["yellow"], "linestyle": "-", "linewidth": 1.6},
}


def plot(
    curves: str, prompts: Sequence[str], labels: Sequence[str], figures: Iterable[str]
) -> None:
    """KL against n: a row for each reward, a column for each prompt.

    Args:
        curves: table of the proved and estimated KL.
        prompts: their names in the table.
        labels: what the figure calls them.
        figures: the files to draw.
    """
    table = read_table(curves)
    with new_figure(figures, "double", 5.2) as figure:
        grid = figure.subplots(len(REWARDS), len(prompts), sharex=True, sharey=True, squeeze=False)
        use_log_axes(grid[0, 0], most=3)
        grid[0, 0].set(xlim=(2, 1e4), ylim=(0, 9))  # now, or each area looks for limits of all
        for row, (reward, name) in zip(grid, REWARDS.items(), strict=True):
            for axes, prompt in zip(row, prompts, strict=True):
                _plot(axes, rows_where(table, prompt=prompt, reward=reward))
            row[0].set(ylabel=f"KL (nats),\n{name}")
        for axes, label in zip(grid[0], labels, strict=True):
            axes.set_title(label, fontsize=7)
        letter_panels(grid[:, 0])
        figure.supxlabel("number of draws $n$", fontsize=8)
        add_legend(figure, grid[0, 0], ncols=4)


def _plot(axes: Axes, table: Table) -> None:
    for temperature, line in TEMPERATURES.items():
        rows = rows_where(table, temperature=temperature)
        if rows["n"].size == 0:  # no right string to look for
            axes.set_axis_off()
            return
        ends = rows["interval_lower"], rows["interval_upper"]
        axes.fill_between(rows["n"], *ends, color=line["color"], alpha=0.3, linewidth=0)
        name = f"rank-corrected, T = {temperature:g}"
        axes.plot(rows["n"], rows["rank_corrected"], **line, label=name)
    axes.plot(rows["n"], rows["analytical_kl"], **LINES["formula"], label="analytical formula")
    axes.plot(rows["n"], rows["proved_lower"], **LOWER, label="proved lower bound, T = 1")


if __name__ == "__main__":
    with job(snakemake):
        plot(
            snakemake.input.curves,
            snakemake.params.prompts,
            snakemake.params.labels,
            snakemake.output,
        )
