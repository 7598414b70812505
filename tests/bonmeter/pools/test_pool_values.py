"""Best-of-n values of a pool: every subset by brute force, leaving out by hand, coverage."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.proportions import clopper_pearson, gain_range
from bonmeter.pools.reliability import is_reliable
from bonmeter.pools.values import (
    best_of_n_value,
    blocks,
    estimate_pass_rate,
    gain_interval,
    pass_rate_interval,
    value_interval,
)

POOLS = st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 5)), min_size=1, max_size=7)


def over_subsets(reward: list[int], value: list[int], n: int) -> Fraction:
    """Mean value of the best of every n-subset, the tied sharing it."""
    means = []
    for chosen in combinations(range(len(reward)), n):
        best = [i for i in chosen if reward[i] == max(reward[j] for j in chosen)]
        means.append(Fraction(sum(value[i] for i in best), len(best)))
    return sum(means, Fraction(0)) / len(means)


@settings(max_examples=60, deadline=None)
@given(POOLS)
def test_value_is_the_mean_over_all_subsets(pool: list[tuple[int, int]]) -> None:
    reward, value = [list(x) for x in zip(*pool, strict=True)]
    n = range(1, len(pool) + 1)
    exact = [float(over_subsets(reward, value, k)) for k in n]
    np.testing.assert_allclose(best_of_n_value(reward, n, value), exact, rtol=1e-13, atol=1e-14)
    own = [float(over_subsets(reward, reward, k)) for k in n]
    np.testing.assert_allclose(best_of_n_value(reward, n), own, rtol=1e-13, atol=1e-14)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_pass_rate_is_the_standard_estimator(passed: list[bool]) -> None:
    size, failed = len(passed), passed.count(False)
    n = range(1, size + 1)
    exact = [float(1 - Fraction(comb(failed, k), comb(size, k))) for k in n]
    np.testing.assert_allclose(estimate_pass_rate(passed, n), exact, rtol=1e-13, atol=1e-15)
    as_reward = best_of_n_value([float(x) for x in passed], n)
    np.testing.assert_allclose(as_reward, exact, rtol=1e-12, atol=1e-14)


def left_out_error(reward: FloatArray, value: FloatArray, n: int, *, gain: bool = False) -> float:
    """The jackknife's standard error, every candidate being left out in turn."""
    size = reward.size
    rows = [np.delete(np.arange(size), k) for k in range(size)]
    found = [best_of_n_value(reward[x], n, value[x]) - gain * value[x].mean() for x in rows]
    return float(np.sqrt((size - 1) * np.var(found)))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("gain", [False, True])
def test_interval_rests_on_the_jackknife(tied: bool, gain: bool) -> None:
    rng = np.random.default_rng(1)
    reward = rng.integers(0, 4, 25).astype(float) if tied else rng.normal(size=25)
    value = rng.normal(size=25)
    n = np.array([2, 3, 9, 24])
    find = gain_interval if gain else value_interval
    narrow = find(reward, n, value, level=0.5)
    from scipy.special import stdtrit

    error = (narrow.upper - narrow.estimate) / stdtrit(narrow.df, 0.75)
    expected = [left_out_error(reward, value, int(k), gain=gain) for k in n]
    np.testing.assert_allclose(error, expected, rtol=1e-9)
    assert np.all((narrow.df >= 1) & (narrow.df <= 24.000001))


def test_candidates_that_hardly_count_change_nothing() -> None:
    """Blocks skip them; one n at a time, from the first candidate, does not."""
    rng = np.random.default_rng(2)
    reward, n = rng.normal(size=700), np.arange(1, 701)
    weights = [
        n[k] / 700 * np.cumprod([1.0, *((699 - j - n[k] + 1) / (699 - j) for j in range(699))])
        for k in (0, 9, 99, 349)
    ]
    exact = [w @ np.sort(reward)[::-1] for w in weights]
    found = best_of_n_value(reward, n)[[0, 9, 99, 349]]
    np.testing.assert_allclose(found, exact, rtol=1e-12)
    starts = [block.start for block in blocks(700, n)]
    assert starts[0] == 0
    assert starts[-1] > 600
    assert sorted(k for block in blocks(700, n) for k in block.n.tolist()) == n.tolist()


