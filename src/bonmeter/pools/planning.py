"""How many candidates an interval of given length needs, from a pool that was drawn already."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bonmeter.numerics.validation import FloatArray, as_real_array, reject_entries
from bonmeter.pools.proportions import clopper_pearson
from bonmeter.pools.reliability import CANDIDATES_PER_DRAW

__all__ = [
    "LARGEST_PLAN",
    "candidates_for_pass_rate",
    "draws_for_length",
    "first_reached",
    "first_reached_by_halves",
    "prompts_for_length",
]

LARGEST_PLAN = 10**9
"""No plan goes beyond so many candidates of a prompt."""


def draws_for_length(draws: ArrayLike, length: ArrayLike, wanted: ArrayLike) -> FloatArray:
    """Draws for an interval of the wanted length, which falls like one over their square root.

    Args:
        draws: candidates of a pool, or prompts of a run, whose interval has this length.
        length: of that interval, >= 0; nan where it is unknown.
        wanted: length aimed at, above 0; all of shapes that broadcast.

    Returns:
        Whole numbers as floats, at least 1; nan where the length is.

    Raises:
        ValueError: if a wanted length is not above 0.

    Examples:
        >>> float(draws_for_length(64, 0.2, 0.1))
        256.0
    """
    count, has, aim = (as_real_array("length", x) for x in (draws, length, wanted))
    reject_entries("wanted", aim, ~(aim > 0), "a length above 0")
    return np.asarray(np.maximum(np.ceil(count * (has / aim) ** 2 - 1e-9), 1.0))[()]


def prompts_for_length(prompts: int, length: float, wanted: float, *, level: float = 0.95) -> float:
    """Prompts for a mean whose interval has the wanted length, with Student's t for so few of them.

    Args:
        prompts: a number >= 2 whose mean has an interval of this length.
        length: of that interval, >= 0; nan where it is unknown.
        wanted: length aimed at, above 0.
        level: coverage, strictly between 0 and 1.

    Returns:
        A whole number >= 2 as float; nan where the length is, or for one prompt; inf beyond 10^9.

    Raises:
        ValueError: if a wanted length is not above 0.

    Examples:
        >>> prompts_for_length(10, 1.0, 0.5), float(draws_for_length(10, 1.0, 0.5))
        (33.0, 40.0)
    """
    from scipy.special import stdtrit

    if not wanted > 0:
        raise ValueError(f"wanted = {wanted!r}: expected a length above 0")
    if np.isnan(length) or prompts < 2:
        return math.nan

    def unit(number: int) -> float:
        return float(stdtrit(number - 1, 0.5 + 0.5 * level) / math.sqrt(number))

    enough = wanted / max(length, 1e-300) * unit(prompts)
    found = 2 + bisect_left(range(2, LARGEST_PLAN), True, key=lambda k: unit(k) <= enough)
    return float(found) if found < LARGEST_PLAN else math.inf


def candidates_for_pass_rate(rate: float, n: int, wanted: float, *, level: float = 0.95) -> float:
    """Candidates for which the interval of `pass_rate_interval` has the wanted length.

    Args:
        rate: pass rate of one draw, from 0 to 1.
        n: a whole number >= 1.
        wanted: length aimed at, above 0.
        level: coverage, strictly between 0 and 1.

    Returns:
        The least N >= 10 n (a pool that is not thin) whose interval, if the share `rate` passes, is
        at most so long; inf beyond 10^9.

    Raises:
        ValueError: if an argument is anything else.

    Examples:
        >>> candidates_for_pass_rate(0.5, 1, 0.1)
        402.0
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate = {rate!r}: expected a chance from 0 to 1")
    if not wanted > 0:
        raise ValueError(f"wanted = {wanted!r}: expected a length above 0")

    def short(size: int) -> bool:
        ends = clopper_pearson(rate * size, size, level=level)
        with np.errstate(divide="ignore"):
            lower, upper = (-np.expm1(n * np.log1p(-end)) for end in ends)
        return bool(upper - lower <= wanted)

    first = CANDIDATES_PER_DRAW * n
    # whether it is short enough changes once, on powers of two and between two of them
    power = bisect_left(range(64), True, key=lambda k: short(first << k))
    if first << power > LARGEST_PLAN:
        return math.inf
    least = first if power == 0 else first << (power - 1)
    return float(
        least + bisect_left(range((first << power) - least), True, key=lambda k: short(least + k))
    )


def first_reached_by_halves(
    curve: Callable[[NDArray[np.int64]], FloatArray], targets: ArrayLike, largest: int
) -> NDArray[np.int64]:
    """The smallest n at which curves that rise with n reach their targets, all of them at once.

    Args:
        curve: given an n for each target, the values there.
        targets: to be reached, shape (m,).
        largest: the largest n.

    Returns:
        Shape (m,); largest + 1 where a target is not reached.

    Examples:
        >>> first_reached_by_halves(lambda n: 1.0 * n**2, [1.0, 10.0, 1e9], 100).tolist()
        [1, 4, 101]
    """
    target = np.asarray(targets, dtype=np.float64)
    low, high = np.ones(target.shape, np.int64), np.full(target.shape, largest + 1, np.int64)
    while np.any(low < high):
        middle = np.minimum((low + high) // 2, largest)
        reached = curve(middle) >= target
        high = np.where(reached & (low < high), middle, high)
        low = np.where(~reached & (low < high), middle + 1, low)
    return low


def first_reached(values: ArrayLike, target: float) -> int | None:
    """Position of the first value that reaches the target; None if none does. nan never does.

    Examples:
        >>> first_reached([0.1, 0.4, 0.3], 0.35), first_reached([0.1], 0.35)
        (1, None)
    """
    reached = np.flatnonzero(np.asarray(values) >= target)
    return int(reached[0]) if reached.size else None
