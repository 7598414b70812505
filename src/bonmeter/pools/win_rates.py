"""The win rate of best-of-n against one draw, ties counting half, for every n from one pool.

Without ties it is n/(n+1) whatever the rewards, so what a pool says about it is how it ties: the
estimate is the share, among all candidates and all n-subsets of the others, of candidates that do
not beat the subset's best. Intervals keep within 1/2 and n/(n+1) (the paper's Theorem 5.3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.arguments import as_orders, as_ranks
from bonmeter.pools.estimate import Interval
from bonmeter.pools.proportions import clopper_pearson, gain_range
from bonmeter.pools.subsets import rank, subset_cdf
from bonmeter.pools.values import ENTRIES, NEGLIGIBLE, Block, blocks, spread_without_each

__all__ = ["estimate_win_rate", "missed_mass", "win_rate_interval"]

WIDEST = 4.0
"""Ends of an interval are at most so many times as far from the estimate as without the logit."""


def estimate_win_rate(reward: ArrayLike, n: ArrayLike) -> FloatArray:
    """Win rate of best-of-n against one draw, a tie counting one half, from one prompt's pool.

    The minimum-variance unbiased estimate without likelihoods: the mean, over every candidate and
    every n-subset of the others, of a win of the subset's best (ours; the win rate is the paper's,
    Section 5, docs/theory.md#theorem-53).

    Args:
        reward: rewards of N independent candidates, shape (N,), or of several pools, (..., N).
        n: whole numbers from 1 to N - 1, any shape.

    Returns:
        Leading shape of `reward`, then the shape of `n`; n/(n+1) where no rewards tie.

    Raises:
        ValueError: if a reward is not finite, or an n is anything else.

    Examples:
        >>> estimate_win_rate([0.3, 0.1, 0.2], [1, 2]).round(15).tolist()
        [0.5, 0.666666666666667]
        >>> float(estimate_win_rate([1.0, 0.0, 1.0], 2).round(15))  # 1/2, 1, 1/2
        0.666666666666667
    """
    classes, lead = _classes(reward)
    order = as_orders(n, classes.size - 1, lead)
    return _estimates(classes, order).T.reshape(lead + order.shape)[()]


def win_rate_interval(reward: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Interval:
    """`estimate_win_rate` with a confidence interval for the pool's prompt (ours).

    A pool of two rewards: the range of the win rate over the interval of Clopper and Pearson for
    the mass of the lower class, whose coverage is never below the level; a pool of one reward: over
    the other class it may have missed, below or above. Else Student's t over the jackknife's
    standard error, the lower end extended, in quadrature, by what one tie that a pool of this size
    misses could cost; both ends are kept within 1/2 and n/(n+1).

    Args:
        reward: as for `estimate_win_rate`.
        n: as for `estimate_win_rate`.
        level: coverage aimed at, strictly between 0 and 1.

    Returns:
        The estimate, the lower and the upper end, and the degrees of freedom.

    Raises:
        ValueError: as `estimate_win_rate`, or if `level` is not strictly between 0 and 1.

    Examples:
        >>> found = win_rate_interval([0.0] * 30 + [1.0] * 20, [1, 2, 4])
        >>> found.lower.round(3).tolist(), found.upper.round(3).tolist()
        ([0.5, 0.597, 0.705], [0.5, 0.625, 0.741])
        >>> [round(float(end), 4) for end in win_rate_interval(range(100), 2)[:3]]  # no ties
        [0.6667, 0.6666, 0.6667]
    """
    classes, lead = _classes(reward)
    order = as_orders(n, classes.size - 1, lead)
    estimate = _estimates(classes, order)
    flat = order.ravel()[:, None]
    number = (classes.ties > 0).sum(axis=-1)
    found = _several_classes(classes, estimate, flat, level)
    few = _few_classes(classes, flat, level)
    ends = (np.where(number > 2, one, two) for one, two in zip(found[1:3], few, strict=True))
    lower, upper = (np.clip(end, 0.5, flat / (flat + 1)) for end in ends)
    columns = estimate, np.minimum(lower, estimate), np.maximum(upper, estimate), found.df
    return Interval(*(column.T.reshape(lead + order.shape)[()] for column in columns))


class _Scatter(NamedTuple):
    """What the uncertainty of 1 - W is made of; shape (n, pools)."""

    error: FloatArray
    """Standard error, to first order in the masses of the classes."""
    bend: FloatArray
    """Second derivative along the steepest change of the masses, one standard error the unit."""
    rest: FloatArray
    """Standard deviation of what is not along that change."""
    df: FloatArray
    """Degrees of freedom of the error."""


class _Classes(NamedTuple):
    """Tie classes of pools by rising reward, the highest in the last column of each row."""

    size: int
    """Number of candidates N."""
    below: NDArray[np.intp]
    """Number of candidates below each class."""
    ties: NDArray[np.intp]
    """Number in each class, 0 in columns that a pool does not need."""


def _classes(reward: ArrayLike) -> tuple[_Classes, tuple[int, ...]]:
    rewards = as_ranks("reward", reward)
    ranked = rank(rewards.reshape(-1, rewards.shape[-1]))
    pool, column = np.nonzero(np.arange(rewards.shape[-1]) == ranked.below)
    number = np.bincount(pool)
    place = column * 0 + np.arange(pool.size) + (number.max() - np.cumsum(number))[pool]
    below, ties = np.zeros((2, number.size, int(number.max())), dtype=np.intp)
    below[pool, place], ties[pool, place] = column, ranked.ties[pool, column]
    return _Classes(rewards.shape[-1], below, ties), rewards.shape[:-1]


def _estimates(c: _Classes, order: NDArray[np.int64]) -> FloatArray:
    """Win rates, shape (n, pools); rounding does not take them out of 1/2 to n/(n+1)."""
    n = order.reshape(-1, 1)
    return np.clip(1 - _losses(c, order), 0.5, n / (n + 1))


def _losses(c: _Classes, order: NDArray[np.int64]) -> FloatArray:
    """Share of candidates that beat the best of n others, or tie with it (half); (n, pools)."""
    found = np.empty((order.size, len(c.ties)))
    untied = (c.ties < 2).all(axis=-1)
    found[:, untied] = (1 / (order.ravel() + 1))[:, None]
    tied = ~untied
    ranks = np.zeros((int(tied.sum()), c.size))
    rows = np.arange(len(ranks))[:, None]
    np.add.at(ranks, (rows, c.below[tied]), c.ties[tied])
    np.add.at(ranks, (rows, np.maximum(c.below + c.ties - 1, 0)[tied]), c.ties[tied])
    for block in blocks(c.size - 1, order) if tied.any() else ():
        cdf = subset_cdf(c.size - 1, block.n)[:, block.start :]
        losses = np.einsum("ni,pi->np", cdf, ranks[:, block.start :])
        found[np.ix_(block.at, tied)] = losses / (2 * c.size)
    return found


def _several_classes(
    c: _Classes, estimate: FloatArray, n: NDArray[np.int64], level: float
) -> Interval:
    from scipy.special import stdtrit

    found = _scatter(c, n.ravel())
    up, down = _deviations(found, stdtrit(found.df, 0.5 + 0.5 * level))
    gap = n / (n + 1) - estimate
    above = np.hypot(_moved(gap, up, n), _missed_tie(c.size, n, level))
    return Interval(estimate, estimate - above, estimate - _moved(gap, -down, n), found.df)


def _deviations(found: _Scatter, quantile: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far 1 - W can lie above and below its estimate, both >= 0.

    To second order it is off by error t + bend (t^2 - 1)/2 for masses that are t standard errors
    off along the steepest change: the range of that for |t| up to the quantile, which has a length
    also where the slope is 0. What is not along that change is added in quadrature. A heuristic,
    which simulation bears out (docs/values.md).
    """
    error, bend, rest, _ = found
    flat = np.abs(bend) * quantile > error  # the vertex is within reach
    vertex = np.where(flat, -error / np.where(flat, bend, 1.0), quantile)
    steps = np.stack([-quantile, vertex, quantile])
    moves = error * steps + 0.5 * bend * (steps**2 - 1)
    up, down = np.maximum(moves.max(axis=0), 0.0), np.maximum(-moves.min(axis=0), 0.0)
    return np.hypot(up, quantile * rest), np.hypot(down, quantile * rest)


