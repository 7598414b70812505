"""Gap and bounds of one interval, in balls, and integrals to hold them against."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flint import acb, arb, fmpq

H_GRID = [fmpq(1, 50), fmpq(1, 4), fmpq(1), fmpq(3), fmpq(40)]
N_GRID = [fmpq(x, 20) for x in range(21, 161, 3)] + [fmpq(40), fmpq(60), fmpq(1000), fmpq(10**6)]


def ball(value: fmpq | float) -> arb:
    return arb(value)


def analytical(n: arb) -> arb:
    return n.log() - (n - 1) / n


def gap_term(n: arb, h: arb) -> arb:
    """phi_n on an interval of step 2h."""
    return (n - 1) * (h * (n * h).coth() - 1 / n) - ((n * h).sinh() / n).log() + h.sinh().log()


def sharp_term(n: arb, h: arb) -> arb:
    last = h if n == 2 else ((n - 2) * h).sinh() / (n - 2)
    return h.sinh() ** 2 / 6 * (n - 1) ** 2 * n * last / (n * h).sinh()


def root_term(n: arb, h: arb) -> arb:
    return n / 3 * h.sinh() * 2 * ((n - 1) * h / 2).sinh() ** 2 / (n * h).sinh()


def integral(f: Callable[[acb], acb], low: arb, high: arb) -> arb:
    return acb.integral(lambda u, analytic: f(u), acb(low), acb(high)).real


def same(x: arb, y: arb) -> bool:
    return bool(x.overlaps(y) and x.rad() < abs(x) * 1e-20 and y.rad() < abs(y) * 1e-20)


class Interval(NamedTuple):
    """[low, 1] of step 2h, and its mass under best-of-n."""

    n: arb
    h: arb
    low: arb
    mass: arb

    def density(self, u: acb) -> acb:
        return self.n * u ** (self.n - 1)


def interval(n: float, h: float = 0.625) -> Interval:
    order, half = ball(n), ball(h)
    return Interval(order, half, (-2 * half).exp(), 1 - (-2 * order * half).exp())


def moments(density: Callable[[acb], acb]) -> tuple[arb, arb, arb]:
    """Mass, win rate and KL of a density on [0, 1]."""
    one, zero = arb(1), arb(0)
    return (
        integral(density, zero, one),
        integral(lambda u: u * density(u), zero, one),
        integral(lambda u: density(u) * density(u).log(), zero, one),
    )


def frontier(win: arb, beta: arb) -> arb:
    """The lower bound on KL at this win rate that the tilt beta proves."""
    return beta * win - (beta.expm1() / beta).log()
