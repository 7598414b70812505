"""Figure 4: the KL of best-of-n on a real language model, proved, estimated and by the formula."""

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

OURS: Mapping[str, Any] = {"color": COLOURS["yellow"], "linestyle": "-", "linewidth": 2.2}
PROVED = {"color": COLOURS["black"], "linestyle": "-", "linewidth": 0.8}

LEGEND: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "rank_corrected": ("rank-corrected", OURS),
    "analytical_kl": ("analytical formula", LINES["formula"]),
    "paper": ("paper's estimator", LINES["estimator"]),
    "proved_lower": ("proved lower end", PROVED),
    "proved_upper": ("proved upper end", PROVED),
}
"""Columns: name in the legend and line, the lowest first."""

ENTRIES = dict.fromkeys(("proved lower end", "proved upper end"), "ends of the proved interval")
"""What the legend calls lines that look alike."""

REWARDS = {"log_likelihood": "log-likelihood", "negative_length": "negative length"}


def plot(
    curves: str, prompts: Sequence[str], labels: Sequence[str], figures: Iterable[str]
) -> None:
    """KL against n and, below it, the gap to the formula, for each reward and prompt.

    Args:
        curves: table of the proved and estimated KL.
        prompts: their names in the table.
        labels: what the figure calls them.
        figures: the files to draw.
    """
    table = rows_where(read_table(curves), temperature=1.0)
    with new_figure(figures, "double", 5.6) as figure:
        grid = figure.subplots(4, len(prompts), sharex=True, sharey="row", squeeze=False)
        for (reward, name), upper, lower in zip(
            REWARDS.items(), grid[::2], grid[1::2], strict=True
        ):
            for prompt, above, below in zip(prompts, upper, lower, strict=True):
                rows = rows_where(table, prompt=prompt, reward=reward)
                _plot(above, rows, "")
                _plot(below, rows, "_gap")
            use_log_axes(upper[0], most=4)
            upper[0].set(ylabel=f"KL (nats),\n{name}", ylim=(0, 9), xlim=(2, 1e4))
            use_log_axes(lower[0], "y", most=4, fine=False)
            lower[0].set(ylabel=f"formula minus KL,\n{name}", ylim=(1e-6, 10))
        for axes, label in zip(grid[0], labels, strict=True):
            axes.set(title=label)
        figure.supxlabel("number of draws $n$", fontsize=8)
        letter_panels(grid[:, 0])
        add_legend(figure, grid[0, 0], ncols=4, entries=ENTRIES)


def _plot(axes: Axes, rows: Table, ending: str) -> None:
    n = rows["n"]
    ends = rows[f"interval_lower{ending}"], rows[f"interval_upper{ending}"]
    axes.fill_between(n, *ends, color=COLOURS["yellow"], alpha=0.35, linewidth=0)
    for column, (name, line) in LEGEND.items():
        if f"{column}{ending}" in rows:
            axes.plot(n, rows[f"{column}{ending}"], **line, label=name)


if __name__ == "__main__":
    with job(snakemake):
        plot(
            snakemake.input.curves,
            snakemake.params.prompts,
            snakemake.params.labels,
            snakemake.output,
        )
