"""What best-of-n is worth: the mean value of the selected candidate for every n, from one pool.

A value is anything known of each candidate: the reward that selects, a gold reward, whether a
verifier passes it. Its mean over the best of every n-subset of the pool, tied candidates being
selected alike, is the unbiased estimate of least variance among those that know only the draws
(`bonmeter.pools.subsets`). For a reward of 0 or 1 it is pass@n, 1 - C(N-c, n)/C(N, n) with c of
N passed. All n are served by one matrix product; weights that together are below 1e-25 are not
visited.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bonmeter.numerics.validation import FloatArray, reject_entries
from bonmeter.pools.arguments import as_numbers, as_orders, as_ranks
from bonmeter.pools.estimate import Interval
from bonmeter.pools.proportions import clopper_pearson, gain_range
from bonmeter.pools.subsets import Ranked, rank, subset_cdf

__all__ = [
    "Block",
    "best_of_n_value",
    "blocks",
    "estimate_pass_rate",
    "gain_interval",
    "pass_rate_interval",
    "spread_without_each",
    "value_interval",
]

NEGLIGIBLE = 1e-25
"""Candidates whose weights together stay below this are not visited."""
ENTRIES = 2**18
"""Numbers in one array of a block: few enough to stay near the processor."""


class Block(NamedTuple):
    """Some of the n asked for, and what they need of pools of N candidates."""

    at: NDArray[np.intp]
    """Where these n stand among all, flattened."""
    n: NDArray[np.int64]
    start: int
    """Candidates, lowest reward first, before this one hardly count."""


class Spread(NamedTuple):
    """How estimates scatter, by the estimates without each candidate; shape (n, pools)."""

    error: FloatArray
    """Standard error (jackknife)."""
    df: FloatArray
    """Degrees of freedom of the variance, twice its square over its own variance."""


def best_of_n_value(reward: ArrayLike, n: ArrayLike, value: ArrayLike | None = None) -> FloatArray:
    """Mean value of the candidate that best-of-n selects, unbiased, from one prompt's pool (ours).

    Args:
        reward: rewards of N independent candidates, by which best-of-n selects, shape (N,), or of
            several pools, (..., N).
        n: whole numbers from 1 to N, any shape.
        value: what the selected candidate is worth, same shape; the reward itself if None. Tied
            candidates are selected alike.

    Returns:
        Leading shape of `reward`, then the shape of `n`, in the unit of the value. Error below
        1e-14 of the largest absolute value.

    Raises:
        ValueError: if a reward or a value is not finite, shapes differ, or an n is anything else.

    Examples:
        >>> best_of_n_value([0.0, 1.0, 4.0], [1, 2, 3]).round(12).tolist()  # 5/3, 9/3, 4
        [1.666666666667, 3.0, 4.0]
        >>> float(best_of_n_value([0.0, 1.0, 1.0], 3, value=[9.0, 2.0, 4.0]))  # tied: their mean
        3.0
    """
    pools = _checked(reward, value)
    order = as_orders(n, pools.size, pools.lead)
    means = _class_means(pools.ranked, pools.value)
    return pools.shaped(_estimates(means, order), order)


def value_interval(
    reward: ArrayLike, n: ArrayLike, value: ArrayLike | None = None, *, level: float = 0.95
) -> Interval:
    """`best_of_n_value` with a confidence interval for the pool's prompt (ours).

    Student's t over the jackknife's standard error, with the degrees of freedom of that error
    (Satterthwaite): few where few candidates decide. At n = N, where no candidate can be left out,
    the error is that at N - 1. Values that are all 0 or 1 are proportions: pass@n has the exact
    interval of `pass_rate_interval`, others that of Clopper and Pearson for as many draws as would
    have this error, at most as many as carry weight. Elsewhere a pool of one value tells nothing of
    its spread: the ends are nan.

    Args:
        reward: as for `best_of_n_value`.
        n: as for `best_of_n_value`.
        value: as for `best_of_n_value`.
        level: coverage aimed at, strictly between 0 and 1.

    Returns:
        The estimate, the lower and the upper end, and the degrees of freedom, each of the shape of
        `best_of_n_value`.

    Raises:
        ValueError: as `best_of_n_value`, or if `level` is not strictly between 0 and 1.

    Examples:
        >>> interval = value_interval([1.0, 2.0, 3.0, 4.0], [1, 2])
        >>> interval.estimate.round(6).tolist(), interval.lower.round(2).tolist()
        ([2.5, 3.333333], [0.45, 1.08])
        >>> [round(float(end), 3) for end in value_interval([1.0, 1.0, 1.0], 2)[:3]]
        [1.0, 0.499, 1.0]
    """
    pools = _checked(reward, value)
    if value is None and _is_binary(pools.value):
        return pass_rate_interval(reward, n, level=level)
    order = as_orders(n, pools.size, pools.lead)
    means = _class_means(pools.ranked, pools.value)
    estimate = _estimates(means, order)
    spread = _spread(pools, means, order)
    if _is_binary(pools.value):
        found = _proportion(estimate, spread, _effective(pools.ranked, order), level)
    else:
        found = _student(estimate, spread, level)
    return Interval(*(pools.shaped(column, order) for column in found))


def gain_interval(
    reward: ArrayLike, n: ArrayLike, value: ArrayLike | None = None, *, level: float = 0.95
) -> Interval:
    """What best-of-n is worth beyond one draw, with a confidence interval (ours).

    As `value_interval`, of the difference to n = 1. A verifier's gain is q - q^n with q its rate of
    failure: the range over the interval of Clopper and Pearson.

    Args:
        reward: as for `best_of_n_value`.
        n: as for `best_of_n_value`.
        value: as for `best_of_n_value`.
        level: coverage aimed at, strictly between 0 and 1.

    Returns:
        The estimate, the lower and the upper end, and the degrees of freedom; 0 exactly at n = 1.

    Raises:
        ValueError: as `value_interval`.

    Examples:
        >>> gain_interval([1.0, 2.0, 3.0, 4.0], [1, 2]).estimate.round(6).tolist()
        [0.0, 0.833333]
    """
    pools = _checked(reward, value)
    order = as_orders(n, pools.size, pools.lead)
    means = _class_means(pools.ranked, pools.value)
    estimate = _estimates(means, order) - means.mean(axis=-1)
    if value is None and _is_binary(pools.value):
        fails = clopper_pearson((1 - pools.value).sum(axis=-1), pools.size, level=level)
        ends = gain_range(fails.lower, fails.upper, order.reshape(-1, 1))
        found = Interval(estimate, *ends, np.full(estimate.shape, pools.size - 1.0))
    else:
        found = _student(
            estimate, _spread(pools, means, order, base=1 / max(pools.size - 1, 1)), level
        )
    one = (order == 1).reshape(-1, 1)
    columns = (
        np.where(one, at_one, column)
        for at_one, column in zip((0, 0, 0, np.inf), found, strict=True)
    )
    return Interval(*(pools.shaped(column, order) for column in columns))


def estimate_pass_rate(passed: ArrayLike, n: ArrayLike) -> FloatArray:
    """Chance that one of n draws passes (pass@n), unbiased, from one prompt's pool.

    With c of N candidates passed it is 1 - C(N-c, n)/C(N, n): the mean reward of best-of-n for a
    reward of 0 or 1.

    Args:
        passed: 0 or 1, or booleans, for N independent candidates, shape (N,), or for several
            pools, (..., N).
        n: whole numbers from 1 to N, any shape.

    Returns:
        Leading shape of `passed`, then the shape of `n`.

    Raises:
        ValueError: if an entry of `passed` or an n is anything else.

    Examples:
        >>> estimate_pass_rate([True, False, False], [1, 2, 3]).round(12).tolist()
        [0.333333333333, 0.666666666667, 1.0]
    """
    counts, size, lead = _counts(passed)
    order = as_orders(n, size, lead)
    failed, index = np.unique(size - counts, return_inverse=True)
    rates = np.empty((failed.size, order.size))
    for block in blocks(size, order):
        rates[:, block.at] = 1 - subset_cdf(size, block.n)[:, failed].T
    return rates[index].reshape(lead + order.shape)[()]


def pass_rate_interval(passed: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Interval:
    """`estimate_pass_rate` with a confidence interval whose coverage is never below the level.

    The chance that one of n passes increases with the pass rate of a single draw, so the interval
    of Clopper and Pearson for that carries over. It has a length also where all, or none, passed.

    Args:
        passed: as for `estimate_pass_rate`.
        n: as for `estimate_pass_rate`.
        level: coverage, strictly between 0 and 1.

    Returns:
        The estimate, the lower and the upper end, and N - 1 degrees of freedom.

    Raises:
        ValueError: as `estimate_pass_rate`, or if `level` is not strictly between 0 and 1.

    Examples:
        >>> found = pass_rate_interval([0] * 10, [1, 2])
        >>> found.estimate.tolist(), found.upper.round(4).tolist()  # 1 - 0.025^(1/10) at n = 1
        ([0.0, 0.0], [0.3085, 0.5218])
    """
    estimate = estimate_pass_rate(passed, n)
    counts, size, lead = _counts(passed)
    order = as_orders(n, size, lead)
    ends = clopper_pearson(counts, size, level=level)
    lower, upper = (
        np.asarray(-np.expm1(np.multiply.outer(_log_fails(end), order))).reshape(np.shape(estimate))
        for end in ends
    )
    return Interval(estimate, lower[()], upper[()], np.full(np.shape(estimate), size - 1.0)[()])


def blocks(size: int, order: NDArray[np.int64]) -> Iterator[Block]:
    """The n in rising order, some at a time, with where their weights begin in pools of N = size.

    Examples:
        >>> [(b.n.tolist(), b.start) for b in blocks(1000, np.array([500, 1, 2]))]
        [([1, 2], 0), ([500], 921)]
    """
    flat = order.ravel()
    rising = np.argsort(flat, kind="stable")
    first = 0
    while first < flat.size:
        n = flat[rising[first:]]
        # at most so many that weights of the largest n begin not far above those of the smallest
        number = min(int(np.searchsorted(n, 1.25 * n[0] + 1, "right")), max(ENTRIES // size, 1))
        start = int(np.searchsorted(subset_cdf(size, n[:1])[0], NEGLIGIBLE))
        yield Block(rising[first : first + number], n[:number], max(start - 1, 0))
        first += number


def spread_without_each(left_out: FloatArray, copies: FloatArray) -> Spread:
    """Standard error and its degrees of freedom from the estimates without each candidate.

    Args:
        left_out: estimates without one candidate, along the last axis.
        copies: how many candidates each stands for, along the last axis.

    Examples:
        >>> found = spread_without_each(np.array([1.0, 2.0, 3.0]), np.ones(3))
        >>> float(found.error.round(12)), float(found.df)  # of a mean: times N - 1
        (1.154700538379, 2.0)
    """
    size = np.asarray(copies.sum(axis=-1))
    off = left_out - ((left_out * copies).sum(axis=-1) / size)[..., None]
    square = off * off
    second = (square * copies).sum(axis=-1)
    fourth = (square * square * copies).sum(axis=-1)
    # the variance of a mean square is (fourth moment - its square)/N
    kurtosis = size * fourth / np.maximum(second**2, np.finfo(np.float64).tiny)
    freedom = 2 * size / np.maximum(kurtosis - 1, 2 * size / np.maximum(size - 1, 1))
    return Spread(np.sqrt((size - 1) / size * second), freedom)


class _Pools(NamedTuple):
    """Checked arguments: pools of shape (pools, N) by rising reward, and their leading shape."""

    ranked: Ranked
    value: FloatArray
    lead: tuple[int, ...]

    @property
    def size(self) -> int:
        return int(self.value.shape[-1])

    def shaped(self, columns: FloatArray, n: NDArray[np.int64]) -> FloatArray:
        return columns.T.reshape(self.lead + n.shape)[()]


def _checked(reward: ArrayLike, value: ArrayLike | None) -> _Pools:
    ranks = as_ranks("reward", reward)
    values = _finite("reward", reward) if value is None else _finite("value", value)
    if values.shape != ranks.shape:
        raise ValueError(f"value has shape {values.shape}: expected that of reward, {ranks.shape}")
    flat = ranks.reshape(-1, ranks.shape[-1])
    ranked = rank(flat)
    rising = np.take_along_axis(values.reshape(flat.shape), ranked.order, -1)
    return _Pools(ranked, rising, ranks.shape[:-1])


def _finite(name: str, values: ArrayLike) -> FloatArray:
    array = as_numbers(name, values).values.astype(np.float64)
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: expected at least one candidate")
    reject_entries(name, array, ~np.isfinite(array), f"a finite {name}")
    return array


def _is_binary(values: FloatArray) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _counts(passed: ArrayLike) -> tuple[NDArray[np.int64], int, tuple[int, ...]]:
    values = _finite("passed", passed)
    reject_entries("passed", values, ~np.isin(values, (0.0, 1.0)), "0 or 1")
    return values.sum(axis=-1).astype(np.int64).ravel(), values.shape[-1], values.shape[:-1]


def _log_fails(rate: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):  # all pass: log 0
        return np.log1p(-np.asarray(rate))


def _class_means(ranked: Ranked, rising: FloatArray) -> FloatArray:
    """Mean value of each candidate's tie class, by rising reward."""
    start = np.flatnonzero(np.arange(rising.shape[-1]) == ranked.below)
    if start.size == rising.size:
        return rising
    sums = np.add.reduceat(rising.ravel(), start)
    ties = ranked.ties.ravel()
    return np.repeat(sums / ties[start], ties[start]).reshape(rising.shape)


