"""How uncertain the KL gap of a pool is: variance, curvature, degrees of freedom (ours).

The masses of a pool's segments are estimates with known variances that together sum to 1. The gap
is taken as a quadratic function of them. Derivations: docs/theory.md, "Uncertainty of the gap".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.gaps import CONTINUUM, pieces_of, second_slopes
from bonmeter.pools.layout import ROUNDING, Segments, pool_cumsum, pool_sum

__all__ = ["Gap", "deviations", "gap_and_error", "unseen_class"]


class Gap(NamedTuple):
    """The estimated KL gap of each pool and what its uncertainty is made of; shape (pools,)."""

    gap: FloatArray
    """In nats, corrected for its curvature in the estimated masses."""
    error: FloatArray
    """Standard error by the delta method, given that the masses sum to 1."""
    curvature: FloatArray
    """Second derivative of the gap along the steepest change of the masses, one standard error of
    them being the unit."""
    residual: FloatArray
    """Standard deviation of what is not along that change."""
    df: FloatArray
    """Satterthwaite's degrees of freedom of `error`; inf where every response is seen."""


def gap_and_error(segments: Segments, n: int) -> Gap:
    """The KL gap of each pool and its uncertainty.

    Args:
        segments: of one or several pools.
        n: a whole number >= 2.

    Examples:
        >>> from bonmeter.pools.identity import as_log_probs, distinct_responses
        >>> from bonmeter.pools.layout import segments_of
        >>> log_probs = as_log_probs(np.log([[0.5, 0.5]]), None)
        >>> segments = segments_of(distinct_responses(log_probs, np.array([[0.0, 1.0]])))
        >>> found = gap_and_error(segments, 2)
        >>> float(found.gap[0].round(12)), float(found.error[0])  # all seen: exact
        (0.062335144619, 0.0)
    """
    pieces = pieces_of(segments, n)
    part = pieces.number * pieces.gap
    effect = pieces.growth - _up_to(segments, pieces.number * pieces.shift)
    variance = segments.variance
    mean = _total(segments, variance * effect) / _positive(_total(segments, variance))
    effect -= mean[segments.pool]
    share = variance * effect**2
    squared = _total(segments, share)
    steepest = variance * effect / np.sqrt(_positive(squared))[segments.pool]
    bias, curvature, scatter = _curvature(segments, n, steepest)
    # nothing tells how mass smaller than its seen neighbour divides into outcomes
    unknown = _total(segments, np.where(segments.bounded, part, 0.0))
    # across the steepest change, the squared slopes exceed the true ones by twice this on average
    across = np.maximum(2 * scatter - 0.5 * curvature**2, 0.0)
    error, residual = np.sqrt(np.maximum(squared - 2 * across, 0.0)), np.sqrt(across + unknown**2)
    # a Poisson number of like terms tells its variance as twice as many squared normals would
    moves = squared > ROUNDING**2
    still = np.where(segments.classes == 1, 1.0, _total(segments, segments.terms))
    like = squared**2 / _positive(_total(segments, share**2 / segments.terms))
    df = 2 * np.maximum(np.where(moves, like, still), 1.0)
    return Gap(
        _total(segments, part) - bias,
        np.where(moves, error, 0.0),
        np.where(moves, curvature, 0.0),
        np.where(moves, residual, unknown),
        np.where(segments.missing > 0, df, np.inf),
    )


def precision_error(segments: Segments, n: int) -> FloatArray:
    """How far the gap can be off because log-probabilities are, to first order, in nats.

    Every seen mass is off by its error in the worst direction, against the unseen mass, which makes
    up for it, or, where there is none, against all; pieces are off as their seen neighbour is.

    Examples:
        >>> from bonmeter.pools.identity import as_log_probs, distinct_responses
        >>> from bonmeter.pools.layout import segments_of
        >>> log_probs = as_log_probs(np.log([[0.5, 0.5]]), 0.01)
        >>> segments = segments_of(distinct_responses(log_probs, np.array([[0.0, 1.0]])))
        >>> float(precision_error(segments, 2)[0].round(4))
        0.0005
    """
    if n == 1 or not (segments.error.any() or segments.piece_error.any()):
        return np.zeros(segments.pools)
    pieces = pieces_of(segments, n)
    effect = pieces.growth - _up_to(segments, pieces.number * pieces.shift)
    weight = np.where((segments.missing > 0)[segments.pool], segments.unseen, segments.mass)
    mean = _total(segments, weight * effect) / _positive(_total(segments, weight))
    apart = segments.error * np.abs(effect - mean[segments.pool])
    pieces_off = pieces.number * pieces.gap * np.expm1(2 * segments.piece_error)
    return _total(segments, apart + np.where(segments.tied, 0.0, pieces_off))


