"""Win rates of a pool: the former routine, brute force, dense matrices, coverage."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonmeter.exact.values import exact_win_rate
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools import win_rates
from bonmeter.pools.values import blocks
from bonmeter.pools.win_rates import estimate_win_rate, missed_mass, win_rate_interval


def by_subsets(reward: list[int], n: int) -> float:
    """Every candidate against the best of every n-subset of the others."""
    wins = []
    for one in range(len(reward)):
        others = reward[:one] + reward[one + 1 :]
        for chosen in combinations(others, n):
            best = max(chosen)
            wins.append(Fraction(1 + (best > reward[one]) - (best < reward[one]), 2))
    return float(sum(wins, Fraction(0)) / len(wins))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=7))
def test_estimate_is_the_mean_over_all_subsets(reward: list[int]) -> None:
    n = range(1, len(reward))
    exact = [by_subsets(reward, k) for k in n]
    np.testing.assert_allclose(estimate_win_rate(reward, n), exact, rtol=1e-13)


def test_without_ties_it_is_that_of_a_continuum() -> None:
    n = np.arange(1, 300)
    reward = np.random.default_rng(0).normal(size=(2, 300))
    np.testing.assert_allclose(estimate_win_rate(reward, n), np.tile(n / (n + 1), (2, 1)))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=4, max_size=40))
def test_interval_keeps_the_bounds_and_the_estimate(reward: list[int]) -> None:
    n = np.arange(1, len(reward))
    found = win_rate_interval(reward, n)
    assert np.all(found.lower <= found.estimate)
    assert np.all(found.estimate <= found.upper)
    assert np.all((found.lower >= 0.5) & (found.upper <= n / (n + 1)))
    assert np.all(found.upper[1:] - found.lower[1:] > 0)


def dense(reward: FloatArray, n: int) -> tuple[float, float, float]:
    """Error, curvature and rest of 1 - W from full matrices."""
    size = reward.size
    cdf = np.cumsum(np.unique(reward, return_counts=True)[1]) / size
    low, mid, high = np.r_[0, cdf[:-2]], cdf[:-1], cdf[1:]
    slope = 0.5 * (low**n - high**n + (high - low) * n * mid ** (n - 1))
    bend = np.diag(0.5 * (high - low) * n * (n - 1) * mid ** (n - 2.0))
    off = 0.5 * n * -np.diff(mid ** (n - 1))
    bend += np.diag(off, 1) + np.diag(off, -1)
    covariance = np.minimum.outer(mid, mid) * (1 - np.maximum.outer(mid, mid)) / size
    error = float(np.sqrt(slope @ covariance @ slope))
    steepest = covariance @ slope / error
    along = float(steepest @ bend @ steepest)
    square = float(np.trace(bend @ covariance @ bend @ covariance))
    return error, along, float(np.sqrt(max(0.5 * (square - along**2), 0.0)))


@pytest.mark.parametrize("n", [2, 3, 7])
def test_second_order_against_dense_matrices(n: int) -> None:
    rewards = np.random.default_rng(1).integers(0, 6, (3, 60)).astype(float)
    classes, _ = win_rates._classes(rewards)
    found = win_rates._scatter(classes, np.array([n]))
    for k, reward in enumerate(rewards):
        got = [float(found[j][0, k]) for j in (0, 1, 2)]
        np.testing.assert_allclose(got, dense(reward, n), rtol=1e-9, atol=1e-15)


def test_slopes_against_differences() -> None:
    """The derivative of 1 - W in the end of a class, by moving mass across it."""
    mass = np.array([0.3, 0.2, 0.4, 0.1])
    step, n = 1e-6, 5
    moved = np.array([0.3, 0.2 + step, 0.4 - step, 0.1])
    numeric = (_loss(moved, n) - _loss(mass, n)) / step
    low, mid, high = 0.3, 0.5, 0.9
    slope = 0.5 * (low**n - high**n + (high - low) * n * mid ** (n - 1))
    assert numeric == pytest.approx(slope, rel=1e-4)


def _loss(mass: FloatArray, n: int) -> float:
    return 1 - float(exact_win_rate(Policy.from_probabilities(mass), n))


def test_blocks_do_not_change_the_interval() -> None:
    reward = np.random.default_rng(2).integers(0, 12, (2, 200)).astype(float)
    n = np.arange(1, 200)
    assert len(list(blocks(199, n))) > 3
    together = win_rate_interval(reward, n)
    for k in (1, 10, 60, 150):
        alone = win_rate_interval(reward, k)
        np.testing.assert_allclose(alone.lower, together.lower[:, k - 1], rtol=1e-9)
        np.testing.assert_allclose(alone.upper, together.upper[:, k - 1], rtol=1e-9)


def test_invariances() -> None:
    rng = np.random.default_rng(3)
    reward = rng.integers(0, 5, 40).astype(float)
    n = [1, 2, 8]
    base = win_rate_interval(reward, n)
    for other in (rng.permutation(reward), np.exp(reward), -1 / (1 + reward)):
        for one, two in zip(win_rate_interval(other, n), base, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize("mass", [0.03, 0.5, 0.8])
def test_two_rewards_are_covered_at_least_as_often_as_said(mass: float) -> None:
    """Summed exactly over the binomial."""
    from scipy.stats import binom

    size, n = 30, np.array([2, 3, 9])
    counts = np.arange(size + 1)
    found = win_rate_interval((np.arange(size) < counts[:, None]).astype(float), n)
    truth = exact_win_rate(Policy.from_probabilities([1 - mass, mass]), n)
    covered = (found.lower <= truth + 1e-12) & (truth <= found.upper + 1e-12)
    assert np.all(binom.pmf(counts, size, mass) @ covered >= 0.95)


@pytest.mark.parametrize(
    "mass",
    [(0.679, 0.189, 0.132), (0.08, 0.118, 0.296, 0.196, 0.121, 0.189), (0.2,) * 5, (0.05,) * 20],
)
def test_several_rewards_are_covered(mass: tuple[float, ...]) -> None:
    """1,500 pools of 100 candidates; Student's t alone falls to 70 % where the slope is small."""
    rng = np.random.default_rng(4)
    n = np.array([2, 4, 10])
    policy = Policy.from_probabilities(mass)
    p = np.array(mass) / sum(mass)
    reward = rng.choice(len(mass), (1500, 100), p=p).astype(float)
    found = win_rate_interval(reward, n)
    truth = exact_win_rate(policy, n)
    coverage = ((found.lower <= truth) & (truth <= found.upper)).mean(axis=0)
    assert np.all(coverage > 0.92), coverage
    wide = (found.upper - found.lower).mean(axis=0) > 0.25 * (n / (n + 1) - 0.5)
    assert not wide.any()


