"""Best-of-n from a pool: the KL and the win rate of every n from N scored candidates of one prompt.

The candidates are independent draws of the reference policy, so every n-subset of them is a sample
of size n, and one pool serves all n. Three estimates of the KL: the paper's, averaged over all
subsets; ours, which also uses the ranks and the probabilities of all candidates; and one that needs
no likelihoods. Where a pool may hold the same response twice, equal pairs (log_prob, reward) are
taken to be one response; name the responses by `response` if different ones can share both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.exact.estimator import kl_estimator
from bonmeter.numerics.validation import (
    FloatArray,
    as_integer_n,
    as_number,
    as_real_array,
    reject_entries,
)
from bonmeter.pools.arguments import as_names, as_orders, as_ranks
from bonmeter.pools.identity import (
    Distinct,
    LogProbs,
    as_log_probs,
    distinct_responses,
    reject_doubtful,
)
from bonmeter.pools.intervals import Each, IntArray, estimates_of, interval_of
from bonmeter.pools.layout import Segments, segments_of, segments_of_ranks
from bonmeter.pools.subsets import jackknife_error, rank, subset_cdf, subset_mean

__all__ = [
    "METHODS",
    "Interval",
    "best_of_n_weights",
    "estimate_kl",
    "kl_interval",
    "kl_intervals",
    "mean_interval",
]

METHODS = ("rank-corrected", "paper", "rank-only")
"""Methods of `estimate_kl`, the default first."""

LARGEST_POOL = 10_000_000

WITHIN = 1e-9
"""A mean outside of its bounds by no more than this is rounding."""


class Interval(NamedTuple):
    """An estimate and its confidence interval."""

    estimate: FloatArray
    lower: FloatArray
    upper: FloatArray
    df: FloatArray
    """Degrees of freedom of Student's t; inf where every response is seen."""


def best_of_n_weights(pool_size: int, n: ArrayLike) -> FloatArray:
    """Chance that the i-th lowest of N candidates is the best of a random n-subset.

    It is C(i-1, n-1) / C(N, n), by the recurrence w_{i-1} = w_i (i-n)/(i-1) from w_N = n/N.

    Args:
        pool_size: number of candidates N, a whole number from 1 to 10^7.
        n: whole numbers from 1 to N, any shape.

    Returns:
        Shape of `n` followed by (N,), lowest reward first; each row sums to 1. Relative error below
        N roundings; weights below 1e-308 may be 0.

    Raises:
        ValueError: if `pool_size` or an n is anything else.

    Examples:
        >>> best_of_n_weights(3, [1, 2, 3]).round(15)  # of 1/3, 1/3 and 1
        array([[0.33333333, 0.33333333, 0.33333333],
               [0.        , 0.33333333, 0.66666667],
               [0.        , 0.        , 1.        ]])
    """
    size = _pool_size(pool_size)
    order = as_integer_n(n, size)
    weights: FloatArray = order[..., None] / size * subset_cdf(size - 1, order - 1)
    return weights


