"""Rivals against mpmath integrals of their densities, enumeration, and each other's limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import comb, exp, factorial

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from bonmeter.exact.rivals import best_of_poisson, blockwise_kl_bound, soft_best_of_n, top_k
from bonmeter.exact.tradeoff import Tradeoff, best_of_n_tradeoff, optimal_kl
from bonmeter.exact.values import analytical_kl, exact_kl, exact_win_rate
from bonmeter.policies.listed import Policy

Bracket = tuple[float, float]
Density = Callable[[mp.mpf], mp.mpf]

MASS = (0.3, 0.05, 0.4, 0.25)
POLICY = Policy.from_probabilities(MASS)
FINE = Policy.from_probabilities(np.ones(50_000))
FINEST = Policy.from_probabilities(np.ones(10**5))
STAIRCASE = Policy.from_probabilities([0.9, 0.09, 0.009, 0.0009, 0.0001])


def assert_curve(found: Tradeoff, density: Density, cuts: Sequence[float] = (0, 0.5, 1)) -> None:
    """Against the integrals of the density, by mpmath."""
    with mp.workdps(25):
        assert mp.almosteq(mp.quad(density, cuts), 1, 1e-15)
        win_rate = mp.quad(lambda u: u * density(u), cuts)
        kl = mp.quad(lambda u: density(u) * mp.log(density(u)) if density(u) else 0, cuts)
    assert float(found.win_rate) == pytest.approx(float(win_rate), rel=1e-11)
    assert float(found.kl) == pytest.approx(float(kl), rel=1e-9)


def assert_outcomes(found: Tradeoff, pi: ArrayLike, mass: ArrayLike = MASS) -> None:
    """Against the definitions, from the selection's probabilities."""
    pi, p = np.asarray(pi, dtype=np.float64), np.asarray(mass, dtype=np.float64)
    assert pi.sum() == pytest.approx(1, rel=1e-12)
    assert float(found.win_rate) == pytest.approx(pi @ (np.cumsum(p) - p / 2), rel=1e-11)
    assert float(found.kl) == pytest.approx(pi @ np.log(pi / p), rel=1e-9)


