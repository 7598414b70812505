"""docs/theory.md#number-of-selections: the steps of its proof, and what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import pytest
from flint import arb, fmpq

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
    assert divergence > (r - q) ** 2 / (2 * r)
    assert value > r * formula.min(arb(1)) / 2


@pytest.mark.parametrize("p", list(SMALL.values())[1:], ids=list(SMALL)[1:])
def test_lower_bound_on_the_mean(p: list[Fraction]) -> None:
    for n in (2, 5, 7, 40):
        floor = arb_of(1 - max(p)) / 2 * analytical(arb(n)).min(arb(1))
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


def test_the_floor_without_one_half_failed_nowhere() -> None:
    for eps, n in product([Fraction(i, 40) for i in range(1, 40)], (1.0625, 2.0, 6.5, 7.0, 99.0)):
        order = ball(n)
        assert estimator(eps, order) > arb_of(1 - eps) * analytical(order).min(arb(1))
    assert estimator(Fraction(39, 40), arb(99)) < fmpq(11, 10) * ball(fmpq(1, 40))
