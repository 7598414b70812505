"""One pool, every n: exact cases, invariances, promised errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t
from statsmodels.stats.weightstats import DescrStatsW

from bonmeter.exact.estimator import kl_estimator
from bonmeter.exact.values import analytical_kl, exact_kl, kl_gap
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools import intervals
from bonmeter.pools.estimate import (
    METHODS,
    best_of_n_weights,
    estimate_kl,
    kl_interval,
    mean_interval,
)
from bonmeter.pools.layout import segments_of
from bonmeter.pools.uncertainty import corrected_gaps, effects_of, gap_error, uncertain
from bonmeter.pools.win_rates import estimate_win_rate
from replication.policies.families import dirichlet, staircase, uniform, verifier, zipf
from replication.studies.errors import errors_of
from replication.studies.simulate import draw_responses
from tests.bonmeter.pools.pools import distinct, draw


@pytest.mark.parametrize(
    "mass",
    [
        [1.0],
        [0.5, 0.5],
        [0.2, 0.3, 0.5],
        [0.9, 0.09, 0.01],
        [0.01, 0.09, 0.9],
        [0.1] * 10,
        [0.025] * 40,
    ],
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


@pytest.mark.parametrize("log_prob", [-40.0, -800.0, -1e6])
def test_improbable_responses_are_a_continuum(log_prob: float) -> None:
    n = np.arange(1, 31)
    for method in METHODS:
        found = estimate_kl(np.full(30, log_prob), np.arange(30), n, method)
        np.testing.assert_allclose(found, analytical_kl(n), rtol=1e-13)


@pytest.mark.parametrize("log_prob", [-800.0, -1e6])
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


def test_named_responses_are_not_taken_as_one() -> None:
    log_prob, reward = np.full(20, np.log(0.04)), np.repeat([0.0, 1.0], 10)
    named = estimate_kl(log_prob, reward, 5, response=[f"text {i}" for i in range(20)])
    halves = exact_kl(Policy.from_probabilities([0.5, 0.5]), 5)
    assert named == pytest.approx(float(halves), abs=0.03)
    with pytest.raises(ValueError, match="10 times of 20"):
        estimate_kl(log_prob, reward, 5, response=reward)


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
    exact = np.isinf(first.df)
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
    for method in METHODS:
        assert kl_interval(log_prob, reward, [], method).lower.shape == (2, 3, 0)


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
        assert np.all(found.df == 2)
    likely = np.full(size, np.log(0.999))  # no more than 0.001 can have been missed
    found = kl_interval(likely, reward, n, response=np.zeros(size))
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


def resampled_estimates(
    drawn: Any,  # noqa: ANN401 # integers
    responses: tuple[FloatArray, FloatArray],
    n: list[int],
) -> FloatArray:
    """Estimates that do not refuse pools whose responses repeat as they cannot."""
    log_prob, reward = responses
    segments = segments_of(distinct(log_prob[drawn], reward[drawn], drawn), identified=True)
    return (analytical_kl(n)[:, None] - corrected_gaps(segments, np.array(n))).T


def test_resampling_the_pool_covers_too_rarely() -> None:
    """The bootstrap, the usual choice: a resampled pool misses responses that the pool has."""
    log_prob, reward = zipf(1.0, 1000, "ascending")
    rng, n, pools, resamples = np.random.default_rng(5), [2, 8], 150, 100
    kl = exact_kl(Policy(log_prob, reward), n)
    drawn = draw_responses(log_prob, (pools, 128), rng)
    again = drawn[np.arange(pools)[:, None, None], rng.integers(128, size=(pools, resamples, 128))]
    values = resampled_estimates(again.reshape(-1, 128), (log_prob, reward), n)
    values = values.reshape(pools, resamples, -1)
    lower, upper = np.quantile(values, [0.025, 0.975], axis=1)
    ours = kl_interval(log_prob[drawn], reward[drawn], n, response=drawn)
    resampled = ours._replace(lower=lower, upper=upper)
    assert np.all(errors_of(resampled, kl).coverage < 0.92)
    assert np.all(errors_of(ours, kl).coverage > 0.93)


def test_interval_over_prompts_is_students() -> None:
    estimates = np.random.default_rng(0).normal(size=(9, 2))
    found = mean_interval(estimates, level=0.9)
    assert found.estimate == pytest.approx(estimates.mean(axis=0))
    expected = DescrStatsW(estimates).tconfint_mean(alpha=0.1)
    np.testing.assert_allclose([found.lower, found.upper], expected)


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
            r"log_prob\[0\] = .*0.1.*: expected a finite natural log",
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
        (lambda: estimate_kl(*POOL, 1, response=[1]), r"response has 1 entries: expected 2"),
        (lambda: kl_interval(*POOL, 2, "paper"), r"n = .*: expected a whole number from 1 to 1"),
        (lambda: kl_interval(*POOL, 1, level=1.0), r"level = 1.0: expected a number strictly"),
        (
            lambda: estimate_win_rate([1.0, 2.0], 2),
            r"n = .*2.0.*: expected a whole number from 1 to 1",
        ),
        (lambda: estimate_win_rate(["a"], 1), r"reward\[0\] = 'a': expected a real number"),
        (lambda: mean_interval([1.0]), r"estimates has shape \(1,\): expected at least 2"),
        (lambda: mean_interval([1.0, np.nan]), r"estimates\[1\] = "),
        (lambda: mean_interval([1.0, 2.0], level=0), r"level = 0"),
    ],
)
def test_bad_input_is_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# ends of intervals


def test_an_end_is_at_most_four_times_as_far_as_without_the_logit() -> None:
    """Seven rare responses: the KL is near the formula, and the logit alone would go to 0."""
    log_prob = np.full((1, 7), np.log(1e-3 / 7))
    segments = segments_of(distinct(log_prob, np.arange(7.0)[None]), identified=True)
    found = gap_error(uncertain(segments), effects_of(segments, 2))
    kl = analytical_kl(2) - corrected_gaps(segments, np.array([2]))[0]
    lower, _ = intervals._logit_ends(found, analytical_kl(2), kl, 0.975)
    half = t.ppf(0.975, found.df) * found.error
    assert (kl - lower).item() == pytest.approx(4 * half.item())


@pytest.mark.parametrize("size", [3, 5, 20])
def test_the_papers_interval_is_the_jackknife_with_students_n_minus_1(size: int) -> None:
    rng = np.random.default_rng(size)
    log_prob, reward = np.log(rng.uniform(0, 1 / size, size)), rng.normal(size=size)
    interval = kl_interval(log_prob, reward, 2, "paper")
    without = [
        estimate_kl(np.delete(log_prob, i), np.delete(reward, i), 2, "paper") for i in range(size)
    ]
    error = np.sqrt((size - 1) * np.var(without))
    half = t.ppf(0.975, size - 1) * error
    assert interval.df == size - 1
    assert [interval.lower, interval.upper] == pytest.approx(
        [interval.estimate - half, interval.estimate + half]
    )


def test_no_mean_interval_passes_what_is_proved() -> None:
    """Eight prompts of 64 candidates: the formula bounds every KL, n/(n+1) every win rate."""
    n = np.array([2, 8])
    responses = dirichlet(1.0, 2000, np.random.default_rng(1))
    log_prob, reward = draw(responses, 8, 64)
    reward[0] = 0  # one prompt of the same reward throughout, where best-of-n does nothing
    kl, bound = estimate_kl(log_prob, reward, n), analytical_kl(n)
    free, found = mean_interval(kl), mean_interval(kl, within=(0.0, bound))
    assert np.any(free.upper > bound)  # the control
    np.testing.assert_array_equal(found.upper, np.minimum(free.upper, bound))
    np.testing.assert_array_equal(found.lower, free.lower)
    win_rate = estimate_win_rate(reward, n)
    assert np.all(mean_interval(win_rate, within=(0.5, n / (n + 1))).upper <= n / (n + 1))
    with pytest.raises(ValueError, match=r"mean of estimates\[1\] = .*expected from 0.0 to 1.0"):
        mean_interval([[0.5, 2.0], [0.5, 2.0]], within=(0.0, 1.0))
