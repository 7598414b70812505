"""Every bound on the gaps of KL and win rate, relative to the exact gap of one policy."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from replication.pipeline.io import read_table
from replication.pipeline.job import job
from replication.pipeline.plotting import (
    COLOURS,
    Table,
    label_ends,
    letter_panels,
    new_figure,
    use_log_axes,
)

__all__ = ["plot"]


class Bound(NamedTuple):
    """A bound, its name in the legend, and its line; drawn is its column over the gap."""

    column: str
    name: str
    line: Mapping[str, Any]


def _line(colour: str, style: str, width: float = 1.0) -> dict[str, Any]:
    return {"color": COLOURS[colour], "linestyle": style, "linewidth": width}


PANELS = {
    "kl_gap": (
        Bound("theorem_3_4_delta", r"Theorem 3.4, $\delta$", _line("blue", "--")),
        Bound("theorem_3_4_renyi", r"Theorem 3.4, $H_2$", _line("blue", "-")),
        Bound("elementary_delta", r"$n\delta$", _line("grey", "--")),
        Bound("elementary_renyi", r"$n(n-1)e^{-H_2}$", _line("grey", "-")),
        Bound("square_root_delta", r"$n\delta/6$", _line("yellow", "--")),
        Bound("square_root_renyi", r"$n(n-1)e^{-H_2}/6$", _line("yellow", "-.")),
        Bound("square_root", "square root", _line("yellow", "-", 1.8)),
        Bound("log_step", "log-step", _line("black", "-.")),
        Bound("log_sobolev", "log-Sobolev", _line("red", ":")),
        Bound("sharp_kl_gap_delta", r"sharp, $\delta$", _line("red", "--")),
        Bound("sharp_kl_gap", "sharp", _line("red", "-", 1.8)),
        Bound("top_outcome_gap", r"lower, $d_n(\varepsilon_\infty)$", _line("black", ":")),
        Bound("theorem_3_6_finite", "Theorem 3.6, finite", _line("blue", ":")),
    ),
    "win_rate_gap": (
        Bound("theorem_5_4_delta", r"Theorem 5.4, $\delta$", _line("blue", "--")),
        Bound("theorem_5_4_renyi", r"Theorem 5.4, $H_2$", _line("blue", "-")),
        Bound("sharp_win_rate_gap_delta", r"sharp, $\delta$", _line("red", "--")),
        Bound("sharp_win_rate_gap", "sharp", _line("red", "-", 1.8)),
    ),
}

TITLES = {"kl_gap": "formula minus KL", "win_rate_gap": "$n/(n+1)$ minus win rate"}


def plot(exact: str, figures: Iterable[str]) -> None:
    """Bound over exact gap against n: above 1 for upper bounds, below 1 for lower ones.

    Args:
        exact: table of the exact quantities of the policy.
        figures: the files to draw.
    """
    table = read_table(exact)
    with new_figure(figures, "double", 2.9) as figure:
        left, right = figure.subplots(1, 2)
        _plot_panel(left, table, "kl_gap")
        _plot_panel(right, table, "win_rate_gap")
        letter_panels((left, right))


def _plot_panel(axes: Axes, table: Table, gap: str) -> None:
    shown = table["n"] > 1
    n = table["n"][shown]
    for bound in PANELS[gap]:
        # a lower bound says nothing where it is negative, which a logarithmic axis leaves out
        axes.plot(n, table[f"{bound.column}_over_gap"][shown], **bound.line, label=bound.name)
    axes.axhline(1, color=COLOURS["black"], linewidth=0.6)
    use_log_axes(axes, "both")
    axes.set(xlim=(2, 1000), ylim=(1e-2, 1e5) if gap == "kl_gap" else (0.5, 1e3))
    label_ends(axes)
    axes.set(xlabel="number of draws $n$", ylabel="bound over exact gap", title=TITLES[gap])


if __name__ == "__main__":
    with job(snakemake):
        plot(snakemake.input.exact[0], snakemake.output)
