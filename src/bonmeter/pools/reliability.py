"""From where on a pool is thin for n: more than a tenth of its candidates in one best-of-n."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CANDIDATES_PER_DRAW", "ThinPoolWarning", "is_reliable"]

CANDIDATES_PER_DRAW = 10
"""Intervals are studied for pools with at least so many candidates for each of the n draws."""


class ThinPoolWarning(UserWarning):
    """An n exceeds a tenth of a pool: estimates rest on few candidates, intervals may be short."""


def is_reliable(candidates: ArrayLike, n: ArrayLike) -> NDArray[np.bool_]:
    """Whether a pool has at least ten candidates for each of the n draws (ours, a rule of thumb).

    Best-of-n is decided by the best N/n candidates or so; below ten of them an interval from one
    pool rests on too few.

    Args:
        candidates: numbers of candidates N, any shape.
        n: whole numbers, a shape that broadcasts with it.

    Examples:
        >>> is_reliable(64, [1, 6, 7]).tolist()
        [True, True, False]
    """
    return np.asarray(CANDIDATES_PER_DRAW * np.asarray(n) <= np.asarray(candidates))
