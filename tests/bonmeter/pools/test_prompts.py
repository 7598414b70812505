"""Means over prompts and differences of two runs: other implementations, limits, coverage."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from bonmeter.exact.values import analytical_kl, exact_kl, exact_win_rate
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools import prompts
from bonmeter.pools.estimate import Interval, kl_interval
from bonmeter.pools.prompts import difference_at_equal_kl, over_prompts, paired_difference
from bonmeter.pools.values import pass_rate_interval
from bonmeter.pools.win_rates import win_rate_interval

NAN = np.nan


def unknown(values: FloatArray) -> Interval:
    """Estimates whose own error is not known."""
    estimate = np.asarray(values, dtype=float)
    return Interval(estimate, *[np.full_like(estimate, NAN)] * 3)


def covers(found: Interval, truth: FloatArray) -> FloatArray:
    inside = (found.lower <= truth + 1e-12) & (truth <= found.upper + 1e-12)
    return np.asarray(inside.mean(axis=-1))


def test_symmetric_estimates_have_students_interval() -> None:
    values = np.array([1.0, 2.0, 4.0, 6.0, 8.0, 9.0])
    found = over_prompts(unknown(values), level=0.9)
    expected = DescrStatsW(values).tconfint_mean(alpha=0.1)
    np.testing.assert_allclose([found.lower, found.upper], expected, rtol=1e-5)
    assert found.df == pytest.approx(5)


def test_skewness_moves_the_ends_as_halls_cubic_says() -> None:
    """The cubic of the ends' own t is the quantile again."""
    values = np.random.default_rng(0).exponential(size=15)
    found = over_prompts(unknown(values))
    error = values.std(ddof=1) / np.sqrt(15)
    g = ((values - values.mean()) ** 3).mean() / values.std() ** 3 / np.sqrt(15)
    for end, quantile in ((found.lower, t(14).ppf(0.975)), (found.upper, t(14).ppf(0.025))):
        x = (values.mean() - end) / error
        assert x + g * x**2 / 3 + g**2 * x**3 / 27 + g / 6 == pytest.approx(quantile, rel=1e-6)
    assert found.upper - values.mean() > values.mean() - found.lower


def test_weights_are_repeats_in_the_mean() -> None:
    values = np.array([1.0, 2.0, 5.0])
    weighted = over_prompts(unknown(values), weight=[1, 2, 1])
    assert weighted.estimate == pytest.approx(2.5)
    equal = over_prompts(unknown(values), weight=[3, 3, 3])
    for one, two in zip(equal, over_prompts(unknown(values)), strict=True):
        np.testing.assert_allclose(one, two)
    assert weighted.df < 2


def test_weighted_error_is_unbiased() -> None:
    """20,000 samples of 6 weighted normals: the squared error is the variance of the mean."""
    rng = np.random.default_rng(1)
    weight = np.array([1, 2, 3, 1, 1, 4.0])
    share = np.repeat(weight[:, None] / weight.sum(), 20_000, axis=1)
    values = rng.normal(size=(6, 20_000))
    half, df = prompts._student(share, values - (share * values).sum(axis=0), 0.9)
    error = half / t(df).ppf(0.95)
    assert (error**2).mean() == pytest.approx((share[:, 0] ** 2).sum(), rel=0.02)


def test_ragged_prompts_are_left_out_where_they_say_nothing() -> None:
    values = np.array([[1.0, 1.0], [2.0, NAN], [4.0, 3.0], [0.5, NAN]])
    found = over_prompts(unknown(values))
    for k, column in enumerate(([1.0, 2.0, 4.0, 0.5], [1.0, 3.0])):
        alone = over_prompts(unknown(np.array(column)))
        np.testing.assert_allclose([x[k] for x in found], alone)
    nothing = over_prompts(unknown(np.array([NAN, NAN])))
    assert np.isnan([*nothing]).all()


def test_one_prompt_has_its_own_interval() -> None:
    own = Interval(*(np.array([x, NAN]) for x in (0.4, 0.3, 0.6, 11.0)))
    assert [float(x) for x in over_prompts(own)] == pytest.approx([0.4, 0.3, 0.6, 11.0])
    as_chance = over_prompts(own, proportion=True)
    assert [float(x) for x in as_chance] == pytest.approx([0.4, 0.3, 0.6, 11.0])


def test_no_shorter_than_the_prompts_own_intervals() -> None:
    """Pools without ties all say n/(n+1): each may have missed one."""
    reward = np.random.default_rng(2).normal(size=(9, 50))
    own = win_rate_interval(reward, [2, 4])
    found = over_prompts(own, bounds=(0.5, np.array([2, 4]) / [3, 5]))
    np.testing.assert_allclose(found.upper, [2 / 3, 0.8])
    expected = (own.estimate - own.lower)[0] / 3  # in quadrature, over 9
    np.testing.assert_allclose(found.estimate - found.lower, expected, rtol=1e-6)
    assert np.all(found.lower < found.estimate)


