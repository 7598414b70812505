"""The KL gap of a pool's segments, piece by piece, and its derivatives (ours).

An outcome is an interval [a, b] of [0, 1] with the gap G(a, b), the integral of g log(g/mean g),
g = n u^(n-1). Unseen mass is made of pieces whose gaps grow like u^(n-3) along a segment.
Derivations: docs/theory.md, "Gap of a segment".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.numerics.kernels import normalised_gap
from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.layout import Segments, pool_sum
from bonmeter.pools.subsets import IndexArray

__all__ = [
    "BELOW_ROUNDING",
    "CONTINUUM",
    "Pieces",
    "gaps_of_pools",
    "pieces_of",
    "second_slopes",
    "slopes",
    "tied_gaps",
]

CONTINUUM = 1e-8
"""Pieces with n p below this have no gap to float64 accuracy."""
BELOW_ROUNDING = 41.0
"""Where F^n is below e^-41 there is no gap to float64 accuracy either."""
FIRST_PIECE = 0.0985
"""e^(6 - 12 log 2): at n = 2 the gap of [0, p] is that of small pieces over [0.0985 p, p]."""


class Pieces(NamedTuple):
    """For each segment: the number of pieces, the gap of one at the centre, and its derivatives."""

    number: FloatArray
    gap: FloatArray
    growth: FloatArray
    """Derivative of the segment's gap in its mass."""
    shift: FloatArray
    """Derivative of one piece's gap when both ends move up."""


def pieces_of(s: Segments, n: int) -> Pieces:
    """The pieces of every segment, at one whole n >= 2.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> halves = pieces_of(segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]])), 2)
        >>> halves.number.tolist(), halves.gap.round(12).tolist()
        ([1.0, 1.0], [0.04828679514, 0.014048349479])
    """
    c = _centred(s, n)
    rise, fall = slopes(n, c.lower, c.upper, c.size)
    # where the slopes cancel, the gap of an outcome of fixed size grows like u^(n-3)
    shift = np.where(n * c.step < 1e-3, c.gap * (n - 3) / c.centre, rise + fall)
    growth = np.where(
        s.tied[c.active] | (s.unseen[c.active] == 0),
        rise,
        c.gap / c.size + 0.5 * c.number * shift,
    )
    full = np.zeros((4, s.mass.size))
    full[:, c.active] = c.number, c.gap, growth, shift
    return Pieces(*full)


def gaps_of_pools(s: Segments, n: int) -> FloatArray:
    """Sum of the gaps of the pieces of each pool, shape (pools,), at one whole n >= 2.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> halves = segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]]))
        >>> gaps_of_pools(halves, 2).round(12).tolist()
        [0.062335144619]
    """
    c = _centred(s, n)
    return pool_sum(s.pool[c.active], c.number * c.gap, s.pools)


class _Centred(NamedTuple):
    """Of the segments with a gap: one piece at the centre."""

    active: IndexArray
    centre: FloatArray
    lower: FloatArray
    upper: FloatArray
    size: FloatArray
    step: FloatArray
    number: FloatArray
    gap: FloatArray


def _centred(s: Segments, n: int) -> _Centred:
    active = np.flatnonzero((n * s.piece > CONTINUUM) & (n * s.log_end > -BELOW_ROUNDING))
    start, mass, p = (column[active] for column in (s.start, s.mass, s.piece))
    centre = np.clip(start + 0.5 * mass, 0.5 * p, 1 - 0.5 * p)
    one = p == mass
    lower = np.where(one, start, centre - 0.5 * p)
    upper = np.where(one, start + mass, centre + 0.5 * p)
    with np.errstate(divide="ignore"):
        step = -np.log1p(-np.minimum(p / upper, 1.0))
    gap = upper**n * -np.expm1(-n * step) * normalised_gap(n, step)
    number = mass / p * np.where(mass > p, _mean_over_centre(n, start, mass, p), 1.0)
    return _Centred(active, centre, lower, upper, p, step, number, gap)


