"""The uncertainty of the gap by other routes."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.pools import gaps, uncertainty
from bonmeter.pools.estimate import (
    kl_interval,
)
from bonmeter.pools.layout import segments_of, segments_of_ranks
from bonmeter.pools.uncertainty import Gap, deviations, gap_and_error
from replication.policies.families import dirichlet
from tests.bonmeter.pools.pools import distinct, draw, gap


def test_two_tied_classes_follow_the_binomial_delta_method() -> None:
    passed, size, n = 30, 100, 7
    with mpmath.workdps(30):

        def class_gap(p: mpmath.mpf) -> mpmath.mpf:
            return gap(n, mpmath.mpf(0), 1 - p) + gap(n, 1 - p, mpmath.mpf(1))

        p = mpmath.mpf(passed) / size
        value, slope, curvature = (float(mpmath.diff(class_gap, p, k)) for k in (0, 1, 2))
    variance = 0.3 * 0.7 / size
    found = gap_and_error(segments_of_ranks(np.repeat([0.0, 1.0], [70, 30])[None]), n)
    assert found.gap.item() == pytest.approx(value - 0.5 * curvature * variance, rel=1e-9)
    assert found.error.item() == pytest.approx(abs(slope) * np.sqrt(variance), rel=1e-9)
    assert found.curvature.item() == pytest.approx(curvature * variance, rel=1e-9)
    assert found.residual.item() == pytest.approx(0, abs=1e-7)  # masses only change in one way


def test_curvature_is_the_second_derivative_along_the_steepest_change() -> None:
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
        steepest = variance * slope / error
        curvature = float(mpmath.diff(lambda t: moved(t * steepest), 0, 2))
    found = gap_and_error(segments_of_ranks(np.repeat([0.0, 1.0, 2.0], count)[None]), n)
    assert found.curvature.item() == pytest.approx(curvature, rel=1e-6)
    assert found.residual.item() > 0
    assert found.error.item() ** 2 + 2 * found.residual.item() ** 2 == pytest.approx(error**2)
    assert found.df.item() == pytest.approx(
        2 * error**4 / np.sum((variance * slope**2) ** 2 / count)
    )


@given(*[st.floats(-1, 1)] * 2, st.floats(0, 1), st.floats(1, 5))
def test_deviations_are_the_range_of_a_parabola(
    error: float, curvature: float, residual: float, quantile: float
) -> None:
    one = np.ones(1)
    found = Gap(one, abs(error) * one, curvature * one, residual * one, one)
    steps = np.linspace(-quantile, quantile, 2001)
    moves = abs(error) * steps + 0.5 * curvature * (steps**2 - 1)
    up, down = deviations(found, quantile * one)
    for side, most in ((up, moves.max()), (down, -moves.min())):
        expected = np.hypot(max(most, 0), quantile * residual)
        assert side.item() == pytest.approx(expected, abs=1e-5)


def test_ends_of_classes_that_do_not_touch_are_apart() -> None:
    reward = np.concatenate([np.zeros(40), np.arange(1, 11), np.full(50, 20)])[None]
    s = segments_of_ranks(reward)
    assert np.flatnonzero(s.tied).tolist() == [0, s.mass.size - 1]
    mean, _, squares = uncertainty._curvature(s, 7, np.zeros(s.mass.size))
    at_end = []
    for k, derivative in ((0, 2), (-1, 0)):  # the upper end of the first, the lower of the last
        lower, upper = s.start[[k]], s.start[[k]] + s.mass[[k]]
        second = gaps.second_slopes(7, np.maximum(lower, 1e-300), upper, s.mass[[k]])
        below = s.variance[: 1 if k == 0 else k].sum() / s.variance.sum()
        at_end.append(0.5 * second[derivative].item() * below * (1 - below) * s.variance.sum())
    assert mean.item() == pytest.approx(sum(at_end))
    assert squares.item() == pytest.approx(sum(b**2 for b in at_end))


def test_interval_is_students_on_the_logit() -> None:
    log_prob, reward = draw(dirichlet(0.3, 50, np.random.default_rng(1)), 40)
    segments = segments_of(distinct(log_prob[None], reward[None]))
    found = gap_and_error(segments, 4)
    missing, error, df = found.gap.item(), found.error.item(), found.df.item()
    formula = float(analytical_kl(4))
    half = t.ppf(0.95, df) * error * formula / (missing * (formula - missing))
    interval = kl_interval(log_prob, reward, 4, level=0.9)
    assert interval.estimate == pytest.approx(formula - missing)
    ends = formula / (1 + missing / (formula - missing) * np.exp([half, -half]))
    assert [interval.lower, interval.upper] == pytest.approx(ends)
    assert interval.df == df
    assert 2 <= df < 80
    assert found.curvature == found.residual == 0  # no ties
