"""The comparison of estimators of the KL from one pool of scored candidates: bias, RMSE, coverage.

Independent pools are drawn from a known policy, every method sees the same pools, and its estimates
and 95% intervals are compared with the exact KL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bonmeter.exact.values import analytical_kl, exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools.estimate import METHODS, Interval, kl_interval
from replication.studies.simulate import draw_responses, stream

__all__ = [
    "FORMULA",
    "LEVEL",
    "TOLERANCE",
    "Errors",
    "compare_methods",
    "errors_of",
]

FORMULA = "formula"
"""Name of the analytical formula among the methods: it uses no pool."""

LEVEL = 0.95
"""Nominal coverage of the intervals."""

TOLERANCE = 1e-9
"""An interval that misses the KL by less, in nats, covers it: many are exact up to rounding."""

CANDIDATES = 1 << 20
"""Candidates drawn at a time, which bounds the memory."""


class Errors(NamedTuple):
    """Errors of a method over repeats, in nats; arrays with one entry per n."""

    mean: FloatArray
    bias: FloatArray
    bias_standard_error: FloatArray
    rmse: FloatArray
    rmse_standard_error: FloatArray
    coverage: FloatArray
    coverage_standard_error: FloatArray
    exact: FloatArray
    interval_half_width: FloatArray
    df: FloatArray


def errors_of(interval: Interval, kl: FloatArray) -> Errors:
    """Errors of repeated estimates and intervals against the exact KL (ours).

    The estimators: docs/theory.md#rank-corrected-identity.

    Args:
        interval: estimates and ends, each of shape (repeats, n), in nats.
        kl: exact KL for each n.

    Returns:
        For each n: the mean estimate; its bias; the root mean square error; the share of intervals
        that contain the KL, up to `TOLERANCE`; the share of estimates that are the KL, as far; half
        the mean length; the median degrees of freedom; and standard errors.

    Examples:
        >>> estimate = np.array([[0.0], [2.0]])
        >>> interval = Interval(estimate, estimate - 1, estimate + 0.5, 0 * estimate + 9)
        >>> errors = errors_of(interval, np.array([1.0]))
        >>> [float(errors.bias[0]), float(errors.rmse[0]), float(errors.coverage[0])]
        [0.0, 1.0, 0.5]
    """
    repeats = len(interval.estimate)
    error = interval.estimate - kl
    square = np.mean(error**2, axis=0)
    rmse = np.sqrt(square)
    covered = (interval.lower <= kl + TOLERANCE) & (kl - TOLERANCE <= interval.upper)
    coverage = covered.mean(axis=0)
    spread = np.std(error**2, axis=0) / np.sqrt(repeats)
    return Errors(
        mean=interval.estimate.mean(axis=0),
        bias=error.mean(axis=0),
        bias_standard_error=error.std(axis=0) / np.sqrt(repeats),
        rmse=rmse,
        rmse_standard_error=np.divide(spread, 2 * rmse, out=np.zeros_like(rmse), where=rmse > 0),
        coverage=coverage,
        coverage_standard_error=np.sqrt(coverage * (1 - coverage) / repeats),
        exact=np.mean(np.abs(error) <= TOLERANCE, axis=0),
        interval_half_width=0.5 * np.mean(interval.upper - interval.lower, axis=0),
        df=np.median(interval.df, axis=0),
    )


def _pools(
    log_prob: FloatArray, pool_size: int, repeats: int, rng: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Independent pools of one policy, in batches of bounded size.

    Args:
        log_prob: natural log-probability of each response of the policy.
        pool_size: number of candidates N of a pool.
        repeats: number of pools in all.
        rng: source of randomness.

    Yields:
        The responses of the candidates of a batch of pools, shape (pools, N).
    """
    batch = max(1, CANDIDATES // pool_size)
    for start in range(0, repeats, batch):
        yield draw_responses(log_prob, (min(batch, repeats - start), pool_size), rng)


def compare_methods(
    name: str,
    log_prob: FloatArray,
    reward: FloatArray,
    *,
    pool_size: int,
    n: Sequence[int],
    repeats: int,
    seed: int,
) -> dict[str, NDArray[np.generic]]:
    """Errors of every method on the same pools of one policy (ours).

    Args:
        name: name of the policy.
        log_prob: natural log-probability of each of its responses.
        reward: reward of each.
        pool_size: number of candidates N of a pool.
        n: whole numbers; those from 2 to N/2 are studied.
        repeats: number of independent pools.
        seed: seed of the study; every (`name`, N) has its own stream.

    Returns:
        A table with a row for each method and n: `policy, pool_size, n, method, kl`, the fields of
        `Errors`, and `repeats`.

    Examples:
        >>> table = compare_methods("coin", np.log([0.5, 0.5]), np.array([0.0, 1.0]),
        ...     pool_size=32, n=[2], repeats=10, seed=0)
        >>> dict(zip(table["method"].tolist(), (table["bias"].round(3) + 0.0).tolist()))
        {'rank-corrected': 0.0, 'paper': 0.048, 'rank-only': 0.002, 'formula': 0.062}
    """
    orders = np.array([k for k in n if 2 <= k <= pool_size // 2], dtype=np.int64)
    kl = exact_kl(Policy(log_prob, reward), orders)
    log_prob = log_prob - logsumexp(log_prob)
    pools = _pools(log_prob, pool_size, repeats, stream(seed, "pool", name, pool_size))
    batches = [_intervals(log_prob[pool], reward[pool], pool, orders) for pool in pools]
    tables = []
    for method in batches[0]:
        parts = zip(*(batch[method] for batch in batches), strict=True)
        errors = errors_of(Interval(*(np.concatenate(part) for part in parts)), kl)
        tables.append(
            {
                "policy": np.full(orders.size, name),
                "pool_size": np.full(orders.size, pool_size),
                "n": orders,
                "method": np.full(orders.size, method),
                "kl": kl,
                **errors._asdict(),
                "repeats": np.full(orders.size, repeats),
            }
        )
    return {column: np.concatenate([table[column] for table in tables]) for column in tables[0]}


def _intervals(
    log_prob: FloatArray, reward: FloatArray, response: NDArray[np.intp], n: NDArray[np.int64]
) -> dict[str, Interval]:
    formula = np.broadcast_to(analytical_kl(n), (len(reward), n.size))
    return {
        method: kl_interval(
            log_prob, reward, n, method, level=LEVEL, response=response, precision=0.0
        )
        for method in METHODS
    } | {FORMULA: Interval(formula, formula, formula, np.full(formula.shape, np.inf))}