def estimate_kl(
    log_prob: ArrayLike | None,
    reward: ArrayLike,
    n: ArrayLike,
    method: str = "rank-corrected",
    *,
    response: object = None,
    precision: float | None = None,
) -> FloatArray:
    """KL divergence of best-of-n from the policy, in nats, from one prompt's pool.

    "rank-corrected" (ours) lays out [0, 1] from the probabilities and the ranks of the candidates
    (`bonmeter.pools.layout`); it is consistent as N grows, and exact once every response is
    seen. "paper" is the mean of the paper's estimator (Eq. 25) over the best of every n-subset:
    unbiased for its expectation, which exceeds the KL (the paper's Conjecture 4.4, a theorem here).
    "rank-only" uses no likelihoods: tied rewards are outcomes of their frequency, others are taken
    as a continuum, where the KL is the analytical formula. See
    docs/theory.md#rank-corrected-identity.

    Args:
        log_prob: natural log-probabilities of N independent candidates, at most 0, shape (N,), or
            of several pools, (..., N). Of a whole response, not averaged over its tokens, under the
            distribution that was sampled. It may be None for "rank-only".
        reward: their rewards, same shape; those a few units in the last place apart are ties.
        n: whole numbers from 1 to N, any shape.
        method: one of `METHODS`.
        response: what names each candidate's response, same shape: its text, its token ids, or
            anything hashable. Without it, candidates of equal reward whose log-probabilities agree
            to the precision are one response, unless far too many are drawn for its probability;
            "rank-corrected" then takes them as several, tied.
        precision: the largest error of a log-probability, in nats, or None for that of its type and
            of the repeats of one response (`bonmeter.pools.identity`).

    Returns:
        Leading shape of `reward` followed by the shape of `n`, from 0 to the analytical formula.

    Raises:
        ValueError: if an argument is anything else, if the probabilities of the distinct responses
            of a pool sum to more than 1, if one response has two rewards or two log-probabilities,
            or if named responses repeat as they cannot with these log-probabilities (p < 1e-6).

    Examples:
        >>> log_prob, reward = np.log([0.5, 0.5, 0.5]), [0.0, 1.0, 1.0]
        >>> estimate_kl(log_prob, reward, [1, 2]).round(15).tolist()  # all seen: exact
        [0.0, 0.130812035941137]
        >>> estimate_kl(log_prob, reward, 2, method="paper").round(15).tolist()  # d_2(1/2)
        0.179098831081123
        >>> estimate_kl(None, [0.0, 1.0, 2.0], 2, method="rank-only").tolist()  # log 2 - 1/2
        0.1931471805599453
    """
    pools = _checked(log_prob, reward, (method,), response, precision)
    order = as_orders(n, pools.size, pools.lead)
    return _shaped(_CURVES[method](pools).estimates(order.ravel()), pools.lead, order)


def kl_interval(
    log_prob: ArrayLike | None,
    reward: ArrayLike,
    n: ArrayLike,
    method: str = "rank-corrected",
    *,
    level: float = 0.95,
    response: object = None,
    precision: float | None = None,
    each: Each = map,
) -> Interval:
    """`estimate_kl` with a confidence interval for the KL of the pool's prompt (ours).

    What it can cover: docs/theory.md#coverage-from-one-pool.

    "rank-corrected" and "rank-only": the range of the estimate's error as the unseen masses are off
    in the way that moves the KL most (`bonmeter.pools.uncertainty.deviations`), with Student's t
    for Satterthwaite's degrees of freedom, on the logit of KL over the analytical formula, which
    keeps it between 0 and the formula. Of length 0 where every response is seen and exact. A pool
    that shows one class may have missed another: there the ends are 0 and the largest KL with all
    the unseen mass in it, or as much of it as is missed with a chance of 1 - level (rule of three).
    "paper": the jackknife over the candidates; it covers the mean of the estimator, not the KL
    below it.

    Args:
        log_prob: as for `estimate_kl`.
        reward: as for `estimate_kl`.
        n: whole numbers, any shape, from 1 to N, or to N - 1 for "paper".
        method: one of `METHODS`.
        level: coverage aimed at, strictly between 0 and 1.
        response: as for `estimate_kl`.
        precision: as for `estimate_kl`. No interval is shorter than it implies.
        each: how parts of the work are done: the `map` of a `ProcessPoolExecutor` does several at
            once. Neither the parts nor the result depend on it.

    Returns:
        The estimate, the lower and the upper end, and the degrees of freedom, each of the shape of
        `estimate_kl`. With few degrees of freedom the uncertainty is that of a few responses, seen
        or not, and no interval covers as often as its level says (docs/estimators.md).

    Raises:
        ValueError: as `estimate_kl`, or if `level` is not strictly between 0 and 1.

    Examples:
        >>> interval = kl_interval(np.log([0.2, 0.3, 0.3]), [0.0, 1.0, 1.0], 2)
        >>> [round(float(end), 3) for end in interval]  # half of the mass is unseen
        [0.177, 0.127, 0.19, 4.386]
    """
    (found,) = kl_intervals(
        log_prob,
        reward,
        n,
        (method,),
        level=level,
        response=response,
        precision=precision,
        each=each,
    ).values()
    return found


