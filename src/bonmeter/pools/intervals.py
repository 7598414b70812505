"""KL and its interval from pools laid out in segments, at many n at once (ours).

The estimate is the analytical formula less the gap of the segments, corrected for its bias. The
interval is an inverted test where tie classes hold the uncertainty, else Student's t on a logit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.gaps import CONTINUUM
from bonmeter.pools.inversion import inverted_test, joined, rows_of
from bonmeter.pools.layout import BoolArray, Segments, pool_sum, pools_marked
from bonmeter.pools.subsets import IndexArray
from bonmeter.pools.uncertainty import (
    Error,
    corrected_gaps,
    effects_of,
    gap_error,
    one_class_kl,
    precision_error,
    uncertain,
    without_hidden,
)

__all__ = ["Each", "IntArray", "estimates_of", "interval_of"]

IntArray = NDArray[np.int64]
Each = Callable[[Callable[[Segments], FloatArray], list[Segments]], Iterable[FloatArray]]
"""Does a thing for each part of the work, in order, as `map` does."""

TOGETHER = 1 << 16
"""Segments of the pools of one part of the work, about."""
POOLS = 128
"""Pools of one part of the work, at most: few segments with ties take as long as many without."""

ROWS = 1 << 17
"""Segments times n that are tested together, at most: fewer cost calls, more cost memory."""
WIDEST = 4.0
"""Ends of an interval are at most so many times as far from the estimate as without the logit."""


def estimates_of(s: Segments, n: IntArray) -> FloatArray:
    """KL at each n, shape (n, pools), corrected for bias so that it does not fall in n.

    Only the correction of tie classes can make it fall. On a ladder from 1 to N the estimate is the
    least corrected one from n to N; between two rungs it is the corrected one, within theirs.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> segments = segments_of_ranks(np.repeat([[0.0, 1.0]], [11, 5], axis=1))
        >>> estimates_of(segments, np.array([1, 14, 16])).ravel().round(5).tolist()
        [0.0, 1.12728, 1.12728]
    """
    kl = _corrected(s, n)
    tied = pool_sum(s.pool, s.tied, s.pools) > 0
    if tied.any():
        kl[:, tied] = _rising(pools_marked(s, tied), n, kl[:, tied])
    return kl


def _rising(s: Segments, n: IntArray, kl: FloatArray) -> FloatArray:
    ladder = _ladder(s.size)
    rungs = np.minimum.accumulate(_corrected(s, ladder)[::-1])[::-1]
    low = rungs[np.searchsorted(ladder, n, side="right") - 1]
    return np.clip(kl, low, rungs[np.searchsorted(ladder, n)])


def _corrected(s: Segments, n: IntArray) -> FloatArray:
    kl = np.zeros((n.size, s.pools))
    above = n > 1  # best-of-1 is the policy
    kl[above] = analytical_kl(n[above])[:, None] - corrected_gaps(s, n[above])
    return kl


def _ladder(size: int) -> IntArray:
    return np.unique(np.geomspace(1, size, 2 + 4 * size.bit_length()).astype(np.int64))


def interval_of(
    s: Segments, n: IntArray, quantile: float, each: Each = map
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """The intervals of pools laid out in segments.

    Args:
        s: segments of one or several pools.
        n: whole numbers from 1 to N, one dimension.
        quantile: at which each tail is cut, such as 0.975.
        each: how the parts of the work are done, such as the `map` of a pool of processes. The
            parts are the same whatever does them, and so is the result.

    Returns:
        The estimate, the lower and the upper end, and the degrees of freedom, shape (n, pools).

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> segments = segments_of_ranks(np.repeat([[0.0, 1.0]], [18, 2], axis=1))
        >>> estimate, _, _, df = interval_of(segments, np.array([1, 2]), 0.975)
        >>> estimate.ravel().round(3).tolist(), df.ravel().round(1).tolist()
        ([0.0, 0.038], [inf, 4.9])
    """
    rising, place = np.unique(n, return_inverse=True)
    found = np.full((4, rising.size, s.pools), np.inf)
    simple = _without_gaps(s, int(rising.max(initial=1)))
    found[:3, :, simple] = analytical_kl(rising)[:, None]
    found[3, :, simple] = np.where(s.missing > 0, 2 * s.contributions, np.inf)[simple, None]
    found[3, rising == 1] = np.inf
    others = _parts(np.flatnonzero(~simple), s)
    parts = [pools_marked(s, np.isin(np.arange(s.pools), pools)) for pools in others]
    of_part = partial(_interval, n=rising, quantile=quantile)
    for pools, part in zip(others, each(of_part, parts), strict=True):
        found[:, :, pools] = part
    estimate, lower, upper, df = found[:, place]
    return estimate, lower, upper, df


def _without_gaps(s: Segments, n: int) -> BoolArray:
    """Pools of outcomes too small to matter: their KL is the formula up to this n."""
    gap = pool_sum(s.pool, s.tied | (n * s.piece > CONTINUUM), s.pools) > 0
    return np.asarray(~gap & (s.classes > 1))


def _parts(pools: IndexArray, s: Segments) -> list[IndexArray]:
    """Some pools at a time, of so many segments that they stay near the processor."""
    cost = np.maximum(np.bincount(s.pool, minlength=s.pools)[pools], TOGETHER // POOLS)
    number = (np.cumsum(cost) - 1) // TOGETHER
    return np.split(pools, np.flatnonzero(np.diff(number)) + 1) if pools.size else []


def _interval(s: Segments, n: IntArray, quantile: float) -> FloatArray:
    """Estimate, ends and degrees of freedom of pools at rising n, shape (4, n, pools)."""
    estimate = estimates_of(s, n)
    lower, upper, df = estimate.copy(), estimate.copy(), np.full(estimate.shape, np.inf)
    inexact, ties = np.zeros(estimate.shape), np.zeros(estimate.shape, dtype=np.bool_)
    one = (s.classes == 1) & (s.missing > 0)
    formula = analytical_kl(n)[:, None]
    seen = uncertain(s)
    for i in np.flatnonzero(n > 1).tolist():
        k = int(n[i])
        fewer = without_hidden(seen.segments, k)
        seen = seen if fewer is seen.segments else uncertain(fewer)
        effects = effects_of(fewer, k)
        error = gap_error(seen, effects)
        lower[i], upper[i] = _logit_ends(error, formula[i], estimate[i], quantile)
        if one.any():
            lower[i, one], upper[i, one] = 0.0, one_class_kl(s, k, 2 * (1 - quantile))[one]
        df[i], ties[i] = error.df, error.drawn & (s.missing > 0) & ~one
        inexact[i] = precision_error(seen, effects)
    for end, tested in zip((lower, upper), _inverted_ends(s, n, ties, quantile), strict=True):
        end[ties] = tested[ties]
    lower, upper = np.minimum(lower, estimate), np.maximum(upper, estimate)
    least, most = np.maximum(lower - inexact, 0.0), np.minimum(upper + inexact, formula)
    return np.stack([estimate, least, np.maximum(most, upper), df])


def _logit_ends(
    found: Error, formula: FloatArray, estimate: FloatArray, quantile: float
) -> tuple[FloatArray, FloatArray]:
    """Student's t on the logit of KL over the formula."""
    from scipy.special import expit, logit, stdtrit

    share = np.clip(estimate / formula, 1e-15, 1 - 1e-15)
    half = stdtrit(np.where(np.isinf(found.df), 1.0, found.df), quantile) * found.error

    def end(side: FloatArray) -> FloatArray:
        moved = formula * expit(logit(share) + side / (formula * share * (1 - share)))
        far = WIDEST * np.abs(side)  # near 0 or the formula the logit knows no bounds
        return np.where(side == 0, estimate, np.clip(moved, estimate - far, estimate + far))

    return end(-half), end(half)


