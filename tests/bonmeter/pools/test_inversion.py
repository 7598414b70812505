"""The inverted test against dense matrices, simulation and binomial tails; coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bonmeter.exact.values import analytical_kl, exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools import inversion
from bonmeter.pools.estimate import estimate_kl, kl_interval
from bonmeter.pools.inversion import Rows, inverted_test, joined, moments, rows_of
from bonmeter.pools.layout import segments_of_ranks
from replication.studies.classes import coverage_of, pools_of_classes
from tests.bonmeter.pools.pools import draw

COUNTS = np.array([[10, 25, 40, 5, 20], [3, 58, 2, 30, 7]])


def rewards(counts: FloatArray) -> FloatArray:
    return np.array([np.repeat(np.arange(float(len(row))), row) for row in counts])


def gap_of(mass: FloatArray, n: int) -> float:
    kl = exact_kl(Policy.from_probabilities(mass), n)
    return float(analytical_kl(n) - kl)


def derivatives(mass: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Gradient and Hessian of the gap in all masses but the first, by differences."""
    h, size = 1e-4, mass.size - 1

    def moved(step: FloatArray) -> float:
        return gap_of(mass + np.append(-step.sum(), step), n)

    unit = h * np.eye(size)
    slope = np.array([(moved(e) - moved(-e)) / (2 * h) for e in unit])
    second = np.array(
        [
            [
                (moved(e + f) - moved(e - f) - moved(f - e) + moved(-e - f)) / (4 * h * h)
                for f in unit
            ]
            for e in unit
        ]
    )
    return slope, second


@pytest.mark.parametrize("n", [2, 3, 8])
def test_cumulants_are_those_of_dense_matrices(n: int) -> None:
    rows = rows_of(segments_of_ranks(rewards(COUNTS)), n)
    found = moments(rows, rows.unseen)
    for i, counts in enumerate(COUNTS):
        mass, size = counts / counts.sum(), counts.sum()
        slope, second = derivatives(mass, n)
        covariance = (np.diag(mass) - np.outer(mass, mass))[1:, 1:] / size
        m = second @ covariance
        along = slope @ covariance @ second @ covariance @ slope
        centred = np.append(0, slope) - mass[1:] @ slope
        third = mass @ centred**3 / size**2 + 3 * along - 0.5 * np.trace(m @ m @ m)
        expected = {
            "gap": gap_of(mass, n),
            "bias": 0.5 * np.trace(m),
            "squared": slope @ covariance @ slope,
            "trace_2": np.trace(m @ m),
            "third": third,
            "curvature": along / (slope @ covariance @ slope),
        }
        for name, value in expected.items():
            assert getattr(found, name)[i] == pytest.approx(value, rel=2e-4, abs=1e-12), name


def test_wobble_is_the_variance_of_the_variance_given_the_estimate() -> None:
    """By simulation: squared standard errors of pools, regressed on their gaps."""
    mass, size, n = np.array([0.3, 0.4, 0.2, 0.1]), 20_000, 4
    counts = np.random.default_rng(0).multinomial(size, mass, size=4000)
    rows = _rows(counts / size, size, n)
    found = moments(rows, rows.unseen)
    truth = moments(_rows(mass[None], size, n), mass[None])
    slope, _ = np.polyfit(found.gap, found.squared, 1)
    left = found.squared - slope * found.gap
    assert left.var() == pytest.approx(truth.wobble.item(), rel=0.1)
    assert found.squared.var() > 1.5 * left.var()  # the control


def _rows(mass: FloatArray, size: int, n: int) -> Rows:
    one, no = np.ones_like(mass), np.zeros_like(mass)
    total = np.ones((len(mass), 1))
    return Rows(n * total, total, no, mass, one / size, one, no, no, no)


@pytest.mark.parametrize(("shape", "sign"), [(0.5, 1), (2.0, -1), (30.0, 1)])
def test_scores_are_those_of_the_gamma_distribution(shape: float, sign: int) -> None:
    quantiles = np.array([0.01, 0.025, 0.3, 0.7, 0.975, 0.99])
    x = sign * (stats.gamma.ppf(quantiles, shape) - shape)
    third = sign * 2 * shape / inversion.SKEWNESS
    found = inversion._score(x, np.full(6, shape), np.full(6, third))
    np.testing.assert_allclose(found, sign * stats.norm.ppf(quantiles), rtol=1e-9)
    flat = inversion._score(np.array([1.5]), np.array([4.0]), np.array([0.0]))
    assert flat.item() == 0.75


