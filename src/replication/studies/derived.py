"""Differences, ratios and products of exact columns that the figures show, each by its name."""

from __future__ import annotations

import numpy as np

from bonmeter.exact.tradeoff import excess_kl, optimal_kl
from bonmeter.numerics.validation import FloatArray

__all__ = [
    "continuous_excess_kl",
    "estimator_bias",
    "kl_above_optimum",
    "loss_rate",
    "n_delta",
    "n_squared_delta",
    "over_exact_gap",
    "per_continuous_loss_rate",
    "relative_excess_kl",
    "two_standard_errors",
]


def estimator_bias(kl_gap: FloatArray, expected_estimator_gap: FloatArray) -> FloatArray:
    """Mean of the paper's estimator minus the KL, never negative (paper, Conjecture 4.4).

    The difference of the gaps is that of the values with the formula, the largest number, left out.
    Proof: docs/theory.md#conjecture-44-is-a-theorem.

    Args:
        kl_gap: the formula minus the KL, in nats.
        expected_estimator_gap: the formula minus the mean of the estimator, in nats.

    Returns:
        The bias in nats.

    Examples:
        >>> float(estimator_bias(np.array(0.5), np.array(0.25)))
        0.25
    """
    return kl_gap - expected_estimator_gap


def n_delta(n: FloatArray, delta: FloatArray) -> FloatArray:
    """n delta, the variable of the sharp bounds (ours; docs/theory.md#sharp-gap-bound).

    Args:
        n: numbers of draws.
        delta: largest probability of the policy.

    Examples:
        >>> float(n_delta(np.array(4.0), np.array(0.25)))
        1.0
    """
    return n * delta


def n_squared_delta(n: FloatArray, delta: FloatArray) -> FloatArray:
    """n^2 delta, the variable of the paper's bound (Theorem 3.4; docs/theory.md#theorem-34).

    Args:
        n: numbers of draws.
        delta: largest probability of the policy.

    Examples:
        >>> float(n_squared_delta(np.array(4.0), np.array(0.25)))
        4.0
    """
    return n**2 * delta


def per_continuous_loss_rate(gap: FloatArray, n: FloatArray) -> FloatArray:
    """A win-rate gap, or a bound on it, over 1/(n+1), the rate of not winning without atoms.

    Theorem 5.3 makes n/(n+1) the win rate without atoms (docs/theory.md#theorem-53); the unit is
    ours.

    Args:
        gap: of the win rate.
        n: numbers of draws.

    Examples:
        >>> float(per_continuous_loss_rate(np.array(0.125), np.array(3.0)))
        0.5
    """
    return gap / (1 / (n + 1))


def over_exact_gap(bound: FloatArray, gap: FloatArray) -> FloatArray:
    """A bound over what it bounds, 1 if it is exact (ours; docs/theory.md#sharp-gap-bound).

    Args:
        bound: upper or lower bound on the gap.
        gap: the exact gap.

    Returns:
        The ratio; nan where the gap is 0, as it is at n = 1.

    Examples:
        >>> over_exact_gap(np.array([1.0, 0.0]), np.array([0.5, 0.0])).tolist()
        [2.0, nan]
    """
    return np.divide(bound, gap, out=np.full_like(bound, np.nan), where=gap > 0)


def two_standard_errors(standard_error: FloatArray, repeats: FloatArray) -> FloatArray:
    """Twice the standard error of a mean over repeats of an estimate.

    The estimate is the paper's (Eq. 25; docs/theory.md#the-estimator).

    Args:
        standard_error: standard deviation of the estimate over the repeats.
        repeats: their number.

    Examples:
        >>> float(two_standard_errors(np.array(0.5), np.array(100)))
        0.1
    """
    return np.asarray(2 * (standard_error / np.sqrt(repeats)))


def loss_rate(win_rate: FloatArray) -> FloatArray:
    """One minus the win rate: a loss, or half of a tie (ours; docs/theory.md#the-optimum).

    Args:
        win_rate: a tie counting one half.

    Examples:
        >>> float(loss_rate(np.array(0.75)))
        0.25
    """
    return 1 - win_rate


def kl_above_optimum(kl: FloatArray, win_rate: FloatArray) -> FloatArray:
    """KL minus the least KL of any policy of this win rate (ours; docs/theory.md#the-optimum).

    Args:
        kl: in nats.
        win_rate: in [1/2, 1), or nan where a method has none.

    Returns:
        The difference in nats; nan where the win rate is.

    Examples:
        >>> kl_above_optimum(np.array([0.2, 0.2]), np.array([0.5, np.nan])).tolist()
        [0.2, nan]
    """
    known = ~np.isnan(win_rate)
    above = np.full_like(kl, np.nan)
    above[known] = kl[known] - optimal_kl(win_rate[known])
    return above


def relative_excess_kl(kl: FloatArray, optimal_kl: FloatArray) -> FloatArray:
    """KL over the least KL at the same win rate, minus 1 (ours; docs/theory.md#the-optimum).

    Args:
        kl: in nats.
        optimal_kl: the least KL of any policy of the same win rate, in nats.

    Returns:
        The ratio minus 1; nan where the least KL is 0, as it is at n = 1.

    Examples:
        >>> relative_excess_kl(np.array([0.0, 1.5]), np.array([0.0, 1.0])).tolist()
        [nan, 0.5]
    """
    return np.divide(kl, optimal_kl, out=np.full_like(kl, np.nan), where=optimal_kl > 0) - 1


def continuous_excess_kl(n: FloatArray) -> FloatArray:
    """The same of best-of-n without atoms (ours; docs/theory.md#the-optimum).

    Args:
        n: numbers of draws, 1 or more.

    Returns:
        `bonmeter.exact.tradeoff.excess_kl`; nan at n = 1, where neither costs anything.

    Examples:
        >>> continuous_excess_kl(np.array([1.0, 2.0])).round(4).tolist()
        [nan, 0.1187]
    """
    above = np.full_like(n, np.nan)
    above[n > 1] = excess_kl(n[n > 1])
    return above
