"""The paper's estimator against the slow second route, and what is proved about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from bonmeter.exact.estimator import expected_kl_estimator, expected_kl_estimator_gap, kl_estimator
from bonmeter.exact.values import analytical_kl, exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from tests.oracle import (
    GRID,
    LARGE_GRID,
    LARGE_POLICIES,
    POLICIES,
    TOLERANCE,
    Oracle,
    Responses,
    draws,
    estimator,
    oracle,
    policies,
    relative_error,
)

MEANS: dict[str, Callable[[Policy, ArrayLike], FloatArray]] = {
    "expected_estimator": expected_kl_estimator,
    "expected_estimator_gap": expected_kl_estimator_gap,
}
HALVES = Policy.from_probabilities([0.5, 0.5])
LOG_EPS = (
    *(-1e6, -1e4, -745.2, -700.0, -100.0, -math.log(1e12), -20.0, -10.0, -3.0, -1.0),
    *(-math.log(2), -0.5, -0.1, -1e-3, -1e-6, -1e-9, -1e-12, -1e-16, -1e-100, -1e-300),
)

# Paper, Figure 2: L, n and the mean of the estimator to four digits.
UNIFORM_MEANS = [
    (10, 10, "1.3789"),
    (10, 100, "2.3023"),
    (100, 10, "1.4026"),
    (100, 100, "3.5897"),
    (100, 1000, "4.6047"),
    (1000, 100, "3.6151"),
    (1000, 1000, "5.8831"),
    (1000, 10000, "6.9073"),
    (10000, 1000, "5.9087"),
    (10000, 10000, "8.1847"),
]


def mean_error(function: str, responses: Responses, reference: Oracle, n: float) -> float:
    value = MEANS[function](Policy(*responses), n)
    return relative_error(float(value), reference.value(function, n))


@pytest.mark.parametrize("n", GRID)
def test_twelve_digits_at_any_probability(n: float) -> None:
    values = kl_estimator(LOG_EPS, n).tolist()
    found = {x: relative_error(d, estimator(x, n)) for x, d in zip(LOG_EPS, values, strict=True)}
    assert max(found.values()) <= TOLERANCE, found


@given(
    st.one_of(
        st.floats(-1e6, 0),
        st.floats(-60, 0),
        st.floats(-300, 0).map(lambda x: -(10.0**x)),
        st.just(-5e-324),
    ),
    draws,
)
@settings(max_examples=300, deadline=None)
def test_twelve_digits_of_any_estimate(log_eps: float, n: float) -> None:
    if n > 1:
        assert relative_error(float(kl_estimator(log_eps, n)), estimator(log_eps, n)) <= TOLERANCE


@given(st.floats(-30, 30), st.floats(0, 12))
@settings(max_examples=300, deadline=None)
def test_twelve_digits_where_one_such_response_is_expected(shift: float, log10_n: float) -> None:
    """n eps is about 1: neither the formula nor log(1/eps) is near."""
    n = 10.0**log10_n
    log_eps = min(shift - math.log(n), 0.0)
    if n > 1:
        assert relative_error(float(kl_estimator(log_eps, n)), estimator(log_eps, n)) <= TOLERANCE


@pytest.mark.parametrize("function", MEANS)
@pytest.mark.parametrize("name", POLICIES)
def test_twelve_digits_of_the_mean(name: str, function: str) -> None:
    found = {n: mean_error(function, POLICIES[name], oracle(name), n) for n in GRID}
    assert max(found.values()) <= TOLERANCE, found


@pytest.mark.parametrize("n", LARGE_GRID)
@pytest.mark.parametrize("name", LARGE_POLICIES)
def test_twelve_digits_of_the_mean_over_large_policies(name: str, n: float) -> None:
    found = {f: mean_error(f, LARGE_POLICIES[name], oracle(name), n) for f in MEANS}
    assert max(found.values()) <= TOLERANCE, found


@given(policies(), draws)
@settings(max_examples=150, deadline=None)
def test_twelve_digits_of_the_mean_over_any_policy(responses: Responses, n: float) -> None:
    reference = Oracle(*responses)
    if n > 1:
        for function in MEANS:
            assert mean_error(function, responses, reference, n) <= TOLERANCE, function


def test_the_comparison_sees_an_error_in_the_twelfth_digit() -> None:
    value, reference = float(kl_estimator(-3.0, 7)), estimator(-3.0, 7)
    assert relative_error(value, reference) < 1e-14
    assert relative_error(value * (1 + 1.1e-12), reference) > TOLERANCE


@given(policies(), draws)
@settings(max_examples=60, deadline=None)
def test_the_mean_lies_between_the_kl_and_the_formula(responses: Responses, n: float) -> None:
    """The paper's Conjecture 4.4, in floats and in the second route."""
    policy, rounding = Policy(*responses), 1 + 1e-12
    mean, gap = (float(f(policy, n)) for f in MEANS.values())
    assert float(exact_kl(policy, n)) <= mean * rounding
    assert 0 <= mean <= float(analytical_kl(n)) * rounding
    assert gap >= 0
    assert mean + gap == pytest.approx(float(analytical_kl(n)), rel=1e-12)
    if n > 1:
        exact = Oracle(*responses)
        with mp.workdps(exact.digits):
            rounding = mp.mpf(10) ** (20 - exact.digits)
            assert exact.kl(n) <= exact.expected_estimator(n) + rounding
            assert exact.value("expected_estimator_gap", n) >= -rounding


