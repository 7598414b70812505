"""A policy, and best-of-n of it at one n, in ball arithmetic (Arb, by python-flint).

A policy is taken at its word: `Policy.log_mass` and n are exact float64 numbers and the masses are
exp(log_mass) normalised to sum to 1. Every step after that rounds outward, so that a ball holds the
true value whatever the cancellation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import accumulate, pairwise
from operator import mul
from typing import TypeVar, cast

import numpy as np
from flint import arb, ctx

from bonmeter.numerics.validation import reject_entries
from bonmeter.policies.listed import Policy

__all__ = ["HALF", "ONE", "ZERO", "BallPolicy", "BestOfN", "Masses", "dot", "narrowest"]

Value = TypeVar("Value")

LOWEST_LOG_MASS = -1e7
"""Enclosures are exact fractions: below this their denominators would fill the memory."""

ZERO, ONE, HALF = arb(0), arb(1), arb(0.5)


class BallPolicy:
    """A policy in ball arithmetic: hand it in place of the policy to share work between calls.

    Args:
        policy: the reference policy, L outcomes; its float64 `log_mass` is taken as exact.

    Raises:
        ValueError: if a log-mass is below -1e7.
    """

    def __init__(self, policy: Policy) -> None:
        log_mass = policy.log_mass
        reject_entries(
            "log_mass", log_mass, log_mass < LOWEST_LOG_MASS, f"at least {LOWEST_LOG_MASS:g}"
        )
        self.log_mass: list[float] = log_mass.tolist()
        self.size = len(self.log_mass)
        self.uniform = bool(np.all(log_mass == log_mass[0]))
        self._at: dict[int, Masses] = {}

    def at(self, precision: int) -> Masses:
        """The masses and their tails at `precision` bits, computed once."""
        if precision not in self._at:
            with ctx.workprec(precision):
                self._at[precision] = Masses(self.log_mass)
        return self._at[precision]


class Masses:
    """Masses, both tails and their logarithms, all to full relative accuracy.

    Each tail is a sum of positive balls from its own end, so nothing cancels near 0 or 1.
    """

    def __init__(self, log_mass: list[float]) -> None:
        self.log_mass = log_mass
        # with the largest weight exactly 1, one outcome has mass exactly 1
        max_log_mass = max(log_mass)
        largest = arb(max_log_mass)
        weights = [(arb(x) - largest).exp() for x in log_mass]
        total = sum(weights, ZERO)
        self.mass = p = [w / total for w in weights]
        self.delta = ONE / total
        self.likeliest = log_mass.index(max_log_mass)
        self.below = below = list(accumulate(p[:-1], initial=ZERO))
        above = list(accumulate(p[:0:-1], initial=ZERO))[::-1]
        self.cdf = [ONE - s if s < HALF else a + x for a, x, s in zip(below, p, above, strict=True)]
        self.log_cdf = [
            (-s).log1p() if s < HALF else c.log() for c, s in zip(self.cdf, above, strict=True)
        ]
        # from the second outcome on: F_{i-1}/p_i and log(F_i/F_{i-1})
        self.below_ratio = [a / x for a, x in zip(below[1:], p[1:], strict=True)]
        self.step = [(x / a).log1p() for a, x in zip(below[1:], p[1:], strict=True)]
        self.rest = [a + s for a, s in zip(below, above, strict=True)]
        self.log_top = p[-1].log() if p[-1] < HALF else (-self.rest[-1]).log1p()
        self.square = [x * x for x in p]

    @cached_property
    def log_rest(self) -> list[arb]:
        """log(1 - p_i), for two outcomes or more."""
        return [
            (-p).log1p() if p < HALF else rest.log()
            for p, rest in zip(self.mass, self.rest, strict=True)
        ]


class BestOfN:
    """Best-of-n of one policy at one n: the arrays and values that its quantities share.

    Args:
        masses: of the policy, at the working precision.
        n: a real number from 1 to 1e12, taken as exact.
    """

    def __init__(self, masses: Masses, n: float) -> None:
        self.masses = masses
        self.n = arb(n)
        self.kappa = self.n - 1
        self._values: dict[Callable[[BestOfN], object], object] = {}

    def once(self, formula: Callable[[BestOfN], Value]) -> Value:
        """The value of a formula, a ball or several, computed once."""
        if formula not in self._values:
            self._values[formula] = formula(self)
        return cast(Value, self._values[formula])

    @cached_property
    def power(self) -> list[arb]:
        """F_i^(n-1)."""
        return [(self.kappa * x).exp() for x in self.masses.log_cdf]

    @cached_property
    def excess(self) -> list[arb]:
        """pi_i/(p_i F_i^(n-1)) - 1 = (1 - (F_{i-1}/F_i)^(n-1)) F_{i-1}/p_i."""
        terms = zip(self.half_drop, self.masses.below_ratio, strict=True)
        return [ZERO, *(-h * (h + 2) * ratio for h, ratio in terms)]

    @cached_property
    def half_drop(self) -> list[arb]:
        """(F_{i-1}/F_i)^((n-1)/2) - 1, from the second outcome on."""
        half = -self.kappa / 2
        return [(half * s).expm1() for s in self.masses.step]

    @cached_property
    def pmf(self) -> list[arb]:
        """pi_i = F_i^n - F_{i-1}^n."""
        terms = zip(self.masses.mass, self.power, self.excess, strict=True)
        return [p * f * (ONE + e) for p, f, e in terms]

    @cached_property
    def log_ratio(self) -> list[arb]:
        """log(pi_i/p_i)."""
        terms = zip(self.masses.log_cdf, self.excess, strict=True)
        return [self.kappa * x + e.log1p() for x, e in terms]

    @cached_property
    def relative_change(self) -> list[arb]:
        """pi_i/p_i - 1."""
        return [x.expm1() for x in self.log_ratio]

    @cached_property
    def curvature(self) -> list[arb]:
        """Integral of n (n-1)^2 u^(n-3) over each outcome; the first only if n > 2."""
        scale, order = self.n * self.kappa**2, self.n - 2
        if order == 0:
            return [ZERO, *(scale * s for s in self.masses.step)]
        power = [f / c * scale / order for f, c in zip(self.power, self.masses.cdf, strict=True)]
        return [power[0] if order > 0 else ZERO, *(b - a for a, b in pairwise(power))]


def dot(x: Iterable[arb], y: Iterable[arb]) -> arb:
    """Sum of products.

    Examples:
        >>> dot([arb(1), arb(2)], [arb(3), arb(4)])
        11.0000000000000
    """
    return sum(map(mul, x, y), ZERO)


def narrowest(*balls: arb) -> arb:
    """Of balls that hold the same number, the one of least radius.

    Examples:
        >>> narrowest(arb(1, 0.5), arb(1))
        1.00000000000000
    """
    return min(balls, key=arb.rad)
