"""docs/theory.md#win-rate: the sharp bound at integer n, and its reverse between 2 and 3."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from flint import arb

from bonmeter.bounds.inequalities import Inequality
from bonmeter.certified.decide import decide
from bonmeter.policies.listed import Policy
from tests.bonmeter.theory.outcomes import SMALL, arb_of, tails, total, win_rate


def win_rate_gap_and_bound(p: Sequence[Fraction], n: int) -> tuple[Fraction, Fraction]:
    increments = (n * (b ** (n - 1) - a ** (n - 1)) for a, b in tails(p))
    bound = total(x * x * y for x, y in zip(p, increments, strict=True)) / 12
    return Fraction(n, n + 1) - win_rate(p, n), bound


@pytest.mark.parametrize("p", SMALL.values(), ids=SMALL)
def test_sharp_win_rate_bound_is_an_equality_at_two_and_three(p: list[Fraction]) -> None:
    for n in range(1, 12):
        gap, bound = win_rate_gap_and_bound(p, n)
        assert 0 <= gap <= bound
        assert (gap == bound) == (n in (1, 2, 3))
        assert bound <= n * max(p) ** 2 / 12
        assert gap <= Fraction(n - 1, 2) * sum(x * x for x in p)


@pytest.mark.parametrize("n", [2.0625, 2.4140625, 2.9375])
@pytest.mark.parametrize("p", SMALL.values(), ids=SMALL)
def test_sharp_win_rate_bound_reverses_between_two_and_three(p: list[Fraction], n: float) -> None:
    policy = Policy.from_probabilities([float(x) for x in p])
    factor = 6 * (Fraction(n) - 1) / (Fraction(n) * (Fraction(n) + 1))
    assert 1 < factor < Fraction(10295, 10000)
    assert arb_of(factor) <= 18 - 12 * arb(2).sqrt()
    claims = [Inequality("win_rate_gap", "sharp_win_rate_gap", f) for f in (1, factor)]
    plain, corrected = decide(policy, n, claims, extrapolate=True)
    assert plain.verdict == "fails"
    # one outcome attains the factor: equal sides, which balls cannot separate
    assert corrected.verdict == "holds" or len(p) == 1
    assert corrected.margin.upper >= 0
