"""Averages over subsets: brute force over every subset and every pool."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonmeter.exact.estimator import expected_kl_estimator, kl_estimator
from bonmeter.exact.values import exact_kl, exact_win_rate
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools.estimate import best_of_n_weights, estimate_kl
from bonmeter.pools.subsets import jackknife_error, rank, subset_mean
from bonmeter.pools.win_rates import estimate_win_rate

SMALL = np.array([0.2, 0.3, 0.5])


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_weights_are_ratios_of_binomials(size: int) -> None:
    n = np.arange(1, size + 1)
    exact = [
        [float(Fraction(comb(i - 1, k - 1), comb(size, k))) for i in range(1, size + 1)] for k in n
    ]
    np.testing.assert_allclose(best_of_n_weights(size, n), exact, rtol=1e-14)


@pytest.mark.parametrize("n", [2, 409, 4095])
def test_weights_of_a_large_pool_are_exact_to_rounding(n: int) -> None:
    weights = best_of_n_weights(4096, n)
    for i in (n, 3000, 4000, 4095, 4096):
        exact = Fraction(comb(i - 1, n - 1), comb(4096, n))
        assert weights[i - 1] == pytest.approx(float(exact), rel=1e-12, abs=1e-300)
    assert weights.sum() == pytest.approx(1, rel=1e-13)


def test_weights_broadcast_and_differ_from_sampling_with_replacement() -> None:
    assert best_of_n_weights(5, [[1, 2, 3]]).shape == (1, 3, 5)
    ranks = np.arange(6) / 5
    assert abs(best_of_n_weights(5, 3) - np.diff(ranks**3)).max() > 0.05


def subsets_mean(log_prob: FloatArray, reward: FloatArray, n: int) -> float:
    """The paper's estimator over the best of every n-subset, ties shared by their members."""
    means = []
    for chosen in combinations(range(reward.size), n):
        best = [i for i in chosen if reward[i] == max(reward[list(chosen)])]
        means.append(np.mean(kl_estimator(log_prob[best], n)))
    return float(np.mean(means))


def subsets_win_rate(reward: FloatArray, n: int) -> float:
    wins = []
    for i, other in enumerate(reward):
        for chosen in combinations(np.delete(reward, i).tolist(), n):
            wins.append(0.5 * (max(chosen) > other) + 0.5 * (max(chosen) >= other))
    return float(np.mean(wins))


rewards = st.lists(st.integers(0, 4), min_size=2, max_size=7).map(
    lambda r: np.array(r, dtype=float)
)


@given(rewards, st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_one_pass_equals_the_mean_over_all_subsets(reward: FloatArray, seed: int) -> None:
    log_prob = np.log(np.random.default_rng(seed).uniform(0, 1 / reward.size, reward.size))
    n = list(range(1, reward.size + 1))
    brute = np.array([subsets_mean(log_prob, reward, k) for k in n])
    np.testing.assert_allclose(estimate_kl(log_prob, reward, n, "paper"), brute, atol=1e-14)
    brute = np.array([subsets_win_rate(reward, k) for k in n[:-1]])
    np.testing.assert_allclose(estimate_win_rate(reward, n[:-1]), brute, atol=1e-14)


@given(rewards.filter(lambda r: r.size > 2), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_jackknife_leaves_out_each_candidate(reward: FloatArray, seed: int) -> None:
    reward = np.sort(reward)
    value = np.random.default_rng(seed).normal(size=reward.size)
    for n in range(1, reward.size):
        without = [
            subset_mean(rank(np.delete(reward, i)[None]), np.delete(value, i)[None], n).item()
            for i in range(reward.size)
        ]
        found = jackknife_error(rank(reward[None]), value[None], n).item()
        assert found == pytest.approx(np.sqrt((reward.size - 1) * np.var(without)), abs=1e-12)


def expectation(statistic: Callable[[FloatArray, FloatArray], FloatArray], size: int) -> FloatArray:
    """Mean over every pool of `size` draws from SMALL, weighted by its probability."""
    drawn = np.array(list(product(range(SMALL.size), repeat=size)))
    weight = np.prod(SMALL[drawn], axis=-1)
    return np.asarray(weight @ statistic(np.log(SMALL)[drawn], drawn.astype(float)))


def test_u_statistics_are_unbiased() -> None:
    policy, n = Policy.from_probabilities(SMALL), np.array([1, 2, 3, 5])
    paper = expectation(lambda p, r: estimate_kl(p, r, n, "paper"), 5)
    np.testing.assert_allclose(paper, expected_kl_estimator(policy, n), atol=1e-14)
    assert np.all(paper[1:] > exact_kl(policy, n[1:]) + 0.01)
    win_rate = expectation(lambda p, r: estimate_win_rate(r, n), 6)
    np.testing.assert_allclose(win_rate, exact_win_rate(policy, n), atol=1e-14)


def test_the_rank_corrected_bias_is_small_and_vanishes_with_the_pool() -> None:
    policy, n = Policy.from_probabilities(SMALL), np.array([2, 3])
    kl = exact_kl(policy, n)
    bias = [abs(expectation(lambda p, r: estimate_kl(p, r, n), size) - kl) for size in (4, 7, 10)]
    assert np.all(bias[0] < (expected_kl_estimator(policy, n) - kl) / 10)
    assert np.all(np.diff(bias, axis=0) < 0)
