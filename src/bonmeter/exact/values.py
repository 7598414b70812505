"""Exact KL divergence and win rate of best-of-n, for any policy and real n >= 1.

Each quantity is a sum over outcomes of terms of one sign (`bonmeter.numerics.kernels`), so the gaps
are as accurate as the values themselves: relative error below 1e-12 in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.numerics.intervals import SMALLEST_ACCURATE
from bonmeter.numerics.kernels import (
    log_mean_density,
    log_one_minus_exp,
    normalised_gap,
    normalised_win_rate_gap,
    relative_entropy_term,
)
from bonmeter.numerics.validation import FloatArray, as_n
from bonmeter.policies.listed import Policy, ReferencePolicy, Term

__all__ = [
    "analytical_kl",
    "best_of_n_log_pmf",
    "exact_kl",
    "exact_win_rate",
    "kl_gap",
    "pmf",
    "sum_over_outcomes",
    "win_rate_gap",
]


def analytical_kl(n: ArrayLike) -> FloatArray:
    """The analytical formula log n - (n-1)/n, in nats (paper, Eq. 4); an upper bound (Theorem 3.1).

    Args:
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`, without cancellation near n = 1.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> float(analytical_kl(1)), float(analytical_kl(2))  # log 2 - 1/2
        (0.0, 0.1931471805599453)
    """
    n = as_n(n)
    return relative_entropy_term(np.log1p(n - 1)) / n


def exact_kl(policy: ReferencePolicy, n: ArrayLike) -> FloatArray:
    """KL divergence of best-of-n from the policy, in nats: sum of pi_n log(pi_n/p).

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape; real n by the pmf F_i^n - F_{i-1}^n.

    Returns:
        Same shape as `n`; relative error below 1e-12, exactly 0 at n = 1.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> float(exact_kl(Policy.from_probabilities([0.5, 0.5]), 1))
        0.0
        >>> policy = Policy.from_probabilities([0.5, 0.5])
        >>> round(float(exact_kl(policy, 2)), 15)  # 3/4 log 3 - log 2
        0.130812035941137
    """
    return sum_over_outcomes(_kl_term, policy, n, symmetric=True)


def kl_gap(policy: ReferencePolicy, n: ArrayLike) -> FloatArray:
    """The analytical formula minus the exact KL, in nats, without subtracting them (ours).

    The gap is the mean of `bonmeter.numerics.kernels.normalised_gap` under best-of-n; every term is
    >= 0, which proves the paper's Theorem 3.1.

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`; relative error below 1e-12, however small the gap; never negative.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> float(kl_gap(Policy.from_probabilities([1.0]), 2))  # log 2 - 1/2
        0.1931471805599453
        >>> f"{float(kl_gap(Policy.from_probabilities([1e-19, 1.0]), 3)):.13g}"  # log 3 - 2/3
        '0.4319456220014'
    """
    return sum_over_outcomes(_kl_gap_term, policy, n, symmetric=True)


def win_rate_gap(policy: ReferencePolicy, n: ArrayLike) -> FloatArray:
    """n/(n+1) minus the exact win rate, without subtracting them (paper, Theorems 5.3 and 5.4).

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`, a probability; relative error below 1e-12; never negative.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> round(float(win_rate_gap(Policy.from_probabilities([0.5, 0.5]), 2)), 16)  # 1/24
        0.0416666666666667
    """
    return sum_over_outcomes(_win_rate_gap_term, policy, n, symmetric=True)


def exact_win_rate(policy: ReferencePolicy, n: ArrayLike) -> FloatArray:
    """Probability that best-of-n beats one draw from the policy, a tie counting one half.

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`, from 1/2 (exactly, at n = 1) up to n/(n+1) (paper, Theorem 5.3).

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> round(float(exact_win_rate(Policy.from_probabilities([0.5, 0.5]), 2)), 15)  # 5/8
        0.625
    """
    n = as_n(n)
    return n / (n + 1) - win_rate_gap(policy, n)


def best_of_n_log_pmf(policy: Policy, n: ArrayLike) -> FloatArray:
    """log pi_n of every outcome, lowest reward first: pi_n = F_i^n - F_{i-1}^n (paper, Section 2).

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Shape of `n` followed by (L,); finite wherever the policy's log-probability is.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> np.exp(best_of_n_log_pmf(Policy.from_probabilities([0.5, 0.5]), 2)).round(15).tolist()
        [0.25, 0.75]
    """
    n = as_n(n)[..., None]
    step = policy.log_step
    share = log_one_minus_exp(-n * np.where(step > 0, step, 1.0))
    # where the step underflows, the outcome's share of F_i^n is n p_i / F_i
    tiny = np.log(n) + (policy.log_mass - policy.log_cdf)
    return np.where(
        n == 1,
        policy.log_mass,
        n * policy.log_cdf + np.where(step > SMALLEST_ACCURATE, share, tiny),
    )


def sum_over_outcomes(
    term: Term, policy: ReferencePolicy, n: ArrayLike, symmetric: bool = False
) -> FloatArray:
    """Sum of `term` over the outcomes of a policy, for every n; 0 at n = 1.

    Args:
        term: see `bonmeter.policies.listed.Term`.
        policy: the reference policy, which says how its outcomes are summed.
        symmetric: see `bonmeter.policies.listed.ReferencePolicy`; symmetric terms cost less.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> half = Policy.from_probabilities([0.5, 0.5])
        >>> float(sum_over_outcomes(lambda n, log_mass, log_cdf, step: np.exp(log_mass), half, 2))
        1.0
    """
    n = as_n(n)
    if not hasattr(policy, "sum_over_outcomes"):
        raise ValueError(f"policy is of type {type(policy).__name__}: expected a Policy")
    grid = n.ravel().tolist()
    sums = [0.0 if x == 1 else policy.sum_over_outcomes(term, x, symmetric) for x in grid]
    return np.asarray(sums).reshape(n.shape)[()]


def pmf(n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray) -> FloatArray:
    """The term pi_n, the best-of-n mass of each outcome.

    Examples:
        >>> half = Policy.from_probabilities([0.5, 0.5])
        >>> pmf(2.0, half.log_mass, half.log_cdf, half.log_step).round(15).tolist()
        [0.25, 0.75]
    """
    return np.exp(log_mass + log_mean_density(n - 1, step, log_cdf))


def _kl_term(n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray) -> FloatArray:
    return np.exp(log_mass) * relative_entropy_term(log_mean_density(n - 1, step, log_cdf))


def _kl_gap_term(
    n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray
) -> FloatArray:
    return pmf(n, log_mass, log_cdf, step) * normalised_gap(n, step)


def _win_rate_gap_term(
    n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray
) -> FloatArray:
    return pmf(n, log_mass, log_cdf, step) * np.exp(log_cdf) * normalised_win_rate_gap(n, step)
