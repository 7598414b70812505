"""Where a pool's outcomes lie in [0, 1]: what its probabilities and ranks say together (ours).

The KL of best-of-n is the analytical formula minus a gap, a sum over outcomes, which are intervals
[F-, F] of [0, 1] (`bonmeter.numerics.kernels`). A pool of N scored candidates with
log-probabilities gives

* the probability p of every distinct response seen, exactly, and so the unseen mass 1 - sum p;
* the chance 1 - (1-p)^N that such a response is seen, so that each seen one stands for
  (1-p)^N / (1-(1-p)^N) unseen ones like it (Horvitz-Thompson), scaled to the unseen mass;
* where unseen responses lie: around the seen ones like them in reward or, where the pool shows
  ties between distinct responses, in the tie class.

So [0, 1] is laid out in *segments*, lowest reward first: the seen outcomes, and around or inside
them the unseen mass, made of *pieces*, outcomes of the size of their seen neighbour. Where every
response is seen the layout is exact. How often a response was drawn says nothing beyond that it
was seen; it only shows whether equal pairs (log_prob, reward) can be one response. Derivations:
docs/theory.md, "Layout of a pool".
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.identity import Distinct, LogProbs, distinct_responses
from bonmeter.pools.subsets import IndexArray

__all__ = [
    "COUNTED",
    "ROUNDING",
    "BoolArray",
    "Segments",
    "of_segments",
    "pool_cumsum",
    "pool_sum",
    "pools_marked",
    "segments_of",
    "segments_of_ranks",
    "sorted_sum",
    "subset",
]

BoolArray = NDArray[np.bool_]

SHARED = 1e-6
"""Chance that a pool has one pair taken as shared by several responses where none is."""
EXCESS = 2.0
"""Standard deviations above which repeated draws show that responses share pairs."""
ROUNDING = 1e-13
"""Less unseen mass than this is rounding."""
COUNTED = 1.001
"""The mass of a class drawn once has a variance of its square, but for rounding."""
FLOOR = 1e-290
"""Below this float64 is denormal or zero."""
LONG = 256
"""Values a pool, on average, from which on one sum after another is faster than all at once."""
IMPROBABLE = 1e9
"""Minus the log-probability of responses so rare that they are a continuum."""


class Segments(NamedTuple):
    """Segments of [0, 1], pool by pool, lowest reward first."""

    pools: int
    size: int
    """Number of candidates N."""
    missing: FloatArray
    """Unseen mass of each pool, shape (pools,)."""
    classes: FloatArray
    """Number of tie classes seen in each, shape (pools,)."""
    contributions: FloatArray
    """Sum of the terms of each, shape (pools,); the rest is by segment."""
    pool: IndexArray
    start: FloatArray
    log_end: FloatArray
    mass: FloatArray
    piece: FloatArray
    """Size of the outcomes the segment is made of: all of it, a part, or 0 (a continuum)."""
    tied: BoolArray
    """Whether the segment is one outcome of estimated mass."""
    bounded: BoolArray
    """Whether its pieces had to be smaller than their seen neighbour."""
    variance: FloatArray
    """Variance of the mass, before all are made to sum to 1."""
    terms: FloatArray
    """Number of independent contributions to the variance."""
    unseen: FloatArray
    """Unseen mass, part of the mass."""
    error: FloatArray
    """How far the mass seen can be off, as its log-probabilities can."""
    piece_error: FloatArray
    """How far the logarithm of `piece` can be off, if the segment is made of pieces."""


def segments_of(distinct: Distinct, *, identified: bool = False) -> Segments:
    """Segments of pools with likelihoods.

    Args:
        distinct: the pools' distinct responses.
        identified: whether they are known to be distinct. If not, a pair drawn far too often for
            its probability has the mass of its frequency, and counts estimate the tie classes
            where draws repeat more often than their probabilities explain.

    Examples:
        >>> from bonmeter.pools.identity import as_log_probs
        >>> log_probs = as_log_probs(np.log([[0.5, 0.25, 0.25]]), None)
        >>> distinct = distinct_responses(log_probs, np.array([[0.0, 1.0, 2.0]]))
        >>> segments_of(distinct).start.round(15).tolist()  # all seen
        [0.0, 0.5, 0.75]
    """
    nothing = np.zeros(distinct.mass.size, dtype=np.bool_)
    shared = nothing if identified else _shared(distinct)
    tied = _tied(distinct, shared)
    counted = nothing if identified else _counted(distinct, tied)
    return _segments(distinct, tied, shared, counted)


def segments_of_ranks(reward: FloatArray) -> Segments:
    """Segments of pools without likelihoods: tie classes of their frequency, else a continuum.

    Examples:
        >>> segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]])).mass.round(15).tolist()
        [0.5, 0.5]
    """
    nothing = np.zeros_like(reward)
    distinct = distinct_responses(LogProbs(nothing - IMPROBABLE, nothing, 0.0), reward)
    tied = distinct.draws > 1
    return _segments(distinct, tied, tied, tied)


def subset(s: Segments, kept: BoolArray) -> Segments:
    """Some of the segments; how many pools there are, and their masses, stay as they are.

    Examples:
        >>> halves = segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]]))
        >>> subset(halves, np.array([False, True])).start.tolist()
        [0.5]
    """
    first = Segments._fields.index("pool")
    columns = {name: getattr(s, name)[kept] for name in Segments._fields[first:]}
    return s._replace(**columns)


def pools_marked(s: Segments, kept: BoolArray) -> Segments:
    """The pools marked, numbered anew.

    Examples:
        >>> two = segments_of_ranks(np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]))
        >>> pools_marked(two, np.array([False, True])).mass.tolist()
        [1.0]
    """
    number = np.cumsum(kept) - 1
    mine = subset(s, kept[s.pool])
    return mine._replace(
        pools=int(kept.sum()),
        missing=s.missing[kept],
        classes=s.classes[kept],
        contributions=s.contributions[kept],
        pool=number[mine.pool],
    )


def _shared(d: Distinct) -> BoolArray:
    """Pairs drawn too often for one response of that probability."""
    from scipy.special import bdtrc

    repeated = np.flatnonzero(d.draws > 1)
    mass = np.clip(d.mass[repeated] * np.exp(d.error[repeated]), 1e-100, 1.0)
    seen = -np.expm1(_log_unseen(mass, d.size))
    chance = np.ones(d.mass.size)
    chance[repeated] = bdtrc(d.draws[repeated] - 1, d.size, mass) / seen
    pairs = pool_sum(d.pool, np.ones(d.mass.size), d.pools)[d.pool]
    return np.asarray(chance * pairs < SHARED)


def _log_unseen(mass: FloatArray, size: int) -> FloatArray:
    return np.asarray(size * np.log1p(-np.minimum(mass, 1 - 1e-16)))


def _tied(d: Distinct, shared: BoolArray) -> BoolArray:
    """Responses whose unseen likes are in their own tie class.

    A class of one response seen is like most draws of its pool.
    """
    start = np.flatnonzero(d.first_of_class)
    several = (np.diff(start, append=d.mass.size) > 1) | np.logical_or.reduceat(shared, start)
    tied = several[_class_of(d)]
    weight = _unseen_like(d, shared, shared)
    mostly = pool_sum(d.pool, np.where(tied, weight, -weight), d.pools) > 0
    return np.asarray(tied | mostly[d.pool])


def _counted(d: Distinct, tied: BoolArray) -> BoolArray:
    """Tied responses of pools where pairs are drawn more often than as many single responses."""
    rate = d.size * d.mass
    mean = np.where(d.mass > FLOOR, rate / np.maximum(-np.expm1(-rate), FLOOR), 1.0)
    excess = pool_sum(d.pool, tied * (d.draws - mean), d.pools)
    variance = pool_sum(d.pool, tied * mean * (1 + rate - mean), d.pools)
    return np.asarray(tied & (excess > EXCESS * np.sqrt(variance))[d.pool])


def _unseen_like(d: Distinct, shared: BoolArray, counted: BoolArray) -> FloatArray:
    """Expected unseen mass that each distinct response stands for, up to a common factor.

    Given that a response of mass p is seen, (1-p)^N c/N is on average what (1-p)^N / (1-(1-p)^N) p
    is; it also counts the responses that share a pair (log_prob, reward).
    """
    log_unseen = _log_unseen(d.mass, d.size)
    odds = np.maximum(np.expm1(np.minimum(-log_unseen, 700.0)), FLOOR)
    alike = np.where(d.mass > FLOOR, d.mass / odds, 1 / d.size)
    frequency = d.draws / d.size
    unseen = np.where(counted, np.exp(log_unseen) * frequency, alike)
    return np.maximum(np.where(shared, frequency - d.mass, unseen), FLOOR)


def _segments(d: Distinct, tied: BoolArray, shared: BoolArray, counted: BoolArray) -> Segments:
    """Three segments per tie class: unseen mass below, the class, unseen mass above."""
    start = np.flatnonzero(d.first_of_class)
    pool, inside, seen = d.pool[start], tied[start], np.add.reduceat(d.mass, start)
    below, above = _around(pool, ~inside, d.pools)
    missing = 1 - pool_sum(pool, seen, d.pools)
    missing[missing < ROUNDING] = 0.0
    unseen = _unseen_like(d, shared, counted)
    places = (below + above + inside)[_class_of(d)]
    item = (missing / pool_sum(d.pool, unseen * places, d.pools))[d.pool] * unseen
    like = np.minimum(d.mass, missing[d.pool])
    each = np.where(shared | counted, 1 / d.size, item) + np.where(shared, 0.0, like)
    size, squares = np.add.reduceat(item, start), np.add.reduceat(item * each, start)
    largest = np.minimum(seen, missing[pool])
    # the number of unseen responses between two seen ones is geometric
    around = size * (size + largest)
    outcome = seen + inside * size
    no, one = np.zeros(start.size, dtype=np.bool_), np.ones(start.size)
    columns = {
        "mass": (below * size, outcome, above * size),
        "piece": (largest, outcome, largest),
        "tied": (no, inside, no),
        "bounded": (largest < seen, no, largest < seen),
        "variance": (below * around, inside * squares, above * around),
        "terms": (one, np.add.reduceat(np.where(shared, d.draws, 1), start), one),
        "unseen": (below * size, inside * size, above * size),
        "error": (0 * seen, np.add.reduceat(d.mass * np.expm1(d.error), start), 0 * seen),
        "piece_error": (d.error[start], 0 * seen, d.error[start]),
    }
    return _assembled(d, missing, pool, columns)


def _assembled(
    d: Distinct,
    missing: FloatArray,
    pool: IndexArray,
    columns: Mapping[str, tuple[NDArray[Any], ...]],
) -> Segments:
    rows = {name: np.stack(column, axis=-1).ravel() for name, column in columns.items()}
    pool = np.repeat(pool, 3)
    end = np.minimum(pool_cumsum(pool, rows["mass"], d.pools), 1.0)
    rows["start"] = np.maximum(end - rows["mass"], 0.0)
    rows["log_end"] = np.log(np.maximum(end, FLOOR))
    kept = rows["mass"] > 0
    kept_rows = {name: row[kept] for name, row in rows.items()}
    classes = pool_sum(d.pool, d.first_of_class, d.pools)
    contributions = pool_sum(pool[kept], kept_rows["terms"], d.pools)
    return Segments(d.pools, d.size, missing, classes, contributions, pool[kept], **kept_rows)


def _class_of(d: Distinct) -> IndexArray:
    return np.cumsum(d.first_of_class) - 1


def _around(pool: IndexArray, alone: BoolArray, pools: int) -> tuple[FloatArray, FloatArray]:
    """Shares of a class's unseen mass just below and just above it.

    The k-th of m classes has k/m above: m classes leave m + 1 places alike, one above the best
    class as likely as any other.
    """
    rank = pool_cumsum(pool, alone.astype(np.float64), pools)
    number = np.maximum(pool_sum(pool, alone, pools), 1.0)[pool]
    return alone * (number - rank + 1) / number, alone * rank / number


def pool_sum(pool: IndexArray, values: NDArray[Any], pools: int) -> FloatArray:
    """Sums of the values of each pool, shape (pools,).

    Examples:
        >>> pool_sum(np.array([0, 0, 1]), np.array([1.0, 2.0, 5.0]), 2).tolist()
        [3.0, 5.0]
    """
    return np.bincount(pool, values, minlength=pools).astype(np.float64, copy=False)


def sorted_sum(s: Segments, values: FloatArray) -> FloatArray:
    """Sums of the values of the segments of each pool, shape (pools,).

    The segments lie pool by pool; of many, this takes a twentieth of the time of `pool_sum`.

    Examples:
        >>> two = segments_of_ranks(np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]))
        >>> sorted_sum(two, two.mass).tolist()
        [1.0, 1.0]
    """
    ends = np.searchsorted(s.pool, np.arange(s.pools + 1))
    some = ends[1:] > ends[:-1]
    sums = np.zeros(s.pools)
    sums[some] = np.add.reduceat(values, ends[:-1][some]) if some.any() else 0.0
    return sums


def of_segments(s: Segments, values: NDArray[Any]) -> NDArray[Any]:
    """A value of each pool for all of its segments; of one pool, which has a million, as it is.

    Examples:
        >>> two = segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]))
        >>> of_segments(two, np.array([0.5, 0.25])).tolist()
        [0.5, 0.5, 0.25]
    """
    return values if s.pools == 1 else values[s.pool]


def pool_cumsum(pool: IndexArray, values: FloatArray, pools: int) -> FloatArray:
    """Sums up to and including each value, within its pool.

    Examples:
        >>> pool_cumsum(np.array([0, 0, 1]), np.array([1.0, 2.0, 5.0]), 2).tolist()
        [1.0, 3.0, 5.0]
    """
    ends = np.searchsorted(pool, np.arange(pools + 1))
    if values.size < LONG * pools:
        column = np.arange(pool.size) - ends[pool]
        table = np.zeros((pools, int(column.max(initial=0)) + 1))
        table[pool, column] = values
        return np.asarray(np.cumsum(table, axis=1)[pool, column])
    running = np.empty(values.shape)
    for start, end in pairwise(ends.tolist()):
        np.cumsum(values[start:end], out=running[start:end])
    return running