def kl_intervals(
    log_prob: ArrayLike | None,
    reward: ArrayLike,
    n: ArrayLike,
    methods: Sequence[str] = METHODS,
    *,
    level: float = 0.95,
    response: object = None,
    precision: float | None = None,
    each: Each = map,
) -> dict[str, Interval]:
    """`kl_interval` by several methods, for which the pools are checked once.

    Args:
        log_prob: as for `kl_interval`, as are the others.
        reward: as there.
        n: as there.
        methods: some of `METHODS`.
        level: as there.
        response: as there.
        precision: as there.
        each: as there.

    Returns:
        The interval of each method.

    Raises:
        ValueError: as `kl_interval`.

    Examples:
        >>> found = kl_intervals(np.log([0.2, 0.3, 0.3]), [0.0, 1.0, 1.0], 2)
        >>> {method: round(float(one.estimate), 3) for method, one in found.items()}
        {'rank-corrected': 0.177, 'paper': 0.19, 'rank-only': 0.193}
    """
    methods = tuple(methods)
    quantile = min(0.5 + 0.5 * _level(level), float(np.nextafter(1.0, 0.0)))  # that of 1 is inf
    pools = _checked(log_prob, reward, methods, response, precision)

    def interval(method: str) -> Interval:
        # the jackknife leaves one candidate out
        order = as_orders(n, pools.size - (method == "paper"), pools.lead)
        found = _CURVES[method](pools).interval(order.ravel(), quantile, each)
        return Interval(*(_shaped(column, pools.lead, order) for column in found))

    return {method: interval(method) for method in methods}


def mean_interval(
    estimates: ArrayLike,
    *,
    level: float = 0.95,
    within: tuple[ArrayLike, ArrayLike] = (-np.inf, np.inf),
) -> Interval:
    """Mean over prompts of per-prompt estimates, with Student's t interval.

    Args:
        estimates: independent estimates along the first axis, shape (prompts, ...), at least 2.
        level: coverage aimed at, strictly between 0 and 1.
        within: proven bounds of the mean, which no end passes; each broadcasts to the remaining
            shape. For a KL they are 0 and `analytical_kl(n)`, for a win rate 1/2 and n/(n+1).

    Returns:
        The mean, the lower and the upper end, and the degrees of freedom, each of the remaining
        shape.

    Raises:
        ValueError: if there are fewer than 2 estimates, one is not finite, `level` is not strictly
            between 0 and 1, or a mean lies outside of `within`.

    Examples:
        >>> [round(float(end), 3) for end in mean_interval([1.0, 2.0, 3.0])]
        [2.0, -0.484, 4.484, 2.0]
        >>> [round(float(end), 3) for end in mean_interval([1.0, 2.0, 3.0], within=(0.0, 4.0))]
        [2.0, 0.0, 4.0, 2.0]
    """
    from scipy.special import stdtrit

    values = as_real_array("estimates", estimates)
    if values.ndim == 0 or values.shape[0] < 2:
        raise ValueError(
            f"estimates has shape {values.shape}: expected at least 2 along the first axis"
        )
    reject_entries("estimates", values, ~np.isfinite(values), "a finite number")
    prompts = values.shape[0]
    mean = values.mean(axis=0)
    low, high = _ends(within)
    outside = (mean < low - WITHIN) | (mean > high + WITHIN)
    reject_entries("mean of estimates", np.asarray(mean), outside, f"from {low} to {high}")
    error = values.std(axis=0, ddof=1) / np.sqrt(prompts)
    df = np.full(mean.shape, prompts - 1.0)[()]
    half = stdtrit(df, 0.5 + 0.5 * _level(level)) * error
    return Interval(mean, np.maximum(mean - half, low), np.minimum(mean + half, high), df)


class _Pools(NamedTuple):
    """Checked arguments: pools of shape (pools, N), and the leading shape they came in."""

    reward: FloatArray
    log_probs: LogProbs | None
    distinct: Distinct | None
    named: bool
    lead: tuple[int, ...]

    @property
    def size(self) -> int:
        return int(self.reward.shape[-1])


class _Curve(NamedTuple):
    """One method on given pools, as functions of several n; arrays of shape (n, pools)."""

    estimates: Callable[[IntArray], FloatArray]
    interval: Callable[[IntArray, float, Each], Interval]


