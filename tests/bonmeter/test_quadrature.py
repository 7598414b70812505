"""Sums over nodes against sums over every outcome, for policies made to be hard to summarise."""

from __future__ import annotations

import math
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonmeter.exact import estimator
from bonmeter.exact import values as exact
from bonmeter.exact.values import exact_kl, kl_gap, win_rate_gap
from bonmeter.numerics.kernels import log_mean_density
from bonmeter.numerics.quadrature import summarise
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.implicit import UniformPolicy
from bonmeter.policies.listed import Policy, Term

QUADRATURE = sys.modules["bonmeter.numerics.quadrature"]
SIZE = 50_000
GRID = (1 + 2.0**-40, 2, 2.5, 18, 320, 1.8e4, 1.8e5, 1e9)

# Each with whether it is symmetric in the mass.
TERMS: dict[str, tuple[Term, bool]] = {
    "kl": (exact._kl_term, True),
    "kl_gap": (exact._kl_gap_term, True),
    "win_rate_gap": (exact._win_rate_gap_term, True),
    "expected_estimator": (estimator._estimator_term, False),
    "expected_estimator_gap": (estimator._estimator_gap_term, False),
}
RANK = np.arange(1.0, SIZE + 1)


def top_of_small(large: int, small: int, mass: float) -> FloatArray:
    """Few outcomes, under many that share little mass: the gaps come from far below the top."""
    return np.concatenate([np.full(large, 1 / large), np.full(small, mass / small)])


def geometric_under_small(ratio: float, mass: float) -> FloatArray:
    """As above, but masses in proportion to the mass above them, as large as a panel takes them."""
    geometric = ratio * (1 - ratio) ** np.arange(math.log(mass) / math.log1p(-ratio))
    return np.concatenate([geometric, np.full(SIZE, mass / SIZE)])


MASSES = {
    "uniform": np.ones(SIZE),
    "log-normal": np.random.default_rng(1).lognormal(0, 2, SIZE),
    "log-normal, ascending": np.sort(np.random.default_rng(1).lognormal(0, 3, SIZE)),
    "zipf, ascending": 1 / RANK[::-1],
    "zipf, descending": RANK**-1.5,
    "one in a thousand": np.where(RANK % 1000 == 0, 1e-4, 1e-9),
    "one in seven": np.where(RANK % 7 == 0, 1e-5, 1e-12),
    "growing": RANK**3,
    "falling": 0.9999**RANK,
    "small on top": top_of_small(30_000, SIZE, 1e-3),
    "smaller on top": top_of_small(SIZE, SIZE, 1e-6),
    "geometric under small": geometric_under_small(2e-4, 1e-2),
    "one large in the middle": np.where(RANK == SIZE // 2, SIZE, 1.0),
    "nearly all at the bottom": np.where(RANK == 1, 1e12, 1.0),
    "nearly all at the top": np.where(RANK == SIZE, 1e12, 1.0),
    "a size that is no multiple of anything": np.ones(70_001),
}


def outcome_by_outcome(policy: Policy, term: Term, n: float) -> float:
    chunks = range(0, len(policy), 10_000)
    ends = policy.log_mass, policy.log_cdf, policy.log_step
    return math.fsum(np.sum(term(n, *(x[i : i + 10_000] for x in ends))) for i in chunks)


def relative_errors(policy: Policy, name: str) -> list[float]:
    term, symmetric = TERMS[name]
    sums = [outcome_by_outcome(policy, term, n) for n in GRID]
    found = [policy.sum_over_outcomes(term, n, symmetric) for n in GRID]
    return [abs(x - y) / y if y else abs(x) for x, y in zip(found, sums, strict=True)]


@pytest.mark.parametrize("name", MASSES)
def test_sums_over_nodes(name: str) -> None:
    policy = Policy.from_probabilities(MASSES[name])
    assert np.unique(policy._nodes.weight).size > 1  # something was summarised
    for term in TERMS:
        assert max(relative_errors(policy, term)) < 2e-13, term


@pytest.mark.parametrize(("setting", "value"), [("POSITIONS", 6), ("MASSES", 2)])
def test_fewer_nodes_are_not_enough(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: int
) -> None:
    monkeypatch.setattr(QUADRATURE, setting, value)
    monkeypatch.setattr(
        QUADRATURE, "_GRIDS", {True: QUADRATURE._grid(2), False: QUADRATURE._grid(1)}
    )
    monkeypatch.setattr(QUADRATURE, "_POSITIONS", QUADRATURE._chebyshev_nodes(QUADRATURE.POSITIONS))
    monkeypatch.setattr(QUADRATURE, "_WEIGHTS", QUADRATURE._position_weights())
    policy = Policy.from_probabilities(MASSES["geometric under small"])
    assert max(relative_errors(policy, "kl_gap")) > 1e-12


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    pieces=st.lists(
        st.tuples(st.integers(1, 20_000), st.floats(-30, 0), st.floats(0, 3)),
        min_size=1,
        max_size=4,
    ),
    n=st.floats(0, 12).map(lambda x: 10.0**x),
)
def test_sums_over_nodes_of_any_policy(
    seed: int, pieces: list[tuple[int, float, float]], n: float
) -> None:
    rng = np.random.default_rng(seed)
    log_mass = np.concatenate(
        [shift + sigma * rng.standard_normal(size) for size, shift, sigma in pieces]
    )
    policy = Policy(log_mass, np.arange(log_mass.size))
    for term, symmetric in TERMS.values():
        if n > 1:
            expected = outcome_by_outcome(policy, term, n)
            assert policy.sum_over_outcomes(term, n, symmetric) == pytest.approx(
                expected, rel=5e-13, abs=1e-300
            )


