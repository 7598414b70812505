"""The figures on the tables of three small policies: what they show and what their captions say."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import AxLine, Line2D

from replication.pipeline import plotting
from replication.pipeline.io import save_csv, write_table
from replication.pipeline.plotting import COLOURS
from replication.policies.families import make_responses
from replication.studies.errors import gather
from workflow.scripts.comparison import compare
from workflow.scripts.estimates import estimate
from workflow.scripts.exact import compute_exact
from workflow.scripts.llm_curves import tabulate as tabulate_curves
from workflow.scripts.llm_growth import measure as measure_growth
from workflow.scripts.study import study
from workflow.scripts.tradeoffs import main as tabulate_tradeoffs

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "workflow/report"
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
NAMES = ("binary", "counterexample", "verifier")


class Drawing(NamedTuple):
    """A figure: its script, the arguments from the tables' folder, panels, policies, width."""

    script: str
    arguments: Callable[[Path], Sequence[Any]]
    panels: Sequence[str]
    policies: Sequence[str] = NAMES
    width: str = "double"


def tables(folder: Path, stage: str, names: Iterable[str] = NAMES) -> list[str]:
    return [str(folder / stage / f"{name}.parquet") for name in names]


def both(folder: Path) -> tuple[Sequence[str], list[str], list[str]]:
    return NAMES, tables(folder, "curves"), tables(folder, "estimates")


KL_PANELS = ("each, above",) * len(NAMES) + ("each, below",) * len(NAMES)
LABELS = {name: CONFIG["policies"][name]["label"] for name in NAMES}

ROWS = ("first", "second", "third", "fourth")
PROMPTS = ("sky", "health", "colours")
"""Of the language model: as many as policies; one has no verifier."""

DRAWINGS = {
    "figure_1_binary": Drawing(
        "figure_binary", lambda f: tables(f, "curves", ["binary"]), ["whole"], ["binary"], "single"
    ),
    "figure_2_uniform": Drawing("figure_kl", both, KL_PANELS),
    "figure_4_language_model": Drawing(
        "figure_language_model",
        lambda f: (*tables(f, "llm", ["curves"]), PROMPTS, PROMPTS),
        [f"each, {row} row" for row in ROWS for _ in PROMPTS],
        PROMPTS,
    ),
    "language_model_rewards": Drawing(
        "figure_language_model_rewards",
        lambda f: (*tables(f, "llm", ["curves"]), PROMPTS, PROMPTS),
        [f"each, {row} row" for row in ROWS for _ in PROMPTS],
        PROMPTS,
    ),
    "language_model_growth": Drawing(
        "figure_language_model_growth",
        lambda f: (*tables(f, "llm", ["growth"]), PROMPTS, PROMPTS),
        [f"each, {row}" for row in ("above", "below") for _ in PROMPTS],
        PROMPTS,
    ),
    "figure_5_tradeoff": Drawing(
        "figure_tradeoff",
        lambda f: (
            *tables(f, "tradeoffs", ["policies", "curves"]),
            *tables(f, "llm", ["curves"]),
            "counterexample",
            LABELS,
        ),
        "abc",
    ),
    "regime_map": Drawing("figure_bounds", lambda f: ("kl_gap", LABELS, tables(f, "exact")), "ab"),
    "win_rate_gap": Drawing(
        "figure_bounds", lambda f: ("win_rate_gap", LABELS, tables(f, "exact")), "ab"
    ),
    "estimator_errors": Drawing(
        "figure_estimator",
        lambda f: (LABELS, tables(f, "estimates")),
        "abc",
    ),
    "pool_estimators": Drawing(
        "figure_pool", lambda f: tables(f, "study", ["comparison"]), "abcdefgh"
    ),
    "all_bounds": Drawing(
        "figure_all_bounds",
        lambda f: tables(f, "exact", ["counterexample"]),
        "abcd",
        ["counterexample"],
    ),
    "ties": Drawing("figure_ties", lambda f: (NAMES, tables(f, "curves")), ["each"] * len(NAMES)),
    "divergences": Drawing(
        "figure_divergences",
        lambda f: (LABELS, tables(f, "curves")),
        "abcd",
    ),
    "rivals": Drawing("figure_rivals", lambda f: tables(f, "tradeoffs", ["curves"]), "ab"),
}
"""Figure 3 and the Markov language model's are Figure 2 of other policies."""

CAPTIONS = (*DRAWINGS, "figure_3_staircase", "markov_language_model")


