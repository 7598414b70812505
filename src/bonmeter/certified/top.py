"""The KL bracket of an enumerated top of a policy, with ends that are proved, rounding included."""

from __future__ import annotations

from flint import arb, ctx

from bonmeter.certified.balls import ONE, ZERO
from bonmeter.certified.enclosures import Enclosure, enclose_ball
from bonmeter.exact.top import Block, TopPolicy
from bonmeter.numerics.validation import as_scalar_n

__all__ = ["certify_kl_bracket"]

PRECISION = 512
"""Bits. The bracket is wider than any rounding at this precision, which only widens it."""


def certify_kl_bracket(top: TopPolicy, n: float) -> Enclosure:
    """`kl_bracket` with exact rational ends, by ball arithmetic (ours).

    The log-probabilities, the threshold, the error and n are taken as exact float64 numbers: given
    that every response's log-probability is within the error and none above the threshold is
    missing, the KL lies in the enclosure (docs/theory.md#bracket-from-the-likeliest-responses).

    Args:
        top: the listed responses.
        n: a real number from 1 to 1e12.

    Raises:
        ValueError: if n is anything else.

    Examples:
        >>> import numpy as np
        >>> top = TopPolicy(np.log([0.5, 0.25]), log_threshold=np.log(0.25))
        >>> bracket = certify_kl_bracket(top, 2)  # the rest may be 1/4 or any smaller parts
        >>> round(bracket.lower_float, 4), round(bracket.upper_float, 4)
        (0.1635, 0.1756)
    """
    as_scalar_n(n)
    with ctx.workprec(PRECISION):
        lower, upper = (enclose_ball(end) for end in _ends(top, arb(n)))
    return Enclosure(max(lower.lower, 0 * lower.lower), max(upper.upper, 0 * upper.upper))


def _ends(top: TopPolicy, n: arb) -> tuple[arb, arb]:
    if n == 1:
        return ZERO, ZERO
    shrink, grow = (-arb(top.error)).exp(), arb(top.error).exp()
    formula = n.log() - (n - 1) / n
    above_least = above_most = most = least = ZERO
    for block in top.blocks:
        mass = _mass(block)
        low, high = mass * shrink, (mass * grow).min(ONE - above_least)
        above_far = above_most.min(ONE - low)
        most += _share(n, above_least, high) * _most_gap(n, formula, above_far, high)
        if block.known:
            least += _least_share(n, above_far, low) * _least_gap(n, formula, above_least, low)
        above_least, above_most = above_least + low, above_most + high
    most += _gap_below(top, n, formula, ONE - above_least)
    return formula - most, formula - least


def _mass(block: Block) -> arb:
    return sum((arb(x).exp() for x in block.log_prob), ZERO)


def _gap_below(top: TopPolicy, n: arb, formula: arb, rest: arb) -> arb:
    """The most that the outcomes below the blocks can contribute to the gap."""
    rest, tau = rest.max(ZERO).upper(), arb(top.log_largest_below).exp().min(ONE)
    if not rest > 0:
        return ZERO
    bound = (rest**n * formula).min(tau * n * rest ** (n - 1) / 6)
    if rest > tau:
        power = n - 2
        area = (rest / tau).log() if power == 0 else (rest**power - tau**power) / power
        first = (2 * tau).min(rest) ** n * formula
        bound = bound.min(first + tau**2 * n * (n - 1) ** 2 * area / 24)
    return bound


# Below an interval [a, b] with b = 1 - above and a = b - mass. Where a rounds to a ball that holds
# 0, the end of the ball is used that makes the bound hold.


def _share(n: arb, above: arb, mass: arb) -> arb:
    """b^n - a^n, at most."""
    b, a = ONE - above, (ONE - above - mass).lower()
    return b**n - a**n if a > 0 else b**n


def _least_share(n: arb, above: arb, mass: arb) -> arb:
    b, a = ONE - above, (ONE - above - mass).upper()
    if not (a < b and b > 0):
        return ZERO
    return b**n - a**n if a > 0 else b**n


def _most_gap(n: arb, formula: arb, above: arb, mass: arb) -> arb:
    """The normalised gap, which falls with a/b."""
    b, a = ONE - above, (ONE - above - mass).lower()
    return _normalised(n, formula, a / b) if a > 0 and b > a else formula


def _least_gap(n: arb, formula: arb, above: arb, mass: arb) -> arb:
    b, a = ONE - above, (ONE - above - mass).upper()
    if not a < b:
        return ZERO
    return _normalised(n, formula, a / b) if a > 0 else formula


def _normalised(n: arb, formula: arb, ratio: arb) -> arb:
    """Written with a power rather than exponentials: half of the time, for the same digits."""
    power = ratio**n
    mean = (1 - power) / (1 - ratio)
    return formula - (n - 1) * ratio.log() * power / (1 - power) - mean.log()