def _weights(size: int, n: NDArray[np.int64], start: int) -> FloatArray:
    """Chance that each candidate from `start` on is the best of a random n-subset."""
    return n[:, None] / size * subset_cdf(size - 1, n - 1)[:, start:]


def _estimates(means: FloatArray, order: NDArray[np.int64]) -> FloatArray:
    """The values for every n, shape (n, pools)."""
    size = means.shape[-1]
    found = np.empty((order.size, len(means)))
    for block in blocks(size, order):
        weights = _weights(size, block.n, block.start)
        found[block.at] = np.einsum("ni,pi->np", weights, means[:, block.start :])
    return found


def _spread(
    pools: _Pools, means: FloatArray, order: NDArray[np.int64], base: float = 0.0
) -> Spread:
    """Standard errors and degrees of freedom for every n, shape (n, pools)."""
    size = pools.size
    found = Spread(*np.full((2, order.size, len(means)), np.inf))
    if size == 1:
        return found
    for block in blocks(size, np.minimum(order, size - 1)):
        block = block._replace(start=0) if base else block
        step = max(ENTRIES // (block.n.size * (size - block.start)), 1)
        for first in range(0, len(means), step):
            some = slice(first, first + step)
            one = spread_without_each(*_without_each(pools, means, block, some, base))
            for whole, part in zip(found, one, strict=True):
                whole[block.at, some] = part
    return found


def _without_each(
    pools: _Pools, means: FloatArray, block: Block, some: slice, base: float
) -> tuple[FloatArray, FloatArray]:
    """Estimates without each candidate, up to a constant, and the candidates each stands for.

    Without candidate j + 1 rather than j, candidate j is there instead of j + 1, at the same rank.
    Within a tie class the mean of those left moves besides. `base` is taken from every weight.
    """
    size = pools.size
    start = int(pools.ranked.below[some, block.start].min())  # no tie class is cut
    weight = _weights(size - 1, block.n, start) - base
    step = weight[:, None, :] * np.diff(means[None, some, start:], axis=-1)
    # the first column is that of all the candidates before, which hardly count
    left = np.zeros((*step.shape[:-1], step.shape[-1] + 2))
    np.cumsum(-step, axis=-1, out=left[..., 2:])
    pull = (means - pools.value)[some, start:]
    if pull.any():
        below, ties = (x[some, start:] for x in (pools.ranked.below, pools.ranked.ties))
        cdf = subset_cdf(size - 1, block.n)
        others = np.maximum(ties - 1, 1)
        left[..., 1:] += ((cdf[:, below + ties - 1] - cdf[:, below]) / others - base) * pull
    copies = np.ones(size - start + 1)
    copies[0] = start
    return left, copies


def _effective(ranked: Ranked, order: NDArray[np.int64]) -> FloatArray:
    """Number of candidates that carry the weight, 1/sum of squared weights, shape (n, pools)."""
    size = ranked.below.shape[-1]
    found = np.empty((order.size, len(ranked.below)))
    for block in blocks(size, order):
        cdf = subset_cdf(size, block.n)
        for pool, (below, ties) in enumerate(zip(ranked.below, ranked.ties, strict=True)):
            shared = (cdf[:, below + ties] - cdf[:, below]) / ties
            found[block.at, pool] = 1 / (shared**2).sum(axis=-1)
    return found


def _student(estimate: FloatArray, spread: Spread, level: float) -> Interval:
    from scipy.special import stdtrit

    if not 0 < level < 1:
        raise ValueError(f"level = {level!r}: expected a number strictly between 0 and 1")
    none = ~(spread.error > 0) | np.isinf(spread.error)
    half = stdtrit(spread.df, 0.5 + 0.5 * level) * np.where(none, np.nan, spread.error)
    return Interval(estimate, estimate - half, estimate + half, spread.df)


def _proportion(
    estimate: FloatArray, spread: Spread, effective: FloatArray, level: float
) -> Interval:
    from scipy.special import ndtri, stdtrit

    estimate = np.clip(estimate, 0.0, 1.0)
    wider = ndtri(0.5 + 0.5 * level) / stdtrit(spread.df, 0.5 + 0.5 * level)
    variance = np.maximum((spread.error / wider) ** 2, np.finfo(np.float64).tiny)
    draws = np.where(spread.error > 0, estimate * (1 - estimate) / variance, effective)
    draws = np.clip(draws, 1.0, effective)
    ends = clopper_pearson(estimate * draws, draws, level=level)
    return Interval(estimate, ends.lower, ends.upper, spread.df)
