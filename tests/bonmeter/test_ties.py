import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonmeter.exact.estimator import expected_kl_estimator, kl_estimator
from bonmeter.exact.ties import expected_estimator_of_responses, kl_as_if_distinct
from bonmeter.exact.values import exact_kl
from bonmeter.policies.listed import Policy

responses = st.lists(st.tuples(st.floats(-8, 0), st.integers(0, 3)), min_size=1, max_size=8).map(
    lambda rows: tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))
)
draws = st.floats(1, 1000)


@given(responses, draws)
def test_forgetting_ties_never_lowers_the_kl(pool: tuple[np.ndarray, np.ndarray], n: float) -> None:
    kl = exact_kl(Policy(*pool), n)
    assert kl_as_if_distinct(*pool, n) >= kl * (1 - 1e-12)
    mean = expected_kl_estimator(Policy(*pool), n)
    assert expected_estimator_of_responses(*pool, n) >= mean * (1 - 1e-12)


@given(responses, draws)
def test_mean_over_responses_by_the_definition(
    pool: tuple[np.ndarray, np.ndarray], n: float
) -> None:
    log_prob, reward = pool
    p = np.exp(log_prob) / np.exp(log_prob).sum()
    expected = 0.0
    for mass, score in zip(p, reward, strict=True):
        below, tied = p[reward < score].sum(), p[reward == score].sum()
        pmf = mass / tied * ((below + tied) ** n - below**n)
        expected += pmf * kl_estimator(min(np.log(mass), 0.0), n)
    assert expected_estimator_of_responses(*pool, n) == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_distinct_rewards_cost_nothing() -> None:
    log_prob, reward = np.log([0.1, 0.2, 0.3, 0.4]), [3.0, 1.0, 0.0, 2.0]
    policy, n = Policy(log_prob, reward), np.array([1.0, 2.0, 50.0])
    assert kl_as_if_distinct(log_prob, reward, n) == pytest.approx(exact_kl(policy, n), rel=1e-13)
    assert expected_estimator_of_responses(log_prob, reward, n) == pytest.approx(
        expected_kl_estimator(policy, n), rel=1e-12
    )


def test_a_verifier_costs_at_most_the_log_of_its_pass_rate() -> None:
    log_prob, reward = np.log([0.02] * 5 + [0.018] * 50), [1.0] * 5 + [0.0] * 50
    assert exact_kl(Policy(log_prob, reward), 1e6) == pytest.approx(np.log(10), rel=1e-12)
    assert kl_as_if_distinct(log_prob, reward, 1e6) == pytest.approx(np.log(50), rel=1e-12)


def test_bad_input_names_the_entry_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"log_prob\[1\]"):
        kl_as_if_distinct([0.0, np.nan], [1.0, 0.0], 2)
    with pytest.raises(ValueError, match=r"reward\[0\]"):
        expected_estimator_of_responses([0.0, 0.0], [np.nan, 0.0], 2)
