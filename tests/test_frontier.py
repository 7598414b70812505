"""Certified margins against mpmath, and the policy that beats best-of-n without atoms."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bestofn.certify import BallPolicy, Enclosure
from bestofn.frontier import continuous_curve_margin, frontier_margin
from bestofn.policy import Policy

# increasing reward: its best-of-2 has a better win rate than best-of-n of that KL without atoms
COUNTEREXAMPLE = (0.3550, 0.0958, 0.1469, 0.0273, 0.1112, 0.0995, 0.1110, 0.0534)

POLICIES = {
    "binary": Policy.from_probabilities([0.5, 0.5]),
    "uniform": Policy.from_probabilities(np.ones(40)),
    "staircase": Policy.from_probabilities([0.9, 0.09, 0.009, 0.0009, 0.0001]),
    "counterexample": Policy.from_probabilities(COUNTEREXAMPLE),
    "rare top": Policy([0.0, -80.0], [0, 1]),
}


def point(policy: Policy, n: float) -> tuple[mp.mpf, mp.mpf]:
    """Win rate and KL from the definitions."""
    weights = [mp.exp(mp.mpf(x)) for x in policy.log_mass.tolist()]
    p = [w / mp.fsum(weights) for w in weights]
    cdf = [mp.mpf(0), *(mp.fsum(p[: i + 1]) for i in range(len(p)))]
    pi = [cdf[i + 1] ** mp.mpf(n) - cdf[i] ** mp.mpf(n) for i in range(len(p))]
    win_rate = mp.fsum(q * (cdf[i] + cdf[i + 1]) / 2 for i, q in enumerate(pi))
    return win_rate, mp.fsum(q * mp.log(q / x) for q, x in zip(pi, p, strict=True))


def optimum(win_rate: mp.mpf) -> mp.mpf:
    """Largest beta W - log((e^beta-1)/beta), at its stationary point."""
    beta = mp.findroot(
        lambda b: 1 / (1 - mp.exp(-b)) - 1 / b - win_rate,
        (6 * (win_rate - 0.5), 2 / (1 - win_rate)),
        solver="anderson",
        tol=mp.mpf(10) ** -200,
        maxsteps=10_000,
    )
    return beta * win_rate - mp.log(mp.expm1(beta) / beta)


def assert_encloses(found: Enclosure, exact: mp.mpf) -> None:
    assert mp.mpf(found.lower.numerator) / found.lower.denominator <= exact
    assert exact <= mp.mpf(found.upper.numerator) / found.upper.denominator
    assert found.upper - found.lower <= abs(found.lower) * Fraction(1, 10**15)


@pytest.mark.parametrize("n", [1 + 2.0**-40, 1.5, 2, 3, 50, 1e4])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_margins_are_narrow_and_contain_the_definition(policy: Policy, n: float) -> None:
    with mp.workdps(300):
        win_rate, kl = point(policy, n)
        order = win_rate / (1 - win_rate)
        assert_encloses(frontier_margin(policy, n), kl - optimum(win_rate))
        curve = mp.log(order) - (order - 1) / order
        assert_encloses(continuous_curve_margin(policy, n), kl - curve)


def test_the_counterexample_beats_the_continuous_curve_but_not_the_optimum() -> None:
    policy = POLICIES["counterexample"]
    assert continuous_curve_margin(policy, 2).upper < Fraction(-62, 10**4)
    assert frontier_margin(policy, 2).lower > Fraction(133, 10**4)
    # negative control: the method does not call every policy better than the curve
    assert continuous_curve_margin(POLICIES["binary"], 2).lower > Fraction(1, 100)


@settings(max_examples=40, deadline=None)
@given(
    log_prob=st.lists(st.floats(-20.0, 0.0), min_size=2, max_size=6),
    n=st.one_of(st.integers(2, 200), st.floats(1.001, 1e4)),
)
def test_no_policy_beats_the_optimum(log_prob: list[float], n: float) -> None:
    assert frontier_margin(Policy(log_prob, np.arange(len(log_prob))), n).lower > 0


@pytest.mark.parametrize(
    ("policy", "n"), [(POLICIES["binary"], 1), (Policy.from_probabilities([1.0]), 7)]
)
def test_best_of_n_that_is_the_policy_lies_on_both_curves(policy: Policy, n: float) -> None:
    zero = Enclosure(Fraction(0), Fraction(0))
    assert frontier_margin(policy, n) == continuous_curve_margin(policy, n) == zero


def test_shared_balls_give_the_same() -> None:
    policy = POLICIES["staircase"]
    assert frontier_margin(BallPolicy(policy), 3) == frontier_margin(policy, 3)


def test_a_win_rate_too_close_to_one_half_is_an_error() -> None:
    with pytest.raises(ArithmeticError, match=r"win rate at n = 3: too close to 1/2"):
        frontier_margin(Policy([-2000.0, 0.0], [0, 1]), 3)


def test_bad_n() -> None:
    with pytest.raises(ValueError, match=r"n = .*0\.5.*: expected a real number from 1 to 1e12"):
        frontier_margin(POLICIES["binary"], 0.5)