def selection(n: int, choose: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Probabilities of the selected outcome of `MASS`, by enumerating all draws.

    `choose` gives the probability that each of the n draws, outcomes 0 to 3, is selected.
    """
    pi = np.zeros(len(MASS))
    for draws in map(np.array, product(range(len(MASS)), repeat=n)):
        np.add.at(pi, draws, np.prod(np.take(MASS, draws)) * choose(draws))
    return pi


def softmax(draws: np.ndarray, temperature: float) -> np.ndarray:
    weight = np.exp(draws / temperature)
    return np.asarray(weight / weight.sum())


def among_best(draws: np.ndarray, k: int) -> np.ndarray:
    """Uniform over the k best, ties broken at random."""
    cut = np.sort(draws)[-k]
    above, tied = draws > cut, draws == cut
    return np.asarray(above + tied * (k - above.sum()) / tied.sum()) / k


@pytest.mark.parametrize("mu", [1e-6, 0.1, 1.0, 7.0, 40.0])
def test_best_of_poisson(mu: float) -> None:
    assert_curve(best_of_poisson(mu), lambda u: (1 + mu * u) * mp.exp(mu * (u - 1)))


@pytest.mark.parametrize("mu", [1e3, 1e6, 1e12])
def test_best_of_poisson_for_large_mu(mu: float) -> None:
    """Closed forms (ours): 1 - 1/mu + ..., log(1+mu) - 1 + e^(-1-mu) (Ei(1+mu) - Ei(1))/mu."""
    with mp.workdps(40):
        m = mp.mpf(mu)
        tail = mp.quad(lambda y: mp.exp(-y) / (1 + m - y), [0, 5, 50, min(m, 200)])
        win_rate = 1 - 1 / m + (1 - mp.exp(-m)) / m**2
        kl = mp.log1p(m) - 1 + tail / m
    found = best_of_poisson(mu)
    assert float(found.win_rate) == pytest.approx(float(win_rate), rel=1e-13)
    assert float(found.kl) == pytest.approx(float(kl), rel=1e-10)


def test_best_of_poisson_is_a_poisson_mixture_of_best_of_n() -> None:
    mu = 2.5
    cdf = np.cumsum(MASS)
    pi = sum(
        exp(-mu) * mu**j / factorial(j) * np.diff(cdf ** (j + 1), prepend=0) for j in range(60)
    )
    assert_outcomes(best_of_poisson(mu, POLICY), np.asarray(pi))


@pytest.mark.parametrize(
    ("n", "k"), [(1, 1), (2, 1), (2, 2), (3, 2), (10, 1), (10, 4), (10, 9), (60, 20)]
)
def test_top_k(n: int, k: int) -> None:
    def density(u: mp.mpf) -> mp.mpf:
        """Mean of the Beta densities of the k largest of n uniforms."""
        terms = (comb(n, j) * (n - j) * u ** (n - j - 1) * (1 - u) ** j for j in range(k))
        return mp.fsum(terms) / k

    found = top_k(n, k)
    if n == k:
        assert found.kl == pytest.approx(0, abs=1e-15)
    else:
        assert_curve(found, density, (0, 0.1, 0.5, 0.9, 1))
    assert float(found.win_rate) == pytest.approx(1 - (k + 1) / (2 * (n + 1)), rel=1e-12)
    assert found.draws == n


@pytest.mark.parametrize(("n", "k"), [(1, 1), (3, 1), (3, 2), (5, 3), (6, 2)])
def test_top_k_of_a_policy_by_enumeration(n: int, k: int) -> None:
    assert_outcomes(top_k(n, k, POLICY), selection(n, lambda draws: among_best(draws, k)))


@pytest.mark.parametrize("n", [9, 60, 1000])
def test_top_k_of_many_outcomes_is_that_without_atoms(n: int) -> None:
    """Whether the binomial law is summed (up to k = 8) or the beta function is asked."""
    k = np.array([1, 2, 8, 9])
    found, limit = top_k(n, k, FINEST), top_k(n, k)
    np.testing.assert_allclose(found.win_rate, limit.win_rate, rtol=2e-7)
    np.testing.assert_allclose(found.kl, limit.kl, rtol=2e-5, atol=1e-15)


@pytest.mark.parametrize(("n", "temperature"), [(2, 0.05), (2, 0.5), (2, 10.0)])
def test_soft_best_of_two(n: int, temperature: float) -> None:
    """The other draw integrates out in closed form."""

    def density(u: mp.mpf) -> mp.mpf:
        rise = mp.log1p(mp.exp(u / temperature)) - mp.log1p(mp.exp((u - 1) / temperature))
        return 2 * temperature * rise

    assert_curve(soft_best_of_n(n, temperature), density, (0, 0.25, 0.5, 0.75, 1))


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_soft_best_of_three(temperature: float) -> None:
    """Win rate by a double integral over the other two draws."""
    node, weight = np.polynomial.legendre.leggauss(80)
    u, w = (node + 1) / 2, weight / 2
    e = np.exp(u / temperature)
    total = e[:, None, None] + e[None, :, None] + e[None, None, :]
    density = 3 * e * np.einsum("ijk,j,k->i", 1 / total, w, w)
    found = soft_best_of_n(3, temperature)
    assert float(found.win_rate) == pytest.approx(w @ (density * u), rel=1e-11)
    assert float(found.kl) == pytest.approx(w @ (density * np.log(density)), rel=1e-9)


@pytest.mark.parametrize("temperature", [0.02, 0.3, 2.0, 1e3])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_soft_best_of_n_of_a_policy_by_enumeration(n: int, temperature: float) -> None:
    found = soft_best_of_n(n, temperature, POLICY)
    if n == 1:
        assert found.kl == pytest.approx(0, abs=1e-20)
        assert found.win_rate == pytest.approx(0.5, rel=1e-14)
    elif temperature < 1000:
        assert_outcomes(found, selection(n, lambda draws: softmax(draws, temperature)))
    else:
        assert 0 < found.kl < 1e-6


@pytest.mark.parametrize("n", [2, 10, 1000])
def test_limits_are_best_of_n(n: int) -> None:
    best = best_of_n_tradeoff(n)
    for found, tolerance in ((top_k(n, 1), 1e-9), (soft_best_of_n(n, 0.002), 3 * n * 0.002)):
        assert float(found.kl) == pytest.approx(float(best.kl), rel=tolerance)
    for policy in (POLICY, STAIRCASE):
        found = top_k(n, 1, policy)
        assert float(found.kl) == pytest.approx(float(exact_kl(policy, n)), rel=1e-9)
        assert float(found.win_rate) == pytest.approx(float(exact_win_rate(policy, n)), rel=1e-11)
        found = soft_best_of_n(n, 0.01, policy)
        assert float(found.kl) == pytest.approx(float(exact_kl(policy, n)), rel=1e-9)


@pytest.mark.parametrize(("n", "k"), [(20, 8), (20, 9), (10_000, 9)])
def test_masses_above_the_lowest_outcomes_may_round_to_more_than_one(n: int, k: int) -> None:
    policy = Policy(np.append(-50.0, np.zeros(6)), np.arange(7))
    assert policy.mass_above.max() > 1
    without = Policy(np.zeros(6), np.arange(6))
    for found, value in zip(top_k(n, k, policy), top_k(n, k, without), strict=True):
        assert float(found) == pytest.approx(float(value), rel=1e-9)


def test_one_of_all_draws_is_the_policy() -> None:
    assert top_k(20, 20, Policy.from_probabilities([1e-17, 1.0])).kl == 0


@pytest.mark.filterwarnings("error")
def test_soft_best_of_one_is_the_policy_where_outcomes_underflow() -> None:
    found = soft_best_of_n(1, [0.002, 0.1], Policy.from_probabilities([1e-300, 1.0]))
    assert found.win_rate.tolist() == [0.5, 0.5]
    assert found.kl == pytest.approx([0.0, 0.0], abs=1e-20)


def test_limits_are_the_policy() -> None:
    for policy in (None, POLICY):
        for found in (
            best_of_poisson(0.0, policy),
            top_k(7, 7, policy),
            soft_best_of_n(7, 1e9, policy),
        ):
            assert 0.5 <= float(found.win_rate) < 0.5 + 1e-9
            assert float(found.kl) == pytest.approx(0, abs=1e-15)


def test_a_policy_of_many_small_outcomes_approaches_the_curve() -> None:
    for fine, curve in (
        (best_of_poisson(5.0, FINE), best_of_poisson(5.0)),
        (top_k(50, 3, FINE), top_k(50, 3)),
        (
            soft_best_of_n(10, 0.1, Policy(np.zeros(5_000), np.arange(5_000) / 5_000)),
            soft_best_of_n(10, 0.1),
        ),
    ):
        assert float(fine.win_rate) == pytest.approx(float(curve.win_rate), rel=1e-3)
        assert float(fine.kl) == pytest.approx(float(curve.kl), rel=2e-3)
        assert fine.kl < curve.kl


masses = st.lists(st.floats(-8.0, 0.0), min_size=2, max_size=5)


@settings(max_examples=50, deadline=None)
@given(log_prob=masses, mu=st.floats(0.01, 1e4), n=st.integers(2, 300), data=st.data())
def test_no_rival_beats_the_optimum(
    log_prob: list[float], mu: float, n: int, data: st.DataObject
) -> None:
    policy = Policy(log_prob, np.linspace(0, 1, len(log_prob)))
    k = data.draw(st.integers(1, n))
    temperature = data.draw(st.floats(0.01, 100.0))
    for each in (policy, None):
        for found in (
            best_of_poisson(mu, each),
            top_k(n, k, each),
            soft_best_of_n(min(n, 30), max(temperature, 0.02), each),
        ):
            win_rate = min(max(float(found.win_rate), 0.5), 1 - 1e-16)
            assert found.kl >= optimal_kl(win_rate) * (1 - 1e-8) - 1e-14


def at_win_rate(curve: Callable[[float], Tradeoff], win_rate: float, bracket: Bracket) -> Tradeoff:
    return curve(brentq(lambda x: float(curve(x).win_rate) - win_rate, *bracket, xtol=1e-14))


@pytest.mark.parametrize(
    ("n", "best", "poisson", "soft"),
    [(2, 0.1187, 1.42e-3, 3.36e-4), (5, 0.0190, 6.97e-4, 2.33e-3), (10, 3.34e-3, 5.75e-5, 6.05e-3)],
)
def test_excess_over_the_optimum_at_the_win_rate_of_best_of_n(
    n: int, best: float, poisson: float, soft: float
) -> None:
    """Without atoms: Best-of-Poisson, with about as many draws, is nearly optimal."""
    win_rate = n / (n + 1)
    for found, stated in (
        (best_of_n_tradeoff(n), best),
        (at_win_rate(best_of_poisson, win_rate, (0.1, 100.0)), poisson),
        (at_win_rate(lambda t: soft_best_of_n(16, t), win_rate, (0.01, 10.0)), soft),
    ):
        assert float(found.kl / optimal_kl(win_rate)) - 1 == pytest.approx(stated, rel=5e-3)


def test_top_k_costs_more_than_best_of_n_at_the_same_win_rate() -> None:
    for k in (2, 3, 5):
        n = 3 * (k + 1) - 1  # win rate 1 - (k + 1)/(2 (n + 1)) = 5/6
        assert top_k(n, k).win_rate == pytest.approx(5 / 6, rel=1e-12)
        assert top_k(n, k).kl > best_of_n_tradeoff(5).kl * 1.02


def test_blockwise_bound() -> None:
    blocks, k = np.array([[1], [4]]), np.array([1.0, 2.0, 16.0])
    bound = blockwise_kl_bound(blocks, k)
    assert bound.shape == (2, 3)
    np.testing.assert_allclose(bound[0], analytical_kl(k))
    np.testing.assert_allclose(bound[1], 4 * analytical_kl(k))
    saved = analytical_kl(k**4) - bound[1]
    assert saved[-1] == pytest.approx(3, abs=0.3)
    assert np.all(saved >= 0)


def test_blockwise_bound_covers_a_chain_of_best_of_k() -> None:
    """Two blocks of two tokens; the second's policy depends on the first."""
    first, second = Policy.from_probabilities([0.3, 0.7]), ([0.5, 0.5], [0.9, 0.1])
    pi = np.array([0.09, 0.91])
    chained = exact_kl(first, 2) + sum(
        weight * exact_kl(Policy.from_probabilities(p), 2)
        for weight, p in zip(pi, second, strict=True)
    )
    assert 0 < chained < blockwise_kl_bound(2, 2)


def test_shapes() -> None:
    for value in top_k([[3], [9]], [1, 2, 3]):
        assert value.shape == (2, 3)
    for policy in (None, POLICY):
        for value in (
            *best_of_poisson([[0.0, 1.0]], policy),
            *soft_best_of_n(3, [[0.5, 1.0]], policy),
            *top_k([[3, 4]], 2, policy),
        ):
            assert value.shape == (1, 2)


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: best_of_poisson(-1.0), r"mu = .*: expected a real number in \[0, 1e12\]"),
    (lambda: best_of_poisson([1.0, np.nan]), r"mu\[1\] = nan|mu\[1\] = np.float64\(nan\)"),
    (lambda: top_k(2.5, 1), "n = .*: expected a whole number from 1 to 10000"),
    (lambda: top_k(3, 4), "k = .*: expected a whole number from 1 to n"),
    (lambda: top_k(3, [1, 0]), r"k\[1\] = .*: expected a whole number from 1 to n"),
    (lambda: soft_best_of_n(0, 1.0), "n = .*: expected a whole number from 1 to 10000"),
    (
        lambda: soft_best_of_n(2, 0.0),
        "temperature = .*: expected a positive number, at least 0.002",
    ),
    (lambda: soft_best_of_n(2, np.inf), "temperature = .*: expected a positive number"),
    (lambda: soft_best_of_n(2, 0.005, POLICY), "temperature = .*: .* at least 0.006 for these"),
    (lambda: blockwise_kl_bound(1.5, 2), r"blocks = .*: expected a whole number from 1 to 10\^12"),
    (lambda: blockwise_kl_bound(2, 0.5), "n = .*: expected a real number from 1 to 1e12"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message[:20] for _, message in BAD])
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^(?:{message})"):
        call()
