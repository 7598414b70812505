"""The policy: order, ties, normalisation, cumulative masses, and what it refuses."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings

from bonmeter.bounds.evaluate import kl_gap_bounds
from bonmeter.certified.decide import certify
from bonmeter.exact.values import exact_kl, exact_win_rate
from bonmeter.policies.implicit import UniformPolicy
from bonmeter.policies.listed import Policy, require_outcomes
from tests.oracle import (
    LARGE_POLICIES,
    POLICIES,
    TOLERANCE,
    Oracle,
    Responses,
    oracle,
    policies,
    relative_error,
)


def worst_errors(policy: Policy, reference: Oracle) -> dict[str, float]:
    with mp.workdps(reference.digits):
        expected = {
            "mass": reference.mass,
            "log_mass": reference.log_mass,
            "log_cdf": reference.log_cdf,
            "log_step": [b - a for a, b in pairwise(reference.log_cdf)],
        }
    found = {
        "mass": policy.mass,
        "log_mass": policy.log_mass,
        "log_cdf": policy.log_cdf,
        "log_step": policy.log_step[1:],
    }
    return {
        name: max(map(relative_error, found[name].tolist(), values), default=0.0)
        for name, values in expected.items()
    }


@pytest.mark.parametrize("name", POLICIES | LARGE_POLICIES)
def test_twelve_digits(name: str) -> None:
    policy, reference = Policy(*(POLICIES | LARGE_POLICIES)[name]), oracle(name)
    assert len(policy) == len(reference.mass)
    assert policy.log_step[0] == np.inf
    errors = worst_errors(policy, reference)
    assert max(errors.values()) <= TOLERANCE, errors


@given(policies())
@settings(max_examples=150, deadline=None)
def test_twelve_digits_of_any_policy(responses: Responses) -> None:
    errors = worst_errors(Policy(*responses), Oracle(*responses))
    # beside a log-probability of -16384 a sum of masses has eleven digits and a half
    coarse = float(np.spacing(np.abs(responses[0]).max()))
    assert max(errors.values()) <= max(TOLERANCE, coarse), errors


def test_the_comparison_sees_an_error_in_the_twelfth_digit() -> None:
    exact = Policy.from_probabilities([0.5, 0.5])
    moved = Policy.from_probabilities([0.5, 0.5 + 2e-12])
    reference = Oracle(np.log([0.5, 0.5]), [0.0, 1.0])
    assert max(worst_errors(exact, reference).values()) < 1e-15
    assert max(worst_errors(moved, reference).values()) > TOLERANCE


@given(policies())
@settings(max_examples=50, deadline=None)
def test_invariants(responses: Responses) -> None:
    policy = Policy(*responses)
    assert np.all(np.diff(policy.reward) > 0)
    assert set(policy.reward.tolist()) == set(responses[1].tolist())
    assert policy.mass.sum() == pytest.approx(1, rel=1e-14)
    assert np.all(policy.log_mass <= 0)
    assert policy.log_cdf[-1] == 0
    assert np.all(np.diff(policy.log_cdf) >= 0)
    assert np.all(policy.log_step >= 0)


@pytest.mark.parametrize("name", POLICIES)
def test_summaries(name: str) -> None:
    policy, reference = Policy(*POLICIES[name]), oracle(name)
    assert relative_error(policy.delta, max(reference.mass)) <= TOLERANCE
    assert relative_error(policy.top_mass, reference.mass[-1]) <= TOLERANCE
    with mp.workdps(50):
        collision = mp.fsum(p * p for p in reference.mass)
    assert relative_error(policy.collision, collision) <= TOLERANCE


def test_responses_are_sorted_by_reward() -> None:
    policy = Policy(np.log([0.2, 0.7, 0.1]), [3.0, -1.0, 2.0])
    assert policy.reward.tolist() == [-1, 2, 3]
    assert policy.mass == pytest.approx([0.7, 0.1, 0.2], rel=1e-15)


def test_equal_rewards_are_one_outcome() -> None:
    policy = Policy(np.log([0.1, 0.2, 0.3, 0.4]), [1.0, 0.0, 1.0, -0.0])
    assert policy.reward.tolist() == [0, 1]
    assert policy.mass == pytest.approx([0.6, 0.4], rel=1e-15)


def test_rewards_next_to_each_other_are_two_outcomes() -> None:
    rewards = [5e-324, 0.0, -5e-324, np.nextafter(1, 2), 1.0, 1.7e308, np.nextafter(1.7e308, 2e308)]
    assert Policy(np.zeros(7), rewards).reward.tolist() == sorted(rewards)


@given(policies())
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_responses_does_not_matter(responses: Responses) -> None:
    log_prob, reward = responses
    given_order, reversed_order = Policy(log_prob, reward), Policy(log_prob[::-1], reward[::-1])
    assert np.array_equal(given_order.reward, reversed_order.reward)
    assert given_order.log_mass == pytest.approx(reversed_order.log_mass, rel=1e-13, abs=1e-300)


def test_masses_are_normalised() -> None:
    policy = Policy([700.0, 700.0 + math.log(3)], [0, 1])
    assert policy.mass == pytest.approx([0.25, 0.75], rel=1e-13)
    assert Policy.from_probabilities([1e308, 1e308]).mass.tolist() == [0.5, 0.5]
    assert Policy.from_probabilities([5e-324, 5e-324]).mass.tolist() == [0.5, 0.5]


def test_impossible_responses_are_dropped() -> None:
    policy = Policy([-np.inf, 0.0, -np.inf], [0, 1, 2])
    assert policy.reward.tolist() == [1]
    assert Policy.from_probabilities([0.0, 0.5, 0.0, 0.5]).reward.tolist() == [1, 3]


def test_the_callers_arrays_are_neither_changed_nor_shared() -> None:
    log_prob, reward = np.array([-1.0, -2.0]), np.array([0.0, 1.0])
    policy = Policy(log_prob, reward)
    mass = policy.mass.copy()
    assert (log_prob.tolist(), reward.tolist()) == ([-1, -2], [0, 1])
    log_prob[:] = reward[:] = 9
    assert policy.reward.tolist() == [0, 1]
    assert np.array_equal(Policy([-1.0, -2.0], [0, 1]).mass, mass)
    for array in (policy.log_mass, policy.reward, policy.mass, policy.log_cdf, policy.log_step):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint64]
)
def test_every_real_type(dtype: type) -> None:
    policy = Policy(np.zeros(3, dtype), np.array([2, 0, 1], dtype))
    assert policy.mass == pytest.approx([1 / 3] * 3, rel=1e-15)
    assert policy.reward.dtype == policy.log_mass.dtype == np.float64


def test_python_sequences() -> None:
    assert len(Policy((0, -1, -2), range(3))) == 3


def test_repr_says_how_large_it_is() -> None:
    assert "2 outcomes" in repr(Policy.from_probabilities([0.25, 0.75]))


@pytest.mark.parametrize(
    "log_prob",
    [
        [-1.7e308, 1.7e308],
        [1.7e308, -1.7e308],
        [-1.7e308, -1.7e308],
        [-1.7e308, 0.0],
        [-1e300, -5e-324],
    ],
)
def test_any_finite_input_gives_numbers(log_prob: list[float]) -> None:
    policy = Policy(log_prob, [0.0, 1.0])
    assert not np.isnan(policy.log_mass).any()
    assert policy.mass.sum() == 1
    assert 0 <= float(exact_kl(policy, 10)) <= math.log(2)
    assert 0.49 < float(exact_win_rate(policy, 10)) < 1


NOT_A_LOG_PROB = r"expected a natural log-probability in \[-inf, inf\)"
BAD_RESPONSES: dict[str, tuple[Any, Any, str]] = {
    "nan": ([0.0, np.nan], [0, 1], r"log_prob\[1\] = .*nan.*: " + NOT_A_LOG_PROB),
    "inf": ([np.inf, 0.0], [0, 1], r"log_prob\[0\] = .*inf.*: " + NOT_A_LOG_PROB),
    "nan reward": ([0.0, 0.0], [0, np.nan], r"reward\[1\] = .*nan.*: expected a finite reward"),
    "inf reward": ([0.0], [np.inf], r"reward\[0\] = .*inf.*: expected a finite reward"),
    "-inf reward": ([0.0], [-np.inf], r"reward\[0\] = .*-inf.*: expected a finite reward"),
    "nan reward of an impossible response": ([-np.inf, 0.0], [np.nan, 1], r"reward\[0\] = .*nan"),
    "empty": ([], [], r"log_prob .*non-empty.*\(0,\)"),
    "empty rewards": ([0.0], [], r"reward .*non-empty.*\(0,\)"),
    "mismatched": ([0.0, 0.0], [0.0], r"log_prob and reward .* 2 and 1"),
    "impossible": ([-np.inf, -np.inf], [0, 1], "log_prob is -inf everywhere"),
    "scalar": (0.0, 0.0, r"log_prob .*one-dimensional.*\(\)"),
    "matrix": ([[0.0]], [[0.0]], r"log_prob .*one-dimensional.*\(1, 1\)"),
    "matrix of rewards": ([0.0], [[0.0]], r"reward .*one-dimensional.*\(1, 1\)"),
    "object array": (np.array([0.0], dtype=object), [0.0], "log_prob must hold real numbers"),
    "None": (None, [0.0], "log_prob must hold real numbers"),
    "None among them": ([0.0, 0.0], [0.0, None], "reward must hold real numbers"),
    "string": (["0"], [0.0], "log_prob must hold real numbers"),
    "string reward": ([0.0], ["0"], "reward must hold real numbers"),
    "bool": ([True], [0.0], "log_prob must hold real numbers"),
    "bool reward": ([0.0], [True], "reward must hold real numbers"),
    "complex": ([0j], [0.0], "log_prob must hold real numbers"),
    "beyond int64": ([0.0], [10**30], "reward must hold real numbers"),
    "beyond float64": ([-(10**400)], [0.0], "log_prob must hold real numbers"),
    "beyond float64 in longdouble": ([0.0], np.array([1e308], np.longdouble) * 100, r"reward\[0\]"),
    "ragged": ([[0.0, 1.0], [2.0]], [0.0, 1.0], "log_prob"),
    "ragged rewards": ([0.0, 1.0], [[0.0, 1.0], [2.0]], "reward"),
    "masked": (np.ma.array([0.0, 1.0], mask=[False, True]), [0.0, 1.0], "log_prob"),
}


@pytest.mark.parametrize("case", BAD_RESPONSES)
def test_bad_responses(case: str) -> None:
    log_prob, reward, message = BAD_RESPONSES[case]
    with pytest.raises(ValueError, match=message):
        Policy(log_prob, reward)


BAD_PROBABILITIES: dict[str, tuple[Any, str]] = {
    "negative": (
        [0.5, -0.1],
        r"probabilities\[1\] = .*-0\.1.*: expected a finite probability >= 0",
    ),
    "nan": ([np.nan, 1.0], r"probabilities\[0\] = .*nan"),
    "inf": ([1.0, np.inf], r"probabilities\[1\] = .*inf"),
    "empty": ([], "probabilities .*non-empty"),
    "zero": ([0.0, 0.0], "probabilit|log_prob is -inf everywhere"),
    "scalar": (1.0, "probabilities .*one-dimensional"),
    "matrix": ([[0.5, 0.5]], "probabilities .*one-dimensional"),
    "string": (["1"], "probabilities must hold real numbers"),
    "bool": ([True], "probabilities must hold real numbers"),
    "complex": ([1 + 0j], "probabilities must hold real numbers"),
    "object array": (np.array([1.0], dtype=object), "probabilities must hold real numbers"),
}


@pytest.mark.parametrize("case", BAD_PROBABILITIES)
def test_bad_probabilities(case: str) -> None:
    probabilities, message = BAD_PROBABILITIES[case]
    with pytest.raises(ValueError, match=message):
        Policy.from_probabilities(probabilities)


@pytest.mark.parametrize("policy", [[0.5, 0.5], None, UniformPolicy(3)])
def test_what_needs_a_list_of_outcomes_says_so(policy: object) -> None:
    message = f"policy is of type {type(policy).__name__}: expected a Policy, outcome by outcome"
    for function in (
        require_outcomes,
        lambda p: certify("kl", p, 2),
        lambda p: kl_gap_bounds(p, 2),
    ):
        with pytest.raises(ValueError, match=message):
            function(policy)
