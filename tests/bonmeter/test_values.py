"""The exact quantities against the slow second route, and against what is known by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import ArrayLike

from bonmeter.exact.estimator import expected_kl_estimator, expected_kl_estimator_gap
from bonmeter.exact.values import (
    analytical_kl,
    best_of_n_log_pmf,
    exact_kl,
    exact_win_rate,
    kl_gap,
    sum_over_outcomes,
    win_rate_gap,
)
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy, Term
from tests.oracle import (
    GRID,
    LARGE_GRID,
    LARGE_POLICIES,
    POLICIES,
    TOLERANCE,
    Oracle,
    Responses,
    draws,
    oracle,
    policies,
    relative_error,
)

Function = Callable[[Any, ArrayLike], FloatArray]

FUNCTIONS: dict[str, Function] = {
    "kl": exact_kl,
    "kl_gap": kl_gap,
    "win_rate": exact_win_rate,
    "win_rate_gap": win_rate_gap,
}
AT_ONE_DRAW = {"kl": 0.0, "kl_gap": 0.0, "win_rate": 0.5, "win_rate_gap": 0.0}
EVERY_FUNCTION: dict[str, Function] = {
    **FUNCTIONS,
    "analytical_kl": lambda _, n: analytical_kl(n),
    "log_pmf": best_of_n_log_pmf,
}
HALVES = Policy.from_probabilities([0.5, 0.5])

# Paper, Figure 2: L, n and the exact KL to four digits.
UNIFORM_KL = [
    (10, 10, "1.3611"),
    (10, 100, "2.3023"),
    (10, 1000, "2.3026"),
    (10, 10000, "2.3026"),
    (100, 10, "1.4022"),
    (100, 100, "3.5745"),
    (100, 1000, "4.6047"),
    (100, 10000, "4.6052"),
    (1000, 10, "1.4026"),
    (1000, 100, "3.6148"),
    (1000, 1000, "5.8681"),
    (1000, 10000, "6.9073"),
    (10000, 10, "1.4026"),
    (10000, 100, "3.6152"),
    (10000, 1000, "5.9083"),
    (10000, 10000, "8.1698"),
]


def errors(function: str, responses: Responses, reference: Oracle, n: float) -> float:
    value = FUNCTIONS[function](Policy(*responses), n)
    return relative_error(float(value), reference.value(function, n))


def log_pmf_error(responses: Responses, reference: Oracle, n: float) -> float:
    log_pmf = best_of_n_log_pmf(Policy(*responses), n).tolist()
    return max(map(relative_error, log_pmf, reference.log_pmf(n)))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", POLICIES)
def test_twelve_digits(name: str, function: str) -> None:
    found = {n: errors(function, POLICIES[name], oracle(name), n) for n in GRID}
    assert max(found.values()) <= TOLERANCE, found


@pytest.mark.parametrize("name", POLICIES)
def test_log_pmf_has_twelve_digits(name: str) -> None:
    found = {n: log_pmf_error(POLICIES[name], oracle(name), n) for n in (1.0, *GRID)}
    assert max(found.values()) <= TOLERANCE, found


@pytest.mark.parametrize("n", LARGE_GRID)
@pytest.mark.parametrize("name", LARGE_POLICIES)
def test_twelve_digits_of_large_policies(name: str, n: float) -> None:
    found = {f: errors(f, LARGE_POLICIES[name], oracle(name), n) for f in FUNCTIONS}
    assert max(found.values()) <= TOLERANCE, found


@given(policies(), draws)
@settings(max_examples=150, deadline=None)
def test_twelve_digits_of_any_policy(responses: Responses, n: float) -> None:
    reference = Oracle(*responses)
    if n > 1:
        for function in FUNCTIONS:
            assert errors(function, responses, reference, n) <= TOLERANCE, function
    assert log_pmf_error(responses, reference, n) <= TOLERANCE


class EveryOutcome:
    """The plain sum over all outcomes, for as many as the second route has no time for."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def sum_over_outcomes(self, term: Term, n: float, symmetric: bool = False) -> float:
        policy = self.policy
        return math.fsum(term(n, policy.log_mass, policy.log_cdf, policy.log_step))


def many_outcomes() -> dict[str, FloatArray]:
    """Log-masses of 10^5 outcomes that defy summaries of neighbours."""
    rng = np.random.default_rng(20240105)
    rank = np.arange(10.0**5)
    normal, uniform = rng.normal(size=rank.size), rng.random(rank.size)
    return {
        "log-normal": normal,
        "heavy-tailed": 8 * normal,
        "every other one rare": np.where(rank % 2, 0.0, -20.0),
        "few large": np.where(uniform < 1e-3, 0.0, -12.0),
        "atoms in dust": np.where(rank % 5000 == 2500, 0.0, -14 + normal),
        "dust on an atom": np.where(rank == 0, 0.0, -16 + normal),
        "dust under an atom": np.where(rank == rank[-1], 0.0, -60 + normal),
        "sawtooth": -0.3 * (rank % 64),
        "random walk": 0.1 * np.cumsum(normal),
        "half of it negligible": np.where(rank < 5e4, normal, -690 + normal),
        "zipf at random": -np.log1p(rng.permutation(rank)),
    }


