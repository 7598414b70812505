"""Where best-of-n lies between win rate and KL, certified against two curves through (1/2, 0).

One is the least KL of any policy at each win rate (`bestofn.tradeoff.optimal_kl`): nothing beats
it. The other is best-of-n without atoms: the best-of-n of a discrete policy can beat that one.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from flint import arb, ctx, fmpq

from bestofn._validation import as_n
from bestofn.certify import BallPolicy, Enclosure, enclose
from bestofn.policy import Policy
from bestofn.tradeoff import tilt_with_advantage

__all__ = ["continuous_curve_margin", "frontier_margin"]

RADII = (1e-30, 1e-100, 1e-300)
"""Relative radii of KL and win rate tried in turn: the first suffices unless masses are tiny."""

TOLERANCE = 2.0**-53
"""Largest radius of a margin, relative to its midpoint."""

PRECISION = 4096
"""Bits, for the few operations on a curve: win rate minus 1/2 may be as small as 1e-300."""


def frontier_margin(policy: Policy | BallPolicy, n: float) -> Enclosure:
    """KL of best-of-n minus the least KL of any policy at the same win rate (ours).

    It is proved nonnegative (docs/theory.md); this computes it, in nats, for one policy and n. The
    least KL is the largest over beta of beta W - log((e^beta-1)/beta), concave in beta: its tangent
    at one end of a bracket of the maximiser bounds it from above.

    Args:
        policy: the reference policy, or its `BallPolicy` to share work between calls.
        n: a real number from 1 to 1e12, taken as exact.

    Returns:
        The enclosure, as narrow as a float; exactly [0, 0] if n = 1 or
        there is one outcome (best-of-n is the policy).

    Raises:
        ValueError: if n is not one real number from 1 to 1e12, or a log-mass is below -1e7.
        ArithmeticError: if the win rate is too close to 1/2 to place on the curve.

    Examples:
        >>> frontier_margin(Policy.from_probabilities([0.5, 0.5]), 2).lower_float
        0.03523162273602443
    """
    return _margin(_optimal_kl, policy, n)


def continuous_curve_margin(policy: Policy | BallPolicy, n: float) -> Enclosure:
    """KL of best-of-n minus that of best-of-n' without atoms, real n', at the same win rate (ours).

    Without atoms win rate W = n'/(n'+1) costs log n' - (n'-1)/n' nats. Negative means that the
    discrete policy gets its win rate for less: its point lies above that curve.

    Args:
        policy: the reference policy, or its `BallPolicy` to share work between calls.
        n: a real number from 1 to 1e12, taken as exact.

    Returns:
        The enclosure, as narrow as a float; exactly [0, 0] if n = 1 or
        there is one outcome (best-of-n is the policy).

    Raises:
        ValueError: if n is not one real number from 1 to 1e12, or a log-mass is below -1e7.
        ArithmeticError: if the win rate is too close to 1/2 to place on the curve.

    Examples:
        >>> p = [0.3550, 0.0958, 0.1469, 0.0273, 0.1112, 0.0995, 0.1110, 0.0534]
        >>> continuous_curve_margin(Policy.from_probabilities(p), 2).upper_float < 0
        True
    """
    return _margin(_continuous_kl, policy, n)


def _margin(curve: Callable[[arb], arb], policy: Policy | BallPolicy, n: float) -> Enclosure:
    balls = policy if isinstance(policy, BallPolicy) else BallPolicy(policy)
    if as_n(n) == 1 or balls.size == 1:
        return Enclosure(Fraction(0), Fraction(0))
    for radius in RADII:
        found = enclose(balls, n, ["kl", "win_rate"], radius)
        with ctx.workprec(PRECISION):
            margin = _ball(found["kl"]) - curve(_ball(found["win_rate"]))
            if margin.rad() <= TOLERANCE * abs(margin.mid()):
                return Enclosure(_fraction(margin.lower()), _fraction(margin.upper()))
    raise ArithmeticError(f"win rate at n = {n!r}: too close to 1/2 to place on the curve")


def _continuous_kl(win_rate: arb) -> arb:
    return win_rate.log() - (1 - win_rate).log() - 2 + 1 / win_rate


def _optimal_kl(win_rate: arb) -> arb:
    advantage, shortfall = (win_rate - 0.5).mid(), (1 - win_rate).mid()
    beta = arb(float(tilt_with_advantage(np.array(float(advantage)), np.array(float(shortfall)))))
    low, high = beta * (1 - arb(1e-12)), beta * (1 + arb(1e-12))
    slope = win_rate - _tilted_win_rate(low)
    if not (slope >= 0 and win_rate <= _tilted_win_rate(high)):
        return arb("nan")
    least = low * win_rate - (low.expm1() / low).log()
    return least.union(least + slope * (high - low))


def _tilted_win_rate(beta: arb) -> arb:
    return -1 / (-beta).expm1() - 1 / beta


def _ball(enclosure: Enclosure) -> arb:
    lower, upper = (
        arb(fmpq(*end.as_integer_ratio())) for end in (enclosure.lower, enclosure.upper)
    )
    return lower.union(upper)


def _fraction(exact: arb) -> Fraction:
    mantissa, exponent = map(int, exact.man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent
