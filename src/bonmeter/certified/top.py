"""The KL bracket of an enumerated top of a policy, with ends that are proved, rounding included."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from flint import arb, ctx

from bonmeter.certified.balls import ONE, ZERO
from bonmeter.certified.enclosures import Enclosure, enclose_margin
from bonmeter.exact.top import TopPolicy
from bonmeter.numerics.validation import as_scalar_n

__all__ = ["certify_kl_bracket", "certify_kl_brackets"]

PRECISION = 128
"""Bits. Rounding, which only widens a bracket, is about n 2^-128 for each block: 1e-22 for 1000
blocks and n = 1e12. 512 bits took 1.7 times as long."""
NEGLIGIBLE = arb(2) ** -80
"""Blocks of which best-of-n draws less are not told from what lies below them."""
NARROWEST = arb(2) ** -120
"""Width over upper end of an interval of which a normalised gap is computed, at least."""


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
    return certify_kl_brackets(top, [n])[0]


def certify_kl_brackets(top: TopPolicy, n: Iterable[float]) -> list[Enclosure]:
    """`certify_kl_bracket` at several n, in less time than one by one (ours).

    See docs/theory.md#bracket-from-the-likeliest-responses.

    Args:
        top: the listed responses.
        n: real numbers from 1 to 1e12.

    Raises:
        ValueError: if an n is anything else.

    Examples:
        >>> certify_kl_brackets(TopPolicy([], log_threshold=-9.0), [1, 2])  # tau is e^-9
        [Enclosure[0.0, 0.0], Enclosure[0.1931471573709499, 0.19314718055994531]]
    """
    with ctx.workprec(PRECISION):
        placed = _placed(top)
        ends = [_ends(placed, arb(as_scalar_n(k))) for k in n]
        return [_enclosure(lower, upper) for lower, upper in ends]


class _Term(NamedTuple):
    """The share of the draws in [a, b] times the normalised gap of an interval; n is not in it."""

    b: arb
    a: arb | None
    """None if it is the same interval."""
    ratio: arb
    """Of the ends of the interval of the gap, the lower over the upper."""
    log_ratio: arb
    """0 where the ratio is: its factor, the n-th power of the ratio, is 0."""
    log_width: arb
    """log(1 - ratio)."""


class _Placed(NamedTuple):
    """The blocks of a top and what lies below them."""

    terms: list[tuple[_Term, _Term | None]]
    """Of each block: its gap is at most the first, and at least the second or 0."""
    rest: arb
    """The most mass below the blocks."""
    tau: arb
    """Of the largest outcome there, at most."""


def _placed(top: TopPolicy) -> _Placed:
    """The share of the draws falls with the mass above a block, the normalised gap rises."""
    shrink, grow = (-arb(top.error)).exp(), arb(top.error).exp()
    above_least = above_most = ZERO
    terms: list[tuple[_Term, _Term | None]] = []
    for block in top.blocks:
        mass = sum((arb(x).exp() for x in block.log_prob), ZERO)
        low, high = mass * shrink, (mass * grow).min(ONE - above_least)
        near, far = _not_below_0(ONE - above_least), ONE - above_most.min(ONE - low)
        most = _most(near, far, high)
        least = _least(near, far, low) if block.known else None
        if top.error == 0 and most.ratio > 0:  # without errors the two are one
            most = least = most._replace(a=None)
        terms.append((most, least))
        above_least, above_most = above_least + low, above_most + high
    tau = arb(top.log_largest_below).exp().min(ONE)
    return _Placed(terms, _not_below_0(ONE - above_least), tau)


# Of a block of this mass whose upper end lies between far and near. Where a lower end rounds to a
# ball that holds 0, what makes the bound hold is taken for it.


def _most(near: arb, far: arb, mass: arb) -> _Term:
    a_far = far - mass
    ratio = a_far / far if a_far > 0 else ZERO
    return _term(near, near - mass, ratio if ONE - ratio > NARROWEST else ZERO)


def _least(near: arb, far: arb, mass: arb) -> _Term | None:
    a_near, a_far = _not_below_0(near - mass), _not_below_0(far - mass)
    ratio = a_near / near
    return _term(far, a_far, ratio) if ONE - ratio > NARROWEST and a_far < far else None


def _not_below_0(end: arb) -> arb:
    return end if end > 0 else end.max(ZERO).upper()


def _term(b: arb, a: arb, ratio: arb) -> _Term:
    log_ratio = ratio.log() if ratio > 0 else ZERO
    return _Term(b, a if a > 0 else ZERO, ratio, log_ratio, (ONE - ratio).log())


def _ends(top: _Placed, n: arb) -> tuple[arb, arb]:
    if n == 1:
        return ZERO, ZERO
    formula = n.log() - (n - 1) / n
    most = least = ZERO
    for most_term, least_term in top.terms:
        below = most_term.b**n
        if below < NEGLIGIBLE:
            # cutting an interval lowers its gap: that of all below is at most the formula's share
            return formula - most - below * formula, formula - least
        gap = _gap(most_term, n, formula, below)
        most += gap
        if least_term is not None:
            least += (
                gap if least_term is most_term else _gap(least_term, n, formula, least_term.b**n)
            )
    return formula - most - _gap_below(top, n, formula), formula - least


def _gap(term: _Term, n: arb, formula: arb, below: arb) -> arb:
    """Written with powers rather than exponentials: half of the time, for the same digits."""
    power = term.ratio**n
    beyond = 1 - power
    mean = beyond.log() - term.log_width
    normalised = formula - (n - 1) * term.log_ratio * power / beyond - mean
    return (below * beyond if term.a is None else below - term.a**n) * normalised


def _gap_below(top: _Placed, n: arb, formula: arb) -> arb:
    """The most that the outcomes below the blocks can contribute to the gap."""
    rest, tau = top.rest.upper(), top.tau
    if not rest > 0:
        return ZERO
    bound = (rest**n * formula).min(tau * n * rest ** (n - 1) / 6)
    if rest > tau:
        power = n - 2
        area = (rest / tau).log() if power == 0 else (rest**power - tau**power) / power
        first = (2 * tau).min(rest) ** n * formula
        bound = bound.min(first + tau**2 * n * (n - 1) ** 2 * area / 24)
    return bound


def _enclosure(lower: arb, upper: arb) -> Enclosure:
    """The KL is not below 0."""
    least, most = enclose_margin(lower.lower()).lower, enclose_margin(upper.upper()).upper
    return Enclosure(max(least, Fraction(0)), max(most, Fraction(0)))