MANY_OUTCOMES = many_outcomes()


@pytest.mark.parametrize("name", MANY_OUTCOMES)
def test_summaries_of_many_outcomes_lose_nothing(name: str) -> None:
    policy = Policy(MANY_OUTCOMES[name], np.arange(1e5))
    n = [1 + 2.0**-40, 1.5, 3, 40, 1e3, 1e5, 1e9]
    for function in (*FUNCTIONS.values(), expected_kl_estimator, expected_kl_estimator_gap):
        expected = function(EveryOutcome(policy), n)
        assert function(policy, n) == pytest.approx(expected, rel=1e-13, abs=1e-300)


def test_the_comparison_sees_an_error_in_the_twelfth_digit() -> None:
    value = float(exact_kl(HALVES, 3))
    reference = Oracle(np.zeros(2), np.arange(2.0)).value("kl", 3)
    assert relative_error(value, reference) < 1e-15
    assert relative_error(value * (1 + 1.1e-12), reference) > TOLERANCE
    assert math.isnan(relative_error(math.nan, reference))


@pytest.mark.parametrize("n", [1, 1 + 2.0**-52, *GRID])
def test_analytical_kl_has_fourteen_digits(n: float) -> None:
    with mp.workdps(60):
        assert relative_error(float(analytical_kl(n)), mp.log(n) - (mp.mpf(n) - 1) / n) < 1e-14


def test_a_gap_of_1e_38_has_twelve_digits() -> None:
    mass = np.diff(np.arange(1501.0) ** 3)
    responses, n = (np.log(mass), np.arange(1.0, 1501)), 1 + 2.0**-52
    gap = Oracle(*responses).value("kl_gap", n)
    assert 1e-39 < gap < 1e-37
    assert relative_error(float(kl_gap(Policy(*responses), n)), gap) <= TOLERANCE


@given(policies(largest=60), draws)
@settings(max_examples=100, deadline=None)
def test_signs_and_bounds(responses: Responses, n: float) -> None:
    policy, rounding = Policy(*responses), 1 + 1e-12
    kl, gap = float(exact_kl(policy, n)), float(kl_gap(policy, n))
    win_rate, win_rate_loss = float(exact_win_rate(policy, n)), float(win_rate_gap(policy, n))
    assert 0 <= kl <= float(analytical_kl(n)) * rounding
    assert 0 <= gap <= float(analytical_kl(n)) * rounding
    assert kl + gap == pytest.approx(float(analytical_kl(n)), rel=1e-12)
    assert 0.5 - 1e-15 <= win_rate <= n / (n + 1)
    assert 0 <= win_rate_loss <= n / (n + 1) - 0.5 + 1e-15
    assert np.all(best_of_n_log_pmf(policy, n) <= 0)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", POLICIES)
def test_one_draw_is_exact(name: str, function: str) -> None:
    assert float(FUNCTIONS[function](Policy(*POLICIES[name]), 1)) == AT_ONE_DRAW[function]


@pytest.mark.parametrize("name", POLICIES)
def test_the_pmf_of_one_draw_is_the_policy(name: str) -> None:
    policy = Policy(*POLICIES[name])
    assert np.array_equal(best_of_n_log_pmf(policy, 1), policy.log_mass)


@pytest.mark.parametrize("n", GRID)
def test_one_outcome_is_exact(n: float) -> None:
    policy = Policy([-1e6], [3.0])
    assert float(exact_kl(policy, n)) == 0
    assert float(exact_win_rate(policy, n)) == pytest.approx(0.5, rel=1e-15)
    assert float(kl_gap(policy, n)) == pytest.approx(float(analytical_kl(n)), rel=1e-15)
    assert best_of_n_log_pmf(policy, n).tolist() == [0]


@pytest.mark.parametrize(("size", "n", "kl"), UNIFORM_KL)
def test_the_papers_uniform_policies(size: int, n: int, kl: str) -> None:
    assert f"{float(exact_kl(Policy.from_probabilities(np.ones(size)), n)):.4f}" == kl


def test_values_by_hand() -> None:
    assert float(exact_kl(HALVES, 2)) == pytest.approx(0.75 * math.log(3) - math.log(2), rel=1e-15)
    assert float(exact_win_rate(HALVES, 2)) == pytest.approx(5 / 8, rel=1e-15)
    assert float(exact_kl(HALVES, 1e12)) == pytest.approx(math.log(2), rel=1e-15)
    policy = Policy.from_probabilities([0.25, 0.75])
    assert np.exp(best_of_n_log_pmf(policy, 3)) == pytest.approx([1 / 64, 63 / 64], rel=1e-15)


