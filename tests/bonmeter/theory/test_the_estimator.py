"""docs/theory.md#the-estimator: it decreases in the mass, and its mean is at least the KL."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from flint import arb

from tests.bonmeter.theory.outcomes import SMALL, arb_of, balls, estimator, kl_gap
from tests.bonmeter.theory.terms import analytical, ball


def test_estimator_decreases_in_the_mass() -> None:
    for n in map(ball, (1.125, 2.0, 50.0)):
        values = [estimator(Fraction(i, 16), n) for i in range(1, 17)]
        assert all(high > low for high, low in pairwise([analytical(n), *values]))
        assert values[-1] == 0


@pytest.mark.parametrize("n", [1.5, 2.0, 7.25])
@pytest.mark.parametrize("p", list(SMALL.values())[1:], ids=list(SMALL)[1:])
def test_induction_step_of_conjecture_4_4(p: list[Fraction], n: float) -> None:
    order, eps = ball(n), p[-1]
    rest = [x / (1 - eps) for x in p[:-1]]
    power = arb_of(1 - eps) ** order

    def mean(q: Sequence[Fraction], scale: Fraction = Fraction(1)) -> arb:
        pairs = zip(q, balls(q), strict=True)
        return sum(
            (
                (arb(b) ** order - (arb(a) ** order if a else 0)) * estimator(scale * x, order)
                for x, (a, b) in pairs
            ),
            arb(0),
        )

    formula = analytical(order)
    kl, kl_rest = (formula - kl_gap(q, order) for q in (p, rest))
    left = mean(p) - kl
    right = power * (mean(rest, 1 - eps) - estimator(eps, order) + formula - kl_rest)
    assert left > 0
    assert abs(left - right) < arb(10) ** -60
    assert (
        abs(left - power * (mean(rest) - estimator(eps, order) + formula - kl_rest)) > arb(10) ** -6
    )
    assert estimator(eps, order) - kl > -(arb(10) ** -60)
    assert formula - estimator(eps, order) > formula + arb_of(eps).log()