def _inverted_ends(
    s: Segments, n: IntArray, marked: BoolArray, quantile: float
) -> tuple[FloatArray, FloatArray]:
    """Ends of the inverted test where `marked`, else 0, shape (n, pools)."""
    lower, upper = np.zeros(marked.shape), np.zeros(marked.shape)
    # rows are as wide as the widest pool: those of a similar number of segments go together
    magnitude = np.frexp(np.bincount(s.pool, minlength=s.pools))[1] // 5
    some = marked.any(axis=0)
    for each in np.unique(magnitude[some]):
        like = some & (magnitude == each)
        ends = _tested_together(pools_marked(s, like), n, marked[:, like], quantile)
        lower[:, like], upper[:, like] = ends
    return lower, upper


def _tested_together(
    s: Segments, n: IntArray, marked: BoolArray, quantile: float
) -> tuple[FloatArray, FloatArray]:
    """The same for pools of a similar number of segments; several n are tested together."""
    lower, upper = np.zeros(marked.shape), np.zeros(marked.shape)
    seen = s
    for block in _blocks(marked, max(1, ROWS // s.pool.size)):
        seen = without_hidden(seen, int(n[block[0]]))
        rows = joined([rows_of(pools_marked(seen, marked[i]), int(n[i])) for i in block])
        least, most = inverted_test(rows, quantile)
        at = np.zeros(marked.shape, dtype=np.bool_)
        at[block] = marked[block]
        formula = np.broadcast_to(analytical_kl(n)[:, None], marked.shape)[at]
        lower[at], upper[at] = formula - most, formula - least
    return lower, upper


def _blocks(marked: BoolArray, size: int) -> list[list[int]]:
    """Rows with a mark, so many at a time."""
    rows = np.flatnonzero(marked.any(axis=1)).tolist()
    return [rows[start : start + size] for start in range(0, len(rows), size)]