@given(st.lists(st.floats(-1e3, 0), min_size=2, max_size=20), draws)
@settings(max_examples=100, deadline=None)
def test_the_estimator_decreases_from_the_formula_to_0(log_eps: list[float], n: float) -> None:
    values = kl_estimator([-np.inf, *sorted(log_eps), 0.0], n)
    assert np.all(values[1:] <= values[:-1] * (1 + 1e-13))
    assert values[0] == pytest.approx(float(analytical_kl(n)), rel=1e-15)
    assert values[-1] == 0


def test_values_by_hand() -> None:
    # 1/4 (log 2 - log 2 - 1/2) + 3/4 log(3/2)
    expected = 0.75 * math.log(1.5) - 0.125
    assert float(kl_estimator(math.log(0.5), 2)) == pytest.approx(expected, rel=1e-15)
    assert float(expected_kl_estimator(HALVES, 2)) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(("size", "n", "mean"), UNIFORM_MEANS)
def test_the_papers_uniform_policies(size: int, n: int, mean: str) -> None:
    policy = Policy.from_probabilities(np.ones(size))
    assert f"{float(expected_kl_estimator(policy, n)):.4f}" == mean


def test_one_draw_is_exact() -> None:
    assert kl_estimator([*LOG_EPS, 0.0, -np.inf], 1).tolist() == [0.0] * (len(LOG_EPS) + 2)
    for responses in POLICIES.values():
        policy = Policy(*responses)
        assert float(expected_kl_estimator(policy, 1)) == 0
        assert float(expected_kl_estimator_gap(policy, 1)) == 0


@pytest.mark.parametrize("n", GRID)
def test_one_outcome_is_exact(n: float) -> None:
    policy = Policy([-1e6], [3.0])
    assert float(expected_kl_estimator(policy, n)) == 0
    gap = float(expected_kl_estimator_gap(policy, n))
    assert gap == pytest.approx(float(analytical_kl(n)), rel=1e-15)


@pytest.mark.parametrize(
    ("log_eps_shape", "n_shape"),
    [
        ((), ()),
        ((3,), ()),
        ((), (3,)),
        ((4, 1), (3,)),
        ((2, 3), (2, 3)),
        ((0,), ()),
        ((0, 1), (3,)),
    ],
)
def test_broadcasting(log_eps_shape: tuple[int, ...], n_shape: tuple[int, ...]) -> None:
    log_eps = -np.linspace(0.1, 3, math.prod(log_eps_shape)).reshape(log_eps_shape)
    n = np.arange(1.0, math.prod(n_shape) + 1).reshape(n_shape)
    result = np.asarray(kl_estimator(log_eps, n))
    assert result.dtype == np.float64
    assert result.shape == np.broadcast_shapes(log_eps_shape, n_shape)
    pairs = np.broadcast(log_eps, n)
    assert result.ravel().tolist() == [float(kl_estimator(x, m)) for x, m in pairs]


@pytest.mark.parametrize("function", MEANS)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3)])
def test_means_have_the_shape_of_n(function: str, shape: tuple[int, ...]) -> None:
    n = np.arange(1, math.prod(shape) + 1).reshape(shape)
    result = np.asarray(MEANS[function](HALVES, n))
    assert result.shape == shape
    assert result.ravel().tolist() == [float(MEANS[function](HALVES, x)) for x in n.ravel()]


NOT_REAL = "must hold real numbers"
BAD_LOG_EPS: dict[str, tuple[Any, str]] = {
    "nan": (np.nan, r"log_eps = .*nan"),
    "inf": (np.inf, r"log_eps = .*inf"),
    "positive": (1e-300, r"log_eps = .*1e-300"),
    "second entry": ([-1.0, 0.5], r"log_eps\[1\] = .*0\.5"),
    "entry of a matrix": ([[-1.0, -1], [-1, np.nan]], r"log_eps\[1, 1\] = .*nan"),
    "object array": (np.array([-1.0], dtype=object), f"log_eps {NOT_REAL}"),
    "beyond int64": (-(10**30), f"log_eps {NOT_REAL}"),
    "None": (None, f"log_eps {NOT_REAL}"),
    "bool": (False, f"log_eps {NOT_REAL}"),
    "complex": (-1 + 0j, f"log_eps {NOT_REAL}"),
    "string": ("-1", f"log_eps {NOT_REAL}"),
    "ragged": ([[-1.0, -2.0], [-3.0]], "log_eps"),
    "masked": (np.ma.array([-1.0, -2.0], mask=[False, True]), "log_eps"),
    "another shape": ([-1.0, -2.0, -3.0], "log_eps"),
}
BAD_N: dict[str, tuple[Any, str]] = {
    "nan": (np.nan, r"n = .*nan"),
    "below 1": (0.5, r"n = .*0\.5"),
    "above 1e12": (2e12, r"n = .*2000000000000"),
    "beyond int64": (10**30, f"n {NOT_REAL}"),
    "second entry": ([2, -np.inf], r"n\[1\] = .*-inf"),
    "bool": (True, f"n {NOT_REAL}"),
    "complex": (2j, f"n {NOT_REAL}"),
    "string": ("2", f"n {NOT_REAL}"),
}


@pytest.mark.parametrize("case", BAD_LOG_EPS)
def test_bad_log_eps(case: str) -> None:
    log_eps, message = BAD_LOG_EPS[case]
    with pytest.raises(ValueError, match=message):
        kl_estimator(log_eps, [2, 3])


@pytest.mark.parametrize("case", BAD_N)
def test_bad_n(case: str) -> None:
    n, message = BAD_N[case]
    with pytest.raises(ValueError, match=message):
        kl_estimator(-1.0, n)
    for function in MEANS.values():
        with pytest.raises(ValueError, match=message):
            function(HALVES, n)
