"""Rivals of best-of-n: soft best-of-n, Best-of-Poisson, top-k of n, blockwise best-of-K.

Each selects by the reward's quantile u: it has a density g(u) with respect to the reference policy.
Without atoms win rate and KL are integrals of g; the outcomes of a given policy have its mean over
their intervals. All values are formulas and quadratures, none is a simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike
from scipy.integrate import tanhsinh
from scipy.special import betainc, betaincc

from bonmeter.exact.tradeoff import Tradeoff
from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.kernels import exprel, relative_entropy_term
from bonmeter.numerics.validation import (
    FloatArray,
    as_integer_n,
    as_n,
    as_real_array,
    reject_entries,
)
from bonmeter.policies.listed import Policy

__all__ = ["best_of_poisson", "blockwise_kl_bound", "soft_best_of_n", "top_k"]

LARGEST_N = 10_000
"""Of the methods that need quadrature: the accuracy stated was checked up to it."""

LARGEST_SPREAD = 500.0
"""Of the rewards over the temperature, in soft best-of-n: the cost grows with it."""

SMALLEST_RATIO = 1e-300
"""Stands for a ratio pi/p that underflows: it contributes nothing."""

STEP = 0.25
"""Of the trapezoidal rule on Gumbel noise: its relative error is e^(-pi^2/STEP) = 7e-18."""

FEW = 8
"""Up to so many terms a binomial law is summed in a tenth of the time of the beta function."""

CHUNK = 1 << 16
"""Pairs of a noise and an outcome handled at a time."""

LogDensity = Callable[..., FloatArray]
Point = tuple[float, float]


def best_of_poisson(mu: ArrayLike, policy: Policy | None = None) -> Tradeoff:
    """Best of 1 + Poisson(mu) draws: CDF u e^(mu (u-1)), density (1 + mu u) e^(mu (u-1)) (ours).

    Derivation: docs/theory.md#best-of-poisson.

    Args:
        mu: mean number of draws beyond the first, real numbers in [0, 1e12], any shape.
        policy: the reference policy; None for one without atoms.

    Returns:
        Arrays of the shape of `mu`, relative error below 1e-9; 1 + mu expected draws.

    Raises:
        ValueError: if a mu lies outside [0, 1e12].

    Examples:
        >>> [round(float(value), 6) for value in best_of_poisson(1.0)]  # win rate 1 - 1/e
        [0.632121, 0.107154, 2.0]
        >>> binary = Policy.from_probabilities([0.5, 0.5])
        >>> [round(float(value), 6) for value in best_of_poisson(1.0, binary)]
        [0.598367, 0.079542, 2.0]
    """
    mu = as_real_array("mu", mu)
    reject_entries("mu", mu, ~((mu >= 0) & (mu <= 1e12)), "a real number in [0, 1e12]")
    if policy is None:
        return _integrate(_log_poisson_density, 1 + mu, mu)
    return _over(lambda mu: _on_outcomes(policy, _poisson_log_ratio(policy, mu)), 1 + mu, mu)


def top_k(n: ArrayLike, k: ArrayLike, policy: Policy | None = None) -> Tradeoff:
    """One of the k best of n draws, all k alike: best-of-n is k = 1 (ours).

    The density is a mean of k Beta densities, (n/k) I_u(n-k, k): the probability that fewer than k
    of the other n - 1 draws are better (I, the regularised incomplete beta function) over k/n.

    Derivation: docs/theory.md#top-k-of-n.

    Args:
        n: whole numbers from 1 to 10^4, any shape.
        k: whole numbers from 1 to n; broadcasts with `n`.
        policy: the reference policy, its ties broken at random; None for one without atoms.

    Returns:
        Arrays of the common shape, relative error below 1e-9; n draws.

    Raises:
        ValueError: if an n is not a whole number from 1 to 10^4, or a k one from 1 to n.

    Examples:
        >>> [round(float(value), 6) for value in top_k(3, 2)]  # win rate 1 - 3/8
        [0.625, 0.125093, 3.0]
    """
    n, k = np.broadcast_arrays(as_integer_n(n, LARGEST_N), as_real_array("k", k))
    bad = ~((k >= 1) & (k <= n) & (k == np.floor(k)))
    reject_entries("k", k, bad, "a whole number from 1 to n")
    draws = n.astype(np.float64)[()]
    if policy is None:
        return _integrate(_log_top_k_density, draws, draws, k)
    return _over(lambda n, k: _on_outcomes(policy, _top_k_log_ratio(policy, n, k)), draws, draws, k)


def soft_best_of_n(n: int, temperature: ArrayLike, policy: Policy | None = None) -> Tradeoff:
    """Soft best-of-n: of n draws, one with probability proportional to e^(reward/T) (ours).

    Choosing so is choosing the largest reward plus T times Gumbel noise: pi/p is n times the mean,
    over the noise, of the probability that the n - 1 others are smaller. With T -> 0 it is
    best-of-n, with T -> inf the reference policy.

    Derivation: docs/theory.md#soft-best-of-n.

    Args:
        n: a whole number from 1 to 10^4.
        temperature: T, positive real numbers, any shape; the range of the rewards over T is at most
            500.
        policy: the reference policy and its rewards; None for one without atoms whose reward is the
            quantile u itself, in [0, 1].

    Returns:
        Arrays of the shape of `temperature`; error of the win rate below 1e-12 and of the KL below
        1e-9 of it plus 1e-20; n draws.

    Raises:
        ValueError: if n is not a whole number from 1 to 10^4, a temperature not positive and
            finite, or too small for the rewards.

    Examples:
        >>> [round(float(value), 6) for value in soft_best_of_n(2, 0.1)]
        [0.653822, 0.157508, 2.0]
        >>> binary = Policy.from_probabilities([0.5, 0.5])  # rewards 0 and 1
        >>> round(float(soft_best_of_n(2, 1 / np.log(3), binary).win_rate), 12)  # e^(1/T) = 3
        0.5625
    """
    order = int(as_integer_n(n, LARGEST_N))
    temperature = as_real_array("temperature", temperature)
    spread = 1.0 if policy is None else float(np.ptp(policy.reward))
    bad = ~((temperature > 0) & (temperature < np.inf) & (temperature * LARGEST_SPREAD >= spread))
    expected = f"a positive number, at least {spread / LARGEST_SPREAD:g} for these rewards"
    reject_entries("temperature", temperature, bad, expected)

    def point(t: float) -> Point:
        if policy is not None:
            log_ratio = _soft_log_ratio(policy.mass, policy.reward / t, order)
            return _on_outcomes(policy, log_ratio)
        u, weight = _gauss_legendre(max(1, int(np.ceil(0.5 / t))))
        return _win_rate_and_kl(weight, u, _soft_log_ratio(weight, u / t, order))

    return _over(point, np.full_like(temperature, order), temperature)


def blockwise_kl_bound(blocks: ArrayLike, k: ArrayLike) -> FloatArray:
    """KL bound of blockwise best-of-K: at most log K - (K-1)/K nats per block (ours).

    A response is built in B blocks, each the best of K candidates given those before, by any score.
    Given its past a block is a best-of-K, so the chain rule of KL sums the paper's Theorem 3.1. It
    needs B K candidate blocks, as many tokens as K responses, and stays below the formula for
    best-of-K^B by about B - 1 nats; what it buys depends on the score, so it has no win rate.

    Derivation: docs/theory.md#blockwise-best-of-k.

    Args:
        blocks: B, whole numbers from 1 to 10^12, any shape.
        k: K, real numbers from 1 to 1e12; broadcasts with `blocks`.

    Returns:
        The bound in nats, of the common shape.

    Raises:
        ValueError: if a number of blocks is not a whole number from 1 to 10^12, or a K not a real
            number from 1 to 1e12.

    Examples:
        >>> round(float(blockwise_kl_bound(3, 2)), 6)  # 3 (log 2 - 1/2); the formula at 8: 1.204442
        0.579442
    """
    blocks = as_real_array("blocks", blocks)
    bad = ~((blocks >= 1) & (blocks <= 1e12) & (blocks == np.floor(blocks)))
    reject_entries("blocks", blocks, bad, "a whole number from 1 to 10^12")
    return blocks * analytical_kl(as_n(k))


def _integrate(log_density: LogDensity, draws: FloatArray, *parameters: FloatArray) -> Tradeoff:
    """Win rate and KL from the log-density as a function of 1 - u, in which it does not round."""

    def integral(integrand: Callable[[FloatArray, FloatArray], FloatArray]) -> FloatArray:
        found = tanhsinh(
            lambda v, *p: integrand(v, log_density(v, *p)), 0, 1, args=parameters, rtol=1e-12
        )
        if not np.all(found.error <= 1e-10 * found.integral + 1e-300):
            raise ArithmeticError(f"quadrature stopped at error {np.max(found.error):g}")
        return np.asarray(found.integral)[()]

    shortfall = integral(lambda v, t: v * np.exp(t))
    # every density here increases, so that only rounding can go below 1/2
    win_rate = np.maximum(1 - shortfall, 0.5)
    return Tradeoff(win_rate, integral(lambda v, t: relative_entropy_term(t)), draws)


def _over(point: Callable[..., Point], draws: FloatArray, *parameters: FloatArray) -> Tradeoff:
    points = [point(*values) for values in np.broadcast(*parameters)]
    win_rate, kl = np.reshape(points, (-1, 2)).T.reshape(2, *draws.shape)
    return Tradeoff(np.maximum(win_rate, 0.5), kl[()], draws)


def _on_outcomes(policy: Policy, log_ratio: FloatArray) -> Point:
    return _win_rate_and_kl(policy.mass, policy.mass_below + policy.mass / 2, log_ratio)


def _win_rate_and_kl(mass: FloatArray, middle: FloatArray, log_ratio: FloatArray) -> Point:
    win_rate = np.sum(mass * np.exp(log_ratio) * middle)
    return float(win_rate), float(np.sum(mass * relative_entropy_term(log_ratio)))


def _log_poisson_density(v: FloatArray, mu: FloatArray) -> FloatArray:
    return np.log1p(mu * (1 - v)) - mu * v


def _poisson_log_ratio(policy: Policy, mu: float) -> FloatArray:
    step = mu * policy.mass
    mean: FloatArray = mu * np.exp(policy.log_cdf) * exprel(-step) + np.exp(-step)
    return -mu * policy.mass_above + np.log(mean)


def _log_top_k_density(v: FloatArray, n: FloatArray, k: FloatArray) -> FloatArray:
    density: FloatArray = n / k * betaincc(k, n - k, v)
    return np.log(np.maximum(density, SMALLEST_RATIO))


def _top_k_log_ratio(policy: Policy, n: float, k: float) -> FloatArray:
    """From the survival function where an outcome is wide, by quadrature where it would cancel."""

    def survival(v: FloatArray) -> FloatArray:
        return np.asarray(n / k * v * _few_better(v, n, k) + betainc(k + 1, n - k, v))

    mass, above, ratio = policy.mass, policy.mass_above, np.zeros(len(policy))
    if k == n:  # one of all draws, alike: the reference policy
        return ratio
    wide = mass * n >= 1
    lower, width = above[wide], mass[wide]
    ratio[wide] = (survival(np.minimum(lower + width, 1.0)) - survival(lower)) / width
    # the density may double when u changes by u/n: for most of many outcomes two nodes are enough
    hardly = ~wide & (n * policy.log_step < 1e-3)
    for chosen, nodes in ((hardly, 2), (~wide & ~hardly, 8)):
        node, weight = _gauss_legendre(1, nodes)
        # the mass above the lowest outcomes may round to more than 1
        v = np.minimum(above[chosen, None] + mass[chosen, None] * node, 1.0)
        ratio[chosen] = n / k * np.sum(_few_better(v, n, k) * weight, axis=-1)
    return np.log(np.maximum(ratio, SMALLEST_RATIO))


def _few_better(v: FloatArray, n: float, k: float) -> FloatArray:
    """I_u(n-k, k) at u = 1 - v: that fewer than k of n - 1 draws are among the best v."""
    if k > FEW:
        return np.asarray(betaincc(k, n - k, v))
    u, others = 1 - v, int(n) - 1
    terms = (comb(others, j) * v**j * u ** int(k - 1 - j) for j in range(int(k)))
    return np.asarray(u ** (n - k) * sum(terms))


def _soft_log_ratio(mass: FloatArray, score: FloatArray, n: int) -> FloatArray:
    """log(pi/p) when the largest of n scores plus standard Gumbel noise is selected."""
    largest = score.max()
    # outside this range the integrand is below 1e-17 of its integral
    noisy = np.arange(score.min() - 4.0, largest + np.log(n) + 40.0, STEP)
    weight: FloatArray = np.exp(score - largest)
    sums = np.zeros_like(score)
    rows = max(1, CHUNK // score.size)
    for start in range(0, noisy.size, rows):
        scale = np.exp(largest - noisy[start : start + rows, None])
        rate = scale * weight
        drop = np.expm1(-rate)
        below, large = drop + 1.0, scale[:, 0] > 1.0
        below[large] = np.exp(-rate[large])  # some of these rates are above 1
        sums += np.sum(scale * np.exp((n - 1) * _log_mean(mass, drop, below)) * below, axis=0)
    return np.log(np.maximum(n * STEP * weight * sums, SMALLEST_RATIO))


def _log_mean(mass: FloatArray, drop: FloatArray, below: FloatArray) -> FloatArray:
    """log of the mean of each row of `below`, which is 1 + drop, from whichever is accurate."""
    exceed = -np.sum(drop * mass, axis=1)
    mean: FloatArray = np.log1p(-np.minimum(exceed, 0.5))
    most = exceed >= 0.5
    mean[most] = np.log(np.maximum(np.sum(below[most] * mass, axis=1), SMALLEST_RATIO))
    return mean[:, None]


def _gauss_legendre(panels: int, nodes: int = 16) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of a composite rule on [0, 1]."""
    node, weight = leggauss(nodes)
    starts = np.arange(panels)[:, None]
    return ((starts + (node + 1) / 2) / panels).ravel(), np.tile(weight / (2 * panels), panels)
