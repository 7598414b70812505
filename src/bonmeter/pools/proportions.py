"""Intervals for a proportion that have a length even where all, or none, of the draws pass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.numerics.validation import FloatArray, as_real_array, reject_entries, reject_shapes

__all__ = ["Proportion", "clopper_pearson", "gain_range"]


class Proportion(NamedTuple):
    """The ends of an interval for a proportion."""

    lower: FloatArray
    upper: FloatArray


def clopper_pearson(successes: ArrayLike, draws: ArrayLike, *, level: float = 0.95) -> Proportion:
    """Interval for a proportion whose coverage is never below the level (Clopper and Pearson).

    Draws may be an effective number (Korn and Graubard's interval for a weighted or clustered
    proportion), for which the ends are interpolated by the same beta quantiles.

    Args:
        successes: real numbers from 0 to `draws`, any shape.
        draws: positive real numbers, a shape that broadcasts with it.
        level: coverage, strictly between 0 and 1.

    Returns:
        Ends in [0, 1], never of length 0.

    Raises:
        ValueError: if an argument is anything else.

    Examples:
        >>> [round(float(end), 4) for end in clopper_pearson(64, 64)]  # 0.025^(1/64)
        [0.944, 1.0]
    """
    from scipy.special import betaincinv

    number, count = as_real_array("draws", draws), as_real_array("successes", successes)
    reject_shapes(successes=count, draws=number)
    reject_entries("draws", number, ~((number > 0) & np.isfinite(number)), "a number above 0")
    count, number = np.broadcast_arrays(count, number)
    bad = ~((count >= 0) & (count <= number))
    reject_entries("successes", count, bad, "from 0 to the number of draws")
    if not 0 < level < 1:
        raise ValueError(f"level = {level!r}: expected a number strictly between 0 and 1")
    tail, failures = 0.5 * (1 - level), number - count
    none, everything = count == 0, failures == 0
    lower = betaincinv(np.where(none, 1.0, count), failures + 1, tail)
    upper = betaincinv(count + 1, np.where(everything, 1.0, failures), 1 - tail)
    return Proportion(np.where(none, 0.0, lower)[()], np.where(everything, 1.0, upper)[()])


def gain_range(lower: ArrayLike, upper: ArrayLike, n: ArrayLike) -> Proportion:
    """Least and greatest q - q^n for q between two ends: it rises, then falls.

    That is what n draws pass more often than one where a draw fails with chance q.

    Args:
        lower: the lower ends, in [0, 1], any shape.
        upper: the upper ends.
        n: whole numbers >= 1, all of shapes that broadcast.

    Examples:
        >>> [float(end) for end in gain_range(0.25, 1.0, 2)]  # greatest at 1/2
        [0.0, 0.25]
    """
    low, high, order = (np.asarray(x, dtype=np.float64) for x in (lower, upper, n))
    top = np.exp(-np.log(order) / np.maximum(order - 1, 1))

    def gain(q: FloatArray) -> FloatArray:
        return np.asarray(q - q**order)

    return Proportion(np.minimum(gain(low), gain(high)), gain(np.clip(top, low, high)))