def test_far_from_flat_two_classes_have_the_score_interval_of_a_binomial() -> None:
    """With many draws and a large n the ends are those of p, and its variance is binomial."""
    size, passed, n = 40_000, 300, 10
    reward = np.repeat([0.0, 1.0], [size - passed, passed])
    found = kl_interval(None, reward, n, "rank-only")
    ends = []
    for z in (-1.96, 1.96):
        p = stats.binomtest(passed, size).proportion_ci(method="wilson")
        p = p.low if z < 0 else p.high
        ends.append(float(exact_kl(Policy.from_probabilities([1 - p, p]), n)))
    assert [found.lower, found.upper] == pytest.approx(ends, rel=4e-3)


def test_rows_may_be_joined_and_the_hidden_left_out() -> None:
    reward = draw((np.zeros(300), np.arange(300.0) // 3), 3, 200)[1]
    segments = segments_of_ranks(reward)
    few, many = rows_of(segments, 4), rows_of(segments, 150)
    assert many.seen.shape[1] < few.seen.shape[1]
    both = inverted_test(joined([few, many]), 0.975)
    for end, first, second in zip(
        both, inverted_test(few, 0.975), inverted_test(many, 0.975), strict=True
    ):
        np.testing.assert_allclose(end, np.concatenate([first, second]), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(many.unseen.sum(axis=1), few.unseen.sum(axis=1))
    np.testing.assert_allclose(
        np.sum(many.unseen * many.each, axis=1), np.sum(few.unseen * few.each, axis=1)
    )


@given(st.lists(st.integers(0, 30), min_size=2, max_size=9), st.integers(2, 12))
@settings(max_examples=60, deadline=None)
def test_intervals_hold_the_estimate_and_widen_with_the_level(counts: list[int], n: int) -> None:
    reward = np.repeat(np.arange(len(counts)), counts)
    if reward.size < n:
        return
    log_prob = np.full(reward.size, -300.0)
    narrow, wide = (
        kl_interval(log_prob, reward, n, level=level, response=np.arange(reward.size))
        for level in (0.8, 0.99)
    )
    assert wide.lower <= narrow.lower <= narrow.estimate <= narrow.upper <= wide.upper
    assert wide.lower >= 0
    assert wide.upper <= analytical_kl(n)


def test_kl_does_not_fall_in_n() -> None:
    log_prob, reward = -5 - 0.01 * np.arange(16), np.repeat([1.0, 0.0], [5, 11])
    n = np.arange(1, 17)
    found = estimate_kl(log_prob, reward, n)
    assert np.all(np.diff(found) >= 0)
    assert found[[13, 15]] == pytest.approx(1.12607, abs=5e-6)
    rng = np.random.default_rng(0)
    for _ in range(20):
        reward = rng.integers(0, rng.integers(2, 9), 60)
        found = estimate_kl(None, reward, np.arange(1, 61), "rank-only")
        assert np.all(np.diff(found) >= -1e-15)
        alone = [float(estimate_kl(None, reward, k, "rank-only")) for k in (7, 30, 60)]
        np.testing.assert_allclose(found[[6, 29, 59]], alone, rtol=1e-13)


FEW_CLASSES = [
    ([0.679, 0.189, 0.132], 64, 6),
    ([0.08, 0.118, 0.296, 0.196, 0.121, 0.189], 128, 6),
    ([0.223, 0.384, 0.393], 64, 3),
    ([1 / 3] * 3, 128, 4),
    ([0.2] * 5, 128, 8),
    ([0.2] * 5, 512, 8),
    ([0.125] * 8, 64, 3),
    ([0.9, 0.1], 512, 20),
]


@pytest.mark.parametrize(("mass", "size", "n"), FEW_CLASSES)
def test_intervals_of_few_classes_cover(mass: list[float], size: int, n: int) -> None:
    rng = np.random.default_rng(3)
    found = coverage_of(np.array(mass) / sum(mass), size, n, pools=4000, rng=rng)
    assert 0.925 < found < 0.98


def test_a_standard_interval_covers_less() -> None:
    """The control: without curvature, skewness and the doubt about the variance."""
    mass, size, n = np.array([0.08, 0.118, 0.296, 0.196, 0.121, 0.189]), 128, 6
    pools, weight = pools_of_classes(mass, size, 4000, np.random.default_rng(3))
    kl = float(exact_kl(Policy.from_probabilities(mass), n))
    rows = rows_of(pools, n)
    found = moments(rows, rows.unseen)
    away = np.abs(analytical_kl(n) - found.gap + found.bias - kl) / np.sqrt(found.squared)
    covered = weight @ (away < 1.96) / weight.sum()
    assert covered < 0.9
