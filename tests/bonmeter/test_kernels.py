"""The kernels against their definitions, for intervals of any width and any n."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonmeter.numerics.kernels import (
    excess_and_entropy,
    log_mean_density,
    log_one_minus_exp,
    normalised_gap,
    normalised_win_rate_gap,
    relative_entropy_term,
)
from tests.oracle import draws, relative_error

TOLERANCE = 1e-13

steps = st.one_of(
    st.floats(-280, 3).map(lambda x: 10.0**x),
    st.floats(-14, 3).map(lambda x: 10.0**x),
    st.floats(1, 800),
    st.just(math.inf),
)


def digits(step: float) -> int:
    """Gaps are of order (n-1)^2 step^2, from logarithms of differences of order step or e^-step."""
    return (
        120 if step == math.inf else 120 + math.ceil(max(-3 * math.log10(step), min(step, 800) / 2))
    )


def lower_end(step: float) -> mp.mpf:
    return mp.exp(-mp.mpf(step))


def gap_by_definition(n: float, step: float) -> mp.mpf:
    """phi_n of [a, 1]: the integral of g log(g/mean g) over the interval, divided by its mass."""
    with mp.workdps(digits(step)):
        n, a = mp.mpf(n), lower_end(step)
        power = a**n
        log_term = power * mp.log(a) if power else mp.mpf(0)
        entropy = mp.log(n) - (n - 1) / n - (n - 1) * log_term / (1 - power)
        return entropy - mp.log((1 - power) / (1 - a))


def win_rate_gap_by_definition(n: float, step: float) -> mp.mpf:
    """E[u] - (a+1)/2 over [a, 1]."""
    with mp.workdps(digits(step)):
        n, a = mp.mpf(n), lower_end(step)
        return n / (n + 1) * (1 - a ** (n + 1)) / (1 - a**n) - (1 + a) / 2


def check_gaps(n: float, step: float) -> None:
    found = [float(f(n, np.array([step]))[0]) for f in (normalised_gap, normalised_win_rate_gap)]
    assert relative_error(found[0], gap_by_definition(n, step)) <= TOLERANCE
    assert relative_error(found[1], win_rate_gap_by_definition(n, step)) <= TOLERANCE


@given(draws.filter(lambda n: n > 1), steps)
@settings(max_examples=500, deadline=None)
def test_normalised_gaps(n: float, step: float) -> None:
    check_gaps(n, step)


@given(st.floats(-6, 6), st.floats(0.01, 12))
@settings(max_examples=500, deadline=None)
def test_normalised_gaps_of_steps_of_about_1_over_n(log10_shift: float, log10_n: float) -> None:
    """Where series, closed forms and limits meet."""
    check_gaps(10.0**log10_n, 10.0 ** (log10_shift - log10_n))


@given(draws, steps, st.floats(-50, 0))
@settings(max_examples=300, deadline=None)
def test_log_mean_density(n: float, step: float, log_b: float) -> None:
    """To the rounding of its two parts, of opposite signs."""
    with mp.workdps(digits(step)):
        a = lower_end(step)
        excess = mp.log((1 - a ** mp.mpf(n)) / (1 - a))
        expected = (mp.mpf(n) - 1) * mp.mpf(log_b) + excess
        scale = abs((mp.mpf(n) - 1) * mp.mpf(log_b)) + excess
    value = float(log_mean_density(n - 1, np.array([step]), np.array([log_b]))[0])
    assert abs(value - expected) <= 1e-15 * scale + 1e-300


@given(st.one_of(st.floats(-800, 0), st.floats(-300, 0).map(lambda x: -(10.0**x))))
@settings(max_examples=300, deadline=None)
def test_log_one_minus_exp(x: float) -> None:
    value = float(log_one_minus_exp(np.array([x]))[0])
    if x == 0:
        assert value == -math.inf
    else:
        with mp.workdps(700):
            assert relative_error(value, mp.log(-mp.expm1(mp.mpf(x)))) <= 1e-15


@given(st.one_of(st.floats(-800, 28), st.floats(-150, 1).map(lambda x: -(10.0**x))))
@settings(max_examples=300, deadline=None)
def test_excess_and_entropy(t: float) -> None:
    with mp.workdps(400):
        expected = mp.expm1(t), mp.mpf(t) * mp.exp(t) - mp.exp(t) + 1
    alone = excess_and_entropy(np.array([t]))
    beside_others = excess_and_entropy(np.array([t, 0.0, -3.0]))
    for found in (alone, beside_others):
        for value, reference in zip(found, expected, strict=True):
            assert relative_error(float(value[0]), reference) <= TOLERANCE
    assert relative_entropy_term(np.array([t])) == alone[1]


@pytest.mark.parametrize("n", [1.5, 2.0, 3.0, 1e12])
def test_limits(n: float) -> None:
    steps = np.array([0.0, np.inf])
    formula = math.log(n) - (n - 1) / n
    assert normalised_gap(n, steps) == pytest.approx([0, formula], rel=1e-14)
    assert normalised_win_rate_gap(n, steps) == pytest.approx([0, n / (n + 1) - 0.5], rel=1e-15)
    assert log_mean_density(n - 1, steps, np.zeros(2)) == pytest.approx([math.log(n), 0], rel=1e-15)


def test_values_by_hand() -> None:
    assert relative_entropy_term(np.array([1.0, 0.0])).tolist() == [1, 0]
    assert log_one_minus_exp(np.log([0.25])) == pytest.approx(np.log([0.75]), rel=1e-15)
    # [1/2, 1], n = 2: mean of u under 2u is (7/12)/(3/4) = 7/9, its middle 3/4
    half = np.log([2.0])
    assert normalised_win_rate_gap(2.0, half) == pytest.approx([1 / 36], rel=1e-14)
    # log 2 - 1/2 + (log 2)/3 - log(3/2)
    expected = 4 / 3 * math.log(2) - 0.5 - math.log(1.5)
    assert normalised_gap(2.0, half) == pytest.approx([expected], rel=1e-13)
