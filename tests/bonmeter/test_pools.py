"""One pool, every n: brute force over subsets and pools, exact cases, promised errors."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, pairwise, product
from math import comb
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t
from statsmodels.stats.weightstats import DescrStatsW

from bonmeter.exact.estimator import expected_kl_estimator, kl_estimator
from bonmeter.exact.values import analytical_kl, exact_kl, exact_win_rate, kl_gap
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools import rank_corrected
from bonmeter.pools.estimate import (
    METHODS,
    best_of_n_weights,
    estimate_kl,
    estimate_win_rate,
    kl_interval,
    mean_interval,
)
from bonmeter.pools.rank_corrected import (
    Gap,
    Segments,
    deviations,
    distinct_responses,
    gap_and_error,
    lay_out,
    lay_out_ranks,
)
from bonmeter.pools.subsets import jackknife_error, rank, subset_mean
from replication.policies.families import dirichlet, staircase, uniform, verifier, zipf
from replication.studies.compare import errors_of
from replication.studies.simulate import draw_responses

SMALL = np.array([0.2, 0.3, 0.5])


def draw(responses: tuple[FloatArray, FloatArray], *size: int, seed: int = 0) -> tuple[Any, Any]:
    log_prob, reward = responses
    drawn = draw_responses(log_prob, size, np.random.default_rng(seed))
    return log_prob[drawn], reward[drawn]


# weights


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


# U-statistics


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


# the rank-corrected estimator where the answer is known


@pytest.mark.parametrize(
    "mass",
    [[1.0], [0.5, 0.5], SMALL, [0.9, 0.09, 0.01], [0.01, 0.09, 0.9], [0.1] * 10, [0.025] * 40],
)
def test_exact_once_every_response_is_seen(mass: FloatArray) -> None:
    mass = np.asarray(mass)
    drawn = np.concatenate([np.arange(mass.size), np.zeros(7, dtype=int)])
    n = np.arange(1, drawn.size + 1)
    interval = kl_interval(np.log(mass)[drawn], drawn, n)
    kl = exact_kl(Policy.from_probabilities(mass), n)
    np.testing.assert_allclose(interval.estimate, kl, rtol=1e-11, atol=1e-14)
    np.testing.assert_array_equal(interval.lower, interval.upper)
    if mass.size > 1:
        assert np.all(estimate_kl(np.log(mass)[drawn], drawn, n, "paper")[1:] > kl[1:])


@pytest.mark.parametrize("size", range(2, 40))
def test_rounding_is_not_unseen_mass(size: int) -> None:
    interval = kl_interval(np.full(size, -np.log(size)), np.arange(size), 2)
    assert interval.lower == interval.upper


def test_only_which_responses_are_seen_matters_not_how_often() -> None:
    log_prob = np.log(np.full(10, 0.1))
    often = np.array([0, 0, 0, 1, 2, 3, 4, 5, 6, 7])
    evenly = np.array([0, 1, 2, 3, 4, 5, 6, 6, 7, 7])
    n = np.arange(1, 11)
    first, second = (estimate_kl(log_prob[i], i, n) for i in (often, evenly))
    np.testing.assert_array_equal(first, second)
    assert np.any(
        estimate_kl(None, often, n, "rank-only") != estimate_kl(None, evenly, n, "rank-only")
    )


@pytest.mark.parametrize("log_prob", [-40.0, -800.0, -1e6, -np.inf])
def test_improbable_responses_are_a_continuum(log_prob: float) -> None:
    n = np.arange(1, 31)
    for method in METHODS:
        found = estimate_kl(np.full(30, log_prob), np.arange(30), n, method)
        np.testing.assert_allclose(found, analytical_kl(n), rtol=1e-13)


@pytest.mark.parametrize("log_prob", [-1e6, -np.inf])
def test_equal_pairs_that_cannot_be_one_response_are_tied(log_prob: float) -> None:
    reward = np.repeat([0.0, 1.0], [12, 8])
    n = np.arange(1, 21)
    found = kl_interval(np.full(20, log_prob), reward, n)
    np.testing.assert_allclose(found, kl_interval(None, reward, n, "rank-only"), rtol=1e-12)


def test_shared_pairs_have_the_mass_of_their_frequency() -> None:
    reward, n = np.repeat([0.0, 1.0], [700, 300]), [2, 5, 20]
    by_rank = estimate_kl(None, reward, n, "rank-only")
    found = estimate_kl(np.full(1000, np.log(0.01)), reward, n)
    np.testing.assert_allclose(found, by_rank, rtol=1e-3)


def test_one_shared_pair_makes_another_likelier() -> None:
    """Two draws of one response of probability 0.001 among 32 are rare, not impossible."""
    log_prob, n = np.full(32, np.log(0.001)), [2, 5]
    reward = np.repeat([0.0, 1.0], [30, 2])
    by_rank = estimate_kl(None, reward, n, "rank-only")
    np.testing.assert_allclose(estimate_kl(log_prob, reward, n), by_rank, rtol=0.02)
    log_prob[:30] = np.log(0.9)
    assert np.all(estimate_kl(log_prob, reward, n) > 1.2 * by_rank)


def test_counts_reveal_pairs_that_stand_for_three_responses_each() -> None:
    """Too few draws of each pair to tell, but not of all; named responses need no such test."""
    pair = np.concatenate([np.arange(1000), 1000 + np.arange(1002) // 3])
    weight = np.where(pair < 1000, 0.7 / 1000, 0.3 / 1002) * (1 + 1e-6 * pair)
    reward = np.where(pair < 1000, 0.0, 1.0)
    log_prob = np.log(weight / weight.sum())
    drawn = np.random.default_rng(0).choice(pair.size, size=(60, 1500), p=np.exp(log_prob))
    masses = []
    for response, identified in ((None, False), (drawn, True), (None, True)):
        distinct = distinct_responses(log_prob[drawn], reward[drawn], response)
        segments = lay_out(distinct, identified=identified)
        top = segments.start + segments.mass > 1 - 1e-9
        masses.append(segments.mass[top].mean())
    guessed, named, misled = masses
    assert named == pytest.approx(0.3, abs=0.003)
    assert guessed == pytest.approx(0.3, abs=0.03)
    assert misled < 0.25  # the control: pairs taken as responses, whatever the counts


def test_named_responses_are_not_taken_as_one() -> None:
    log_prob, reward = np.full(20, np.log(0.04)), np.repeat([0.0, 1.0], 10)
    named = estimate_kl(log_prob, reward, 5, response=[f"text {i}" for i in range(20)])
    halves = exact_kl(Policy.from_probabilities([0.5, 0.5]), 5)
    assert named == pytest.approx(float(halves), abs=0.03)
    one_each = estimate_kl(log_prob, reward, 5, response=reward)
    assert one_each > named + 0.2


# invariances and bounds

pools = st.integers(0, 10**6).map(
    lambda seed: draw(dirichlet(0.3, 30, np.random.default_rng(seed)), 24, seed=seed)
)


@given(pools, st.sampled_from(METHODS), st.booleans())
@settings(max_examples=60, deadline=None)
def test_order_and_scale_of_rewards_do_not_matter(
    pool: tuple[FloatArray, FloatArray], method: str, tied: bool
) -> None:
    log_prob, reward = pool
    reward = reward // 6 if tied else reward
    n = np.arange(1, 24)
    shuffled = np.random.default_rng(0).permutation(24)
    first = kl_interval(log_prob, reward, n, method)
    second = kl_interval(log_prob[shuffled], np.exp(reward[shuffled] / 10), n, method)
    np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-12)
    assert np.isfinite(first[:3]).all()
    exact = np.isinf(first.freedom)
    np.testing.assert_array_equal(first.lower[exact], first.upper[exact])
    assert np.all((first.lower <= first.estimate) & (first.estimate <= first.upper))
    assert np.all((first.estimate >= 0) & (first.estimate <= analytical_kl(n)))
    for level in (0.99, 1 - 1e-16):
        wider = kl_interval(log_prob, reward, n, method, level=level)
        assert np.all((wider.lower <= first.lower) & (first.upper <= wider.upper))
        assert np.isfinite(wider[:3]).all()


def test_many_pools_at_once_equal_one_by_one() -> None:
    log_prob, reward = draw(verifier(0.3, 4, 9), 2, 3, 16)
    n = [[1, 2], [5, 15]]
    for method in METHODS:
        together = kl_interval(log_prob, reward, n, method)
        assert together.estimate.shape == (2, 3, 2, 2)
        np.testing.assert_array_equal(together.estimate, estimate_kl(log_prob, reward, n, method))
        alone = kl_interval(log_prob[1, 2], reward[1, 2], n, method)
        np.testing.assert_allclose([ends[1, 2] for ends in together], alone, rtol=1e-13, atol=1e-14)
    assert estimate_win_rate(reward, n).shape == (2, 3, 2, 2)
    assert estimate_kl(log_prob, reward, []).shape == (2, 3, 0)
    assert kl_interval(log_prob, reward, []).lower.shape == (2, 3, 0)


# segments and derivatives, by another route


def gap(n: int, lower: mpmath.mpf, upper: mpmath.mpf) -> mpmath.mpf:
    """The gap of an outcome, as an integral, in multiple precision."""
    mean = (upper**n - lower**n) / (upper - lower)

    def loss(u: mpmath.mpf) -> mpmath.mpf:
        return n * u ** (n - 1) * mpmath.log(n * u ** (n - 1) / mean)

    return mpmath.quad(loss, [lower, upper])


@pytest.mark.parametrize("n", [2, 3, 12])
@pytest.mark.parametrize("ends", [(0.1, 0.15), (0.55, 0.85), (0.8, 1.0)])
def test_slopes_are_derivatives(n: int, ends: tuple[float, float]) -> None:
    lower, upper = (np.array([end]) for end in ends)
    with mpmath.workdps(30):
        slopes = [mpmath.diff(lambda *x: gap(n, *x), ends, order) for order in ((0, 1), (1, 0))]
        orders = ((2, 0), (1, 1), (0, 2))
        second = [mpmath.diff(lambda *x: gap(n, *x), ends, order) for order in orders]
    found = rank_corrected._slopes(n, lower, upper, upper - lower)
    np.testing.assert_allclose(np.ravel(found), [float(x) for x in slopes], rtol=1e-9)
    found2 = rank_corrected._second_slopes(n, lower, upper, upper - lower)
    np.testing.assert_allclose(np.ravel(found2), [float(x) for x in second], rtol=1e-8)


def test_two_tied_classes_follow_the_binomial_delta_method() -> None:
    passed, size, n = 30, 100, 7
    with mpmath.workdps(30):

        def class_gap(p: mpmath.mpf) -> mpmath.mpf:
            return gap(n, mpmath.mpf(0), 1 - p) + gap(n, 1 - p, mpmath.mpf(1))

        p = mpmath.mpf(passed) / size
        value, slope, bend = (float(mpmath.diff(class_gap, p, k)) for k in (0, 1, 2))
    variance = 0.3 * 0.7 / size
    found = gap_and_error(lay_out_ranks(np.repeat([0.0, 1.0], [70, 30])[None]), n)
    assert found.gap.item() == pytest.approx(value - 0.5 * bend * variance, rel=1e-9)
    assert found.error.item() == pytest.approx(abs(slope) * np.sqrt(variance), rel=1e-9)
    assert found.bend.item() == pytest.approx(bend * variance, rel=1e-9)
    assert found.rest.item() == pytest.approx(0, abs=1e-7)  # masses only change in one way


def test_bend_is_the_second_derivative_along_the_steepest_change() -> None:
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
        bend = float(mpmath.diff(lambda t: moved(t * steepest), 0, 2))
    found = gap_and_error(lay_out_ranks(np.repeat([0.0, 1.0, 2.0], count)[None]), n)
    assert found.bend.item() == pytest.approx(bend, rel=1e-6)
    assert found.rest.item() > 0
    assert found.error.item() ** 2 + 2 * found.rest.item() ** 2 == pytest.approx(error**2)
    assert found.freedom.item() == pytest.approx(
        2 * error**4 / np.sum((variance * slope**2) ** 2 / count)
    )


@given(*[st.floats(-1, 1)] * 2, st.floats(0, 1), st.floats(1, 5))
def test_deviations_are_the_range_of_a_parabola(
    error: float, bend: float, rest: float, quantile: float
) -> None:
    one = np.ones(1)
    found = Gap(one, abs(error) * one, bend * one, rest * one, one)
    steps = np.linspace(-quantile, quantile, 2001)
    moves = abs(error) * steps + 0.5 * bend * (steps**2 - 1)
    up, down = deviations(found, quantile * one)
    for side, most in ((up, moves.max()), (down, -moves.min())):
        expected = np.hypot(max(most, 0), quantile * rest)
        assert side.item() == pytest.approx(expected, abs=1e-5)


def test_ends_of_classes_that_do_not_touch_are_apart() -> None:
    reward = np.concatenate([np.zeros(40), np.arange(1, 11), np.full(50, 20)])[None]
    s = lay_out_ranks(reward)
    assert np.flatnonzero(s.tied).tolist() == [0, s.mass.size - 1]
    mean, _, squares = rank_corrected._curvature(s, 7, np.zeros(s.mass.size))
    at_end = []
    for k, derivative in ((0, 2), (-1, 0)):  # the upper end of the first, the lower of the last
        lower, upper = s.start[[k]], s.start[[k]] + s.mass[[k]]
        second = rank_corrected._second_slopes(7, np.maximum(lower, 1e-300), upper, s.mass[[k]])
        below = s.variance[: 1 if k == 0 else k].sum() / s.variance.sum()
        at_end.append(0.5 * second[derivative].item() * below * (1 - below) * s.variance.sum())
    assert mean.item() == pytest.approx(sum(at_end))
    assert squares.item() == pytest.approx(sum(b**2 for b in at_end))


def test_segments_fill_the_unit_interval() -> None:
    for responses in (
        dirichlet(0.3, 50, np.random.default_rng(1)),
        verifier(0.2, 9, 30),
        uniform(400),
    ):
        segments = lay_out(distinct_responses(*draw(responses, 20, 40)))
        for pool in range(20):
            mine = segments.pool == pool
            end = segments.start[mine] + segments.mass[mine]
            np.testing.assert_allclose(
                np.append(segments.start[mine], 1), np.append(0, end), atol=1e-14
            )
    assert pytest.approx(np.exp(6) / 2**12, abs=1e-4) == rank_corrected.FIRST_PIECE


def test_a_class_seen_once_is_like_most_of_its_pool() -> None:
    log_prob = np.log(np.linspace(0.01, 0.011, 21))[None]
    mostly_tied, mostly_alone = (
        np.append(np.arange(20) % 2, 2)[None],
        np.append(np.arange(20), 19)[None],
    )
    first, second = (
        lay_out(distinct_responses(log_prob, r * 1.0)) for r in (mostly_tied, mostly_alone)
    )
    assert first.tied.tolist() == [True, True, True]
    assert first.mass[-1] > 0.04  # not only its one seen response
    assert second.tied.sum() == 1


def test_seen_responses_leave_equal_gaps_around_them() -> None:
    """As N draws of a continuum do on average: N + 1 gaps, the outer ones like the others."""
    segments = lay_out(distinct_responses(np.full((1, 9), np.log(0.01)), np.arange(9.0)[None]))
    seen = np.isclose(segments.mass, 0.01, rtol=1e-12)
    middle = (segments.start + 0.5 * segments.mass)[seen]
    np.testing.assert_allclose(middle, np.arange(1, 10) * 0.091 + np.arange(9) * 0.01 + 0.005)


@pytest.mark.parametrize("p", [1e-5, 1e-3, 0.1])
def test_shift_is_a_derivative_on_both_sides_of_its_switch(p: float) -> None:
    one, no = np.array([1.0]), np.array([False])
    start = one * 0.8 - 0.5 * p
    segments = Segments(1, 9, one, np.array([0]), start, p * one, p * one, no, no, one, one)
    with mpmath.workdps(40):
        slope = mpmath.diff(lambda u: gap(12, u - p / mpmath.mpf(2), u + p / mpmath.mpf(2)), 0.8)
    found = rank_corrected._pieces(segments, 12).shift
    assert found.item() == pytest.approx(float(slope), rel=1e-5, abs=0)


def test_interval_is_students_on_the_logit() -> None:
    log_prob, reward = draw(dirichlet(0.3, 50, np.random.default_rng(1)), 40)
    segments = lay_out(distinct_responses(log_prob[None], reward[None]))
    found = gap_and_error(segments, 4)
    missing, error, freedom = found.gap.item(), found.error.item(), found.freedom.item()
    formula = float(analytical_kl(4))
    half = t.ppf(0.95, freedom) * error * formula / (missing * (formula - missing))
    interval = kl_interval(log_prob, reward, 4, level=0.9)
    assert interval.estimate == pytest.approx(formula - missing)
    ends = formula / (1 + missing / (formula - missing) * np.exp([half, -half]))
    assert [interval.lower, interval.upper] == pytest.approx(ends)
    assert interval.freedom == freedom
    assert 2 <= freedom < 80
    assert found.bend == found.rest == 0  # no ties


# promised errors


@pytest.mark.parametrize("n", [2, 3, 12])
def test_a_gap_of_a_hundred_millionth_is_estimated_too(n: int) -> None:
    log_prob, reward = draw(uniform(10_000), 50, 256)
    missing = analytical_kl(n) - estimate_kl(log_prob, reward, n)
    assert missing == pytest.approx(float(kl_gap(Policy(*uniform(10_000)), n)), rel=0.25)


@pytest.mark.parametrize(
    ("responses", "size", "n"),
    [
        (uniform(100), 128, [2, 3, 12]),
        (staircase([0.1, 0.01, 0.001, 0.0001]), 128, [2, 3, 12]),
        (dirichlet(0.1, 1000, np.random.default_rng(3)), 512, [2, 5, 30]),
        (verifier(0.1, 100, 900), 128, [2, 3, 12]),
    ],
    ids=["uniform", "staircase", "dirichlet", "verifier"],
)
def test_errors_are_a_third_of_the_papers_and_intervals_cover(
    responses: tuple[FloatArray, FloatArray], size: int, n: list[int]
) -> None:
    log_prob, reward = draw(responses, 400, size, seed=7)
    kl = exact_kl(Policy(*responses), n)
    ours = errors_of(kl_interval(log_prob, reward, n), kl)
    paper = errors_of(kl_interval(log_prob, reward, n, "paper"), kl)
    assert np.all(ours.rmse < paper.rmse / 3)
    assert np.all(ours.coverage >= 0.9)
    # the control: the paper's estimator is biased, so its intervals miss
    assert np.all(paper.coverage[:2] < 0.7)


@pytest.mark.parametrize("size", [2, 5, 32, 100, 333])
def test_a_pool_of_one_class_can_have_missed_another(size: int) -> None:
    n = np.arange(2, size + 1)
    unlikely, reward, chance = np.full(size, -35.0), np.zeros(size), np.log(0.05) / size
    for response in (None, np.arange(size)):
        found = kl_interval(unlikely, reward, n, response=response)
        np.testing.assert_allclose(found.estimate, 0, atol=1e-10)
        np.testing.assert_allclose(found.lower, 0, atol=1e-10)
        above, below = analytical_kl(n) * (1 - 0.05 ** (n / size)), kl_estimator(chance, n)
        np.testing.assert_allclose(found.upper, np.maximum(above, below))
        assert np.all(found.freedom == 2)
    likely = np.full(size, np.log(0.999 / size))  # no more than 0.001 can have been missed
    found = kl_interval(likely, reward, n, response=np.arange(size))
    above, below = analytical_kl(n) * (1 - 0.999**n), kl_estimator(np.log(0.999), n)
    np.testing.assert_allclose(found.upper, np.maximum(above, below))


@pytest.mark.parametrize("pass_rate", [0.01, 0.03, 0.97, 0.99])
def test_intervals_cover_where_most_pools_are_of_one_class(pass_rate: float) -> None:
    log_prob, reward = verifier(pass_rate, 100, 900)
    drawn = draw_responses(log_prob, (1000, 32), np.random.default_rng(7))
    interval = kl_interval(log_prob[drawn], reward[drawn], [2, 3], response=drawn)
    kl = exact_kl(Policy(log_prob, reward), [2, 3])
    assert np.all(errors_of(interval, kl).coverage > 0.93)
    same = np.ptp(reward[drawn], axis=1) == 0
    assert same.mean() > 0.3  # the control: these would all miss with an interval of length 0
    assert np.all(interval.estimate[same] < kl / 2)


def test_no_interval_is_much_wider_than_without_the_logit() -> None:
    one = kl_interval(np.full(32, np.log(0.999)), np.zeros(32), 2)
    assert one.upper < 0.004  # of a formula of 0.19: only 0.001 is unseen


def test_intervals_cover_where_the_gap_is_flat_in_the_pass_rate() -> None:
    """Between n = 20 and 32 the KL of this verifier no longer grows with the pass rate."""
    log_prob, reward = verifier(0.1, 100, 900)
    drawn = draw_responses(log_prob, (1000, 512), np.random.default_rng(7))
    n = [5, 20, 50]
    interval = kl_interval(log_prob[drawn], reward[drawn], n, response=drawn)
    kl = exact_kl(Policy(log_prob, reward), n)
    covered = errors_of(interval, kl).coverage
    assert np.all((covered > 0.925) & (covered < 0.975))


def test_resampling_the_pool_covers_too_rarely() -> None:
    """The bootstrap, the usual choice: a resampled pool misses responses that the pool has."""
    log_prob, reward = zipf(1.0, 1000, "ascending")
    rng, n, pools, resamples = np.random.default_rng(5), [2, 8], 150, 100
    kl = exact_kl(Policy(log_prob, reward), n)
    drawn = draw_responses(log_prob, (pools, 128), rng)
    again = drawn[np.arange(pools)[:, None, None], rng.integers(128, size=(pools, resamples, 128))]
    values = estimate_kl(log_prob[again], reward[again], n, response=again)
    lower, upper = np.quantile(values, [0.025, 0.975], axis=1)
    ours = kl_interval(log_prob[drawn], reward[drawn], n, response=drawn)
    resampled = ours._replace(lower=lower, upper=upper)
    assert np.all(errors_of(resampled, kl).coverage < 0.92)
    assert np.all(errors_of(ours, kl).coverage > 0.93)


# over prompts


def test_interval_over_prompts_is_students() -> None:
    estimates = np.random.default_rng(0).normal(size=(9, 2))
    found = mean_interval(estimates, level=0.9)
    assert found.estimate == pytest.approx(estimates.mean(axis=0))
    expected = DescrStatsW(estimates).tconfint_mean(alpha=0.1)
    np.testing.assert_allclose([found.lower, found.upper], expected)


# bad input

POOL = ([-3.0, -3.0], [0.0, 1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_of_n_weights(0, 1), r"pool_size = 0: expected a whole number from 1"),
        (lambda: best_of_n_weights(2.5, 1), r"pool_size = 2.5"),  # type: ignore[arg-type] # on purpose
        (
            lambda: best_of_n_weights(3, [1, 4]),
            r"n\[1\] = .*4.0.*: expected a whole number from 1 to 3",
        ),
        (lambda: estimate_kl(*POOL, 3), r"n = .*3.0.*: expected a whole number from 1 to 2"),
        (lambda: estimate_kl(*POOL, 1.5), r"n = .*1.5"),
        (lambda: estimate_kl(*POOL, 1, "best"), r"method = 'best': expected one of rank-corrected"),
        (
            lambda: estimate_kl([0.1, -1], [0, 1], 1),
            r"log_prob\[0\] = .*0.1.*: expected a natural log",
        ),
        (lambda: estimate_kl([np.nan, -1], [0, 1], 1), r"log_prob\[0\] = "),
        (
            lambda: estimate_kl([-1.0], [0, 1], 1),
            r"log_prob has shape \(1,\): expected that of reward",
        ),
        (lambda: estimate_kl(None, [0, 1], 1), r"log_prob is None"),
        (
            lambda: estimate_kl([-1, -1], [0, np.inf], 1),
            r"reward\[1\] = .*inf.*: expected a finite",
        ),
        (lambda: estimate_kl([], [], 1), r"reward has shape \(0,\): expected at least one"),
        (lambda: estimate_kl([-0.1, -0.1], [0, 1], 1), r"sum to 1.8\d*: expected at most 1"),
        (lambda: estimate_kl(*POOL, 1, response=[1]), r"response has shape \(1,\)"),
        (lambda: kl_interval(*POOL, 2, "paper"), r"n = .*: expected a whole number from 1 to 1"),
        (lambda: kl_interval(*POOL, 1, level=1.0), r"level = 1.0: expected a number strictly"),
        (
            lambda: estimate_win_rate([1.0, 2.0], 2),
            r"n = .*2.0.*: expected a whole number from 1 to 1",
        ),
        (lambda: estimate_win_rate(["a"], 1), r"reward must hold real numbers"),
        (lambda: mean_interval([1.0]), r"estimates has shape \(1,\): expected at least 2"),
        (lambda: mean_interval([1.0, np.nan]), r"estimates\[1\] = "),
        (lambda: mean_interval([1.0, 2.0], level=0), r"level = 0"),
    ],
)
def test_bad_input_is_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
