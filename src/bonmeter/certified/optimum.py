"""The tilted optimum in ball arithmetic: the least KL at a win rate, enclosed from both sides."""

from __future__ import annotations

import numpy as np
from flint import arb, ctx
from numpy.typing import NDArray

from bonmeter.certified.balls import HALF, ONE, ZERO, narrowest
from bonmeter.exact.tradeoff import tilt_with_advantage

__all__ = ["best_of_n_curve_kl", "optimal_kl"]

SMALL_ADVANTAGE = arb(2) ** -100
NEWTON_STEPS = 6
"""From the best tilt in float64, of 36 bits or more, to a third of 4096 bits."""


def best_of_n_curve_kl(advantage: arb, shortfall: arb) -> arb:
    """KL at which best-of-n without atoms has win rate 1/2 + advantage = 1 - shortfall (ours).

    It is log(1 + x) - x/(1 + x), where 1 + x draws have that win rate; x^2/2 (1 - O(4x/3)).

    Examples:
        >>> best_of_n_curve_kl(arb(1) / 6, arb(1) / 3).str(10, radius=False)  # log 2 - 1/2
        '0.1931471806'
    """
    x = 2 * advantage / shortfall
    small = x * x / 2 * (ONE - ZERO.union(4 * x / 3))
    return narrowest(x.log1p() - x / (ONE + x), small)


def optimal_kl(advantage: arb, shortfall: arb) -> arb:
    """The largest beta W - log((e^beta - 1)/beta), concave in beta (docs/theory.md, the optimum).

    Value and tangent at the lower end of a bracket of the best beta enclose it. For a tiny
    advantage a = W - 1/2 it lies between 6 a^2 and 6 a^2 (1 + 9 a^2).

    Examples:
        >>> optimal_kl(arb(1) / 6, arb(1) / 3).str(6, radius=False)  # of win rate 2/3
        '0.172647'
    """
    if advantage < SMALL_ADVANTAGE:
        square = advantage * advantage
        return 6 * square * (ONE + ZERO.union(9 * square))
    best = arb(float(tilt_with_advantage(*map(_as_array, (advantage, shortfall)))))
    for _ in range(NEWTON_STEPS):
        variance = ONE / (best * best) - ONE / (2 * (best / 2).sinh()) ** 2
        best = (best + (advantage - _advantage_of_tilt(best)) / variance).mid()
    # the enclosure is about as wide as its square: at 128 bits it is narrow enough for a verdict
    width = arb(2) ** (-ctx.prec // 3)
    low, high = best * (ONE - width), best * (ONE + width)
    least = low * (HALF + advantage) - (low.expm1() / low).log()
    slope = advantage - _advantage_of_tilt(low)
    if slope >= 0 and _advantage_of_tilt(high) >= advantage:
        return least.union(least + slope * (high - low))
    # the win rate is not known well enough yet; best-of-n without atoms attains it
    return least.union(best_of_n_curve_kl(advantage, shortfall))


def _as_array(ball: arb) -> NDArray[np.float64]:
    return np.array(float(ball))


def _advantage_of_tilt(beta: arb) -> arb:
    return HALF * (beta / 2).coth() - ONE / beta
