"""docs/theory.md#normalised-gap: its closed and cumulant forms, and the log-step bound."""

from __future__ import annotations

import pytest
from flint import acb, arb, fmpq, fmpq_poly

from tests.bonmeter.theory.algebra import KAPPA, cosh, plus, sinh, times
from tests.bonmeter.theory.terms import analytical, ball, gap_term, integral, interval, same


@pytest.mark.parametrize("n", [1.25, 2.0, 2.75, 7.0])
def test_closed_form_is_the_integral(n: float) -> None:
    at = interval(n)
    mean = at.mass / (1 - at.low)
    relative = integral(lambda u: at.density(u) * (at.density(u) / mean).log(), at.low, arb(1))
    assert same(relative / at.mass, gap_term(at.n, at.h))
    assert not same(relative / at.mass, gap_term(at.n + fmpq(1, 10**9), at.h))


@pytest.mark.parametrize("n", [1.25, 2.0, 7.0])
def test_cumulant_form_of_the_normalised_gap(n: float) -> None:
    def variance(order: acb, step: arb) -> acb:
        y = order * step / 2
        return (order - 1) / order**2 * (1 - (y / y.sinh()) ** 2)

    order = ball(n)
    for step in (ball(0.125), ball(3.0)):
        value = integral(lambda x, s=step: variance(x, s), arb(1), order)  # type: ignore[misc]
        assert same(value, gap_term(order, step / 2))
        upper = ((order - 1) * step) ** 2 / 24
        assert 0 < value < min(upper, analytical(order))
        assert value > upper * (1 - (3 * order**2 + 2 * order + 1) * step**2 / 120)
    tiny = ball(0.015625)
    assert gap_term(order, tiny / 2) > 24 * ((order - 1) * tiny) ** 2 / (24 * 24.01)


def test_derivative_for_all_kappa() -> None:
    """2 phi' sinh h sinh^2 nh, by the quotient rule, and its reduction."""
    k, n, h = KAPPA, KAPPA + 1, {(0, 0, 1): fmpq_poly([1])}
    s, c, sn, cn = sinh(0, 1), cosh(0, 1), sinh(1, 1), cosh(1, 1)
    gap = plus(times(2, c, sn, sn), times(-2, s, sn, cn), times(-2 * n * k, h, s))
    assert gap == plus(cosh(2, 1), times(-1, c), times(-2 * n * k, h, s))
    assert gap != plus(cosh(2, 1), times(-1, c), times(-2 * k, h, s))