@pytest.mark.parametrize("n", [1.5, 2, 4, 100, 1e5, 1e6, 1e12])
def test_a_million_equal_outcomes(n: float) -> None:
    """Against a sum that knows that they are equal."""
    policy, implicit = Policy.from_probabilities(np.ones(10**6)), UniformPolicy(10**6)
    for function in (exact_kl, kl_gap, win_rate_gap, estimator.expected_kl_estimator):
        assert float(function(policy, n)) == pytest.approx(float(function(implicit, n)), rel=2e-13)


@pytest.mark.parametrize("symmetric", [True, False])
def test_moments_are_exact(symmetric: bool) -> None:
    """Sums of p^k F^j are those of the policy for odd k, or any k, whatever the weights' signs."""
    policy = Policy.from_probabilities(MASSES["log-normal"])
    nodes = summarise(policy.log_mass, symmetric)
    middles = []
    for log_mass, log_cdf, weight in (
        (policy.log_mass, policy.log_cdf, np.ones(len(policy))),
        (nodes.log_mass, nodes.log_cdf, nodes.weight),
    ):
        p = np.exp(log_mass)
        u = np.exp(log_cdf) - p / 2
        powers = (1, 3, 5) if symmetric else (1, 2, 3, 4, 5)
        middles.append([float(np.sum(weight * p**k * u**j)) for k in powers for j in range(5)])
    assert middles[0] == pytest.approx(middles[1], rel=1e-13)


def test_the_number_of_nodes_hardly_grows() -> None:
    sizes = [summarise(np.full(10**k, -k * np.log(10)), True).weight.size for k in (4, 5, 6)]
    assert sizes[2] < 20_000
    assert sizes[2] - sizes[1] < sizes[1] / 2


def square_of_density(
    n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray
) -> FloatArray:
    """p (pi_n/p)^2, whose sum is the chi-squared divergence plus 1: another smooth term."""
    return np.exp(log_mass + 2 * log_mean_density(n - 1, step, log_cdf))


@pytest.mark.parametrize("n", [1.5, 3, 300.0, 1e6])
def test_other_smooth_terms(n: float) -> None:
    policy = Policy.from_probabilities(MASSES["log-normal"])
    for symmetric in (True, False):
        found = policy.sum_over_outcomes(square_of_density, n, symmetric)
        assert found == pytest.approx(outcome_by_outcome(policy, square_of_density, n), rel=1e-13)


ORDERS = {
    "ascending": np.arange(1e6),
    "random": np.random.default_rng(0).random(10**6),
    "few ties": np.random.default_rng(0).integers(0, 10**6, 10**6).astype(float),
    "many ties": np.random.default_rng(0).integers(0, 2, 10**6).astype(float),
}


@pytest.mark.parametrize("order", ORDERS)
def test_memory(order: str) -> None:
    """Log-probabilities, rewards, and at most three more arrays of that size."""
    log_prob, reward = np.random.default_rng(0).standard_normal(10**6), ORDERS[order]
    tracemalloc.start()
    try:
        exact_kl(Policy(log_prob, reward), np.geomspace(1, 1e6, 5))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    nodes = 10 * 8 * 40_000  # of any policy
    assert peak < 3.4 * log_prob.nbytes + nodes
