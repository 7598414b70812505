"""docs/theory.md#theorem-34: its bounds at real n, and where those with the sum of squares fail."""

from __future__ import annotations

from fractions import Fraction

import pytest
from flint import arb

from bonmeter.bounds.inequalities import Inequality
from bonmeter.certified.decide import decide
from bonmeter.policies.listed import Policy
from tests.bonmeter.theory.outcomes import SMALL, arb_of, kl_gap
from tests.bonmeter.theory.terms import analytical, ball


@pytest.mark.parametrize("n", [1.0078125, 1.25, 1.5, 2.0, 4.75, 6.03125, 20.0])
@pytest.mark.parametrize("p", SMALL.values(), ids=SMALL)
def test_delta_bounds_hold_at_every_real_n(p: list[Fraction], n: float) -> None:
    order, delta = ball(n), arb_of(max(p))
    gap = kl_gap(p, order)
    assert gap < (order - 1) ** 2 * (1 + order / 24) * delta
    assert gap < 2 * order * (order - 1) * delta


@pytest.mark.parametrize("n", [1.05, 1.5, 1.9375])
def test_renyi_bounds_fail_between_1_and_2(n: float) -> None:
    """One outcome of mass q and the rest without atoms: gap >= q^n K against a multiple of q^2."""
    order = ball(n)
    q = (analytical(order) / (4 * order * (order - 1))) ** (1 / (2 - order))
    gap, collision = q**order * analytical(order), q**2
    assert gap > 2 * order * (order - 1) * collision
    assert gap < order * q
    order = arb(2)
    assert q**order * analytical(order) < order * (order - 1) * q**2


def test_renyi_bound_fails_for_a_finite_policy() -> None:
    policy = Policy.from_probabilities([0.005, *[0.995 / 20_000] * 20_000])
    claim = Inequality("kl_gap", "elementary_renyi")
    assert decide(policy, 1.05, [claim], extrapolate=True)[0].verdict == "fails"
    assert decide(policy, 2.0, [claim])[0].verdict == "holds"
