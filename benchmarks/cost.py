"""How the cost of a grid of exact KL values grows: measure it, and draw docs/figures/cost.

python -m benchmarks.cost measure    # some minutes, up to 8 GB; writes docs/figures/cost.csv
python -m benchmarks.cost memory     # peak memory of 1e8 outcomes
python -m benchmarks.cost draw       # docs/figures/cost.svg and .png
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from benchmarks.routes import GRID, bonmeter_kl, cpu_seconds, log_normal, textbook_kl
from bonmeter.numerics.validation import FloatArray

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "cost"
SIZES = [10**k for k in range(3, 9)]
GRIDS = [1, 10, 60, 100, 1000]
# The time of the textbook route is proportional to outcomes times values of n: where this product
# is larger, fewer values of n are timed and the time is scaled.
TEXTBOOK_BUDGET = 10**8

Row = tuple[int, int, str, float]


def grid_of(size: int) -> FloatArray:
    return np.geomspace(1, 1e6, size + 1)[1:]


def measure(outcomes: int) -> Iterator[Row]:
    responses = log_normal(outcomes)
    repeats = 3 if outcomes > 10**6 else 9
    for size in GRIDS:
        seconds = cpu_seconds(repeats, bonmeter_kl, responses, grid_of(size))
        yield outcomes, size, "bonmeter", seconds
    p = np.exp(responses[0])
    yield outcomes, 1, "cumsum", cpu_seconds(repeats, np.cumsum, p)
    for size in GRIDS:
        timed = min(size, max(TEXTBOOK_BUDGET // outcomes, 1))
        seconds = cpu_seconds(1 if timed < size else 3, textbook_kl, p, grid_of(timed))
        yield outcomes, size, "textbook", seconds * size / timed


def measure_all() -> None:
    rows = [row for outcomes in SIZES for row in measure(outcomes)]
    table = pd.DataFrame(rows, columns=["outcomes", "grid", "route", "seconds"])
    table.to_csv(FIGURE.with_suffix(".csv"), index=False, float_format="%.3g")


def print_memory() -> None:
    bonmeter_kl(log_normal(10**8), GRID)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


# route: label, colour, marker, line
STYLES = {
    "textbook": ("textbook route", "#D55E00", "s", "--"),
    "bonmeter": ("bonmeter", "#0072B2", "o", "-"),
    "cumsum": ("one cumsum", "#555555", "", ":"),
}


def draw_routes(ax: Axes, table: pd.DataFrame, x: str) -> None:
    for route, rows in table.groupby("route"):
        label, colour, marker, line = STYLES[str(route)]
        ax.loglog(rows[x], rows["seconds"], line, color=colour, marker=marker, markersize=4)
        end = rows.iloc[-1]
        ax.annotate(
            label,
            (end[x], end["seconds"]),
            (5, 0),
            textcoords="offset points",
            color=colour,
            va="center",
        )
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_ylabel("CPU time (s)")


def draw() -> None:
    table = pd.read_csv(FIGURE.with_suffix(".csv"))
    with plt.rc_context({"font.size": 8, "svg.hashsalt": "cost"}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
        left.set(xlabel="outcomes L", title="60 values of n")
        draw_routes(left, table[(table["grid"] == 60) | (table["route"] == "cumsum")], "outcomes")
        right.set(xlabel="values of n", title="10⁶ outcomes")
        million = table[(table["outcomes"] == 10**6) & (table["route"] != "cumsum")]
        draw_routes(right, million, "grid")
        figure.savefig(FIGURE.with_suffix(".svg"), metadata={"Date": None})
        figure.savefig(FIGURE.with_suffix(".png"), dpi=200)


COMMANDS = {"measure": measure_all, "memory": print_memory, "draw": draw}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]]()
