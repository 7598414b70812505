"""docs/theory.md#the-optimum: the tilted density, and a policy above the continuous curve."""

from __future__ import annotations

from fractions import Fraction

from flint import arb, fmpq

from tests.bonmeter.theory.outcomes import arb_of, kl_gap, win_rate
from tests.bonmeter.theory.terms import analytical, ball, frontier, moments


def tilted(beta: arb) -> tuple[arb, arb]:
    win = 1 / (1 - (-beta).exp()) - 1 / beta
    return win, beta * win - (beta.expm1() / beta).log()


def test_tilted_optimum() -> None:
    for value in (0.5, 3.0, 20.0):
        beta = ball(value)
        mass, win, kl = moments(lambda u, b=beta: (b * u).exp() * b / b.expm1())  # type: ignore[misc]
        assert mass.overlaps(arb(1))
        assert win.overlaps(tilted(beta)[0])
        assert kl.overlaps(tilted(beta)[1])
    for n in (2, 5, 40):
        win, kl = ball(fmpq(n, n + 1)), analytical(arb(n))
        bounds = [frontier(win, arb(n + shift)) for shift in (0.125, 0.5, 1)]
        assert all(bound < kl for bound in bounds)
        assert max(bounds) > fmpq(88, 100) * kl


def test_a_discrete_policy_above_the_continuous_curve() -> None:
    ten_thousandths = (3550, 958, 1469, 273, 1112, 995, 1110, 534)
    p = [Fraction(x, sum(ten_thousandths)) for x in ten_thousandths]
    win = win_rate(p, 2)
    kl = analytical(arb(2)) - kl_gap(p, arb(2))
    order = win / (1 - win)  # where n/(n+1) is this win rate
    assert kl < analytical(arb_of(order))
    assert kl > frontier(arb_of(win), arb(2))
    better = arb_of(win) + fmpq(7, 1000)
    assert kl < frontier(better, arb("2.09"))