def tabulate(folder: Path) -> Path:
    """The tables of the small policies, by the pipeline's own scripts."""
    for name in NAMES:
        policy, exact, estimates = (
            str(folder / stage / f"{name}.parquet") for stage in ("policies", "exact", "estimates")
        )
        entry = CONFIG["policies"][name]
        log_prob, reward = make_responses(entry["family"], entry["parameters"], seed=0)
        write_table({"log_prob": log_prob, "reward": reward}, policy)
        curves = str(folder / "curves" / f"{name}.parquet")
        compute_exact(policy, {exact: [1, 2, 3, 10, 100], curves: [1, 1.5, 2, 10, 31.62, 100]})
        estimate(name, policy, exact, selections=10, repeats=5, seed=0, output=estimates)
    tabulate_tradeoffs(
        NAMES,
        tables(folder, "policies"),
        tables(folder, "exact"),
        CONFIG["rivals"]["n"],
        CONFIG["rivals"]["softness"],
        *tables(folder, "tradeoffs", ["policies", "rivals", "curves", "thresholds"]),
    )
    policies = dict(zip(NAMES, tables(folder, "policies"), strict=True))
    [table] = tables(folder, "study", ["estimators"])
    write_table(gather([study(policies, [32, 64], [2, 4, 16], 10, 0)]), table)
    save_csv(f"{folder}/study/estimators.parquet", f"{folder}/study/estimators.csv")
    compare(f"{folder}/study/estimators.csv", *tables(folder, "study", ["comparison"]))
    tabulate_language_model(folder)
    return folder


def tabulate_language_model(folder: Path) -> None:
    """The tables of three prompts, from the first of the kept candidates."""
    kept, config = ROOT / "study/llm", str(ROOT / "config/llm.yaml")
    pools = pd.read_parquet(kept / "pools.parquet").query(f"prompt in {PROMPTS}")
    few = pools.groupby(["prompt", "temperature"]).head(2048)
    found = str(kept / "found.parquet")
    few.to_parquet(folder / "pools.parquet")
    curves, growth = tables(folder, "llm", ["curves", "growth"])
    tabulate_curves(config, f"{folder}/pools.parquet", found, [1, 2, 3, 10, 100, 1000], curves)
    measure_growth(config, f"{folder}/pools.parquet", found, growth)


def draw(name: str, inputs: Path, paths: Sequence[Path]) -> None:
    drawing = DRAWINGS[name]
    plot = import_module(f"workflow.scripts.{drawing.script}").plot
    plot(*drawing.arguments(inputs), paths)


ENDINGS = ("svg", "pdf", "png")


def files(name: str, folder: Path) -> list[Path]:
    """What a figure is written to."""
    return [folder / f"{name}.{ending}" for ending in ENDINGS]


def draw_all(inputs: str, outputs: str) -> None:
    for name in DRAWINGS:
        draw(name, Path(inputs), files(name, Path(outputs)))


def capture(name: str, inputs: Path) -> Figure:
    """A figure as drawn, not written."""
    kept: list[Figure] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plotting, "save_figure", lambda figure, _: kept.append(figure))
        draw(name, inputs, [])
    return kept[0]


class Said(NamedTuple):
    """A line of a caption's table: what a mark shows."""

    panel: str
    mark: str
    look: str
    table: str
    across: str
    up: str

    @property
    def columns(self) -> list[str]:
        """The columns drawn, upwards; the second is half of the length of bars."""
        return self.up.split(" ± ")


def said(name: str) -> list[Said]:
    """What the caption of a figure says is drawn."""
    text = (REPORT / f"{name}.rst").read_text(encoding="utf-8").partition(".. csv-table::")[2]
    rows = csv.reader(text.splitlines()[3:], skipinitialspace=True)
    return [Said(*row) for row in rows]


class Shown(NamedTuple):
    """A line or a set of markers: its panel, its name, its look, its points, its bars."""

    panel: int
    mark: str
    look: str
    x: np.ndarray
    y: np.ndarray
    bars: np.ndarray | None = None


def shown(figure: Figure) -> list[Shown]:
    """All lines and markers that have a name: the others are guides, straight by `guides`."""
    return [each for i, axes in enumerate(figure.axes) for each in _shown_on(axes, i)]


def _shown_on(axes: Axes, panel: int) -> Iterator[Shown]:
    bars = {
        container.lines[0]: (
            str(container.get_label()),
            np.array(container.lines[2][0].get_paths()),
        )
        for container in axes.containers
        if isinstance(container, ErrorbarContainer)
    }
    for line in _curves(axes):
        if line in bars:
            mark, paths = bars[line]
            ends = np.array([path.vertices for path in paths])
            yield Shown(panel, plain(mark), look(line), *_points(line), ends)
        elif not str(line.get_label()).startswith("_"):
            yield Shown(panel, plain(str(line.get_label())), look(line), *_points(line))


def _curves(axes: Axes) -> list[Line2D]:
    return [line for line in axes.lines if not isinstance(line, AxLine)]


