"""From prompts to their mean: intervals over prompts, and the difference of two runs on them.

Prompts are independent draws of a population, so what is estimated prompt by prompt is averaged and
its spread over prompts is the error, whatever happens within a pool. Where all pools say the same
(all passed, no ties), the spread over prompts says nothing: no interval is shorter than those of
the single prompts imply, nor does it leave the bounds that are proved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bonmeter.numerics.validation import FloatArray, as_real_array, reject_entries
from bonmeter.pools.estimate import Interval
from bonmeter.pools.proportions import clopper_pearson

__all__ = ["ALIKE", "EqualKL", "difference_at_equal_kl", "over_prompts", "paired_difference"]

ALIKE = 1e-12
"""A spread over prompts below this share of the largest estimate is rounding."""


class EqualKL(NamedTuple):
    """What a second run is worth beyond a first at the same mean KL."""

    difference: Interval
    position: FloatArray
    """Column of the second run where its KL is that of the first, with a fraction; nan: nowhere."""


def over_prompts(
    estimates: Interval,
    *,
    weight: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] = (-np.inf, np.inf),
    proportion: bool = False,
    level: float = 0.95,
) -> Interval:
    """Mean over prompts of per-prompt estimates, with a confidence interval (ours).

    Student's t over the spread between prompts, corrected for its skewness (Hall's transformation),
    or what the prompts' own intervals come to, if that is more: their distances from the estimates
    in quadrature. Then cut to `bounds`, which the mean
    is proved to keep. Means of chances have the interval of Clopper and Pearson for the number of
    draws with this error (Korn and Graubard's), towards each end the error being that with one
    prompt more, which lies there: prompts of another kind may have been missed, and where all pass
    the interval is that of so many draws. A single prompt has its own interval.

    Args:
        estimates: estimate, ends and degrees of freedom for each prompt, shape (prompts, ...). A
            prompt whose estimate is nan is left out; of one whose ends are, no error is known.
        weight: positive weights of the prompts, shape (prompts,); alike if None.
        bounds: the least and the greatest the mean can be, of shapes that broadcast with (...).
        proportion: whether the estimates are chances, each from 0 to 1.
        level: coverage aimed at, strictly between 0 and 1.

    Returns:
        The mean, the lower and the upper end, and the degrees of freedom, each of shape (...). Ends
        are nan where nothing tells of the error; all is nan where no prompt has an estimate.

    Raises:
        ValueError: if a weight is not positive, shapes differ, or `level` is not strictly between 0
            and 1.

    Examples:
        >>> three = np.array([1.0, 2.0, 3.0])
        >>> own = Interval(three, three - 0.1, three + 0.1, three)
        >>> [round(float(end), 3) for end in over_prompts(own)]
        [2.0, -0.484, 4.484, 2.0]
        >>> [round(float(end), 3) for end in over_prompts(own, bounds=(0.0, 3.5))[1:3]]
        [0.0, 3.5]
        >>> passed = np.ones(20)
        >>> found = over_prompts(Interval(passed, passed, passed, passed), proportion=True)
        >>> round(float(found.lower), 2)  # 0.025^(1/20)
        0.83
    """
    bounds = (0.0, 1.0) if proportion else bounds
    return _mean(estimates, weight, bounds, level, proportion=proportion, missed=False)


def paired_difference(
    first: Interval,
    second: Interval,
    *,
    weight: ArrayLike | None = None,
    proportion: bool = False,
    level: float = 0.95,
) -> Interval:
    """Mean over prompts of the second run's estimate minus the first's, with an interval (ours).

    Both runs answer the same prompts, so their difference on each is what is averaged; it is as
    `over_prompts` from there. What the prompts' own intervals imply is Newcombe's combination of
    the two ends, as the two pools of a prompt are independent.

    Args:
        first: estimates of one run, shape (prompts, ...).
        second: those of the other, on the same prompts.
        weight: as for `over_prompts`.
        proportion: as for `over_prompts`.
        level: as for `over_prompts`.

    Returns:
        As `over_prompts`.

    Raises:
        ValueError: as `over_prompts`.

    Examples:
        >>> a, b = (Interval(*[np.array(x)] * 4) for x in ([1.0, 2.0, 3.0], [1.5, 2.0, 4.0]))
        >>> [round(float(end), 3) for end in paired_difference(a, b)[:3]]
        [0.5, -0.742, 1.742]
    """
    difference = np.asarray(second.estimate - first.estimate)
    down = np.hypot(second.estimate - second.lower, first.upper - first.estimate)
    up = np.hypot(second.upper - second.estimate, first.estimate - first.lower)
    freedom = np.fmin(first.df, second.df)
    own = Interval(difference, difference - down, difference + up, freedom)
    bounds = (-1.0, 1.0) if proportion else (-np.inf, np.inf)
    return _mean(own, weight, bounds, level, proportion=False, missed=proportion)


def difference_at_equal_kl(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    *,
    weight: ArrayLike | None = None,
    level: float = 0.95,
) -> EqualKL:
    """What a second run is worth beyond a first where its mean KL is the first's (ours).

    For each column (n) of the first run, the second's value where its mean KL equals the first's,
    the means over prompts being interpolated linearly between its columns, minus the first's value.
    The interval is Student's t over the prompts' contributions to first order (delta method): both
    the value and the KL at which it is read off vary from prompt to prompt.

    Args:
        first: KL and value of one run, each of shape (prompts, n), at least two prompts.
        second: those of the other on the same prompts; its mean KL increases from column to column.
        weight: as for `over_prompts`.
        level: as for `over_prompts`.

    Returns:
        The differences, one for each column of `first`, and where they were read off; nan where the
        second run does not reach that KL.

    Raises:
        ValueError: if an entry is not finite, shapes differ, or there is one prompt.

    Examples:
        >>> kl = np.array([[0.0, 0.2], [0.0, 0.4]])
        >>> a, b = np.array([[1.0, 2.0], [1.0, 3.0]]), np.array([[1.5, 2.5], [1.5, 3.5]])
        >>> found = difference_at_equal_kl((kl, a), (kl, b))
        >>> found.difference.estimate.round(12).tolist(), found.position.tolist()
        ([0.5, 0.5], [0.0, 1.0])
    """
    kl_a, value_a = (_finite(f"first[{k}]", x) for k, x in enumerate(first))
    kl_b, value_b = (_finite(f"second[{k}]", x) for k, x in enumerate(second))
    if kl_a.shape != value_a.shape or kl_b.shape != value_b.shape or len(kl_a) != len(kl_b):
        shapes = ", ".join(str(x.shape) for x in (kl_a, value_a, kl_b, value_b))
        raise ValueError(f"shapes {shapes}: expected (prompts, n) twice, the same prompts in both")
    if len(kl_a) < 2:
        raise ValueError("first has one prompt: expected at least 2")
    share = _shares(weight, np.ones(kl_a.shape[:1], dtype=np.bool_))
    target, grid, value = share @ kl_a, share @ kl_b, share @ value_b
    below = np.clip(np.searchsorted(grid, target, "right") - 1, 0, max(grid.size - 2, 0))
    above = np.minimum(below + 1, grid.size - 1)
    gap = np.maximum(grid[above] - grid[below], np.finfo(np.float64).tiny)
    part, slope = (target - grid[below]) / gap, (value[above] - value[below]) / gap
    contribution = (
        (1 - part) * (value_b[:, below] - slope * kl_b[:, below])
        + part * (value_b[:, above] - slope * kl_b[:, above])
        + slope * kl_a
        - value_a
    )
    outside = (target < grid[0] - ALIKE) | (target > grid[-1] * (1 + ALIKE) + ALIKE)
    contribution = np.where(outside, np.nan, contribution)
    own = Interval(contribution, *[np.full_like(contribution, np.nan)] * 3)
    return EqualKL(
        over_prompts(own, weight=weight, level=level), np.where(outside, np.nan, below + part)
    )


def _mean(
    estimates: Interval,
    weight: ArrayLike | None,
    bounds: tuple[ArrayLike, ArrayLike],
    level: float,
    *,
    proportion: bool,
    missed: bool,
) -> Interval:
    if not 0 < level < 1:
        raise ValueError(f"level = {level!r}: expected a number strictly between 0 and 1")
    value = as_real_array("estimates", estimates.estimate)
    if value.ndim == 0 or len(value) == 0:
        raise ValueError(f"estimates has shape {value.shape}: expected prompts, the first axis")
    there = ~np.isnan(value)
    share = _shares(weight, there)
    known = np.where(there, value, 0.0)
    largest = np.where(there, value, -np.inf).max(axis=0)
    # beside the largest, so that the mean of equal numbers is that number
    below = (share * np.where(there, value - largest, 0.0)).sum(axis=0)
    mean = np.where(there.any(axis=0), largest + below, np.nan)
    off = np.where(there, value - mean, 0.0)
    half, freedom = _student(share, off, level)
    alike = half <= ALIKE * np.abs(known).max(axis=0)
    one = (share**2).sum(axis=0)
    if proportion:
        between = _korn_graubard(mean, half, one, level)
    else:
        between = _hall(half, _quantile(freedom, level), _skewness(share, off) * np.sqrt(one))
    own = (_in_quadrature(share, np.where(there, end - value, 0.0)) for end in estimates[1:3])
    # what a prompt's own interval does not say counts only where the spread says nothing either
    silent = np.isnan(half) | (alike & ~np.bool_(proportion))
    down, up = (np.where(silent, y, np.fmax(x, y)) for x, y in zip(between, own, strict=True))
    if missed:
        rare = np.where(alike, -np.expm1(np.log(0.5 * (1 - level)) * one), 0.0)
        down, up = np.fmax(down, rare * (mean - bounds[0])), np.fmax(up, rare * (bounds[1] - mean))
    lower, upper = (np.clip(end, *bounds) for end in (mean - down, mean + up))
    single = np.where(there, estimates.df, 0.0).sum(axis=0)
    freedom = np.where(np.isnan(mean), np.nan, np.where(freedom > 0, freedom, single))
    return Interval(mean[()], lower[()], upper[()], freedom[()])


def _shares(weight: ArrayLike | None, there: NDArray[np.bool_]) -> FloatArray:
    """Weights of the prompts that are there, which sum to 1, of the shape of `there`."""
    prompts = len(there)
    weights = as_real_array("weight", np.ones(prompts) if weight is None else weight)
    if weights.shape != (prompts,):
        raise ValueError(
            f"weight has shape {weights.shape}: expected one for each prompt, {prompts}"
        )
    reject_entries("weight", weights, ~((weights > 0) & np.isfinite(weights)), "a number above 0")
    counted = there * weights.reshape(-1, *[1] * (there.ndim - 1))
    return np.asarray(counted / np.maximum(counted.sum(axis=0), np.finfo(np.float64).tiny))


def _student(share: FloatArray, off: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Half of Student's t interval, and its degrees of freedom; nan and 0 for a single prompt."""
    squares = (share**2).sum(axis=0)
    tiny = np.finfo(np.float64).tiny
    freedom = squares**2 / np.maximum((share**4).sum(axis=0), tiny) - 1
    # a prompt's squared distance from the mean is 1 - 2 share + sum of squares of the variance
    kept = (share**2 * (1 - 2 * share + squares)).sum(axis=0) / np.maximum(squares, tiny)
    several = kept > 1e-12
    variance = (share**2 * off**2).sum(axis=0) / np.where(several, kept, 1.0)
    freedom = np.where(several, freedom, 0.0)
    return np.where(several, _quantile(freedom, level) * np.sqrt(variance), np.nan), freedom


def _quantile(freedom: FloatArray, level: float) -> FloatArray:
    from scipy.special import stdtrit

    return np.asarray(stdtrit(np.maximum(freedom, 1e-3), 0.5 + 0.5 * level))


def _skewness(share: FloatArray, off: FloatArray) -> FloatArray:
    """Of the prompts; 0 where they are alike."""
    second, third = (share * off**2).sum(axis=0), (share * off**3).sum(axis=0)
    spread = second > (ALIKE * np.abs(off).max(axis=0)) ** 2
    return np.asarray(np.where(spread, third / np.where(spread, second, 1.0) ** 1.5, 0.0))


def _hall(
    half: FloatArray, quantile: FloatArray, skewness: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Distances to the ends of a Student interval, corrected for the skewness of the mean (Hall).

    Hall's cubic makes t of a skewed mean nearly normal: t + g t^2/3 + g^2 t^3/27 + g/6, with g the
    skewness over the square root of the number.
    """
    g = np.where(np.abs(skewness) < 1e-6, 1e-6, skewness)

    def inverse(t: FloatArray) -> FloatArray:
        return np.asarray(3 / g * (np.cbrt(1 + g * (t - g / 6)) - 1))

    ends = inverse(quantile), -inverse(-quantile)
    down, up = (half * np.maximum(end, 0.0) / quantile for end in ends)
    return down, up


def _korn_graubard(
    mean: FloatArray, half: FloatArray, one: FloatArray, level: float
) -> tuple[FloatArray, FloatArray]:
    """Distances to the ends of the interval for the number of draws that has this error.

    The error towards an end is that with one prompt more, of weight `one`, which lies there.
    """
    known = ~np.isnan(mean + half)
    chance = np.where(known, np.clip(mean, 0.0, 1.0), 0.5)
    error = np.where(known, half, 1.0)
    lower, upper = (_effective_end(x, error, one, level) for x in (chance, 1 - chance))
    return np.where(known, chance - lower, half), np.where(known, 1 - chance - upper, half)


def _effective_end(
    chance: FloatArray, half: FloatArray, one: FloatArray, level: float
) -> FloatArray:
    """The lower end, if a prompt more had the chance 0."""
    from scipy.special import ndtri

    variance = (half / ndtri(0.5 + 0.5 * level)) ** 2 + (chance * one) ** 2
    less = chance / (1 + one)
    tiny = np.finfo(np.float64).tiny
    draws = np.maximum(less * (1 - less) * (1 + one) ** 2 / np.maximum(variance, tiny), 1.0)
    return np.asarray(clopper_pearson(chance * draws, draws, level=level).lower)


def _in_quadrature(share: FloatArray, distance: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.sum((share * distance) ** 2, axis=0)))


def _finite(name: str, values: ArrayLike) -> FloatArray:
    array = as_real_array(name, values)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: expected (prompts, n)")
    reject_entries(name, array, ~np.isfinite(array), "a finite number")
    return array
