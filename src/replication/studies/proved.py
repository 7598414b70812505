"""Estimates judged by a KL that is known to lie in an interval: only what lies outside is error."""

from __future__ import annotations

import numpy as np

from bonmeter.numerics.validation import FloatArray

__all__ = ["bias", "coverage", "distance", "gap_to_formula", "middle_or_estimate", "rmse"]


def gap_to_formula(formula: FloatArray, kl: FloatArray) -> FloatArray:
    """The analytical formula minus a KL (paper, Theorem 3.1; docs/theory.md#theorem-31).

    Examples:
        >>> gap_to_formula(np.array([2.0]), np.array([1.5])).tolist()
        [0.5]
    """
    return formula - kl


def middle_or_estimate(lower: FloatArray, upper: FloatArray, estimate: FloatArray) -> FloatArray:
    """The middle of a proved interval, or an estimate where there is none (ours).

    See docs/theory.md#bracket-from-the-likeliest-responses.

    Examples:
        >>> known, none = np.array([1.0, 0.0]), np.array([1.5, np.nan])
        >>> middle_or_estimate(known, none, np.array([7.0, 8.0])).tolist()
        [1.25, 8.0]
    """
    return np.where(np.isfinite(upper), (lower + upper) / 2, estimate)


def distance(estimate: FloatArray, lower: float, upper: float) -> FloatArray:
    """Signed distance from the proved interval (ours), 0 inside.

    See docs/theory.md#bracket-from-the-likeliest-responses.

    Examples:
        >>> distance(np.array([0.0, 1.5, 4.0]), 1.0, 2.0).tolist()
        [-1.0, 0.0, 2.0]
    """
    return np.maximum(estimate - upper, 0) - np.maximum(lower - estimate, 0)


def bias(estimate: FloatArray, lower: float, upper: float) -> float:
    """Mean distance from the proved interval (ours).

    See docs/theory.md#bracket-from-the-likeliest-responses.

    Examples:
        >>> bias(np.array([0.0, 4.0]), 1.0, 2.0)
        0.5
    """
    return float(distance(estimate, lower, upper).mean())


def rmse(estimate: FloatArray, lower: float, upper: float) -> float:
    """Root mean square distance from the proved interval (ours).

    See docs/theory.md#bracket-from-the-likeliest-responses.

    Examples:
        >>> rmse(np.array([0.0, 3.0]), 1.0, 2.0)
        1.0
    """
    return float(np.sqrt(np.mean(distance(estimate, lower, upper) ** 2)))


def coverage(ends: tuple[FloatArray, FloatArray], lower: float, upper: float) -> float:
    """Share of confidence intervals that meet the proved one (ours).

    See docs/theory.md#bracket-from-the-likeliest-responses.

    Args:
        ends: lower and upper ends of the intervals.
        lower: of the proved interval.
        upper: of the proved interval.

    Examples:
        >>> coverage((np.array([0.0, 3.0]), np.array([1.5, 4.0])), 1.0, 2.0)
        0.5
    """
    return float(np.mean((ends[0] <= upper) & (ends[1] >= lower)))
