"""Win rate against KL: best-of-n, its rivals and the optimum, in the quantile picture.

A policy with density g over the quantiles u of the reward has win rate E[u] and KL E[log g]. The
curves here are those of a policy without atoms; docs/theory.md says what atoms change.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bestofn._validation import FloatArray, as_n, as_real_array, reject_entries
from bestofn.exact import analytical_kl

__all__ = [
    "Tradeoff",
    "best_of_n_tradeoff",
    "optimal_kl",
    "rewind_and_repeat",
    "tilted_tradeoff",
]


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
    """Best-of-n without atoms: win rate n/(n+1) at log n - (n-1)/n nats (paper, Eq. 4, Theorem 5.3).

    Args:
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Arrays of the shape of `n`.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> [round(float(value), 6) for value in best_of_n_tradeoff(2)]
        [0.666667, 0.193147, 2.0]
    """
    n = as_n(n)
    return Tradeoff(n / (n + 1), analytical_kl(n), n)


def rewind_and_repeat(acceptance: ArrayLike) -> Tradeoff:
    """Redraw until the reward is among the best fraction `acceptance` (paper, Section 6, our reading).

    The density is 1/q on the top q of the quantiles: win rate 1 - q/2 at log(1/q) nats.

    Args:
        acceptance: q, real numbers in (0, 1], any shape.

    Returns:
        Arrays of the shape of `acceptance`.

    Raises:
        ValueError: if an acceptance lies outside (0, 1].

    Examples:
        >>> [round(float(value), 6) for value in rewind_and_repeat(0.5)]
        [0.75, 0.693147, 2.0]
    """
    q = as_real_array("acceptance", acceptance)
    reject_entries("acceptance", q, ~((q > 0) & (q <= 1)), "a fraction in (0, 1]")
    return Tradeoff(1 - q / 2, -np.log(q), 1 / q)


# Bernoulli numbers B_2k/(2k)! : log(sinh(b/2)/(b/2)) = sum_k B_2k b^2k / (2k (2k)!), |b| < 2 pi
_BERNOULLI = np.array([2 * (-1) ** (k + 1) * np.sum(np.arange(999.0, 0, -1) ** (-2 * k)) / (2 * np.pi) ** (2 * k)
                       for k in range(1, 14)])
_BERNOULLI[0] = 1 / 12


def tilted_tradeoff(beta: ArrayLike) -> Tradeoff:
    """The optimum: no policy of this win rate costs less KL than the density e^(beta u) (ours).

    It is the solution of KL-regularised reinforcement learning with the win rate as its reward:
    win rate 1/(1-e^(-beta)) - 1/beta at beta W - log((e^beta-1)/beta) nats.

    Args:
        beta: inverse temperature, real numbers in [0, 1e15], any shape.

    Returns:
        Arrays of the shape of `beta`; relative error below 1e-12, also of W - 1/2 as beta -> 0. The
        expected number of draws is nan: it has no sampling procedure of its own.

    Raises:
        ValueError: if a beta lies outside [0, 1e15].

    Examples:
        >>> [round(float(value), 6) for value in tilted_tradeoff(0.0)[:2]]
        [0.5, 0.0]
        >>> [round(float(value), 6) for value in tilted_tradeoff(2.0)[:2]]
        [0.656518, 0.151965]
    """
    beta = as_real_array("beta", beta)
    reject_entries("beta", beta, ~((beta >= 0) & (beta <= 1e15)), "a real number in [0, 1e15]")
    excess, kl = _tilted(beta)
    return Tradeoff(0.5 + excess, kl, np.full_like(beta, np.nan))


def _tilted(beta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Win rate minus one half, and KL."""
    order = np.arange(1, _BERNOULLI.size + 1)
    small = np.minimum(beta, 1.0)
    square = small * small
    excess = small * np.polynomial.polynomial.polyval(square, _BERNOULLI)
    kl = square * np.polynomial.polynomial.polyval(square, _BERNOULLI * (1 - 1 / (2 * order)))
    large = np.maximum(beta, 1.0)
    rest = np.exp(-large)
    far_excess = 0.5 / np.tanh(large / 2) - 1 / large
    # beta W - log((e^beta - 1)/beta) = log beta - 1 + beta e^-beta/(1 - e^-beta) - log(1 - e^-beta)
    far_kl = np.log(large) - 1 + large * rest / (1 - rest) - np.log1p(-rest)
    near = beta <= 1
    return np.where(near, excess, far_excess), np.where(near, kl, far_kl)


def optimal_kl(win_rate: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The least KL at which a policy can have a given win rate, and the tilt that attains it (ours).

    Args:
        win_rate: real numbers in [1/2, 1 - 1e-13], any shape.

    Returns:
        The KL in nats and beta of `tilted_tradeoff`, arrays of the shape of `win_rate`. Any beta
        gives the proven lower bound beta W - log((e^beta-1)/beta) (Gibbs), so an error in beta only
        costs its square.

    Raises:
        ValueError: if a win rate lies outside [1/2, 1 - 1e-13].

    Examples:
        >>> kl, beta = optimal_kl(2 / 3)
        >>> round(float(kl), 6), round(float(analytical_kl(2) / kl - 1), 4)
        (0.172652, 0.1187)
    """
    win_rate = as_real_array("win_rate", win_rate)
    bad = ~((win_rate >= 0.5) & (win_rate <= 1 - 1e-13))
    reject_entries("win_rate", win_rate, bad, "a win rate in [1/2, 1 - 1e-13]")
    target = win_rate - 0.5
    beta = _tilt_of(target)
    excess, kl = _tilted(beta)
    # the tangent of the frontier at beta: exact at the root, second order beside it
    return kl + beta * (target - excess), beta


def _tilt_of(excess: FloatArray) -> FloatArray:
    """Root in beta of win rate - 1/2 = `excess`, by bisection in log beta and a Newton polish."""
    # beta/12 >= excess near 0 and 1/2 - 1/beta ~ excess near 1/2 bracket the root
    low, high = 12 * excess, 12 * excess + 1 / (0.5 - excess)
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = _tilted(middle)[0] < excess
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)