def tied_gaps(s: Segments, n: NDArray[np.int64]) -> FloatArray:
    """Gaps of the segments, each of which is one outcome, at several n.

    Args:
        s: tied segments.
        n: whole numbers >= 2, shape (rows, 1).

    Returns:
        Shape (rows, segments), in nats, to about 1e-15.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> halves = segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]]))
        >>> tied_gaps(halves, np.array([[2]])).round(12).tolist()
        [[0.04828679514, 0.014048349479]]
    """
    upper = np.minimum(s.start + s.mass, 1.0)
    log_ratio, ratio = _ratio(n, s.start, upper, s.mass)
    whole = _integral(n, upper) - _integral(n, np.maximum(s.start, 1e-300))
    return np.maximum(whole - ratio * s.mass * log_ratio, 0.0)


def _integral(n: NDArray[np.int64], u: FloatArray) -> FloatArray:
    """Of g log g from 0 to u."""
    return np.asarray(u**n * (np.log(n) - (n - 1) / n + (n - 1) * np.log(u)))


def _mean_over_centre(n: int, start: FloatArray, mass: FloatArray, p: FloatArray) -> FloatArray:
    """Mean of u^(n-3) over a segment, over its value at the centre."""
    centre = start + 0.5 * mass
    low = np.minimum(np.log(np.maximum(start, FIRST_PIECE * p) / centre), 0.0)
    high = np.log1p(0.5 * mass / centre)
    if n == 2:
        integral = high - low
    else:
        integral = (np.expm1(np.minimum((n - 2) * high, 30.0)) - np.expm1((n - 2) * low)) / (n - 2)
    return np.asarray(integral * centre / mass)


def slopes(
    n: int | NDArray[np.int64], lower: FloatArray, upper: FloatArray, p: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Derivatives of an outcome's gap in its upper and in its lower end.

    Examples:
        >>> whole = np.array([0.0]), np.array([1.0]), np.array([1.0])
        >>> [round(float(slope[0]), 12) for slope in slopes(2, *whole)]  # 2 log 2 - 1, -1
        [0.38629436112, -1.0]
    """
    log_ratio, ratio = _ratio(n, lower, upper, p)
    top, bottom = n * upper ** (n - 1), n * lower ** (n - 1)
    rise = _entropy(top) - top * (log_ratio + 1) + ratio
    fall = -_entropy(bottom) + bottom * (log_ratio + 1) - ratio
    return rise, fall


def _ratio(
    n: int | NDArray[np.int64], lower: FloatArray, upper: FloatArray, p: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """log(pi/p) and pi/p of the outcome [lower, upper]."""
    ratio = (upper**n - lower**n) / p
    return np.log(np.maximum(ratio, 1e-300)), ratio


def _entropy(density: FloatArray) -> FloatArray:
    return np.asarray(density * np.log(np.maximum(density, 1e-300)))


def second_slopes(
    n: int | NDArray[np.int64], lower: FloatArray, upper: FloatArray, p: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Second derivatives of an outcome's gap: twice in the lower end, mixed, twice in the upper.

    Examples:
        >>> upper_half = np.array([0.5]), np.array([1.0]), np.array([0.5])
        >>> low, mixed, high = second_slopes(2, *upper_half)
        >>> [round(float(each[0]), 6) for each in (low, mixed, high)]
        [0.477597, -0.333333, 0.242031]
    """
    log_ratio, ratio = _ratio(n, lower, upper, p)
    bottom, top = n * lower ** (n - 1), n * upper ** (n - 1)
    bend_low, bend_high = (n - 1) * bottom / lower, (n - 1) * top / upper
    mass = np.maximum(ratio * p, 1e-300)
    by_low, by_high = 1 / p - bottom / mass, top / mass - 1 / p
    low_low = (
        bend_low * (log_ratio - np.log(np.maximum(bottom, 1e-300))) - (ratio - bottom) * by_low
    )
    high_high = bend_high * (np.log(np.maximum(top, 1e-300)) - log_ratio) - (top - ratio) * by_high
    return low_low, -(top - ratio) * by_low, high_high
