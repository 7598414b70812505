"""docs/theory.md#number-of-selections: the steps of its proof, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from flint import arb, ctx, fmpq

from tests.bonmeter.theory.outcomes import SMALL, arb_of, estimator, tails
from tests.bonmeter.theory.terms import analytical, ball


def mean(p: Sequence[Fraction], n: int) -> arb:
    terms = (arb_of(b**n - a**n) * estimator(b - a, arb(n)) for a, b in tails(p))
    return sum(terms, arb(0))


def test_exponents_of_chernoffs_bound() -> None:
    for gamma in (ball(fmpq(i, 64)) for i in range(1, 64)):
        above = (1 + gamma) * gamma.log1p() - gamma
        below = (1 - gamma) * (-gamma).log1p() + gamma
        assert gamma**2 / 3 < above < gamma**2 / 2 < below
    assert 2 * arb(2).log() - 1 > ball(fmpq(1, 3))  # gamma = 1
    assert 2 * arb(2).log() - 1 < ball(fmpq(2, 5))


@pytest.mark.parametrize("delta", [Fraction(1, 10**9), Fraction(1, 3), Fraction(9, 10)])
@pytest.mark.parametrize("n", [1.0078125, 2.0, 6.5, 7.0, 1000.0])
def test_chain_rule_and_lower_bound_on_the_estimator(delta: Fraction, n: float) -> None:
    order, r = ball(n), arb_of(1 - delta)
    value, q, formula = estimator(delta, order), r**order, analytical(order)
    divergence = q * (q / r).log() + (1 - q) * ((1 - q) / (1 - r)).log()
    assert abs(value - (q * formula + divergence)) < arb(10) ** -50
    assert value > r * formula.min(arb(1))


def test_the_lower_bound_is_nearly_attained() -> None:
    for n in (7, 99):
        assert estimator(Fraction(999, 1000), arb(n)) < fmpq(1001, 1000) * ball(fmpq(1, 1000))


def slope(z: arb) -> arb:
    """m(z), the slope of z + log((1 - e^-z)/z)."""
    return -1 / (-z).expm1() - 1 / z


def relative_growth(x: arb, s: arb) -> arb:
    """e^-x (1 + x + x^2 M), the derivative of d_n in the formula."""

    def primitive(z: arb) -> arb:
        return z + (-(-z).expm1() / z).log()

    mean_slope = (primitive(x) - primitive(s)) / (x - s)
    return (-x).exp() * (1 + x + x**2 * mean_slope)


STEPS = [fmpq(1, 100), fmpq(1, 2), fmpq(3), fmpq(20)]
ORDERS = [fmpq(x, 100) for x in (101, 110, 150, 200, 400, 900, 5000)]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_growth_of_the_estimator_relative_to_the_formula(step: fmpq) -> None:
    with ctx.workprec(4096):
        s, width = ball(step), arb(10) ** -30
        r = (-s).exp()

        def value(order: arb) -> arb:
            q = r**order
            return q * analytical(order) + q * (q / r).log() + (1 - q) * ((1 - q) / (1 - r)).log()

        for n in map(ball, ORDERS):
            rise = (value(n + width) - value(n)) / (analytical(n + width) - analytical(n))
            growth = relative_growth(n * s, s)
            assert abs(rise / growth - 1) < arb(10) ** -20
            assert 0 < growth < 1


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_growth_decreases_and_so_does_the_ratio_to_the_formula(step: fmpq) -> None:
    s = ball(step)
    growths = [relative_growth(ball(n) * s, s) for n in ORDERS]
    assert all(low < high for high, low in pairwise(growths))
    for x in (ball(n) * s for n in ORDERS):
        mean_slope = ((x - s) + (-(-x).expm1() / x).log() - (-(-s).expm1() / s).log()) / (x - s)
        rise = (slope(x) - mean_slope) / (x - s)
        assert ball(fmpq(1, 2)) < mean_slope < slope(x) < (ball(fmpq(1, 2)) + x / 12).min(arb(1))
        assert 0 < rise < ball(fmpq(1, 24))
        assert (2 - x) * mean_slope + x * rise < 1


def excess(r: arb, power: arb) -> arb:
    """d/r - 1 for t = r^power and a formula of 1."""
    t = r**power
    return t * t.log() + t - 1 + (1 / r - t) * ((1 - r * t) / (1 - r)).log()


def is_positive(f: Callable[[arb], arb], low: fmpq, high: fmpq, depth: int = 16) -> bool:
    """Whether balls show it on all of [low, high], by bisection."""
    middle, radius = (low + high) / 2, ball((high - low) / 2)
    if f(ball(middle) + radius * arb(0, 1)) > 0:
        return True
    halves = ((low, middle), (middle, high))
    return depth > 0 and all(is_positive(f, *half, depth - 1) for half in halves)


def test_where_the_formula_is_1_the_estimator_is_at_least_the_rest() -> None:
    power = ball(fmpq(53, 10))
    assert analytical(power + 1) < 1 < analytical(power + fmpq(101, 100))
    # r <= 1/2: where the sum subtracted is largest
    half = ball(fmpq(1, 2))
    assert power * half ** (power - 1) * arb(2).log() < (1 - half**power) ** 2 / 2
    assert (1 / (power - 1)) < arb(2).log()  # r^4.3 log(1/r) increases up to e^(-1/4.3) > 1/2
    # 1/2 <= r <= 0.99
    assert is_positive(lambda r: excess(r, power), fmpq(1, 2), fmpq(99, 100))
    assert not is_positive(lambda r: excess(r, ball(3)), fmpq(1, 2), fmpq(99, 100))
    # r >= 0.99
    least = ball(fmpq(99, 100)) ** power
    assert (power + 1) * least * (1 - (power + 1).log()) + power - least < 0
    # t may be raised to r^5.3: r^5.3 (e - (e-1) r) increases
    assert power * arb(1).exp() > (power + 1) * (arb(1).exp() - 1)


@pytest.mark.parametrize("p", list(SMALL.values())[1:], ids=list(SMALL)[1:])
def test_lower_bound_on_the_mean(p: list[Fraction]) -> None:
    for n in (2, 5, 7, 40):
        floor = arb_of(1 - max(p)) * analytical(arb(n)).min(arb(1))
        assert mean(p, n) > floor


def test_failure_probability_of_two_outcomes_exactly() -> None:
    """The law of the mean is binomial: what the theorem asks for suffices, a tenth does not."""
    q, n, eta = Fraction(1, 10), 4, Fraction(1, 20)
    p = [1 - q, q]
    values, mu, formula = [estimator(x, arb(n)) for x in p], mean(p, n), analytical(arb(n))
    top = arb_of(1 - p[0] ** n)

    def failure(selections: int, gamma: arb) -> arb:
        chance, total = (1 - top) ** selections, arb(0)
        for hits in range(selections + 1):
            average = values[0] + (values[1] - values[0]) * hits / selections
            if abs(average - mu) > gamma * mu:
                total += chance
            chance *= top / (1 - top) * (selections - hits) / (hits + 1)
        return total

    for gamma in (ball(fmpq(1, 2)), ball(fmpq(1, 4))):
        enough = (3 / gamma**2 * formula / mu * (2 / arb_of(eta)).log()).ceil()
        needed = int(float(enough.mid()))
        assert failure(needed, gamma) < arb_of(eta)
        assert failure(needed // 10, gamma) > arb_of(eta)


def test_what_it_needs() -> None:
    q, n = Fraction(1, 10**6), 10
    rare_best, rare_worst = [1 - q, q], [q, 1 - q]
    # no selection of the better outcome: with probability (1-q)^(nM), and then 90 % off
    assert estimator(1 - q, arb(n)) < mean(rare_best, n) / 10
    assert 1 / (-n * arb_of(1 - q).log()) > fmpq(99_999)
    asked = 300 * analytical(arb(n)) / mean(rare_worst, n)
    assert fmpq(42, 10) * 10**8 < asked < fmpq(421, 100) * 10**8
    assert arb_of(q**n) < arb("1.0001e-60")