def test_bounds_that_are_proved_hold() -> None:
    """A mixture whose mean lies just below the formula: cut, not beyond it."""
    rng = np.random.default_rng(3)
    formula = analytical_kl(8)
    kl = np.minimum(formula, formula - 0.02 + 0.05 * rng.normal(size=(8, 500)))
    found = over_prompts(unknown(kl), bounds=(0.0, formula))
    assert np.nanmax(found.upper) == formula  # nan where all eight say the same
    assert (over_prompts(unknown(kl)).upper > formula).mean() > 0.1  # a negative control


@pytest.mark.parametrize("number", [5, 20, 80])
def test_prompts_that_all_pass_have_the_interval_of_as_many_draws(number: int) -> None:
    ones = np.ones(number)
    found = over_prompts(Interval(ones, ones, ones, ones), proportion=True)
    assert found.upper == 1
    exact = proportion_confint(number, number, method="beta")[0]
    assert found.lower == pytest.approx(exact, rel=1e-6)
    almost = over_prompts(unknown(np.array([*ones[1:], 1 - 1e-9])), proportion=True)
    assert almost.lower == pytest.approx(exact, rel=1e-4)  # it does not jump


def test_chances_of_zero_and_one_have_clopper_pearsons_interval_nearly() -> None:
    values = np.repeat([0.0, 1.0], [30, 70])
    found = over_prompts(unknown(values), proportion=True)
    lower, upper = proportion_confint(70, 100, method="beta")
    assert found.lower == pytest.approx(lower, abs=0.01)
    assert found.upper == pytest.approx(upper, abs=0.01)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers(0, 10**6))
def test_invariances(values: list[float], seed: int) -> None:
    """Order of prompts, and passes against failures."""
    array = np.array(values)
    own = Interval(array, 0.9 * array, array + 0.1 * (1 - array), np.full(array.shape, 5.0))
    found = over_prompts(own, proportion=True)
    assert 0 <= found.lower <= found.estimate + 1e-12
    assert found.estimate - 1e-12 <= found.upper <= 1
    order = np.random.default_rng(seed).permutation(array.size)
    moved = over_prompts(Interval(*(x[order] for x in own)), proportion=True)
    np.testing.assert_allclose(moved, found, atol=1e-9)
    other = Interval(1 - own.estimate, 1 - own.upper, 1 - own.lower, own.df)
    mirrored = over_prompts(other, proportion=True)
    np.testing.assert_allclose(mirrored.lower, 1 - found.upper, atol=1e-9)


@pytest.mark.parametrize(("number", "shape"), [(8, (2, 2)), (8, (5, 0.3)), (40, (0.2, 2))])
def test_pass_rates_are_covered(number: int, shape: tuple[float, float]) -> None:
    """Rare prompts that hardly pass, or hardly fail, are not forgotten; 600 runs."""
    rng = np.random.default_rng(4)
    n = np.array([1, 4, 8])
    rate = rng.beta(*shape, (number, 600))
    passed = rng.random((number, 600, 40)) < rate[..., None]
    found = over_prompts(pass_rate_interval(passed, n), proportion=True)
    truth = np.array([1 - ((1 - rng.beta(*shape, 400_000)) ** k).mean() for k in n])
    coverage = covers(Interval(*(x.T for x in found)), truth[:, None])
    assert np.all(coverage > 0.935), coverage


def test_students_interval_alone_would_forget_them() -> None:
    """A negative control for the pseudo-prompt."""
    rng = np.random.default_rng(5)
    rate = 1 - (1 - rng.beta(5, 0.3, (8, 600))) ** 8
    half = t(7).ppf(0.975) * rate.std(axis=0, ddof=1) / np.sqrt(8)
    truth = 1 - ((1 - rng.beta(5, 0.3, 400_000)) ** 8).mean()
    assert (np.abs(rate.mean(axis=0) - truth) <= half).mean() < 0.5


def test_kl_and_win_rate_of_unlike_prompts_are_covered() -> None:
    """30 prompts of 2 to 11 tied outcomes each, 64 candidates; 150 runs."""
    rng = np.random.default_rng(6)
    n = np.array([2, 6])
    masses = [rng.dirichlet(np.ones(k)) for k in rng.integers(2, 12, 300)]
    policies = [Policy.from_probabilities(p) for p in masses]
    truth = [np.mean([f(x, n) for x in policies], axis=0) for f in (exact_kl, exact_win_rate)]
    cumulative = np.stack(
        [np.pad(np.cumsum(p), (0, 11 - p.size), constant_values=2) for p in masses]
    )
    hits = np.zeros((2, 2))
    for _ in range(150):
        drawn = rng.integers(0, 300, 30)
        reward = (rng.random((30, 64, 1)) > cumulative[drawn][:, None, :]).sum(axis=-1) * 1.0
        kl = over_prompts(kl_interval(None, reward, n, "rank-only"), bounds=(0.0, analytical_kl(n)))
        win_rate = over_prompts(win_rate_interval(reward, n), bounds=(0.5, n / (n + 1)))
        for k, found in enumerate((kl, win_rate)):
            hits[k] += (found.lower <= truth[k]) & (truth[k] <= found.upper)
    assert np.all(hits / 150 > 0.9), hits / 150


# two runs


