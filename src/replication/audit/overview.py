"""One map of all claims: how near each comes to failing, policy by policy."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from replication.audit.findings import SIGN_METHOD
from replication.pipeline.plotting import figure_style

__all__ = ["draw_overview", "worst_margins"]

FLOOR = 1e-9
"""Margins below it, and claims that fail, take the colours of the ends."""


def worst_margins(cells: pd.DataFrame, claims: Sequence[str]) -> pd.DataFrame:
    """The smallest relative margin of each claim on each policy, negative where it fails.

    Ours.

    Args:
        cells: the table of cells; those decided without a margin are left out.
        claims: ids, in the order of the rows.

    Examples:
        >>> cells = pd.DataFrame({"claim": "a", "policy": ["b", "b"], "method": "ball arithmetic",
        ...     "relative_margin": [0.5, 0.25]})
        >>> float(worst_margins(cells, ["a"]).loc["a", "b"])
        0.25
    """
    decided = cells[~cells.method.isin(("equality by proof", SIGN_METHOD))]
    table = decided.pivot_table("relative_margin", "claim", "policy", "min", sort=False)
    return table.reindex([claim for claim in claims if claim in table.index])


def draw_overview(margins: pd.DataFrame) -> str:
    """The map as SVG that takes the colour of its text from the page.

    Ours.

    Args:
        margins: of `worst_margins`.

    Examples:
        >>> margins = pd.DataFrame({"binary": [0.5]}, index=["theorem_3_1"])
        >>> draw_overview(margins).startswith("<svg")
        True
    """
    style = figure_style("double", 1.5 + 0.14 * len(margins))
    with mpl.rc_context(style | {"svg.fonttype": "none", "font.family": "DejaVu Sans"}):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        colours = sns.color_palette("crest_r", as_cmap=True).with_extremes(under="#d55e00")
        sns.heatmap(
            margins.clip(lower=FLOOR).mask(margins < 0, FLOOR / 2),
            ax=axes,
            cmap=colours,
            norm=LogNorm(FLOOR, 1),
            xticklabels=True,
            yticklabels=True,
            rasterized=True,
            cbar_kws={"label": "worst relative margin; orange: fails", "extend": "min"},
        )
        axes.set(xlabel="", ylabel="")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return _inline(stream.getvalue(), np.shape(margins))


def _inline(svg: str, shape: tuple[int, ...]) -> str:
    """Only the drawing, described, for a page that it is a part of."""
    drawing = svg[svg.index("<svg") :]
    title = f"Worst relative margins of {shape[0]} claims on {shape[1]} policies"
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{title}" ', drawing, count=1)