def unseen_class(segments: Segments, chance: float) -> FloatArray:
    """Mass of unseen tie classes that a pool with only one class has missed with this chance.

    Args:
        segments: of one or several pools.
        chance: between 0 and 1.

    Returns:
        Shape (pools,): 1 - chance^(1/N), close to 3/N at 0.05 (the rule of three), or all unseen
        mass if that is less; 0 for pools that show more than one class.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> float(unseen_class(segments_of_ranks(np.ones((1, 100))), 0.05)[0].round(4))
        0.0295
    """
    missed = -np.expm1(np.log(chance) / segments.size)
    return np.where(segments.classes == 1, np.minimum(missed, segments.missing), 0.0)


def deviations(found: Gap, quantile: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far the gap can lie above and below its estimate, both >= 0, in nats.

    To second order the estimate, corrected for its bias, is off by error t + curvature (t^2 - 1)/2
    for masses that are t standard errors off along the steepest change. The range of that for |t|
    up to the quantile is not empty where the gap is flat, unlike a standard error. What is not
    along that change is added in quadrature. A heuristic, which simulation bears out
    (docs/estimators.md).

    Examples:
        >>> one = np.ones(1)
        >>> up, down = deviations(Gap(one, 0.1 * one, 0 * one, 0 * one, 9 * one), 2 * one)
        >>> float(up[0]), float(down[0])  # straight: two standard errors
        (0.2, 0.2)
        >>> up, down = deviations(Gap(one, 0 * one, 0.1 * one, 0 * one, 9 * one), 2 * one)
        >>> float(up[0].round(12)), float(down[0].round(12))  # at a minimum
        (0.15, 0.05)
    """
    _, error, curvature, residual, _ = found
    flat = np.abs(curvature) * quantile > error  # the vertex is within reach
    vertex = np.where(flat, -error / np.where(flat, curvature, 1.0), quantile)
    steps = np.stack([-quantile, vertex, quantile])
    moves = error * steps + 0.5 * curvature * (steps**2 - 1)
    other = quantile * residual
    up, down = np.maximum(moves.max(axis=0), 0.0), np.maximum(-moves.min(axis=0), 0.0)
    return np.hypot(up, other), np.hypot(down, other)


def _curvature(
    s: Segments, n: int, steepest: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Second-order terms of the gap in the ends of tied outcomes.

    Returns:
        Their mean; the second derivative along the change `steepest` of the masses; the sum over
        the ends of the squared mean, half of the variance of the terms if the ends are independent.
    """
    total = _total(s, s.variance)[s.pool]
    to_end, move = _up_to(s, s.variance), _up_to(s, steepest)
    tied = np.flatnonzero(s.tied & (s.variance > 0) & (n * s.piece > CONTINUUM))
    pool, v_low, v_high, v = s.pool[tied], (to_end - s.variance)[tied], to_end[tied], total[tied]
    # the ends are sums of masses that together sum to 1
    at_low, at_high, both = (
        v_low * (1 - v_low / v),
        v_high * (1 - v_high / v),
        v_low * (1 - v_high / v),
    )
    lower, upper = np.maximum(s.start[tied], 1e-300), s.start[tied] + s.mass[tied]
    low_low, low_high, high_high = second_slopes(n, lower, upper, s.mass[tied])
    low_low = np.where(at_low > 0, low_low, 0.0)
    move_low, move_high = (move - steepest)[tied], move[tied]
    curvature = (
        low_low * move_low**2 + 2 * low_high * move_low * move_high + high_high * move_high**2
    )
    low = 0.5 * (low_low * at_low + low_high * both)
    high = 0.5 * (high_high * at_high + low_high * both)
    # the lower end of an outcome is the upper end of a neighbour before it
    follows = np.zeros(tied.size, dtype=np.bool_)
    follows[1:] = (np.diff(tied) == 1) & (np.diff(pool) == 0)
    at_end = high.copy()
    at_end[:-1] += np.where(follows, low, 0.0)[1:]
    squares = at_end**2 + np.where(follows, 0.0, low) ** 2
    return (
        pool_sum(pool, low + high, s.pools),
        pool_sum(pool, curvature, s.pools),
        pool_sum(pool, squares, s.pools),
    )


def _total(s: Segments, values: FloatArray) -> FloatArray:
    return pool_sum(s.pool, values, s.pools)


def _up_to(s: Segments, values: FloatArray) -> FloatArray:
    return pool_cumsum(s.pool, values, s.pools)


def _positive(values: FloatArray) -> FloatArray:
    return np.maximum(values, np.finfo(np.float64).tiny)
