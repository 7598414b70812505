"""Intervals for pools that rest on tie classes: a test of every KL, inverted (ours).

The masses of the classes are estimated from draws. A KL is in the interval if the KL of the
estimated masses is not too far from it, given how that would be distributed if the KL were true.
What is true beside it is taken from a path of masses, which goes from the estimated ones (half a
draw added to each class) up and down the steepest change of the KL. On it the distribution is
that of a quadratic function of normal variables, by its first three cumulants; its quantiles are
those of a gamma distribution with these. Derivations: docs/theory.md, "Inverted test".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.gaps import BELOW_ROUNDING, pieces_of
from bonmeter.pools.layout import Segments

__all__ = ["Moments", "Rows", "inverted_test", "joined", "moments", "rows_of"]

STEP = 0.5
"""Standard errors of one step of the path."""
STEPS = 16
"""Number of steps in each direction."""
SKEWNESS = 0.8
"""Share of the skewness that is kept: a gamma distribution ends more abruptly than the sum."""
DOUBT = 0.5
"""Share of the doubt about the variance that is not counted by the path already."""
CROWDING = 2.0
"""How much the variance of second order grows, times ends over draws: terms of higher order."""
TINY = 1e-300


class Rows(NamedTuple):
    """Pools, each at one n, in rows; segments in columns, lowest reward first; shape (rows, K).

    The segments that best-of-n does not see are one column, the first.
    """

    n: FloatArray
    """Shape (rows, 1), as is the next."""
    missing: FloatArray
    seen: FloatArray
    unseen: FloatArray
    each: FloatArray
    """Variance of the unseen mass over the mass: that of one draw, if draws estimate it."""
    tied: FloatArray
    """1 where the segment is one outcome of estimated mass, else 0."""
    part: FloatArray
    """Gap of a segment that is not, and its derivatives in its mass and in its place."""
    growth: FloatArray
    shift: FloatArray


class Moments(NamedTuple):
    """The gap at given unseen masses and the cumulants of its estimate; shape (rows,)."""

    gap: FloatArray
    effect: FloatArray
    """Derivative of the gap in each mass, centred, shape (rows, K)."""
    bias: FloatArray
    squared: FloatArray
    """Squared standard error, to first order."""
    trace_2: FloatArray
    """Trace of the square of the Hessian, in standard errors; its half is of second order."""
    third: FloatArray
    curvature: FloatArray
    """Second derivative along the steepest change."""
    wobble: FloatArray
    """Variance of the squared standard error as an estimate, given that of the gap."""


def rows_of(s: Segments, n: int) -> Rows:
    """The pools' segments at one n >= 2, as rows.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> rows_of(segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]])), 2).unseen.tolist()
        [[0.5, 0.5]]
    """
    pieces = pieces_of(s, n)
    below = n * s.log_end < -BELOW_ROUNDING
    first = np.searchsorted(s.pool, np.arange(s.pools))
    hidden = np.bincount(s.pool, below, minlength=s.pools).astype(np.intp)
    column = np.arange(s.pool.size) - first[s.pool]
    column = np.maximum(column - np.maximum(hidden - 1, 0)[s.pool], 0)
    shape = (s.pools, int(column.max(initial=0)) + 1)
    flat = s.pool * shape[1] + column

    def table(values: FloatArray) -> FloatArray:
        sums = np.bincount(flat, values, minlength=shape[0] * shape[1]).reshape(shape)
        return sums.astype(np.float64, copy=False)

    unseen = table(s.unseen)
    loose = ~s.tied & ~below
    return Rows(
        np.full((s.pools, 1), float(n)),
        s.missing[:, None],
        table(s.mass - s.unseen),
        unseen,
        table(s.variance) / np.maximum(unseen, TINY),
        table((s.tied & ~below).astype(np.float64)),
        table(np.where(loose, pieces.number * pieces.gap, 0.0)),
        table(np.where(loose, pieces.growth, 0.0)),
        table(np.where(loose, pieces.number * pieces.shift, 0.0)),
    )


def joined(rows: list[Rows]) -> Rows:
    """The rows of all, with columns of no mass above where they are fewer.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> rows = rows_of(segments_of_ranks(np.array([[0.0, 0.0, 1.0, 1.0]])), 2)
        >>> joined([rows, rows]).unseen.tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """
    width = max(r.seen.shape[1] for r in rows)

    def wide(table: FloatArray) -> FloatArray:
        return np.pad(table, ((0, 0), (0, width - table.shape[1])))

    columns = [
        [x if name in ("n", "missing") else wide(x) for x in column]
        for name, column in zip(Rows._fields, zip(*rows, strict=True), strict=True)
    ]
    return Rows(*(np.concatenate(column) for column in columns))


def moments(r: Rows, unseen: FloatArray) -> Moments:
    """The gap and its cumulants where the unseen masses are these.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> rows = rows_of(segments_of_ranks(np.repeat([[0.0, 1.0]], 50, axis=1)), 2)
        >>> found = moments(rows, rows.unseen)
        >>> float(found.gap[0].round(6)), float(found.squared[0].round(8))
        (0.062335, 2.431e-05)
    """
    variance = unseen * r.each
    mass = r.seen + unseen
    gap, rise, fall, second = _outcomes(r, mass)
    moved = _before(mass - (r.seen + r.unseen))
    growth = np.where(r.tied > 0, rise, r.growth)
    shift = np.where(r.tied > 0, rise + fall, r.shift)
    loose = r.part + r.growth * (unseen - r.unseen) + r.shift * moved
    effect = growth - np.cumsum(shift, axis=1)
    total = np.maximum(variance.sum(axis=1, keepdims=True), TINY)
    effect -= np.sum(variance * effect, axis=1, keepdims=True) / total
    squared = np.sum(variance * effect**2, axis=1)
    trace_1, trace_2, trace_3 = _traces(second, variance, total)
    move = np.cumsum(variance * effect, axis=1)  # of the ends along the steepest change
    bent = second[0] * move + second[1] * _previous(move) + _next(second[1]) * _next(move)
    along = np.sum(move * bent, axis=1)
    third = np.sum(variance * r.each * effect**3, axis=1) + 3 * along - 0.5 * trace_3
    return Moments(
        np.sum(np.where(r.tied > 0, gap, loose), axis=1),
        effect,
        0.5 * trace_1,
        squared,
        trace_2,
        third,
        along / np.maximum(squared, TINY),
        _wobble(r, variance, effect, bent, squared),
    )


def _outcomes(
    r: Rows, mass: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[FloatArray, FloatArray]]:
    """Gaps of tied outcomes, their slopes in both ends, and second derivatives in the ends.

    The latter are those of the sum: twice in an end, and mixed in an end and the one before.
    """
    n, end = r.n, np.minimum(np.cumsum(mass, axis=1), 1.0)
    start = _previous(end)
    solid = (r.tied > 0) & (mass > 1e-14)
    p = np.where(solid, mass, 1.0)
    log_end = np.log(np.maximum(end, TINY))
    above, g_end = np.exp(n * log_end), n * np.exp((n - 1) * log_end)
    bend_end = (n - 1) * g_end / np.maximum(end, TINY)

    def at_start(values: FloatArray) -> FloatArray:
        """Of the lower end, which is the upper end of the segment before; 0 at 0."""
        return np.where(start > 0, _previous(values), 0.0)

    below, g_start, bend_start, log_start = map(at_start, (above, g_end, bend_end, log_end))
    mean = np.maximum((above - below) / p, TINY)
    log_mean = np.log(mean)
    level = np.log(n) - (n - 1) / n
    gap = above * (level + (n - 1) * log_end) - below * (level + (n - 1) * log_start)
    gap = gap - (above - below) * log_mean
    log_rise = np.log(n) + (n - 1) * log_end - log_mean
    log_fall = np.where(start > 0, np.log(n) + (n - 1) * log_start - log_mean, 0.0)
    rise, fall = g_end * (log_rise - 1) + mean, -g_start * (log_fall - 1) - mean
    over, under = g_end - mean, mean - g_start
    twice_end = bend_end * log_rise - over**2 / (p * mean)
    twice_start = np.where(start > 0, -bend_start * log_fall - under**2 / (p * mean), 0.0)
    mixed = np.where(start > 0, -over * under / (p * mean), 0.0)

    def only(values: FloatArray) -> FloatArray:
        return np.where(solid, values, 0.0)

    second = only(twice_end) + _next(only(twice_start)), only(mixed)
    return only(gap), only(rise), only(fall), second


def _traces(
    second: tuple[FloatArray, FloatArray], variance: FloatArray, total: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Traces of M, M^2 and M^3, where M is the Hessian times the covariance of the ends.

    The Hessian has two diagonals and Cov(F_i, F_j) = V_i (1 - V_j/V) for i <= j, so that
    M_jk = a_j (1 - V_k/V) above and b_j V_k below the diagonal.
    """
    twice, mixed = second
    v = np.cumsum(variance, axis=1)
    w = np.maximum(1 - v / total, 0.0)
    before, after = (_previous(v), _previous(w)), (_next(v), _next(w))
    following = _next(mixed)
    a = mixed * before[0] + twice * v + following * after[0]
    b = mixed * before[1] + twice * w + following * after[1]
    centre = mixed * before[0] * w + twice * v * w + following * v * after[1]
    lower, upper = a * v, b * w
    crossed = _before(lower)
    trace_2 = np.sum(centre**2 + 2 * upper * crossed, axis=1)
    trace_3 = np.sum(
        centre**3
        + 3 * upper * (_before(centre * lower) + centre * crossed)
        + 3 * upper * _before((a * w + b * v) * crossed),
        axis=1,
    )
    return np.sum(centre, axis=1), trace_2, trace_3


