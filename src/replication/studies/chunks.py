"""A study in chunks: its units of work are dealt to jobs, whose tables are put together.

Each table says in the column `cell` which rows belong where in the study, from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Table", "deal", "in_order", "stack"]

Table = dict[str, NDArray[Any]]
Unit = TypeVar("Unit")

NOTHING: Table = {"cell": np.empty(0, np.int64)}
"""What a chunk without a unit makes."""


def deal(units: Sequence[Unit], chunk: int, chunks: int) -> Sequence[Unit]:
    """The units of one chunk; large ones come first, so that every chunk has its share.

    Args:
        units: of the study.
        chunk: which, from 1.
        chunks: how many.

    Examples:
        >>> deal("ABCDE", 2, 3)
        'BE'
    """
    return units[chunk - 1 :: chunks]


def stack(tables: Sequence[Table]) -> Table:
    """One table of the rows of all, of which those without a row are left out.

    Examples:
        >>> stack([{"cell": np.array([0])}, NOTHING, {"cell": np.array([2])}])
        {'cell': array([0, 2])}
    """
    full = [table for table in tables if table["cell"].size]
    if not full:
        return NOTHING
    return {name: np.concatenate([table[name] for table in full]) for name in full[0]}


def in_order(tables: Sequence[Table]) -> Table:
    """The rows of all chunks in the order of their cells, for a study without repeats.

    Examples:
        >>> in_order([{"cell": np.array([2, 0]), "n": np.array([9, 5])}])
        {'n': array([5, 9])}
    """
    table = stack(tables)
    order = np.argsort(table["cell"], kind="stable")
    return {name: column[order] for name, column in table.items() if name != "cell"}
