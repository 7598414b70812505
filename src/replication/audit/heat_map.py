"""The cells of one claim as a small map: a row for each policy, a column for each n."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from replication.audit.findings import SIGN_METHOD

__all__ = ["LEVELS", "HeatMap", "Row", "heat_map", "level"]

LEVELS = {
    "fails": "fails",
    "undecided": "undecided",
    "equal": "equal, by proof",
    "sign": "a sum of terms of one sign",
    "tightest": "below 1e-6",
    "tighter": "1e-6 to 0.001",
    "tight": "0.001 to 0.03",
    "near": "0.03 to 0.3",
    "far": "0.3 and more",
}
"""What a colour says of a cell: its verdict or, where the claim holds, its relative margin."""

_LIMITS = (1e-6, 1e-3, 0.03, 0.3)
_WITHOUT_MARGIN = {"equality by proof": "equal", SIGN_METHOD: "sign"}
_HOLDS = tuple(LEVELS)[4:]


class Row(NamedTuple):
    """One policy.

    Attributes:
        policy: its name.
        margin: the smallest relative margin of its cells, those without one left out.
    """

    policy: str
    margin: float


class HeatMap(NamedTuple):
    """A drawing in units of one cell.

    Attributes:
        rows: the policies, from above.
        n: number of draws of each column.
        paths: level -> SVG path around the cells that have it.
    """

    rows: tuple[Row, ...]
    n: tuple[float, ...]
    paths: dict[str, str]


def level(verdict: str, method: str, margin: float) -> str:
    """The level of a cell, a key of `LEVELS`.

    Ours.

    Args:
        verdict: of a `replication.audit.cells.Cell`.
        method: of the same.
        margin: its `relative_margin`.

    Examples:
        >>> level("fails", "ball arithmetic", -0.5), level("holds", "ball arithmetic", 0.5)
        ('fails', 'far')
    """
    if verdict != "holds":
        return verdict
    if method in _WITHOUT_MARGIN:
        return _WITHOUT_MARGIN[method]
    return _HOLDS[bisect_right(_LIMITS, margin)]


def heat_map(cells: pd.DataFrame, n: Sequence[float], policies: Sequence[str]) -> HeatMap:
    """The map of the cells of one claim.

    Ours.

    Args:
        cells: rows of the table of cells, those of the claim.
        n: all columns, so that the maps of different claims can be compared.
        policies: the order of the rows; those without a cell are left out.

    Examples:
        >>> cells = pd.DataFrame({"policy": "binary", "n": [2.0, 3.0], "relative_margin": 0.5,
        ...     "verdict": "holds", "method": "ball arithmetic"})
        >>> heat_map(cells, [1.0, 2.0, 3.0], ["binary"]).paths
        {'far': 'M1 0h2v1h-2z'}
    """
    present = set(cells.policy)
    rows = [policy for policy in policies if policy in present]
    grid = np.full((len(rows), len(n)), "", dtype=object)
    y = pd.Index(rows).get_indexer(pd.Index(cells.policy))
    x = pd.Index(n).get_indexer(pd.Index(cells.n))
    columns = (cells[name].tolist() for name in ("verdict", "method", "relative_margin"))
    grid[y, x] = [*map(level, *columns)]
    paths = {name: "".join(_runs(grid == name)) for name in LEVELS}
    margins = cells[~cells.method.isin(_WITHOUT_MARGIN)].groupby("policy").relative_margin.min()
    return HeatMap(
        tuple(Row(policy, float(margins.get(policy, np.nan))) for policy in rows),
        tuple(n),
        {name: path for name, path in paths.items() if path},
    )


def _runs(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Iterator[str]:
    """A rectangle around each run of cells in a row: far less to write than cell by cell."""
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False]))))
        for begin, end in edges.reshape(-1, 2).tolist():
            yield f"M{begin} {y}h{end - begin}v1h-{end - begin}z"