def _moved(gap: FloatArray, side: FloatArray, n: NDArray[np.int64]) -> FloatArray:
    """A move of the gap to n/(n+1), made on the logit, which keeps it from 0 to that of W = 1/2."""
    from scipy.special import expit, logit

    scale = np.maximum(n / (n + 1) - 0.5, np.finfo(np.float64).tiny)
    share = np.clip(gap / scale, 1e-9, 1 - 1e-9)
    moved = scale * expit(logit(share) + side / (scale * share * (1 - share))) - gap
    return np.asarray(np.clip(moved, -WIDEST * np.abs(side), WIDEST * np.abs(side)))


def missed_mass(size: int, level: float) -> float:
    """Mass of an outcome that N draws show twice or more with a chance of `level`.

    Examples:
        >>> round(missed_mass(100, 0.95), 4)  # 4.7/N or so
        0.0466
    """
    from scipy.special import bdtri

    return float(bdtri(1, size, 1 - level)) if size > 1 else 1.0


def _missed_tie(size: int, n: NDArray[np.int64], level: float) -> FloatArray:
    """What one outcome drawn at most once could cost: n/(n+1) - W is at most this (ours)."""
    mass = missed_mass(size, level)
    with np.errstate(divide="ignore", invalid="ignore"):  # a pool of one: log 0, at n = 1 times 0
        below = np.where(n > 1, (n - 1) * np.log1p(-mass), 0.0)
    return np.asarray(mass**2 / 12 * -n * np.expm1(below))


