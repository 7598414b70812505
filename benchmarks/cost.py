"""How the cost of a grid of exact KL values grows: measure it, and draw docs/figures/cost.

python -m benchmarks.cost measure    # some minutes, up to 8 GB; writes docs/figures/cost.csv
python -m benchmarks.cost memory     # peak memory of 1e8 outcomes
python -m benchmarks.cost draw       # docs/figures/cost.svg and .png
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from benchmarks.routes import GRID, bonmeter_kl, cpu_seconds, log_normal, textbook_kl
from bonmeter.numerics.validation import FloatArray
from replication.pipeline.plotting import (
    COLOURS,
    LINES,
    label_ends,
    letter_panels,
    new_figure,
    use_log_axes,
)

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


ROUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "textbook": ("textbook route", {"color": COLOURS["red"], "marker": "s", "linestyle": "--"}),
    "bonmeter": ("bonmeter", {"color": COLOURS["black"], "marker": "o"}),
    "cumsum": ("one cumsum", LINES["reference"]),
}
"""Name and line of each route."""


def draw_routes(axes: Axes, table: pd.DataFrame, x: str, shown: Iterable[str]) -> None:
    use_log_axes(axes, "both", fine=False)
    axes.set(ylim=(2e-6, 3e3), xlim=(table[x].min(), table[x].max()))
    for route in shown:
        name, line = ROUTES[route]
        rows = table[table["route"] == route]
        axes.plot(rows[x], rows["seconds"], **line, clip_on=False, label=name)
    label_ends(axes, gap=0.08)


def draw() -> None:
    table = pd.read_csv(FIGURE.with_suffix(".csv"))
    with new_figure([FIGURE.with_suffix(".svg"), FIGURE.with_suffix(".png")], "double", 2.3) as fig:
        left, right = fig.subplots(1, 2)
        grid = table[(table["grid"] == 60) | (table["route"] == "cumsum")]
        draw_routes(left, grid, "outcomes", ROUTES)
        draw_routes(right, table[table["outcomes"] == 10**6], "grid", ("textbook", "bonmeter"))
        left.set(xlabel="outcomes $L$", title="60 values of $n$", ylabel="CPU time (s)")
        right.set(xlabel="values of $n$", title="$10^6$ outcomes", ylabel="CPU time (s)")
        letter_panels((left, right))


COMMANDS = {"measure": measure_all, "memory": print_memory, "draw": draw}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]]()
