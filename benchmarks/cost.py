"""How the cost grows: measure it, and draw docs/figures/cost.

python -m benchmarks.cost measure          # an hour, up to 8 GB; docs/figures/cost.csv, .json
python -m benchmarks.cost measure prompts  # some of the panels anew, on the same machine
python -m benchmarks.cost memory           # peak memory of 1e8 outcomes
python -m benchmarks.cost draw             # docs/figures/cost.svg and .png
python -m benchmarks.cost table            # prints the table of docs/performance.md
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from benchmarks.growth import PANELS, SEED
from benchmarks.routes import GRID, bonmeter_kl, log_normal
from replication.pipeline.plotting import (
    COLOURS,
    LINES,
    label_ends,
    letter_panels,
    new_figure,
    use_log_axes,
)

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "cost"
COLUMNS = ["panel", "size", "route", "timed", "seconds"]
PACKAGES = ("numpy", "scipy", "pandas", "python-flint", "mpmath", "snakemake")


def measure(*names: str) -> None:
    """The named panels, or all; the others keep their rows, if the machine is the same."""
    table = kept() if names else pd.DataFrame(columns=COLUMNS)
    for panel in names or PANELS:
        rows = pd.DataFrame(measured(panel), columns=COLUMNS)
        others = table[table["panel"] != panel]
        table = pd.concat([others, rows]) if len(others) else rows
        write(table)  # now, as later panels take long


def kept() -> pd.DataFrame:
    before = json.loads(FIGURE.with_suffix(".json").read_text(encoding="utf-8"))
    if before != describe_machine():
        raise SystemExit(f"measured on another machine, {before}: measure all panels")
    return pd.read_csv(FIGURE.with_suffix(".csv"))


def write(table: pd.DataFrame) -> None:
    table = table.sort_values("panel", key=lambda each: each.map(list(PANELS).index), kind="stable")
    table.to_csv(FIGURE.with_suffix(".csv"), index=False, float_format="%.3g")
    text = json.dumps(describe_machine(), indent=2) + "\n"
    FIGURE.with_suffix(".json").write_text(text, encoding="utf-8")


def measured(panel: str) -> list[tuple[Any, ...]]:
    rows = []
    for point in PANELS[panel]():
        print(panel, *point, flush=True)
        rows.append((panel, *point))
    return rows


def describe_machine() -> dict[str, Any]:
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "seed": SEED,
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def print_memory() -> None:
    bonmeter_kl(log_normal(10**8), GRID)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


OURS: dict[str, Any] = {"color": COLOURS["black"], "marker": "o"}
MORE: dict[str, Any] = {"color": COLOURS["blue"], "marker": "D", "linestyle": "-."}
TEXTBOOK: dict[str, Any] = {"color": COLOURS["red"], "marker": "s", "linestyle": "--"}
RESAMPLED: dict[str, Any] = {"color": COLOURS["yellow"], "marker": "v", "linestyle": "--"}


POOL_ROUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "bootstrap": ("bootstrap", RESAMPLED),
    "interval": ("kl_interval", MORE),
    "bonmeter": ("estimate_kl", OURS),
    "textbook": ("plug-in", TEXTBOOK),
}


class Panel(NamedTuple):
    """Labels of the axis, and each route's name and line."""

    xlabel: str
    title: str
    routes: dict[str, tuple[str, dict[str, Any]]]


DRAWN: dict[str, Panel] = {
    "outcomes": Panel(
        "outcomes $L$",
        "exact KL, 60 values of $n$",
        {
            "textbook": ("textbook", TEXTBOOK),
            "bonmeter": ("exact_kl", OURS),
            "cumsum": ("one cumsum", dict(LINES["reference"])),
        },
    ),
    "values of n": Panel(
        "values of $n$",
        "exact KL, $10^6$ outcomes",
        {"textbook": ("textbook", TEXTBOOK), "bonmeter": ("exact_kl", OURS)},
    ),
    "certified outcomes": Panel(
        "outcomes $L$",
        "certified KL, one $n$",
        {"textbook": ("50 digits", TEXTBOOK), "bonmeter": ("certify", OURS)},
    ),
    "certified values of n": Panel(
        "values of $n$",
        "certified KL, 1000 outcomes",
        {"textbook": ("50 digits", TEXTBOOK), "bonmeter": ("certify", OURS)},
    ),
    "candidates": Panel("candidates $N$", "KL from one pool, 7 values of $n$", POOL_ROUTES),
    "values of n of a pool": Panel("values of $n$", "KL from 20,000 candidates", POOL_ROUTES),
    "prompts": Panel(
        "prompts of 64 candidates",
        "a log of candidates",
        {
            "report": ("report", MORE),
            "bonmeter": ("table", OURS),
            "textbook": ("plug-in", TEXTBOOK),
        },
    ),
    "policies": Panel(
        "policies",
        "a run of the pipeline",
        {"bonmeter": ("full run", OURS), "nothing to do": ("nothing to do", MORE)},
    ),
}


def draw_panel(axes: Axes, table: pd.DataFrame, panel: Panel) -> None:
    use_log_axes(axes, "both", most=6, fine=False)
    axes.set(ylim=(2e-6, 1e4), xlim=(table["size"].min(), table["size"].max()))
    axes.set(xlabel=panel.xlabel, title=panel.title)
    sizes = sorted(set(table["size"]))
    if sizes[-1] <= 100 * sizes[0]:
        axes.set_xticks(sizes, map(str, sizes))
    for route, (name, line) in panel.routes.items():
        rows = table[table["route"] == route]
        axes.plot(rows["size"], rows["seconds"], **line, clip_on=False, label=name)
    label_ends(axes, gap=0.1)


def draw() -> None:
    table = pd.read_csv(FIGURE.with_suffix(".csv"))
    with new_figure([FIGURE.with_suffix(".svg"), FIGURE.with_suffix(".png")], "double", 7.2) as fig:
        grid = fig.subplots(4, 2)
        for axes, (name, panel) in zip(grid.flat, DRAWN.items(), strict=True):
            draw_panel(axes, table[table["panel"] == name], panel)
        for axes in grid[:, 0]:
            axes.set(ylabel="CPU time (s)")
        letter_panels(grid.flat)


def table() -> Iterator[str]:
    """Markdown: for each route the seconds at its smallest and largest size, and its growth."""
    rows = pd.read_csv(FIGURE.with_suffix(".csv"))
    yield "| panel | route | size | CPU time | size | CPU time | exponent |"
    yield "|---" * 7 + "|"
    for letter, (name, panel) in zip(ascii_lowercase, DRAWN.items(), strict=False):
        for route, (label, _) in panel.routes.items():
            points = rows[(rows["panel"] == name) & (rows["route"] == route)]
            yield f"| {letter} | {label} | {_row_of(points)} |"


def _row_of(points: pd.DataFrame) -> str:
    """First and last point, and the slope from the last but one to the last."""
    size, seconds = points["size"].to_numpy(), points["seconds"].to_numpy()
    slope = np.log(seconds[-1] / seconds[-2]) / np.log(size[-1] / size[-2])
    ends = (f"{size[i]:,} | {_seconds(seconds[i])}" for i in (0, -1))
    return " | ".join((*ends, f"{max(slope, 0):.1f}"))


def _seconds(value: float) -> str:
    return f"{value:,.0f} s" if value >= 10 else f"{value:.2g} s"


def print_table() -> None:
    print("\n".join(table()))


COMMANDS = {"measure": measure, "memory": print_memory, "draw": draw, "table": print_table}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
