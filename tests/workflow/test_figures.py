"""Each figure shows what its caption says: lines and markers against the columns of the tables."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replication.pipeline.io import read_table
from tests.figures import (
    CAPTIONS,
    DRAWINGS,
    Said,
    capture,
    differences,
    guides,
    named,
    plain,
    said,
    shown,
    tabulate,
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tabulate(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def figures(inputs: Path) -> Mapping[str, Figure]:
    return {name: capture(name, inputs) for name in DRAWINGS}


@pytest.mark.parametrize("name", DRAWINGS)
def test_lines_and_markers_are_the_columns_of_the_caption(
    name: str, inputs: Path, figures: Mapping[str, Figure]
) -> None:
    assert shown(figures[name])
    assert differences(figures[name], named(name, inputs)) == []


@pytest.mark.parametrize("name", DRAWINGS)
def test_what_has_no_name_is_a_straight_line(name: str, figures: Mapping[str, Figure]) -> None:
    assert [line for line in guides(figures[name]) if len(np.unique(line.get_xydata())) > 3] == []


@pytest.mark.parametrize("name", ["figure_3_staircase", "markov_language_model"])
def test_figures_of_one_script_have_captions_of_one_table(name: str) -> None:
    assert said(name) == said("figure_2_uniform")


def test_every_caption_names_its_columns() -> None:
    assert all(said(name) for name in CAPTIONS)


def drawn_pairs() -> list[tuple[str, str, str]]:
    """Columns of one table that a figure draws: each beside the next, as a slip would swap them."""
    pairs: dict[tuple[str, str, str], None] = {}
    for name in DRAWINGS:
        by_table: dict[str, list[str]] = {}
        for row in said(name):
            known = by_table.setdefault(row.table.split()[0], [])
            known += [each for each in (row.across, *row.columns) if each not in known]
        for columns in by_table.values():
            pairs |= {(name, *pair): None for pair in itertools.pairwise(columns)}
    return list(pairs)


@pytest.mark.parametrize(("name", "one", "other"), drawn_pairs())
def test_swapped_columns_are_caught(
    name: str, one: str, other: str, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every two columns, an axis among them, ours beside the rival's: one drawn for the other."""

    def swapped(path: str) -> dict[str, Any]:
        table = read_table(path)
        if one in table and other in table:
            table[one], table[other] = table[other], table[one]
        return table

    script = import_module(f"workflow.scripts.{DRAWINGS[name].script}")
    monkeypatch.setattr(script, "read_table", swapped)
    try:
        figure = capture(name, inputs)
    except (ValueError, IndexError):  # such a table cannot even be drawn
        return
    assert differences(figure, named(name, inputs)) != []


def test_a_swapped_look_a_missing_line_and_one_too_many_are_caught(
    inputs: Path, figures: Mapping[str, Figure]
) -> None:
    expected = named("figure_1_binary", inputs)
    figure = figures["figure_1_binary"]
    restyled = [each._replace(look=each.look.replace("black", "red")) for each in expected]
    assert len(differences(figure, restyled)) == 2
    assert differences(figure, expected[1:]) == [
        "panel 0: limit (dotted grey) shows something else"
    ]
    assert differences(figure, [*expected, expected[0]]) == ["panel 0: no limit (dotted grey)"]


WORDS = {
    "n": "number of draws",
    "n_delta": "^nδ$",
    "n_squared_delta": r"^n\^2δ$",
    "parameter": "blocks",
    "loss_rate": "one minus win rate",
    "win_rate": "^win rate",
    "draws": "expected draws",
    "kl_above_optimum": "excess KL over the optimum",
    "excess": "excess KL over the optimum",
    "continuous_excess": "excess KL over the optimum",
    "kl": "KL",
    "kl_gap": "formula minus exact KL|above exact|error",
    "rmse": "error",
    "estimator_bias": "above exact|error",
    "bias": "above exact",
    "pool_ratio": "^N/n$",
}
"""Columns: what the label of their axis says."""

PATTERNS = {
    r"(rmse)_.*": "^RMSE",
    r"(bias)_.*": "bias",
    r"(.*)_rank_corrected": "ours",
    r"(.*)_paper": "paper",
    r"(.*)_rank_only": "rank-only",
    r"(.*)_formula": "formula",
    r"(df)_.*": "^degrees of freedom$",
    r"(coverage)_.*": "^coverage",
    r".*_over_gap": "over exact gap",
    r".*_per_loss": "win-rate gap times n\\+1",
}


def words(column: str) -> list[str]:
    if column in WORDS:
        return [WORDS[column]]
    return [word for pattern, word in PATTERNS.items() if re.fullmatch(pattern, column)]


def labels(figure: Figure, axes: Axes) -> tuple[str, str]:
    """What is written along a panel, or along the row or figure it belongs to."""
    across = axes.get_xlabel() or figure.get_supxlabel()
    beside = [each for each in figure.axes if each.get_position().y0 == axes.get_position().y0]
    up = axes.get_ylabel() or figure.get_supylabel() or beside[0].get_ylabel()
    return plain(across), plain(up)


def mislabelled(name: str, figure: Figure, rows: list[Said]) -> list[str]:
    problems = []
    for row in rows:
        for place, panel in enumerate(DRAWINGS[name].panels):
            texts = labels(figure, figure.axes[place])
            for column, text in zip((row.across, row.columns[0]), texts, strict=True):
                wrong = [word for word in words(column) if not re.search(word, text)]
                if panel == row.panel and wrong and not column.startswith("df"):
                    problems.append(f"{panel}: {column} against {text!r}")
    return problems


@pytest.mark.parametrize("name", DRAWINGS)
def test_axes_are_labelled_by_what_they_show(name: str, figures: Mapping[str, Figure]) -> None:
    assert mislabelled(name, figures[name], said(name)) == []


@pytest.mark.parametrize("name", ["figure_5_tradeoff", "rivals", "regime_map", "pool_estimators"])
def test_swapped_labels_are_caught(name: str, inputs: Path) -> None:
    figure = capture(name, inputs)
    left = figure.axes[0]
    left.set(xlabel=left.get_ylabel(), ylabel=left.get_xlabel())
    assert mislabelled(name, figure, said(name)) != []