def test_pools_together_are_as_each_alone() -> None:
    rng = np.random.default_rng(3)
    reward, value = rng.integers(0, 9, (2, 3, 20)).astype(float), rng.normal(size=(2, 3, 20))
    n = [[1, 2], [5, 20]]
    together = value_interval(reward, n, value)
    assert together.estimate.shape == (2, 3, 2, 2)
    for at in np.ndindex(2, 3):
        alone = value_interval(reward[at], n, value[at])
        for one, all_of_them in zip(alone, together, strict=True):
            np.testing.assert_allclose(one, all_of_them[at], rtol=1e-12)


def test_invariances() -> None:
    rng = np.random.default_rng(4)
    reward, value = rng.normal(size=30).round(1), rng.normal(size=30)
    n = np.array([1, 2, 3, 10])
    base = value_interval(reward, n, value)
    order = rng.permutation(30)
    cases = {
        "order of draws": value_interval(reward[order], n, value[order]),
        "monotone transform of reward": value_interval(np.exp(3 * reward) - 7, n, value),
        "unit of value": value_interval(reward, n, 2 * value + 1),
    }
    for name, found in cases.items():
        shift = (2, 1) if name == "unit of value" else (1, 0)
        for k in range(3):
            expected = shift[0] * base[k] + shift[1]
            np.testing.assert_allclose(found[k], expected, rtol=1e-9, err_msg=name)
    other = value_interval(-reward, n, value)  # a transform that is not increasing is seen
    assert np.abs(other.estimate - base.estimate)[1:].max() > 0.1


def test_resampling_with_replacement_is_another_number() -> None:
    """A negative control: the plug-in F^n, the limit of resampling, is low."""
    reward = np.arange(20.0)
    plug_in = np.diff((np.arange(21) / 20) ** 10) @ reward
    assert best_of_n_value(reward, 10) - plug_in > 0.2


@pytest.mark.parametrize("passed", [0, 64])
def test_no_interval_of_a_verifier_is_without_length(passed: int) -> None:
    reward = np.repeat([1, 0], [passed, 64 - passed])
    n = np.array([1, 4, 8])  # at n = 64 the lower end rounds to 1
    found = pass_rate_interval(reward, n)
    assert np.all(found.upper - found.lower > 0)
    ends = proportion_confint(passed, 64, method="beta")
    np.testing.assert_allclose([found.lower[0], found.upper[0]], ends, atol=1e-12)
    by_value = value_interval(reward.astype(float), n)
    for one, other in zip(by_value, found, strict=True):
        np.testing.assert_allclose(one, other)


def test_gold_that_always_passes_has_an_interval() -> None:
    rng = np.random.default_rng(5)
    found = value_interval(rng.normal(size=50), [1, 5], np.ones(50))
    assert found.upper.tolist() == [1.0, 1.0]
    assert found.lower[0] == pytest.approx(0.025 ** (1 / 50), rel=1e-9)
    assert 0.5 < found.lower[1] < found.lower[0]  # fewer candidates carry best-of-5


def test_a_pool_of_one_value_tells_no_spread() -> None:
    found = value_interval([3.0, 3.0, 3.0], [1, 3])
    assert found.estimate.tolist() == [3.0, 3.0]
    assert np.isnan([found.lower, found.upper]).all()
    single = value_interval([5.0], 1)
    assert single.estimate == 5
    assert np.isnan(single.lower)
    gain = gain_interval([3.0, 3.0], [1, 2])
    assert gain.lower[0] == gain.upper[0] == 0
    assert np.isnan(gain.lower[1])


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 50))
def test_gain_range_holds_every_gain(one: float, two: float, n: int) -> None:
    low, high = min(one, two), max(one, two)
    q = np.linspace(low, high, 101)
    ends = gain_range(low, high, n)
    gains = q - q**n
    assert gains.min() == pytest.approx(float(ends.lower), abs=1e-12)
    assert gains.max() <= ends.upper + 1e-15
    assert ends.upper <= gains.max() + 1e-2 * (high - low)


