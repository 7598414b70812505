"""Win rate against KL: best-of-n, its rivals and the optimum, in the quantile picture.

A policy with density g over the quantiles u of the reward has win rate E[u] and KL E[log g]. The
curves here are those of a policy without atoms; docs/theory.md says what atoms change.
"""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.polynomial.polynomial import polyval
from numpy.typing import ArrayLike

from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.validation import FloatArray, as_n, as_real_array, reject_entries

__all__ = [
    "Tradeoff",
    "best_of_n_tradeoff",
    "excess_kl",
    "optimal_kl",
    "rewind_and_repeat",
    "smallest_n_within",
    "tilt_with_advantage",
    "tilt_with_win_rate",
    "tilted_tradeoff",
]


HALVINGS = 64
"""Of a bracket in log beta: from any two floats to neighbours."""


class Tradeoff(NamedTuple):
    """What an alignment method buys and what it costs.

    Attributes:
        win_rate: probability of beating one draw from the reference policy, a tie counting a half.
        kl: KL divergence from the reference policy, in nats.
        draws: expected number of draws from the reference policy; nan where the method has none.
    """

    win_rate: FloatArray
    kl: FloatArray
    draws: FloatArray


def best_of_n_tradeoff(n: ArrayLike) -> Tradeoff:
    """Best-of-n without atoms: win rate n/(n+1), log n - (n-1)/n nats (paper, Eq. 4, Theorem 5.3).

    Derivation: docs/theory.md#setting.

    Args:
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Arrays of the shape of `n`; n draws.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> [round(float(value), 6) for value in best_of_n_tradeoff(2)]
        [0.666667, 0.193147, 2.0]
    """
    n = as_n(n)
    return Tradeoff(n / (n + 1), analytical_kl(n), n)


def rewind_and_repeat(acceptance: ArrayLike) -> Tradeoff:
    """Redraw until the reward is among the best fraction q (paper, Section 6, our reading).

    The density is 1/q on the top q of the quantiles: win rate 1 - q/2 at log(1/q) nats.

    Derivation: docs/theory.md#rewind-and-repeat.

    Args:
        acceptance: q, real numbers in (0, 1], any shape.

    Returns:
        Arrays of the shape of `acceptance`; 1/q expected draws.

    Raises:
        ValueError: if an acceptance lies outside (0, 1].

    Examples:
        >>> [round(float(value), 6) for value in rewind_and_repeat(0.5)]
        [0.75, 0.693147, 2.0]
    """
    q = as_real_array("acceptance", acceptance)
    reject_entries("acceptance", q, ~((q > 0) & (q <= 1)), "a fraction in (0, 1]")
    return Tradeoff(1 - q / 2, 0.0 - np.log(q), 1 / q)


def tilted_tradeoff(beta: ArrayLike) -> Tradeoff:
    """The optimum: no policy of this win rate costs less KL than the density e^(beta u) (ours).

    It is the solution of KL-regularised reinforcement learning with the win rate as its reward:
    win rate 1/(1-e^(-beta)) - 1/beta at beta W - log((e^beta-1)/beta) nats.

    Derivation: docs/theory.md#the-optimum.

    Args:
        beta: inverse temperature, real numbers in [0, 1e15], any shape.

    Returns:
        Arrays of the shape of `beta`; relative error below 1e-12 (of a KL above 1e-300). The number
        of draws is nan: the optimum has no sampling procedure of its own.

    Raises:
        ValueError: if a beta lies outside [0, 1e15].

    Examples:
        >>> [round(float(value), 6) for value in tilted_tradeoff(0.0)[:2]]
        [0.5, 0.0]
        >>> [round(float(value), 6) for value in tilted_tradeoff(2.0)[:2]]
        [0.656518, 0.151596]
    """
    beta = as_real_array("beta", beta)
    reject_entries("beta", beta, ~((beta >= 0) & (beta <= 1e15)), "a real number in [0, 1e15]")
    win_rate = np.where(beta <= 1, 0.5 + _advantage(beta), 1 - _shortfall(beta))
    return Tradeoff(win_rate[()], _tilted_kl(beta), np.full_like(beta, np.nan)[()])


def optimal_kl(win_rate: ArrayLike) -> FloatArray:
    """The least KL, in nats, at which a policy can have a given win rate (ours).

    Derivation: docs/theory.md#the-optimum.

    Args:
        win_rate: real numbers in [1/2, 1), any shape.

    Returns:
        Same shape as `win_rate`; relative error below 1e-12, the win rate taken as exact.

    Raises:
        ValueError: if a win rate lies outside [1/2, 1).

    Examples:
        >>> kl = optimal_kl(2 / 3)
        >>> round(float(kl), 6), round(float(analytical_kl(2) / kl - 1), 4)
        (0.172647, 0.1187)
    """
    return _tilted_kl(tilt_with_win_rate(win_rate))


