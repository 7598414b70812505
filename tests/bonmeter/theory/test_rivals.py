"""docs/theory.md#rivals: closed forms of their win rate, KL and divergences, against integrals."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import mpmath as mp
import pytest
from flint import acb, arb, fmpq

from tests.bonmeter.theory.outcomes import SMALL, arb_of, relative_entropy, tails, total
from tests.bonmeter.theory.terms import analytical, ball, frontier, integral, moments


def poisson(mu: arb) -> tuple[arb, arb]:
    win = 1 - 1 / mu + (1 - (-mu).exp()) / mu**2
    return win, (1 + mu).log() - 1 + (-1 - mu).exp() / mu * ((1 + mu).ei() - arb(1).ei())


def top_k(n: int, k: int, u: acb) -> acb:
    """n/k times the probability that at most k - 1 of the n - 1 others lie above u."""
    terms = (comb(n - 1, j) * (1 - u) ** j * u ** (n - 1 - j) for j in range(k))
    return sum(terms, acb(0)) * n / k


def soft_best_of_2(beta: arb, u: acb) -> acb:
    return 2 / beta * ((1 + (beta * u).exp()) / (1 + (beta * (u - 1)).exp())).log()


def test_best_of_poisson() -> None:
    for value in (0.25, 2.0, 30.0):
        mu = ball(value)
        mass, win, kl = moments(lambda u, m=mu: (1 + m * u) * (m * (u - 1)).exp())  # type: ignore[misc]
        assert mass.overlaps(arb(1))
        assert win.overlaps(poisson(mu)[0])
        assert kl.overlaps(poisson(mu)[1])
        assert not kl.overlaps(poisson(mu)[1] * arb("1.000001"))
        assert kl > frontier(win, 1 + mu)


@pytest.mark.parametrize(("n", "k"), [(2, 1), (5, 2), (9, 4)])
def test_top_k_of_n(n: int, k: int) -> None:
    mass, win = (integral(lambda u, p=p: u**p * top_k(n, k, u), arb(0), arb(1)) for p in (0, 1))  # type: ignore[misc]
    assert mass.overlaps(arb(1))
    assert win.overlaps(1 - arb(k + 1) / (2 * (n + 1)))
    assert not win.overlaps(1 - arb(k) / (2 * (n + 1)))
    with mp.workdps(30):
        kl = mp.quad(lambda u: float_free(n, k, u), [0, 1])
        assert (
            0 < kl < min(mp.log(mp.mpf(n) / k), mp.log(n) - mp.mpf(n - 1) / n + mp.mpf(10) ** -20)
        )


def float_free(n: int, k: int, u: mp.mpf) -> mp.mpf:
    f = mp.fsum(comb(n - 1, j) * (1 - u) ** j * u ** (n - 1 - j) for j in range(k)) * n / k
    return f * mp.log(f)


def test_soft_best_of_2_is_near_its_limits() -> None:
    beta = arb(3)
    mass, win, kl = moments(lambda u: soft_best_of_2(beta, u))
    assert mass.overlaps(arb(1))
    assert frontier(win, ball(0.875)) < kl < analytical(arb(2))
    distance = integral(
        lambda u: (
            (density := (beta * u).exp() * beta / beta.expm1())
            * (density / soft_best_of_2(beta, u)).log()
        ),
        arb(0),
        arb(1),
    )
    bound = (1 + (beta / 2 * (beta / 2).coth() - 1) / 2).log()
    assert 0 < distance < bound
    assert distance > bound / 4


@pytest.mark.parametrize("n", [2, 3, 8])
def test_other_divergences(n: int) -> None:
    def density(u: acb) -> acb:
        return n * u ** (n - 1)

    one, zero, order = arb(1), arb(0), fmpq(n)
    chi_square = integral(lambda u: density(u) ** 2, zero, one) - 1
    assert chi_square.overlaps(ball((order - 1) ** 2 / (2 * order - 1)))
    crossing = arb(n) ** (-1 / arb(n - 1))
    variation = integral(lambda u: density(u) - 1, crossing, one)
    assert variation.overlaps(crossing * (n - 1) / n)
    with mp.workdps(30):
        forward = -mp.quad(lambda u: mp.log(n * u ** (n - 1)), [0, 1])
        assert abs(forward - (n - 1 - mp.log(n))) < mp.mpf(10) ** -20
        for alpha in (mp.mpf("0.5"), mp.mpf(3)):
            value = mp.log(mp.quad(lambda u, a=alpha: (n * u ** (n - 1)) ** a, [0, 1])) / (
                alpha - 1
            )
            assert abs(value - renyi(n, alpha)) < mp.mpf(10) ** -12
    for p in list(SMALL.values())[1:]:
        law = [b**n - a**n for a, b in tails(p)]
        assert sum(q * q / x for q, x in zip(law, p, strict=True)) - 1 < Fraction(
            (n - 1) ** 2, 2 * n - 1
        )
        assert relative_entropy(p, law) < n - 1 - arb(n).log()
        distance = total(abs(q - x) for q, x in zip(law, p, strict=True)) / 2
        assert not arb_of(distance) > variation  # at n = 2 binary outcomes meet at the crossing
        square = sum((arb_of(q * x).sqrt() for q, x in zip(law, p, strict=True)), arb(0))
        assert -2 * square.log() < -2 * (2 * arb(n).sqrt() / (n + 1)).log()


def renyi(n: int, alpha: mp.mpf) -> mp.mpf:
    return mp.log(mp.mpf(n) ** alpha / (alpha * (n - 1) + 1)) / (alpha - 1)


def test_blockwise_best_of_k_is_additive() -> None:
    """Two blocks of two tokens, the second chosen given the first."""
    first, second = (
        [Fraction(1, 3), Fraction(2, 3)],
        [[Fraction(1, 4), Fraction(3, 4)], [Fraction(1, 2), Fraction(1, 2)]],
    )
    k = 3
    outer = [b**k - a**k for a, b in tails(first)]
    inner = [[b**k - a**k for a, b in tails(q)] for q in second]
    joint = [outer[i] * inner[i][j] for i in (0, 1) for j in (0, 1)]
    reference = [first[i] * second[i][j] for i in (0, 1) for j in (0, 1)]
    total = relative_entropy(joint, reference)
    chain = relative_entropy(outer, first) + sum(
        (arb_of(outer[i]) * relative_entropy(inner[i], second[i]) for i in (0, 1)), arb(0)
    )
    assert total.overlaps(chain)
    assert analytical(arb(k)) / 2 < total < 2 * analytical(arb(k))
