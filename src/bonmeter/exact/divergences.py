"""Other divergences between best-of-n and its policy: chi-squared, forward KL, Rényi.

All are means, over the outcomes, of one power divergence of the ratio pi_n/p (`power_term`), whose
terms are never negative: like the KL, they keep their relative accuracy however small they are.
Merging outcomes only lowers a divergence (data processing), so the value without atoms bounds that
of every policy.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from math import factorial

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.exact.values import sum_over_outcomes
from bonmeter.numerics.kernels import exprel, log_mean_density, polynomial
from bonmeter.numerics.validation import FloatArray, as_n
from bonmeter.policies.listed import Policy, Term

__all__ = [
    "chi_squared",
    "continuous_chi_squared",
    "continuous_forward_kl",
    "continuous_renyi",
    "forward_kl",
    "power_term",
    "renyi",
]

LARGEST_ALPHA = 20.0
"""Keeps n^alpha within float64 for every n up to 1e12."""

SMALLEST_MERGED = 0.25
"""From this alpha on, p (pi/p)^alpha is negligible where F^(n-1) vanishes in float64: it is below
1e-79, and its sum is at least n^(alpha-1), for pi is at most n p."""


def chi_squared(policy: Policy, n: ArrayLike) -> FloatArray:
    """Chi-squared divergence of best-of-n from the policy: sum of pi_n^2/p, minus 1 (ours).

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`; relative error below 1e-11, exactly 0 at n = 1; at most
        `continuous_chi_squared`.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> float(chi_squared(Policy.from_probabilities([0.5, 0.5]), 2))
        0.25
    """
    return 2 * _mean_power_term(policy, n, 2.0)


def continuous_chi_squared(n: ArrayLike) -> FloatArray:
    """Chi-squared divergence of best-of-n without atoms, (n-1)^2/(2n-1) (ours).

    Args:
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`: the least upper bound on `chi_squared`.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> round(float(continuous_chi_squared(2)), 15)
        0.333333333333333
    """
    n = as_n(n)
    return (n - 1) ** 2 / (2 * n - 1)


def forward_kl(policy: Policy, n: ArrayLike) -> FloatArray:
    """KL divergence of the policy from best-of-n, in nats: sum of p log(p/pi_n) (ours).

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`; relative error below 1e-11, exactly 0 at n = 1; at most
        `continuous_forward_kl`.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> round(float(forward_kl(Policy.from_probabilities([0.5, 0.5]), 2)), 15)  # log(4/3)/2
        0.14384103622589
    """
    return _mean_power_term(policy, n, 0.0)


def continuous_forward_kl(n: ArrayLike) -> FloatArray:
    """Forward KL of best-of-n without atoms, n - 1 - log n nats (ours).

    Args:
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`: the least upper bound on `forward_kl`, without cancellation near n = 1.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> float(continuous_forward_kl(2))  # 1 - log 2
        0.3068528194400547
    """
    return power_term(0.0, np.log1p(as_n(n) - 1))


def renyi(policy: Policy, n: ArrayLike, alpha: float) -> FloatArray:
    """Rényi divergence of order alpha of best-of-n from the policy, in nats (ours).

    log(sum of p (pi_n/p)^alpha)/(alpha-1); alpha = 1 gives its limit there, the KL.

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.
        alpha: the order, in (0, 20].

    Returns:
        Same shape as `n`; relative error below 1e-11, exactly 0 at n = 1; at most
        `continuous_renyi`. Increases with alpha.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12 or alpha is not in (0, 20].

    Examples:
        >>> binary = Policy.from_probabilities([0.5, 0.5])
        >>> round(float(renyi(binary, 2, 2)), 15)  # log(5/4)
        0.22314355131421
    """
    alpha = _as_order(alpha)
    mean = _mean_power_term(policy, n, alpha)
    if alpha == 1:
        return mean
    excess = alpha * (alpha - 1) * mean
    if alpha > 1:
        return np.log1p(excess) / (alpha - 1)
    return _log_moment(excess, _log_mean_power(policy, as_n(n), alpha)) / (alpha - 1)


def continuous_renyi(n: ArrayLike, alpha: float) -> FloatArray:
    """Rényi divergence of best-of-n without atoms, log(n^a/(a(n-1)+1))/(a-1), a = alpha (ours).

    Args:
        n: real numbers from 1 to 1e12, any shape.
        alpha: the order, in (0, 20]; 1 gives the analytical formula log n - (n-1)/n.

    Returns:
        Same shape as `n`: the least upper bound on `renyi`, relative error below 1e-11.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12 or alpha is not in (0, 20].

    Examples:
        >>> round(float(continuous_renyi(2, 2)), 15)  # log(4/3)
        0.287682072451781
    """
    alpha, excess = _as_order(alpha), as_n(n) - 1
    log_n = np.log1p(excess)
    # n^a = a (n-1) + 1 + a (a-1) power_term, so neither the ratio nor the order costs digits
    term = power_term(alpha, log_n) / (alpha * excess + 1)
    if alpha == 1:
        return term
    log_moment = alpha * log_n - np.log1p(alpha * excess)
    return _log_moment(alpha * (alpha - 1) * term, log_moment) / (alpha - 1)


def power_term(alpha: float, log_ratio: FloatArray) -> FloatArray:
    """(r^alpha - 1 - alpha (r-1))/(alpha (alpha-1)) >= 0 at r = e^log_ratio, without cancellation.

    Its limits are r log r - r + 1 at alpha = 1 and r - 1 - log r at alpha = 0. Its means under p,
    at r = pi/p, are KL (alpha = 1), forward KL (0) and half of chi-squared (2).

    Args:
        alpha: the order, at least 0.
        log_ratio: log r, any shape; r^alpha within float64.

    Returns:
        Same shape as `log_ratio`; relative error below 1e-13.

    Examples:
        >>> power_term(2.0, np.log([1.0, 3.0])).round(14).tolist()
        [0.0, 2.0]
    """
    t = np.asarray(log_ratio, dtype=np.float64)
    near = np.abs(t) <= 0.5 / max(1.0, alpha)
    if near.all():
        return _series(alpha, t)
    if alpha < 0.5:
        slope = t * exprel(alpha * t) if alpha else t
        term = (np.expm1(t) - slope) / (1 - alpha)
    else:
        t = np.maximum(t, -700.0)  # further down the value has reached 1/alpha
        term = (np.exp(t) * (t * exprel((alpha - 1) * t) - 1) + 1) / alpha
    term = np.asarray(term)
    term[near] = _series(alpha, t[near])
    return term


def _series(alpha: float, t: FloatArray) -> FloatArray:
    """Sum over k >= 2 of t^k/k! (1 + alpha + ... + alpha^(k-2))."""
    return t * t * polynomial(t, _coefficients(alpha))


@lru_cache
def _coefficients(alpha: float) -> list[float]:
    sums = accumulate(alpha**j for j in range(18))
    return [total / factorial(k) for k, total in enumerate(sums, start=2)]


def _mean_power_term(policy: Policy, n: ArrayLike, alpha: float) -> FloatArray:
    return _sum(_power_term_of(alpha), policy, as_n(n), alpha)


@lru_cache
def _power_term_of(alpha: float) -> Term:
    """The same object each time, by which sums are shared (`bonmeter.bounds.evaluate`)."""

    def term(n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray) -> FloatArray:
        return np.exp(log_mass) * power_term(alpha, log_mean_density(n - 1, step, log_cdf))

    return term


def _log_mean_power(policy: Policy, n: FloatArray, alpha: float) -> FloatArray:
    """log of the sum of p (pi_n/p)^alpha, for alpha < 1."""

    def term(n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray) -> FloatArray:
        return np.exp(log_mass + alpha * log_mean_density(n - 1, step, log_cdf))

    # at n = 1, where sums over outcomes are set to 0, it is 1
    return np.log(np.where(n == 1, 1.0, _sum(term, policy, n, alpha)))


def _sum(term: Term, policy: Policy, n: FloatArray, alpha: float) -> FloatArray:
    if alpha >= SMALLEST_MERGED:
        return sum_over_outcomes(term, policy, n, symmetric=True)
    outcomes = policy.log_mass, policy.log_cdf, policy.log_step
    sums = [float(np.sum(term(each, *outcomes))) for each in n.ravel().tolist()]
    return np.asarray(sums).reshape(n.shape)[()]


def _log_moment(excess: FloatArray, log_moment: FloatArray) -> FloatArray:
    """log(1 + excess), which is `log_moment`, from whichever is accurate."""
    return np.where(excess > -0.5, np.log1p(np.maximum(excess, -0.5)), log_moment)[()]


def _as_order(alpha: float) -> float:
    if not 0 < alpha <= LARGEST_ALPHA:
        raise ValueError(f"alpha = {alpha!r}: expected a number in (0, {LARGEST_ALPHA:g}]")
    return float(alpha)
