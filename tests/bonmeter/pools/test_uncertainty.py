"""The uncertainty of the gap by other routes."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy.stats import t

from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.pools import gaps, uncertainty
from bonmeter.pools.estimate import kl_interval
from bonmeter.pools.layout import Segments, segments_of, segments_of_ranks
from bonmeter.pools.uncertainty import (
    Error,
    as_drawn,
    corrected_gaps,
    effects_of,
    uncertain,
    without_hidden,
)
from replication.policies.families import dirichlet
from tests.bonmeter.pools.pools import distinct, draw, gap


def gap_error(segments: Segments, n: int) -> Error:
    return uncertainty.gap_error(uncertain(segments), effects_of(segments, n))


def corrected(segments: Segments, n: int) -> float:
    return float(corrected_gaps(segments, np.array([n])).item())


def test_two_tied_classes_follow_the_binomial_delta_method() -> None:
    passed, size, n = 30, 100, 7
    with mpmath.workdps(30):

        def class_gap(p: mpmath.mpf) -> mpmath.mpf:
            return gap(n, mpmath.mpf(0), 1 - p) + gap(n, 1 - p, mpmath.mpf(1))

        p = mpmath.mpf(passed) / size
        value, slope, bend = (float(mpmath.diff(class_gap, p, k)) for k in (0, 1, 2))
    variance = 0.3 * 0.7 / size
    segments = segments_of_ranks(np.repeat([0.0, 1.0], [70, 30])[None])
    assert corrected(segments, n) == pytest.approx(value - 0.5 * bend * variance, rel=1e-9)
    found = gap_error(segments, n)
    assert found.error.item() == pytest.approx(abs(slope) * np.sqrt(variance), rel=1e-9)


def test_the_error_is_the_slope_along_the_steepest_change() -> None:
    count, n = np.array([40, 50, 10]), 7
    mass, variance = count / 100, count / 100**2

    def moved(change: FloatArray) -> mpmath.mpf:
        end = [mpmath.mpf(0)]
        for size, step in zip(mass, change, strict=True):
            end.append(end[-1] + mpmath.mpf(int(size * 100)) / 100 + step)
        return sum(gap(n, *ends) for ends in pairwise(end))

    with mpmath.workdps(30):
        unit = np.eye(3)
        slope = np.array([float(mpmath.diff(lambda t, e=e: moved(t * e), 0)) for e in unit])
    slope -= np.average(slope, weights=variance)
    error = np.sqrt(np.sum(variance * slope**2))
    found = gap_error(segments_of_ranks(np.repeat([0.0, 1.0, 2.0], count)[None]), n)
    assert found.error.item() == pytest.approx(error)
    shares = (variance * slope**2) ** 2 / count
    assert found.df.item() == pytest.approx(2 * error**4 / np.sum(shares))


def test_ends_of_classes_that_do_not_touch_are_apart() -> None:
    reward = np.concatenate([np.zeros(40), np.arange(1, 11), np.full(50, 20)])[None]
    s = segments_of_ranks(reward)
    assert np.flatnonzero(s.tied).tolist() == [0, s.mass.size - 1]
    at_end = 0.0
    for k, derivative in ((0, 2), (-1, 0)):  # the upper end of the first, the lower of the last
        lower, upper = s.start[[k]], s.start[[k]] + s.mass[[k]]
        second = gaps.second_slopes(7, np.maximum(lower, 1e-300), upper, s.mass[[k]])
        below = s.variance[: 1 if k == 0 else k].sum() / s.variance.sum()
        at_end += 0.5 * second[derivative].item() * below * (1 - below) * s.variance.sum()
    pieces = gaps.pieces_of(s, 7)
    raw = np.sum(pieces.number * pieces.gap)
    assert raw - corrected(s, 7) == pytest.approx(at_end)


def test_several_n_at_once_equal_one_by_one() -> None:
    n = np.array([2, 3, 9, 40])
    log_prob, reward = draw(dirichlet(0.3, 50, np.random.default_rng(1)), 5, 40)
    segments = segments_of(distinct(log_prob, reward // 9))
    together = corrected_gaps(segments, n)
    for k, row in zip(n, together, strict=True):
        np.testing.assert_allclose(corrected_gaps(segments, np.array([k]))[0], row, rtol=1e-12)
    block, uncertainty.BLOCK = uncertainty.BLOCK, 1
    try:
        np.testing.assert_allclose(corrected_gaps(segments, n), together, rtol=1e-12)
    finally:
        uncertainty.BLOCK = block


def test_interval_is_students_on_the_logit_where_there_are_no_ties() -> None:
    log_prob, reward = draw(dirichlet(0.3, 50, np.random.default_rng(1)), 40)
    segments = segments_of(distinct(log_prob[None], reward[None]))
    missing, (error, df, drawn) = (
        corrected(segments, 4),
        gap_error(segments, 4),
    )
    assert not drawn.item()
    formula = float(analytical_kl(4))
    half = t.ppf(0.95, df) * error * formula / (missing * (formula - missing))
    interval = kl_interval(log_prob, reward, 4, level=0.9, precision=0.0)
    assert interval.estimate == pytest.approx(formula - missing)
    ends = formula / (1 + missing / (formula - missing) * np.exp([half.item(), -half.item()]))
    assert [interval.lower, interval.upper] == pytest.approx(ends)
    assert interval.df == df
    assert 2 <= df < 80


def a_class_of(responses: int, mass: float, size: int) -> Segments:
    """Pools from so many equal responses of one reward; one with the rest of the mass lies below.

    Each pool shows every one of them but the last, and nothing of the rest but some rare ones.
    """
    rest = size - responses + 1
    log_prob = np.concatenate(
        [np.full(responses - 1, np.log(mass / responses)), np.full(rest, -200.0)]
    )
    reward = np.repeat([1.0, 0.0], [responses - 1, rest])
    return segments_of(distinct(log_prob[None], reward[None], np.arange(size)[None]))


def test_a_class_that_misses_a_response_or_two_has_few_degrees_of_freedom() -> None:
    few, many = a_class_of(16, 0.05, 1000), a_class_of(400, 0.05, 1000)
    for segments, expected in ((few, False), (many, True)):
        best = segments.start.argmax()
        assert segments.tied[best]
        assert as_drawn(segments)[best] == expected
    assert gap_error(few, 32).df[0] < 20 < gap_error(many, 32).df[0]


@pytest.mark.parametrize("n", [2, 40, 900])
def test_merging_what_is_hidden_changes_no_error(n: int) -> None:
    for segments in (a_class_of(16, 0.05, 1000), segments_of_ranks(np.arange(2000.0)[None] // 3)):
        merged = without_hidden(segments, n)
        whole, few = (
            gap_error(segments, n),
            gap_error(merged, n),
        )
        np.testing.assert_allclose(whole.error, few.error, rtol=1e-12)
        np.testing.assert_allclose(whole.df, few.df, rtol=1e-12)
        np.testing.assert_array_equal(whole.drawn, few.drawn)
    assert (merged.pool.size < segments.pool.size) == (n == 900)