def _wobble(
    r: Rows, variance: FloatArray, effect: FloatArray, bent: FloatArray, squared: FloatArray
) -> FloatArray:
    """Variance of the squared standard error across the steepest change of the gap."""
    slope = r.each * effect**2 + 2 * (bent.sum(axis=1, keepdims=True) - _before(bent))
    total = np.maximum(variance.sum(axis=1, keepdims=True), TINY)
    slope -= np.sum(variance * slope, axis=1, keepdims=True) / total
    along = np.sum(variance * slope * effect, axis=1) ** 2 / np.maximum(squared, TINY)
    return np.asarray(np.maximum(np.sum(variance * slope**2, axis=1) - along, 0.0))


def inverted_test(r: Rows, quantile: float) -> tuple[FloatArray, FloatArray]:
    """Least and largest gap that the estimate does not contradict, shape (rows,) each.

    Args:
        r: the pools; their unseen masses estimate the gap.
        quantile: at which each tail is cut, such as 0.975.

    Examples:
        >>> from bonmeter.pools.layout import segments_of_ranks
        >>> rows = rows_of(segments_of_ranks(np.repeat([[0.0, 1.0]], 50, axis=1)), 2)
        >>> [float(end[0].round(3)) for end in inverted_test(rows, 0.975)]
        [0.057, 0.077]
    """
    from scipy.special import ndtr, stdtrit

    start = r.unseen + 0.5 * np.where(r.tied > 0, np.minimum(r.each, r.unseen), 0.0)
    start = _scaled(start, r.missing)
    down, up = _path(r, start, -1), _path(r, start, 1)
    gap, bias, squared, trace_2, third, wobble = (
        np.stack(column, axis=1) for column in zip(*(down[:0:-1] + up), strict=True)
    )
    truth, mean = gap - 0.5 * bias, gap + 0.5 * bias
    of_second_order = 0.5 * trace_2
    second = np.maximum(squared, of_second_order)
    df = np.clip(2 * second**2 / np.maximum(DOUBT * wobble, TINY), 1.0, 1e6)  # of a chi-square
    ends = 4 * bias**2 / np.maximum(trace_2, TINY)  # how many share the curvature
    draws = r.missing**2 / np.maximum(np.sum(start * r.each, axis=1, keepdims=True), TINY)
    flat = of_second_order / np.maximum(squared + of_second_order, TINY)
    second *= 1 + CROWDING * flat * ends / draws
    estimate = moments(r, r.unseen).gap[:, None]
    score = _score(estimate - mean, second, third)
    # no estimate is below the least gap; what lies there of the distribution is cut above instead
    least = gap.min(axis=1)
    beyond = ndtr(_score(least[:, None] - mean, second, third))
    cut = 1 - quantile
    far = -stdtrit(df, cut)
    near = -stdtrit(df, cut + np.minimum(cut, beyond))
    lowest = np.minimum.accumulate(truth[:, ::-1], axis=1)[:, ::-1]
    highest = np.maximum.accumulate(truth, axis=1)
    lower = _crossing(near - score, lowest)
    upper = _crossing((score + far)[:, ::-1], highest[:, ::-1])
    return np.maximum(np.minimum(lower, upper), least), np.maximum(lower, upper)