def test_the_counterexample_is_above_the_continuous_curve() -> None:
    mass = [0.3550, 0.0958, 0.1469, 0.0273, 0.1112, 0.0995, 0.1110, 0.0534]
    policy = Policy.from_probabilities(mass)
    assert float(exact_kl(policy, 2)) == pytest.approx(0.16771, abs=5e-6)
    assert float(exact_win_rate(policy, 2)) == pytest.approx(0.65789, abs=5e-6)


@given(policies(), draws)
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_responses_does_not_matter(responses: Responses, n: float) -> None:
    log_prob, reward = responses
    order = np.random.default_rng(0).permutation(reward.size)
    shuffled = Policy(log_prob[order], reward[order])
    for function in FUNCTIONS.values():
        expected = float(function(Policy(*responses), n))
        assert float(function(shuffled, n)) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("n", GRID)
def test_ties_count_as_one_outcome(n: float) -> None:
    tied = Policy(np.log([0.1, 0.2, 0.3, 0.4]), [2.0, 1.0, 2.0, 1.0])
    merged = Policy.from_probabilities([0.6, 0.4])
    for function in FUNCTIONS.values():
        assert float(function(tied, n)) == pytest.approx(float(function(merged, n)), rel=1e-13)


def test_rewards_next_to_each_other_are_not_tied() -> None:
    near = Policy(np.log([0.5, 0.5]), [1.0, np.nextafter(1.0, 2)])
    assert float(exact_kl(near, 3)) == float(exact_kl(HALVES, 3)) > 0


@pytest.mark.parametrize("function", EVERY_FUNCTION)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (5,), (2, 3), (2, 0)])
def test_results_have_the_shape_of_n(function: str, shape: tuple[int, ...]) -> None:
    n = np.arange(1, math.prod(shape) + 1).reshape(shape)
    result = np.asarray(EVERY_FUNCTION[function](HALVES, n))
    assert result.shape == (*shape, 2) if function == "log_pmf" else result.shape == shape
    assert result.dtype == np.float64
    if n.size:
        each = [EVERY_FUNCTION[function](HALVES, x) for x in n.ravel().tolist()]
        assert np.array_equal(result.ravel(), np.ravel(each))


@pytest.mark.parametrize(
    "n", [2, 2.0, np.float32(2), np.int8(2), np.uint64(2), np.array(2), np.longdouble(2)]
)
def test_every_real_type_of_n(n: ArrayLike) -> None:
    assert float(exact_kl(HALVES, n)) == float(exact_kl(HALVES, 2.0))


NOT_FROM_1_TO_1E12 = "expected a real number from 1 to 1e12"
NOT_REAL = "n must hold real numbers"
BAD_N: dict[str, tuple[Any, str]] = {
    "nan": (np.nan, r"n = .*nan.*: " + NOT_FROM_1_TO_1E12),
    "inf": (np.inf, r"n = .*inf.*: " + NOT_FROM_1_TO_1E12),
    "zero": (0, r"n = .*0\.0.*: " + NOT_FROM_1_TO_1E12),
    "negative": (-3, r"n = .*-3\.0.*: " + NOT_FROM_1_TO_1E12),
    "just below 1": (np.nextafter(1.0, 0), NOT_FROM_1_TO_1E12),
    "just above 1e12": (np.nextafter(1e12, np.inf), NOT_FROM_1_TO_1E12),
    "uint64": (np.uint64(2**64 - 1), NOT_FROM_1_TO_1E12),
    "second entry": ([1, np.nan, 0], r"n\[1\] = .*nan"),
    "entry of a matrix": ([[1, 2], [3, 0.5]], r"n\[1, 1\] = .*0\.5"),
    "beyond int64": (10**30, NOT_REAL),
    "beyond float64": ([1, 10**400], NOT_REAL),
    "object array": (np.array([1, 2], dtype=object), NOT_REAL),
    "None": (None, NOT_REAL),
    "bool": (True, NOT_REAL),
    "complex": (2 + 0j, NOT_REAL),
    "string": ("2", NOT_REAL),
    "date": (np.datetime64("2020-01-01"), NOT_REAL),
    "ragged": ([[1, 2], [3]], r"\bn\b"),
    "masked": (np.ma.array([1.0, 2.0], mask=[False, True]), r"\bn\b"),
}


@pytest.mark.parametrize("function", EVERY_FUNCTION)
@pytest.mark.parametrize("case", BAD_N)
def test_bad_n(function: str, case: str) -> None:
    n, message = BAD_N[case]
    with pytest.raises(ValueError, match=message):
        EVERY_FUNCTION[function](HALVES, n)


def test_sum_over_outcomes_adds_the_policys_terms() -> None:
    policy = Policy.from_probabilities([0.2, 0.3, 0.5])
    seen = sum_over_outcomes(
        lambda n, m, c, s: n * np.exp(m) * np.exp(c) * np.exp(-s), policy, [1, 2]
    )
    # n p F (F - p)/F: 2 (0.3 * 0.2 + 0.5 * 0.5)
    assert seen.tolist() == [0.0, pytest.approx(0.62, rel=1e-15)]