def _paper(pools: _Pools) -> _Curve:
    assert pools.log_probs is not None
    ranked = rank(pools.reward)
    value, error = (np.take_along_axis(x, ranked.order, -1) for x in pools.log_probs[:2])
    sides = [value] + [np.minimum(value + side * error, 0.0) for side in (1, -1) if error.any()]
    distinct = [np.unique(side, return_inverse=True) for side in sides]

    def values(side: int, n: int) -> FloatArray:
        """Of the estimator, at the log-probabilities or at one end of their precision."""
        each, index = distinct[side]
        return kl_estimator(each, n)[index].reshape(value.shape)

    def estimates(n: IntArray) -> FloatArray:
        means = [subset_mean(ranked, values(0, k), k) for k in n.tolist()]
        return np.array(means).reshape(n.size, len(value))

    def interval(n: IntArray, quantile: float, _each: Each) -> Interval:
        from scipy.special import stdtrit

        rows = []
        for k in n.tolist():
            found = values(0, k)
            half = stdtrit(pools.size - 1, quantile) * jackknife_error(ranked, found, k)
            middle = subset_mean(ranked, found, k)
            least, most = (
                subset_mean(ranked, values(i, k), k) if i < len(distinct) else middle
                for i in (1, 2)
            )
            rows.append((middle, least - half, most + half))
        estimate, lower, upper = np.array(rows).reshape(n.size, 3, len(value)).swapaxes(0, 1)
        return Interval(estimate, lower, upper, np.full(lower.shape, pools.size - 1.0))

    return _Curve(estimates, interval)


def _rank_only(pools: _Pools) -> _Curve:
    return _from_segments(segments_of_ranks(pools.reward))


def _rank_corrected(pools: _Pools) -> _Curve:
    assert pools.distinct is not None
    return _from_segments(segments_of(pools.distinct, identified=pools.named))


def _from_segments(segments: Segments) -> _Curve:
    def interval(n: IntArray, quantile: float, each: Each) -> Interval:
        return Interval(*interval_of(segments, n, quantile, each))

    return _Curve(lambda n: estimates_of(segments, n), interval)


_CURVES = dict(zip(METHODS, (_rank_corrected, _paper, _rank_only), strict=True))


def _shaped(values: FloatArray, lead: tuple[int, ...], n: IntArray) -> FloatArray:
    """Values of shape (n, pools) in the shape of the pools followed by that of n."""
    return values.reshape(n.size, math.prod(lead)).T.reshape(lead + n.shape)[()]


def _pool_size(pool_size: int) -> int:
    size = as_number("pool_size", pool_size)
    if not (1 <= size <= LARGEST_POOL and size.is_integer()):
        raise ValueError(
            f"pool_size = {pool_size!r}: expected a whole number from 1 to {LARGEST_POOL}"
        )
    return int(size)


def _ends(within: tuple[ArrayLike, ArrayLike]) -> tuple[FloatArray, FloatArray]:
    try:
        low, high = within
    except (TypeError, ValueError):
        raise ValueError(f"within = {within!r}: expected two bounds") from None
    return as_real_array("within", low), as_real_array("within", high)


def _level(level: float) -> float:
    if not 0 < as_number("level", level) < 1:
        raise ValueError(f"level = {level!r}: expected a number strictly between 0 and 1")
    return level


def _rewards(reward: ArrayLike) -> tuple[FloatArray, tuple[int, ...]]:
    """Ranks of the rewards, shape (pools, N), and the leading shape they came in."""
    ranks = as_ranks("reward", reward)
    return ranks.reshape(-1, ranks.shape[-1]), ranks.shape[:-1]


def _checked(
    log_prob: ArrayLike | None,
    reward: ArrayLike,
    methods: Sequence[str],
    response: object,
    precision: float | None,
) -> _Pools:
    for method in methods:
        if not isinstance(method, str) or method not in METHODS:
            raise ValueError(f"method = {method!r:.60}: expected one of {', '.join(METHODS)}")
    ranks, lead = _rewards(reward)
    shape = (*lead, ranks.shape[-1])
    names = None if response is None else as_names("response", response, shape)
    if log_prob is None:
        if set(methods) != {"rank-only"}:
            raise ValueError('log_prob is None: expected an array, as method is not "rank-only"')
        return _Pools(ranks, None, None, names is not None, lead)
    log_probs = as_log_probs(log_prob, precision)
    if log_probs.value.shape != shape:
        raise ValueError(
            f"log_prob has shape {log_probs.value.shape}: expected that of reward, {shape}"
        )
    log_probs = log_probs._replace(
        value=log_probs.value.reshape(ranks.shape), error=log_probs.error.reshape(ranks.shape)
    )
    names = None if names is None else names.reshape(ranks.shape)
    distinct = distinct_responses(log_probs, ranks, names)
    if names is not None:
        reject_doubtful(distinct)
    return _Pools(ranks, log_probs, distinct, names is not None, lead)
