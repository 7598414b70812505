"""The KL gap of a pool, corrected for its bias, and how uncertain it is (ours).

The masses of a pool's segments are estimates with known variances that together sum to 1. The gap
is taken as a quadratic function of them. Derivations: docs/theory.md, "Uncertainty of the gap".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.exact.estimator import kl_estimator
from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.gaps import (
    BELOW_ROUNDING,
    CONTINUUM,
    gaps_of_pools,
    pieces_of,
    second_slopes,
    tied_gaps,
)
from bonmeter.pools.layout import (
    COUNTED,
    ROUNDING,
    BoolArray,
    Segments,
    of_segments,
    pool_cumsum,
    pool_sum,
    sorted_sum,
    subset,
)

__all__ = [
    "Effects",
    "Error",
    "Uncertain",
    "as_drawn",
    "corrected_gaps",
    "effects_of",
    "gap_error",
    "one_class_kl",
    "precision_error",
    "uncertain",
    "without_hidden",
]

MOSTLY = 0.999
"""Share of the squared error that tie classes must hold for the inverted test, which takes the rest
as linear: with 0.99 it covered 93 % where Student's t on a logit covers 95 %."""
AS_DRAWN = 1.2
"""Parts of unseen mass up to so many times 1/N are like draws."""
PARTS = 5.0
"""Of larger ones so many make a mass that is known as if it was drawn."""
BLOCK = 1 << 18
"""Numbers computed at a time, which bounds the memory."""


