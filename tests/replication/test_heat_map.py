"""The map of a claim shows its cells: each where it belongs, at the level of its margin."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from replication.audit.findings import FLOAT_METHOD, SIGN_METHOD
from replication.audit.heat_map import LEVELS, HeatMap, heat_map, level
from replication.audit.overview import draw_overview, worst_margins

BALL = "ball arithmetic"


def decode(found: HeatMap) -> dict[tuple[str, float], str]:
    """The level of each cell that is drawn."""
    drawn = {}
    for name, path in found.paths.items():
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", path):
            for column in range(int(x), int(x) + int(width)):
                key = (found.rows[int(y)].policy, found.n[column])
                assert key not in drawn
                drawn[key] = name
    return drawn


@pytest.fixture
def cells() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    keys = [(p, n) for p in ("b", "a", "c") for n in (1.0, 2.0, 2.5, 1e12)]
    keys = [keys[i] for i in rng.permutation(len(keys))[:9]]
    margin = np.array([-0.1, 0.0, 1e-6, 1e-7, 5e-4, 0.01, 0.1, 0.3, 1.0])
    return pd.DataFrame(keys, columns=["policy", "n"]).assign(
        claim="x",
        relative_margin=margin,
        verdict=np.where(margin < 0, "fails", "holds"),
        method=[BALL, "equality by proof", BALL, *[FLOAT_METHOD] * 5, SIGN_METHOD],
    )


def test_map_holds_exactly_the_cells_of_the_table(cells: pd.DataFrame) -> None:
    found = heat_map(cells, [1.0, 2.0, 2.5, 3.0, 1e12], ["a", "b", "c", "none"])
    expected = {
        (row["policy"], row["n"]): level(row["verdict"], row["method"], row["relative_margin"])
        for row in cells.to_dict("records")
    }
    assert decode(found) == expected
    assert len(set(expected.values())) >= 7
    assert [row.policy for row in found.rows] == ["a", "b", "c"]


def test_rows_end_in_their_worst_margin(cells: pd.DataFrame) -> None:
    found = heat_map(cells, [1.0, 2.0, 2.5, 1e12], ["a", "b", "c"])
    with_margin = cells[cells.method.isin((BALL, FLOAT_METHOD))]
    assert {row.policy: row.margin for row in found.rows} == (
        with_margin.groupby("policy").relative_margin.min().to_dict()
    )


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        (0.0, "tightest"),
        (9e-7, "tightest"),
        (1e-6, "tighter"),
        (1e-3, "tight"),
        (0.03, "near"),
        (0.3, "far"),
        (2.0, "far"),
    ],
)
def test_limits_of_the_levels(margin: float, expected: str) -> None:
    assert level("holds", BALL, margin) == expected


def test_levels_that_are_no_distance() -> None:
    assert level("fails", FLOAT_METHOD, -1.0) == "fails"
    assert level("undecided", BALL, 0.0) == "undecided"
    assert level("holds", SIGN_METHOD, 1.0) == "sign"
    assert level("holds", "equality by proof", 0.0) == "equal"
    assert set(LEVELS) >= {"fails", "undecided", "sign", "equal"}


def test_overview_has_the_worst_margins(cells: pd.DataFrame) -> None:
    other = cells.assign(claim="y", relative_margin=0.5, method=BALL)
    margins = worst_margins(pd.concat([cells, other]), ["y", "unchecked", "x"])
    assert margins.index.tolist() == ["y", "x"]
    assert (margins.loc["y"] == 0.5).all()
    assert margins.loc["x"].min() == -0.1


def test_overview_is_one_drawing_without_outside_references(cells: pd.DataFrame) -> None:
    svg = draw_overview(worst_margins(cells, ["x"]))
    assert svg.startswith("<svg")
    assert svg == draw_overview(worst_margins(cells, ["x"]))
    assert [
        link for link in re.findall(r'href="([^"#]+)', svg) if not link.startswith("data:")
    ] == []
