"""Enclosures: intervals with exact rational ends that provably hold a value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from flint import arb

__all__ = ["Enclosure", "enclose_ball", "enclose_margin"]

_TINY = Fraction(1, 2**1100)


@dataclass(frozen=True, repr=False)
class Enclosure:
    """A closed interval, with exact rational ends, that provably holds a value.

    Attributes:
        lower, upper: the ends; they compare exactly with int, float and Fraction.

    Examples:
        >>> third = Enclosure(Fraction(1, 3), Fraction(1, 3))
        >>> Fraction(1, 3) in third, third.lower < 1 / 3, float(third), third
        (True, False, 0.3333333333333333, Enclosure[0.3333333333333333, 0.33333333333333337])
    """

    lower: Fraction
    upper: Fraction

    def __contains__(self, value: Fraction | float) -> bool:
        """Whether `value`, taken exactly, lies in the interval."""
        return bool(self.lower <= value <= self.upper)

    def __float__(self) -> float:
        """The float nearest to the midpoint."""
        return _nearest_float((self.lower + self.upper) / 2)

    def __repr__(self) -> str:
        """The ends as floats, rounded outward."""
        return f"Enclosure[{self.lower_float!r}, {self.upper_float!r}]"

    @property
    def lower_float(self) -> float:
        """The largest float not above `lower`."""
        nearest = _nearest_float(self.lower)
        return nearest if nearest <= self.lower else math.nextafter(nearest, -math.inf)

    @property
    def upper_float(self) -> float:
        """The smallest float not below `upper`."""
        nearest = _nearest_float(self.upper)
        return nearest if nearest >= self.upper else math.nextafter(nearest, math.inf)


def enclose_ball(ball: arb) -> Enclosure:
    """The interval of a ball, exactly.

    Examples:
        >>> enclose_ball(arb(1) / 4)
        Enclosure[0.25, 0.25]
    """
    middle, radius = _fraction(ball.mid()), _fraction(ball.rad())
    return Enclosure(middle - radius, middle + radius)


def enclose_margin(ball: arb) -> Enclosure:
    """The same, or only the sign of a ball far below the smallest float.

    Exactly, it could be 2^-10^12: a fraction that would fill the memory.

    Examples:
        >>> enclose_margin(arb(2) ** -5000).lower
        Fraction(0, 1)
    """
    if abs(ball) < _TINY.numerator / arb(_TINY.denominator):
        return Enclosure(
            -_TINY if not ball >= 0 else Fraction(0), _TINY if not ball <= 0 else Fraction(0)
        )
    return enclose_ball(ball)


def _fraction(exact: arb) -> Fraction:
    mantissa, exponent = map(int, exact.man_exp())
    if exponent < 0:
        return Fraction(mantissa, 1 << -exponent)
    return Fraction(mantissa << exponent)


def _nearest_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
