"""Columns of a table that are computed from its other columns, declared as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Columns", "Derived", "derive"]


class Derived(NamedTuple):
    """How a column follows from others.

    Attributes:
        function: of whole columns, with a name of its own to look it up by.
        of: the columns it takes, in order.
    """

    function: Callable[..., NDArray[np.float64]]
    of: tuple[str, ...]


Columns = Mapping[str, Callable[..., Any] | Derived | str]
"""The columns of a table that are computed: the function that each is a value of, how it follows
from others, or the input table that it is copied from."""


def derive(
    columns: Mapping[str, Derived], table: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.float64]]:
    """Compute the columns declared from those of a table.

    Args:
        columns: name -> how it is computed.
        table: the columns to compute them from, all of one length.

    Returns:
        name -> column, in the order declared.

    Raises:
        KeyError: if a column needed is not in the table.

    Examples:
        >>> derive({"sum": Derived(np.add, ("a", "b"))}, {"a": np.array([1]), "b": np.array([2])})
        {'sum': array([3])}
    """
    return {
        name: column.function(*(table[each] for each in column.of))
        for name, column in columns.items()
    }
