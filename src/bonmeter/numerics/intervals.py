"""Where an outcome lies in [0, 1]: logarithms of its ends, accurate near 0 and near 1 alike."""

from __future__ import annotations

import numpy as np

from bonmeter.numerics.validation import FloatArray

__all__ = ["SMALLEST_ACCURATE", "log_cdf_and_step", "row_sums_before", "sum_before"]

SMALLEST_ACCURATE = 1e-290
"""Below this mass float64 loses relative precision, so cumulative sums are kept in logarithms."""

# Sums before an entry are made of sums of rows: a handful of roundings, not one for each entry.
_ROW = 64


def log_cdf_and_step(
    log_mass: FloatArray, below: FloatArray, above: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """log F and the step log(F/(F-p)) of outcomes given by the masses below and above each.

    Each end of [0, 1] is seen from the tail that is accurate there. The outcomes are in increasing
    order; those with less than `SMALLEST_ACCURATE` below them, if any, begin with the lowest.

    Examples:
        >>> below, above = np.array([0, 0.5]), np.array([0.5, 0])
        >>> log_cdf, step = log_cdf_and_step(np.log([0.5, 0.5]), below, above)
        >>> np.exp(log_cdf).tolist(), np.exp(step).tolist()
        ([0.5, 1.0], [inf, 2.0])
    """
    mass = np.exp(log_mass)
    cdf = below + mass
    upper = above <= 0.5
    log_cdf = np.log1p(-above, where=upper, out=np.empty_like(above))
    tiny = int(np.searchsorted(cdf, SMALLEST_ACCURATE))
    np.log(cdf, where=~upper & (cdf > 0), out=log_cdf)
    log_cdf[:tiny] = np.logaddexp.accumulate(log_mass[:tiny])
    tiny = int(np.searchsorted(below, SMALLEST_ACCURATE))
    step = np.full_like(mass, np.inf)
    step[1:tiny] = np.logaddexp(0.0, log_mass[1:tiny] - log_cdf[: max(tiny - 1, 0)])
    step[tiny:] = np.log1p(mass[tiny:] / below[tiny:])
    return log_cdf, step


def sum_before(values: FloatArray) -> FloatArray:
    """Sum of the entries before each entry, to about 1e-15 relative if none is negative.

    Examples:
        >>> sum_before(np.array([1.0, 2.0, 3.0])).tolist()
        [0.0, 1.0, 3.0]
    """
    if values.size <= _ROW:
        return row_sums_before(values)
    rows = np.pad(values, (0, -values.size % _ROW)).reshape(-1, _ROW)
    before = row_sums_before(rows)
    before += sum_before(rows.sum(axis=1))[:, None]
    return before.ravel()[: values.size]


def row_sums_before(rows: FloatArray) -> FloatArray:
    """The same along the last axis, one entry after the other.

    Examples:
        >>> row_sums_before(np.array([[1.0, 2.0, 3.0]])).tolist()
        [[0.0, 1.0, 3.0]]
    """
    before = np.zeros_like(rows)
    np.cumsum(rows[..., :-1], axis=-1, out=before[..., 1:])
    return before