def corrected_gaps(s: Segments, n: NDArray[np.int64]) -> FloatArray:
    """The KL gap of each pool, from 0 to the formula, less its bias of second order.

    Args:
        s: segments of one or several pools.
        n: whole numbers >= 2, one dimension.

    Returns:
        Shape of `n` followed by (pools,), in nats.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> halves = segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]]))
        >>> corrected_gaps(halves, np.array([2])).round(6).tolist()  # without bias 0.062335
        [[0.035339]]
    """
    tied, loose = subset(s, s.tied), subset(s, ~s.tied & (n.max(initial=0) * s.piece > CONTINUUM))
    gaps = np.zeros((n.size, s.pools))
    if loose.pool.size:
        for row, k in zip(gaps, n.tolist(), strict=True):
            row += gaps_of_pools(loose, k)
    if tied.pool.size:
        rows = max(1, BLOCK // tied.pool.size)
        variances = _end_variances(s)
        for start in range(0, n.size, rows):
            block = n[start : start + rows, None]
            values = tied_gaps(tied, block) - _bias(tied, variances, block)
            gaps[start : start + rows] += _sums(tied, values)
    return np.clip(gaps, 0.0, analytical_kl(n)[:, None])


def _end_variances(s: Segments) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of each tied outcome: variances of its lower and its upper end, and their covariance.

    The ends are sums of masses that together sum to 1.
    """
    total = _total(s, s.variance)[s.pool]
    upper = pool_cumsum(s.pool, s.variance, s.pools)
    lower, share = upper - s.variance, upper / _positive(total)
    ends = lower * (1 - lower / _positive(total)), upper * (1 - share), lower * (1 - share)
    low, high, both = (end[s.tied] for end in ends)
    return low, high, both


def _bias(
    tied: Segments, variances: tuple[FloatArray, FloatArray, FloatArray], n: NDArray[np.int64]
) -> FloatArray:
    """Mean of the terms of second order in the ends of tied outcomes, shape (n, outcomes)."""
    low, high, both = variances
    lower = np.maximum(tied.start, 1e-300)
    low_low, low_high, high_high = second_slopes(n, lower, tied.start + tied.mass, tied.mass)
    low_low = np.where(low > 0, low_low, 0.0)
    return np.asarray(0.5 * (low_low * low + 2 * low_high * both + high_high * high))


def _sums(s: Segments, values: FloatArray) -> FloatArray:
    """Sums over the outcomes of each pool, shape (rows, pools)."""
    rows = np.arange(len(values))[:, None] * s.pools
    flat = np.bincount((rows + s.pool).ravel(), values.ravel(), minlength=len(values) * s.pools)
    return flat.astype(np.float64, copy=False).reshape(len(values), s.pools)


class Error(NamedTuple):
    """The uncertainty of the gap of each pool, by the delta method; shape (pools,)."""

    error: FloatArray
    """Standard error, given that the masses sum to 1."""
    df: FloatArray
    """Satterthwaite's degrees of freedom of `error`; inf where every response is seen."""
    drawn: BoolArray
    """Whether most of it is that of tie classes whose unseen mass is one of its parts at least, so
    that it is known as if it was drawn."""


class Uncertain(NamedTuple):
    """Segments, and what of their uncertainty does not depend on n."""

    segments: Segments
    variance: FloatArray
    """Of each pool, shape (pools,)."""
    alike: FloatArray
    """Number of like terms of each segment's variance."""
    drawn: BoolArray
    """As `as_drawn`."""
    weight: FloatArray
    """What makes up for errors of the seen masses: the unseen mass or, where there is none, all."""


def uncertain(s: Segments) -> Uncertain:
    """The segments, for `gap_error` and `precision_error` at several n.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> uncertain(segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]]))).variance.tolist()
        [0.25]
    """
    weight = np.where(of_segments(s, s.missing > 0), s.unseen, s.mass)
    return Uncertain(s, _total(s, s.variance), _alike(s), as_drawn(s), weight)


class Effects(NamedTuple):
    """What the masses of the segments do to the gap of their pool at one n."""

    gap: FloatArray
    """Of each segment."""
    effect: FloatArray
    """Derivative of the gap of the pool in the mass of the segment."""


def effects_of(s: Segments, n: int) -> Effects:
    """Gaps and first derivatives.

    Args:
        s: segments of one or several pools.
        n: a whole number >= 2.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> halves = segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]]))
        >>> effects_of(halves, 2).gap.round(12).tolist()
        [0.04828679514, 0.014048349479]
    """
    pieces = pieces_of(s, n)
    moved = pool_cumsum(s.pool, pieces.number * pieces.shift, s.pools)
    return Effects(pieces.number * pieces.gap, pieces.growth - moved)


def gap_error(u: Uncertain, found: Effects) -> Error:
    """The uncertainty of the KL gap of each pool, to first order.

    Args:
        u: segments of one or several pools.
        found: their effects at one n.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> halves = segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]]))
        >>> error = gap_error(uncertain(halves), effects_of(halves, 2))
        >>> float(error.error[0].round(6)), float(error.df[0])  # two draws in each class
        (0.024653, 8.0)
    """
    s = u.segments
    mean = _total(s, s.variance * found.effect) / _positive(u.variance)
    share = s.variance * (found.effect - of_segments(s, mean)) ** 2
    squared = _total(s, share)
    # nothing tells how mass smaller than its seen neighbour divides into outcomes
    unknown = _total(s, found.gap * s.bounded)
    # a Poisson number of like terms tells its variance as twice as many squared normals would
    moves = squared > ROUNDING**2
    still = np.where(s.classes == 1, 1.0, s.contributions)
    like = squared**2 / _positive(_total(s, share**2 / u.alike))
    df = 2 * np.maximum(np.where(moves, like, still), 1.0)
    error = np.hypot(np.where(moves, np.sqrt(squared), 0.0), unknown)
    # where the slope is 0 the inverted test still sees the curvature, if there is any class
    mostly = (MOSTLY * squared <= _total(s, share * u.drawn)) & (
        _total(s, u.drawn.astype(np.float64)) > 0
    )
    return Error(error, np.where(s.missing > 0, df, np.inf), mostly)


def _alike(s: Segments) -> FloatArray:
    """Number of like terms of each segment's variance: of responses seen, or unseen if fewer.

    A class of which a response or two are unseen has a mass that moves by steps, however many
    of its responses are seen.
    """
    parts = s.unseen**2 / _positive(s.variance)
    return np.where(s.tied, np.clip(parts, 0.5, s.terms), s.terms)


def as_drawn(s: Segments) -> BoolArray:
    """Classes whose unseen mass is known as if it was drawn.

    It is one draw's share at least, or several of its parts: one or two missed responses of some
    size would move it by steps.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> as_drawn(segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0, 2.0]]))).tolist()
        [True, True, False, False]
    """
    each = s.variance / _positive(s.unseen)
    many = s.unseen >= np.where(each <= AS_DRAWN / s.size, 1 / COUNTED, PARTS) * each
    return np.asarray(s.tied & many)


def without_hidden(s: Segments, n: int) -> Segments:
    """The same uncertainty at this n and above from fewer segments.

    Those that best-of-n does not see, F^n being below rounding, are one segment for each pool, or
    two: the tie classes that are known as if drawn, and the rest.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> thirds = segments_of_ranks(np.repeat([[0.0, 1.0, 2.0]], 20, axis=1))
        >>> without_hidden(thirds, 200).mass.round(3).tolist()
        [0.667, 0.333]
    """
    hidden = n * s.log_end < -BELOW_ROUNDING
    if 2 * hidden.sum() < hidden.size:
        return s
    drawn = as_drawn(s)
    groups, group = np.unique(2 * s.pool[hidden] + drawn[hidden], return_inverse=True)

    def added(values: FloatArray) -> FloatArray:
        return pool_sum(group, values[hidden], groups.size)

    none, variance = np.zeros(groups.size), added(s.variance)
    merged = {
        "pool": groups // 2,
        "start": none,
        "log_end": np.full(groups.size, -BELOW_ROUNDING / n) * (1 + 1e-9),
        "mass": added(s.mass),
        "piece": none,
        "tied": groups % 2 == 1,
        "bounded": none > 0,
        "variance": variance,
        "terms": np.maximum(variance**2 / _positive(added(s.variance**2 / _alike(s))), 0.5),
        "unseen": added(s.unseen),
        "error": added(s.error),
        "piece_error": none,
    }
    pool = np.concatenate([merged["pool"], s.pool[~hidden]])
    order = np.argsort(pool, kind="stable")
    columns: dict[str, Any] = {
        name: np.concatenate([values, getattr(s, name)[~hidden]])[order]
        for name, values in merged.items()
    }
    return s._replace(**columns)


def precision_error(u: Uncertain, found: Effects) -> FloatArray:
    """How far the gap can be off because log-probabilities are, to first order, in nats.

    Every seen mass is off by its error in the worst direction, against the unseen mass, which makes
    up for it, or, where there is none, against all; pieces are off as their seen neighbour is.

    Args:
        u: segments of one or several pools.
        found: their effects at one n.

    Examples:
        >>> from bonmeter.pools.identity import as_log_probs, distinct_responses
        >>> from bonmeter.pools.layout import segments_of
        >>> log_probs = as_log_probs(np.log([[0.5, 0.5]]), 0.01)
        >>> segments = segments_of(distinct_responses(log_probs, np.array([[0.0, 1.0]])))
        >>> float(precision_error(uncertain(segments), effects_of(segments, 2))[0].round(4))
        0.0005
    """
    s = u.segments
    if not (s.error.any() or s.piece_error.any()):
        return np.zeros(s.pools)
    mean = _total(s, u.weight * found.effect) / _positive(_total(s, u.weight))
    apart = s.error * np.abs(found.effect - of_segments(s, mean))
    pieces_off = found.gap * np.expm1(2 * s.piece_error)
    return _total(s, apart + np.where(s.tied, 0.0, pieces_off))


def one_class_kl(s: Segments, n: int, chance: float) -> FloatArray:
    """Largest KL of pools that show one class, if they missed others with at least this chance.

    The mass missed is 1 - chance^(1/N), close to 3/N at 0.05 (the rule of three), or all unseen
    mass if that is less; it lies above the class, or below it.

    Args:
        s: segments of one or several pools.
        n: a whole number >= 1.
        chance: strictly between 0 and 1.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> found = one_class_kl(segments_of_ranks(np.ones((1, 100))), 20, 0.05)
        >>> float(found[0].round(6)), float((analytical_kl(20) * (1 - 0.05**0.2)).round(6))
        (0.922052, 0.922052)
    """
    missed = np.minimum(-np.expm1(np.log(chance) / s.size), s.missing)
    above = -analytical_kl(n) * np.expm1(n * np.log1p(-missed))
    return np.asarray(np.maximum(above, kl_estimator(np.log1p(-missed), n)))


def _total(s: Segments, values: FloatArray) -> FloatArray:
    return sorted_sum(s, values)


def _positive(values: FloatArray) -> FloatArray:
    return np.maximum(values, np.finfo(np.float64).tiny)