def _path(r: Rows, unseen: FloatArray, sign: int) -> list[tuple[FloatArray, ...]]:
    """What is true at each step up or down the steepest change of the gap.

    A class whose unseen mass is less than one of its parts moves by less: it is there or not.
    """
    found: list[tuple[FloatArray, ...]] = []
    for step in range(STEPS + 1):
        m = moments(r, unseen)
        found.append((m.gap, m.bias, m.squared, m.trace_2, m.third, m.wobble))
        if step < STEPS:
            pace = np.maximum(np.sqrt(m.squared) / STEP, np.abs(m.curvature))
            change = np.minimum(r.each, unseen) * m.effect / np.maximum(pace, TINY)[:, None]
            unseen = _scaled(unseen * np.exp(np.clip(sign * change, -30.0, 30.0)), r.missing)
    return found


def _scaled(masses: FloatArray, total: FloatArray) -> FloatArray:
    return np.asarray(masses * (total / np.maximum(masses.sum(axis=1, keepdims=True), TINY)))


def _score(x: FloatArray, second: FloatArray, third: FloatArray) -> FloatArray:
    """Standard normal score of a deviation whose second and third cumulants are these."""
    from scipy.special import gammainc, ndtri

    scale = np.sqrt(np.maximum(second, TINY))
    skewness = SKEWNESS * third / np.maximum(scale**3, TINY)
    sign, size = np.where(skewness < 0, -1.0, 1.0), np.abs(skewness)
    x = sign * x / scale
    shape = 4 / np.maximum(size, 0.01) ** 2
    below = gammainc(shape, np.maximum(shape + x * np.sqrt(shape), 0.0))
    gamma = ndtri(np.clip(below, 1e-12, 1 - 1e-12))
    return np.asarray(sign * np.where(size < 0.01, x, gamma))


def _crossing(inside: FloatArray, place: FloatArray) -> FloatArray:
    """Where `inside` first becomes >= 0 along the columns, on a line between two of them."""
    row = np.arange(len(inside))
    ever = (inside >= 0).any(axis=1)
    at = np.where(ever, np.argmax(inside >= 0, axis=1), inside.shape[1] - 1)
    before = np.maximum(at - 1, 0)
    low, high = inside[row, before], inside[row, at]
    share = np.where(ever & (at > 0), -low / np.where(high == low, 1.0, high - low), 1.0)
    return np.asarray(place[row, before] + share * (place[row, at] - place[row, before]))


def _before(values: FloatArray) -> FloatArray:
    return _previous(np.cumsum(values, axis=1))


def _previous(values: FloatArray) -> FloatArray:
    shifted = np.zeros_like(values)
    shifted[:, 1:] = values[:, :-1]
    return shifted


def _next(values: FloatArray) -> FloatArray:
    shifted = np.zeros_like(values)
    shifted[:, :-1] = values[:, 1:]
    return shifted