def test_paired_difference_is_the_mean_of_differences() -> None:
    rng = np.random.default_rng(7)
    shared = rng.normal(size=(12, 1)) * 10
    first, second = shared + rng.normal(size=(12, 3)), shared + 0.5 + rng.normal(size=(12, 3))
    found = paired_difference(unknown(first), unknown(second))
    expected = over_prompts(unknown(second - first))
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two)
    unpaired = np.hypot(first.std(axis=0), second.std(axis=0)) / np.sqrt(11) * 4
    assert np.all(found.upper - found.lower < unpaired / 3)
    swapped = paired_difference(unknown(second), unknown(first))
    np.testing.assert_allclose([swapped.lower, swapped.upper], [-found.upper, -found.lower])


def test_runs_that_agree_on_every_prompt_may_still_differ() -> None:
    ones = Interval(*[np.ones(20)] * 4)
    found = paired_difference(ones, ones, proportion=True)
    bound = 1 - 0.025 ** (1 / 20)
    np.testing.assert_allclose([found.lower, found.estimate, found.upper], [-bound, 0, bound])


def test_one_prompt_combines_the_two_pools() -> None:
    first = Interval(*(np.array([x]) for x in (1.0, 0.7, 1.4, 9.0)))
    second = Interval(*(np.array([x]) for x in (2.0, 1.6, 2.3, 5.0)))
    found = paired_difference(first, second)
    expected = [1.0, 1 - np.hypot(0.4, 0.4), 1 + np.hypot(0.3, 0.3), 5.0]
    np.testing.assert_allclose([float(x) for x in found], expected)


def test_equal_kl_reads_the_second_run_between_its_columns() -> None:
    """Runs whose value is a function of KL, the same for every prompt: the curves' difference."""
    n = np.arange(1, 9)
    kl = np.tile(analytical_kl(n), (3, 1))
    coarse = kl[:, ::2] * 0.9
    found = difference_at_equal_kl((kl[:, :5], 2 * kl[:, :5]), (coarse, 3 * coarse))
    np.testing.assert_allclose(found.difference.estimate, kl[0, :5], atol=1e-12)
    grid = coarse[0]
    for position, target in zip(found.position, kl[0, :5], strict=True):
        below = int(position)
        above = min(below + 1, grid.size - 1)
        read = grid[below] + (position - below) * (grid[above] - grid[below])
        assert read == pytest.approx(target)
    beyond = difference_at_equal_kl((kl[:, -1:], kl[:, -1:]), (coarse[:, :2], coarse[:, :2]))
    assert np.isnan(beyond.difference.estimate).all()
    assert np.isnan(beyond.position).all()


def test_equal_kl_is_covered() -> None:
    """Both curves differ from prompt to prompt, in KL and value; 2,000 runs of 15 prompts."""
    rng = np.random.default_rng(8)
    grid = np.array([0.0, 0.4, 0.9, 1.3])
    hits = []
    for _ in range(2000):
        scale = rng.uniform(0.6, 1.2, (15, 1))  # the KL of both runs rises alike on a prompt
        gain = rng.uniform(0.5, 1.5, (15, 1))
        kl_a, kl_b = scale * 0.8, scale * grid + 0 * gain
        value_a = gain * 0.8 + 0.1 * rng.normal(size=(15, 1))
        value_b = gain * grid + 0.3 + 0.1 * rng.normal(size=(15, 4))
        found = difference_at_equal_kl((kl_a, value_a), (kl_b, value_b)).difference
        hits.append(found.lower[0] <= 0.3 <= found.upper[0])
    assert np.mean(hits) == pytest.approx(0.95, abs=0.02)


REJECTED: dict[str, tuple[Callable[[Interval], Interval], str]] = {
    "level": (lambda x: over_prompts(x, level=1.0), "level = 1.0"),
    "weight": (lambda x: over_prompts(x, weight=[1, 0]), r"weight\[1\] = 0.0"),
    "weights": (lambda x: over_prompts(x, weight=[1]), "expected one for each prompt, 2"),
    "number": (lambda x: over_prompts(Interval(*[np.array(1.0)] * 4)), "first axis"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_rejections(name: str) -> None:
    call, message = REJECTED[name]
    with pytest.raises(ValueError, match=message):
        call(unknown(np.array([1.0, 2.0])))


def test_rejections_at_equal_kl() -> None:
    two, three = np.zeros((2, 3)), np.zeros((3, 3))
    with pytest.raises(ValueError, match="the same prompts in both"):
        difference_at_equal_kl((two, two), (three, three))
    with pytest.raises(ValueError, match="expected at least 2"):
        difference_at_equal_kl((two[:1], two[:1]), (two[:1], two[:1]))
    with pytest.raises(ValueError, match=r"first\[1\]"):
        difference_at_equal_kl((two, two * NAN), (two, two))


def test_levels_are_nested() -> None:
    values = np.random.default_rng(9).random(12)
    for proportion in (False, True):
        ends = [
            over_prompts(unknown(values), proportion=proportion, level=x) for x in (0.5, 0.9, 0.99)
        ]
        assert all(b.lower < a.lower < a.upper < b.upper for a, b in pairwise(ends))
