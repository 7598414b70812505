"""Averages over every n-subset of a pool of candidates, in time linear in the pool.

The best of a random n-subset of N candidates is the i-th lowest with chance C(i-1, n-1) / C(N, n);
tied candidates share the sum of their chances equally. The mean, over all subsets, of a function of
the best candidate alone is a U-statistic: among the estimates that know nothing but the draws, the
unbiased one of least variance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.numerics.validation import FloatArray

__all__ = ["IndexArray", "Ranked", "jackknife_error", "rank", "subset_cdf", "subset_mean"]

IndexArray = NDArray[np.intp]


class Ranked(NamedTuple):
    """Pools of N candidates by increasing reward; arrays of shape (pools, N)."""

    order: IndexArray
    """Positions of the candidates before sorting."""
    below: IndexArray
    """Number of candidates strictly below each."""
    ties: IndexArray
    """Size of each one's tie class, itself included."""


def rank(reward: FloatArray) -> Ranked:
    """Ranks of the candidates of pools of shape (pools, N).

    Examples:
        >>> ranked = rank(np.array([[1.0, 0.0, 1.0]]))
        >>> ranked.below.tolist(), ranked.ties.tolist()
        ([[0, 1, 1]], [[1, 2, 2]])
    """
    order = np.argsort(reward, axis=-1)
    rising = np.take_along_axis(reward, order, -1)
    new = np.ones(reward.shape, dtype=np.bool_)
    new[:, 1:] = rising[:, 1:] != rising[:, :-1]
    start = np.flatnonzero(new)
    ties = np.diff(start, append=reward.size)
    below = np.repeat(start % reward.shape[-1], ties)
    return Ranked(order, below.reshape(reward.shape), np.repeat(ties, ties).reshape(reward.shape))


def subset_cdf(size: int, n: NDArray[np.int64]) -> FloatArray:
    """C(j, n) / C(size, n), j = 0..size: the chance that an n-subset is among the first j.

    Args:
        size: number of candidates.
        n: whole numbers from 0 to `size`, any shape.

    Returns:
        Shape of `n` followed by (size + 1,), by the recurrence c_{j-1} = c_j (j-n)/j from 1.

    Examples:
        >>> subset_cdf(4, np.array(2)).round(15).tolist()  # 0, 0, 1, 3, 6 of 6
        [0.0, 0.0, 0.166666666666667, 0.5, 1.0]
    """
    j = np.arange(float(size), 0.0, -1.0)
    factors = np.maximum(j - n[..., None], 0.0) / j
    falling = np.cumprod(np.concatenate([np.ones((*n.shape, 1)), factors], axis=-1), axis=-1)
    return falling[..., ::-1]


def subset_mean(ranked: Ranked, value: FloatArray, n: int) -> FloatArray:
    """Mean over every n-subset of the value of its best candidate.

    Args:
        ranked: ranks of the candidates.
        value: value of each, by increasing reward, shape (pools, N).
        n: a whole number from 1 to N.

    Returns:
        Shape (pools,).

    Examples:
        >>> ranked = rank(np.array([[0.0, 1.0, 2.0]]))
        >>> subset_mean(ranked, np.array([[5.0, 3.0, 0.0]]), 2).tolist()
        [1.0]
    """
    below, ties = ranked.below, ranked.ties
    cdf = subset_cdf(below.shape[-1], np.asarray(n))
    return np.asarray(np.sum((cdf[below + ties] - cdf[below]) / ties * value, axis=-1))


def jackknife_error(ranked: Ranked, value: FloatArray, n: int) -> FloatArray:
    """Standard error of `subset_mean` by leaving out each candidate, n from 1 to N - 1.

    Examples:
        >>> value = np.array([[0.0, 1.0]])  # n = 1: the standard error of a mean
        >>> float(jackknife_error(rank(value), value, 1)[0])
        0.5
    """
    size = value.shape[-1]
    without = _without_each(ranked, value, n)
    spread = np.mean((without - without.mean(axis=-1, keepdims=True)) ** 2, axis=-1)
    return np.asarray(np.sqrt((size - 1) * spread))


def _without_each(ranked: Ranked, value: FloatArray, n: int) -> FloatArray:
    """`subset_mean` of all candidates but one, for each one; shape (pools, N)."""
    below, end = ranked.below, ranked.below + ranked.ties
    cdf = subset_cdf(value.shape[-1] - 1, np.asarray(n))
    # a candidate's weight when one above it, one below it, or one tied with it is left out
    one_above = (cdf[np.minimum(end, cdf.size - 1)] - cdf[below]) / ranked.ties
    one_below = (cdf[end - 1] - cdf[np.maximum(below - 1, 0)]) / ranked.ties
    one_tied = (cdf[end - 1] - cdf[below]) / np.maximum(ranked.ties - 1, 1)
    lower = _between(one_above * value, np.zeros_like(below), below)
    tied = _between(one_tied * value, below, end) - one_tied * value
    higher = _between(one_below * value, end, np.full_like(end, value.shape[-1]))
    return np.asarray(lower + tied + higher)


def _between(values: FloatArray, start: IndexArray, end: IndexArray) -> FloatArray:
    """Sums of values[start:end] along the last axis."""
    before = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=-1)], axis=-1)
    sums: FloatArray = np.take_along_axis(before, end, -1) - np.take_along_axis(before, start, -1)
    return sums
