"""Divergences against mpmath from the definitions, and the data-processing inequality."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from bonmeter.exact.divergences import (
    chi_squared,
    continuous_chi_squared,
    continuous_forward_kl,
    continuous_renyi,
    forward_kl,
    power_term,
    renyi,
)
from bonmeter.exact.values import analytical_kl, exact_kl
from bonmeter.numerics.kernels import log_mean_density
from bonmeter.policies.listed import Policy

N = (1 + 2.0**-30, 1.5, 2, 3, 10, 4321.5, 1e6, 1e12)
ALPHA = (1e-9, 0.01, 0.3, 0.5, 1 - 1e-9, 1 + 1e-9, 1.5, 2, 7, 20)
POLICIES = {
    "binary": Policy.from_probabilities([0.5, 0.5]),
    "uniform": Policy.from_probabilities(np.ones(50)),
    "rising": Policy.from_probabilities(np.arange(1.0, 30.0)),
    "staircase": Policy.from_probabilities([0.9, 0.09, 0.009, 0.0009, 0.0001]),
    "rare top": Policy([0.0, -0.5, -690.0], [0, 1, 2]),
    "rare bottom": Policy([-690.0, -0.5, 0.0], [0, 1, 2]),
    "one mass near 1": Policy([-1.0, 40.0, -2.0], [0, 1, 2]),
}


def close(found: ArrayLike, expected: mp.mpf, tolerance: float = 1e-12) -> bool:
    return bool(abs(mp.mpf(np.asarray(found).item()) - expected) <= tolerance * abs(expected))


def log_ratios(policy: Policy, n: float) -> tuple[list[mp.mpf], list[mp.mpf]]:
    """Masses and log(pi_n/p) from the definition."""
    weights = [mp.exp(mp.mpf(x)) for x in policy.log_mass.tolist()]
    p = [w / mp.fsum(weights) for w in weights]
    cdf = [mp.mpf(0), *(mp.fsum(p[: i + 1]) for i in range(len(p)))]
    powers = [x ** mp.mpf(n) for x in cdf]
    return p, [mp.log((powers[i + 1] - powers[i]) / p[i]) for i in range(len(p))]


@pytest.mark.parametrize("n", N)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_against_the_definitions(policy: Policy, n: float) -> None:
    with mp.workdps(700):
        p, t = log_ratios(policy, n)
        pairs = list(zip(p, t, strict=True))
        assert close(chi_squared(policy, n), mp.fsum(x * mp.exp(2 * y) for x, y in pairs) - 1)
        assert close(forward_kl(policy, n), -mp.fsum(x * y for x, y in pairs))
        for alpha in ALPHA:
            moment = mp.fsum(x * mp.exp(mp.mpf(alpha) * y) for x, y in pairs)
            assert close(renyi(policy, n, alpha), mp.log(moment) / (mp.mpf(alpha) - 1)), alpha


@pytest.mark.parametrize("n", N)
def test_continuous_values(n: float) -> None:
    with mp.workdps(60):
        exact = mp.mpf(n)
        assert close(continuous_chi_squared(n), (exact - 1) ** 2 / (2 * exact - 1))
        assert close(continuous_forward_kl(n), exact - 1 - mp.log(exact))
        for alpha in map(mp.mpf, ALPHA):
            moment = exact**alpha / (alpha * (exact - 1) + 1)
            assert close(continuous_renyi(n, float(alpha)), mp.log(moment) / (alpha - 1)), alpha


@pytest.mark.parametrize("n", [1.5, 2, 7, 40])
def test_continuous_values_are_integrals_of_the_density(n: float) -> None:
    with mp.workdps(30):

        def mean(function: Callable[[mp.mpf], mp.mpf]) -> mp.mpf:
            return mp.quad(lambda u: function(n * u ** (n - 1)), [0, 0.5, 1])

        assert close(continuous_chi_squared(n), mean(lambda g: (g - 1) ** 2), 1e-10)
        assert close(continuous_forward_kl(n), mean(lambda g: -mp.log(g)), 1e-10)
        assert close(continuous_renyi(n, 0.5), -2 * mp.log(mean(mp.sqrt)), 1e-10)
        assert close(continuous_renyi(n, 3), mp.log(mean(lambda g: g**3)) / 2, 1e-10)


@pytest.mark.parametrize("alpha", [0.0, 1e-9, 0.4999, 0.5, 1.0, 1 - 1e-12, 2.0, 20.0])
def test_power_term(alpha: float) -> None:
    t = np.array([-1e18, -800.0, -30.0, -1.0, -0.51, -0.1, -1e-9, 1e-200, 0.03, 0.6, 5.0, 27.6])
    found = power_term(alpha, t)
    with mp.workdps(400):
        for value, x in zip(found, map(mp.mpf, t.tolist()), strict=True):
            a, r = mp.mpf(alpha), mp.exp(x)
            if alpha == 0:
                exact = r - 1 - x
            elif alpha == 1:
                exact = r * x - r + 1
            else:
                exact = (r**a - 1 - a * (r - 1)) / (a * (a - 1))
            if exact > 1e-300:
                assert close(value, exact, 1e-13), (alpha, x)


def test_orders_one_and_two_are_kl_and_chi_squared() -> None:
    policy = POLICIES["staircase"]
    np.testing.assert_allclose(renyi(policy, N, 1), exact_kl(policy, N), rtol=1e-12)
    np.testing.assert_allclose(renyi(policy, N, 2), np.log1p(chi_squared(policy, N)), rtol=1e-12)
    np.testing.assert_allclose(continuous_renyi(N, 1), analytical_kl(N), rtol=1e-12)


masses = st.lists(st.floats(-60.0, 0.0), min_size=2, max_size=6)
draws = st.one_of(st.integers(2, 1000), st.floats(1.001, 1e6))
orders = st.floats(0.01, 20.0)


@settings(max_examples=100, deadline=None)
@given(log_prob=masses, n=draws, alpha=orders)
def test_merging_outcomes_lowers_every_divergence(
    log_prob: list[float], n: float, alpha: float
) -> None:
    fine = Policy(log_prob, np.arange(len(log_prob)))
    coarse = Policy(log_prob, np.arange(len(log_prob)) // 2)
    above = 1 + 1e-10
    for of_policy, without_atoms in (
        (chi_squared, continuous_chi_squared),
        (forward_kl, continuous_forward_kl),
        (lambda p, n: renyi(p, n, alpha), lambda n: continuous_renyi(n, alpha)),
    ):
        assert of_policy(coarse, n) <= of_policy(fine, n) * above + 1e-300
        assert of_policy(fine, n) <= without_atoms(n) * above + 1e-300


@settings(max_examples=50, deadline=None)
@given(log_prob=masses, n=draws, alpha=orders)
def test_renyi_increases_with_its_order(log_prob: list[float], n: float, alpha: float) -> None:
    policy = Policy(log_prob, np.arange(len(log_prob)))
    assert renyi(policy, n, alpha / 2) <= renyi(policy, n, alpha) * (1 + 1e-10) + 1e-300


def test_the_continuous_value_is_approached_and_not_a_looser_bound() -> None:
    fine = Policy.from_probabilities(np.ones(100_000))
    for found, bound in (
        (chi_squared(fine, 5), continuous_chi_squared(5)),
        (forward_kl(fine, 5), continuous_forward_kl(5)),
        (renyi(fine, 5, 0.5), continuous_renyi(5, 0.5)),
    ):
        assert 0.999 * bound < found < bound


def test_shapes_and_one_draw() -> None:
    policy = POLICIES["rising"]
    n = np.array([[1.0, 2.0], [3.0, 4.0]])
    for values in (chi_squared(policy, n), forward_kl(policy, n), renyi(policy, n, 0.5)):
        assert values.shape == n.shape
        assert values[0, 0] == 0
        assert np.all(np.diff(values.ravel()) > 0)
    for bound in (continuous_chi_squared(n), continuous_forward_kl(n), continuous_renyi(n, 3)):
        assert bound.shape == n.shape
        assert bound[0, 0] == 0


@pytest.mark.parametrize("alpha", [0, -1, 20.5, np.nan, np.inf])
def test_bad_order(alpha: float) -> None:
    message = r"^alpha = .*: expected a number in \(0, 20\]"
    with pytest.raises(ValueError, match=message):
        renyi(POLICIES["binary"], 2, alpha)
    with pytest.raises(ValueError, match=message):
        continuous_renyi(2, alpha)


@pytest.mark.parametrize("n", [0.5, np.nan, [2, -1], 1e13])
def test_bad_n(n: ArrayLike) -> None:
    policy = POLICIES["binary"]
    calls: tuple[Callable[[], object], ...] = (
        lambda: chi_squared(policy, n),
        lambda: forward_kl(policy, n),
        lambda: renyi(policy, n, 2),
        lambda: continuous_chi_squared(n),
        lambda: continuous_forward_kl(n),
        lambda: continuous_renyi(n, 2),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"^n.* = .*: expected a real number from 1 to 1e12"):
            call()


@pytest.mark.parametrize("n", [1 + 2.0**-30, 3, 1e4, 1e12])
@pytest.mark.parametrize("alpha", [0.25, 0.5, 1, 2, 20])
def test_many_outcomes_are_summed_as_if_one_by_one(alpha: float, n: float) -> None:
    """Nodes stand for most of them, and those that best-of-n never selects are merged."""
    policy = Policy(np.random.default_rng(0).normal(size=200_000), np.arange(200_000))
    t = log_mean_density(n - 1, policy.log_step, policy.log_cdf)
    mean = float(np.sum(policy.mass * power_term(alpha, t)))
    moment = np.log(np.sum(policy.mass * np.exp(alpha * t))) / (alpha - 1) if alpha != 1 else mean
    excess = alpha * (alpha - 1) * mean
    expected = np.log1p(excess) / (alpha - 1) if alpha != 1 and excess > -0.5 else moment
    assert float(renyi(policy, n, alpha)) == pytest.approx(float(expected), rel=1e-11)
