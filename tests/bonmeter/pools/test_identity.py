"""Which candidates are one response: noise, names that contradict, repeats that cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonmeter.exact.values import analytical_kl, exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools.estimate import Interval, estimate_kl, kl_interval
from bonmeter.pools.identity import as_log_probs, distinct_responses, reject_doubtful
from replication.policies.families import zipf

log = np.log


def broad_policy() -> tuple[FloatArray, FloatArray]:
    """4,000 responses of probabilities over several orders of magnitude, distinct rewards."""
    rng = np.random.default_rng(1)
    p = np.exp(rng.normal(-8, 2, 4000))
    return p / p.sum(), rng.normal(size=4000)


def noisy_pools(
    p: FloatArray, reward: FloatArray, noise: float, pools: int, named: bool
) -> Interval:
    rng = np.random.default_rng(2)
    i = rng.choice(p.size, (pools, 64), p=p)
    log_prob = log(p)[i] + noise * rng.normal(size=i.shape)
    return kl_interval(log_prob, reward[i], 8, response=i if named else None)


@pytest.mark.parametrize("noise", [1e-12, 1e-6, 3e-4])
@pytest.mark.parametrize("named", [False, True])
def test_noise_does_not_make_one_response_two(noise: float, named: bool) -> None:
    p, reward = broad_policy()
    kl = float(exact_kl(Policy(log(p), reward), 8))
    assert kl == pytest.approx(1.20303, abs=5e-6)
    found = noisy_pools(p, reward, noise, 200, named)
    rmse = np.sqrt(np.mean((found.estimate - kl) ** 2))
    assert rmse < 5e-4
    assert np.mean((found.lower <= kl) & (kl <= found.upper)) > 0.92
    apart = kl_interval(log(p)[:64], reward[:64], 8, precision=0.0)  # the control is below
    assert np.isfinite(apart.estimate)


def test_with_a_stated_precision_of_0_noise_makes_two() -> None:
    p, reward = broad_policy()
    i = np.random.default_rng(2).choice(4000, (100, 64), p=p)
    log_prob = log(p)[i] + 1e-6 * np.random.default_rng(3).normal(size=i.shape)
    found = estimate_kl(np.minimum(log_prob, 0), reward[i], 8, precision=0.0)
    assert np.sqrt(np.mean((found - 1.20303) ** 2)) > 0.05


def test_three_noisy_copies_are_one_response_named_or_not() -> None:
    log_prob = [-2.0003, -2.0005, -2.0, -6.0, -7.0, -8.0, -9.0, -10.0]
    reward = [5, 5, 5, 0, 1, 2, 3, 4]
    named = estimate_kl(log_prob, reward, 4, response=list("aaabcdef"))
    assert named == pytest.approx(0.631, abs=5e-4)
    assert estimate_kl(log_prob, reward, 4) == named
    assert estimate_kl(log_prob, reward, 4, precision=1e-5) < 0.5


@pytest.mark.parametrize("top", [0.0, 0.55])
def test_peaked_policies_with_noise_are_not_refused(top: float) -> None:
    log_prob, reward = zipf(1.0, 1000, "ascending")
    p = np.exp(log_prob) / np.exp(log_prob).sum()
    p = np.append(p * (1 - top), top)[: 1000 + (top > 0)]
    reward = np.arange(float(p.size))
    for named in (False, True):
        found = noisy_pools(p, reward, 3e-4, 400, named)
        kl = float(exact_kl(Policy(log(p), reward), 8))
        assert np.sqrt(np.mean((found.estimate - kl) ** 2)) < 0.02


@given(st.permutations(range(12)), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_order_of_draws_does_not_matter(order: list[int], named: bool) -> None:
    log_prob = np.array([-2, -2.0004, -2.0011, -2.0019, -2.003, -3, -3.0015, -4, -5, -6, -7, -8])
    reward = np.array([1, 1, 1, 1, 1, 2, 2, 0, 0, 3, 3, 4])
    names = np.array(list("aaabbccdefgh"))
    first = kl_interval(log_prob, reward, [2, 5], response=names if named else None)
    second = kl_interval(
        log_prob[order], reward[order], [2, 5], response=names[order] if named else None
    )
    np.testing.assert_allclose(first, second, rtol=1e-9)


def test_a_chain_of_alike_responses_is_cut_where_it_gets_too_wide() -> None:
    log_probs = as_log_probs(-5 - 0.0015 * np.arange(7.0)[None], None)
    found = distinct_responses(log_probs, np.zeros((1, 7)))
    assert found.draws.tolist() == [2, 2, 2, 1]  # from the lowest: steps of 0.0015, at most 0.002
    same = distinct_responses(as_log_probs([[-5.0] * 7], None), np.zeros((1, 7)))
    assert same.draws.tolist() == [7]


def test_a_response_has_the_mean_of_its_log_probabilities() -> None:
    found = kl_interval([-1.0, -1.001, -2.0], [1, 1, 0], 2, response=["a", "a", "b"])
    alike = kl_interval([-1.0005, -1.0005, -2.0], [1, 1, 0], 2, response=["a", "a", "b"])
    assert found.estimate == pytest.approx(float(alike.estimate), abs=1e-15)
    repeated = estimate_kl(log([0.45, 0.45, 0.1]), [1, 1, 0], 2, response=["a", "a", "b"])
    assert repeated == pytest.approx(0.1759, abs=5e-5)


# what no interval may be


def test_no_interval_is_shorter_than_the_precision_implies() -> None:
    mass, n = np.array([0.2, 0.3, 0.5]), np.array([2, 3])
    for precision in (1e-6, 1e-3, 0.05):
        found = kl_interval(log(mass), [0, 1, 2], n, precision=precision)
        for signs in ([1, 1, -1], [1, -1, 1], [-1, 1, 1], [-1, -1, 1]):
            other = mass * np.exp(precision * np.array(signs))
            kl = exact_kl(Policy(log(other), [0, 1, 2]), n)
            slack = precision**2  # of second order
            assert np.all((found.lower <= kl + slack) & (kl - slack <= found.upper))
        assert np.all(found.upper - found.lower < 8 * precision)
    exact = kl_interval(log(mass), [0, 1, 2], n, precision=0.0)
    np.testing.assert_array_equal(exact.lower, exact.upper)


def test_precision_moves_the_unseen_too() -> None:
    """Two seen of many: the estimates from log-probabilities off by the precision lie within."""
    rng = np.random.default_rng(0)
    log_prob, reward = log(rng.uniform(0.001, 0.01, 40)), rng.permutation(40)
    found = kl_interval(log_prob, reward, [2, 8], precision=0.1)
    for sign in (-1, 1):
        other = estimate_kl(log_prob + sign * 0.1, reward, [2, 8], precision=0.0)
        assert np.all((found.lower <= other) & (other <= found.upper))
    exact = kl_interval(log_prob, reward, [2, 8], precision=0.0)
    assert np.all(found.upper - found.lower > exact.upper - exact.lower)


def test_the_papers_interval_knows_the_precision() -> None:
    log_prob, reward = log([0.1, 0.2, 0.3]), [0, 1, 2]
    exact = kl_interval(log_prob, reward, 2, "paper", precision=0.0)
    found = kl_interval(log_prob, reward, 2, "paper", precision=0.01)
    for sign, end in ((-1, "upper"), (1, "lower")):
        moved = estimate_kl(log_prob + 0.01 * sign, reward, 2, "paper", precision=0.0)
        assert getattr(found, end) - getattr(exact, end) == pytest.approx(moved - exact.estimate)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_type_tells_the_precision(dtype: Any) -> None:  # noqa: ANN401
    mass = np.array([0.2, 0.3, 0.5])
    found = kl_interval(log(mass).astype(dtype), [0, 1, 2], [2, 3])
    kl = exact_kl(Policy(log(mass), [0, 1, 2]), [2, 3])
    assert np.all((found.lower < kl) & (kl < found.upper))
    assert np.all(found.upper - found.lower > {np.float32: 1e-5, np.float16: 1e-3}[dtype])


def test_bfloat16_masses_that_sum_to_a_little_more_than_1_are_data() -> None:
    found = kl_interval([-0.69140625] * 4, [0, 1, 0, 1], 2)
    assert found.estimate == pytest.approx(0.1308, abs=5e-5)
    assert found.lower < 0.130812 < found.upper
    with pytest.raises(ValueError, match=r"sum to 1\.0017"):
        estimate_kl([-0.69140625] * 4, [0, 1, 0, 1], 2, precision=0.0)


# what is refused


def test_the_numbers_of_each_pool_tell_the_type_they_had() -> None:
    half = np.array([-41.53, -40.27, -39.11], dtype=np.float16).tolist()
    full = [-41.53, -40.27, -39.11]
    error = as_log_probs([half, full], None).error
    assert error[0] == pytest.approx(3.2e-4 - 2.0**-11 * np.array(half), rel=1e-12)
    assert error[1].tolist() == [0.0] * 3
    assert as_log_probs(half, None).error.tolist() == error[0].tolist()  # as alone


@pytest.mark.parametrize("values", [[True, False], np.array([False, False])])
def test_truth_values_are_no_log_probabilities(values: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="log_prob holds truth values"):
        estimate_kl(values, [0.0, 1.0], 2)


@pytest.mark.parametrize("value", [-np.inf, -9999.0, -65504.0, -1e9, -3e38, 0.1, np.nan, np.inf])
def test_stand_ins_for_log_probabilities_are_refused(value: float) -> None:
    for method in ("rank-corrected", "paper"):
        with pytest.raises(ValueError, match=re.escape("log_prob[1] = ")):
            estimate_kl([log(0.5), value], [0.0, 1.0], 2, method)


def test_a_little_above_0_is_rounding() -> None:
    assert estimate_kl([1e-7, 1e-7], [1.0, 1.0], 2) == estimate_kl([0.0, 0.0], [1.0, 1.0], 2) == 0


A_A_B = ["a", "a", "b"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: estimate_kl([-1, -1, -2], [1, 2, 0], 2, response=A_A_B),
            "reward: candidates 0 and 1 are one response with two rewards",
        ),
        (
            lambda: kl_interval(log([0.45, 0.45, 0.1]), [1, 1.001, 0], 2, response=A_A_B),
            "reward: candidates 0 and 1 are one response with two rewards",
        ),
        (
            lambda: kl_interval([-1, -5, -2], [1, 1, 0], 2, response=A_A_B),
            "candidates 0 and 1 are one response with the log-probabilities -1.0 and -5.0",
        ),
        (
            lambda: kl_interval([-5, -1, -2], [1, 1, 0], 2, response=A_A_B),
            "candidates 0 and 1 are one response with the log-probabilities -5.0 and -1.0",
        ),
        (
            lambda: estimate_kl([[-3, -4]] * 2, [[0, 1], [0, 1]], 2, response=[[1, 2], [3, 3]]),
            "candidates 0 and 1 of pool 1 are one response",
        ),
        (
            lambda: kl_interval(np.full(64, -41.0), np.ones(64), 8, response=["x"] * 64),
            "was drawn 64 times of 64, which has a chance of less than 1e-300 (binomial test)",
        ),
        (
            lambda: estimate_kl(
                [-0.31, -0.42, -0.35, -0.5], [0.1, 0.4, 0.2, 0.3], [2, 4], method="paper"
            ),
            "the probabilities of the distinct responses of a pool sum to 2.70",
        ),
        (lambda: estimate_kl([-1, -2], [0, 1], 2, precision=-1.0), "precision = -1.0: expected"),
        (lambda: estimate_kl([-1, -2], [0, 1], 2, precision=np.nan), "precision = nan: expected"),
    ],
)
def test_contradictions_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def doubtful(sampled: FloatArray, stated: FloatArray, size: int, pools: int) -> float:
    """How many pools are refused whose log-probabilities are those of another distribution."""
    rng = np.random.default_rng(4)
    refused = 0
    for _ in range(pools):
        i = rng.choice(sampled.size, (1, size), p=sampled)
        log_probs = as_log_probs(log(stated)[i], 0.0)
        distinct = distinct_responses(log_probs, np.zeros(i.shape), i)
        try:
            reject_doubtful(distinct)
        except ValueError as error:
            assert "another temperature" in str(error)  # noqa: PT017
            refused += 1
    return refused / pools


def tempered(p: FloatArray, temperature: float) -> FloatArray:
    q = p ** (1 / temperature)
    return np.asarray(q / q.sum())


@pytest.mark.parametrize("temperature", [0.5, 0.7, 1.5])
def test_log_probabilities_of_another_temperature_are_refused(temperature: float) -> None:
    p = broad_policy()[0]
    assert doubtful(tempered(p, temperature), p, 512, 20) > 0.9
    assert doubtful(p, p, 512, 100) == 0  # the control


def test_top_p_is_refused_and_right_probabilities_never() -> None:
    p = broad_policy()[0]
    order = np.argsort(-p)
    kept = np.zeros(p.size, dtype=bool)
    kept[order[: np.searchsorted(np.cumsum(p[order]), 0.5)]] = True
    cut = np.where(kept, p, 0) / p[kept].sum()
    assert doubtful(cut, p, 1024, 20) > 0.9
    for right in (tempered(p, 0.3), np.full(20, 0.05), np.full(10**6, 1e-6)):
        assert doubtful(right, right, 64, 200) == 0


def test_probabilities_below_the_smallest_float_are_those_of_long_responses() -> None:
    log_prob = np.append(np.linspace(-1500, -700, 63), np.log(0.02))
    assert estimate_kl(log_prob, log_prob, 8, response=np.arange(64)) > 0
    twice = np.append(log_prob[:-1], log_prob[0])
    with pytest.raises(ValueError, match="drawn 2 times of 64"):
        estimate_kl(twice, twice, 8, response=np.append(np.arange(63), 0))


def test_nothing_is_certain_beside_the_formula() -> None:
    """All seen by names that are wrong for their probabilities is an error, never a length of 0."""
    p = np.array([0.5, 0.3, 0.2])
    i = np.random.default_rng(0).choice(3, 200, p=tempered(p, 0.25))
    with pytest.raises(ValueError, match="another temperature"):
        kl_interval(log(p)[i], i, 4, response=i)
    right = kl_interval(log(tempered(p, 0.25))[i], i, 4, response=i)
    assert right.estimate < analytical_kl(4)


def test_named_responses_of_a_thousand_tokens_have_masses_below_the_smallest_float() -> None:
    log_prob, reward = [-900.0, -901.0, -902.0, -1000.0], [0, 1, 2, 3]
    found = estimate_kl(log_prob, reward, [2, 4], response=list("abcd"))
    assert found == pytest.approx(analytical_kl([2, 4]))
    with pytest.raises(ValueError, match="less than 1e-300 was drawn 2 times of 4"):
        estimate_kl([-900.0, *log_prob[:3]], [0, *reward[:3]], 2, response=list("aabc"))