@pytest.mark.parametrize("rate", [0.02, 0.4, 0.93])
def test_pass_rates_are_covered_at_least_as_often_as_said(rate: float) -> None:
    """Summed exactly over the binomial, no simulation."""
    from scipy.stats import binom

    size, n = 40, np.array([1, 3, 10])
    counts = np.arange(size + 1)
    pools = (np.arange(size) < counts[:, None]).astype(float)
    found = pass_rate_interval(pools, n)
    truth = 1 - (1 - rate) ** n
    covered = (found.lower <= truth) & (truth <= found.upper)
    coverage = binom.pmf(counts, size, rate) @ covered
    assert np.all(coverage >= 0.95)
    gains = gain_interval(pools, n)
    truth = (1 - rate) - (1 - rate) ** n
    covered = (gains.lower <= truth + 1e-12) & (truth <= gains.upper + 1e-12)
    assert np.all(binom.pmf(counts, size, rate) @ covered >= 0.95)


DRAWS = {
    "normal": lambda rng, size: rng.normal(size=size),
    "uniform": lambda rng, size: rng.random(size),
    "exponential": lambda rng, size: rng.exponential(size=size),
}


@pytest.mark.parametrize("name", DRAWS)
def test_rewards_are_covered(name: str) -> None:
    """1,500 pools of 120 candidates, n up to a tenth; the misses expected are 5 %, give or take."""
    rng = np.random.default_rng(6)
    n = np.array([1, 4, 12])
    truth = np.array([DRAWS[name](rng, (200_000, int(k))).max(axis=1).mean() for k in n])
    found = value_interval(DRAWS[name](rng, (1500, 120)), n)
    coverage = ((found.lower <= truth) & (truth <= found.upper)).mean(axis=0)
    assert np.all(np.abs(coverage - 0.95) < 0.025), coverage
    short = (found.lower + found.upper) / 2 + np.array([[-0.25], [0.25]])[:, :, None] * (
        found.upper - found.lower
    )
    half = ((short[0] <= truth) & (truth <= short[1])).mean(axis=0)
    assert np.all(half < 0.8)  # half the length does not do


def test_clopper_pearson_against_another_implementation() -> None:
    for count, size in ((0, 5), (3, 10), (10, 10), (64, 1000)):
        ends = clopper_pearson(count, size, level=0.9)
        other = proportion_confint(count, size, alpha=0.1, method="beta")
        np.testing.assert_allclose(ends, other, atol=1e-12)


def test_reliable_up_to_a_tenth() -> None:
    assert is_reliable([64, 640], 64).tolist() == [False, True]


REJECTED: dict[str, tuple[Any, Any, Any, str]] = {
    "nan": ([1.0, np.nan], 1, None, r"reward\[1\] = nan: expected a finite reward"),
    "value": ([1.0, 2.0], 1, [1.0, np.inf], r"value\[1\] = inf: expected a finite value"),
    "shape": ([1.0, 2.0], 1, [1.0], r"value has shape \(1,\)"),
    "n": ([1.0, 2.0], 3, None, r"n = 3.0: expected a whole number from 1 to 2"),
    "empty": ([], 1, None, "expected at least one candidate"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_rejections_name_the_entry(name: str) -> None:
    reward, n, value, message = REJECTED[name]
    with pytest.raises(ValueError, match=message):
        best_of_n_value(reward, n, value)


def test_other_rejections() -> None:
    with pytest.raises(ValueError, match=r"passed\[1\] = 2.0: expected 0 or 1"):
        estimate_pass_rate([0, 2], 1)
    with pytest.raises(ValueError, match="level = 1"):
        value_interval([1.0, 2.0], 1, level=1)
    with pytest.raises(ValueError, match="level = 0"):
        clopper_pearson(1, 2, level=0)
    with pytest.raises(ValueError, match="successes"):
        clopper_pearson(3, 2)
    with pytest.raises(ValueError, match="draws"):
        clopper_pearson(0, 0)