def _points(line: Line2D) -> tuple[np.ndarray, np.ndarray]:
    x, y = line.get_data(orig=True)
    return np.asarray(x), np.asarray(y)


def guides(figure: Figure) -> list[Line2D]:
    """Lines without a name."""
    named = [each.x for each in shown(figure)]
    lines = [line for axes in figure.axes for line in _curves(axes)]
    return [line for line in lines if not any(line.get_data(orig=True)[0] is x for x in named)]


PLAIN = {
    r"\varepsilon_\infty": "ε∞",
    r"e^{-H_2}": "e^(−H₂)",
    r"\delta": "δ",
    r"\geq 10\,n": "≥ 10n",
    r"\log": "log",
    "H_2": "H₂",
    "d_n": "dₙ",
    "n-1": "n−1",
    "$": "",
}


def plain(text: str) -> str:
    """A label without TeX."""
    for tex, letters in PLAIN.items():
        text = text.replace(tex, letters)
    return text


MARKERS = {"o": "dots", ".": "dots", "D": "diamonds", "s": "squares", "X": "crosses"}


def look(line: Line2D) -> str:
    """As a reader would put it: markers, style of the line, colour."""
    marker = MARKERS.get(str(line.get_marker()), "")
    if marker == "dots" and same_color(line.get_markerfacecolor(), "white"):
        marker = "circles"
    colour = next(name for name, each in COLOURS.items() if same_color(each, line.get_color()))
    style = "" if line.get_linestyle() == "None" else _style(line)
    return " ".join(filter(None, (marker, style, colour)))


def _style(line: Line2D) -> str:
    dashes = vars(line)["_unscaled_dash_pattern"][1]
    if not dashes:
        return "solid"
    if len(dashes) > 2:
        return "dash-dotted"
    return "dashed" if dashes[0] > dashes[1] else "dotted"


SOURCE = re.compile(r"(\S+?)(?: where (.+?))?(?: by (\w+))?(, first)?")


def named(name: str, inputs: Path) -> list[Shown]:
    """What a figure must show: the rows of the tables that its caption names."""
    drawing = DRAWINGS[name]
    return [
        Shown(panel, row.mark, row.look, *_columns(row, part))
        for row in said(name)
        for panel, policies in _panels(drawing, row.panel)
        for part in _parts(row.table, inputs, policies)
    ]


def _panels(drawing: Drawing, panel: str) -> Iterator[tuple[int, Sequence[str]]]:
    places = [i for i, each in enumerate(drawing.panels) if each == panel]
    assert places, panel
    for k, place in enumerate(places):
        yield place, [drawing.policies[k]] if panel.startswith("each") else drawing.policies


def _parts(source: str, inputs: Path, policies: Sequence[str]) -> Iterator[pd.DataFrame]:
    named = [source.format(policy=policy) for policy in policies] if "{" in source else [source]
    matches = [SOURCE.fullmatch(each) for each in named]
    assert all(matches), source
    parts: list[pd.DataFrame] = []
    for path, where, by, _ in (match.groups() for match in matches if match):
        frame = pd.read_parquet(inputs / f"{path}.parquet")
        part = frame.query(where) if where else frame
        parts += [group for _, group in part.groupby(by)] if by else [part]
    kept = parts[:1] if source.endswith(", first") else parts
    yield from (part for part in kept if len(part))


def _columns(row: Said, part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    x, y = part[row.across].to_numpy(), part[row.columns[0]].to_numpy()
    if len(row.columns) == 1:
        return x, y, None
    half = part[row.columns[1]].to_numpy()
    return x, y, np.stack([np.stack([x, x], 1), np.stack([y - half, y + half], 1)], -1)


def differences(figure: Figure, expected: Sequence[Shown]) -> list[str]:
    """What a figure shows and should not, or should and does not: nothing, if it is right."""
    left = list(expected)
    problems = []
    for each in shown(figure):
        match = next((k for k, other in enumerate(left) if _same(each, other)), None)
        if match is None:
            problems.append(f"panel {each.panel}: {each.mark} ({each.look}) shows something else")
        else:
            left.pop(match)
    return problems + [f"panel {each.panel}: no {each.mark} ({each.look})" for each in left]


def _same(drawn: Shown, told: Shown) -> bool:
    if drawn[:3] != told[:3]:
        return False
    points = all(
        a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
        for a, b in ((drawn.x, told.x), (drawn.y, told.y))
    )
    return points and _same_bars(drawn.bars, told.bars)


def _same_bars(drawn: np.ndarray | None, told: np.ndarray | None) -> bool:
    """Bars are drawn of some points only, so as to be told apart."""
    if drawn is None or told is None:
        return drawn is told
    return len(drawn) > 1 and all(any(np.array_equal(a, b) for b in told) for a in drawn)
