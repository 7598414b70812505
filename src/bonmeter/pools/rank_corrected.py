"""The rank-corrected KL estimator (ours): what a pool's probabilities and ranks say together.

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
response is seen the estimate is exact. How often a response was drawn says nothing beyond that it
was seen; it only shows whether equal pairs (log_prob, reward) can be one response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.numerics.kernels import normalised_gap
from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.subsets import IndexArray

__all__ = [
    "Distinct",
    "Gap",
    "Segments",
    "deviations",
    "distinct_responses",
    "gap_and_error",
    "lay_out",
    "lay_out_ranks",
    "unseen_class",
]

BoolArray = NDArray[np.bool_]

SHARED = 1e-6
"""Chance that a pool has one pair taken as shared by several responses where none is."""
EXCESS = 2.0
"""Standard deviations above which repeated draws show that responses share pairs."""
ROUNDING = 1e-13
"""Less unseen mass than this is rounding."""
CONTINUUM = 1e-8
"""Pieces with n p below this have no gap to float64 accuracy."""
FLOOR = 1e-290
"""Below this float64 is denormal or zero."""
FIRST_PIECE = 0.0985
"""e^(6 - 12 log 2): at n = 2 the gap of [0, p] is that of small pieces over [0.0985 p, p]."""


class Distinct(NamedTuple):
    """The distinct responses of pools of N candidates, pool by pool, lowest reward first."""

    pools: int
    size: int
    pool: IndexArray
    mass: FloatArray
    draws: IndexArray
    first_of_class: BoolArray


class Segments(NamedTuple):
    """Segments of [0, 1], pool by pool, lowest reward first."""

    pools: int
    size: int
    """Number of candidates N."""
    missing: FloatArray
    """Unseen mass of each pool, shape (pools,); the rest is by segment."""
    pool: IndexArray
    start: FloatArray
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


class _Pieces(NamedTuple):
    """For each segment: the number of pieces, the gap of one at the centre, and its derivatives."""

    copies: FloatArray
    gap: FloatArray
    growth: FloatArray
    """Derivative of the segment's gap in its mass."""
    shift: FloatArray
    """Derivative of one piece's gap when both ends move up."""