def tilt_with_win_rate(win_rate: ArrayLike) -> FloatArray:
    """The beta at which `tilted_tradeoff` has a given win rate (ours).

    Args:
        win_rate: real numbers in [1/2, 1), any shape.

    Returns:
        Same shape as `win_rate`; relative error below 1e-12, the win rate taken as exact.

    Raises:
        ValueError: if a win rate lies outside [1/2, 1).

    Examples:
        >>> round(float(tilt_with_win_rate(tilted_tradeoff(2.0).win_rate)), 12)
        2.0
    """
    win_rate = as_real_array("win_rate", win_rate)
    bad = ~((win_rate >= 0.5) & (win_rate < 1))
    reject_entries("win_rate", win_rate, bad, "a win rate in [1/2, 1)")
    # both differences are exact in float64
    return tilt_with_advantage(win_rate - 0.5, 1 - win_rate)


def tilt_with_advantage(advantage: FloatArray, shortfall: FloatArray) -> FloatArray:
    """The same from W - 1/2 and 1 - W, the smaller of which settles the precision.

    Examples:
        >>> f"{float(tilt_with_advantage(np.array(1e-200), np.array(0.5))):.12g}"  # 12 times it
        '1.2e-199'
    """
    # beta is at least 12 (W - 1/2) and at most 1/(1 - W): twice as wide, whatever the rounding
    low, high = np.broadcast_arrays(6 * advantage, 2 / shortfall)
    # Bisection in log beta: scipy's root finders take longer to import than most stages to run.
    for _ in range(HALVINGS):
        middle = np.sqrt(low) * np.sqrt(high)
        short = np.where(
            middle <= 1, _advantage(middle) < advantage, _shortfall(middle) > shortfall
        )
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.asarray(np.sqrt(low) * np.sqrt(high))


def excess_kl(n: ArrayLike) -> FloatArray:
    """What best-of-n without atoms costs beyond the optimum, relative to the optimum (ours).

    It decreases from 1/3 as n -> 1 and is about 1/(2 n^2 (log n - 1)) for large n.

    Derivation: docs/theory.md#the-optimum.

    Args:
        n: real numbers above 1, up to 1e12, any shape.

    Returns:
        Same shape as `n`: KL over optimal KL at the same win rate, minus 1; absolute error below
        1e-12.

    Raises:
        ValueError: if an n is not a real number above 1, up to 1e12.

    Examples:
        >>> excess_kl([2, 10, 300]).round(7).tolist()
        [0.1187388, 0.0033429, 1.2e-06]
    """
    n = as_n(n)
    reject_entries("n", n, n == 1, "above 1: there neither costs anything")
    beta = tilt_with_advantage((n - 1) / (2 * (n + 1)), 1 / (n + 1))
    return analytical_kl(n) / _tilted_kl(beta) - 1


def smallest_n_within(fraction: float) -> int:
    """Least n >= 2 at which best-of-n costs at most 1 + fraction times the optimum (ours).

    Args:
        fraction: the `excess_kl` allowed, in [1e-9, inf).

    Raises:
        ValueError: if the fraction lies outside [1e-9, inf).

    Examples:
        >>> smallest_n_within(0.01), smallest_n_within(0.001)
        (7, 17)
    """
    if not 1e-9 <= fraction < np.inf:
        raise ValueError(f"fraction = {fraction!r}: expected a number in [1e-9, inf)")
    candidates = range(2, 10**6)
    return candidates[bisect_left(candidates, -fraction, key=lambda n: -float(excess_kl(n)))]


def _bernoulli_over_factorial(terms: int) -> FloatArray:
    """B_2k/(2k)! for k = 1, ..., exactly until the last rounding."""
    size = 2 * terms + 1
    coefficients = [Fraction(1)]  # of t/(e^t - 1), whose product with (e^t - 1)/t is 1
    for k in range(1, size):
        tail = (c / factorial(k + 1 - j) for j, c in enumerate(coefficients))
        coefficients.append(-sum(tail, Fraction(0)))
    return np.array([float(c) for c in coefficients[2::2]])


# With c_k = B_2k/(2k)!, the tilt has win rate 1/2 + sum of c_k beta^(2k-1) and KL sum of
# c_k (1 - 1/2k) beta^2k: enough terms for beta <= 1.
_BERNOULLI = _bernoulli_over_factorial(12)
_ORDER = np.arange(1, 13)


def _advantage(beta: FloatArray) -> FloatArray:
    """Win rate minus 1/2 of the tilt, for beta <= 1."""
    small = np.minimum(beta, 1.0)
    return np.asarray(small * polyval(small**2, _BERNOULLI))


def _shortfall(beta: FloatArray) -> FloatArray:
    """1 minus the win rate of the tilt, 1/beta - 1/(e^beta - 1), for beta >= 1."""
    large = np.maximum(beta, 1.0)
    return 1 / large + np.exp(-large) / np.expm1(-large)


def _tilted_kl(beta: FloatArray) -> FloatArray:
    square = np.minimum(beta, 1.0) ** 2
    near = square * polyval(square, _BERNOULLI * (1 - 1 / (2 * _ORDER)))
    large = np.maximum(beta, 1.0)
    rest = np.exp(-large)
    far = np.log(large) - 1 + large * rest / (1 - rest) - np.log1p(-rest)
    return np.asarray(np.where(beta <= 1, near, far))[()]