def test_missed_mass_is_missed_as_often_as_said() -> None:
    mass = missed_mass(50, 0.95)
    assert (1 - mass) ** 50 + 50 * mass * (1 - mass) ** 49 == pytest.approx(0.05, rel=1e-9)


def test_rejections() -> None:
    with pytest.raises(ValueError, match=r"n = 3.0: expected a whole number from 1 to 2"):
        estimate_win_rate([1.0, 2.0, 3.0], 3)
    with pytest.raises(ValueError, match=r"reward\[0\] = nan"):
        win_rate_interval([np.nan, 2.0], 1)
    with pytest.raises(ValueError, match="level = 2"):
        win_rate_interval([1.0, 2.0], 1, level=2)


@pytest.mark.parametrize("seed", range(20))
def test_one_draw_wins_half_for_certain_however_rewards_tie(seed: int) -> None:
    scores = np.clip(np.random.default_rng(seed).normal(6, 1.6, 63).round(), 1, 10)
    found = win_rate_interval(scores, 1)
    assert found.estimate == found.lower == found.upper == 0.5


@pytest.mark.parametrize("candidates", [16, 64, 512])
def test_a_pool_has_its_interval_whatever_pools_are_beside_it(candidates: int) -> None:
    rng = np.random.default_rng(candidates)
    kinds = (3, 5, 9, candidates, 3 * candidates)
    pools = np.stack([rng.integers(0, kind, candidates) for kind in kinds])
    n = np.unique(np.geomspace(1, candidates - 1, 20).astype(int))
    together = win_rate_interval(pools, n)
    for k, pool in enumerate(pools):
        alone = win_rate_interval(pool, n)
        for one, all_ends in zip(alone[:3], together[:3], strict=True):
            np.testing.assert_allclose(one, all_ends[k], rtol=1e-12)


def test_large_n_covers_though_only_the_highest_class_counts() -> None:
    """Three equal classes: at n = 137 the win rate is 5/6, half the mass of the highest off 1."""
    rng = np.random.default_rng(3)
    found = [win_rate_interval(rng.choice(3, 512), [137, 265]) for _ in range(300)]
    covered = np.mean([(f.lower <= 5 / 6) & (f.upper >= 5 / 6) for f in found], axis=0)
    assert (covered > 0.91).all()  # was 0.06 and 0.12