def _few_classes(c: _Classes, n: NDArray[np.int64], level: float) -> tuple[FloatArray, FloatArray]:
    """Range of the win rate over the likely masses of the lower of two classes."""
    lowest = np.argmax(c.ties > 0, axis=-1)
    count = c.ties[np.arange(len(c.ties)), lowest]
    ends = clopper_pearson(count, c.size, level=level)
    one = count == c.size
    # of a pool with one class, the other may be the lower
    other = np.where(one, 1 - ends.lower, 0.0)
    low, high = gain_range(ends.lower, ends.upper, n)
    below, above = gain_range(np.zeros_like(other), other, n)
    low, high = (
        np.where(one, np.minimum(low, below), low),
        np.where(one, np.maximum(high, above), high),
    )
    return 0.5 + 0.5 * low, 0.5 + 0.5 * high


def _scatter(c: _Classes, order: NDArray[np.int64]) -> _Scatter:
    """What the uncertainty of 1 - W is made of, shape (n, pools); none where nothing ties."""
    shape = order.size, len(c.ties)
    error, bend, rest = np.zeros((3, *shape))
    found = _Scatter(error, bend, rest, np.full(shape, c.size - 1.0))
    tied = np.flatnonzero((c.ties > 1).any(axis=-1) & ((c.ties > 0).sum(axis=-1) > 2))
    for block in blocks(c.size, order) if tied.size else ():
        step = max(ENTRIES // (block.n.size * c.ties.shape[-1]), 1)
        for first in range(0, tied.size, step):
            some = tied[first : first + step]
            part = _second_order(_Classes(c.size, c.below[some], c.ties[some]), block)
            for whole, one in zip(found, part, strict=True):
                whole[np.ix_(block.at, some)] = one
    return found


def _second_order(c: _Classes, block: Block) -> _Scatter:
    """From the slopes and the curvature of 1 - W, half the sum of p (F^n + F_-^n), in the ends F.

    The ends scatter like a Brownian bridge and the curvature couples neighbours only, so every sum
    takes a time linear in the number of classes.
    """
    # the classes of which F^(n-2) leaves something in any of the pools, and the one below them
    start = c.size * NEGLIGIBLE ** (1 / max(int(block.n[0]) - 2, 1))
    column = max(int(np.argmax((c.below + c.ties > start).any(axis=0))) - 1, 0)
    below, ties = c.below[:, column:], c.ties[:, column:].astype(np.float64)
    ends = np.pad(below, ((0, 0), (0, 1)), constant_values=c.size) / c.size
    n = block.n[:, None, None]
    base = np.maximum(ends, 1e-300) ** (n - 2.0)
    low, cdf, high = ends[:, :-2], ends[:, 1:-1], ends[:, 2:]
    power, density = base * ends**2, n * base[..., 1:-1] * cdf
    slope = 0.5 * (power[..., :-2] - power[..., 2:] + (high - low) * density)
    own = 0.5 * (high - low) * n * (n - 1) * base[..., 1:-1]
    next_to = 0.5 * -np.diff(density, axis=-1)

    def with_neighbours(values: FloatArray) -> FloatArray:
        sums: FloatArray = own * values
        sums[..., :-1] += next_to * values[..., 1:]
        sums[..., 1:] += next_to * values[..., :-1]
        return sums

    shift = (
        (1 - cdf) * _up_to(cdf * slope)
        + cdf * (_total(slope * (1 - cdf)) - _up_to(slope * (1 - cdf)))
    ) / c.size
    # at n = 1 all slopes are 0 but for rounding, and there is no steepest direction
    variance = np.where(block.n[:, None] > 1, (slope * shift).sum(axis=-1), 0.0)
    variance = np.maximum(variance, 0.0)
    steepest = shift / np.sqrt(np.where(variance > 0, variance, np.inf))[..., None]
    bend = (steepest * with_neighbours(steepest)).sum(axis=-1)
    left, right = with_neighbours(cdf), with_neighbours(1 - cdf)
    # the diagonal of curvature times covariance: left (1 - F), but the next end lies above
    diagonal = left * (1 - cdf)
    diagonal[..., :-1] -= next_to * np.diff(cdf, axis=-1)
    crossed = right * (1 - cdf) * (_up_to(left * cdf) - left * cdf)
    squares = (diagonal**2 + 2 * crossed).sum(axis=-1) / c.size**2
    rest = np.sqrt(np.maximum(0.5 * (squares - bend**2), 0.0))
    influence = np.zeros((*slope.shape[:-1], ties.shape[-1]))
    influence[..., :-1] = (_total(slope) - _up_to(slope) + slope) / (c.size - 1)
    ties[:, 0] += below[:, 0]
    df = spread_without_each(influence, ties).df
    return _Scatter(np.sqrt(variance), bend, rest, df)


def _up_to(values: FloatArray) -> FloatArray:
    return np.cumsum(values, axis=-1)


def _total(values: FloatArray) -> FloatArray:
    return np.asarray(values.sum(axis=-1, keepdims=True))