def distinct_responses(
    log_prob: FloatArray, reward: FloatArray, response: IndexArray | None = None
) -> Distinct:
    """Distinct pairs (log_prob, reward), or (response, reward), of pools of shape (pools, N).

    Examples:
        >>> log_prob, reward = np.log([[0.25, 0.5, 0.5]]), np.array([[1.0, 0.0, 0.0]])
        >>> found = distinct_responses(log_prob, reward)
        >>> found.mass.round(15).tolist(), found.draws.tolist()
        ([0.5, 0.25], [2, 1])
    """
    keys = (log_prob if response is None else response, reward)
    order = np.lexsort(keys, axis=-1)
    pair, ordered = (np.take_along_axis(key, order, -1) for key in keys)
    new_class = np.ones(reward.shape, dtype=np.bool_)
    new_class[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    new = new_class.copy()
    new[:, 1:] |= pair[:, 1:] != pair[:, :-1]
    start = np.flatnonzero(new)
    pools, size = reward.shape
    mass = np.exp(np.take_along_axis(log_prob, order, -1).ravel()[start])
    count = np.diff(start, append=reward.size)
    return Distinct(pools, size, start // size, mass, count, new_class.ravel()[start])


def lay_out(distinct: Distinct, *, identified: bool = False) -> Segments:
    """Segments of pools with likelihoods.

    Args:
        distinct: the pools' distinct responses.
        identified: whether they are known to be distinct. If not, a pair drawn far too often for
            its probability has the mass of its frequency, and counts estimate the tie classes
            where draws repeat more often than their probabilities explain.

    Examples:
        >>> log_prob, reward = np.log([[0.5, 0.25, 0.25]]), np.array([[0.0, 1.0, 2.0]])
        >>> lay_out(distinct_responses(log_prob, reward)).start.round(15).tolist()  # all seen
        [0.0, 0.5, 0.75]
    """
    nothing = np.zeros(distinct.mass.size, dtype=np.bool_)
    shared = nothing if identified else _shared(distinct)
    tied = _tied(distinct, shared)
    counted = nothing if identified else _counted(distinct, tied)
    return _segments(distinct, tied, shared, counted)


def lay_out_ranks(reward: FloatArray) -> Segments:
    """Segments of pools without likelihoods: tie classes of their frequency, else a continuum.

    Examples:
        >>> lay_out_ranks(np.array([[0.0, 0.0, 1.0, 1.0]])).mass.round(15).tolist()
        [0.5, 0.5]
    """
    distinct = distinct_responses(np.full_like(reward, -np.inf), reward)
    tied = distinct.draws > 1
    return _segments(distinct, tied, tied, tied)


class Gap(NamedTuple):
    """The estimated KL gap of each pool and what its uncertainty is made of; shape (pools,)."""

    gap: FloatArray
    """In nats, corrected for its curvature in the estimated masses."""
    error: FloatArray
    """Standard error by the delta method, given that the masses sum to 1."""
    bend: FloatArray
    """Second derivative of the gap along the steepest change of the masses, one standard error of
    them being the unit."""
    rest: FloatArray
    """Standard deviation of what is not along that change."""
    freedom: FloatArray
    """Satterthwaite's degrees of freedom of `error`; inf where every response is seen."""


def gap_and_error(segments: Segments, n: int) -> Gap:
    """The KL gap of each pool and its uncertainty.

    Args:
        segments: of one or several pools.
        n: a whole number >= 2.

    Examples:
        >>> log_prob, reward = np.log([[0.5, 0.5]]), np.array([[0.0, 1.0]])
        >>> found = gap_and_error(lay_out(distinct_responses(log_prob, reward)), 2)
        >>> float(found.gap[0].round(12)), float(found.error[0])  # all seen: exact
        (0.062335144619, 0.0)
    """
    pieces = _pieces(segments, n)
    part = pieces.copies * pieces.gap
    effect = pieces.growth - _up_to(segments, pieces.copies * pieces.shift)
    variance = segments.variance
    mean = _total(segments, variance * effect) / _positive(_total(segments, variance))
    effect -= mean[segments.pool]
    share = variance * effect**2
    squared = _total(segments, share)
    steepest = variance * effect / np.sqrt(_positive(squared))[segments.pool]
    bias, bend, scatter = _curvature(segments, n, steepest)
    # nothing tells how mass smaller than its seen neighbour divides into outcomes
    unknown = _total(segments, np.where(segments.bounded, part, 0.0))
    # across the steepest change, the squared slopes exceed the true ones by twice this on average
    across = np.maximum(2 * scatter - 0.5 * bend**2, 0.0)
    error, rest = np.sqrt(np.maximum(squared - 2 * across, 0.0)), np.sqrt(across + unknown**2)
    # a Poisson number of like terms tells its variance as twice as many squared normals would
    moves = squared > ROUNDING**2
    still = np.where(_one_class(segments), 1.0, _total(segments, segments.terms))
    like = squared**2 / _positive(_total(segments, share**2 / segments.terms))
    freedom = 2 * np.maximum(np.where(moves, like, still), 1.0)
    return Gap(
        _total(segments, part) - bias,
        np.where(moves, error, 0.0),
        np.where(moves, bend, 0.0),
        np.where(moves, rest, unknown),
        np.where(segments.missing > 0, freedom, np.inf),
    )


def unseen_class(segments: Segments, chance: float) -> FloatArray:
    """Mass of unseen tie classes that a pool with only one class has missed with this chance.

    Args:
        segments: of one or several pools.
        chance: between 0 and 1.

    Returns:
        Shape (pools,): 1 - chance^(1/N), close to 3/N at 0.05 (the rule of three), or all unseen
        mass if that is less; 0 for pools that show more than one class.

    Examples:
        >>> float(unseen_class(lay_out_ranks(np.ones((1, 100))), 0.05)[0].round(4))
        0.0295
    """
    missed = -np.expm1(np.log(chance) / segments.size)
    return np.where(_one_class(segments), np.minimum(missed, segments.missing), 0.0)


def _one_class(s: Segments) -> BoolArray:
    return np.asarray(np.bincount(s.pool, minlength=s.pools) == 1)


def deviations(found: Gap, quantile: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far the gap can lie above and below its estimate, both >= 0, in nats.

    To second order the estimate, corrected for its bias, is off by error t + bend (t^2 - 1)/2 for
    masses that are t standard errors off along the steepest change. The range of that for |t| up to
    the quantile is not empty where the gap is flat, unlike a standard error. What is not along that
    change is added in quadrature. A heuristic, which simulation bears out (docs/estimators.md).

    Examples:
        >>> one = np.ones(1)
        >>> up, down = deviations(Gap(one, 0.1 * one, 0 * one, 0 * one, 9 * one), 2 * one)
        >>> float(up[0]), float(down[0])  # straight: two standard errors
        (0.2, 0.2)
        >>> up, down = deviations(Gap(one, 0 * one, 0.1 * one, 0 * one, 9 * one), 2 * one)
        >>> float(up[0].round(12)), float(down[0].round(12))  # at a minimum
        (0.15, 0.05)
    """
    _, error, bend, rest, _ = found
    flat = np.abs(bend) * quantile > error  # the vertex is within reach
    vertex = np.where(flat, -error / np.where(flat, bend, 1.0), quantile)
    steps = np.stack([-quantile, vertex, quantile])
    moves = error * steps + 0.5 * bend * (steps**2 - 1)
    other = quantile * rest
    up, down = np.maximum(moves.max(axis=0), 0.0), np.maximum(-moves.min(axis=0), 0.0)
    return np.hypot(up, other), np.hypot(down, other)


def _shared(d: Distinct) -> BoolArray:
    """Pairs drawn too often for one response of that probability."""
    from scipy.special import bdtrc

    repeated = np.flatnonzero(d.draws > 1)
    mass = np.maximum(d.mass[repeated], 1e-100)
    seen = -np.expm1(_log_unseen(mass, d.size))
    chance = np.ones(d.mass.size)
    chance[repeated] = bdtrc(d.draws[repeated] - 1, d.size, mass) / seen
    pairs = _sum(d.pool, np.ones(d.mass.size), d.pools)[d.pool]
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
    weight = _unseen(d, shared, shared)
    mostly = _sum(d.pool, np.where(tied, weight, -weight), d.pools) > 0
    return np.asarray(tied | mostly[d.pool])


def _counted(d: Distinct, tied: BoolArray) -> BoolArray:
    """Tied responses of pools where pairs are drawn more often than as many single responses."""
    rate = d.size * d.mass
    mean = np.where(d.mass > FLOOR, rate / np.maximum(-np.expm1(-rate), FLOOR), 1.0)
    excess = _sum(d.pool, tied * (d.draws - mean), d.pools)
    variance = _sum(d.pool, tied * mean * (1 + rate - mean), d.pools)
    return np.asarray(tied & (excess > EXCESS * np.sqrt(variance))[d.pool])


def _unseen(d: Distinct, shared: BoolArray, counted: BoolArray) -> FloatArray:
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
    missing = 1 - _sum(pool, seen, d.pools)
    missing[missing < ROUNDING] = 0.0
    unseen = _unseen(d, shared, counted)
    places = (below + above + inside)[_class_of(d)]
    item = (missing / _sum(d.pool, unseen * places, d.pools))[d.pool] * unseen
    like = np.minimum(d.mass, missing[d.pool])
    each = np.where(shared | counted, 1 / d.size, item) + np.where(shared, 0.0, like)
    size, spread = np.add.reduceat(item, start), np.add.reduceat(item * each, start)
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
        "variance": (below * around, inside * spread, above * around),
        "terms": (one, np.add.reduceat(np.where(shared, d.draws, 1), start), one),
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
    end = np.minimum(_running(pool, rows["mass"], d.pools), 1.0)
    rows["start"] = np.maximum(end - rows["mass"], 0.0)
    kept = rows["mass"] > 0
    kept_rows = {name: row[kept] for name, row in rows.items()}
    return Segments(d.pools, d.size, missing, pool[kept], **kept_rows)


def _class_of(d: Distinct) -> IndexArray:
    return np.cumsum(d.first_of_class) - 1


def _around(pool: IndexArray, alone: BoolArray, pools: int) -> tuple[FloatArray, FloatArray]:
    """Shares of a class's unseen mass just below and just above it.

    The k-th of m classes has k/m above: m classes leave m + 1 places alike, one above the best
    class as likely as any other.
    """
    rank = _running(pool, alone.astype(np.float64), pools)
    number = np.maximum(_sum(pool, alone, pools), 1.0)[pool]
    return alone * (number - rank + 1) / number, alone * rank / number


def _pieces(s: Segments, n: int) -> _Pieces:
    active = np.flatnonzero(n * s.piece > CONTINUUM)
    start, mass, p = (column[active] for column in (s.start, s.mass, s.piece))
    end = start + mass
    centre = np.clip(start + 0.5 * mass, 0.5 * p, 1 - 0.5 * p)
    one = p == mass
    lower = np.where(one, start, centre - 0.5 * p)
    upper = np.where(one, end, centre + 0.5 * p)
    with np.errstate(divide="ignore"):
        step = -np.log1p(-np.minimum(p / upper, 1.0))
    gap = upper**n * -np.expm1(-n * step) * normalised_gap(n, step)
    rise, fall = _slopes(n, lower, upper, p)
    # where the slopes cancel, the gap of an outcome of fixed size grows like u^(n-3)
    shift = np.where(n * step < 1e-3, gap * (n - 3) / centre, rise + fall)
    copies = mass / p * np.where(mass > p, _spread(n, start, mass, p), 1.0)
    growth = np.where(s.tied[active], rise, gap / p + 0.5 * copies * shift)
    full = np.zeros((4, s.mass.size))
    full[:, active] = copies, gap, growth, shift
    return _Pieces(*full)


def _spread(n: int, start: FloatArray, mass: FloatArray, p: FloatArray) -> FloatArray:
    """Mean of u^(n-3) over a segment, over its value at the centre."""
    centre = start + 0.5 * mass
    low = np.minimum(np.log(np.maximum(start, FIRST_PIECE * p) / centre), 0.0)
    high = np.log1p(0.5 * mass / centre)
    if n == 2:
        integral = high - low
    else:
        integral = (np.expm1(np.minimum((n - 2) * high, 30.0)) - np.expm1((n - 2) * low)) / (n - 2)
    return np.asarray(integral * centre / mass)


def _slopes(
    n: int, lower: FloatArray, upper: FloatArray, p: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Derivatives of an outcome's gap in its upper and in its lower end."""
    log_ratio, ratio = _ratio(n, lower, upper, p)
    top, bottom = n * upper ** (n - 1), n * lower ** (n - 1)
    rise = _entropy(top) - top * (log_ratio + 1) + ratio
    fall = -_entropy(bottom) + bottom * (log_ratio + 1) - ratio
    return rise, fall


def _ratio(
    n: int, lower: FloatArray, upper: FloatArray, p: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """log(pi/p) and pi/p of the outcome [lower, upper]."""
    ratio = (upper**n - lower**n) / p
    return np.log(np.maximum(ratio, 1e-300)), ratio


def _entropy(density: FloatArray) -> FloatArray:
    return np.asarray(density * np.log(np.maximum(density, 1e-300)))


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
    low_low, low_high, high_high = _second_slopes(n, lower, upper, s.mass[tied])
    low_low = np.where(at_low > 0, low_low, 0.0)
    move_low, move_high = (move - steepest)[tied], move[tied]
    bend = low_low * move_low**2 + 2 * low_high * move_low * move_high + high_high * move_high**2
    low = 0.5 * (low_low * at_low + low_high * both)
    high = 0.5 * (high_high * at_high + low_high * both)
    # the lower end of an outcome is the upper end of a neighbour before it
    follows = np.zeros(tied.size, dtype=np.bool_)
    follows[1:] = (np.diff(tied) == 1) & (np.diff(pool) == 0)
    at_end = high.copy()
    at_end[:-1] += np.where(follows, low, 0.0)[1:]
    squares = at_end**2 + np.where(follows, 0.0, low) ** 2
    return _sum(pool, low + high, s.pools), _sum(pool, bend, s.pools), _sum(pool, squares, s.pools)


def _second_slopes(
    n: int, lower: FloatArray, upper: FloatArray, p: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Second derivatives of an outcome's gap: twice in the lower end, mixed, twice in the upper."""
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


def _sum(pool: IndexArray, values: NDArray[Any], pools: int) -> FloatArray:
    return np.bincount(pool, values, minlength=pools).astype(np.float64, copy=False)


def _total(s: Segments, values: FloatArray) -> FloatArray:
    return _sum(s.pool, values, s.pools)


def _up_to(s: Segments, values: FloatArray) -> FloatArray:
    return _running(s.pool, values, s.pools)


def _running(pool: IndexArray, values: FloatArray, pools: int) -> FloatArray:
    """Sums up to and including each value, within its pool."""
    start = np.searchsorted(pool, np.arange(pools))
    column = np.arange(pool.size) - start[pool]
    table = np.zeros((pools, int(column.max(initial=0)) + 1))
    table[pool, column] = values
    running: FloatArray = np.cumsum(table, axis=1)[pool, column]
    return running


def _positive(values: FloatArray) -> FloatArray:
    return np.maximum(values, np.finfo(np.float64).tiny)
