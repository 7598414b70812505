"""The paper's KL estimator (Section 4, Eq. 25): from the probability of the selected response."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.exact.values import analytical_kl, pmf, sum_over_outcomes
from bonmeter.numerics.kernels import (
    economised,
    excess_and_entropy,
    log_one_minus_exp,
    normalised_gap,
    polynomial,
)
from bonmeter.numerics.validation import (
    FloatArray,
    as_n,
    as_real_array,
    reject_entries,
    reject_shapes,
)
from bonmeter.policies.listed import ReferencePolicy

# Log-probabilities handled at a time: their temporaries stay in the processor's cache.
CHUNK = 1 << 14
# Lowest log(1-eps), at eps = 1: its multiples vanish when exponentiated, and are numbers.
LOG_OF_ZERO = -1e6
# From this n on, the two terms of d_n cancel by less than three digits.
NEAR_ONE = 1.01

__all__ = [
    "estimator_gap",
    "expected_kl_estimator",
    "expected_kl_estimator_gap",
    "kl_estimator",
    "kl_estimator_second_moment",
]


def kl_estimator(log_eps: ArrayLike, n: ArrayLike) -> FloatArray:
    """The estimator d_n(eps) of the KL of best-of-n, in nats (paper, Eq. 25).

    (1-eps)^n (log n + (n-1) log(1-eps) - (n-1)/n) + (1-(1-eps)^n) log((1-(1-eps)^n)/eps), eps the
    policy's probability of the selected response: the KL of a policy whose only atom is its top
    outcome, of mass eps. It decreases from the analytical formula at eps = 0 to 0 at eps = 1.

    Args:
        log_eps: natural log-probabilities from -inf to 0, any shape.
        n: real numbers from 1 to 1e12; broadcasts against `log_eps`.

    Returns:
        The broadcast shape; relative error below 1e-12 for log_eps in [-1e6, 0].

    Raises:
        ValueError: if a log_eps is nan or positive, or an n is not a real number from 1 to 1e12.

    Examples:
        >>> float(kl_estimator(-1e6, 2)), float(kl_estimator(0.0, 2))  # log 2 - 1/2, 0
        (0.1931471805599453, 0.0)
        >>> round(float(kl_estimator(np.log(0.5), 2)), 15)
        0.179098831081123
    """
    log_eps = as_real_array("log_eps", log_eps)
    reject_entries("log_eps", log_eps, ~(log_eps <= 0), "a natural log-probability <= 0")
    n = as_n(n)
    reject_shapes(log_eps=log_eps, n=n)
    pieces = np.nditer(
        [log_eps, n, analytical_kl(n), None],
        ["buffered", "external_loop", "zerosize_ok"],
        buffersize=CHUNK,
    )
    with pieces:
        for *arguments, out in pieces:
            out[...] = _kl_estimator(*arguments)
        estimates: FloatArray = pieces.operands[-1][()]
    return estimates


def _kl_estimator(
    log_eps: FloatArray, n: FloatArray | float, formula: FloatArray | float
) -> FloatArray:
    """d_n = q (K + (n-1) log r) + (1-q) log((1-q)/eps), with r = 1-eps, q = r^n, K the formula.

    As n -> 1 the two terms are of order n-1 and their sum of order (n-1)^2, hence another form.
    """
    log_eps = np.clip(log_eps, -690.0, 0.0)
    eps, rest = np.exp(log_eps), 0.0 - np.expm1(log_eps)
    log_power = (n - 1) * _log_rest(eps, rest)
    near_one = np.less(n, NEAR_ONE)
    if np.all(near_one):
        return _near_one(eps, rest, log_power, formula)
    drop = rest * np.expm1(log_power)  # q - r
    log_ratio = np.log1p(drop / -eps)
    estimate = (rest + drop) * (formula + log_power) + (eps - drop) * log_ratio
    if not np.any(near_one):
        return estimate
    small = np.where(near_one, log_power, 0.0)
    return np.where(near_one, _near_one(eps, rest, small, formula), estimate)


def _log_rest(eps: FloatArray, rest: FloatArray) -> FloatArray:
    """log(1-eps); hardly any of many responses have half of the mass, which need another form."""
    with np.errstate(divide="ignore"):
        log_rest = np.log1p(-eps)
        (large,) = np.nonzero(eps > 0.5)
        if large.size:
            log_rest[large] = np.maximum(np.log(rest[large]), LOG_OF_ZERO)
    return log_rest


def _near_one(
    eps: FloatArray, rest: FloatArray, log_power: FloatArray, formula: FloatArray | float
) -> FloatArray:
    """d_n = q K + r (t e^t - e^t + 1) + eps ((1+w) log(1+w) - w), t = log(q/r), 1+w = (1-q)/eps.

    All terms are >= 0, and w <= n-1. The last two are those of `exact_kl` for the outcomes [0, r]
    and [r, 1].
    """
    excess, entropy = excess_and_entropy(log_power)
    entropy += (excess + 1.0) * formula
    entropy *= rest
    excess *= rest
    growth = excess / -eps
    excess *= growth
    excess *= polynomial(growth, _GROWTH_SERIES)
    return entropy - excess


# (1+w) log(1+w) - w = sum over j of (-1)^j w^(j+2)/((j+1)(j+2))
_GROWTH_SERIES = economised(
    [(-1) ** j / ((j + 1) * (j + 2)) for j in range(10)], (0.0, NEAR_ONE - 1), size=6
)


def expected_kl_estimator(policy: ReferencePolicy, n: ArrayLike) -> FloatArray:
    """Mean of the estimator over best-of-n selections: sum of pi_n d_n(p), in nats.

    It lies between the exact KL (the paper's Conjecture 4.4, proved in docs/theory.md) and the
    analytical formula.

    Args:
        policy: the reference policy, L outcomes; ties merged, so eps is the mass of the outcome.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`; relative error below 1e-12.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> from bonmeter.policies.listed import Policy
        >>> float(expected_kl_estimator(Policy.from_probabilities([1.0]), 2))
        0.0
        >>> round(float(expected_kl_estimator(Policy.from_probabilities([0.5, 0.5]), 2)), 15)
        0.179098831081123
    """
    return sum_over_outcomes(_estimator_term, policy, n)


def expected_kl_estimator_gap(policy: ReferencePolicy, n: ArrayLike) -> FloatArray:
    """The analytical formula minus the mean of the estimator, without subtracting them (ours).

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`, in nats; relative error below 1e-12; never negative.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> from bonmeter.policies.listed import Policy
        >>> float(expected_kl_estimator_gap(Policy.from_probabilities([1.0]), 2))  # log 2 - 1/2
        0.1931471805599453
    """
    return sum_over_outcomes(_estimator_gap_term, policy, n)


def _estimator_term(
    n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray
) -> FloatArray:
    return pmf(n, log_mass, log_cdf, step) * _kl_estimator(log_mass, n, analytical_kl(n))


def _estimator_gap_term(
    n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray
) -> FloatArray:
    return pmf(n, log_mass, log_cdf, step) * estimator_gap(log_mass, n)


def estimator_gap(log_eps: FloatArray, n: float) -> FloatArray:
    """The analytical formula minus d_n(eps), without subtracting them: the gap of the top outcome.

    Examples:
        >>> estimator_gap(np.array([0.0]), 2.0).tolist()  # log 2 - 1/2
        [0.1931471805599453]
    """
    step = -log_one_minus_exp(log_eps)
    return -np.expm1(-n * step) * normalised_gap(n, step)


def kl_estimator_second_moment(policy: ReferencePolicy, n: ArrayLike) -> FloatArray:
    """Mean of the squared estimator over best-of-n selections: sum of pi_n d_n(p)^2 (ours).

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`, in squared nats.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> from bonmeter.policies.listed import Policy
        >>> binary = Policy.from_probabilities([0.5, 0.5])  # one value: no variance
        >>> mean = expected_kl_estimator(binary, 2)
        >>> round(float(kl_estimator_second_moment(binary, 2) - mean**2), 15)
        0.0
    """
    return sum_over_outcomes(_squared_estimator_term, policy, n)


def _squared_estimator_term(
    n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray
) -> FloatArray:
    estimate = _kl_estimator(log_mass, n, analytical_kl(n))
    return pmf(n, log_mass, log_cdf, step) * estimate**2
